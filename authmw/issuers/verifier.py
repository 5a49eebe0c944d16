"""From a signed token of any issuer to its verified claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from authmw.errors import InvalidToken
from authmw.issuers.access_token import AccessToken, verify_access_token
from authmw.issuers.record import Issuer
from authmw.issuers.table import IssuerTable
from authmw.jose.jws import JWT_TYPES, CompactJws, parse_claims, parse_compact
from authmw.jose.public_key import PublicKey
from authmw.jose.verifier import SignatureVerifier, VerificationKeys


class VerifiedToken(NamedTuple):
    """A token whose signature and claims are good, and the key that verified it."""

    token: AccessToken
    key: PublicKey


class IssuerVerifier:
    """Verifies compact JWS tokens of all configured issuers, each with its issuer's keys alone.

    Args:
        table: the issuers.
        keys_of: returns the keys of an issuer; called once for each.
        max_keys: most verifications to spend on one token (`jws_max_keys`).
        max_size: longest token to look at, in characters (`max_token_size`).
    """

    def __init__(
        self,
        table: IssuerTable,
        keys_of: Callable[[Issuer], VerificationKeys],
        *,
        max_keys: int,
        max_size: int,
    ) -> None:
        self._table = table
        self._max_size = max_size
        signed = [issuer for issuer in table if not issuer.profile.is_introspected]
        # What an ID token looks like comes so far as to be refused as one; and who is asked about
        # tokens may know signed ones.
        self._types = JWT_TYPES.union({"at+jwt"}, *(issuer.profile.types for issuer in signed))
        # By identity: comparing records would take longer than all checks.
        self._signatures = {
            id(issuer): SignatureVerifier(
                keys_of(issuer),
                accepted_algorithms=issuer.profile.algorithms,
                max_keys=max_keys,
                option=f"algorithms of issuer {issuer.name}",
            )
            for issuer in signed
        }

    def parse(self, token: str) -> tuple[CompactJws, dict[str, object]]:
        """Return the parts of a token and its claims; nothing is verified.

        The claims are parsed before a key has verified them, to learn whose keys to try; nothing
        else is to be taken from them until one has.

        Args:
            token: a compact JWS, not trusted in any way.

        Raises:
            InvalidToken: (malformed) it is none.
        """
        jws = parse_compact(token, max_size=self._max_size, types=self._types)
        return jws, parse_claims(jws)

    def verify(self, token: str, now: float) -> VerifiedToken:
        """Verify signature and claims of one token.

        Args:
            token: a compact JWS, not trusted in any way.
            now: epoch seconds.

        Raises:
            InvalidToken: not acceptable.
            IdentityUnavailable: the issuer's keys can't be had.
        """
        jws, claims = self.parse(token)
        issuer = self._table.find_issuer(claims)
        key = self.find_key(issuer, jws, now)
        header = jws.header
        try:
            verified = verify_access_token(
                issuer, typ=header.typ, kid=header.kid, claims=claims, now=now
            )
        except InvalidToken as refusal:
            # For the log; the signature is good.
            refusal.user_id, refusal.audit_id = _read_name(claims, "sub"), _read_name(claims, "jti")
            raise
        return VerifiedToken(verified, key)

    def find_key(self, issuer: Issuer, jws: CompactJws, now: float) -> PublicKey:
        """Verify the signature alone; return the issuer's key that does.

        Args:
            issuer: whose token it claims to be; one that signs its tokens.
            jws: of `parse`.
            now: epoch seconds.

        Raises as `verify` does.
        """
        return self._signatures[id(issuer)].find_key(jws, now)


def _read_name(claims: Mapping[str, object], name: str) -> str | None:
    value = claims.get(name)
    return value if type(value) is str else None
