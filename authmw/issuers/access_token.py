"""The checks of an access token whose signature its issuer's key has verified.

RFC 9068 §4, with what the issuer's profile changes. What is wrong with a token is said in the
order in which an operator wants to know it: that it is an ID token, before that its audience is
the client's; that it has expired, after everything else, since a service may still use an
expired token, but none that is refused for more.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from authmw.errors import InvalidToken, Reason
from authmw.issuers.claims_path import ClaimsPath, find_first_text, find_text, parse_text
from authmw.issuers.record import ClaimsMapping, Issuer, Profile
from authmw.jose.jws import JWT_TYPES
from authmw.jose.registered_claims import MAX_NUMERIC_DATE

_SUBJECT = ClaimsPath.parse("sub")
_NONE: frozenset[str] = frozenset()


class Grant(NamedTuple):
    """What a token says in claims that later tokens of its bearer repeat; see `verify_grant`.

    Attributes: as of `AccessToken`.
    """

    client_id: str | None
    oauth_scope: frozenset[str]
    thumbprint: str | None
    key_thumbprint: str | None


class AccessToken(NamedTuple):  # made once for each token, and a frozen dataclass is slower
    """A token that its issuer made for us, and that is valid now.

    Attributes:
        claims: all of them; beyond what the profile checks nothing is known of them.
        issued_at: `iat` in epoch seconds; 0 where the token does not say, the earliest time
            there is, so that revoking whatever was issued before some time covers it.
        expires_at: `exp`, in epoch seconds.
        token_id: what no two tokens have in common, `jti`; None where the token does not say.
        client_id: the client that it was issued to; likewise.
        oauth_scope: the values of the OAuth scope (RFC 6749 §3.3) that it was issued for.
        thumbprint: `x5t#S256` of the certificate it is bound to (RFC 8705 §3.1), if it is.
        key_thumbprint: `jkt`, the thumbprint of the key that its bearer must prove to hold
            (RFC 9449 §6.1), if it is bound to one.
    """

    issuer: Issuer
    claims: Mapping[str, object]
    issued_at: int
    expires_at: int
    token_id: str | None
    client_id: str | None
    oauth_scope: frozenset[str]
    thumbprint: str | None
    key_thumbprint: str | None


def verify_access_token(
    issuer: Issuer,
    *,
    typ: str | None,
    kid: str | None,
    claims: Mapping[str, object],
    now: float,
) -> AccessToken:
    """Check a token against its issuer.

    Args:
        issuer: whose key verified the signature.
        typ, kid: of the protected header, as `authmw.jose.jws.ProtectedHeader` has them.
        claims: the payload.
        now: epoch seconds.

    Raises:
        InvalidToken: (id_token) it says who logged in to a client, and authorizes nobody;
            (malformed, wrong_issuer, wrong_audience, wrong_claim, wrong_binding,
            not_yet_valid) it is not acceptable; (expired) only where all else is right.
    """
    grant = verify_grant(issuer, typ=typ, kid=kid, claims=claims)
    return _make_access_token(issuer, claims, grant, now)


def verify_claims(issuer: Issuer, claims: Mapping[str, object], now: float) -> AccessToken:
    """Check the claims that are left once it is clear that this is a token of this issuer."""
    return _make_access_token(issuer, claims, _verify_grant_claims(issuer, claims, _NONE), now)


def verify_grant(
    issuer: Issuer,
    *,
    typ: str | None,
    kid: str | None,
    claims: Mapping[str, object],
    own: frozenset[str] = frozenset(),
) -> Grant:
    """Check all of a token that neither the time nor its own claims decide about.

    The verdict is a function of the arguments, so it counts for every token with the same ones;
    `verify_own_claims` checks the rest of each.

    Args:
        issuer, typ, kid: as of `verify_access_token`.
        claims: the payload, without the claims of the token's own.
        own: their names, of which none is read here; see `authmw.issuers.own_claims`.

    Raises as `verify_access_token` does.
    """
    profile = issuer.profile
    if profile.is_kid_required and not kid:
        raise InvalidToken(Reason.MALFORMED, "header parameter 'kid' is missing")
    refuse_id_token(profile, claims)
    _verify_type(profile, typ)
    if issuer.identifier is not None and claims.get("iss") != issuer.identifier:
        raise InvalidToken(Reason.WRONG_ISSUER, f"'iss' is not that of issuer {issuer.name}")
    return _verify_grant_claims(issuer, claims, own)


def _verify_grant_claims(
    issuer: Issuer, claims: Mapping[str, object], own: frozenset[str]
) -> Grant:
    profile = issuer.profile
    _verify_required(profile.required_claims - own, claims)
    _verify_alternatives(profile, claims)
    if profile.checks_audience:
        _verify_audience(issuer, claims)
    for path, values in profile.claim_values:
        _verify_value(path, values, claims)
    for path, values in issuer.pinned:
        _verify_value(path, values, claims)
    _verify_subject(issuer, claims)
    for verify in profile.rules:
        verify(claims)
    thumbprint, key_thumbprint = _read_bindings(claims)
    client_id, oauth_scope = _read_client(profile.mapping, claims)
    return Grant(client_id, oauth_scope, thumbprint, key_thumbprint)


def verify_own_claims(
    issuer: Issuer, required: frozenset[str], claims: Mapping[str, object], now: float
) -> tuple[str | None, int, int]:
    """Check what no two tokens have in common: times, and the token's id.

    Args:
        issuer: as of `verify_access_token`.
        required: claims that must be there and that `verify_grant` was not given.
        claims: the payload.
        now: epoch seconds.

    Returns:
        `token_id`, `issued_at` and `expires_at`, as of `AccessToken`.

    Raises as `verify_access_token` does.
    """
    _verify_required(required, claims)
    token_id = _read_token_id(issuer.profile.mapping, claims)
    issued_at, expires_at = _verify_times(issuer, claims, now)
    return token_id, issued_at, expires_at


def _make_access_token(
    issuer: Issuer, claims: Mapping[str, object], grant: Grant, now: float
) -> AccessToken:
    token_id, issued_at, expires_at = verify_own_claims(issuer, _NONE, claims, now)
    client_id, oauth_scope, thumbprint, key_thumbprint = grant
    return AccessToken(
        issuer,
        claims,
        issued_at,
        expires_at,
        token_id,
        client_id,
        oauth_scope,
        thumbprint,
        key_thumbprint,
    )


def judge_access_token(
    issuer: Issuer,
    *,
    typ: str | None,
    kid: str | None,
    claims: Mapping[str, object],
    now: float,
) -> Iterator[tuple[str, InvalidToken | None]]:
    """Apply each rule of `verify_access_token` by itself; arguments as there.

    Yields:
        the rule's name, and why it refuses the token; None: it does not.
    """
    profile = issuer.profile
    rules: list[tuple[str, Callable[[], object]]] = [
        ("access token", lambda: refuse_id_token(profile, claims)),
        ("type", lambda: _verify_type(profile, typ)),
        ("claims", lambda: _verify_required(profile.required_claims, claims)),
        ("alternatives", lambda: _verify_alternatives(profile, claims)),
        ("binding", lambda: _read_bindings(claims)),
        ("client", lambda: _read_client(profile.mapping, claims)),
        ("token id", lambda: _read_token_id(profile.mapping, claims)),
        ("subject", lambda: _verify_subject(issuer, claims)),
        ("times", lambda: _verify_times(issuer, claims, now)),
    ]
    if profile.checks_audience:
        rules.append(("audience", lambda: _verify_audience(issuer, claims)))
    for path, values in (*profile.claim_values, *issuer.pinned):
        rule = functools.partial(_verify_value, path, values, claims)
        rules.append((f"claim {path.text}", rule))
    rules += [(rule.__name__, functools.partial(rule, claims)) for rule in profile.rules]
    if profile.is_kid_required and not kid:
        yield "kid", InvalidToken(Reason.MALFORMED, "header parameter 'kid' is missing")
    for name, verify in rules:
        try:
            verify()
        except InvalidToken as refusal:
            yield name, refusal
        else:
            yield name, None


def _verify_required(required: frozenset[str], claims: Mapping[str, object]) -> None:
    for name in required:
        if claims.get(name) is None:
            missing = min(one for one in required if claims.get(one) is None)
            raise InvalidToken(Reason.MALFORMED, f"no claim {missing!r}")


def _verify_alternatives(profile: Profile, claims: Mapping[str, object]) -> None:
    for alternatives in profile.required_alternatives:
        if all([claims.get(name) is None for name in alternatives]):  # noqa: C419
            raise InvalidToken(Reason.MALFORMED, f"no claim {' or '.join(alternatives)!r}")


def refuse_id_token(profile: Profile, claims: Mapping[str, object]) -> None:
    """Refuse what is told by its claims to be an ID token (OpenID Connect Core §2).

    An ID token is for the client that a user logged in to. Its audience is that client, so the
    audience check refuses most; not where a client and a service share an identifier, as with
    Entra, or where an operator configured the client's.
    """
    if not profile.id_token_claims.isdisjoint(claims):
        raise InvalidToken(Reason.ID_TOKEN, "it has a claim that only ID tokens have")
    for path, values in profile.id_token_values:
        value = path.find(claims)
        if type(value) is str and value in values:
            raise InvalidToken(Reason.ID_TOKEN, f"claim {path.text!r} says so")
    if profile.access_token_claims and profile.access_token_claims.isdisjoint(claims):
        raise InvalidToken(
            Reason.ID_TOKEN,
            f"it has no claim {' or '.join(sorted(profile.access_token_claims))!r}, which every "
            "access token of this kind of issuer has",
        )


def _verify_type(profile: Profile, typ: str | None) -> None:
    if typ in profile.types:
        return
    wanted = " or ".join(sorted(name or "absent" for name in profile.types))
    # RFC 9068 §2.1: `typ` is what tells access tokens from ID tokens.
    reason = Reason.ID_TOKEN if typ in JWT_TYPES else Reason.MALFORMED
    raise InvalidToken(
        reason, f"header parameter 'typ' is not {wanted}, as in {profile.name} access tokens"
    )


def _verify_audience(issuer: Issuer, claims: Mapping[str, object]) -> None:
    """RFC 7519 §4.1.3, RFC 9068 §4: `aud` names one of the issuer's audiences."""
    aud, audiences = claims.get("aud"), issuer.audiences
    if type(aud) is str:
        named = [aud]
    elif type(aud) is list:
        named = aud
        for one in named:
            if type(one) is not str:
                raise _refuse_audience_type()
    elif aud is not None:
        raise _refuse_audience_type()
    elif audiences:
        raise InvalidToken(
            Reason.WRONG_AUDIENCE,
            "no 'aud': have the issuer name this service in the tokens that are for it",
        )
    else:
        return
    if audiences.isdisjoint(named):
        raise InvalidToken(
            Reason.WRONG_AUDIENCE, f"'aud' does not name an audience of issuer {issuer.name}"
        )


