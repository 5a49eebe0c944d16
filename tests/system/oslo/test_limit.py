"""oslo.limit counts against the project of the caller, with limits of a real Keystone."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from oslo_config import cfg
from webtest import TestApp

import authmw
from tests.support.identity_types import SYSTEM_SCOPE, project_scope
from tests.support.keystone import Keystone
from tests.support.protected import Service

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from oslo_limit import exception, limit, opts

# Words of the SDK's, for oslo.limit's own developers.
pytestmark = pytest.mark.filterwarnings("ignore::openstack.warnings.RemovedInSDK50Warning")

IN_USE = {"crates": 3}


@pytest.fixture
def service_credentials(keystone: Keystone) -> dict[str, str]:
    """A user who may validate tokens, and read limits."""
    api = keystone.fernet.api
    user, project = api.create_user(), api.create_project()
    api.grant(user, api.find_role("service"), project_scope(project))
    api.grant(user, api.find_role("reader"), SYSTEM_SCOPE)
    return {
        "auth_type": "password",
        "auth_url": api.url,
        "username": user.name,
        "password": user.password,
        "user_domain_id": "default",
        "project_id": project.id,
    }


@pytest.fixture
def enforcer(
    keystone: Keystone,
    service_credentials: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> limit.Enforcer:
    """Five crates for everybody: oslo.limit as a service sets it up."""
    api = keystone.fernet.api
    service = api.create_service("inventory")
    endpoint_id = api.create_endpoint(service, "http://127.0.0.1:1/")
    crates = {
        "service_id": service.id,
        "region_id": "RegionOne",
        "resource_name": "crates",
        "default_limit": 5,
    }
    api.call("POST", "/registered_limits", body={"registered_limits": [crates]})
    options = {**service_credentials, "system_scope": "all", "endpoint_id": endpoint_id}
    del options["project_id"]
    lines = [f"{name} = {value}" for name, value in options.items()]
    path = tmp_path / "inventory.conf"
    path.write_text("\n".join(["[oslo_limit]", *lines, ""]))
    conf = cfg.ConfigOpts()
    conf([], project="inventory", default_config_files=[str(path)])
    # It knows of one configuration in a process, and of one session.
    monkeypatch.setattr(limit, "CONF", conf)
    monkeypatch.setattr(opts, "CONF", conf)
    monkeypatch.setattr(limit, "_SDK_CONNECTION", None)
    opts.register_opts(conf)
    return limit.Enforcer(lambda _project_id, names: {name: IN_USE[name] for name in names})


def test_the_caller_s_project_is_what_is_counted_against(
    keystone: Keystone, service_credentials: dict[str, str], enforcer: limit.Enforcer
) -> None:
    api = keystone.fernet.api
    user, project = api.create_user(), api.create_project()
    api.grant(user, api.find_role("member"), project_scope(project))
    told = Service()
    middleware = authmw.AuthMiddleware(
        told, {"oslo_config_config": cfg.ConfigOpts(), **service_credentials}
    )
    token = api.issue(user, project_scope(project))
    TestApp(middleware).get("/", headers={"X-Auth-Token": token.id})
    middleware.close()
    project_id = told.last["HTTP_X_PROJECT_ID"]
    assert project_id == project.id
    enforcer.enforce(project_id, {"crates": 2})
    with pytest.raises(exception.ProjectOverLimit, match=f"Project {project.id} is over a limit"):
        enforcer.enforce(project_id, {"crates": 3})
