"""Every request is counted once, by outcome and reason, and no client can add a series."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import authmw
from authmw.errors import InvalidToken, Reason
from authmw.identity.outcomes import Outcome
from authmw.metrics import REGISTRY
from authmw.testing import Fault, IdentityServer
from authmw.testing.oidc_server import OidcServer
from authmw.token import Token
from tests.support.issuers.filter import IssuerFilter, protect_by
from tests.support.protected import Embed, Protect, Protected
from tests.support.waiting import wait_for

# What a label may say, of any metric, beside reasons, outcomes of calls and names of options.
CLOSED = {
    "outcome": {"accepted", "rejected", "invalid", "open", "metadata"}
    | {"refused", "unavailable", "failed", "answered", "token_refused", "given_up"}
    | {outcome.name.lower() for outcome in Outcome},
    "reason": {reason.value for reason in Reason} | {"unavailable", "internal_error"},
    "level": {"memory", "shared", "authority"},
    "result": {"hit", "miss", "same", "different", "unavailable", "failed"},
    "kind": {"remote", "offline", "issuer", "introspection"},
    "call": {"validate", "probe", "events", "introspect"},
    "subject": {"token", "bearer"},
    "what": {"keys", "revocation", "revocation_list"},
    "source": {"jws_public_key_repository", "jws_jwks_uri", "issuer"},
    "issuer": {"a"},
}

HOSTILE = ["", "x", "a.b.c", '"}', 'outcome="x"', "\x00", "ü" * 50, "gAAAAA", "x" * 9000]

Counted = Callable[..., Protected]


@pytest.fixture
def counted(protect: Protect) -> Counted:
    """Make a protected service that counts; keyword arguments are options."""
    return lambda **options: protect(metrics="registry", **options)


def stats(protected: Protected) -> dict[str, float]:
    return find_filter(protected).stats()


def find_filter(protected: Protected | IssuerFilter) -> authmw.AuthMiddleware:
    app: Any = protected.app.app
    while not isinstance(app, authmw.AuthMiddleware):
        app = app.application if hasattr(app, "application") else app.app
    return app


def decisions(protected: Protected) -> dict[str, float]:
    """Return the decisions that were made, by the values of their labels."""
    return {
        " ".join(re.findall(r'"(\w+)"', series)): value
        for series, value in stats(protected).items()
        if series.startswith("authmw_decisions_total") and value
    }


def test_a_request_is_counted_by_outcome_and_reason(
    counted: Counted, server: IdentityServer
) -> None:
    protected = counted(public_paths="/health")
    token = server.issue(project="inventory")
    service = server.issue("service", project="service")
    for headers in ({}, {}, {"X-Service-Token": service}, {"X-Service-Token": service}):
        protected.get(token, headers=headers)
    protected.get(token, headers={"X-Service-Token": server.issue(project="inventory")})
    protected.get()
    protected.get("made-up")
    protected.get("x" * 9000)
    protected.get(path="/health")
    with server.failing(Fault.ERROR_500, "validate"):
        protected.get("another")
    assert decisions(protected) == {
        "accepted": 4,
        "rejected service_role": 1,
        "rejected missing": 1,
        "rejected not_found": 1,
        "rejected malformed": 1,
        "open": 1,
        "rejected unavailable": 1,
    }


def test_where_the_service_decides_a_refused_token_is_no_rejection(
    counted: Counted, server: IdentityServer
) -> None:
    protected = counted(delay_auth_decision="true")
    token = server.issue(project="inventory")
    protected.get()
    protected.get("made-up")
    # The caller is known, whatever came as the token of a service.
    protected.get(token, headers={"X-Service-Token": "made-up"})
    assert decisions(protected) == {"invalid missing": 1, "invalid not_found": 1, "accepted": 1}


def test_a_refused_service_token_is_the_reason(counted: Counted, server: IdentityServer) -> None:
    protected = counted()
    protected.get(server.issue(project="inventory"), headers={"X-Service-Token": "made-up"})
    assert decisions(protected) == {"rejected not_found": 1}


def test_what_a_hook_refuses_is_counted_apart(embed: Embed, server: IdentityServer) -> None:
    class Strict(authmw.AuthProtocol):
        def on_authenticated(self, environ: dict[str, Any], token: Token) -> None:
            raise InvalidToken(Reason.WRONG_BINDING)

    protected = embed(Strict, metrics="registry")
    protected.get(server.issue(project="inventory"))
    found = stats(protected)
    assert decisions(protected) == {"accepted": 1}
    assert found['authmw_hook_refusals_total{reason="wrong_binding"}'] == 1


def test_a_fault_of_ours_is_counted(counted: Counted) -> None:
    protected = counted()
    authenticator = find_filter(protected)._parts.authenticator
    # No server sends such an environ.
    assert authenticator.authenticate({"HTTP_X_AUTH_TOKEN": 1}) is not None
    assert decisions(protected) == {"rejected internal_error": 1}


def test_look_ups_and_validations_say_where_a_token_was_found(
    counted: Counted, server: IdentityServer, memcached: Any
) -> None:
    token = server.issue(project="inventory")
    for protected in (
        first := counted(memcached_servers=memcached.address),
        second := counted(memcached_servers=memcached.address),
    ):
        protected.get(token)
        protected.get(token)
    found = stats(first)
    assert found['authmw_cache_lookups_total{level="memory",result="miss"}'] == 1
    assert found['authmw_cache_lookups_total{level="memory",result="hit"}'] == 1
    assert found['authmw_cache_lookups_total{level="shared",result="miss"}'] == 1
    assert found['authmw_validation_duration_seconds_count{kind="remote",outcome="accepted"}'] == 1
    assert found['authmw_identity_calls_total{call="validate",outcome="answered"}'] == 1
    found = stats(second)
    assert found['authmw_cache_lookups_total{level="shared",result="hit"}'] == 1
    assert 'authmw_identity_calls_total{call="validate",outcome="answered"}' not in found
    assert found['authmw_memory_entries{subject="token"}'] == 1
    assert found['authmw_memory_bytes{subject="token"}'] > 400


def test_a_cache_that_is_away_is_a_fault(counted: Counted, server: IdentityServer) -> None:
    protected = counted(memcached_servers="127.0.0.1:1")
    protected.get(server.issue(project="inventory"))
    assert stats(protected)["authmw_cache_faults_total"] > 0


def test_concurrent_requests_that_share_a_validation_are_counted(
    counted: Counted, server: IdentityServer
) -> None:
    protected = counted()
    protected.get(server.issue(project="inventory"))
    token = server.issue(project="inventory")
    series = 'authmw_flights_joined_total{subject="token"}'
    with server.lock:
        threads = [threading.Thread(target=protected.get, args=(token,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        # All of them wait, one for the server and the others for that one.
        wait_for(lambda: False, 1)
    for thread in threads:
        thread.join()
    found = stats(protected)
    assert found[series] + found['authmw_cache_lookups_total{level="memory",result="hit"}'] == 3
    assert found[series] > 0


@pytest.fixture
def keys(tmp_path: Path, server: IdentityServer) -> Path:
    repository = tmp_path / "keys"
    repository.mkdir(mode=0o755)
    server.issuer.write_public_key(repository)
    return repository


def test_keys_events_and_the_bearers_of_signed_tokens(
    counted: Counted, server: IdentityServer, keys: Path
) -> None:
    protected = counted(jws_public_key_repository=str(keys), revocation_poll_interval="1")
    # Nobody has read any yet, which is no lack of keys to be woken for.
    assert not any(series.startswith("authmw_keys") for series in stats(protected))
    for _ in range(2):
        assert protected.get(server.issue_jws(project="inventory")).status_int == 200
    server.revoke(server.issue(project="inventory"))
    source = 'source="jws_public_key_repository"'
    found = stats(protected)
    assert found[f"authmw_keys{{{source}}}"] == 1
    assert found[f"authmw_keys_last_read_timestamp_seconds{{{source}}}"] > 1_700_000_000
    assert found["authmw_revocation_last_answer_timestamp_seconds"] > 1_700_000_000
    assert found['authmw_cache_lookups_total{level="authority",result="miss"}'] == 1
    assert found['authmw_cache_lookups_total{level="authority",result="hit"}'] == 1
    assert found['authmw_validation_duration_seconds_count{kind="offline",outcome="accepted"}'] == 2
    assert found["authmw_identity_breaker_state"] == 0
    assert wait_for(lambda: stats(protected)["authmw_revocation_events"] >= 1)
    keys.rename(keys.with_name("gone"))
    assert wait_for(lambda: stats(protected)['authmw_refresh_failures_total{what="keys"}'] >= 1)


def test_an_outage_shows_in_the_breaker_and_the_refreshes(
    counted: Counted, server: IdentityServer
) -> None:
    protected = counted(revocation_poll_interval="1", http_request_max_retries="0")
    protected.get(server.issue(project="inventory"))
    server.stop()
    protected.get("made-up")
    assert wait_for(lambda: stats(protected)["authmw_identity_breaker_state"] == 2)
    found = stats(protected)
    assert found['authmw_identity_calls_total{call="validate",outcome="connect_failed"}'] == 1
    assert wait_for(
        lambda: stats(protected)['authmw_refresh_failures_total{what="revocation"}'] > 0
    )
    server.start()
    assert wait_for(lambda: stats(protected)["authmw_identity_breaker_state"] == 0)


def test_shadow_validation_counts_what_agrees_and_what_does_not(
    counted: Counted, server: IdentityServer, keys: Path
) -> None:
    protected = counted(
        jws_public_key_repository=str(keys), shadow_validation="true", revocation_poll_interval="1"
    )
    protected.get(server.issue_jws(project="inventory"))
    assert stats(protected)['authmw_shadow_comparisons_total{result="same"}'] == 1
    (path,) = keys.iterdir()
    path.rename(path.with_name("away.txt"))
    # Offline nobody verifies it any more.
    assert wait_for(
        lambda: (
            protected.get(server.issue_jws(project="inventory")).status_int == 200
            and {
                'authmw_shadow_comparisons_total{result="unavailable"}',
                'authmw_shadow_comparisons_total{result="different"}',
            }
            & stats(protected).keys()
        )
    )


def test_no_client_can_add_a_series(counted: Counted) -> None:
    protected = counted(delay_auth_decision="true")
    for name in ("HTTP_X_AUTH_TOKEN", "HTTP_X_SERVICE_TOKEN", "HTTP_X_STORAGE_TOKEN"):
        for text in HOSTILE:
            for path in ("/", f"/{text}"):
                protected.app.get("/", extra_environ={name: text, "PATH_INFO": path}, status="*")
    for series in stats(protected):
        for label, value in re.findall(r'(\w+)="([^"]*)"', series):
            assert label == "le" or value in CLOSED[label], series


@pytest.mark.parametrize("profile", ["rfc9068", "introspection"])
def test_an_issuer_is_counted_by_the_name_it_is_configured_by(profile: str) -> None:
    kind = "issuer" if profile == "rfc9068" else profile
    with OidcServer() as server:
        options = {"issuer__a__profile": profile, "metrics": "registry"}
        if profile == "introspection":
            options["issuer__a__client_id"] = server.client_id
            options["issuer__a__client_secret"] = server.client_secret
        protected = protect_by(server, **options)
        issue = server.issue if kind == "issuer" else server.issue_opaque
        token = issue("ada")
        assert [protected.status_of(each) for each in (token, token, f"{token[:-4]}AAAA")] == [
            200,
            200,
            401,
        ]
        found = find_filter(protected).stats()
        protected.close()
    duration = f'authmw_validation_duration_seconds_count{{kind="{kind}",issuer="a",outcome='
    assert found[f'{duration}"accepted"}}'] == 1
    assert found[f'{duration}"refused"}}'] == 1
    assert found['authmw_decisions_total{outcome="accepted"}'] == 2
    if kind == "issuer":
        assert found['authmw_keys{issuer="a",source="issuer"}'] == 1
    else:
        calls = 'authmw_identity_calls_total{issuer="a",call="introspect",outcome="answered"}'
        assert found[calls] == 2
        assert found['authmw_identity_breaker_state{issuer="a"}'] == 0


def test_without_metrics_nothing_is_said_of_requests(
    protect: Protect, server: IdentityServer
) -> None:
    protected = protect()
    protected.get(server.issue(project="inventory"))
    found = stats(protected)
    assert not any(series.startswith("authmw_decisions") for series in found)
    assert not any('level="memory"' in series for series in found)
    # What takes long is counted anyway.
    assert found['authmw_identity_calls_total{call="validate",outcome="answered"}'] == 1
    assert REGISTRY.read() is not None


def test_the_process_counts_all_its_filters_and_forgets_none(
    counted: Counted, server: IdentityServer
) -> None:
    before = authmw.metrics.stats().get('authmw_decisions_total{outcome="accepted"}', 0)
    first, second = counted(), counted()
    token = server.issue(project="inventory")
    first.get(token)
    second.get(token)
    find_filter(first).close()
    found = authmw.metrics.stats()
    assert found['authmw_decisions_total{outcome="accepted"}'] == before + 2
    assert found['authmw_memory_entries{subject="token"}'] == 1
