"""The embedded identity server, over real HTTP."""

from __future__ import annotations

import concurrent.futures
import datetime
import email.utils
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from keystoneauth1 import adapter, exceptions, session
from keystoneauth1.identity import v3
from keystoneauth1.identity.base import BaseIdentityPlugin

from authmw.testing import AccessRule, Fault, IdentityApiError, IdentityServer
from authmw.testing.revocations import RevokedAttributes
from tests.support.clock import Clock
from tests.support.programs import run_python

TIMEOUT_SECONDS = 10
MEMBER = {"username": "member", "password": "member-password", "user_domain_name": "Default"}
INVENTORY = {"project_name": "inventory", "project_domain_name": "Default"}


@pytest.fixture
def clock() -> Clock:
    return Clock(1_700_000_000.0)


@pytest.fixture
def server(clock: Clock) -> Iterator[IdentityServer]:
    with IdentityServer(clock=clock) as running:
        yield running


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        yield opened


def _password(server: IdentityServer, **options: Any) -> v3.Password:
    return v3.Password(auth_url=f"{server.url}/v3", **options)


def _token(plugin: BaseIdentityPlugin, http: requests.Session) -> str:
    access = plugin.get_access(session.Session(session=http, timeout=TIMEOUT_SECONDS))
    assert access.auth_token is not None
    return access.auth_token


def _client(
    server: IdentityServer, http: requests.Session, plugin: v3.Password | None = None
) -> adapter.Adapter:
    """Return a client that calls as user `service`, or as the plugin says."""
    options = {
        name: value
        for name, value in server.service_credentials.items()
        if name not in ("auth_type", "auth_url", "www_authenticate_uri")
    }
    return adapter.Adapter(
        session.Session(
            auth=plugin or _password(server, **options), session=http, timeout=TIMEOUT_SECONDS
        ),
        service_type="identity",
        interface="public",
        raise_exc=False,
        version="3",
    )


def _validate(client: adapter.Adapter, token: str, query: str = "") -> requests.Response:
    answer = client.get(
        f"/auth/tokens{query}",
        headers={"X-Subject-Token": token, "OpenStack-Identity-Access-Rules": "1.0"},
    )
    assert isinstance(answer, requests.Response)
    return answer


@pytest.mark.heavy
def test_importing_the_package_starts_and_loads_nothing() -> None:
    code = (
        "import sys, threading, authmw.testing;"
        "assert threading.active_count() == 1;"
        "assert 'authmw.testing.identity_server' not in sys.modules;"
        "assert 'socketserver' not in sys.modules"
    )
    finished = run_python("-c", code, timeout=30)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_every_public_name_can_be_imported() -> None:
    import authmw.testing

    for name in authmw.testing.__all__:
        found = getattr(authmw.testing, name)
        assert getattr(found, "__name__", name) == name  # a constant has none
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = authmw.testing.nothing


def test_discovery_names_version_3_at_the_servers_own_address(
    server: IdentityServer, http: requests.Session
) -> None:
    versions = http.get(server.url, timeout=TIMEOUT_SECONDS)
    version = http.get(f"{server.url}/v3", timeout=TIMEOUT_SECONDS)
    assert (versions.status_code, version.status_code) == (300, 200)
    assert versions.json()["versions"]["values"] == [version.json()["version"]]
    assert version.json()["version"]["links"] == [{"rel": "self", "href": f"{server.url}/v3/"}]
    discovered = _client(server, http).get_endpoint_data()
    assert discovered is not None
    assert (discovered.url, discovered.api_version) == (f"{server.url}/v3/", (3, 14))


@pytest.mark.parametrize(
    ("scope", "member"),
    [
        ({"project_name": "inventory", "project_domain_name": "Default"}, "project"),
        ({"domain_name": "Default"}, "domain"),
        ({"system_scope": "all"}, "system"),
        ({"unscoped": True}, None),
    ],
    ids=["project", "domain", "system", "unscoped"],
)
def test_password_gives_a_token_of_the_scope_that_validates(
    server: IdentityServer,
    http: requests.Session,
    scope: dict[str, str],
    member: str | None,
) -> None:
    admin = {"username": "admin", "password": "admin-password", "user_domain_name": "Default"}
    token = _token(_password(server, **admin, **scope), http)
    answer = _validate(_client(server, http), token)
    assert answer.status_code == 200
    body = answer.json()["token"]
    assert body["user"]["name"] == "admin"
    assert {"project", "domain", "system"} & set(body) == ({member} if member else set())
    assert ("catalog" in body, "roles" in body) == (member is not None,) * 2
    assert answer.headers["X-Subject-Token"] == token
    if member:
        assert [role["name"] for role in body["roles"]] == ["admin", "manager", "member", "reader"]


