"""The answer to an introspection request (RFC 7662 §2.2), which stands for verified claims.

Three things are kept apart: the token is not good (`active` is false, or the answer says so);
the answer is no answer of RFC 7662, or contradicts itself, and then nobody knows; and all else
about it, which is judged like the claims of a signed token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.issuers.access_token import AccessToken, refuse_id_token, verify_claims
from authmw.issuers.record import Issuer
from authmw.jose.registered_claims import MAX_NUMERIC_DATE

_TEXTS: Final = ("iss", "sub", "client_id", "username", "token_type", "jti", "scope")
_TIMES: Final = ("exp", "iat", "nbf")
# Some servers tell about refresh tokens as well, and call them active: Keycloak says what they
# are in `typ`, Ory Hydra in `token_use`, others in `token_type`.
_KINDS: Final = ("typ", "token_use", "token_type")
_OTHER_KINDS: Final = frozenset(
    {"refresh", "refresh_token", "offline", "id", "id_token", "logout", "logout+jwt", "n_a"}
)


def verify_introspection_response(
    issuer: Issuer, response: object, now: float, *, lifetime_seconds: int
) -> AccessToken:
    """Check what an authorization server answered about an opaque token.

    Args:
        issuer: who was asked.
        response: the body, parsed as JSON.
        now: epoch seconds.
        lifetime_seconds: how long the token counts as good if the answer has no `exp`.

    Raises:
        InvalidToken: (not_found) the token is not active, which may be because there is no such
            token, it has expired, was revoked, or is not for us to ask about (§2.2); otherwise
            as `authmw.issuers.access_token.verify_access_token`.
        IdentityUnavailable: this is no answer to an introspection request.
    """
    if not isinstance(response, Mapping):
        raise _no_answer(issuer, "it is no JSON object")
    active = response.get("active")
    if type(active) is not bool:
        raise _no_answer(issuer, "'active' is neither true nor false")
    if not active:
        raise InvalidToken(Reason.NOT_FOUND, f"issuer {issuer.name} says it is not active")
    for name in _TEXTS:
        if response.get(name) is not None and type(response[name]) is not str:
            raise _no_answer(issuer, f"{name!r} is no string")
    claims = {name: value for name, value in response.items() if name != "active"}
    for name in _TIMES:
        value = claims.get(name)
        if value is not None:
            claims[name] = _parse_time(value, name, issuer)
    identifier = claims.get("iss")
    if None not in (identifier, issuer.identifier) and identifier != issuer.identifier:
        raise InvalidToken(Reason.WRONG_ISSUER, f"'iss' is not that of issuer {issuer.name}")
    _refuse_other_kinds(issuer, claims)
    other = issuer.profile.expires_at
    if other is not None and other.find(claims) is not None:
        ends = [_parse_time(other.find(claims), other.text, issuer), claims.get("exp")]
        claims["exp"] = min(end for end in ends if type(end) is int)
    if claims.get("exp") is None:
        claims["exp"] = int(now) + lifetime_seconds
    return verify_claims(issuer, claims, now)


def _refuse_other_kinds(issuer: Issuer, claims: Mapping[str, object]) -> None:
    refuse_id_token(issuer.profile, claims)
    for name in _KINDS:
        kind = claims.get(name)
        if type(kind) is str and kind.lower() in _OTHER_KINDS:
            raise InvalidToken(Reason.WRONG_CLAIM, f"{name!r} says that it is no access token")


def _parse_time(value: object, name: str, issuer: Issuer) -> int:
    """A time in seconds; RFC 7662 says whole ones, and canaille (0.3) writes fractions."""
    # Not isinstance(): a bool is an int to Python, and no number to JSON.
    if (type(value) is int or type(value) is float) and 0 <= value <= MAX_NUMERIC_DATE:
        return int(value)
    raise _no_answer(issuer, f"{name!r} is no time in seconds")


def _no_answer(issuer: Issuer, detail: str) -> IdentityUnavailable:
    return IdentityUnavailable(
        f"issuer {issuer.name} answered an introspection request with something else: {detail} "
        "(RFC 7662 §2.2)"
    )
