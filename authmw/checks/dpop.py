"""Proofs that the client of a request holds the key its token is bound to (RFC 9449).

A token whose `cnf.jkt` names a key is worth nothing to whoever copied it: each request needs a
new proof, a JWT signed by that key for this token, this method and this URL. The URL is what
clients write, which only the configuration knows: a Host header is the client's own claim.

Nothing here remembers proofs; whoever calls has to refuse what was used before
(`authmw.cache.replays`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from authmw.errors import InvalidToken, Reason
from authmw.jose.embedded_key import verify_with_embedded_key

MAX_PROOF_SIZE: Final = 4096
"""Characters; one with an RSA key of 4096 bits has some 1,700."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Proof(NamedTuple):
    """A proof that is good, if it is new.

    Attributes:
        key_thumbprint: of the key it was made with (RFC 7638).
        replay_id: the same for two proofs of one key with the same `jti`.
        expires_at: epoch seconds from which it is too old.
    """

    key_thumbprint: str
    replay_id: bytes
    expires_at: float


class RequestTarget(NamedTuple):
    """What a proof must say of the request: method, scheme, host, port and path.

    Attributes:
        origin: scheme, host and port of the URL, all in lower case.
        path: percent-decoded.
    """

    method: str
    origin: tuple[str, str, int]
    path: bytes


@dataclass(frozen=True, slots=True)
class PublicEndpoint:
    """The URL under which clients reach the root of this server.

    Attributes:
        origin: as of `RequestTarget`.
        path: what stands before SCRIPT_NAME, without a slash at its end; percent-decoded.
    """

    origin: tuple[str, str, int]
    path: bytes

    @classmethod
    def parse(cls, url: str) -> PublicEndpoint:
        """Read an http or https URL; raises ValueError if it is none, or has a query."""
        if "?" in url or "#" in url:
            raise ValueError("it has a query or a fragment")
        origin, path = _split_url(url)
        return cls(origin, path.rstrip(b"/"))

    def target_of(self, method: str, script_name: str, path_info: str) -> RequestTarget:
        """Return the target of a request, given the environ keys of these names (PEP 3333)."""
        path = self.path + (script_name + path_info).encode("latin-1", "replace")
        return RequestTarget(method, self.origin, path or b"/")


@dataclass(frozen=True, slots=True)
class ProofRules:
    """What a proof must be like, whatever it is for.

    Attributes:
        lifetime_seconds: how long after its `iat` it is accepted.
        skew_seconds: how far the client's clock may be off.
        verify_nonce: given a nonce and the time, tells whether it is one that we gave out not
            long ago; None: proofs need none.
    """

    lifetime_seconds: int = 60
    skew_seconds: int = 5
    verify_nonce: Callable[[str, float], bool] | None = None


def verify_proof(
    text: str, token: str, target: RequestTarget, rules: ProofRules, now: float
) -> Proof:
    """Check a proof (RFC 9449 §4.3), in the order of that section.

    Args:
        text: the value of the DPoP header field, not trusted in any way.
        token: the access token that came with it.
        target: of the request.
        rules: for all proofs.
        now: epoch seconds.

    Raises:
        InvalidToken: (no_nonce) all is right but the nonce; (wrong_proof) anything else.
    """
    try:
        key, claims = verify_with_embedded_key(text, max_size=MAX_PROOF_SIZE, typ="dpop+jwt")
    except InvalidToken as refusal:
        raise _refuse(refusal.detail) from None
    token_id = claims.get("jti")
    if type(token_id) is not str or not token_id:
        raise _refuse("'jti' is missing or no string")
    if claims.get("htm") != target.method:
        raise _refuse("'htm' is not the method of the request")
    _verify_url(claims.get("htu"), target)
    issued_at = claims.get("iat")
    # Not isinstance(): a bool is an int to Python. NumericDate may be a fraction (RFC 7519 §2).
    if type(issued_at) is not int and type(issued_at) is not float:
        raise _refuse("'iat' is missing or no number")
    expires_at = issued_at + rules.lifetime_seconds + rules.skew_seconds
    if issued_at > now + rules.skew_seconds:
        raise _refuse("'iat' is in the future")
    if now >= expires_at:
        raise _refuse("it is too old")
    if claims.get("ath") != hash_token(token):
        raise _refuse("'ath' is not the hash of the token")
    nonce = claims.get("nonce")
    if rules.verify_nonce is not None and not (
        type(nonce) is str and rules.verify_nonce(nonce, now)
    ):
        raise InvalidToken(Reason.NO_NONCE, "its nonce is none that we gave out lately")
    replay_id = hashlib.sha256(f"{key.thumbprint} {token_id}".encode()).digest()
    return Proof(key.thumbprint, replay_id, expires_at)


def hash_token(token: str) -> str:
    """Return `ath` of an access token (RFC 9449 §4.2)."""
    digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _verify_url(url: object, target: RequestTarget) -> None:
    """Compare without query and fragment, after normalization (RFC 3986 §6.2.2, §6.2.3)."""
    if type(url) is not str:
        raise _refuse("'htu' is missing or no string")
    try:
        origin, path = _split_url(url)
    except ValueError:
        raise _refuse("'htu' is no URL of a server") from None
    if origin != target.origin:
        raise _refuse("'htu' is not on the server of [keystone_authtoken] public_endpoint")
    if path != target.path:
        raise _refuse("'htu' has another path than the request")


def _split_url(url: str) -> tuple[tuple[str, str, int], bytes]:
    """Return origin and decoded path of a URL; raises ValueError."""
    parts = urlsplit(url)
    default, host = _DEFAULT_PORTS.get(parts.scheme), parts.hostname
    if default is None or not host or parts.username is not None or not url.isascii():
        raise ValueError("it is no http or https URL of a server")
    if " " in url or not url.isprintable():
        raise ValueError("it holds a blank or a control character")
    port = parts.port
    origin = (parts.scheme, host, default if port is None else port)
    return origin, unquote_to_bytes(parts.path) or b"/"


def _refuse(detail: str) -> InvalidToken:
    return InvalidToken(Reason.WRONG_PROOF, f"DPoP proof: {detail}")


class Nonces:
    """Makes and recognises the nonces that clients put into proofs (RFC 9449 §9).

    A nonce is an HMAC of the time, so nothing is remembered and all processes with one secret
    accept each other's. It counts for one period at least and two at most.

    Args:
        secret: the same in all processes that serve one resource.
        period_seconds: how long a nonce is given out.
    """

    def __init__(self, secret: str, period_seconds: int = 300) -> None:
        self._key = hashlib.sha256(b"authmw: DPoP nonces\0" + secret.encode()).digest()
        self._period = period_seconds

    def make(self, now: float) -> str:
        """Return the nonce of this time."""
        return self._make(math.floor(now / self._period))

    def verify(self, nonce: str, now: float) -> bool:
        """Tell whether a nonce is of this period or the one before."""
        period = math.floor(now / self._period)
        given = nonce.encode("utf-8", "surrogatepass")
        return any(
            hmac.compare_digest(given, self._make(one).encode()) for one in (period, period - 1)
        )

    def _make(self, period: int) -> str:
        mac = hmac.digest(self._key, str(period).encode(), "sha256")
        return base64.urlsafe_b64encode(mac[:18]).decode("ascii")
