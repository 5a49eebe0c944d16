"""A Django project in one file behind authmw.

    AUTHMW_CONFIG=inventory.conf gunicorn django_app:app

In a project of your own only `app` is new, in its wsgi.py, and `@authmw.require` on views.
"""

import os

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.urls import path

import authmw

settings.configure(
    ALLOWED_HOSTS=["localhost", "127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.urandom(32).hex(),
)
django.setup()

ITEMS: dict[str, list[str]] = {}  # by project


def items(request: HttpRequest) -> HttpResponse:
    views = {"GET": list_items, "POST": add_item}
    view = views.get(request.method)
    return view(request) if view else HttpResponseNotAllowed(views)


@authmw.require(roles="reader", scope="project")
def list_items(request: HttpRequest) -> JsonResponse:
    return JsonResponse(ITEMS.get(request.headers["X-Project-Id"], []), safe=False)


@authmw.require(roles="member", scope="project")
def add_item(request: HttpRequest) -> JsonResponse:
    token = authmw.current_token()
    owned = ITEMS.setdefault(token.project.id, [])
    owned.append(f"added by {token.user.name}")
    return JsonResponse(owned, safe=False, status=201)


urlpatterns = [path("items", items)]

# The file has a section [keystone_authtoken]; see etc/authmw.conf.sample.
app = authmw.protect(config_file=os.environ["AUTHMW_CONFIG"])(WSGIHandler())
