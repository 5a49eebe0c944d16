"""Mutable options follow the file when the service reads it again; the others don't."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import oslo_config.cfg
import pytest
from oslo_config import cfg
from webtest import TestApp

import authmw
from authmw.config.options import OPTIONS
from authmw.testing import IdentityServer
from tests.support.protected import Protected, Service

MUTABLE = {
    "accept_bearer",
    "allow_cors_preflight",
    "cors_allowed_origins",
    "delay_auth_decision",
    "enforce_token_bind",
    "log_refusals",
    "public_paths",
    "service_token_roles",
    "service_token_roles_required",
    "service_type",
}


class Deployment:
    """A service with its configuration file, and the filter in front."""

    def __init__(self, directory: Path, server: IdentityServer) -> None:
        self._path = directory / "service.conf"
        self._credentials = server.service_credentials
        self.write()
        self.conf = cfg.ConfigOpts()
        self.conf([], project="service", default_config_files=[str(self._path)])
        self._server = server

    def start(self, **paste: str) -> Protected:
        service = Service()
        options = {"oslo_config_config": self.conf, **paste}
        self.middleware = authmw.AuthProtocol(service, options)
        return Protected(self._server, service, TestApp(self.middleware))

    def write(self, **options: str) -> None:
        lines = [f"{name} = {value}" for name, value in (self._credentials | options).items()]
        self._path.write_text("\n".join(["[keystone_authtoken]", *lines, ""]))

    def reload(self, **options: str) -> None:
        """Do what oslo.service does on SIGHUP, after the file was written anew."""
        self.write(**options)
        self.conf.mutate_config_files()


@pytest.fixture
def deployment(tmp_path: Path, server: IdentityServer) -> Iterator[Deployment]:
    deployment = Deployment(tmp_path, server)
    yield deployment
    deployment.middleware.close()


def test_the_options_about_requests_are_mutable_and_no_others() -> None:
    assert {opt.dest for opt in OPTIONS if opt.mutable} == MUTABLE


CHANGES: list[tuple[dict[str, str], Callable[[Protected], object], object, object]] = [
    ({"delay_auth_decision": "true"}, lambda p: p.get().status_int, 401, 200),
    ({"public_paths": "/"}, lambda p: p.get().status_int, 401, 200),
    (
        {"allow_cors_preflight": "true"},
        lambda p: p.app.options("/", status="*").status_int,
        401,
        200,
    ),
    (
        {"cors_allowed_origins": "*"},
        lambda p: p.get(headers={"Origin": "https://a.example"}).headers.get(
            "Access-Control-Allow-Origin"
        ),
        None,
        "*",
    ),
    (
        {"accept_bearer": "true"},
        lambda p: p.get(headers={"Authorization": f"Bearer {issue(p)}"}).status_int,
        401,
        200,
    ),
    ({"enforce_token_bind": "required"}, lambda p: p.get(issue(p)).status_int, 200, 401),
    (
        {"service_token_roles": "reader"},
        lambda p: p.get(issue(p), headers={"X-Service-Token": issue(p)}).status_int,
        401,
        200,
    ),
    (
        {"service_token_roles_required": "false"},
        lambda p: p.get(issue(p), headers={"X-Service-Token": issue(p)}).status_int,
        401,
        200,
    ),
]


def issue(protected: Protected) -> str:
    return protected.server.issue("member", project="inventory")


@pytest.mark.parametrize(
    ("options", "look", "before", "after"),
    CHANGES,
    ids=lambda value: str(*value)[:30] if isinstance(value, dict) else "",
)
def test_a_mutable_option_is_followed_from_the_next_request_on(
    deployment: Deployment,
    options: dict[str, str],
    look: Callable[[Protected], object],
    before: object,
    after: object,
) -> None:
    protected = deployment.start()
    assert look(protected) == before
    deployment.reload(**options)
    assert look(protected) == after
    deployment.reload()
    assert look(protected) == before


def test_every_mutable_option_that_decides_what_a_client_gets_is_tried_here() -> None:
    others = {"service_type", "log_refusals"}
    assert {name for options, *_ in CHANGES for name in options} == MUTABLE - others


def test_the_level_of_refusals_is_followed_too(
    deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    protected = deployment.start()
    protected.get("garbage")
    deployment.reload(log_refusals="warning")
    protected.get("garbage")
    levels = [r.levelname for r in caplog.records if "is not acceptable" in r.getMessage()]
    assert levels[-1:] == ["WARNING"]
    assert "WARNING" not in levels[:-1]


def test_the_log_says_what_has_changed(
    deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "authmw")
    deployment.start()
    deployment.reload(service_type="image")
    said = [record.getMessage() for record in caplog.records if "Reloaded" in record.msg]
    assert said == ["Reloaded [keystone_authtoken] service_type = 'image'"]


def test_what_is_in_memory_stays_there(deployment: Deployment, server: IdentityServer) -> None:
    protected = deployment.start()
    token = issue(protected)
    protected.get(token)
    deployment.reload(delay_auth_decision="true")
    assert protected.get(token).status_int == 200
    assert server.calls["validate"] == 1


def test_an_option_that_is_not_mutable_stays_as_it_was(
    deployment: Deployment, server: IdentityServer
) -> None:
    protected = deployment.start()
    deployment.reload(token_cache_time="0", max_token_size="256", service_type="image")
    settings = deployment.middleware._parts.settings
    assert (settings.token_cache_time, settings.max_token_size) == (300, 8000)
    assert settings.service_type == "image"
    assert protected.get("x" * 300).status_int == 401
    assert server.calls["validate"] == 1


def test_what_paste_says_wins_after_a_reload_too(deployment: Deployment) -> None:
    protected = deployment.start(delay_auth_decision="true")
    deployment.reload(delay_auth_decision="false", service_type="image")
    assert protected.get().status_int == 200


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"public_paths": "health"}, "public_paths = 'health': path pattern 'health' does not"),
        ({"cors_allowed_origins": "https://a.example/"}, "cors_allowed_origins = "),
    ],
)
def test_a_configuration_that_is_wrong_changes_nothing_and_is_logged(
    deployment: Deployment,
    options: dict[str, str],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    protected = deployment.start()
    deployment.reload(**options, delay_auth_decision="true")
    assert protected.get().status_int == 401
    assert f"the former options stay in force: [keystone_authtoken] {said}" in caplog.text
    deployment.reload(delay_auth_decision="true")
    assert protected.get().status_int == 200


def test_the_conf_that_was_current_at_the_start_is_followed(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, server: IdentityServer
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(oslo_config.cfg, "CONF", deployment.conf)
        service = Service()
        deployment.middleware = authmw.AuthProtocol(service, {})
    protected = Protected(server, service, TestApp(deployment.middleware))
    assert protected.get().status_int == 401
    deployment.reload(delay_auth_decision="true")
    assert protected.get().status_int == 200


def test_credentials_in_paste_alone_do_not_keep_the_service_from_reloading(
    tmp_path: Path, server: IdentityServer, deployment: Deployment
) -> None:
    path = tmp_path / "bare.conf"
    path.write_text("[keystone_authtoken]\ndelay_auth_decision = false\n")
    conf = cfg.ConfigOpts()
    conf([], project="service", default_config_files=[str(path)])
    service = Service()
    deployment.middleware = authmw.AuthProtocol(
        service, {"oslo_config_config": conf, **server.service_credentials}
    )
    protected = Protected(server, service, TestApp(deployment.middleware))
    assert protected.get().status_int == 401
    path.write_text("[keystone_authtoken]\ndelay_auth_decision = true\n")
    conf.mutate_config_files()
    assert protected.get().status_int == 200


def test_a_filter_nobody_uses_any_more_is_not_held_by_the_conf(deployment: Deployment) -> None:
    deployment.start()
    deployment.middleware.close()
    parts = weakref.ref(deployment.middleware._parts)
    deployment.start()
    gc.collect()
    assert parts() is None
    deployment.reload(delay_auth_decision="true")
