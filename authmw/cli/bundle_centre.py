"""`authmw bundle init`, `publish`, `rotate`, `sign` and `status`: the centre of many sites."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from authmw.cli.output import complain, log_to_standard_error, say, say_json
from authmw.doctor.times import describe_time
from authmw.errors import UsageError
from authmw.runtime.extras import how_to_install, is_installed

if TYPE_CHECKING:
    from authmw.bundle.centre.publishing import Published, Publisher
    from authmw.bundle.centre.rotation import Rotated
    from authmw.bundle.centre.settings import CentreSettings

_EXIT = (
    "Exit status 0: done; 1: a key, a file or a server failed; 2: arguments or the file are wrong."
)


def add_commands(commands: Any) -> None:
    """Declare the commands.

    Args:
        commands: what `ArgumentParser.add_subparsers` returns.
    """
    summary = "Make the repository that sites trust, with keys and one delegation for each site."
    command = commands.add_parser("init", help=summary, description=f"{summary} {_EXIT}")
    _add_file(command)
    _add_ceremony(command)

    summary = "Publish facts for all sites, once or as a service."
    command = commands.add_parser("publish", help=summary, description=f"{summary} {_EXIT}")
    _add_file(command)
    command.add_argument(
        "--once", action="store_true", help="publish once, and end; without it, until SIGTERM"
    )
    what = command.add_mutually_exclusive_group()
    what.add_argument("--hot", action="store_true", help="revocation events alone, once")
    what.add_argument(
        "--from", metavar="BUNDLE", dest="bundle", help="a bundle, not the database; once"
    )
    for name, what in (("--every", "publishes"), ("--hot-every", "publishes of events")):
        command.add_argument(
            name,
            type=_seconds,
            metavar="SECONDS",
            help=f"between two {what}, in place of what the file says",
        )
    _add_json(command)

    summary = "Sign anew what is not as CENTRE.toml says, or give a role new keys."
    command = commands.add_parser("rotate", help=summary, description=f"{summary} {_EXIT}")
    _add_file(command)
    command.add_argument(
        "role",
        nargs="*",
        metavar="ROLE",
        help="root, targets, snapshot, timestamp, centre, or: site NAME",
    )
    _add_ceremony(command)

    summary = "Sign drafts of root and targets where their keys are."
    command = commands.add_parser("sign", help=summary, description=f"{summary} {_EXIT}")
    command.add_argument("directory", metavar="DIRECTORY", help="that --prepare wrote")
    command.add_argument("key", nargs="+", metavar="KEY", help="a key file, or hsm:ID?label=TOKEN")
    command.add_argument("--passphrase-file", metavar="FILE", help="of encrypted key files")
    command.add_argument("--pin-file", metavar="FILE", help="of PKCS#11")
    _add_json(command)


def _add_file(command: argparse.ArgumentParser) -> None:
    command.add_argument("centre", metavar="CENTRE.toml")


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON")


def _add_ceremony(command: argparse.ArgumentParser) -> None:
    group = command.add_mutually_exclusive_group()
    group.add_argument(
        "--prepare", metavar="DIRECTORY", help="write drafts for keys that are elsewhere; no more"
    )
    group.add_argument("--finish", metavar="DIRECTORY", help="publish drafts that are signed")
    _add_json(command)


def load(path: str) -> CentreSettings:
    """Read CENTRE.toml. Raises UsageError: it is wrong, or a package is missing."""
    for package, extra in (("tuf", "sites"), ("securesystemslib", "sites")):
        if not is_installed(package):
            raise UsageError(f"a centre needs the package {package}: {how_to_install(extra)}")
    from authmw.bundle.centre.settings import load_centre_settings

    return load_centre_settings(Path(path))


# --- init and rotate


def init(arguments: argparse.Namespace) -> int:
    """Make a repository; return 0."""
    return _rotate(arguments, (), is_first=True)


def rotate(arguments: argparse.Namespace) -> int:
    """Sign anew what has to be; return 0."""
    return _rotate(arguments, _roles(arguments.role), is_first=False)


def _roles(words: list[str]) -> tuple[str, ...]:
    if words and words[0] == "site":
        if len(words) != 2:
            raise UsageError("name one site: rotate CENTRE.toml site NAME")
        return (f"site.{words[1]}",)
    if any("." in word for word in words):
        raise UsageError("name a site as: site NAME")
    return tuple(words)


def _rotate(arguments: argparse.Namespace, renewed: tuple[str, ...], *, is_first: bool) -> int:
    settings = load(arguments.centre)
    from authmw.bundle.centre.keys import KeyRing
    from authmw.bundle.centre.opening import open_store
    from authmw.bundle.centre.rotation import Rotation

    rotation = Rotation(settings, KeyRing(settings), open_store(settings), time.time)
    rotated = rotation.run(
        renewed,
        is_first=is_first,
        prepare=Path(arguments.prepare) if arguments.prepare else None,
        finish=Path(arguments.finish) if arguments.finish else None,
    )
    _report_rotation(rotated, arguments, settings, is_first=is_first)
    return 0


def _report_rotation(
    rotated: Rotated, arguments: argparse.Namespace, settings: CentreSettings, *, is_first: bool
) -> None:
    if arguments.json:
        say_json(
            {
                "signed": [] if rotated.prepared else rotated.roles,
                "prepared": rotated.roles if rotated.prepared else [],
                "missing_signatures": rotated.missing,
                "root_version": rotated.root_version,
                "made_keys": list(map(str, rotated.made)),
                "replaced_keys": list(map(str, rotated.replaced)),
            }
        )
        return
    for path in rotated.made:
        say(f"made a key       {path}")
    for path in rotated.replaced:
        say(f"of no use now    {path}")
    if rotated.prepared:
        for role in rotated.roles:
            lacking = rotated.missing.get(role, 0)
            say(f"drafted          {role}: lacks {lacking} signatures")
        return
    if not rotated.roles:
        say(f"nothing to sign: everything is as {settings.path} says")
        return
    say(f"signed           {', '.join(rotated.roles)}")
    if is_first:
        from authmw.bundle.sites.names import METADATA

        say(f"sites trust      {settings.state / METADATA / '1.root.json'}")
        for role in ("root", "targets"):
            for key in settings.roles[role].keys:
                say(f"take offline     {key}")


def sign(arguments: argparse.Namespace) -> int:
    """Sign drafts; return 0."""
    from authmw.bundle.centre.ceremony import read_drafts, write_drafts
    from authmw.bundle.centre.keys import load_key, secrets_of
    from authmw.errors import KeysUnavailable

    directory = Path(arguments.directory)
    secrets = secrets_of(
        Path(arguments.passphrase_file) if arguments.passphrase_file else None,
        Path(arguments.pin_file) if arguments.pin_file else None,
    )
    drafts = read_drafts(directory)
    keys = []
    for name in arguments.key:
        loaded = load_key(name, secrets)
        if loaded is None:
            raise KeysUnavailable(f"there is no key {name}")
        keys.append(loaded)
    done = drafts.sign(keys)
    write_drafts(directory, drafts)
    missing = drafts.missing()
    if arguments.json:
        say_json({"signed": done, "missing_signatures": missing})
        return 0
    for role, names in done.items():
        say(f"signed           {role}: by {', '.join(names)}, lacks {missing.get(role, 0)}")
    return 0


# --- publish


def publish(arguments: argparse.Namespace) -> int:
    """Publish, once or again and again; return 0, or 1 if the only one fails."""
    settings = load(arguments.centre)
    from authmw.bundle.centre.opening import open_store
    from authmw.bundle.centre.publishing import Publisher
    from authmw.bundle.push import announcing

    publisher = Publisher(settings, open_store(settings))
    is_service = not (arguments.bundle or arguments.once or arguments.hot)
    with announcing(settings.push) as announce:
        if is_service:
            return _serve(settings, arguments, lambda published: announce(published.revision))
        published = _publish_once(publisher, settings, arguments)
        announce(published.revision)
        _report(published, arguments)
    return 0


def _publish_once(
    publisher: Publisher, settings: CentreSettings, arguments: argparse.Namespace
) -> Published:
    from authmw.bundle.centre.facts import facts_of_bundle, facts_of_keystone

    if arguments.bundle:
        return publisher.publish(facts_of_bundle(Path(arguments.bundle)))
    facts = facts_of_keystone(settings, events_only=arguments.hot)
    return publisher.publish_hot(facts) if arguments.hot else publisher.publish(facts)


def _serve(
    settings: CentreSettings,
    arguments: argparse.Namespace,
    on_published: Callable[[Published], None],
) -> int:
    """Publish until a signal ends it."""
    from authmw.bundle.centre.service import PublishService

    service = PublishService(settings, arguments.every, arguments.hot_every, on_published)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        service.stop()

    former = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with log_to_standard_error():
            service.run()
    finally:
        for number, handle in former.items():
            signal.signal(number, handle)
    return 0


def _seconds(text: str) -> float:
    number = float(text)
    if not 0.1 <= number <= 86_400:
        raise argparse.ArgumentTypeError("from 0.1 to 86400 seconds")
    return number


def _report(published: Published, arguments: argparse.Namespace) -> None:
    for warning in published.warnings:
        complain(f"bundle: {warning}")
    if arguments.json:
        say_json(
            {
                "revision": published.revision,
                "hot_revision": published.hot_revision,
                "read_at": published.read_at,
                "changed_sites": published.changed,
                "unchanged_sites": published.unchanged,
                "warnings": published.warnings,
            }
        )
        return
    events = "none" if published.hot_revision is None else str(published.hot_revision)
    say(
        f"revision {published.revision}, events {events}: {len(published.changed)} sites changed, "
        f"{published.unchanged} did not"
    )


# --- status


def show_status(path: str, *, as_json: bool) -> int:
    """Say how a centre is; return 0, or 1 if something needs a hand.

    Args:
        path: of CENTRE.toml.
        as_json: one document in place of lines.
    """
    settings = load(path)
    from authmw.bundle.centre.keys import KeyRing
    from authmw.bundle.centre.status import describe_centre

    now = time.time()
    described = describe_centre(settings, KeyRing(settings), now)
    if as_json:
        say_json(described)
    else:
        _show(described, now)
    return 1 if described["problems"] else 0


def _show(described: dict[str, Any], now: float) -> None:
    say(described["repository"])
    if described["revision"] is not None:
        at = describe_time(described["read_at"], now)
        say(f"revision   {described['revision']}, facts of {at}")
    if described["hot_revision"] is not None:
        at = describe_time(described["hot_read_at"], now)
        say(f"events     {described['hot_revision']}, of {at}")
    say()
    for role, each in described["roles"].items():
        here = sum(key["private_key"] != "elsewhere" for key in each["keys"])
        say(
            f"{role}: version {each['version']}, ends {describe_time(each['expires_at'], now)}, "
            f"{each['threshold']} of {len(each['keys'])} keys sign, {here} here"
        )
    say()
    for name, part in described["parts"].items():
        sites = [site for site, each in described["sites"].items() if each["part"] == name]
        what = "events" if name == "hot" else f"part of {len(sites)} sites ({_some(sites)})"
        if part is not None:
            say(
                f"{what}: revision {part['revision']}, base {part['base_bytes']:,} bytes, "
                f"{part['deltas']} deltas of {part['delta_bytes']:,} bytes"
            )
    for problem in described["problems"]:
        say(f"needs a hand: {problem}")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