def test_a_token_exchanged_for_another_stays_in_its_chain_and_time(
    server: IdentityServer, http: requests.Session, clock: Clock
) -> None:
    first = server.issue("member")
    clock.now += 600
    plugin = v3.Token(
        auth_url=f"{server.url}/v3",
        token=first,
        project_name="inventory",
        project_domain_name="Default",
    )
    parent, child = server.grant_of(first), server.grant_of(_token(plugin, http))
    assert child.audit_ids[1:] == parent.audit_ids
    assert child.methods == ("token", "password")
    assert (child.expires_at, child.issued_at) == (parent.expires_at, parent.issued_at + 600)


def test_revoking_the_first_token_of_a_chain_revokes_those_made_from_it(
    server: IdentityServer,
) -> None:
    first = server.issue("member")
    second = server.issue(
        "member", project="inventory", parent_audit_id=server.grant_of(first).audit_ids[0]
    )
    server.revoke(first)
    with pytest.raises(IdentityApiError, match="revoked"):
        server.grant_of(second)


@pytest.mark.parametrize(
    "wrong",
    [{"password": "guess"}, {"username": "nobody"}, {"user_domain_name": "partners"}],
    ids=["password", "name", "domain"],
)
def test_wrong_credentials_are_a_401_that_does_not_say_which(
    server: IdentityServer, http: requests.Session, wrong: dict[str, str]
) -> None:
    plugin = _password(server, **(MEMBER | INVENTORY | wrong))
    with pytest.raises(exceptions.Unauthorized, match="requires authentication"):
        _token(plugin, http)


def test_an_application_credential_carries_its_roles_and_access_rules(
    server: IdentityServer, http: requests.Session
) -> None:
    credential = server.directory.add_application_credential(
        "backup",
        user="member",
        project="inventory",
        roles=["reader"],
        access_rules=[AccessRule(service="inventory", method="GET", path="/v1/items")],
    )
    plugin = v3.ApplicationCredential(
        auth_url=f"{server.url}/v3",
        application_credential_id=credential.id,
        application_credential_secret="backup-secret",
    )
    token = _token(plugin, http)
    client = _client(server, http)
    body = _validate(client, token).json()["token"]
    (rule,) = body["application_credential"]["access_rules"]
    assert (rule["service"], rule["method"], rule["path"]) == ("inventory", "GET", "/v1/items")
    assert [role["name"] for role in body["roles"]] == ["reader"]
    assert body["methods"] == ["application_credential"]
    ignorant = client.get("/auth/tokens", headers={"X-Subject-Token": token})
    assert ignorant.status_code == 404
    assert ignorant.json()["error"]["message"] == "The caller does not support access rules."


@pytest.mark.parametrize(("impersonation", "user"), [(True, "member"), (False, "reader")])
def test_a_trust_shows_the_trustor_only_when_it_impersonates(
    server: IdentityServer, http: requests.Session, *, impersonation: bool, user: str
) -> None:
    trust = server.directory.add_trust(
        trustor="member",
        trustee="reader",
        project="inventory",
        roles=["member"],
        impersonation=impersonation,
    )
    reader = {"username": "reader", "password": "reader-password", "user_domain_name": "Default"}
    token = _token(_password(server, **reader, trust_id=trust.id), http)
    client = _client(server, http)
    body = _validate(client, token).json()["token"]
    assert body["user"]["name"] == user
    assert body["OS-TRUST:trust"]["trustee_user"]["id"] == server.directory.user("reader").id
    assert [role["name"] for role in body["roles"]] == ["member", "reader"]
    server.remove_role("member", "member", project="inventory")
    assert _validate(client, token).status_code == 403


def test_an_invalid_subject_token_is_keystones_404(
    server: IdentityServer, http: requests.Session
) -> None:
    answer = _validate(_client(server, http), "no such token")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == {
        "error": {
            "code": 404,
            "message": "Could not recognize this token.",
            "title": "Not Found",
        }
    }


def test_a_caller_without_a_good_token_of_its_own_is_a_401(
    server: IdentityServer, http: requests.Session
) -> None:
    headers = {"X-Subject-Token": server.issue(), "X-Auth-Token": "garbage"}
    answer = http.get(f"{server.url}/v3/auth/tokens", headers=headers, timeout=TIMEOUT_SECONDS)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{server.url}/v3"'
    assert answer.json()["error"]["title"] == "Unauthorized"


