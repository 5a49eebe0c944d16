"""`authmw doctor` names every seeded fault with cause and fix, and says nothing of a good site."""

from __future__ import annotations

import io
import json
import sys
import time
from typing import Any

import pytest

from authmw.cli import main
from tests.support.faults import clients
from tests.support.faults.fault import Fault, Good
from tests.support.faults.site import SECRET, Site
from tests.support.faults.table import FAULTS, GOOD, as_parameters

# An operator waits for it: the slowest fault takes the time-outs of the filter.
_LONGEST_SECONDS = 20


class Doctor:
    """Runs the command in this process, as in a shell."""

    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._patch = patch

    def examine(self, site: Site, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        """Return the exit status, and the checks of the JSON document."""
        if site.clock_ahead:
            real = time.time
            self._patch.setattr(time, "time", lambda: real() + site.clock_ahead)
        self._patch.setattr(sys, "stdin", io.StringIO(f"X-Auth-Token: {site.token}\n"))
        status = main(["doctor", *site.write(), "--json", *arguments])
        printed = self._capsys.readouterr()
        for text in (printed.out, printed.err):
            for secret in (SECRET, site.people.service.password, site.token):
                assert secret not in text
        assert printed.err == ""
        checks: list[dict[str, Any]] = json.loads(printed.out)["checks"]
        return status, checks


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Doctor:
    return Doctor(capsys, monkeypatch)


def described(checks: list[dict[str, Any]], *statuses: str) -> list[str]:
    return [
        f"{one['status']} {one['check']}: {one['detail']} | {one['fix']}"
        for one in checks
        if one["status"] in statuses
    ]


@pytest.mark.slow
@pytest.mark.parametrize("fault", as_parameters(FAULTS))
def test_a_fault_is_named_with_cause_and_fix(fault: Fault, site: Site, doctor: Doctor) -> None:
    fault.seed(site)
    began = time.monotonic()
    status, checks = doctor.examine(site)
    assert time.monotonic() - began < _LONGEST_SECONDS
    found = described(checks, "warn", "fail", "error")
    named = [line for line in found if line.startswith(f"{fault.level} {fault.check}")]
    assert any(all(word in line for word in fault.words) for line in named), "\n".join(found)
    # Nothing else is blamed before it.
    assert found[0] in named, "\n".join(found)
    assert status == (1 if described(checks, "fail") else 0)
    assert not described(checks, "error")


@pytest.mark.slow
@pytest.mark.parametrize("good", as_parameters(GOOD))
def test_nothing_is_said_about_a_good_deployment(good: Good, site: Site, doctor: Doctor) -> None:
    good.seed(site)
    status, checks = doctor.examine(site, "--token", "-")
    assert described(checks, "warn", "fail", "error") == []
    assert status == 0
    assert described(checks, "pass")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("role", "status", "words"),
    [
        ("reader", "fail", "may not have others' tokens validated (its roles: reader)"),
        ("service", "pass", "the given token was validated with our roles: service"),
    ],
)
def test_our_role_is_judged_by_the_token_that_is_given(
    role: str, status: str, words: str, site: Site, doctor: Doctor
) -> None:
    user = site.people.make_user(site.people.api.find_role(role))
    site.options.update(username=user.name, password=user.password)
    _, checks = doctor.examine(site, "--token", "-")
    (judged,) = [check for check in checks if check["check"] == "identity role"]
    assert judged["status"] == status
    assert words in judged["detail"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("roles", "noted"),
    [
        ("services", ["a service token needs one of services; our own user has service"]),
        ("service,x", []),
    ],
)
def test_a_service_role_that_our_own_user_lacks_is_noted(
    roles: str, noted: list[str], site: Site, doctor: Doctor
) -> None:
    site.options["service_token_roles"] = roles
    status, checks = doctor.examine(site)
    found = [check for check in checks if check["check"] == "service_token_roles"]
    assert [check["detail"].partition(": ")[0] for check in found] == noted
    assert status == 0


@pytest.mark.slow
@pytest.mark.parametrize("has_filter", [True, False], ids=["a filter", "no filter"])
def test_a_long_token_reaches_a_filter_that_is_known_to_be_there(
    has_filter: bool,  # noqa: FBT001
    site: Site,
    doctor: Doctor,
) -> None:
    (clients.lock if has_filter else clients.serve_unprotected)(site)
    _, checks = doctor.examine(site)
    (judged,) = [check for check in checks if check["check"] == "service header limits"]
    assert judged["status"] == "pass"
    assert ("reaches the filter" in judged["detail"]) is has_filter


def test_there_are_forty_faults_and_each_has_a_name_of_its_own() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 40
