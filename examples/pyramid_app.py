"""A Pyramid app behind authmw.

AUTHMW_CONFIG=inventory.conf gunicorn pyramid_app:app
"""

import os

from pyramid.config import Configurator
from pyramid.request import Request

import authmw

ITEMS: dict[str, list[str]] = {}  # by project


@authmw.require(roles="reader", scope="project")
def list_items(request: Request) -> list[str]:
    return ITEMS.get(request.headers["X-Project-Id"], [])


@authmw.require(roles="member", scope="project")
def add_item(request: Request) -> list[str]:
    token = authmw.current_token()
    owned = ITEMS.setdefault(token.project.id, [])
    owned.append(f"added by {token.user.name}")
    request.response.status = 201
    return owned


with Configurator() as config:
    config.add_route("items", "/items")
    config.add_view(list_items, route_name="items", request_method="GET", renderer="json")
    config.add_view(add_item, route_name="items", request_method="POST", renderer="json")
    pyramid_app = config.make_wsgi_app()

# The file has a section [keystone_authtoken]; see etc/authmw.conf.sample.
app = authmw.protect(config_file=os.environ["AUTHMW_CONFIG"])(pyramid_app)
