"""A paste pipeline with authmw in front of a service, as most OpenStack services have one.

    AUTHMW_CONFIG=inventory.conf gunicorn paste_pipeline:app

The pipeline is usually a file of its own (etc/authmw-paste.ini); here it is part of this
module, so that one file shows all of it. The service knows nothing of authmw: it reads headers.
"""

import json
import os
import tempfile
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from paste.deploy import loadapp

PIPELINE = """
[pipeline:main]
pipeline = authtoken inventory

[filter:authtoken]
paste.filter_factory = authmw:filter_factory
# Where the section [keystone_authtoken] is; see etc/authmw.conf.sample.
oslo_config_project = inventory
oslo_config_file = %(config_file)s

[app:inventory]
paste.app_factory = paste_pipeline:app_factory
"""

ITEMS: dict[str, list[str]] = {}  # by project
NEEDED_ROLE = {"GET": "reader", "POST": "member"}


def app_factory(_global_conf: dict[str, Any], **_local_conf: Any) -> WSGIApplication:
    return inventory


def inventory(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    method = environ["REQUEST_METHOD"]
    if method not in NEEDED_ROLE or environ["PATH_INFO"] != "/items":
        return send(start_response, "404 Not Found", "no such page")
    if NEEDED_ROLE[method] not in environ["HTTP_X_ROLES"].split(","):
        return send(start_response, "403 Forbidden", f"{NEEDED_ROLE[method]} may do this")
    project = environ.get("HTTP_X_PROJECT_ID")
    if project is None:
        return send(start_response, "403 Forbidden", "this takes a token of a project")
    owned = ITEMS.setdefault(project, [])
    if method == "GET":
        return send(start_response, "200 OK", owned)
    owned.append(f"added by {environ['HTTP_X_USER_NAME']}")
    return send(start_response, "201 Created", owned)


def send(start_response: StartResponse, status: str, document: object) -> list[bytes]:
    body = json.dumps(document).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]


def load_app() -> WSGIApplication:
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as pipeline:
        pipeline.write(PIPELINE % {"config_file": os.environ["AUTHMW_CONFIG"]})
        pipeline.flush()
        app: WSGIApplication = loadapp(f"config:{pipeline.name}")
        return app


app = load_app()
