"""The registered claims of a JWT (RFC 7519 §4.1) that say when and where it is good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authmw.errors import InvalidToken, Reason

MAX_NUMERIC_DATE = 253402300799
"""9999-12-31T23:59:59Z: the last second that a `datetime` can hold."""


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """What the registered claims must say.

    Args:
        issuer: what `iss` must be; None where it does not matter.
        audience: what `aud` must be or contain; None refuses every token that has an `aud`,
            as RFC 7519 §4.1.3 demands of those who are not named in it.
        tolerance_seconds: how far the issuer's clock may be ahead of ours. It applies to
            `iat` and `nbf`, never to `exp`.
    """

    issuer: str | None = None
    audience: str | None = None
    tolerance_seconds: int = 5

    def verify(self, claims: Mapping[str, object], now: float) -> tuple[int, int]:
        """Verify iat, exp, nbf, iss and aud.

        Args:
            claims: of a token whose signature was verified.
            now: epoch seconds.

        Returns when the token was issued and when it ends, in whole epoch seconds.

        Raises:
            InvalidToken: one is missing, mistyped or says no; (expired) only where all others
                say yes.
        """
        issued_at, expires_at = claims.get("iat"), claims.get("exp")
        # Not isinstance(): a bool is an int to Python, and no number to JSON. (Written out here:
        # two calls less for every token.)
        if type(issued_at) is not int or not 0 <= issued_at <= MAX_NUMERIC_DATE:
            raise _refuse_date("iat")
        if type(expires_at) is not int or not 0 <= expires_at <= MAX_NUMERIC_DATE:
            raise _refuse_date("exp")
        latest = now + self.tolerance_seconds
        # A token from the future would be issued after any revocation event of today.
        if issued_at > latest:
            raise InvalidToken(Reason.NOT_YET_VALID, f"issued at {issued_at}, in the future")
        if "nbf" in claims:
            not_before = claims["nbf"]
            if type(not_before) is not int or not 0 <= not_before <= MAX_NUMERIC_DATE:
                raise _refuse_date("nbf")
            if not_before > latest:
                raise InvalidToken(Reason.NOT_YET_VALID, "'nbf' is in the future")
        if self.issuer is not None and claims.get("iss") != self.issuer:
            raise InvalidToken(Reason.WRONG_ISSUER, "'iss' is not jws_issuer")
        if self.audience is not None or "aud" in claims:
            self._verify_audience(claims.get("aud"))
        # Last, since a service may use an expired token, but none that is refused for more.
        if expires_at <= now:  # "on or after which", RFC 7519 §4.1.4
            raise InvalidToken(Reason.EXPIRED, f"at {expires_at}")
        return issued_at, expires_at

    def _verify_audience(self, aud: object) -> None:
        """RFC 7519 §4.1.3: one string, or an array of strings."""
        audiences = aud if isinstance(aud, list) else [aud]
        if self.audience is None:
            raise InvalidToken(Reason.WRONG_AUDIENCE, "has an 'aud', and jws_audience is not set")
        if not all(isinstance(one, str) for one in audiences) or self.audience not in audiences:
            raise InvalidToken(Reason.WRONG_AUDIENCE, "'aud' does not name jws_audience")


def _refuse_date(name: str) -> InvalidToken:
    """Refuse what is no NumericDate (RFC 7519 §2) as Keystone writes it: whole seconds."""
    return InvalidToken(Reason.MALFORMED, f"{name!r} is missing or no time in whole seconds")
