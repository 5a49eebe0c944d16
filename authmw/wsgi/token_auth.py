"""`keystone.token_auth`: a keystoneauth1 plugin with which a service acts for its caller.

    session = keystoneauth1.session.Session(auth=environ["keystone.token_auth"])
    session.get("/v2/images", endpoint_filter={"service_type": "image"})

The call carries the user's token and ours as X-Service-Token, so that it works after the user's
token has expired, and reaches APIs for services only. The endpoint comes from the user's catalog.

Every request gets one, though few services use it: it holds references alone, and the rest is
built at first access.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from authmw.errors import IdentityUnavailable
from authmw.runtime.libraries import AccessInfoV3, BaseIdentityPlugin, Session, exceptions
from authmw.token import Token

FetchOwnToken = Callable[..., str | None]


class TokenAuth(BaseIdentityPlugin):
    """The caller's credentials; a refused token is never among them.

    It belongs to one request. A copy, also a deep one, is like a new object. It cannot be pickled:
    our own credentials must not leave the process.

    Args:
        fetch_own_token: returns our own token; see `IdentityClient.fetch_own_token`.
        user: the user's token; None: there was none, or it was refused.
        user_string: the user's token as sent.
        service: the token of the service that acts for the user; None likewise.
        service_string: the service's token as sent.

    Attributes:
        user: the user's token as keystoneauth1 presents it (`user_id`, `role_names`, `trust_id`,
            `auth_token`, ...); a member that the token lacks is None. None without a user token.
        service: the same for the service token.
    """

    user: AccessInfoV3 | None
    service: AccessInfoV3 | None

    # Our token as last sent, and the one that a service refused.
    _sent: str | None = None
    _refused: str | None = None

    # The base class's __init__ makes a lock and more; it would take five times as long.
    def __init__(
        self,
        fetch_own_token: FetchOwnToken,
        user: Token | None,
        user_string: str | None,
        service: Token | None,
        service_string: str | None,
    ) -> None:
        self._fetch_own_token = fetch_own_token
        self._user = user
        self._user_string = user_string
        self._service = service
        self._service_string = service_string

    def __getattr__(self, name: str) -> Any:
        """Build a missing attribute. If two threads do so at once, one result is kept."""
        state = vars(self)
        if name == "user":
            return state.setdefault(name, _describe(self._user, self._user_string))
        if name == "service":
            return state.setdefault(name, _describe(self._service, self._service_string))
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
        return self._user is not None

    @property
    def has_service_token(self) -> bool:
        """Whether the request came with a valid service token."""
        return self._service is not None

    def without_user(self) -> TokenAuth:
        """Return the same credentials without the user's."""
        return type(self)(self._fetch_own_token, None, None, self._service, self._service_string)

    def get_auth_ref(self, session: Session) -> AccessInfoV3:  # noqa: ARG002
        """Return the user's token as `AccessInfoV3`; there is no other to fetch.

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
        return type(self)(
            self._fetch_own_token,
            self._user,
            self._user_string,
            self._service,
            self._service_string,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> TokenAuth:
        return self.__copy__()

    def __reduce__(self) -> NoReturn:
        raise TypeError("keystone.token_auth holds credentials: send X-Auth-Token on instead")

    def __repr__(self) -> str:
        return f"<TokenAuth user: {_name(self._user)}, service: {_name(self._service)}>"


def _describe(token: Token | None, string: str | None) -> AccessInfoV3 | None:
    if token is None:
        return None
    # Imported here: few services look at it.
    from authmw.wsgi.caller_info import CallerInfo

    return CallerInfo(token.to_token_info(), auth_token=string)


def _name(token: Token | None) -> str:
    return "none" if token is None else token.user.id
