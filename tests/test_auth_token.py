"""Services migrate by replacing the package's name: `auth_token`, `opts` and `fixture`.

The scripts are how services use the peer, each in a process of its own, as what is registered on
`cfg.CONF` stays there. Each runs under both names, and the outcomes have to be the same.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
from pathlib import Path
from typing import Any

import keystonemiddleware.auth_token
import keystonemiddleware.fixture
import keystonemiddleware.opts
import pytest
from paste.deploy import loadapp

import authmw.auth_token
import authmw.fixture
import authmw.opts
from authmw.testing import IdentityServer
from tests.support.programs import run_python

PACKAGES = ("keystonemiddleware", "authmw")

START = """
import json, sys
from oslo_config import cfg
from webob import Request
CONF = cfg.CONF
TOKEN = sys.argv[2]
def service(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ.get("HTTP_X_IDENTITY_STATUS", "none").encode()]
def ask(app, path="/", **headers):
    answer = Request.blank(path, headers=headers).get_response(app)
    return answer.status_int, answer.text if answer.status_int == 200 else ""
def tell(*outcome):
    print(json.dumps(outcome))
"""

# The filter gets the group as a dict of typed values.
IRONIC_JSON_RPC = """
from PACKAGE import auth_token
CONF([], project="ironic", default_config_files=[sys.argv[1]])
app = auth_token.AuthProtocol(service, dict(CONF.keystone_authtoken))
tell(ask(app), ask(app, **{"X-Auth-Token": TOKEN}))
"""

WATCHER = """
from PACKAGE import auth_token
class AuthTokenMiddleware(auth_token.AuthProtocol):
    def __init__(self, app, conf, public_api_routes=()):
        self.public_api_routes = frozenset(public_api_routes)
        self._watcher_app = app
        super().__init__(app, conf)
    def __call__(self, environ, start_response):
        environ["is_public_api"] = environ["PATH_INFO"] in self.public_api_routes
        if environ["is_public_api"]:
            return self._watcher_app(environ, start_response)
        return super().__call__(environ, start_response)
CONF([], project="watcher", default_config_files=[sys.argv[1]])
app = AuthTokenMiddleware(service, dict(CONF.keystone_authtoken), public_api_routes=["/v1"])
tell(ask(app), ask(app, "/v1"), ask(app, **{"X-Auth-Token": TOKEN}))
"""

MISTRAL = """
from PACKAGE import auth_token
CONF([], project="mistral", default_config_files=[sys.argv[1]])
conf = dict(cfg.CONF.keystone_authtoken)
conf.update({"delay_auth_decision": True})
app = auth_token.AuthProtocol(service, conf)
tell(CONF.keystone_authtoken.www_authenticate_uri, ask(app), ask(app, **{"X-Auth-Token": TOKEN}))
"""

# The filter gets the whole configuration, its groups among it.
CYBORG = """
from PACKAGE import auth_token
class AuthTokenMiddleware(auth_token.AuthProtocol):
    def __init__(self, app, conf, public_api_routes=None):
        self.public_api_routes = public_api_routes or []
        super().__init__(app, conf)
CONF([], project="cyborg", default_config_files=[sys.argv[1]])
app = AuthTokenMiddleware(service, dict(CONF), public_api_routes=[])
tell(CONF.keystone_authtoken.auth_type, ask(app), ask(app, **{"X-Auth-Token": TOKEN}))
"""

IMPORT_OPT = """
CONF.import_opt("www_authenticate_uri", "PACKAGE.auth_token", group="keystone_authtoken")
CONF.import_group("keystone_authtoken", "PACKAGE.auth_token")
CONF([], project="heat", default_config_files=[sys.argv[1]])
tell(CONF.keystone_authtoken.www_authenticate_uri, CONF.keystone_authtoken.token_cache_time)
"""

# The service's own conf gets the options from `opts`; the auth plugin is loaded from there too.
OWN_CONF = """
from PACKAGE import auth_token, opts
from keystoneauth1 import loading
conf = cfg.ConfigOpts()
for group, options in opts.list_auth_token_opts():
    conf.register_opts(list(options), group=group)
loading.register_auth_conf_options(conf, "keystone_authtoken")
conf([], project="gnocchi", default_config_files=[sys.argv[1]])
app = auth_token.AuthProtocol(service, {"oslo_config_config": conf})
plugin = loading.load_auth_from_conf_options(conf, "keystone_authtoken")
tell(ask(app), ask(app, **{"X-Auth-Token": TOKEN}), plugin.auth_url)
"""

FIXTURE = """
from PACKAGE import auth_token, fixture
tokens = fixture.AuthTokenFixture()
tokens.setUp()
tokens.add_token_data(token_id="good", role_list=["member"])
CONF([], project="zun", default_config_files=[sys.argv[1]])
app = auth_token.AuthProtocol(service, {})
tell(ask(app), ask(app, **{"X-Auth-Token": "good"}), ask(app, **{"X-Auth-Token": TOKEN}))
"""

SET_DEFAULTS = """
import PACKAGE.auth_token
from PACKAGE.auth_token import ConfigurationError, InvalidToken, ServiceError
CONF.set_default("auth_type", "password", group="keystone_authtoken")
CONF.set_override("interface", "public", group="keystone_authtoken")
CONF([], project="magnum", default_config_files=[])
group = CONF.keystone_authtoken
tell(group.auth_type, group.interface, [issubclass(e, Exception) for e in
     (ConfigurationError, InvalidToken, ServiceError)])
