"""Try every place of one framework in a process without the others.

Writes out what a request without a token and one with too weak a token are answered with.
"""

from __future__ import annotations

import sys
from typing import Any
from wsgiref.util import setup_testing_defaults

import authmw
from authmw.testing import IdentityServer
from tests.decorators.places import PLACES, by_check

# The modules that each of them comes with.
_OTHERS = {
    "flask": ["flask"],
    "django": ["django"],
    "rest": ["django", "rest_framework"],
    "falcon": ["falcon"],
    "pyramid": ["pyramid"],
    "wsgi": [],
}


def main(framework: str) -> None:
    with IdentityServer() as server:
        options = {**server.service_credentials, "delay_auth_decision": "true"}
        reader = server.issue("reader", project="inventory")
        for make in PLACES:
            if not make.__name__.startswith(framework):
                continue
            app = make(by_check(roles="admin"), _fail)
            protected = authmw.filter_factory({}, **options)(app)
            for token in (None, reader):
                sys.stdout.write(f"{_ask(protected, token)}\n")
    loaded = {module for modules in _OTHERS.values() for module in modules} & sys.modules.keys()
    assert loaded == set(_OTHERS[framework]), loaded


def _fail() -> None:
    raise SystemExit("what is protected happened")


def _ask(app: Any, token: str | None) -> str:
    environ: dict[str, Any] = {"PATH_INFO": "/"}
    setup_testing_defaults(environ)
    if token is not None:
        environ["HTTP_X_AUTH_TOKEN"] = token
    statuses: list[str] = []
    body = app(environ, lambda status, _headers, _exc_info=None: statuses.append(status))
    b"".join(body)
    return statuses[-1][:3]


if __name__ == "__main__":
    main(sys.argv[1])
