"""The protocol of a bearer that the identity endpoint is asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from authmw.token import Principal


class Bearer(Protocol):
    """The bearer of a validated token.

    Attributes:
        key: the same for all tokens of the bearer, and for no others.
        token: the token string that the endpoint validates.
        methods, thumbprint: see `authmw.authority.authorization.Authorization`.
        is_rationed: whether `authority_renewal_rate` limits the calls about it.
    """

    @property
    def key(self) -> str: ...

    @property
    def token(self) -> str: ...

    @property
    def methods(self) -> tuple[str, ...]: ...

    @property
    def thumbprint(self) -> str | None: ...

    @property
    def is_rationed(self) -> bool: ...

    @property
    def note_refusal(self) -> Callable[[], None]:
        """Called when the endpoint refuses the token."""

    def verify_answer(self, principal: Principal, body: Mapping[str, object]) -> None:
        """Raise IdentityUnavailable if an answer is about another bearer."""
