"""Verifies a token: key, signature, registered claims, in this order."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.jose.jws import (
    JWT_TYPES,
    CompactJws,
    find_verifying_key,
    parse_claims,
    parse_compact,
)
from authmw.jose.key_set import KeySet
from authmw.jose.public_key import PublicKey
from authmw.jose.registered_claims import ClaimRules

_log = logging.getLogger(__name__)


class VerificationKeys(Protocol):
    """Gives the verifier its public keys; every `authmw.keys.source.KeySource` does."""

    def current(self, now: float) -> KeySet:
        """Return the keys in use, without I/O; raises IdentityUnavailable if there are none."""

    def reload_early(self, now: float) -> KeySet | None:
        """Return the keys after a reload; None if no reload was granted or it takes too long."""


class VerifiedJws(NamedTuple):  # made once for each token, and a frozen dataclass is slower
    """A token whose signature and registered claims are verified."""

    claims: Mapping[str, object]
    """All claims; those that are not registered are JSON values of any type."""
    issued_at: int
    """`iat`, epoch seconds."""
    expires_at: int
    """`exp`, epoch seconds."""
    key: PublicKey
    """The key that verified it."""


class SignatureVerifier:
    """Finds the key of one source that verifies a signature.

    Args:
        source: of public keys.
        accepted_algorithms: names out of `ALGORITHMS`.
        max_keys: most verifications to spend on one token (`jws_max_keys`).
        option: what `accepted_algorithms` is called in the configuration, for errors.
    """

    def __init__(
        self,
        source: VerificationKeys,
        *,
        accepted_algorithms: frozenset[str],
        max_keys: int,
        option: str = "jws_accepted_algorithms",
    ) -> None:
        self._source = source
        self._accepted_algorithms = accepted_algorithms
        self._max_keys = max_keys
        self._option = option
        self._checked_for_surplus: KeySet | None = None
        self._surplus: tuple[str, ...] = ()

    def find_key(self, jws: CompactJws, now: float) -> PublicKey:
        """Return the key that verifies a signature.

        Args:
            jws: not trusted in any way.
            now: epoch seconds.

        Raises:
            InvalidToken: no key of the source does.
            IdentityUnavailable: there are no keys to say so.
        """
        header = jws.header
        algorithm = header.algorithm.name
        if algorithm not in self._accepted_algorithms:
            raise InvalidToken(Reason.BAD_SIGNATURE, f"{algorithm} is not in {self._option}")
        keys = self._source.current(now)
        if keys is not self._checked_for_surplus:
            self._warn_of_surplus(keys)
        tried = keys.choose(algorithm, header.kid, self._max_keys)
        key = find_verifying_key(jws, tried)
        if key is None:
            return self._find_newer_key(jws, tried, now)
        if key is not tried[0]:
            keys.try_first(key)
        return key

    def _find_newer_key(self, jws: CompactJws, tried: Sequence[PublicKey], now: float) -> PublicKey:
        """Find the key after a reload, since the signer's key may be newer than ours."""
        newer = self._source.reload_early(now)
        # None may mean that another thread has just reloaded: use the keys that it found.
        keys = self._source.current(now) if newer is None else newer
        candidates = keys.find_candidates(jws.header.algorithm.name, jws.header.kid)
        # The tries that jws_max_keys leaves go to keys not tried yet.
        thumbprints = {key.thumbprint for key in tried}
        untried = [key for key in candidates if key.thumbprint not in thumbprints]
        key = find_verifying_key(jws, untried[: self._max_keys - len(tried)])
        if key is not None:
            keys.try_first(key)
            return key
        if keys.missing is not None:
            raise IdentityUnavailable(f"no key verifies a token, but {keys.missing}")
        raise InvalidToken(
            Reason.BAD_SIGNATURE,
            "no public key verifies the signature"
            + self._describe_untried(len(candidates), jws.header.algorithm.name),
        )

    def _describe_untried(self, fitting: int, algorithm: str) -> str:
        if not fitting:
            return f"; none is for {algorithm}, or none has the token's kid"
        if fitting <= self._max_keys:
            return ""
        return f"; only {self._max_keys} of {fitting} that fit were tried (jws_max_keys)"

    def _warn_of_surplus(self, keys: KeySet) -> None:
        """Warn of more keys than are tried for a token, once for each change of the keys."""
        self._checked_for_surplus = keys
        surplus = keys.describe_surplus(self._accepted_algorithms, self._max_keys)
        if surplus != self._surplus:
            self._surplus = surplus
            for sentence in surplus:
                _log.warning("%s", sentence)


class JwsVerifier(SignatureVerifier):
    """Verifies compact JWS tokens with the keys of one source.

    Args:
        source, accepted_algorithms, max_keys: as of `SignatureVerifier`.
        max_size: longest token to look at, in characters (`max_token_size`).
        rules: for the registered claims.
        types: accepted values of the header parameter `typ`; see `ProtectedHeader.typ`.
    """

    def __init__(
        self,
        source: VerificationKeys,
        *,
        accepted_algorithms: frozenset[str],
        max_keys: int,
        max_size: int,
        rules: ClaimRules,
        types: frozenset[str | None] = JWT_TYPES,
    ) -> None:
        super().__init__(source, accepted_algorithms=accepted_algorithms, max_keys=max_keys)
        self._max_size = max_size
        self._rules = rules
        self._types = types

    def verify(self, token: str, now: float) -> VerifiedJws:
        """Verify signature and registered claims of one token.

        Args:
            token: a compact JWS, not trusted in any way.
            now: epoch seconds.

        Raises:
            InvalidToken: not acceptable; the payload was not looked at unless a key of ours
                signed it.
            IdentityUnavailable: there are no keys to say so.
        """
        jws = parse_compact(token, max_size=self._max_size, types=self._types)
        key = self.find_key(jws, now)
        claims = parse_claims(jws)
        issued_at, expires_at = self._rules.verify(claims, now)
        return VerifiedJws(claims, issued_at, expires_at, key)
