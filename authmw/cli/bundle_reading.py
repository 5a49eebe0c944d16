"""`authmw bundle inspect`, `diff` and `explain`: what is in bundles, for people and for scripts."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from authmw.bundle.explain import Explainer, Holding, Target
from authmw.bundle.facts import TABLES, Kind, Table, unpack_id
from authmw.bundle.file import Bundle, open_bundle, verify_bundle
from authmw.bundle.file.difference import differences
from authmw.cli.output import say, say_json
from authmw.cli.progress import Progress
from authmw.doctor.times import describe_time
from authmw.errors import UsageError

if TYPE_CHECKING:
    from authmw.bundle.records import Id


def add_commands(commands: Any) -> None:
    """Declare the three commands.

    Args:
        commands: what `ArgumentParser.add_subparsers` returns.
    """
    summary = "Say what a bundle holds, from when it is, and which part of the cloud."
    command = commands.add_parser("inspect", help=summary, description=summary)
    command.add_argument("bundle")
    command.add_argument(
        "--verify", action="store_true", help="read all of it, and verify rows and digest"
    )
    _add_json(command)

    summary = "List the facts that came and went between two bundles."
    command = commands.add_parser(
        "diff",
        help=summary,
        description=f"{summary} Exit status 0: none did, 1: some did, 2: a bundle can't be read.",
    )
    command.add_argument("old")
    command.add_argument("new")
    _add_json(command)

    summary = "Say who has which role where, and through what."
    command = commands.add_parser(
        "explain",
        help=summary,
        description=(
            f"{summary} Name a user, a target, or both: by id, or by name. Each line is one way: "
            "an assignment to the user or to a group, on the target or inherited, and the roles "
            "that imply each other. Exit status 0: there is a way, 1: there is none, or the bundle "
            "can't be read."
        ),
    )
    command.add_argument("bundle")
    command.add_argument("--user", metavar="USER", help="id or name")
    command.add_argument("--user-domain", metavar="DOMAIN", help="id or name, if names are many")
    target = command.add_mutually_exclusive_group()
    target.add_argument("--project", metavar="PROJECT", help="id or name")
    target.add_argument("--domain", metavar="DOMAIN", help="id or name")
    target.add_argument("--system", action="store_true")
    command.add_argument("--project-domain", metavar="DOMAIN", help="id or name")
    command.add_argument("--role", metavar="ROLE", help="only ways to this role: id or name")
    _add_json(command)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


# --- inspect


def inspect(arguments: argparse.Namespace) -> int:
    """Describe a bundle; return 0."""
    path = Path(arguments.bundle)
    with open_bundle(path) as bundle:
        described = _describe(bundle)
    if arguments.verify:
        with Progress(described["rows"]) as progress:
            verify_bundle(path, lambda rows: progress.add("verify", rows - progress.rows))
        described["verified"] = True
    if arguments.json:
        say_json(described)
        return 0
    now = time.time()
    say(f"{path}: revision {described['revision']}, {described['bytes']:,} bytes")
    say(f"digest        {described['digest']}")
    say(f"source        {_printable(described['source'])}")
    say(f"read at       {describe_time(described['read_at'], now)}")
    if described["revocation_polled_at"] is not None:
        say(f"revocations   read {describe_time(described['revocation_polled_at'], now)}")
    confirms = described["confirms"]
    if confirms is not None:
        digest, revision = (_printable(str(confirms.get(name))) for name in ("digest", "revision"))
        say(f"confirms      the facts with digest {digest} for revision {revision}")
    elif described["filter"] is None:
        say("filter        none: the whole cloud")
    for name, ids in (described["filter"] or {}).items():
        say(f"filter        {name}: {', '.join(map(_printable, ids))}; others are unknown")
    if described["unresolved_users"]:
        say(f"unknown users {described['unresolved_users']:,} of directories, not resolved")
    if arguments.verify:
        say("verified      pages, rows and digest are as they should be")
    say()
    for name, rows in described["tables"].items():
        say(f"{rows:>12,}  {name}")
    return 0


def _describe(bundle: Bundle) -> dict[str, Any]:
    header = bundle.header
    tables = {}
    for table in TABLES:
        statement = f'SELECT count(*) FROM "{table.name}"'  # noqa: S608
        tables[table.name] = next(bundle.select(statement))[0]
    unresolved = next(bundle.select("SELECT count(*) FROM users WHERE is_resolved = 0"))[0]
    return {
        "revision": header.origin.revision,
        "digest": header.digest.hex(),
        "bytes": bundle.path.stat().st_size,
        "rows": header.row_count,
        "source": header.origin.source,
        "read_at": header.origin.read_at,
        "revocation_polled_at": header.origin.revocation_polled_at,
        "revocation_complete_from": header.origin.revocation_complete_from,
        "filter": bundle.facts.settings.get("filter"),
        "confirms": bundle.facts.settings.get("confirms"),
        "unresolved_users": unresolved,
        "tables": tables,
    }


# --- diff


def diff(arguments: argparse.Namespace) -> int:
    """List what came and went; return 0 if nothing did, else 1."""
    different = False
    with open_bundle(Path(arguments.old)) as old, open_bundle(Path(arguments.new)) as new:
        for table, sign, row in _changes(old, new):
            different = True
            shown = show_row(table, row)
            if arguments.json:
                change = "removed" if sign == "-" else "added"
                say(json.dumps({"change": change, "table": table.name, "row": shown}))
            else:
                names = _names(old if sign == "-" else new, table, row)
                say(f"{sign} {table.name}  {_render_row(shown, names)}")
    return 1 if different else 0


def _changes(old: Bundle, new: Bundle) -> Iterator[tuple[Table, str, tuple[Any, ...]]]:
    if old.header.digest == new.header.digest:
        return
    for table in TABLES:
        removed, added = differences(old.rows(table), new.rows(table))
        both = [(row, "-") for row in removed] + [(row, "+") for row in added]
        for row, sign in sorted(both, key=lambda each: (_sort_key(table, each[0]), each[1])):
            yield table, sign, row


def _sort_key(table: Table, row: tuple[Any, ...]) -> list[tuple[bool, Any]]:
    # Bytes come before text, as in the file.
    return [(isinstance(value, str), value) for value in row[: table.key_length]]


def show_row(table: Table, row: tuple[Any, ...]) -> dict[str, Any]:
    """Return a row by the names of its columns, as JSON can hold it."""
    shown: dict[str, Any] = {}
    for column, value in zip(table.columns, row, strict=True):
        if value is None:
            shown[column.name] = None
        elif column.kind is Kind.ID:
            shown[column.name] = unpack_id(value)
        elif column.kind is Kind.BOOLEAN:
            shown[column.name] = bool(value)
        elif column.kind is Kind.JSON:
            shown[column.name] = json.loads(value)
        else:
            shown[column.name] = value
    return shown


def _names(bundle: Bundle, table: Table, row: tuple[Any, ...]) -> dict[str, str]:
    """Return the names of what a row's ids mean, where they are known."""
    facts = bundle.facts
    members = dict(zip([column.name for column in table.columns], row, strict=True))
    names: dict[str, str | None] = {}
    for column, value in members.items():
        if value is None:
            continue
        if column == "role_id" or column.endswith("_role_id"):
            role = facts.roles.get(value)
            names[column] = None if role is None else role.name
        elif column.endswith("user_id") or (column == "actor_id" and not members["actor_is_group"]):
            user = facts.user(value)
            names[column] = None if user is None else user.name
        elif column in ("group_id", "actor_id"):
            names[column] = _name_of_group(bundle, value)
        elif column in ("target_id", "project_id", "domain_id", "parent_id"):
            project = facts.project(value)
            names[column] = None if project is None else project.name
    return {column: name for column, name in names.items() if name is not None}


