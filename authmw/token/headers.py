"""The header contract: the identity headers that a service gets and that no client may send.

One table, `IDENTITY_HEADERS`, serves rendering, stripping and the tests; a test compares README.rst
with it. The names are those of keystonemiddleware's auth_token, which services rely on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from authmw.errors import InvalidToken, Reason

if TYPE_CHECKING:
    from authmw.token import Principal

_log = logging.getLogger(__name__)

CONFIRMED: Final = "Confirmed"
INVALID: Final = "Invalid"

TOKEN_INFO: Final = "keystone.token_info"
TOKEN_AUTH: Final = "keystone.token_auth"
TOKEN: Final = "authmw.token"
# The `Rejection` of a user token that nobody could validate, where the app decides.
UNDECIDED: Final = "authmw.undecided"
ENVIRON_OBJECTS: Final = (TOKEN_INFO, TOKEN_AUTH, TOKEN, UNDECIDED)


# The headers of an ASGI scope: pairs of name, in lower case, and value.
ScopeHeaders = tuple[tuple[bytes, bytes], ...]


def to_scope_name(environ_key: str) -> bytes:
    """Return the name in an ASGI scope of the header that has this environ key."""
    return environ_key.removeprefix("HTTP_").replace("_", "-").lower().encode("ascii")


def to_environ_key(header: str) -> str:
    """Return the environ key of an HTTP header (PEP 3333: CGI's HTTP_ variables)."""
    return "HTTP_" + header.upper().replace("-", "_")


class IdentityHeader(NamedTuple):
    """One header of the contract.

    Attributes:
        name: of the user token's header.
        value: computes the header's value; None omits the header.
        for_service: whether a service token has it too, as X-Service-...
        deprecated: kept for services that still read it.
    """

    name: str
    value: Callable[[Principal], str | None]
    for_service: bool = False
    deprecated: bool = False

    @property
    def service_name(self) -> str:
        """The name of the service token's header."""
        return "X-Service-" + self.name.removeprefix("X-")


def _render_roles(principal: Principal) -> str:
    names = []
    for role in principal.roles:
        if not role.name or "," in role.name or role.name != role.name.strip():
            _warn_of_unlistable_role(role.name)
        else:
            names.append(role.name)
    return ",".join(names)


IDENTITY_HEADERS: Final = (
    IdentityHeader("X-Identity-Status", lambda _: CONFIRMED, for_service=True),
    IdentityHeader("X-User-Id", lambda p: p.user.id, for_service=True),
    IdentityHeader("X-User-Name", lambda p: p.user.name, for_service=True),
    IdentityHeader("X-User-Domain-Id", lambda p: p.user.domain_id, for_service=True),
    IdentityHeader("X-User-Domain-Name", lambda p: p.user.domain_name, for_service=True),
    IdentityHeader("X-Project-Id", lambda p: p.project_id, for_service=True),
    IdentityHeader("X-Project-Name", lambda p: p.project_name, for_service=True),
    IdentityHeader("X-Project-Domain-Id", lambda p: p.project_domain_id, for_service=True),
    IdentityHeader("X-Project-Domain-Name", lambda p: p.project_domain_name, for_service=True),
    IdentityHeader("X-Domain-Id", lambda p: p.domain_id, for_service=True),
    IdentityHeader("X-Domain-Name", lambda p: p.domain_name, for_service=True),
    IdentityHeader("OpenStack-System-Scope", lambda p: p.system_scope),
    IdentityHeader("X-Roles", _render_roles, for_service=True),
    IdentityHeader("X-Is-Admin-Project", lambda p: str(p.is_admin_project)),
    IdentityHeader("X-Service-Catalog", lambda p: p.catalog.header if p.catalog else None),
    IdentityHeader("X-Tenant-Id", lambda p: p.project_id, deprecated=True),
    IdentityHeader("X-Tenant-Name", lambda p: p.project_name, deprecated=True),
    IdentityHeader("X-Tenant", lambda p: p.project_name, deprecated=True),
    IdentityHeader("X-User", lambda p: p.user.name, deprecated=True),
    IdentityHeader("X-Role", _render_roles, deprecated=True),
)

# Computed once, since the import of this module delays the start of every service.
_KEYS: Final = {header.name: to_environ_key(header.name) for header in IDENTITY_HEADERS}
# The environ key of each user header that a service token has too, with its service key.
_SERVICE_KEYS: Final = {
    _KEYS[header.name]: to_environ_key(header.service_name)
    for header in IDENTITY_HEADERS
    if header.for_service
}
_VALUES: Final = tuple([(_KEYS[header.name], header.value) for header in IDENTITY_HEADERS])

USER_STATUS_KEY: Final = _KEYS["X-Identity-Status"]
SERVICE_STATUS_KEY: Final = _SERVICE_KEYS[USER_STATUS_KEY]

CATALOG_KEY: Final = _KEYS["X-Service-Catalog"]

# Of a service token; X-Service-Catalog is the user's.
SERVICE_KEYS: Final = tuple(_SERVICE_KEYS.values())

_USER_KEYS: Final = frozenset(_KEYS.values())

RESERVED_KEYS: Final = _USER_KEYS.union(_SERVICE_KEYS.values(), ENVIRON_OBJECTS)


def strip(environ: dict[str, Any]) -> None:
    """Remove every reserved name, so that no client can send an identity."""
    # Nearly every request carries none of them, and isdisjoint() tells so at C speed.
    if not RESERVED_KEYS.isdisjoint(environ):
        for key in RESERVED_KEYS:
            environ.pop(key, None)


def strip_user(environ: dict[str, Any]) -> None:
    """Remove the user's headers and the environ objects; the service's headers stay."""
    for key in (*_USER_KEYS, *ENVIRON_OBJECTS):
        environ.pop(key, None)


def render_user(principal: Principal) -> dict[str, str]:
    """Return the environ entries of a user token.

    Raises:
        InvalidToken: (unsafe_value) a value holds a control character or a lone surrogate.
    """
    rendered = {}
    for key, read_value in _VALUES:
        value = read_value(principal)
        if value is None:
            continue
        if not is_header_safe(value):
            raise InvalidToken(Reason.UNSAFE_VALUE, f"the value of {key} holds a control character")
        rendered[key] = value
    return rendered


def render_service(user_environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environ entries of a service token: those of a user token that it has, renamed."""
    return {
        service_key: user_environ[key]
        for key, service_key in _SERVICE_KEYS.items()
        if key in user_environ
    }


def render_scope(environ: Mapping[str, str]) -> ScopeHeaders:
    """Return environ entries of these headers as headers of an ASGI scope, in UTF-8.

    ASGI leaves the encoding open, and frameworks read Latin-1, which not all names can be written
    in. `authmw.current()` has them as text.
    """
    return tuple([(to_scope_name(key), value.encode()) for key, value in environ.items()])


def is_header_safe(value: str) -> bool:
    """Tell whether no C0, DEL, C1 control character and no lone surrogate is in value."""
    if value.isascii() and value.isprintable():
        return True
    return not any(
        char < " " or "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff" for char in value
    )


_unlistable_roles: set[str] = set()


def _warn_of_unlistable_role(name: str) -> None:
    if name in _unlistable_roles or len(_unlistable_roles) >= 1000:
        return
    _unlistable_roles.add(name)
    _log.warning(
        "the role name %r is left out of X-Roles: a comma separates roles there, and services"
        " drop white space around a name; rename the role",
        name,
    )
