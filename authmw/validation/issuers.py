"""Validates tokens of any issuer, and leaves Keystone's to their validator."""

from __future__ import annotations

from collections.abc import Mapping

from authmw.checks.expiry import ExpiryPolicy
from authmw.errors import InvalidToken, MalformedBody, Reason
from authmw.issuers.table import IssuerTable
from authmw.issuers.token_body import make_oauth_access, make_token_body
from authmw.issuers.verifier import IssuerVerifier
from authmw.token import Token
from authmw.validation.issuer_standing import IssuerStanding
from authmw.validation.validator import Validator

# How Fernet tokens begin (the version 0x80 and a time of this century, in base64url). Their
# padding is cut off.
_FERNET = "gAAAAA"


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
        keystone: for Keystone's tokens; None: none are accepted.
        keystone_issuer: what `iss` may say in them (`jws_issuer`).
        introspection: asks the issuer of opaque tokens; None: there is none.
    """

    def __init__(
        self,
        table: IssuerTable,
        verifier: IssuerVerifier,
        standings: Mapping[str, IssuerStanding],
        *,
        keystone: Validator | None,
        keystone_issuer: str | None,
        introspection: Validator | None,
    ) -> None:
        self._table = table
        self._verifier = verifier
        self._standings = standings
        self._keystone = keystone
        self._keystone_issuer = keystone_issuer
        self._introspection = introspection
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
        issuer = self._table.find_issuer(claims)
        verified = self._verifier.verify_parsed(issuer, jws, claims, now)
        standing = self._standings[issuer.key]
        until = min(standing.fresh_until(now), verified.token.expires_at)
        try:
            return Token.from_body(
                make_token_body(verified.token),
                None,
                answered_at=int(now),
                fresh_until=until,
                usable_until=until,
                signed_by=verified.key.thumbprint,
                issuer=issuer.key,
                oauth=make_oauth_access(verified.token),
            )
        except MalformedBody as error:
            raise InvalidToken(Reason.MALFORMED, str(error)) from error

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
