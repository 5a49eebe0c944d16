"""The bearer of a signed token, as its claims name it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from authmw.authority.agreement import verify_agreement
from authmw.authority.keystone_claims import parse_keystone_claims
from authmw.token import Principal


class SignedBearer:
    """The bearer of a signed token whose signature was verified.

    Args:
        key: the authority key (`authmw.authority.key`).
        claims: of the token, not parsed.
        token: the token string, for a source that sends it to the endpoint.
        note_refusal: called when the endpoint refuses the token. The default does nothing:
            revocation events are compared with each signed token.

    Attributes:
        keystone: the claims that Keystone defines, parsed.
        methods, thumbprint: of the token.

    Raises:
        InvalidToken: (malformed) a claim that Keystone defines is missing or mistyped.
    """

    is_rationed = False
    """Without a limit, as there is no earlier answer about the token itself to use instead."""

    __slots__ = ("claims", "key", "keystone", "methods", "note_refusal", "thumbprint", "token")

    def __init__(
        self,
        key: str,
        claims: Mapping[str, object],
        token: str,
        note_refusal: Callable[[], None] = lambda: None,
    ) -> None:
        self.key = key
        self.claims = claims
        self.token = token
        self.note_refusal = note_refusal
        self.keystone = parse_keystone_claims(claims)
        self.methods = self.keystone.methods
        self.thumbprint = self.keystone.thumbprint

    def verify_answer(self, principal: Principal, body: Mapping[str, object]) -> None:  # noqa: ARG002
        """Raise IdentityUnavailable if an answer is about another bearer."""
        verify_agreement(principal, self.keystone)
