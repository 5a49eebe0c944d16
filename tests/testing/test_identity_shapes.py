"""What the embedded identity server says has the shape of what a real Keystone says.

Shape: the members of every object and the JSON types of all values. Where Keystone's words
are part of its interface (version document, error titles), they are compared as well.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from authmw.testing import AccessRule, IdentityServer
from tests.support.identity_api import IdentityApi
from tests.support.identity_types import (
    SYSTEM_SCOPE,
    UNSCOPED,
    IssuedToken,
    Json,
    Named,
    PasswordUser,
    domain_scope,
    project_scope,
    trust_scope,
)
from tests.support.keystone import Keystone
from tests.support.oauth1 import delegate, issue_from_delegation

TIMEOUT_SECONDS = 30

CASES = [
    "project",
    "domain",
    "system",
    "unscoped",
    "impersonating trust",
    "trust",
    "application credential",
    "access rules",
    "no access rules",
    "exchanged",
    "oauth1",
]


@pytest.fixture(scope="module")
def embedded() -> Iterator[IdentityServer]:
    with IdentityServer(provider="jws") as server:
        yield server


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class People:
    """Two users of a real Keystone: the first has roles everywhere, the second none."""

    api: IdentityApi
    holder: PasswordUser
    trustee: PasswordUser
    project: Named
    role: Named


@pytest.fixture(scope="module")
def people(keystone: Keystone) -> People:
    api = keystone.fernet.api
    made = People(
        api, api.create_user(), api.create_user(), api.create_project(), api.find_role("member")
    )
    for scope in (
        project_scope(made.project),
        domain_scope(Named("default", "Default")),
        SYSTEM_SCOPE,
    ):
        api.grant(made.holder, made.role, scope)
    return made


def _issue_for_real(people: People, case: str, api: IdentityApi | None = None) -> IssuedToken:
    api, holder, project = api or people.api, people.holder, people.project
    match case:
        case "project":
            return api.issue(holder, project_scope(project))
        case "domain":
            return api.issue(holder, domain_scope(Named("default", "Default")))
        case "system":
            return api.issue(holder, SYSTEM_SCOPE)
        case "unscoped":
            return api.issue(holder, UNSCOPED)
        case "exchanged":
            return api.issue_from_token(api.issue(holder), project_scope(project))
        case "oauth1":
            return issue_from_delegation(api, delegate(api, holder, project, people.role))
        case "trust" | "impersonating trust":
            trust_id = api.create_trust(
                holder,
                people.trustee,
                project,
                [people.role],
                impersonation=case == "impersonating trust",
            )
            return api.issue(people.trustee, trust_scope(trust_id))
        case _:
            rule = {"service": "inventory", "method": "GET", "path": "/v1/items"}
            rules = {"access rules": [rule], "no access rules": []}.get(case)
            credential = api.create_application_credential(holder, project, access_rules=rules)
            return api.issue_from_application_credential(credential)


def _issue_embedded(server: IdentityServer, case: str) -> str:
    directory = server.directory
    match case:
        case "project":
            return server.issue("member", project="inventory")
        case "domain":
            return server.issue("admin", domain="Default")
        case "system":
            return server.issue("admin", system=True)
        case "unscoped":
            return server.issue("member")
        case "exchanged":
            return server.issue(
                "member", project="inventory", methods=("token", "password"), parent_audit_id="a"
            )
        case "trust" | "impersonating trust":
            trust = directory.add_trust(
                trustor="member",
                trustee="reader",
                project="inventory",
                roles=["member"],
                impersonation=case == "impersonating trust",
            )
            return server.issue(trust=trust.id)
        case "oauth1":
            access = directory.add_oauth1_access(
                consumer_id=uuid.uuid4().hex, user="member", project="inventory", roles=["member"]
            )
            return server.issue(oauth1_access=access.id)
        case _:
            rules: dict[str, list[AccessRule]] = {
                "access rules": [AccessRule("inventory", "GET", "/v1/items")],
                "no access rules": [],
            }
            credential = directory.add_application_credential(
                case,
                user="member",
                project="inventory",
                roles=["member"],
                access_rules=rules.get(case),
            )
            return server.issue(application_credential=credential.id)


def _ask(
    http: requests.Session, url: str, caller: str, subject: str, query: str = ""
) -> requests.Response:
    return http.get(
        f"{url}/auth/tokens{query}",
        headers={
            "X-Auth-Token": caller,
            "X-Subject-Token": subject,
            "OpenStack-Identity-Access-Rules": "1.0",
        },
        timeout=TIMEOUT_SECONDS,
    )


def shape(value: object, path: str = "$") -> set[str]:
    """Return a line for every member of a JSON value, with its path and type.

    The elements of a list are laid over one another, since their number says nothing.
    """
    if isinstance(value, dict):
        return {f"{path} object"}.union(
            *(shape(member, f"{path}.{name}") for name, member in value.items())
        )
    if isinstance(value, list):
        return {f"{path} list"}.union(*(shape(element, f"{path}[]") for element in value))
    if isinstance(value, str) and value.endswith("Z") and value[:2] == "20":
        return {f"{path} time with six digits" if value[-8] == "." else f"{path} time"}
    return {f"{path} {type(value).__name__}"}


@pytest.mark.parametrize("case", CASES)
def test_a_token_body_has_the_members_and_types_of_keystones(
    people: People, embedded: IdentityServer, http: requests.Session, case: str
) -> None:
    caller = people.api.issue_for_admin().id
    real = _issue_for_real(people, case)
    answer = _ask(http, people.api.url, caller, real.id)
    ours = _ask(
        http,
        f"{embedded.url}/v3",
        embedded.issue("service", project="service"),
        _issue_embedded(embedded, case),
    )
    assert (answer.status_code, ours.status_code) == (200, 200)
    assert shape(ours.json()) == shape(answer.json())
    assert real.body["methods"] == answer.json()["token"]["methods"]
    if case != "exchanged":
        assert ours.json()["token"]["methods"] == answer.json()["token"]["methods"]
    else:
        assert set(ours.json()["token"]["methods"]) == set(answer.json()["token"]["methods"])


@pytest.mark.parametrize("case", CASES)
def test_a_jws_has_the_header_and_claims_of_keystones(
    keystone: Keystone, people: People, embedded: IdentityServer, case: str
) -> None:
    real = _decode(_issue_for_real(people, case, keystone.jws.api).id)
    ours = _decode(_issue_embedded(embedded, case))
    assert ours[0] == real[0]
    assert shape(ours[1]) == shape(real[1])


def _decode(token: str) -> tuple[Json, Json]:
    header, claims, _signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")
    )
    return json.loads(header), json.loads(claims)


@pytest.mark.parametrize("path", ["/", "/v3"])
def test_discovery_says_what_keystone_says(
    people: People, embedded: IdentityServer, http: requests.Session, path: str
) -> None:
    root = people.api.url.removesuffix("/v3")
    real = http.get(root + path, timeout=TIMEOUT_SECONDS)
    ours = http.get(embedded.url + path, timeout=TIMEOUT_SECONDS)
    assert ours.status_code == real.status_code
    assert ours.text.replace(embedded.url, "") == real.text.replace(root, "")


@pytest.mark.parametrize(
    ("caller_is_good", "status"), [(True, 404), (False, 401)], ids=["bad subject", "bad caller"]
)
def test_refusals_have_keystones_shape(
    people: People,
    embedded: IdentityServer,
    http: requests.Session,
    *,
    caller_is_good: bool,
    status: int,
) -> None:
    callers = ["garbage", "garbage"]
    if caller_is_good:
        callers = [people.api.issue_for_admin().id, embedded.issue("service", project="service")]
    real = _ask(http, people.api.url, callers[0], "garbage")
    ours = _ask(http, f"{embedded.url}/v3", callers[1], "garbage")
    assert (ours.status_code, real.status_code) == (status, status)
    assert shape(ours.json()) == shape(real.json())
    for name in ("code", "title"):
        assert ours.json()["error"][name] == real.json()["error"][name]
    for name in ("Content-Type", "Vary"):
        assert ours.headers[name] == real.headers[name]
    assert ("WWW-Authenticate" in ours.headers) == ("WWW-Authenticate" in real.headers)


def test_wrong_passwords_are_refused_as_keystone_refuses_them(
    people: People, embedded: IdentityServer, http: requests.Session
) -> None:
    user = {"name": "admin", "domain": {"id": "default"}, "password": "guess"}
    request: Json = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    real, ours = (
        http.post(f"{url}/auth/tokens", json=request, timeout=TIMEOUT_SECONDS)
        for url in (people.api.url, f"{embedded.url}/v3")
    )
    assert (ours.status_code, ours.json()) == (real.status_code, real.json())


def test_nocatalog_leaves_out_what_keystone_leaves_out(
    people: People, embedded: IdentityServer, http: requests.Session
) -> None:
    real = _ask(
        http,
        people.api.url,
        people.api.issue_for_admin().id,
        _issue_for_real(people, "project").id,
        "?nocatalog",
    )
    service = embedded.issue("service", project="service")
    ours = _ask(
        http,
        f"{embedded.url}/v3",
        service,
        _issue_embedded(embedded, "project"),
        "?nocatalog",
    )
    assert shape(ours.json()) == shape(real.json())


def test_a_deleted_token_makes_the_events_keystone_makes(
    people: People, embedded: IdentityServer, http: requests.Session
) -> None:
    api = people.api
    token = _issue_for_real(people, "project")
    api.revoke(token)
    real = [
        event
        for event in api.call("GET", "/OS-REVOKE/events").json()["events"]
        if token.body["audit_ids"][0] in event.values()
    ]
    subject = _issue_embedded(embedded, "project")
    caller = embedded.issue("admin", project="inventory")
    deleted = http.delete(
        f"{embedded.url}/v3/auth/tokens",
        headers={"X-Auth-Token": caller, "X-Subject-Token": subject},
        timeout=TIMEOUT_SECONDS,
    )
    answer = http.get(
        f"{embedded.url}/v3/OS-REVOKE/events",
        headers={"X-Auth-Token": embedded.issue("admin", project="inventory")},
        timeout=TIMEOUT_SECONDS,
    )
    assert deleted.status_code == 204
    assert shape(answer.json()["events"]) == shape(real)
    assert shape(answer.json()["links"]) == shape(
        api.call("GET", "/OS-REVOKE/events").json()["links"]
    )


@pytest.mark.parametrize("kind", ["user", "project", "consumer"])
def test_deleting_emits_the_event_keystone_emits(keystone: Keystone, kind: str) -> None:
    api, server = keystone.fernet.api, IdentityServer()
    match kind:
        case "user":
            subject = api.create_user().id
            api.delete(kind, subject)
            server.delete_user("member")
        case "project":
            subject = api.create_project().id
            api.delete(kind, subject)
            server.delete_project("inventory")
        case _:
            made = api.call("POST", "/OS-OAUTH1/consumers", body={"consumer": {}}).json()
            subject = made["consumer"]["id"]
            api.call("DELETE", f"/OS-OAUTH1/consumers/{subject}")
            server.delete_consumer(subject)
    (real,) = [event for event in api.list_revocation_events() if subject in event.values()]
    (ours,) = server.events_since()
    assert shape(ours.render()) == shape(real)
