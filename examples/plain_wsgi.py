"""A plain WSGI app behind authmw, without any framework.

    AUTHMW_CONFIG=inventory.conf python plain_wsgi.py

and then, with a token of a member of some project:

    curl -H "X-Auth-Token: $TOKEN" http://127.0.0.1:8080/items
"""

import json
import os
from wsgiref.simple_server import make_server
from wsgiref.types import StartResponse, WSGIEnvironment

import authmw

ITEMS: dict[str, list[str]] = {}  # by project


def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    views = {("GET", "/items"): list_items, ("POST", "/items"): add_item}
    view = views.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]), not_found)
    return view(environ, start_response)


@authmw.require(roles="reader", scope="project")
def list_items(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    return send(start_response, "200 OK", ITEMS.get(environ["HTTP_X_PROJECT_ID"], []))


@authmw.require(roles="member", scope="project")
def add_item(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    owned = ITEMS.setdefault(environ["HTTP_X_PROJECT_ID"], [])
    owned.append(f"added by {authmw.current_token().user.name}")
    return send(start_response, "201 Created", owned)


def not_found(_environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    return send(start_response, "404 Not Found", "no such page")


def send(start_response: StartResponse, status: str, document: object) -> list[bytes]:
    body = json.dumps(document).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]


# The file has a section [keystone_authtoken]; see etc/authmw.conf.sample.
app = authmw.protect(config_file=os.environ["AUTHMW_CONFIG"])(application)

if __name__ == "__main__":
    with make_server("127.0.0.1", 8080, app) as server:
        server.serve_forever()
