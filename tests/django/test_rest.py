"""`authmw.django.rest`: authentication and permissions of Django REST framework."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import authmw
from authmw.testing import IdentityServer, OidcServer
from tests.django.conftest import Serve
from tests.support.views import set_django_up

DELAY = {"delay_auth_decision": True}


@pytest.fixture
def tokens(server: IdentityServer) -> dict[str, str]:
    return {
        "admin": server.issue("admin", project="inventory"),
        "member": server.issue("member", project="inventory"),
        "reader": server.issue("reader", project="inventory"),
        "system": server.issue("reader", system=True),
    }


def make_view(*permissions: Any, authentication: Any = None, **members: Any) -> Any:
    set_django_up()
    from rest_framework.response import Response
    from rest_framework.views import APIView

    from authmw.django.rest import TokenAuthentication

    def get(_self: Any, request: Any, **_values: Any) -> Any:
        auth = request.auth
        return Response({"user": str(request.user), "audit": getattr(auth, "audit_id", None)})

    classes = [TokenAuthentication] if authentication is None else authentication
    namespace = {
        "authentication_classes": classes,
        "permission_classes": list(permissions),
        "get": get,
        "post": get,
        **members,
    }
    return type("Items", (APIView,), namespace)


def ask(client: Any, token: str | None = None, path: str = "/", method: str = "get") -> Any:
    headers = {} if token is None else {"X-Auth-Token": token}
    return getattr(client, method)(path, headers=headers)


def test_request_user_and_auth(serve: Serve, tokens: dict[str, str]) -> None:
    from rest_framework.permissions import IsAuthenticated

    client = serve(make_view(IsAuthenticated).as_view(), **DELAY)
    answer = ask(client, tokens["member"])
    assert (answer.status_code, answer.json()["user"]) == (200, "member")
    assert answer.json()["audit"] is not None
    assert ask(client, tokens["member"], method="post").status_code == 200


def test_nobody_gets_401_with_the_challenge_and_a_weak_token_403(
    serve: Serve, server: IdentityServer, tokens: dict[str, str]
) -> None:
    from rest_framework.permissions import IsAdminUser, IsAuthenticated

    from authmw.django.rest import HasRole

    for permission in (IsAuthenticated, IsAdminUser, HasRole("admin")):
        client = serve(make_view(permission).as_view(), **DELAY)
        for token in (None, "junk"):
            answer = ask(client, token)
            assert answer.status_code == 401
            assert answer["WWW-Authenticate"] == f'Keystone uri="{server.url}"'
    assert ask(client, tokens["member"]).status_code == 403


def test_behind_the_wsgi_middleware_the_401_has_one_challenge(
    server: IdentityServer, tokens: dict[str, str], database: Any
) -> None:
    from rest_framework.permissions import IsAuthenticated

    from tests.support.protected import get
    from tests.support.views import django_app

    inner = django_app(make_view(IsAuthenticated).as_view())
    app = authmw.filter_factory({}, **server.service_credentials, **DELAY)(inner)
    answer = get(app)
    assert answer.status_int == 401
    assert answer.headers.getall("WWW-Authenticate") == [f'Keystone uri="{server.url}"']
    assert get(app, tokens["member"]).json["user"] == "member"


def test_refusal_has_the_body_of_require(serve: Serve, tokens: dict[str, str]) -> None:
    from authmw.django.rest import HasRole, InScope

    client = serve(make_view(InScope("project"), HasRole("admin", "manager")).as_view(), **DELAY)
    assert ask(client, tokens["admin"]).status_code == 200
    answer = ask(client, tokens["member"])
    assert answer.status_code == 403
    assert answer.json() == {
        "error": {
            "code": 403,
            "title": "Forbidden",
            "message": "This takes one of the roles admin, manager.",
            "missing": {"roles": ["admin", "manager"]},
        }
    }
    assert ask(client, tokens["system"]).json()["error"]["missing"] == {"scope": ["project"]}
    assert ask(client).json()["error"]["code"] == 401


# What is required, and whether admin, member, reader and the reader of the system have it.
COMBINATIONS = {
    "HasRole('admin')": "1000",
    "HasRole('admin') | HasRole('member')": "1100",
    "HasRole('admin', 'member')": "1100",
    "HasRole('reader') & InScope('project')": "1110",
    "IsAuthenticated & HasRole('member')": "1100",
    "HasRole('member') & IsAuthenticated": "1100",
    "IsAuthenticated & ~HasRole('member')": "0011",
    "~HasRole('member') & IsAuthenticated": "0011",
    "IsAdminUser | HasRole('member') | InScope('system')": "1101",
    "~InScope('system') & (HasRole('admin') | ~HasRole('member'))": "1010",
    "InScope('system', 'project')": "1111",
}


@pytest.mark.parametrize(("expression", "expected"), COMBINATIONS.items())
def test_permissions_combine(
    serve: Serve, tokens: dict[str, str], expression: str, expected: str
) -> None:
    set_django_up()
    from rest_framework import permissions

    from authmw.django import rest

    permission = eval(expression, {**vars(permissions), **vars(rest)})

    def get(self: Any, request: Any) -> Any:
        from rest_framework.response import Response

        self.check_object_permissions(request, object())
        return Response({})

    client = serve(make_view(permission, get=get).as_view(), **DELAY)
    told = [ask(client, tokens[name]) for name in ("admin", "member", "reader", "system")]
    assert "".join("1" if one.status_code == 200 else "0" for one in told) == expected
    assert {one.status_code for one in told} <= {200, 403}
    assert ask(client).status_code == 401


def test_negation_says_what_is_too_much(serve: Serve, tokens: dict[str, str]) -> None:
    from authmw.django.rest import HasRole

    client = serve(make_view(~HasRole("admin")).as_view(), **DELAY)
    assert ask(client, tokens["member"]).status_code == 200
    answer = ask(client, tokens["admin"])
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == ("This takes a token without the role admin.")
    assert ~~HasRole("admin") == HasRole("admin") != ~HasRole("admin")


def test_permissions_may_be_instances_of_get_permissions(
    serve: Serve, tokens: dict[str, str]
) -> None:
    from authmw.django.rest import HasRole

    def get_permissions(self: Any) -> list[Any]:
        return [HasRole("admin" if self.request.method == "POST" else "reader")]

    client = serve(make_view(get_permissions=get_permissions).as_view(), **DELAY)
    assert ask(client, tokens["member"]).status_code == 200
    assert ask(client, tokens["member"], method="post").status_code == 403
    assert HasRole("a") == HasRole("a") != HasRole("b")
    assert len({HasRole("a"), HasRole("a")}) == 1


def test_role_is_that_of_the_user_who_acts(
    serve: Serve, tokens: dict[str, str], log_in: Any
) -> None:
    """The rights of a token are not lent to the user of a session, nor the other way round."""
    from rest_framework.authentication import SessionAuthentication

    from authmw.django.rest import HasRole, TokenAuthentication

    class LocalUser(SessionAuthentication):  # type: ignore[misc]
        def authenticate(self, request: Any) -> Any:
            from django.contrib.auth.models import User

            return User.objects.get(), None

    view = make_view(HasRole("reader"), authentication=[LocalUser, TokenAuthentication])
    client = serve(view.as_view(), **DELAY)
    assert ask(client, tokens["member"]).status_code == 401
    both = make_view(HasRole("reader"), authentication=[TokenAuthentication, SessionAuthentication])
    client = serve(both.as_view(), **DELAY)
    log_in(client)
    assert ask(client).status_code == 401
    assert ask(client, "junk").status_code == 401
    assert ask(client, tokens["member"]).json()["user"] == "member"


def test_junk_token_beside_a_session_is_nobody_s_and_excuses_no_csrf_check(
    serve: Serve, tokens: dict[str, str], log_in: Any
) -> None:
    from rest_framework.authentication import SessionAuthentication
    from rest_framework.permissions import IsAuthenticated

    from authmw.django.rest import TokenAuthentication

    for classes in (
        [TokenAuthentication, SessionAuthentication],
        [SessionAuthentication, TokenAuthentication],
        [SessionAuthentication],
    ):
        client = serve(make_view(IsAuthenticated, authentication=classes).as_view(), **DELAY)
        assert ask(client, tokens["member"], method="post").status_code == 200
        log_in(client)
        assert ask(client).json()["user"] == "local"
        assert ask(client, method="post").status_code == 403, "no CSRF token"
        assert ask(client, "junk").status_code in (401, 403)
        assert ask(client, "junk", method="post").status_code in (401, 403)
        assert ask(client, tokens["member"]).json()["user"] == "member"


def test_function_views_and_hidden_forms(serve: Serve, tokens: dict[str, str]) -> None:
    """The browsable API asks the permissions which forms it may show."""
    from rest_framework.decorators import api_view, permission_classes
    from rest_framework.response import Response

    from authmw.django.rest import HasRole

    @api_view(["GET"])  # type: ignore[untyped-decorator]
    @permission_classes([HasRole("member")])  # type: ignore[untyped-decorator]
    def items(_request: Any) -> Any:
        return Response({})

    client = serve(items, **DELAY)
    assert ask(client, tokens["member"]).status_code == 200
    assert ask(client, tokens["reader"]).json()["error"]["missing"] == {"roles": ["member"]}
    options = client.options("/", headers={"X-Auth-Token": tokens["reader"]})
    assert options.status_code == 403


def test_page_of_the_browsable_api_is_shown_to_who_may_not_post(
    serve: Serve, tokens: dict[str, str]
) -> None:
    set_django_up()
    from django.test import override_settings
    from rest_framework.renderers import BrowsableAPIRenderer

    from authmw.django.rest import HasRole

    class RoleByMethod(HasRole):
        def __init__(self) -> None:
            super().__init__("nobody")

        def has_permission(self, request: Any, view: Any) -> bool:
            return True if request.method == "GET" else super().has_permission(request, view)

    @authmw.require(roles="admin")
    def check(_self: Any, _request: Any, _view: Any) -> bool:
        return True

    class Checked(HasRole):
        def __init__(self) -> None:
            super().__init__("reader")

        def has_permission(self, request: Any, view: Any) -> bool:
            return True if request.method == "GET" else bool(check(self, request, view))

    with override_settings(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"],
        TEMPLATES=[
            {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}
        ],
        STATIC_URL="/static/",
    ):
        for permission in (RoleByMethod, Checked):
            view = make_view(permission, renderer_classes=[BrowsableAPIRenderer])
            client = serve(view.as_view(), **DELAY)
            answer = client.get("/", headers={"X-Auth-Token": tokens["member"]})
            assert answer.status_code == 200
            assert b"<html" in answer.content


@pytest.fixture
def issuer() -> Iterator[OidcServer]:
    with OidcServer(audience="https://inventory.example") as running:
        yield running


def test_oauth_scope(serve: Serve, issuer: OidcServer, server: IdentityServer) -> None:
    from authmw.django.rest import HasOAuthScope

    options = {
        "issuer.acme.issuer": issuer.issuer,
        "issuer.acme.audience": "https://inventory.example",
        **DELAY,
    }
    client = serve(make_view(HasOAuthScope("inventory.read")).as_view(), **options)

    def get(scope: str) -> Any:
        token = issuer.issue("ada", scope=scope)
        return client.get("/", headers={"Authorization": f"Bearer {token}"})

    assert get("inventory.read other").json()["user"] == "ada"
    less = get("other")
    assert less.status_code == 403
    assert 'scope="inventory.read"' in less["WWW-Authenticate"]
    nobody = client.get("/")
    assert nobody.status_code == 401
    assert nobody["WWW-Authenticate"].startswith("Bearer ")
    assert 'Keystone uri="' in nobody["WWW-Authenticate"]


def test_without_any_middleware_everyone_is_refused(
    serve: Serve, tokens: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    from authmw.django.rest import HasRole

    client = serve(make_view(HasRole("reader")).as_view(), middleware=())
    forged = {"X-Auth-Token": tokens["admin"], "X-Roles": "reader", "X-User-Id": "a"}
    assert client.get("/", headers=forged).status_code == 401
    assert "came past no authmw middleware" in caplog.text


@pytest.mark.parametrize("make", ["HasRole()", "InScope('galaxy')", "HasOAuthScope('a b')"])
def test_permission_nobody_could_have_is_refused(make: str) -> None:
    set_django_up()
    from authmw.django import rest

    with pytest.raises(ValueError, match=r"names nothing|does not exist|no value"):
        eval(make, vars(rest))
