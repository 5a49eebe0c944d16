"""A canaille server with one user and two clients: `python canaille_site.py PORT`.

It runs in the environment that `install` makes, so it imports nothing of ours. Its access tokens
are opaque; their audience is a list of client ids, and only those clients may introspect them.
The user's token is made here, without her logging in, and stands in the file OPAQUE_TOKEN_FILE.
"""

from __future__ import annotations

import datetime
import os
import secrets
import sys
from pathlib import Path
from wsgiref.simple_server import make_server

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend


def populate() -> str:
    """Make ada, the clients web and inventory, and a token of ada's for both; return it."""
    save = Backend.instance.save
    ada = models.User(user_name="ada", formatted_name="Ada L", family_name="L", emails=["ada@a.b"])
    save(ada)
    now = datetime.datetime.now(datetime.UTC)
    clients = []
    for name in ("web", "inventory"):
        client = models.Client(
            client_id=name,
            client_secret=f"{name}-secret",
            client_name=name,
            client_id_issued_at=now,
            client_secret_expires_at=now + datetime.timedelta(days=1),
            redirect_uris=["https://web.example/callback"],
            grant_types=["client_credentials", "authorization_code"],
            response_types=["code"],
            scope=["openid", "profile"],
            token_endpoint_auth_method="client_secret_basic",
        )
        save(client)
        clients.append(client)
    for client in clients:
        client.audience = [client]
        save(client)
    said = secrets.token_urlsafe(24)
    token = models.Token(
        token_id=secrets.token_hex(8),
        access_token=said,
        client=clients[0],
        subject=ada,
        audience=clients,
        type="Bearer",
        scope=["openid", "profile"],
        issue_date=now,
        lifetime=900,
    )
    save(token)
    return said


def main() -> None:
    port = sys.argv[1]
    app = create_app(
        {
            "SECRET_KEY": "of a test",
            "SERVER_NAME": f"127.0.0.1:{port}",
            "PREFERRED_URL_SCHEME": "http",
            "CANAILLE": {"DATABASE": "memory", "LOGGING": None},
            "CANAILLE_OIDC": {"ENABLE_OIDC": True},
        }
    )
    with app.app_context():
        token = populate()
    Path(os.environ["OPAQUE_TOKEN_FILE"]).write_text(token)
    with make_server("127.0.0.1", int(port), app) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
