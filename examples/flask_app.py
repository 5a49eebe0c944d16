"""A Flask app behind authmw.

AUTHMW_CONFIG=inventory.conf flask --app flask_app run --port 8080
"""

import os

import flask

import authmw

app = flask.Flask(__name__)
# All of the app is behind the filter. The file has a section [keystone_authtoken]; see
# etc/authmw.conf.sample.
protect = authmw.protect(config_file=os.environ["AUTHMW_CONFIG"])
app.wsgi_app = protect(app.wsgi_app)  # type: ignore[method-assign]

ITEMS: dict[str, list[str]] = {}  # by project


@app.get("/items")
@authmw.require(roles="reader", scope="project")
def list_items() -> flask.Response:
    return flask.jsonify(ITEMS.get(flask.request.headers["X-Project-Id"], []))


@app.post("/items")
@authmw.require(roles="member", scope="project")
def add_item() -> tuple[flask.Response, int]:
    token = authmw.current_token()
    owned = ITEMS.setdefault(token.project.id, [])
    owned.append(f"added by {token.user.name}")
    return flask.jsonify(owned), 201
