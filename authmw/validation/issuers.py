"""Validates tokens of any issuer, and leaves Keystone's to their validator."""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Mapping
from dataclasses import fields
from typing import NamedTuple

from authmw.cache.memory import MemoryCache
from authmw.checks.expiry import ExpiryPolicy
from authmw.errors import InvalidToken, MalformedBody, Reason
from authmw.issuers.access_token import AccessToken
from authmw.issuers.claims_path import ClaimsPath
from authmw.issuers.record import Issuer
from authmw.issuers.table import IssuerTable
from authmw.issuers.token_body import make_oauth_access, make_token_body
from authmw.issuers.verifier import IssuerVerifier, VerifiedToken
from authmw.logs.streak import RefusalStreak
from authmw.runtime.counts import Latencies
from authmw.token import Principal, Token
from authmw.token.body import read_strings
from authmw.token.catalog import ServiceCatalog
from authmw.validation.issuer_standing import IssuerStanding
from authmw.validation.measured import Measurement
from authmw.validation.validator import Validator

# How Fernet tokens begin (the version 0x80 and a time of this century, in base64url). Their
# padding is cut off.
_FERNET = "gAAAAA"


# Claims that differ between tokens of one bearer.
_OWN_CLAIMS = frozenset({"iat", "exp", "nbf", "jti"})
# Where the mapping may name one of them: there it says nothing of the bearer.
_OWN_MEANINGS = frozenset({"token_id"})


_OTHER_FIXES = {
    Reason.WRONG_ISSUER: "configure their issuer, or write issuer in [authmw_issuer:NAME] as 'iss' "
    "of the tokens says it"
}


class Bearer(NamedTuple):
    """What the claims of a token say of who is calling; the same in many tokens.

    `size` and `catalog` are for `MemoryCache`.
    """

    principal: Principal
    methods: tuple[str, ...]

    @property
    def size(self) -> int:
        return self.principal.size

    @property
    def catalog(self) -> ServiceCatalog | None:
        return self.principal.catalog


def _find_own_claims(issuer: Issuer) -> frozenset[str]:
    """Return the claims from which nothing of the bearer is read, as the issuer is configured."""
    mapping = issuer.profile.mapping
    if mapping is None:
        return frozenset()
    read = set()
    for each in fields(mapping):
        value = getattr(mapping, each.name)
        if each.name not in _OWN_MEANINGS:
            paths = value if isinstance(value, tuple) else (value,)
            read |= {path.names[0] for path in paths if isinstance(path, ClaimsPath)}
    own = _OWN_CLAIMS
    if mapping.token_id is not None and len(mapping.token_id.names) == 1:
        own |= {mapping.token_id.names[0]}
    return own - read


def _read_bearer(token: AccessToken) -> Bearer:
    body = make_token_body(token)
    try:
        return Bearer(Principal.from_body(body, None), read_strings(body, "methods"))
    except MalformedBody as error:
        raise InvalidToken(Reason.MALFORMED, str(error)) from error


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
        streaks: Mapping[str, RefusalStreak],
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
        self._own_claims = {issuer.key: _find_own_claims(issuer) for issuer in table}
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
            streak = self._streaks[issuer.key]
            with Measurement(self._validations, "issuer", issuer.name):
                verified = self._verifier.verify_parsed(issuer, jws, claims, now)
                made = self._make_token(verified, now)
        except InvalidToken as refusal:
            streak.note_refused(token, refusal)
            raise
        streak.note_accepted()
        self._of_others.note_accepted()
        return made

    def _make_token(self, verified: VerifiedToken, now: float) -> Token:
        token = verified.token
        issuer_key = token.issuer.key
        bearer = self._find_bearer(token, issuer_key)
        until = min(self._standings[issuer_key].fresh_until(now), token.expires_at)
        return Token.of_principal(
            bearer.principal,
            methods=bearer.methods,
            audit_ids=() if token.token_id is None else (token.token_id,),
            issued_at=token.issued_at,
            expires_at=token.expires_at,
            thumbprint=token.thumbprint,
            answered_at=int(now),
            fresh_until=until,
            usable_until=until,
            signed_by=verified.key.thumbprint,
            issuer=issuer_key,
            oauth=make_oauth_access(token),
        )

    def _find_bearer(self, token: AccessToken, issuer_key: str) -> Bearer:
        """Return who is calling: of two tokens that differ in their times alone, the same."""
        own = self._own_claims[issuer_key]
        shared = {name: value for name, value in token.claims.items() if name not in own}
        try:
            digest = hashlib.sha256(marshal.dumps((issuer_key, shared), 0)).digest()
        except ValueError:  # too deep
            return _read_bearer(token)
        entry = self._bearers.get(digest)
        if entry is not None:
            entry.used = True
            return entry.value
        bearer = _read_bearer(token)
        self._bearers.put(digest, bearer, None)
        return bearer

    def _find_other(self, claims: Mapping[str, object]) -> Validator | None:
        """Return who validates a signed token that is not verified with an issuer's keys."""
        identifier = claims.get("iss")
        if identifier is not None and identifier == self._introspected_identifier:
            return self._introspection
        if identifier in (None, self._keystone_issuer) and self._keystone is not None:
            return self._keystone
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
