"""The table of all faults, and of good deployments."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.support.faults import caches, clients, issuers, keys, keystone, network, options
from tests.support.faults.fault import Fault, Good
from tests.support.faults.issuers import add_introspection, add_issuer
from tests.support.faults.site import Site, without
from tests.support.relay import tls_relay

# Each of these costs a whole examination.
_QUICK = 2


def _slow_but_some(faults: tuple[Fault, ...]) -> Iterator[Fault]:
    for place, fault in enumerate(faults):
        yield dataclasses.replace(fault, is_slow=place >= _QUICK)


def _slow_warnings(faults: tuple[Fault, ...]) -> Iterator[Fault]:
    """An option that is refused ends the examination, and one that is warned about does not."""
    quick = _QUICK
    for fault in faults:
        quick -= fault.level == "warn"
        yield dataclasses.replace(fault, is_slow=fault.level == "warn" and quick < 0)


FAULTS: tuple[Fault, ...] = (
    *_slow_warnings(options.FAULTS),
    *network.FAULTS,
    *keystone.FAULTS,
    *_slow_but_some(caches.FAULTS),
    *_slow_but_some(keys.FAULTS),
    *_slow_but_some(issuers.FAULTS),
    *_slow_but_some(clients.FAULTS),
)


def _change_nothing(_site: Site) -> None:
    pass


def _use_application_credential(site: Site) -> None:
    people = site.people
    credential = people.api.create_application_credential(people.service, people.project)
    site.remove("username", "password", "user_domain_id", "project_name", "project_domain_id")
    site.options.update(
        auth_type="v3applicationcredential",
        application_credential_id=credential.id,
        application_credential_secret=credential.secret,
    )


def _leave_proxies_out(site: Site) -> None:
    network.use_proxy(site, "http://proxy.invalid:3128")
    site.patch.setenv("no_proxy", "localhost,127.0.0.1")


def _accept_an_issuer_alone(site: Site) -> None:
    site.options.clear()
    site.options["service_token_roles_required"] = "true"
    site.token = add_issuer(site).issue("ada")


def _add_issuer(site: Site) -> None:
    add_issuer(site)


def _add_introspection(site: Site) -> None:
    add_introspection(site)


def _give_an_issuer_its_authority(site: Site) -> None:
    server, authority = add_issuer(site), site.authority()
    port = int(server.url.rpartition(":")[2])
    context = authority.server_context("localhost")
    there = site.stack.enter_context(tls_relay(port, context))
    path = server.jwks_uri.removeprefix(server.url)
    site.sections[issuers.SECTION].update(
        issuer="https://login.acme.example",
        jwks_uri=f"https://localhost:{there}{path}",
        cafile=str(authority.cafile),
    )


def _share_a_secret(site: Site) -> None:
    caches.start_another(site)
    caches.leave_canary_of(site)


def _use_paste(site: Site) -> None:
    site.paste = {"use": "egg:authmw#auth_token", "delay_auth_decision": "true"}


GOOD: tuple[Good, ...] = (
    Good("signed tokens, memcached", _change_nothing),
    Good(
        "remote validation, no memcached",
        without(
            "jws_public_key_repository",
            "memcached_servers",
            "memcache_security_strategy",
            "memcache_secret_key",
        ),
    ),
    Good("an application credential", _use_application_credential, is_slow=True),
    Good("TLS with an authority of its own", network.let_tls_be_good),
    Good("a proxy that is not for Keystone", _leave_proxies_out, is_slow=True),
    Good("two services with one secret", _share_a_secret, is_slow=True),
    Good("an issuer beside Keystone", _add_issuer, is_slow=True),
    Good("an issuer with an authority of its own", _give_an_issuer_its_authority),
    Good("an issuer alone", _accept_an_issuer_alone),
    Good("an issuer of opaque tokens", _add_introspection, is_slow=True),
    Good("a paste file, and a service that decides", _use_paste),
    Good("a service that clients reach", clients.lock, is_slow=True),
)


def as_parameters(rows: Iterable[Fault | Good]) -> list[Any]:
    """Return rows as parameters of a test, by name; slow ones are marked as such."""
    return [
        pytest.param(row, marks=[pytest.mark.slow] if row.is_slow else [], id=row.name)
        for row in rows
    ]
