"""The bearer of an opaque token, as an earlier answer of the identity endpoint names it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from authmw.errors import IdentityUnavailable
from authmw.token import Principal, Token
from authmw.token.bearer_key import make_bearer_key
from authmw.token.body import read_strings


class OpaqueBearer:
    """The bearer of a token that the endpoint has answered for.

    See `authmw.authority.bearer.Bearer`.

    Args:
        own: the Token read from that answer.
        string: the token string.
        note_refusal: called when the endpoint refuses the token.
    """

    is_rationed = True
    thumbprint = None

    __slots__ = ("key", "methods", "note_refusal", "token")

    def __init__(self, own: Token, string: str, note_refusal: Callable[[], None]) -> None:
        self.key = make_bearer_key(own.principal.bearer_digest, own.methods)
        self.token = string
        self.methods = own.methods
        self.note_refusal = note_refusal

    def verify_answer(self, principal: Principal, body: Mapping[str, object]) -> None:
        """Raise IdentityUnavailable if an answer is about another bearer."""
        if make_bearer_key(principal.bearer_digest, read_strings(body, "methods")) != self.key:
            raise IdentityUnavailable("the answer is about another bearer than the token")
