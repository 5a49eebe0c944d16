"""Judges a remembered token again after revocation events, public keys or a bundle have changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.revocation.facts import facts_of
from authmw.revocation.revocations import Revocations
from authmw.token import Token

if TYPE_CHECKING:
    from authmw.keys.source import KeySource


class IssuerStanding(Protocol):
    """What decides about remembered tokens of one issuer."""

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever a token of it may be judged otherwise than before."""

    def verify(self, token: Token, now: float) -> None:
        """Judge a token that was validated; raises as `Revalidation.verify` does."""


class Revisions(Protocol):
    """What has revisions that decide about remembered tokens: an authority bundle."""

    def stands(self, name: str) -> bool:
        """Tell whether what a revision decided still stands; `name` is a `Token.revision`."""

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change that may change a verdict."""


class Revalidation:
    """Judges remembered tokens by the current revocation events, keys and bundle.

    Keystone's tokens are judged by Keystone's revocation events and keys, those of another issuer
    by its own alone: neither says anything about the other's tokens, and one that does not answer
    must not hold up the other.

    Args:
        revocations: which of Keystone's tokens were revoked.
        keys: that their signatures are verified with; None: no signed one is remembered.
        issuers: the others, by `Issuer.key`.
        bundle: that may have decided about Keystone's signed tokens; None: there is none.

    Attributes:
        generation: stands for the current state of all; replaced by another object after each
            change. A caller that remembers a decision stores the object it read before deciding.
            A hit then compares two references, and two changes at the same moment, in two
            threads, cannot end in the same generation.
    """

    def __init__(
        self,
        revocations: Revocations,
        keys: KeySource | None = None,
        issuers: Mapping[str, IssuerStanding] = MappingProxyType({}),
        bundle: Revisions | None = None,
    ) -> None:
        self.generation = object()
        self._revocations = revocations
        self._keys = keys
        self._issuers = issuers
        self._bundle = bundle
        revocations.add_listener(self._begin_generation)
        if keys is not None:
            keys.add_listener(self._begin_generation)
        if bundle is not None:
            bundle.add_listener(self._begin_generation)
        for standing in issuers.values():
            standing.add_listener(self._begin_generation)

    def _begin_generation(self) -> None:
        self.generation = object()

    def verify(self, token: Token, now: float) -> None:
        """Judge a token that was validated just now.

        Raises:
            InvalidToken: (revoked) an event covers it; (bad_signature) its key was removed.
            IdentityUnavailable: it is signed, and the events or keys that decide are missing.
        """
        if token.issuer is not None:
            self._issuers[token.issuer].verify(token, now)
            return
        if token.signed_by is not None:
            self._revocations.verify_events_complete(token.issued_at, now)
        # The answer may come from a cache and be older than the revocation.
        self._revocations.verify_not_revoked(facts_of(token))
        if token.signed_by is not None:
            self._verify_key(token.signed_by, now)

    def verify_remembered(self, token: Token, now: float) -> None:
        """Judge a token that was valid when it was remembered; raises as `verify` does.

        An opaque token also needs every event since it was validated, and one that a bundle decided
        about the same facts (IdentityUnavailable).
        """
        if token.issuer is not None:
            self._issuers[token.issuer].verify(token, now)
            return
        self._revocations.verify_not_revoked(facts_of(token))
        if token.signed_by is not None:
            self._revocations.verify_events_complete(token.issued_at, now)
            self._verify_key(token.signed_by, now)
            self._verify_revision(token.revision)
        elif token.answered_at < self._revocations.complete_from:
            raise IdentityUnavailable(
                "revocation events were dropped that came after the identity service was asked "
                "about this token"
            )

    def _verify_revision(self, revision: str | None) -> None:
        if revision is None or self._bundle is None:
            return
        if not self._bundle.stands(revision):
            raise IdentityUnavailable("a bundle with other facts is in force since")

    def _verify_key(self, thumbprint: str, now: float) -> None:
        if self._keys is None:
            return
        keys = self._keys.current(now)
        if keys.holds(thumbprint):
            return
        if keys.missing is not None:
            raise IdentityUnavailable(f"the key of a token may be missing: {keys.missing}")
        raise InvalidToken(Reason.BAD_SIGNATURE, "the public key that verified it was removed")
