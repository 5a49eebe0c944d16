"""A Falcon app behind authmw.

AUTHMW_CONFIG=inventory.conf gunicorn falcon_app:app
"""

import os

import falcon

import authmw


class Items:
    def __init__(self) -> None:
        self.by_project: dict[str, list[str]] = {}

    @authmw.require(roles="reader", scope="project")
    def on_get(self, _req: falcon.Request, resp: falcon.Response) -> None:
        resp.media = self.by_project.get(authmw.current_token().project.id, [])

    @authmw.require(roles="member", scope="project")
    def on_post(self, _req: falcon.Request, resp: falcon.Response) -> None:
        token = authmw.current_token()
        owned = self.by_project.setdefault(token.project.id, [])
        owned.append(f"added by {token.user.name}")
        resp.media = owned
        resp.status = falcon.HTTP_CREATED


api = falcon.App()
api.add_route("/items", Items())

# The file has a section [keystone_authtoken]; see etc/authmw.conf.sample.
app = authmw.protect(config_file=os.environ["AUTHMW_CONFIG"])(api)
