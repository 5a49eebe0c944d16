"""authmw emits no warning in a process that treats warnings as errors."""

from __future__ import annotations

import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest

import authmw
from authmw.testing import Fault, IdentityServer
from tests.support.programs import run_python

REQUESTS = """
import json, sys
from wsgiref.util import setup_testing_defaults
import authmw
conf, options, requests = json.loads(sys.stdin.read())
def service(environ, start_response):
    plugin = environ["keystone.token_auth"]
    if plugin.has_user_token:
        plugin.user.role_names, plugin.user.expires, plugin.user.will_expire_soon()
    if environ["PATH_INFO"] == "/401":
        start_response("401 Unauthorized", [("Content-Length", "0")])
        return []
    if environ["PATH_INFO"] == "/raw":
        start_response("200 OK", [])(b"")
        return iter([b"hello"])
    return admin(environ, start_response)
@authmw.require(roles="admin")
def admin(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
app = authmw.filter_factory({}, **conf, **options)(service)
outcome = []
for method, path, headers in requests:
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path}
    environ.update({"HTTP_" + key.upper().replace("-", "_"): headers[key] for key in headers})
    setup_testing_defaults(environ)
    started = []
    body = app(environ, lambda status, headers, exc_info=None: started.append(status) or len)
    b"".join(body)
    outcome.append(started[-1][:3])
print(json.dumps(outcome))
"""


def run(script: str, *arguments: str, given: object = None) -> Any:
    finished = run_python("-W", "error", "-c", script, *arguments, stdin=json.dumps(given))
    return json.loads(finished.stdout)


@pytest.mark.parametrize("options", [{}, {"delay_auth_decision": "true"}], ids=["", "delay"])
@pytest.mark.parametrize("validation", ["remote", "offline"])
def test_no_request_and_no_answer_warns(
    server: IdentityServer, tmp_path: Path, validation: str, options: dict[str, str]
) -> None:
    is_delayed = bool(options)
    if validation == "offline":
        keys = tmp_path / "keys"
        keys.mkdir(mode=0o755)
        server.issuer.write_public_key(keys)
        options = {**options, "jws_public_key_repository": str(keys)}
        options["token_validation"] = "offline"
        options["revocation_poll_interval"] = "0"
    issue: Any = server.issue_jws if validation == "offline" else server.issue
    admin, member = issue("admin", project="inventory"), issue("member", project="inventory")
    service = issue("service", project="service")
    requests = [
        ("GET", "/", {"X-Auth-Token": admin}),
        ("GET", "/", {"X-Auth-Token": admin}),
        ("GET", "/", {"X-Auth-Token": member}),
        ("GET", "/401", {"X-Auth-Token": admin}),
        ("GET", "/raw", {"X-Auth-Token": admin, "X-Service-Token": service}),
        ("GET", "/", {}),
        ("HEAD", "/", {}),
        ("GET", "/", {"X-Auth-Token": "garbage"}),
        ("GET", "/", {"X-Auth-Token": admin, "X-Service-Token": "garbage"}),
    ]
    outcome = run(REQUESTS, given=[server.service_credentials, options, requests])
    last = "200" if is_delayed else "401"
    assert outcome == ["200", "200", "403", "401", "200", "401", "401", "401", last]


def test_an_outage_doesn_t_warn_either(server: IdentityServer) -> None:
    requests = [("GET", "/", {"X-Auth-Token": server.issue(project="inventory")})]
    options = {"http_request_max_retries": "0"}
    given = [server.service_credentials, options, requests]
    with server.failing(Fault.ERROR_503):
        assert run(REQUESTS, given=given) == ["503"]
    server.stop()
    assert run(REQUESTS, given=given) == ["503"]


OF_FRAMEWORKS = (
    *("authmw.django", "authmw.testing.django"),
    *("authmw.flask", "authmw.falcon", "authmw.pyramid", "authmw.audit"),
)


def test_no_module_warns_when_it_is_imported() -> None:
    names = [
        found.name
        for found in pkgutil.walk_packages(authmw.__path__, "authmw.")
        # Not before pytest is there, or run as a program.
        if not found.name.endswith(("__main__", "testing.plugin"))
        # Frameworks warn, or want their settings, when they are imported themselves.
        and not found.name.startswith(OF_FRAMEWORKS)
    ]
    script = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    for name in names:
        # One by one, as whoever comes first pays for the libraries; all at once takes minutes.
        if name.count(".") == 1:
            run(f"{script}print(0)", name)
    run(f"{script}print(0)", *names)
