"""`Token`: what code of a service asks it for."""

from __future__ import annotations

from typing import Any

import pytest

import authmw
from authmw.testing import IdentityServer
from tests.support.protected import Protect


def present(protect: Protect, token: str) -> authmw.Token:
    protected = protect()
    protected.get(token)
    seen: authmw.Token = protected.service.last["authmw.token"]
    return seen


def test_role_names_are_those_of_x_roles(protect: Protect, server: IdentityServer) -> None:
    token = present(protect, server.issue("admin", project="inventory"))
    assert list(token.role_names) == token.user_environ["HTTP_X_ROLES"].split(",")
    assert token.role_names == tuple(role.name for role in token.roles)
    assert len(token.role_names) > 1


def test_the_scope_says_which_project_or_domain_if_any(
    protect: Protect, server: IdentityServer
) -> None:
    of_project = present(protect, server.issue("member", project="inventory"))
    assert of_project.project_or_none is of_project.project
    assert isinstance(of_project.scope, authmw.ProjectScope)
    assert of_project.domain_or_none is None
    of_domain = present(protect, server.issue("admin", domain="default"))
    assert of_domain.domain_or_none is of_domain.domain
    assert isinstance(of_domain.scope, authmw.DomainScope)
    assert of_domain.project_or_none is None
    of_system = present(protect, server.issue("admin", system=True))
    assert isinstance(of_system.scope, authmw.SystemScope)
    unscoped = present(protect, server.issue("member"))
    assert isinstance(unscoped.scope, authmw.Unscoped)
    for token in (of_system, unscoped):
        assert (token.project_or_none, token.domain_or_none) == (None, None)
        with pytest.raises(LookupError, match="scoped to no project"):
            assert token.project


def test_help_describes_every_public_attribute() -> None:
    kinds: tuple[Any, ...] = (authmw.Token, authmw.Refusal, authmw.User, authmw.Role)
    for kind in (*kinds, authmw.ProjectScope, authmw.DomainScope):
        described = kind.__doc__ or ""
        for name in getattr(kind, "__dataclass_fields__", None) or kind._fields:
            assert name.startswith("_") or name in described, (kind, name)
        for name, member in vars(kind).items():
            assert not isinstance(member, property) or member.__doc__, (kind, name)