def _name_of_group(bundle: Bundle, group_id: Id) -> str | None:
    rows = list(bundle.select("SELECT name FROM groups WHERE id = ?", (group_id,)))
    return rows[0][0] if rows else None


def _render_row(shown: dict[str, Any], names: dict[str, str]) -> str:
    parts = []
    for column, value in shown.items():
        text = json.dumps(value) if not isinstance(value, str) else _printable(value)
        if column in names:
            text += f" ({_printable(names[column])})"
        parts.append(f"{column}={text}")
    return " ".join(parts)


# --- explain


def explain(arguments: argparse.Namespace) -> int:
    """List the ways to roles; return 0 if there is one, else 1."""
    with open_bundle(Path(arguments.bundle)) as bundle:
        explainer = Explainer(bundle.facts, bundle.select, int(time.time()))
        found = False
        for holding in _holdings(explainer, arguments):
            found = True
            shown = show_holding(bundle, holding)
            say(json.dumps(shown) if arguments.json else _render_holding(shown))
        if not found and not arguments.json:
            part = "; it holds a part of the cloud" if "filter" in bundle.facts.settings else ""
            say(f"no way to a role by this bundle{part}")
    return 0 if found else 1


def _holdings(explainer: Explainer, arguments: argparse.Namespace) -> Iterator[Holding]:
    user_id = None
    if arguments.user is not None:
        user_id = _find_one(explainer, "users", "--user", arguments.user, arguments.user_domain)
    if arguments.project is not None:
        project_id = _find_one(
            explainer, "projects", "--project", arguments.project, arguments.project_domain
        )
        holdings = explainer.on_project(project_id, user_id)
    elif arguments.domain is not None:
        domain_id = _find_one(explainer, "domains", "--domain", arguments.domain, None)
        holdings = explainer.on_domain(domain_id, user_id)
    elif arguments.system:
        holdings = explainer.on_system(user_id)
    elif user_id is not None:
        holdings = explainer.of_user(user_id)
    else:
        raise UsageError("name --user, --project, --domain or --system")
    if arguments.role is None:
        return holdings
    role_id = _find_one(explainer, "roles", "--role", arguments.role, None)
    return (each for each in holdings if each.role_ids[-1] == role_id)


