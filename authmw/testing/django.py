"""Tests of a Django project: its own middleware on a cloud, and a client that sends personas.

    class ItemTests(TestCase):
        @classmethod
        def setUpClass(cls):
            super().setUpClass()
            cls.cloud = cls.enterClassContext(Cloud())

        def setUp(self):
            self.cloud.reset()
            self.enterContext(protected(self.cloud))

        def test_readers_may_not_add(self):
            reader = Client(self.cloud.personas.project_reader("inventory"))
            self.assertEqual(reader.post("/items").status_code, 403)

No identity service has to run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.test import Client as DjangoClient
from django.test import override_settings

from authmw.django.conf import read_configuration
from authmw.testing.cloud import Cloud
from authmw.testing.issuer_personas import IssuerPersona
from authmw.testing.personas import Persona
from authmw.testing.slips import verify_option_names


@contextmanager
def protected(cloud: Cloud, **options: Any) -> Iterator[None]:
    """Let the project's `authmw.django.AuthMiddleware` accept the tokens of a cloud.

    The setting AUTHMW applies, with the cloud's options in place of those it has by the same
    names, and the cloud's clock: `Cloud.expire` and `Cloud.revoke` work at once. Begin it anew
    after `Cloud.reset`. Clients that sent a request before keep the filter they have.

    Args:
        cloud: a started cloud.
        options: further options, such as `delay_auth_decision=True`, or `config_file=None` to
            leave out the project's file.

    Raises:
        ConfigurationError: AUTHMW is wrong, or its file can't be read.
        TypeError: an option does not exist; the message says what was meant.
    """
    verify_option_names(options.keys() - {"config_file", "config"})
    project = getattr(settings, "AUTHMW", None) or {}
    if isinstance(project, str | os.PathLike):
        project = {"config_file": project}

    # A new one each time: else a filter that `Cloud.reset` has closed may be found for it.
    def clock() -> float:
        return cloud.clock()

    chosen = {**project, **cloud.options, **options, "clock": clock}
    with override_settings(AUTHMW=chosen):
        # Held here: the project's middleware finds this one, and the filter that it has.
        configuration = read_configuration()
        cloud.add_filter(configuration.filter_parts())
        yield


class PersonaMixin:
    """Sends a persona's token with each request of a Django test client.

    It goes before a client class: `class Client(PersonaMixin, rest_framework.test.APIClient)`.
    CSRF checks are made, as in production.

    Args:
        persona: who calls; None: nobody.
        server: the address of the service as clients see it, for tokens bound to a key (DPoP).
        defaults: those of the client.

    Attributes:
        persona: may be changed between requests.
    """

    def __init__(
        self,
        persona: Persona | IssuerPersona | None = None,
        *,
        server: str = "http://testserver",
        **defaults: Any,
    ) -> None:
        super().__init__(**{"enforce_csrf_checks": True, **defaults})
        self.persona = persona
        self._server = server

    def generic(
        self,
        method: str,
        path: str,
        *arguments: Any,
        headers: Mapping[str, str] | None = None,
        **named: Any,
    ) -> Any:
        """Make one request; see Django's `RequestFactory.generic`."""
        sent = {**self._persona_headers(method, path), **(headers or {})}
        parent: Any = super()
        return parent.generic(method, path, *arguments, headers=sent, **named)

    def _persona_headers(self, method: str, path: str) -> dict[str, str]:
        persona = self.persona
        if isinstance(persona, IssuerPersona):
            return persona.headers_for(method, f"{self._server}{path.partition('?')[0]}")
        return {} if persona is None else persona.headers


class Client(PersonaMixin, DjangoClient):  # type: ignore[misc]
    """Django's test client with a persona: `Client(personas.project_reader()).get("/items")`."""
