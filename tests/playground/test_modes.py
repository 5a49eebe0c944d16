"""Each mode, asked as the page asks: what is shown is what the middleware does."""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import Any

import pytest

from authmw.playground.modes import MODES
from authmw.playground.personas import PERSONAS
from authmw.token import headers
from tests.playground.conftest import Client

pytestmark = pytest.mark.heavy

# mode, persona, whether its token is new: the status, and the stage that refuses the request.
DECISIONS = [
    ("remote", "member", False, 200, None),
    ("remote", "expired", False, 401, "resolve"),
    ("remote", "garbage", False, 401, "resolve"),
    ("remote", "nobody", False, 401, "read"),
    ("offline", "member", False, 200, None),
    ("offline", "guest", False, 200, None),
    ("offline", "system", False, 200, None),
    ("offline", "expired", False, 401, "resolve"),
    ("issuer", "member", False, 200, None),
    ("issuer", "expired", False, 401, "resolve"),
    ("identity-down", "member", False, 200, None),
    ("identity-down", "member", True, 503, "resolve"),
    ("revoked", "member", False, 401, "resolve"),
    ("revoked", "reader", True, 401, "resolve"),
    ("cut-off", "member", False, 200, None),
    ("cut-off", "system", True, 200, None),
    ("cut-off", "guest", True, 200, None),
    ("cut-off", "expired", False, 401, "resolve"),
    ("stale-bundle", "member", False, 503, "resolve"),
]


def run_curl(line: str) -> tuple[int, list[list[str]], str]:
    """Run a curl line of the page; returns status, headers and body."""
    words = shlex.split(line)
    assert words[0] == "curl"
    done = subprocess.run(
        ["curl", "-sS", *words[1:]], capture_output=True, text=True, timeout=60, check=True
    )
    head, _, body = done.stdout.partition("\n\n")
    status, *lines = head.splitlines()
    pairs = [one.split(": ", 1) for one in lines]
    return int(status.split()[1]), pairs, body


def refusing_stage(shown: dict[str, Any]) -> str | None:
    refused = [one["stage"] for one in shown["stages"] if one["state"] == "refused"]
    return refused[0] if refused else None


@pytest.mark.parametrize(("mode", "persona", "is_new", "status", "stage"), DECISIONS)
def test_what_is_shown_is_what_the_middleware_decides(
    client: Client,
    mode: str,
    persona: str,
    is_new: bool,  # noqa: FBT001 - a column of the table
    status: int,
    stage: str | None,
) -> None:
    shown = client.send(mode, persona, new_token=is_new)
    assert (int(shown["status"][:3]), refusing_stage(shown)) == (status, stage)
    assert [one["stage"] for one in shown["stages"]] == [
        "strip",
        "read",
        "resolve",
        "check",
        "answer",
    ]
    assert (shown["service"] is None) == (status != 200)
    # The same request again, by the curl line.
    again, answered, body = run_curl(shown["curl"])
    assert (again, body) == (status, shown["body"])
    for name, value in shown["headers"]:
        # Once the endpoint is known to be down, clients are told to come back sooner.
        assert [name, value] in answered or name == "Retry-After"


def test_every_mode_has_a_row_above() -> None:
    assert {row[0] for row in DECISIONS} == set(MODES)


def test_forged_headers_are_shown_as_removed_and_the_service_got_the_true_ones(
    client: Client,
) -> None:
    forged = [["X-Roles", "admin"], ["x-user-name", "root"], ["X-Identity-Status", "Confirmed"]]
    shown = client.send("offline", headers=[*forged, ["X-Request-Hint", "mine"]])
    assert [(one["name"], one["removed"]) for one in shown["sent"]] == [
        ("X-Roles", True),
        ("x-user-name", True),
        ("X-Identity-Status", True),
        ("X-Request-Hint", False),
    ]
    got = {one["name"]: (one["value"], one["from"]) for one in shown["service"]}
    assert got["X-Roles"] == ("member,reader", "middleware")
    assert got["X-User-Name"] == ("member", "middleware")
    assert got["X-Role"] == ("member,reader", "middleware, deprecated")
    assert got["X-Request-Hint"] == ("mine", "client")
    strip = shown["stages"][0]
    assert strip["decision"] == "removed: X-Identity-Status, X-Roles, X-User-Name"
    assert strip["milliseconds"] > 0


