"""The parsed sections of issuers: a typed field for every option that is not in an `Issuer`."""

from __future__ import annotations

from dataclasses import dataclass, field

from authmw.issuers.record import Issuer


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


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """One section `[authmw_issuer:NAME]`; made by `authmw.config.issuers.read_issuers`."""

    name: str
    records: tuple[Issuer, ...]  # one for each value of the variables in `issuer`
    jwks_uri: str | None  # None: the discovery document says
    public_key_repository: str | None  # a directory
    introspection: Introspection | None  # None: its tokens are signed

    @property
    def section(self) -> str:
        """The section's name."""
        return f"authmw_issuer:{self.name}"
