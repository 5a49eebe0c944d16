"""The parsed sections of issuers: a typed field for every option that is not in an `Issuer`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from authmw.issuers.record import Issuer

if TYPE_CHECKING:
    from authmw.config.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Introspection:
    """How an issuer is asked about opaque tokens (RFC 7662): options of its section."""

    endpoint: str | None  # None: its discovery document says
    client_id: str | None
    client_secret: str | None = field(repr=False)
    auth_method: str
    jwt_key_file: str | None
    jwt_algorithm: str | None
    jwt_key_id: str | None
    assertion_audience: str | None  # None: the issuer identifier
    assertion_lifetime: int  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How an issuer's servers are connected to, where not as the identity service.

    Attributes:
        cafile, certfile, keyfile: None: as of `[keystone_authtoken]`.
        bearer_token_file: with the token for its discovery document and keys; None: none is sent.
    """

    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    bearer_token_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """One section `[authmw_issuer:NAME]`; made by `authmw.config.issuers.read_issuers`."""

    name: str
    records: tuple[Issuer, ...]  # one for each value of the variables in `issuer`
    jwks_uri: str | None  # None: the discovery document says
    public_key_repository: str | None  # a directory
    introspection: Introspection | None  # None: its tokens are signed
    connection: Connection = Connection()

    @property
    def section(self) -> str:
        """The section's name."""
        return f"authmw_issuer:{self.name}"


def connect_to(issuer: IssuerSettings, settings: Settings) -> Settings:
    """Return the settings of a filter with the TLS options of one issuer.

    An authority that is named for the issuer is checked, whatever `insecure` says of the identity
    service.
    """
    connection = issuer.connection
    changes: dict[str, Any] = {}
    if connection.cafile is not None:
        changes |= {"cafile": connection.cafile, "insecure": False}
    if connection.certfile is not None:
        changes |= {"certfile": connection.certfile, "keyfile": connection.keyfile}
    return replace(settings, **changes)