def test_a_user_may_validate_its_own_token_and_no_other(
    server: IdentityServer, http: requests.Session
) -> None:
    own, other = server.issue("member", project="inventory"), server.issue("admin", system=True)
    statuses = [
        http.get(
            f"{server.url}/v3/auth/tokens",
            headers={"X-Auth-Token": caller, "X-Subject-Token": subject},
            timeout=TIMEOUT_SECONDS,
        ).status_code
        for caller, subject in ((own, own), (own, other), (other, own))
    ]
    assert statuses == [200, 403, 200]


def test_head_says_the_same_as_get_without_a_body(
    server: IdentityServer, http: requests.Session
) -> None:
    client = _client(server, http)
    answer = client.head("/auth/tokens", headers={"X-Subject-Token": server.issue()})
    assert (answer.status_code, answer.content) == (200, b"")
    assert client.head("/auth/tokens", headers={"X-Subject-Token": "x"}).status_code == 404


def test_allow_expired_reaches_back_two_days_and_no_further(
    server: IdentityServer, http: requests.Session, clock: Clock
) -> None:
    token = server.issue("member", project="inventory")
    client = _client(server, http)
    statuses = []
    for seconds in (3599, 3600, 3600 + 172_799, 3600 + 172_800):
        clock.now = 1_700_000_000.0 + seconds
        client.invalidate()
        statuses.append(
            (
                _validate(client, token).status_code,
                _validate(client, token, "?allow_expired=1").status_code,
            )
        )
    assert statuses == [(200, 200), (404, 200), (404, 200), (404, 404)]


def test_an_expired_token_can_be_made_of_an_opaque_one_but_not_of_a_jws(
    server: IdentityServer,
) -> None:
    token = server.issue()
    server.expire(token)
    with pytest.raises(IdentityApiError, match="expired"):
        server.grant_of(token)
    with pytest.raises(ValueError, match="issue it with expires_in=-1"):
        server.expire(server.issue_jws())


def test_nocatalog_leaves_the_catalog_out(server: IdentityServer, http: requests.Session) -> None:
    answer = _validate(_client(server, http), server.issue(project="inventory"), "?nocatalog")
    assert "catalog" not in answer.json()["token"]


def test_a_catalog_of_450_endpoints_makes_a_body_of_some_93_kilobytes(
    http: requests.Session,
) -> None:
    with IdentityServer(endpoint_count=450) as server:
        answer = _validate(_client(server, http), server.issue(project="inventory"))
        endpoints = [
            endpoint["url"]
            for service in answer.json()["token"]["catalog"]
            if service["type"] != "identity"
            for endpoint in service["endpoints"]
        ]
    assert len(set(endpoints)) == 450
    assert 85_000 < len(answer.content) < 101_000


def test_deleting_a_token_emits_its_events_and_ends_it(
    server: IdentityServer, http: requests.Session, clock: Clock
) -> None:
    token = server.issue("member", project="inventory")
    audit_id = server.grant_of(token).audit_ids[0]
    client = _client(server, http)
    client.get_token()
    clock.now += 10
    revoked = client.delete("/auth/tokens", headers={"X-Subject-Token": token})
    assert (revoked.status_code, revoked.content) == (204, b"")
    assert _validate(client, token).status_code == 404
    answer = client.get("/OS-REVOKE/events")
    times = {"issued_before": "2023-11-14T22:13:30.000000Z"} | {
        "revoked_at": "2023-11-14T22:13:30.000000Z"
    }
    assert answer.json() == {
        "events": [{"audit_id": audit_id} | times, {"audit_chain_id": audit_id} | times],
        "links": {"next": None, "self": f"{server.url}/v3/OS-REVOKE/events", "previous": None},
    }


def test_events_are_those_revoked_in_a_later_second_than_since(
    server: IdentityServer, http: requests.Session, clock: Clock
) -> None:
    for seconds in (0, 10, 20):
        server.emit(RevokedAttributes(user_id=f"u{seconds}"), revoked_at=clock.now + seconds)
    client = _client(server, http)

    def since(seconds: float) -> list[str]:
        moment = datetime.datetime.fromtimestamp(clock.now + seconds, datetime.UTC)
        query = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        answer = client.get(f"/OS-REVOKE/events?since={query}")
        return [event["user_id"] for event in answer.json()["events"]]

    assert (since(-1), since(0.5), since(20)) == (["u0", "u10", "u20"], ["u10", "u20"], [])
    assert client.get("/OS-REVOKE/events?since=yesterday").status_code == 400


