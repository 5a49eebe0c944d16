"""`authmw.testing.django`: the test client that sends personas."""

from __future__ import annotations

from typing import Any

import pytest

from authmw.errors import ConfigurationError
from authmw.testing import Cloud, IdentityServer
from tests.support.django_database import database
from tests.support.entries import DJANGO_WITH_SESSIONS
from tests.support.views import set_django_up

__all__ = ["database"]


def serve_who(*views: Any) -> Any:
    urls: Any = set_django_up()
    from django.http import HttpResponse
    from django.urls import clear_url_caches, path

    urls.urlpatterns = [path("", lambda request: HttpResponse(str(request.user)))]
    clear_url_caches()
    return urls


def test_client_sends_its_persona(authmw_cloud: Cloud, database: Any) -> None:
    serve_who()
    from django.test import override_settings

    from authmw.testing.django import Client, protected

    personas = authmw_cloud.personas
    ada = personas.of_issuer("keycloak").user("ada")
    bound = personas.of_issuer("rfc9068").user("grace", is_bound=True)
    project = {"AUTHMW": "/not/on/this/machine.conf", "MIDDLEWARE": list(DJANGO_WITH_SESSIONS)}
    with override_settings(**project), protected(authmw_cloud, config_file=None):
        client = Client(personas.project_reader("inventory"))
        assert client.get("/").content == b"project_reader"
        assert client.post("/", {"a": "b"}).content == b"project_reader"
        client.persona = ada
        assert client.get("/?a=b").content == b"ada"
        client = Client(bound, server=personas.of_issuer("rfc9068").issuer.audience)
        assert client.get("/?a=b").content == b"grace"
        assert client.put("/").content == b"grace"
        client.persona = None
        assert client.get("/").status_code == 401
        headers = personas["project_admin"].headers
        assert client.get("/", headers=headers).content == b"project_admin"


def test_client_of_rest_framework(authmw_cloud: Cloud, database: Any) -> None:
    serve_who()
    from django.test import override_settings
    from rest_framework.test import APIClient

    from authmw.testing.django import PersonaMixin, protected

    class Client(PersonaMixin, APIClient):  # type: ignore[misc]
        """REST framework's client with personas."""

    with (
        override_settings(AUTHMW={}, MIDDLEWARE=list(DJANGO_WITH_SESSIONS)),
        protected(authmw_cloud, delay_auth_decision=True),
    ):
        client = Client(authmw_cloud.personas["project_member"])
        assert client.post("/", {"a": 1}, format="json").content == b"project_member"
        client.persona = None
        assert client.get("/").content == b"AnonymousUser"
        assert client.post("/", {"a": 1}, format="json").status_code == 403


def test_expired_and_revoked_tokens_are_refused_at_once(authmw_cloud: Cloud, database: Any) -> None:
    serve_who()
    from django.test import override_settings

    from authmw.testing.django import Client, protected

    personas = authmw_cloud.personas
    with (
        override_settings(AUTHMW={}, MIDDLEWARE=list(DJANGO_WITH_SESSIONS)),
        protected(authmw_cloud),
        protected(authmw_cloud, token_cache_time=60),
    ):
        reader = personas.project_reader("inventory")
        member = personas.project_member("inventory")

        def ask() -> list[int]:
            return [Client(one).get("/").status_code for one in (reader, member)]

        assert ask() == [200, 200]
        authmw_cloud.revoke(reader)
        assert ask() == [401, 200]
        authmw_cloud.expire(member)
        assert ask() == [401, 401]
        assert Client(personas.project_admin("inventory")).get("/").status_code == 200


def test_client_that_sent_a_request_before_keeps_its_filter(
    authmw_cloud: Cloud, database: Any
) -> None:
    serve_who()
    from django.test import override_settings

    from authmw.testing.django import Client, protected

    with (
        IdentityServer() as other,
        override_settings(
            AUTHMW={**other.service_credentials, "delay_auth_decision": True},
            MIDDLEWARE=list(DJANGO_WITH_SESSIONS),
        ),
    ):
        early = Client(authmw_cloud.personas.project_reader("inventory"))
        late = Client(early.persona)
        assert early.get("/").content == b"AnonymousUser"
        with protected(authmw_cloud):
            assert early.get("/").content == b"AnonymousUser"
            assert late.get("/").content == b"project_reader"


def test_slips_are_named(authmw_cloud: Cloud, database: Any) -> None:
    set_django_up()
    from django.test import override_settings

    from authmw.testing.django import protected

    with pytest.raises(TypeError, match="did you mean 'delay_auth_decision'"):
        protected(authmw_cloud, delay_auth_decison=True).__enter__()
    with (
        override_settings(AUTHMW="/not/on/this/machine.conf"),
        pytest.raises(ConfigurationError, match=r"config_file = '/not/on/this/machine.conf'"),
    ):
        protected(authmw_cloud).__enter__()


def test_filter_is_a_new_one_after_reset(authmw_cloud: Cloud, database: Any) -> None:
    serve_who()
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import override_settings

    from authmw.testing.django import Client, protected

    kept = []
    with override_settings(AUTHMW={}, MIDDLEWARE=list(DJANGO_WITH_SESSIONS)):
        with protected(authmw_cloud):
            kept.append(WSGIHandler())
        authmw_cloud.reset()
        with protected(authmw_cloud):
            reader = Client(authmw_cloud.personas.project_reader("inventory"))
            assert reader.get("/").status_code == 200
