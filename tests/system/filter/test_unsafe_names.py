"""A name that no header can carry is refused, and doc/migration.rst tells how to find it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from authmw.testing import IdentityServer
from tests.support.programs import ROOT
from tests.support.protected import Protect

pytestmark = pytest.mark.both_doors

GUIDE = ROOT / "doc" / "migration.rst"
CONTROLS = ("\n", "\r", "\t", "\x00", "\x7f", "\x85")


def issue(server: IdentityServer, what: str, name: str) -> str:
    """Issue a token that says this name of its user, project, domain or role."""
    names = {"user": "alice", "project": "tea", "domain": "east", "role": "member", what: name}
    directory = server.directory
    if what == "domain":
        directory.add_domain(names["domain"])
    if what == "role":
        directory.add_role(names["role"])
    domain = names["domain"] if what == "domain" else "default"
    directory.add_user(names["user"], domain=domain)
    directory.add_project(names["project"], domain=domain)
    directory.assign(names["role"], names["user"], project=names["project"])
    return server.issue(names["user"], project=names["project"])


@pytest.mark.parametrize("what", ["user", "project", "domain", "role"])
@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("delay", ["false", "true"])
def test_such_a_name_is_refused_and_the_log_says_why(
    protect: Protect,
    server: IdentityServer,
    what: str,
    control: str,
    delay: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "authmw")
    protected = protect(delay_auth_decision=delay)
    answer = protected.get(issue(server, what, f"ab{control}cd"))
    if delay == "false":
        assert (answer.status_int, protected.service.seen) == (401, [])
    else:
        assert protected.service.last["HTTP_X_IDENTITY_STATUS"] == "Invalid"
        assert "HTTP_X_USER_ID" not in protected.service.last
    assert re.search("unsafe_value: the value of HTTP_X_.+ holds a control character", caplog.text)


def test_other_names_are_not(protect: Protect, server: IdentityServer) -> None:
    assert protect().get(issue(server, "user", "Zo\u00eb \u4e2d\u6587")).status_int == 200


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_the_guide_s_filter_finds_each_of_them_and_no_other() -> None:
    found = re.search(r"jq -r '(.+)' names.json", GUIDE.read_text())
    assert found is not None
    bad = [{"ID": f"bad{i}", "Name": f"a{control}b"} for i, control in enumerate(CONTROLS)]
    good: list[dict[str, Any]] = [{"ID": "good", "Name": "Zo\u00eb \u4e2d, a-b_c"}]
    listings = json.dumps(bad) + json.dumps(good)
    told = subprocess.run(
        ["jq", "-r", found[1]], input=listings, capture_output=True, text=True, check=True
    )
    assert [line.split()[0] for line in told.stdout.strip().split("\n")] == [
        row["ID"] for row in bad
    ]
