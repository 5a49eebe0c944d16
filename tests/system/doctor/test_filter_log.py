"""The log of the filter alone names the faults that `authmw doctor` names, and no others.

Refused when the filter is built, or told in a line of WARNING or above, with what to correct.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from webtest import TestApp

import authmw
from authmw.errors import ConfigurationError
from tests.support.faults.fault import Fault, Good
from tests.support.faults.issuers import SECTION
from tests.support.faults.site import Site
from tests.support.faults.table import FAULTS, GOOD, as_parameters
from tests.support.identity_types import project_scope
from tests.support.signing import sign

# What the log says where the doctor has looked closer, or says it otherwise.
WORDS: dict[str, tuple[str, ...]] = {
    "no auth_type": ("no auth_type", "set auth_type"),
    "a host name that is not known": ("keystone.invalid", "can't be resolved"),
    "a port that nobody listens on": ("GET http://127.0.0.1:", "connection was refused"),
    "a server that accepts and is silent": ("GET http://127.0.0.1:", "auth_url"),
    "http where https is spoken": ("GET http://localhost:", "https://"),
    "https where http is spoken": ("does not speak TLS", "write http://", "auth_url"),
    "an authority that nobody knows": ("unable to get local issuer", "cafile"),
    "a cafile of another authority": ("unable to get local issuer", "cafile"),
    "a certificate past its end": ("certificate has expired", "https://localhost"),
    "a certificate for another name": ("not valid for 'localhost'", "certificate"),
    "a client certificate that is missing": ("CERTIFICATE_REQUIRED", "certfile"),
    "a dead proxy": ("through proxy http://127.0.0.1:", "(http_proxy)", "no_proxy"),
    "a path that is not Keystone's": ("/identity: discovery found no", "correct auth_url"),
    "a server that is no Keystone": ("http://127.0.0.1:", "correct auth_url"),
    "a proxy that is not known": ("through proxy http://proxy.invalid:3128 (http_proxy)",),
    "a wrong password": ("refused our own credentials", "password"),
    "a load balancer without a Keystone behind it": ("HTTP 503", "load balancer"),
    "the name of the user's domain for its id": ("refused our own credentials", "domains"),
    "the name of the project's domain for its id": ("refused our own credentials", "domains"),
    "a project that is not there": ("refused our own credentials", "project"),
    "a user without any role": ("refused our own credentials", "project"),
    "a clock that is ahead by hours": ("s ahead of that of the server", "chrony"),
    "a user without the service role": ("give the user of auth_type the role", "service"),
    "a clock that is behind by minutes": ("s behind that of the server", "chrony"),
    "memcached that is not there": ("memcached 127.0.0.1:", "refused"),
    "a key directory that is not there": ("/nowhere/keys", "No such file"),
    "a key that anyone can write to": ("public.pem is not used: writable by everyone",),
    "a key directory without a key": ("jws_public_key_repository", "public key"),
    "a server that is no memcached": ("memcached 127.0.0.1:", "no proper answer"),
    "a private key among the public ones": ("oops.pem is not used: a private key",),
    "an algorithm that no key has": ("ES256", "fits jws_accepted_algorithms = ES384", "add"),
    "a JWK set that is not there": ("jws_jwks_uri = http://", "HTTP status 404"),
    "an issuer of another name": ("issuer", "not the configured one"),
    "an issuer that is not there": ("http://127.0.0.1:", "refused"),
    "an issuer whose keys are of no use": ("issuer acme", "algorithms"),
    "a client that may not introspect": ("issuer acme", "refused our own credentials"),
}
# What no request meets: the doctor looks for it.
NOT_MET = {
    "a certificate near its end",
    "a service_type that is not in the catalog",
    "memcached that takes small items alone",
    "www_authenticate_uri where no Keystone is",
    "www_authenticate_uri that can't be reached",
    "a web server that takes short headers alone",
    "a service without the filter",
    "a service that fails, and decides itself",
    "a 401 that is another's",
}
ELSEWHERE = {
    # tests/system/filter/test_shared_memcached.py, as it takes minutes.
    "two services with two secrets",
    # Paste says it, before the filter is asked: tests/system/filter/test_paste_references.py
    "a filter misspelt in the paste file",
    "a module misspelt in the paste file",
}
MET = [fault for fault in FAULTS if fault.name not in NOT_MET | ELSEWHERE]


def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b""]


def serve(site: Site, tokens: list[str], caplog: pytest.LogCaptureFixture) -> list[str]:
    """Have a filter of the site serve requests; returns what it says of its deployment."""
    caplog.set_level(logging.INFO, "authmw")
    if site.clock_ahead:
        real = time.time
        site.patch.setattr(time, "time", lambda: real() + site.clock_ahead)
    try:
        middleware = authmw.filter_factory({}, **site.make_conf())(answer)
    except ConfigurationError as error:
        return [str(error)]
    try:
        for token in tokens:
            TestApp(middleware).get("/", headers={"X-Auth-Token": token}, status="*")
    finally:
        middleware.close()
    return [
        record.getMessage()
        for record in list(caplog.records)
        if record.name.startswith("authmw") and record.levelno >= logging.WARNING
    ]


def make_tokens(site: Site) -> list[str]:
    """Return good tokens of a client, an opaque one, and some that claim to be the issuer's."""
    people = site.people
    scope = project_scope(people.project)
    # Keystone is asked about the first, and so its clock is known.
    tokens = ["gAAAAABnobody-knows-this-one"]
    tokens += [people.api.issue(people.client, scope).id for _ in range(3)]
    if SECTION in site.sections:
        tokens.append("opaque-and-not-of-keystone")
        claims = {"iss": site.sections[SECTION]["issuer"], "sub": "ada"}
        tokens += [sign({**claims, "jti": str(number)}) for number in range(3)]
    return tokens


@pytest.mark.slow
@pytest.mark.parametrize("fault", as_parameters(MET))
def test_the_log_names_a_fault_and_what_to_correct(
    fault: Fault, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    fault.seed(site)
    said = serve(site, make_tokens(site), caplog)
    words = WORDS.get(fault.name, fault.words)
    assert any(all(word in line for word in words) for line in said), "\n".join(said)


@pytest.mark.slow
@pytest.mark.parametrize("good", as_parameters(GOOD))
def test_a_good_deployment_is_warned_of_nothing(
    good: Good, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    good.seed(site)
    assert serve(site, [site.token, "gAAAAABnobody-knows-this-one"], caplog) == []


def test_every_fault_is_met_or_said_to_be_not() -> None:
    names = {fault.name for fault in FAULTS}
    assert NOT_MET | ELSEWHERE | WORDS.keys() <= names
    assert len(MET) >= 40
