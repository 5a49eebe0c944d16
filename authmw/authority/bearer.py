"""The bearer of a validated token, as the identity endpoint is asked about him."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from authmw.token import Principal


class Bearer(Protocol):
    """The bearer of a token that was found good.

    Attributes:
        key: the same for all tokens of the bearer, and for no others.
        token: the token string that the endpoint is shown.
        methods, thumbprint: as of `authmw.authority.authorization.Authorization`.
        is_rationed: whether asking may be put off (`authority_renewal_rate`).
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
