"""`authmw doctor` beside real servers: a service behind gunicorn, memcached, an OAuth2 server."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from authmw.cli import main
from authmw.testing import IdentityServer
from authmw.testing.oidc_server import OidcServer
from tests.support.memcached import Memcached
from tests.support.wsgi_server import serve_paste_file

pytestmark = pytest.mark.heavy

PIPELINE = """\
[pipeline:main]
pipeline = auth inventory

[filter:auth]
paste.filter_factory = authmw:filter_factory
service_token_roles_required = true
max_token_size = {size}
{options}

[app:inventory]
paste.app_factory = authmw.testing.demo.inventory:app_factory
"""

EXTERNAL = """\
[filter:auth]
use = egg:authmw#external_oauth2_token
introspect_endpoint = {server.url}/introspect
audience = {server.url}
auth_method = client_secret_basic
client_id = {server.client_id}
client_secret = {secret}
mapping_user_id = sub
mapping_roles = roles
"""


def examine(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, dict[str, Any]]:
    main(["doctor", "--json", *map(str, arguments)])
    checks = json.loads(capsys.readouterr().out)["checks"]
    return {check["check"]: check for check in checks}


@pytest.mark.slow
def test_the_header_limit_of_a_real_server_is_found(
    server: IdentityServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = "\n".join(f"{name} = {value}" for name, value in server.service_credentials.items())
    paste = tmp_path / "paste.ini"
    paste.write_text(PIPELINE.format(size=8000, options=options))
    running = serve_paste_file(paste)
    running.start()
    try:
        url = f"{running.url}/v1/items"
        good = examine(capsys, "--paste", f"{paste}#auth", "--service", url)
        # What gunicorn takes is 8190 bytes.
        paste.write_text(PIPELINE.format(size=9000, options=options))
        bad = examine(capsys, "--paste", f"{paste}#auth", "--service", url)
    finally:
        running.stop()
    assert good["service without a token"]["status"] == "pass"
    assert good["service header limits"]["status"] == "pass"
    assert bad["service header limits"]["status"] == "fail"
    assert "9000 bytes" in bad["service header limits"]["detail"]


def test_a_validation_shows_what_memcached_knows(
    server: IdentityServer,
    empty_memcached: Memcached,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    conf = tmp_path / "service.conf"
    options = {**server.service_credentials, "memcached_servers": empty_memcached.address}
    conf.write_text("[keystone_authtoken]\n" + "".join(f"{k} = {v}\n" for k, v in options.items()))
    token = server.issue("member", project="inventory")
    found = []
    for _ in range(2):
        monkeypatch.setattr(sys, "stdin", io.StringIO(token))
        assert main(["token", "validate", "--json", "--config-file", str(conf)]) == 0
        steps = json.loads(capsys.readouterr().out)["steps"]
        found.append({step["step"]: step["decision"] for step in steps})
    assert found[0]["memcached"] == "not known"
    assert "memcached stores" in found[0]
    assert found[1]["memcached"] == "known"
    assert "the identity service" not in found[1]


@pytest.mark.parametrize("secret", ["right", "wrong"])
def test_a_filter_with_another_section_is_read_by_its_own(
    secret: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with OidcServer() as issuer:
        given = issuer.client_secret if secret == "right" else "wrong"
        paste = tmp_path / "paste.ini"
        paste.write_text(EXTERNAL.format(server=issuer, secret=given))
        checks = examine(capsys, "--paste", f"{paste}#auth")
    introspection = checks["issuer ext_oauth2_auth introspection"]
    assert introspection["status"] == ("pass" if secret == "right" else "fail")
    paste.write_text(EXTERNAL.format(server=issuer, secret=given).replace("client_id", "client"))
    checks = examine(capsys, "--paste", f"{paste}#auth")
    assert checks["options"]["detail"] == "[ext_oauth2_auth] client_id is not set"
