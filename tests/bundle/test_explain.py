"""Who has which role where by a bundle, and what came and went: `explain`, `diff`, `inspect`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from authmw.bundle.explain import Explainer, Holding
from authmw.bundle.facts import TABLES, pack_id, unpack_id
from authmw.bundle.file import Confirmation, Origin, hot_path, write_bundle, write_hot
from authmw.cli import main
from tests.bundle.small_bundles import READ_AT, SmallBundle

USER, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def facts() -> Iterator[SmallBundle]:
    """Two users more, one in a group, and roles that imply each other."""
    bundle = SmallBundle()
    bundle.add("users", id=USER, name="ann", domain_id="d")
    bundle.add("users", id=OTHER, name="bob\x1b[31m", domain_id="d", enabled=0)
    bundle.add("groups", id="g", name="staff", domain_id="d")
    bundle.add("memberships", user_id=USER, group_id="g")
    for name in ("admin", "audit"):
        bundle.add("roles", id=name, name=name, extra={})
    bundle.add("roles", id="private", name="private", domain_id="d", extra={})
    for prior, implied in (
        ("admin", "member"),
        ("member", "reader"),
        ("reader", "admin"),
        ("private", "audit"),
    ):
        bundle.add("implied_roles", prior_role_id=prior, implied_role_id=implied)
    yield bundle
    bundle.close()


def explainer_of(facts: SmallBundle) -> Explainer:
    return Explainer(facts.read(), facts.file.execute, READ_AT)


def ways(holdings: Iterator[Holding]) -> set[tuple[str, str, str, bool]]:
    """Return who holds which role, through which chain, and whether by a group."""
    return {
        (
            unpack_id(each.user.id),
            ">".join(unpack_id(role) for role in each.role_ids),
            unpack_id(each.assigned_on.id or "system"),
            each.group_id is not None,
        )
        for each in holdings
    }


def test_ways_on_a_project(facts: SmallBundle) -> None:
    facts.assign("member", USER, "low")
    facts.assign("audit", "g", "top", inherited=1, actor_is_group=1)
    facts.assign("private", OTHER, "d", inherited=1, target_is_domain=1)
    # None of these is held on the project.
    facts.assign("admin", USER, "middle")
    facts.assign("admin", USER, "low", inherited=1)
    facts.assign("admin", USER, "d", target_is_domain=1)
    explainer = explainer_of(facts)
    of_ann = {
        (USER, "member", "low", False),
        (USER, "member>reader", "low", False),
        (USER, "member>reader>admin", "low", False),
        (USER, "audit", "top", True),
    }
    # A domain-specific role is held by what it implies.
    of_bob = {(OTHER, "private>audit", "d", False)}
    assert ways(explainer.on_project("low")) == of_ann | of_bob
    assert ways(explainer.on_project("low", pack_id(USER))) == of_ann
    assert ways(explainer.on_project("low", pack_id("u"))) == set()
    assert ways(explainer.on_project("nonesuch")) == set()


def test_ways_on_a_domain_and_on_the_system(facts: SmallBundle) -> None:
    facts.assign("audit", USER, "d", target_is_domain=1)
    facts.assign("audit", OTHER, "d", target_is_domain=1, inherited=1)
    facts.assign("audit", "u", "d")
    facts.add("system_assignments", actor_id="g", actor_is_group=1, role_id="audit")
    explainer = explainer_of(facts)
    assert ways(explainer.on_domain("d")) == {(USER, "audit", "d", False)}
    assert ways(explainer.on_system()) == {(USER, "audit", "system", True)}
    assert ways(explainer.on_system(pack_id(OTHER))) == set()


def test_all_ways_of_a_user_name_what_is_below(facts: SmallBundle) -> None:
    facts.assign("audit", "g", "d", inherited=1, actor_is_group=1, target_is_domain=1)
    facts.assign("audit", USER, "low")
    facts.assign("audit", OTHER, "low")
    found = list(explainer_of(facts).of_user(pack_id(USER)))
    assert {(unpack_id(each.target.id or ""), each.is_below) for each in found} == {
        ("d", True),
        ("low", False),
    }


def test_membership_that_ended_gives_nothing(facts: SmallBundle) -> None:
    facts.assign("audit", "x", "low", actor_is_group=1)
    for user, expires in (("u", READ_AT + 1), ("v", READ_AT - 1)):
        facts.add(
            "expiring_memberships",
            user_id=user,
            group_id="x",
            identity_provider_id="p",
            expires_at=expires * 1_000_000,
        )
    explainer = explainer_of(facts)
    assert ways(explainer.on_project("low")) == {("u", "audit", "low", True)}
    assert ways(explainer.on_project("low", "v")) == set()


# --- the commands


def write(facts: SmallBundle, path: Path, revision: int = 1) -> Path:
    rows = (
        (table.name, row)
        for table in TABLES
        for row in facts.file.execute(f'SELECT * FROM "{table.name}"').fetchall()
    )
    write_bundle(path, Origin(revision, READ_AT, "a test"), rows)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    status = main(["bundle", *map(str, arguments)])
    said = capsys.readouterr()
    return status, said.out + said.err


def test_explain_says_it_in_a_line(
    facts: SmallBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts.assign("member", "g", "top", inherited=1, actor_is_group=1)
    path = write(facts, tmp_path / "bundle")
    arguments = ["explain", path, "--user", "ann", "--project", "low"]
    status, said = run(capsys, *arguments, "--role", "reader")
    assert status == 0
    assert said == (
        f"ann ({USER}) has reader (reader) on project low (low): member assigned to group "
        "staff (g), inherited from project top (top); member implies reader\n"
    )
    status, said = run(capsys, *arguments, "--json")
    assert status == 0
    lines = [json.loads(line) for line in said.splitlines()]
    assert {line["role"]["id"] for line in lines} == {"member", "reader", "admin"}
    assert lines[0]["assigned"] == {
        "to": {"group": {"id": "g", "name": "staff"}},
        "on": {"kind": "project", "id": "top", "name": "top"},
        "inherited": True,
    }
    assert run(capsys, "explain", path, "--user", "user u", "--project", "low") == (
        1,
        "no way to a role by this bundle\n",
    )


def test_names_do_nothing_to_a_terminal(
    facts: SmallBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts.assign("audit", OTHER, "low")
    path = write(facts, tmp_path / "bundle")
    for arguments in (["explain", path, "--project", "low"], ["diff", empty(tmp_path), path]):
        _, said = run(capsys, *arguments)
        assert "bob\\u001b[31m" in said
        assert said.replace("\n", "").isprintable()
    assert "[disabled]" in run(capsys, "explain", path, "--project", "low")[1]


def empty(directory: Path) -> Path:
    write_bundle(directory / "empty", Origin(1, READ_AT, "a test"), [])
    return directory / "empty"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "name --user, --project, --domain or --system"),
        (["--user", "nobody"], "have no id or name 'nobody'"),
        (["--user", "twin"], "2 have the name 'twin'"),
        (["--user", "twin", "--user-domain", "nonesuch"], "have no id or name 'twin'"),
        (["--project", "d"], "have no id or name 'd'"),
        (["--domain", "low"], "have no id or name 'low'"),
    ],
)
def test_what_explain_does_not_find_is_named(
    arguments: list[str],
    reason: str,
    facts: SmallBundle,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    facts.add("projects", id="e", name="Else", is_domain=1)
    for identifier, domain in (("t1", "d"), ("t2", "e")):
        facts.add("users", id=identifier, name="twin", domain_id=domain)
    path = write(facts, tmp_path / "bundle")
    status, said = run(capsys, "explain", path, *arguments)
    assert status == 2
    assert reason in said
    assert run(capsys, "explain", path, "--user", "twin", "--user-domain", "Else")[0] == 1


def test_diff_lists_what_came_and_went(
    facts: SmallBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts.assign("member", USER, "low")
    old = write(facts, tmp_path / "old")
    assert run(capsys, "diff", old, write(facts, tmp_path / "same", 2)) == (0, "")
    facts.file.execute("DELETE FROM assignments")
    facts.set("users", "u", enabled=0)
    new = write(facts, tmp_path / "new", 3)
    status, said = run(capsys, "diff", old, new)
    assert status == 1
    lines = said.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["-", "users"],
        ["+", "users"],
        ["-", "assignments"],
    ] or [line.split()[:2] for line in lines] == [
        ["+", "users"],
        ["-", "users"],
        ["-", "assignments"],
    ]
    assert f"actor_id={USER} (ann)" in lines[-1]
    assert "role_id=member (member)" in lines[-1]
    changes = [json.loads(line) for line in run(capsys, "diff", old, new, "--json")[1].splitlines()]
    assert changes[-1]["row"] == {
        "target_id": "low",
        "inherited": False,
        "actor_id": USER,
        "actor_is_group": False,
        "target_is_domain": False,
        "role_id": "member",
    }
    assert run(capsys, "diff", old, tmp_path / "nonesuch")[0] == 2


def test_inspect_says_what_a_hot_file_confirms(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bundle(tmp_path / "events", Origin(5, 1_750_000_000, "test", 1_750_000_000, 0), [])
    write_hot(tmp_path / "b", Confirmation(b"\xab" * 32, 77, 1_750_000_001), tmp_path / "events")
    assert main(["bundle", "inspect", "--verify", str(hot_path(tmp_path / "b"))]) == 0
    printed = capsys.readouterr().out
    assert f"confirms      the facts with digest {'ab' * 32} for revision 77" in printed
    assert "the whole cloud" not in printed


def test_inspect_says_what_is_in_a_bundle(
    facts: SmallBundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts.add("settings", name="filter", value={"domains": ["d"]})
    facts.add("users", id="far", name=None, domain_id="d", is_resolved=0)
    path = write(facts, tmp_path / "bundle", 7)
    status, said = run(capsys, "inspect", path, "--verify")
    assert status == 0
    assert f"{path}: revision 7, " in said
    assert "filter        domains: d; others are unknown" in said
    assert "unknown users 1 of directories" in said
    assert "verified      pages, rows and digest" in said
    described: dict[str, Any] = json.loads(run(capsys, "inspect", path, "--json")[1])
    assert described["filter"] == {"domains": ["d"]}
    assert described["tables"]["users"] == 5
    assert "verified" not in described


def test_file_that_is_no_bundle_is_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "odd").write_text("odd")
    for arguments in (["inspect"], ["explain", "--system"]):
        status, said = run(capsys, arguments[0], tmp_path / "odd", *arguments[1:])
        assert status == 1
        assert said.startswith("bundle: ")
        assert said.count("\n") == 1