def _find_one(explainer: Explainer, table: str, option: str, text: str, domain: str | None) -> Id:
    found = explainer.find(table, text, domain)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UsageError(f"{option}: the bundle's {table} have no id or name {text!r}")
    some = ", ".join(map(unpack_id, found[:10]))
    raise UsageError(f"{option}: {len(found)} have the name {text!r}; name one by its id: {some}")


def show_holding(bundle: Bundle, holding: Holding) -> dict[str, Any]:
    """Return a holding as JSON can hold it, with names."""
    user, roles = holding.user, bundle.facts.roles
    shown: dict[str, Any] = {
        "user": {
            "id": unpack_id(user.id),
            "name": user.name,
            "enabled": user.enabled == 1,
            "resolved": user.is_resolved == 1,
        },
        "role": None,
        "target": _show_target(holding.target),
        "assigned": {
            "to": {"user": unpack_id(user.id)},
            "on": _show_target(holding.assigned_on),
            "inherited": holding.is_below or holding.assigned_on != holding.target,
        },
        "below_target": holding.is_below,
        "implied_by": [],
    }
    if holding.group_id is not None:
        shown["assigned"]["to"] = {
            "group": {
                "id": unpack_id(holding.group_id),
                "name": _name_of_group(bundle, holding.group_id),
            }
        }
    chain = [
        {"id": unpack_id(each), "name": roles[each].name if each in roles else None}
        for each in holding.role_ids
    ]
    shown["role"] = chain[-1]
    shown["implied_by"] = chain[:-1]
    return shown


def _show_target(target: Target) -> dict[str, Any]:
    return {
        "kind": target.kind,
        "id": None if target.id is None else unpack_id(target.id),
        "name": target.name,
    }


def _render_holding(shown: dict[str, Any]) -> str:
    user = shown["user"]
    who = _label(user)
    if not user["enabled"]:
        who += " [disabled]"
    if not user["resolved"]:
        who += " [not resolved]"
    below = "everything below " if shown["below_target"] else ""
    where = f"{who} has {_label(shown['role'])} on {below}{_label_target(shown['target'])}"
    assigned = shown["assigned"]
    chain = [*shown["implied_by"], shown["role"]]
    through = f"{_name(chain[0])} assigned to "
    group = assigned["to"].get("group")
    through += f"group {_label(group)}" if group else "the user"
    if assigned["inherited"] and not shown["below_target"]:
        through += f", inherited from {_label_target(assigned['on'])}"
    if len(chain) > 1:
        through += f"; {' implies '.join(map(_name, chain))}"
    return f"{where}: {through}"


def _name(named: dict[str, Any]) -> str:
    return _printable(named["name"] or named["id"])


def _label(named: dict[str, Any]) -> str:
    name, identifier = named["name"], named["id"]
    return identifier if not name else f"{_printable(name)} ({_printable(identifier)})"


def _label_target(target: dict[str, Any]) -> str:
    return "the system" if target["id"] is None else f"{target['kind']} {_label(target)}"


def _printable(text: str) -> str:
    """Return text that does nothing to a terminal: names are whatever their owners like."""
    return json.dumps(text)[1:-1]