@pytest.mark.parametrize("header", [one.name for one in headers.IDENTITY_HEADERS])
def test_a_rejected_request_shows_each_forged_header_as_removed(
    client: Client, header: str
) -> None:
    shown = client.send("remote", "nobody", headers=[[header, "forged"]])
    assert [one["removed"] for one in shown["sent"]] == [True]
    assert shown["service"] is None


def test_a_second_request_is_answered_from_memory(client: Client) -> None:
    first = client.send("offline", "reader", new_token=True)
    second = client.send("offline", "reader")
    names = [step["name"] for step in first["stages"][2]["steps"]]
    assert "signature and claims" in names
    assert second["stages"][2]["steps"] == []
    assert "in memory" in second["stages"][2]["decision"]
    assert second["milliseconds"] < first["milliseconds"]


@pytest.mark.parametrize(
    ("mode", "step", "decision"),
    [
        ("remote", "the identity service", "it answers that the token is valid"),
        ("offline", "signature and claims", "verified by public.pem"),
        ("issuer", "the issuer", "accepted: admin with admin, manager, member, reader"),
        ("cut-off", "the bundle", "admin with admin, manager, member, reader"),
        ("stale-bundle", "the bundle", "bundle_max_age = 600"),
        ("revoked", "revocation", "revoked: a revocation event of audit_id covers it"),
    ],
)
def test_the_step_that_decides_in_a_mode_is_shown(
    client: Client, mode: str, step: str, decision: str
) -> None:
    shown = client.send(mode, "admin", new_token=True)
    steps = [one for stage in shown["stages"] for one in stage["steps"]]
    said = [one["decision"] for one in steps if one["name"] == step]
    assert any(decision in one for one in said), steps


def test_a_bundle_has_the_roles_that_keystone_says(client: Client) -> None:
    for persona in ("member", "reader", "admin", "guest", "system"):
        by_bundle, by_keystone = (
            {
                one["name"]: one["value"]
                for one in client.send(mode, persona, new_token=True)["service"]
                if one["from"] != "client" and one["name"] != "X-Service-Catalog"
            }
            for mode in ("cut-off", "remote")
        )
        assert by_bundle == by_keystone


def test_a_public_path_needs_no_token(client: Client) -> None:
    shown = client.send("stale-bundle", "garbage", path="/health", headers=[["X-Roles", "admin"]])
    assert shown["status"] == "200 OK"
    assert [one["state"] for one in shown["stages"]] == [
        "passed",
        "passed",
        "not reached",
        "not reached",
        "passed",
    ]
    assert shown["stages"][0]["decision"] == "removed: X-Roles"
    got = {one["name"]: one["value"] for one in shown["service"]}
    assert (got["X-Identity-Status"], "X-Roles" in got) == ("Invalid", False)


def test_metadata_of_the_resource_is_no_decision_about_a_token(client: Client) -> None:
    shown = client.send("issuer", path="/.well-known/oauth-protected-resource")
    assert (shown["status"], shown["service"]) == ("200 OK", None)
    assert refusing_stage(shown) is None
    assert "describes the resource" in shown["stages"][4]["decision"]


def test_a_refusal_of_the_service_is_not_one_of_the_middleware(client: Client) -> None:
    shown = client.send("offline", "reader", method="POST")
    assert shown["status"] == "403 Forbidden"
    assert refusing_stage(shown) is None
    assert run_curl(shown["curl"])[0] == 403


@pytest.mark.parametrize(
    "path", ["/v1/../health", "//health", "/v1/it'ems;$(id)", "/%2e%2e/health"]
)
def test_the_curl_line_is_the_same_request_whatever_the_path(client: Client, path: str) -> None:
    shown = client.send("offline", path=path, headers=[["X-Empty", ""], ["X-Odd", "it's $(id)"]])
    again, _, body = run_curl(shown["curl"])
    assert (again, body) == (int(shown["status"][:3]), shown["body"])


def test_no_token_is_shown_but_in_the_curl_line(client: Client) -> None:
    for mode in MODES:
        for persona in PERSONAS:
            shown = client.send(mode, persona)
            line = shown.pop("curl")
            for token in re.findall(r"(?:X-Auth-Token: |Bearer )([^']{20,})", line):
                assert token not in str(shown)
