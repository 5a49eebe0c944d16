"""A Django site with django-oauth-toolkit: `python -m ...django_site PORT DATABASE`.

One user, ada, and two clients: `robot` (client credentials) and `web` (authorization code). Its
access tokens are opaque, its ID tokens signed with RS256.
"""

from __future__ import annotations

import sys
from wsgiref.simple_server import make_server

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

PASSWORD = "a password of a test"


class Urls:
    """The site's URL configuration; its routes can be made only once Django is set up."""

    urlpatterns: list[object]


def configure(port: str, database: str) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    settings.configure(
        DEBUG=True,
        SECRET_KEY="of a test",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=Urls,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "oauth2_provider",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                    ]
                },
            }
        ],
        USE_TZ=True,
        LOGIN_URL="/login",
        OAUTH2_PROVIDER={
            "OIDC_ENABLED": True,
            "OIDC_RSA_PRIVATE_KEY": pem.decode("ascii"),
            "OIDC_ISS_ENDPOINT": f"http://127.0.0.1:{port}/o",
            "SCOPES": {
                "openid": "to log in",
                "inventory.read": "to read",
                "introspection": "to introspect tokens",
            },
            "ACCESS_TOKEN_EXPIRE_SECONDS": 900,
            "PKCE_REQUIRED": True,
            "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
        },
    )


def populate() -> None:
    from django.contrib.auth.models import User
    from oauth2_provider.models import get_application_model

    user = User.objects.create_user("ada", password=PASSWORD)
    application = get_application_model()
    for name, grant, redirect in (
        ("robot", "client-credentials", ""),
        ("web", "authorization-code", "https://web.example/callback"),
    ):
        application.objects.create(
            name=name,
            client_id=name,
            client_secret=f"{name}-secret",
            client_type="confidential",
            authorization_grant_type=grant,
            redirect_uris=redirect,
            skip_authorization=True,
            algorithm="RS256",
            user=user,
        )


def log_in(request: django.http.HttpRequest) -> django.http.HttpResponse:
    """Log a user in whose name and password are in the query: there is no form."""
    from django.contrib.auth import authenticate, login

    user = authenticate(
        request, username=request.GET.get("username"), password=request.GET.get("password")
    )
    if user is None:
        return django.http.HttpResponse(status=403)
    login(request, user)
    return django.http.HttpResponse(status=204)


def main() -> None:
    port, database = sys.argv[1:]
    configure(port, database)
    django.setup()
    toolkit = include("oauth2_provider.urls", namespace="oauth2_provider")
    Urls.urlpatterns = [path("login", log_in), path("o/", toolkit)]
    call_command("migrate", verbosity=0)
    populate()
    with make_server("127.0.0.1", int(port), get_wsgi_application()) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
