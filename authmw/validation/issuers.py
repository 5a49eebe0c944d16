"""Validates tokens of any issuer, and leaves Keystone's to their validator."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from authmw.cache.memory import MemoryCache
from authmw.checks.expiry import ExpiryPolicy
from authmw.errors import InvalidToken, MalformedBody, Reason
from authmw.issuers.access_token import AccessToken, Grant, verify_grant, verify_own_claims
from authmw.issuers.own_claims import find_own_claims
from authmw.issuers.record import Issuer
from authmw.issuers.table import IssuerTable
from authmw.issuers.token_body import make_token_body
from authmw.issuers.verifier import IssuerVerifier
from authmw.jose.jws import ProtectedHeader
from authmw.logs.streak import RefusalStreak
from authmw.runtime.counts import Latencies
from authmw.token import Principal, Token
from authmw.token.body import read_strings
from authmw.token.catalog import ServiceCatalog
from authmw.token.oauth import OAuthAccess, marshal_claims
from authmw.validation.issuer_standing import IssuerStanding
from authmw.validation.measured import Measurement
from authmw.validation.validator import Validator

# How Fernet tokens begin (the version 0x80 and a time of this century, in base64url). Their
# padding is cut off.
_FERNET = "gAAAAA"


_OTHER_FIXES = {
    Reason.WRONG_ISSUER: "configure their issuer, or write issuer in [authmw_issuer:NAME] as 'iss' "
    "of the tokens says it"
}


class Bearer(NamedTuple):
    """What the claims say that tokens of one bearer have in common, checked and read.

    `size` and `catalog` are for `MemoryCache`.

    Attributes:
        claims: of `marshal_claims`.
    """

    principal: Principal
    methods: tuple[str, ...]
    grant: Grant
    claims: bytes

    @property
    def size(self) -> int:
        return self.principal.size + len(self.claims)

    @property
    def catalog(self) -> ServiceCatalog | None:
        return self.principal.catalog


class _OwnClaims(NamedTuple):
    """Which claims are a token's own, with one issuer; see `find_own_claims`."""

    names: frozenset[str]
    required: frozenset[str]

    @classmethod
    def of_issuer(cls, issuer: Issuer) -> _OwnClaims:
        names = find_own_claims(issuer)
        return cls(names, issuer.profile.required_claims & names)


