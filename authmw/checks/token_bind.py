"""Checks that a request comes from the client its token is bound to (`enforce_token_bind`).

A token is bound by Kerberos (`bind` in its body, from older identity services), by the
certificate of the TLS client it was issued to (RFC 8705 §3.1), or by a key of which each request
brings a proof (RFC 9449; `authmw.checks.dpop` verifies it, whatever `enforce_token_bind` says).
The request's own identity is read
from environ keys that only the server in front can set: AUTH_TYPE, REMOTE_USER, SSL_CLIENT_CERT.
Keys that begin with HTTP_ come from the client and are never read.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

from authmw.errors import InvalidToken, Reason

if TYPE_CHECKING:
    from authmw.token import Token

KERBEROS: Final = "kerberos"
# The name of the confirmation method (RFC 8705 §3.1).
CERTIFICATE: Final = "x5t#S256"
# Likewise (RFC 9449 §6.1).
KEY: Final = "jkt"

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"


class BindPolicy(NamedTuple):
    """The parsed value of `enforce_token_bind`.

    Attributes:
        is_enforced: whether bindings are checked.
        is_required: whether a token without a binding is refused.
        mechanism: the one that every token must be bound by; None: any.
        ignores_unknown: whether a mechanism that can't be checked here is ignored.
    """

    is_enforced: bool = True
    is_required: bool = False
    mechanism: str | None = None
    ignores_unknown: bool = False

    @classmethod
    def parse(cls, written: str) -> BindPolicy:
        """Parse the option's value: the name of a policy, else that of a mechanism."""
        return POLICIES.get(written) or cls(is_required=True, mechanism=written)


POLICIES: Final[Mapping[str, BindPolicy]] = {
    "disabled": BindPolicy(is_enforced=False),
    "permissive": BindPolicy(ignores_unknown=True),
    "strict": BindPolicy(),
    "required": BindPolicy(is_required=True),
}


def verify_binding(policy: BindPolicy, token: Token, environ: Mapping[str, Any]) -> None:
    """Check each binding of a token against the request that carries it.

    Callers may skip a token without a binding (`Token.is_bound`) unless the policy requires one.

    Raises:
        InvalidToken: (wrong_binding) a binding doesn't match, can't be checked, or is missing.
    """
    if not policy.is_enforced:
        return
    bindings = dict(token.principal.bind)
    if token.thumbprint is not None:
        bindings[CERTIFICATE] = token.thumbprint
    key_thumbprint = find_key_thumbprint(token)
    if key_thumbprint is not None:
        bindings[KEY] = key_thumbprint
    if policy.is_required and not bindings:
        raise _make_refusal("it is not bound, and enforce_token_bind requires a binding")
    if policy.mechanism is not None and policy.mechanism not in bindings:
        raise _make_refusal(
            f"it is not bound by {policy.mechanism}, as enforce_token_bind requires"
        )
    for mechanism, bound_to in bindings.items():
        verify = _MECHANISMS.get(mechanism)
        if verify is not None:
            verify(bound_to, environ)
        elif not policy.ignores_unknown:
            raise _make_refusal("it is bound by a mechanism that can't be checked here")


def find_key_thumbprint(token: Token) -> str | None:
    """Return `jkt` of the key that a token is bound to; None: it is bound to none."""
    return None if token.oauth is None else token.oauth.key_thumbprint


def refuse_key_binding(token: Token) -> None:
    """Refuse a token that is bound to a key, where no proof can be checked.

    Raises:
        InvalidToken: (wrong_binding) it is bound to one.
    """
    if find_key_thumbprint(token) is not None:
        raise _make_refusal("it is bound to a key, and no DPoP proof can come with it here")


def _verify_kerberos(principal: object, environ: Mapping[str, Any]) -> None:
    # Authentication schemes are case-insensitive (RFC 9110 §11.1).
    if str(environ.get("AUTH_TYPE", "")).lower() != "negotiate":
        raise _make_refusal("it is bound by kerberos, and the request was not negotiated")
    # A token bound to "" must not match a request without a user.
    if not principal or environ.get("REMOTE_USER") != principal:
        raise _make_refusal("it is bound by kerberos to another user than REMOTE_USER")


def _verify_certificate(thumbprint: object, environ: Mapping[str, Any]) -> None:
    presented = environ.get("SSL_CLIENT_CERT")
    if not presented:
        raise _make_refusal("it is bound to a certificate, and SSL_CLIENT_CERT holds none")
    if not isinstance(thumbprint, str) or thumbprint.rstrip("=") not in compute_thumbprints(
        presented
    ):
        raise _make_refusal("it is bound to another certificate than SSL_CLIENT_CERT")


_MECHANISMS: Mapping[str, Callable[[object, Mapping[str, Any]], None]] = {
    KERBEROS: _verify_kerberos,
    CERTIFICATE: _verify_certificate,
    KEY: lambda _thumbprint, _environ: None,
}


def compute_thumbprints(presented: str) -> frozenset[str]:
    """Return the values of `x5t#S256` that name a certificate; none if it can't be decoded.

    RFC 8705 §3.1 hashes the DER encoding. Keystone uses that name for a hash of the PEM text as
    its own server passed it: with or without a line break at the end, or folded as our server
    passes it. Each of these hashes names the certificate.

    Args:
        presented: SSL_CLIENT_CERT: one certificate in PEM; blanks or tabs may replace or follow
            line breaks (nginx: `$ssl_client_cert`), or it is percent-encoded (nginx:
            `$ssl_client_escaped_cert`).
    """
    text = unquote(presented) if "%" in presented else presented
    words = text.strip().removeprefix(_BEGIN).removesuffix(_END)
    try:
        encoded = base64.b64decode("".join(words.split()), validate=True)
    except ValueError:
        return frozenset()
    if not encoded:
        return frozenset()
    pem = _write_pem(encoded)
    texts = (pem, pem.rstrip(), text)
    return frozenset(map(_hash, (encoded, *(shown.encode() for shown in texts))))


def _write_pem(encoded: bytes) -> str:
    """Write a certificate as RFC 7468 §5.1 has it: base64 in lines of 64 characters."""
    text = base64.b64encode(encoded).decode("ascii")
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def _hash(encoded: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(encoded).digest()).rstrip(b"=").decode()


def _make_refusal(detail: str) -> InvalidToken:
    return InvalidToken(Reason.WRONG_BINDING, detail)
