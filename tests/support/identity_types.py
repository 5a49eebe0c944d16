"""Users, scopes and tokens of the Identity API as tests pass them around."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token, and what Keystone says about it."""

    id: str
    body: Json
    """The value of the member `token`."""

    @property
    def issued_at(self) -> datetime.datetime:
        """Aware, UTC."""
        return datetime.datetime.fromisoformat(self.body["issued_at"])

    @property
    def expires_at(self) -> datetime.datetime:
        """Aware, UTC."""
        return datetime.datetime.fromisoformat(self.body["expires_at"])


@dataclass(frozen=True, slots=True)
class Named:
    """A domain, project, role or service."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class PasswordUser:
    """A user that logs in with a password."""

    id: str
    name: str
    password: str


@dataclass(frozen=True, slots=True)
class ApplicationCredential:
    """What a program logs in with instead of a user's password."""

    id: str
    name: str
    secret: str


# The scopes a token can be asked for; "unscoped" also overrides a default project.
SYSTEM_SCOPE: Json = {"system": {"all": True}}
UNSCOPED = "unscoped"
Scope = Json | str


def project_scope(project: Named) -> Json:
    """Ask for a token on this project."""
    return {"project": {"id": project.id}}


def domain_scope(domain: Named) -> Json:
    """Ask for a token on this domain."""
    return {"domain": {"id": domain.id}}


def trust_scope(trust_id: str) -> Json:
    """Ask for what the trustor delegated by this trust."""
    return {"OS-TRUST:trust": {"id": trust_id}}