def _refuse_audience_type() -> InvalidToken:
    return InvalidToken(Reason.MALFORMED, "'aud' is neither a string nor an array of them")


def _verify_value(path: ClaimsPath, values: frozenset[str], claims: Mapping[str, object]) -> None:
    value = path.find(claims)
    if type(value) is not str or value not in values:
        raise InvalidToken(Reason.WRONG_CLAIM, f"claim {path.text!r} is not as it must be")


def _verify_subject(issuer: Issuer, claims: Mapping[str, object]) -> None:
    subject = find_text(claims, _SUBJECT)
    prefix = issuer.profile.subject_prefix
    if subject is None or (prefix is None and issuer.trust_domain is None):
        return
    if prefix is not None and (not subject.startswith(prefix) or subject == prefix):
        raise InvalidToken(Reason.WRONG_CLAIM, f"'sub' does not begin with {prefix}")
    if issuer.trust_domain is not None and find_trust_domain(subject) != issuer.trust_domain:
        raise InvalidToken(
            Reason.WRONG_ISSUER, f"'sub' is not of the trust domain of issuer {issuer.name}"
        )


# SPIFFE-ID §2.1 and §2.2: characters of a trust domain and of a path's segments.
_SPIFFE_ID = re.compile(r"spiffe://([a-z0-9._-]+)((?:/[A-Za-z0-9._-]+)+)")