"""

SCRIPTS = {
    name.lower(): script
    for name, script in list(globals().items())
    if isinstance(script, str) and "PACKAGE" in script
}


@pytest.fixture
def config_file(server: IdentityServer, tmp_path: Path) -> Path:
    lines = [f"{name} = {value}" for name, value in server.service_credentials.items()]
    file = tmp_path / "service.conf"
    file.write_text("\n".join(["[keystone_authtoken]", *lines, ""]))
    return file


def run(script: str, *arguments: str) -> Any:
    finished = run_python("-c", script, *arguments)
    return json.loads(finished.stdout)


@pytest.mark.heavy
@pytest.mark.parametrize("name", SCRIPTS)
def test_to_replace_the_package_s_name_is_enough(
    name: str, server: IdentityServer, config_file: Path
) -> None:
    token = server.issue("member", project="inventory")
    peers, ours = (
        run(START + SCRIPTS[name].replace("PACKAGE", package), str(config_file), token)
        for package in PACKAGES
    )
    assert ours == peers


@pytest.mark.heavy
def test_only_this_module_registers_options_at_import() -> None:
    listing = "print(json.dumps('keystone_authtoken' in cfg.CONF))"
    for module in ("authmw", "authmw.middleware", "authmw.config.options", "authmw.opts"):
        assert run(f"import json, {module}\nfrom oslo_config import cfg\n{listing}") is False
    assert run(f"import json, authmw.auth_token\nfrom oslo_config import cfg\n{listing}") is True


@pytest.mark.heavy
@pytest.mark.parametrize("order", [PACKAGES, PACKAGES[::-1]])
def test_both_may_register_their_options_on_one_conf(order: tuple[str, str]) -> None:
    imports = "".join(f"import {package}.auth_token\n" for package in order)
    group = "sorted(cfg.CONF.keystone_authtoken)"
    names = run(f"import json\nfrom oslo_config import cfg\n{imports}print(json.dumps({group}))")
    listed = [opt.dest for _, opts in authmw.auth_token.list_opts() for opt in opts]
    assert set(listed) <= set(names)


# To be had from where the peer has them from, and no part of its interface.
NOT_OFFERED = {
    # Of a token validator without options, which only Keystone itself subclasses.
    "BaseAuthProtocol",
}


@pytest.mark.parametrize(
    ("peers", "ours"),
    [
        (keystonemiddleware.auth_token, authmw.auth_token),
        (keystonemiddleware.opts, authmw.opts),
        (keystonemiddleware.fixture, authmw.fixture),
    ],
    ids=["auth_token", "opts", "fixture"],
)
def test_every_public_name_of_the_peer_s_module_is_in_ours(peers: Any, ours: Any) -> None:
    own = {
        name
        for name, value in vars(peers).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and getattr(value, "__module__", "keystonemiddleware").startswith("keystonemiddleware")
    }
    assert own
    assert own - NOT_OFFERED - set(vars(ours)) == set()
    assert not NOT_OFFERED & set(vars(ours))


@pytest.mark.parametrize(
    "line",
    [
        "paste.filter_factory = authmw.auth_token:filter_factory",
        "paste.filter_factory = authmw:filter_factory",
        "use = egg:authmw#auth_token",
        "use = egg:authmw#authtoken",
    ],
)
def test_paste_finds_the_filter_by_every_name(
    line: str, server: IdentityServer, tmp_path: Path
) -> None:
    options = "\n".join(f"{name} = {value}" for name, value in server.service_credentials.items())
    file = tmp_path / "paste.ini"
    file.write_text(
        "[pipeline:main]\npipeline = auth app\n"
        f"[filter:auth]\n{line}\n{options}\n"
        "[app:app]\nuse = egg:authmw#authtoken\n"
        f"{options}\n"
    )
    assert isinstance(loadapp(f"config:{file}"), authmw.auth_token.AuthProtocol)


def test_the_options_are_listed_under_the_peer_s_namespace() -> None:
    found = importlib.metadata.entry_points(group="oslo.config.opts")
    names = {entry.name for entry in found if entry.value.startswith("authmw.")}
    assert {"authmw", "authmw.auth_token"} <= names
