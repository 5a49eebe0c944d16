"""Finds out whether a refused login is about the user or about the project."""

from __future__ import annotations

import dataclasses
import json
from types import MappingProxyType

from authmw.config.auth_plugin import AuthOptions, load_auth_plugin
from authmw.doctor.deployment import Deployment
from authmw.doctor.result import Result, failed
from authmw.errors import ConfigurationError, IdentityUnavailable, Outage
from authmw.identity.client import IdentityClient
from authmw.identity.outcomes import Outcome

# What keystoneauth1 takes for the scope of a token.
_SCOPE = frozenset(
    {
        *("project_id", "project_name", "project_domain_id", "project_domain_name"),
        *("tenant_id", "tenant_name", "system_scope", "domain_id", "domain_name", "trust_id"),
    }
)
_WITH_PASSWORD = frozenset({"password", "v3password"})
_MOST_PROJECTS = 5
# The domain that Keystone has from the start (keystone-manage bootstrap).
_DEFAULT_NAME, _DEFAULT_ID = "Default", "default"


def explain_refused_login(deployment: Deployment, refused: Result, kind: str) -> Result:
    """Log in once more without a scope, and say which of the two Keystone refuses.

    Keystone answers 401 in the same words to a wrong password, and to a good one where the user
    has no role on the project, or the project is disabled or misspelt.

    Args:
        deployment: whose login was refused.
        refused: the result of the check.
        kind: of the outage.
    """
    auth = deployment.settings.auth
    if (
        kind != Outcome.CREDENTIALS_REFUSED.name
        or auth is None
        or auth.auth_type not in _WITH_PASSWORD
        or not any(auth.values.get(name) for name in _SCOPE)
    ):
        return refused
    try:
        token = _log_in_without_scope(deployment, auth)
    except Outage as outage:
        if outage.kind != kind:
            return refused
        return failed(
            refused.check,
            f"{refused.detail}; it refuses user and password without a project, too",
            f"{_explain_domain(auth, 'user')}correct username, password and the user's domain; a "
            "user that is locked or disabled gets the same answer, and Keystone's log says which",
        )
    except ConfigurationError:
        return refused
    scope = auth.values.get("project_name") or auth.values.get("project_id")
    asked = f"project {scope}" if scope else "the scope that is asked for"
    user = auth.values.get("username") or auth.values.get("user_id")
    has = _list_projects(deployment, token)
    fix = _explain_domain(auth, "project") + (
        "write project_name and project_domain_id of a project that is enabled and that this user "
        f"has a role on{has}, or give it a role: openstack role add --user {user} --project "
        f"{scope or 'PROJECT'} service"
    )
    return failed(
        refused.check,
        f"{refused.detail}; it accepts user and password, and refuses {asked}",
        fix,
    )


def _explain_domain(auth: AuthOptions, whose: str) -> str:
    """Return what to write where the default domain's name stands for its id, as a clause."""
    for option in (f"{whose}_domain_id", "default_domain_id"):
        if auth.values.get(option) == _DEFAULT_NAME:
            by_name = option.removesuffix("id") + "name"
            return (
                f"write {by_name} = {_DEFAULT_NAME} in place of {option}: that is the domain's "
                f"name, and its id is usually {_DEFAULT_ID}; or "
            )
    return ""


def _log_in_without_scope(deployment: Deployment, auth: AuthOptions) -> str:
    values = {name: value for name, value in auth.values.items() if name not in _SCOPE}
    unscoped = dataclasses.replace(auth, values=MappingProxyType(values))
    plugin = load_auth_plugin(unscoped)
    return IdentityClient(deployment.settings, plugin).fetch_own_token() or ""


def _list_projects(deployment: Deployment, token: str) -> str:
    """Return the projects that a user has a role on, as a clause; "": it is not known."""
    url = (deployment.auth_url or "").rstrip("/")
    if not url.endswith("/v3"):
        url += "/v3"
    try:
        # Identity API v3, "Get available project scopes".
        answer = deployment.fetch(f"{url}/auth/projects", {"X-Auth-Token": token})
        projects = [str(project["name"]) for project in json.loads(answer.body)["projects"]]
    except (IdentityUnavailable, ValueError, RecursionError, KeyError, TypeError):
        return ""
    shown = ", ".join(projects[:_MOST_PROJECTS]) or "none"
    more = len(projects) - _MOST_PROJECTS
    return f" (it has one on: {shown}" + (f" and {more} more)" if more > 0 else ")")