def find_trust_domain(subject: object) -> str | None:
    """Return the trust domain in a SPIFFE ID (SPIFFE-ID §2), None if it is none.

    Only workloads' ids count, which have a path: one without stands for the trust domain.
    """
    match = _SPIFFE_ID.fullmatch(subject) if type(subject) is str else None
    if match is None or not {".", ".."}.isdisjoint(match[2].split("/")):
        return None
    return match[1]


def _read_token_id(mapping: ClaimsMapping | None, claims: Mapping[str, object]) -> str | None:
    path = None if mapping is None else mapping.token_id
    return None if path is None else find_text(claims, path)


def _read_client(
    mapping: ClaimsMapping | None, claims: Mapping[str, object]
) -> tuple[str | None, frozenset[str]]:
    """Read the token's client and its OAuth scope."""
    if mapping is None:
        return None, _NONE
    return find_first_text(claims, mapping.client_id), _read_scope(mapping.oauth_scope, claims)


def _read_scope(paths: tuple[ClaimsPath, ...], claims: Mapping[str, object]) -> frozenset[str]:
    for path in paths:
        value = path.find(claims)
        if value is None:
            continue
        # RFC 6749 §3.3: names and spaces; some servers write an array of names.
        names: list[str] = []
        for text in value if type(value) is list else (value,):
            if type(text) is str and text.isascii() and text.isprintable():
                names += text.split(" ")
            else:
                names += parse_text(text, path).split(" ")
        return frozenset(filter(None, names) if "" in names else names)
    return _NONE