class IssuersValidator:
    """Finds the issuer of a token by what it says of itself, and validates it by that issuer.

    A signed token (two dots) names its issuer: one that is configured, or none at all, and then it
    is Keystone's. Nobody else is tried if that issuer refuses it. An opaque token names nobody: it
    is Keystone's if it looks like a Fernet token, or if no issuer is asked about opaque tokens.

    An expired token is refused under either policy: no issuer can say whether a service may still
    use it.

    Args:
        table: the configured issuers.
        verifier: of their tokens.
        standings: by `Issuer.key`.
        streaks: of refusals, by `Issuer.key`.
        keystone: for Keystone's tokens; None: none are accepted.
        keystone_issuer: what `iss` may say in them (`jws_issuer`).
        introspection: asks the issuer of opaque tokens; None: there is none.
        bearers: remembers what claims say of those who call.
        validations: counts and times what is validated here.
    """

    def __init__(
        self,
        table: IssuerTable,
        verifier: IssuerVerifier,
        standings: Mapping[str, IssuerStanding],
        streaks: Mapping[str, RefusalStreak] = MappingProxyType({}),
        *,
        keystone: Validator | None,
        keystone_issuer: str | None,
        introspection: Validator | None,
        bearers: MemoryCache[Bearer],
        validations: Latencies | None = None,
    ) -> None:
        self._table = table
        self._verifier = verifier
        self._standings = standings
        self._streaks = streaks
        self._of_others = RefusalStreak("tokens of other issuers", _OTHER_FIXES)
        self._keystone = keystone
        self._keystone_issuer = keystone_issuer
        self._introspection = introspection
        self._bearers = bearers
        self._validations = validations or Latencies()
        # By identity: comparing records would take longer than all checks.
        self._known = {
            id(issuer): (issuer.key, standings[issuer.key], _OwnClaims.of_issuer(issuer))
            for issuer in table
        }
        # Of an issuer all of whose tokens are asked about, though they may look signed.
        self._introspected_identifier = None
        self._only: Validator | None = None
        if table.introspected is not None:
            identifier = table.introspected.identifier
            others = {one.identifier for one in table if one is not table.introspected}
            self._introspected_identifier = None if identifier in others else identifier
            if keystone is None and identifier is None and not others:
                # Whatever a token looks like, there is nobody else it could be of.
                self._only = introspection

    def validate(
        self, token: str, expiry_policy: ExpiryPolicy, now: float, known: Token | None
    ) -> Token:
        """Validate one token; see `authmw.validation.validator.Validator`."""
        if self._only is not None:
            return self._only.validate(token, expiry_policy, now, known)
        if token.count(".") != 2:
            return self._find_opaque(token).validate(token, expiry_policy, now, known)
        jws, claims = self._verifier.parse(token)
        other = self._find_other(claims)
        if other is not None:
            return other.validate(token, expiry_policy, now, known)
        streak = self._of_others
        try:
            issuer = self._table.find_issuer(claims)
            streak = self._streaks.get(issuer.key, self._of_others)
            with Measurement(self._validations, "issuer", issuer.name):
                key = self._verifier.find_key(issuer, jws, now)
                made = self._make_token(issuer, key.thumbprint, jws.header, claims, now)
        except InvalidToken as refusal:
            streak.note_refused(token, refusal)
            raise
        streak.note_accepted()
        self._of_others.note_accepted()
        return made

    def _make_token(
        self,
        issuer: Issuer,
        signed_by: str,
        header: ProtectedHeader,
        claims: dict[str, object],
        now: float,
    ) -> Token:
        """Check the claims of a token whose signature is verified.

        Two tokens that differ in their own claims alone are of one bearer: what the others say is
        checked and read for the first.
        """
        issuer_key, standing, (own_names, required) = self._known[id(issuer)]
        shared, own = claims.copy(), []
        for name in own_names:
            if name in shared:
                own.append((name, shared.pop(name)))
        typ, kid = header.typ, header.kid
        # All that decides about a bearer: equal keys, equal verdicts.
        key = marshal.dumps((issuer_key, typ, not kid, shared), 2)
        entry = self._bearers.get(key)
        if entry is None:
            grant = verify_grant(issuer, typ=typ, kid=kid, claims=shared, own=own_names)
            token_id, issued_at, expires_at = verify_own_claims(issuer, required, claims, now)
            token = AccessToken(issuer, shared, issued_at, expires_at, token_id, *grant)
            bearer = _read_bearer(token, grant)
            self._bearers.put(key, bearer)
        else:
            entry.used = True
            bearer = entry.value
            token_id, issued_at, expires_at = verify_own_claims(issuer, required, claims, now)
        principal, methods, grant, shared_claims = bearer
        client_id, scope, thumbprint, key_thumbprint = grant
        until = min(standing.fresh_until(now), expires_at)
        return Token.of_principal(
            principal,
            methods=methods,
            audit_ids=() if token_id is None else (token_id,),
            issued_at=issued_at,
            expires_at=expires_at,
            thumbprint=thumbprint,
            answered_at=int(now),
            fresh_until=until,
            usable_until=until,
            signed_by=signed_by,
            issuer=issuer_key,
            oauth=OAuthAccess(client_id, scope, key_thumbprint, shared_claims, tuple(own)),
        )

    def _find_other(self, claims: Mapping[str, object]) -> Validator | None:
        """Return who validates a signed token that is not verified with an issuer's keys."""
        identifier = claims.get("iss")
        if identifier is not None and identifier == self._introspected_identifier:
            return self._introspection
        keystone = self._keystone
        if keystone is not None and self._table.is_keystones(claims, self._keystone_issuer):
            return keystone
        return None

    def _find_opaque(self, token: str) -> Validator:
        if self._introspection is not None and not (
            self._keystone is not None and token.startswith(_FERNET)
        ):
            return self._introspection
        if self._keystone is not None:
            return self._keystone
        raise InvalidToken(
            Reason.MALFORMED,
            "it is no signed token (RFC 7515 §7.1), and nobody can be asked about it: neither "
            "auth_type nor an issuer with profile = introspection is configured",
        )


def _read_bearer(token: AccessToken, grant: Grant) -> Bearer:
    body = make_token_body(token)
    try:
        principal, methods = Principal.from_body(body, None), read_strings(body, "methods")
    except MalformedBody as error:
        raise InvalidToken(Reason.MALFORMED, str(error)) from error
    return Bearer(principal, methods, grant, marshal_claims(token.claims))
