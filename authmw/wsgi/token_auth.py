"""`keystone.token_auth`: a keystoneauth1 plugin with which a service acts for its caller.

    session = keystoneauth1.session.Session(auth=environ["keystone.token_auth"])
    session.get("/v2/images", endpoint_filter={"service_type": "image"})

The call carries the user's token, and ours as X-Service-Token, so that it outlives the
user's token and reaches what only services may. The endpoint is that of the user's catalog.

Every request gets one and few services look at it, so that it is made of references alone;
all else is built when it is first asked for.
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

    It belongs to one request. Copies, deep ones as well, are as new; it can't be pickled, as
    no credentials of ours may leave the process.

    Args:
        fetch_own_token: returns our own token; see `IdentityClient.fetch_own_token`.
        user: the user's token; None: there was none, or it was refused.
        user_string: as it was sent.
        service: the token of the service that acts for the user, likewise.
        service_string: as it was sent.

    Attributes:
        user: what the user's token says, in keystoneauth1's words (`user_id`, `role_names`,
            `trust_id`, `auth_token`, ...); None where there is none. What the token does not say
            is None there.
        service: the same of the service token.
    """

    user: AccessInfoV3 | None
    service: AccessInfoV3 | None

    # Our token as it went out last, and one that somebody refused.
    _sent: str | None = None
    _refused: str | None = None

    # keystoneauth1's own __init__ makes a lock and more, five times what this takes.
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
        """Build what is asked for the first time. Two threads may; one result is kept."""
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
        """Return the credentials of the same request, but for the user's."""
        return type(self)(self._fetch_own_token, None, None, self._service, self._service_string)

    def get_auth_ref(self, session: Session) -> AccessInfoV3:  # noqa: ARG002
        """Return what the user's token says; no other can be had.

        Raises:
            keystoneauth1.exceptions.AuthorizationFailure: there is no user token.
        """
        if self.user is None:
            raise exceptions.AuthorizationFailure(
                "the request that this was made for came without a valid user token"
            )
        return self.user

    def get_headers(self, session: Session) -> dict[str, str] | None:
        """Return X-Auth-Token, the user's, and X-Service-Token, ours where we have one.

        Raises:
            keystoneauth1.exceptions.AuthorizationFailure: there is no user token, or ours
                can't be had now.
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
        """Have our own token replaced, once: it may be the one that a 401 is about.

        The user's token can't be. Returns whether it makes sense to try again.
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