def _read_bindings(claims: Mapping[str, object]) -> tuple[str | None, str | None]:
    """Read what the token is bound to (RFC 7800 §3.1); a binding we can't check is refused."""
    confirmation = claims.get("cnf")
    if confirmation is None:
        return None, None
    if type(confirmation) is not dict:
        raise InvalidToken(Reason.MALFORMED, "'cnf' is no object")
    thumbprint, key_thumbprint = confirmation.get("x5t#S256"), confirmation.get("jkt")
    for value in (thumbprint, key_thumbprint):
        if value is not None and (type(value) is not str or not value):
            raise InvalidToken(Reason.MALFORMED, "a thumbprint in 'cnf' is no string, or empty")
    if thumbprint is None and key_thumbprint is None:
        raise InvalidToken(Reason.WRONG_BINDING, "'cnf' binds it in a way that can't be checked")
    return thumbprint, key_thumbprint


def _verify_times(issuer: Issuer, claims: Mapping[str, object], now: float) -> tuple[int, int]:
    """Check `exp`, `nbf` and `iat`; return when the token was issued and when it ends."""
    expires_at, issued_at = claims.get("exp"), claims.get("iat")
    not_before = claims.get("nbf")
    latest = now + issuer.skew_seconds
    # Not isinstance(): a bool is an int to Python, and no number to JSON.
    if type(expires_at) is not int or not 0 <= expires_at <= MAX_NUMERIC_DATE:
        raise _refuse_date("exp")
    if issued_at is None:
        issued_at = 0
    elif type(issued_at) is not int or not 0 <= issued_at <= MAX_NUMERIC_DATE:
        raise _refuse_date("iat")
    # A token from the future would be issued after any revocation event of today.
    elif issued_at > latest:
        raise InvalidToken(Reason.NOT_YET_VALID, f"issued at {issued_at}, in the future")
    if not_before is not None:
        if type(not_before) is not int or not 0 <= not_before <= MAX_NUMERIC_DATE:
            raise _refuse_date("nbf")
        if not_before > latest:
            raise InvalidToken(Reason.NOT_YET_VALID, "'nbf' is in the future")
    if expires_at <= now:  # "on or after which", RFC 7519 §4.1.4
        raise InvalidToken(Reason.EXPIRED, f"at {expires_at}")
    return issued_at, expires_at


def _refuse_date(name: str) -> InvalidToken:
    """Refuse what is no NumericDate (RFC 7519 §2) in whole seconds."""
    return InvalidToken(Reason.MALFORMED, f"{name!r} is missing or no time in whole seconds")
