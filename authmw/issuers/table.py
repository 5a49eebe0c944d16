"""Finds the issuer of a token among all that are configured, in the same time for any number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from authmw.errors import ConfigurationError, InvalidToken, Reason
from authmw.issuers.access_token import find_trust_domain
from authmw.issuers.record import Issuer


class IssuerTable:
    """All configured issuers.

    Args:
        issuers: at most one of each issuer identifier and each trust domain, one whose tokens
            say neither (Keystone's), and one that is asked about opaque tokens.

    Raises:
        ConfigurationError: two issuers would claim the same tokens.
    """

    __slots__ = ("_by_identifier", "_by_trust_domain", "introspected", "unnamed")

    introspected: Issuer | None
    """The one that is asked about opaque tokens."""
    unnamed: Issuer | None
    """The one whose tokens have no `iss`."""

    def __init__(self, issuers: Iterable[Issuer]) -> None:
        self._by_identifier: dict[str, Issuer] = {}
        self._by_trust_domain: dict[str, Issuer] = {}
        self.introspected = self.unnamed = None
        for issuer in issuers:
            if issuer.profile.is_introspected:
                self.introspected = _only(self.introspected, issuer, "profile")
            elif issuer.identifier is not None:
                known = self._by_identifier.get(issuer.identifier)
                self._by_identifier[issuer.identifier] = _only(known, issuer, "issuer")
            elif issuer.trust_domain is not None:
                known = self._by_trust_domain.get(issuer.trust_domain)
                self._by_trust_domain[issuer.trust_domain] = _only(known, issuer, "trust_domain")
            else:
                self.unnamed = _only(self.unnamed, issuer, "issuer")

    def __iter__(self) -> Iterator[Issuer]:
        yield from self._by_identifier.values()
        yield from self._by_trust_domain.values()
        yield from filter(None, (self.unnamed, self.introspected))

    def find_issuer(self, claims: Mapping[str, object]) -> Issuer:
        """Return whose token this claims to be; its keys then have to verify the signature.

        Args:
            claims: of a token that nobody has verified: they decide whose keys are tried, and
                nothing else.

        Raises:
            InvalidToken: (wrong_issuer) of none that is configured.
        """
        identifier = claims.get("iss")
        issuer = self._by_identifier.get(identifier) if type(identifier) is str else None
        if issuer is None:
            issuer = self._find_by_trust_domain(claims)
        if issuer is None and identifier is None:
            issuer = self.unnamed
        if issuer is None:
            raise InvalidToken(Reason.WRONG_ISSUER, "'iss' is that of no configured issuer")
        return issuer

    def is_keystones(self, claims: Mapping[str, object], keystone_issuer: str | None) -> bool:
        """Tell whether a signed token claims to be Keystone's own, where that is configured.

        Keystone's tokens have no `iss`, and neither have most JWT-SVIDs.

        Args:
            claims: as of `find_issuer`.
            keystone_issuer: what `iss` may say in Keystone's tokens (`jws_issuer`).
        """
        identifier = claims.get("iss")
        if identifier is None:
            return self._find_by_trust_domain(claims) is None
        return identifier == keystone_issuer

    def _find_by_trust_domain(self, claims: Mapping[str, object]) -> Issuer | None:
        """Return the issuer in whose trust domain the subject is, if one is known by that.

        `iss` is optional in a JWT-SVID, and says nothing of its trust domain.
        """
        if not self._by_trust_domain:
            return None
        trust_domain = find_trust_domain(claims.get("sub"))
        return None if trust_domain is None else self._by_trust_domain.get(trust_domain)


def _only(known: Issuer | None, issuer: Issuer, option: str) -> Issuer:
    if known is None:
        return issuer
    value = issuer.profile.name if option == "profile" else issuer.identifier or issuer.trust_domain
    raise ConfigurationError(
        option,
        value,
        f"section authmw_issuer:{known.name} has the same; its tokens can be of one issuer only.",
        section=f"authmw_issuer:{issuer.name}",
    )