def test_the_date_header_follows_the_servers_clock(
    server: IdentityServer, http: requests.Session, clock: Clock
) -> None:
    answer = http.get(server.url, timeout=TIMEOUT_SECONDS)
    assert email.utils.parsedate_to_datetime(answer.headers["Date"]).timestamp() == clock.now


def test_events_are_for_admins_and_services_alone(
    server: IdentityServer, http: requests.Session
) -> None:
    statuses = {
        user: http.get(
            f"{server.url}/v3/OS-REVOKE/events",
            headers={"X-Auth-Token": server.issue(user, project=project)},
            timeout=TIMEOUT_SECONDS,
        ).status_code
        for user, project in (("member", "inventory"), ("admin", "inventory"), ("service",) * 2)
    }
    assert statuses == {"member": 403, "admin": 200, "service": 200}


CHANGES: dict[str, tuple[Callable[[IdentityServer], None], list[str]]] = {
    "user disabled": (lambda server: server.disable_user("member"), ["user_id"]),
    "user deleted": (lambda server: server.delete_user("member"), ["user_id"]),
    "password": (lambda server: server.change_password("member", "new"), ["user_id"]),
    "project disabled": (lambda server: server.disable_project("inventory"), []),
    "project deleted": (lambda server: server.delete_project("inventory"), ["project_id"]),
    "domain disabled": (lambda server: server.disable_domain("Default"), []),
    "role": (lambda server: server.remove_role("member", "member", project="inventory"), []),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_ends_tokens_and_emits_what_keystone_emits(
    server: IdentityServer, what: str
) -> None:
    change, attributes = CHANGES[what]
    tokens = [
        server.issue("member", project="inventory"),
        server.issue_jws("member", project="inventory"),
    ]
    change(server)
    assert [list(event.attributes.stated()) for event in server.events_since()] == [
        [name] for name in attributes
    ]
    for token in tokens:
        with pytest.raises(IdentityApiError) as refusal:
            server.validate(token)
        assert refusal.value.status == 404


def test_issuing_for_a_scope_without_roles_says_so_at_once(server: IdentityServer) -> None:
    with pytest.raises(IdentityApiError, match="User reader holds no role on the scope"):
        server.issue("reader", project="billing")
    with pytest.raises(ValueError, match="a token has one scope"):
        server.issue("admin", project="inventory", system=True)
    with pytest.raises(LookupError, match="no project 'nowhere'"):
        server.issue("admin", project="nowhere")


def test_calls_are_counted_by_kind_and_logged_without_tokens(
    server: IdentityServer, http: requests.Session
) -> None:
    # The client would renew at once what expires by its own clock.
    server.clock = time.time
    token = server.issue("member", project="inventory")
    client = _client(server, http)
    for _ in range(3):
        assert _validate(client, token).status_code == 200
    assert server.calls == {"issue": 1, "validate": 3}
    assert token not in repr(server.requests)
    assert len({seen.subject for seen in server.requests if seen.call == "validate"}) == 1
    server.forget_requests()
    assert (server.calls["validate"], server.requests) == (0, ())


@pytest.mark.parametrize(
    ("fault", "status", "content_type"),
    [
        (Fault.ERROR_500, 500, "application/json"),
        (Fault.ERROR_503, 503, "application/json"),
        (Fault.ERROR_413, 413, "application/json"),
        (Fault.ERROR_429, 429, "application/json"),
        (Fault.UNAUTHORIZED, 401, "application/json"),
        (Fault.FORBIDDEN, 403, "application/json"),
        (Fault.HTML, 200, "text/html"),
        (Fault.HTML_404, 404, "text/html"),
        (Fault.NOT_JSON, 200, "application/json"),
        (Fault.ODD_JSON, 200, "application/json"),
        (Fault.REDIRECT, 302, None),
    ],
)
def test_a_fault_replaces_the_answer_until_it_ends(
    server: IdentityServer,
    http: requests.Session,
    fault: Fault,
    status: int,
    content_type: str | None,
) -> None:
    server.fault = fault
    broken = http.get(f"{server.url}/v3", timeout=TIMEOUT_SECONDS, allow_redirects=False)
    server.fault = None
    assert (broken.status_code, broken.headers.get("Content-Type")) == (status, content_type)
    assert http.get(f"{server.url}/v3", timeout=TIMEOUT_SECONDS).status_code == 200


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HALF_BODY])
def test_a_broken_connection_breaks_one_kind_of_request_only(
    server: IdentityServer, http: requests.Session, fault: Fault
) -> None:
    client = _client(server, http)
    token = server.issue()
    with server.failing(fault, "validate"):
        with pytest.raises(exceptions.ConnectionError):
            _validate(client, token)
        assert client.get("/OS-REVOKE/events").status_code == 200
    assert _validate(client, token).status_code == 200


