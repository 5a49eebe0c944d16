"""Every way in which a paste file may name the filter."""

from __future__ import annotations

from pathlib import Path

import pytest
from paste.deploy import loadapp

from authmw.authenticator import Authenticator
from authmw.middleware import AuthMiddleware

REFERENCES = [
    "use = egg:authmw",
    "use = egg:authmw#auth_token",
    "use = egg:authmw#authtoken",
    "paste.filter_factory = authmw:filter_factory",
    "paste.filter_factory = authmw.auth_token:filter_factory",
    "paste.filter_factory = authmw.middleware:filter_factory",
]


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("kind", ["filter", "app"])
def test_paste_file_may_name_it_so(kind: str, reference: str, tmp_path: Path) -> None:
    file = tmp_path / "paste.ini"
    section = f"{reference}\nauth_type = none\nendpoint = http://id.example\n"
    if kind == "filter":
        text = f"[pipeline:main]\npipeline = auth hello\n[filter:auth]\n{section}"
        text += "[app:hello]\npaste.app_factory = authmw:app_factory\n"
    else:
        text = f"[app:main]\n{section}".replace("filter_factory", "app_factory")
    file.write_text(text)
    app = loadapp(f"config:{file}")
    assert isinstance(app, AuthMiddleware)
    assert isinstance(app._parts.authenticator, Authenticator)
    app.close()
