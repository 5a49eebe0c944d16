"""`keystone.token_auth`: a keystoneauth1 plugin with which a service acts for its caller.

    session = keystoneauth1.session.Session(auth=environ["keystone.token_auth"])
    session.get("/v2/images", endpoint_filter={"service_type": "image"})

The call carries the user's token and ours as X-Service-Token, so that it works after the user's
token has expired, and reaches APIs for services only. The endpoint comes from the user's catalog.

Every request gets one, though few services use it. So it is made without Python code, and its
members are built at first access.
"""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, cast

from authmw.errors import IdentityUnavailable
from authmw.runtime.libraries import AccessInfoV3, BaseIdentityPlugin, Session, exceptions
from authmw.token import Token

FetchOwnToken = Callable[..., str | None]


class TokenAuth(BaseIdentityPlugin):
    """The caller's credentials; a refused token is never among them.

    Only `make_token_auth_factory` makes it; the factory's caller then sets `tokens`. It belongs to
    one request. A copy, also a deep one, is like a new object. It cannot be pickled: our own
    credentials must not leave the process.

    Attributes:
        tokens: the user's token and its string as sent, then the service's; None if there was
            none or it was refused.
        user: the user's token as keystoneauth1 presents it (`user_id`, `role_names`, `trust_id`,
            `auth_token`, ...); a member that the token lacks is None. None without a user token.
        service: the same for the service token.
    """

    __slots__ = ("tokens",)

    tokens: tuple[Token | None, str | None, Token | None, str | None]
    user: AccessInfoV3 | None
    service: AccessInfoV3 | None

    # Returns our own token; each filter has its own, see `make_token_auth_factory`.
    _fetch_own_token: FetchOwnToken

    # So that making one runs no Python code. keystoneauth1's __init__ makes a lock and more; see
    # `__getattr__`.
    if not TYPE_CHECKING:
        __init__ = object.__init__

    # Our token as last sent, and the one that a service refused.
    _sent: str | None = None
    _refused: str | None = None

    def __getattr__(self, name: str) -> Any:
        """Build a missing attribute. If two threads do so at once, one result is kept."""
        state = vars(self)
        if name == "user":
            return state.setdefault(name, _describe(*self.tokens[:2]))
        if name == "service":
            return state.setdefault(name, _describe(*self.tokens[2:]))
        fresh = BaseIdentityPlugin.__new__(type(self))
        BaseIdentityPlugin.__init__(fresh, reauthenticate=False)
        for attribute, value in vars(fresh).items():
            state.setdefault(attribute, value)
        try:
            return state[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}") from None

    @property
    def has_user_token(self) -> bool:
        """Whether the request came with a valid user token."""
        return self.tokens[0] is not None

    @property
    def has_service_token(self) -> bool:
        """Whether the request came with a valid service token."""
        return self.tokens[2] is not None

    def without_user(self) -> TokenAuth:
        """Return the same credentials without the user's."""
        return self._with_tokens((None, None, *self.tokens[2:]))

    def _with_tokens(
        self, tokens: tuple[Token | None, str | None, Token | None, str | None]
    ) -> TokenAuth:
        other = type(self)()
        other.tokens = tokens
        return other

    def get_auth_ref(self, session: Session) -> AccessInfoV3:  # noqa: ARG002
        """Return the user's token as `AccessInfoV3`; nothing is fetched.

        Raises:
            keystoneauth1.exceptions.AuthorizationFailure: there is no user token.
        """
        if self.user is None:
            raise exceptions.AuthorizationFailure(
                "the request that this was made for came without a valid user token"
            )
        return self.user

    def get_headers(self, session: Session) -> dict[str, str] | None:
        """Return X-Auth-Token with the user's token, and X-Service-Token with ours if we have one.

        Raises:
            keystoneauth1.exceptions.AuthorizationFailure: there is no user token, or ours
                cannot be fetched now.
        """
        headers = dict(super().get_headers(session) or ())
        try:
            self._sent = self._fetch_own_token(refused=self._refused)
        except IdentityUnavailable as error:
            raise exceptions.AuthorizationFailure(
                f"no token of our own for X-Service-Token: {error}"
            ) from error
        if self._sent is not None:
            headers["X-Service-Token"] = self._sent
        return headers

    def invalidate(self) -> bool:
        """Have our own token replaced, once: a 401 may have been about it.

        The user's token cannot be replaced. Returns whether a retry makes sense.
        """
        if self._sent is None or self._refused is not None:
            return False
        self._refused = self._sent
        return True

    def __copy__(self) -> TokenAuth:
        return self._with_tokens(self.tokens)

    def __deepcopy__(self, memo: dict[int, Any]) -> TokenAuth:
        return self.__copy__()

    def __reduce__(self) -> NoReturn:
        raise TypeError("keystone.token_auth holds credentials: send X-Auth-Token on instead")

    def __repr__(self) -> str:
        return f"<TokenAuth user: {_name(self.tokens[0])}, service: {_name(self.tokens[2])}>"


def make_token_auth_factory(fetch_own_token: FetchOwnToken) -> Callable[[], TokenAuth]:
    """Return a filter's own class of `TokenAuth`, which makes one whose `tokens` are yet to be set.

    Args:
        fetch_own_token: see `IdentityClient.fetch_own_token`.
    """
    members = {"__slots__": (), "_fetch_own_token": staticmethod(fetch_own_token)}
    return cast("type[TokenAuth]", abc.ABCMeta("TokenAuth", (TokenAuth,), members))


def _describe(token: Token | None, string: str | None) -> AccessInfoV3 | None:
    if token is None:
        return None
    # Imported here: few services look at it.
    from authmw.wsgi.caller_info import CallerInfo

    return CallerInfo(token.to_token_info(), auth_token=string)


def _name(token: Token | None) -> str:
    return "none" if token is None else token.user.id