def test_a_hanging_request_ends_with_the_fault(
    server: IdentityServer, http: requests.Session
) -> None:
    server.fault = Fault.HANG
    with pytest.raises(requests.ReadTimeout):
        http.get(server.url, timeout=0.1)
    answered = threading.Event()

    def ask() -> None:
        with pytest.raises(requests.ConnectionError):
            requests.get(server.url, timeout=TIMEOUT_SECONDS)
        answered.set()

    asking = threading.Thread(target=ask)
    asking.start()
    while server.calls["discover"] < 2:
        threading.Event().wait(0.005)
    assert not answered.is_set()
    server.fault = None
    asking.join(TIMEOUT_SECONDS)
    assert answered.is_set()


def test_a_server_can_be_stopped_while_requests_hang(server: IdentityServer) -> None:
    server.fault = Fault.HANG
    port = int(server.url.rsplit(":", 1)[1])
    name = f"loopback server on port {port}"
    assert name in {thread.name for thread in threading.enumerate()}
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(TIMEOUT_SECONDS)
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while not server.calls["discover"]:
            threading.Event().wait(0.005)
        server.stop()
        assert client.recv(100) == b""
    # Other servers may run, such as that of the fixture `authmw_cloud`.
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(name)]


def test_a_restarted_server_has_the_same_port_and_tokens(
    server: IdentityServer, http: requests.Session
) -> None:
    url, token = server.url, server.issue("member", project="inventory")
    client = _client(server, http)
    assert _validate(client, token).status_code == 200
    server.stop()
    assert not server.is_running
    with pytest.raises(exceptions.ConnectFailure):
        _validate(client, token)
    server.start()
    assert server.url == url
    assert _validate(client, token).status_code == 200
    server.restart()
    assert _validate(client, token).status_code == 200


def test_stopping_twice_is_harmless_and_starting_twice_is_a_mistake(
    server: IdentityServer,
) -> None:
    with pytest.raises(RuntimeError, match="running already"):
        server.start()
    server.stop()
    server.stop()


def test_connections_are_kept_alive(server: IdentityServer) -> None:
    with socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1]))) as client:
        client.settimeout(TIMEOUT_SECONDS)
        for _ in range(2):
            client.sendall(b"GET /v3 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_many_threads_at_once_each_get_their_own_answer(server: IdentityServer) -> None:
    users = ["admin", "member", "reader"] * 8
    tokens = [server.issue(user, project="inventory") for user in users]
    service = server.issue("service", project="service")

    def ask(token: str) -> str:
        answer = requests.get(
            f"{server.url}/v3/auth/tokens",
            headers={"X-Auth-Token": service, "X-Subject-Token": token},
            timeout=TIMEOUT_SECONDS,
        )
        return str(answer.json()["token"]["user"]["name"])

    with concurrent.futures.ThreadPoolExecutor(len(tokens)) as pool:
        assert list(pool.map(ask, tokens)) == users
    assert server.calls["validate"] == len(tokens)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/v3/users", None, 404, "There is nothing at this path."),
        ("PUT", "/v3/auth/tokens", None, 405, "This method is not allowed here."),
        ("POST", "/v3/auth/tokens", "{", 400, "The body is not JSON."),
        ("POST", "/v3/auth/tokens", "[]", 400, "Expected a JSON object."),
        ("POST", "/v3/auth/tokens", "{}", 400, "Expected an object 'auth'."),
        (
            "POST",
            "/v3/auth/tokens",
            '{"auth": {"identity": {"methods": []}}}',
            400,
            "Name one authentication method.",
        ),
    ],
)
def test_a_request_not_understood_gets_keystones_kind_of_error(
    server: IdentityServer,
    http: requests.Session,
    method: str,
    path: str,
    body: str | None,
    status: int,
    message: str,
) -> None:
    answer = http.request(method, server.url + path, data=body, timeout=TIMEOUT_SECONDS)
    assert (answer.status_code, answer.json()["error"]["message"]) == (status, message)


def test_service_credentials_configure_a_keystoneauth_plugin(
    server: IdentityServer, http: requests.Session
) -> None:
    client = _client(server, http)
    token = client.get_token()
    assert token is not None
    assert server.grant_of(token).user_id == server.directory.user("service").id
