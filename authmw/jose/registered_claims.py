"""The registered claims of a JWT (RFC 7519 §4.1) that limit when and where it is valid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authmw.errors import InvalidToken, Reason

MAX_NUMERIC_DATE = 253402300799
"""9999-12-31T23:59:59Z: the last second that a `datetime` can hold."""


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """The values that the registered claims must have.

    Args:
        issuer: the required `iss`; None accepts any and none.
        audience: what `aud` must be or contain; None refuses every token that has an `aud`, as
            RFC 7519 §4.1.3 requires of a recipient that it does not name.
        tolerance_seconds: how far the issuer's clock may be ahead of ours; it applies to `iat`
            and `nbf`, never to `exp`.
    """

    issuer: str | None = None
    audience: str | None = None
    tolerance_seconds: int = 5

    def verify(self, claims: Mapping[str, object], now: float) -> tuple[int, int]:
        """Verify iat, exp, nbf, iss and aud.

        Args:
            claims: of a token whose signature is verified.
            now: epoch seconds.

        Returns:
            `iat` and `exp`, whole epoch seconds.

        Raises:
            InvalidToken: a claim is missing, mistyped or has another value; (expired) only if
                all others pass.
        """
        issued_at, expires_at = claims.get("iat"), claims.get("exp")
        # Not isinstance(): a bool is an int to Python, and no number to JSON. (Written out here:
        # two calls less for every token.)
        if type(issued_at) is not int or not 0 <= issued_at <= MAX_NUMERIC_DATE:
            raise _make_date_refusal("iat")
        if type(expires_at) is not int or not 0 <= expires_at <= MAX_NUMERIC_DATE:
            raise _make_date_refusal("exp")
        latest = now + self.tolerance_seconds
        # A token from the future would escape every revocation event that is made before its iat.
        if issued_at > latest:
            raise InvalidToken(Reason.NOT_YET_VALID, f"issued at {issued_at}, in the future")
        if "nbf" in claims:
            not_before = claims["nbf"]
            if type(not_before) is not int or not 0 <= not_before <= MAX_NUMERIC_DATE:
                raise _make_date_refusal("nbf")
            if not_before > latest:
                raise InvalidToken(Reason.NOT_YET_VALID, "'nbf' is in the future")
        if self.issuer is not None and claims.get("iss") != self.issuer:
            raise InvalidToken(Reason.WRONG_ISSUER, "'iss' is not jws_issuer")
        if self.audience is not None or "aud" in claims:
            self._verify_audience(claims.get("aud"))
        # Last: a service may use a token that is only expired, and none that another rule refuses.
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


def _make_date_refusal(name: str) -> InvalidToken:
    """Return the refusal of a claim that is no NumericDate (RFC 7519 §2) in whole seconds."""
    return InvalidToken(Reason.MALFORMED, f"{name!r} is missing or no time in whole seconds")
