"""How a centre is: what is published, when signatures end, and what needs a hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from authmw.bundle.centre.keys import NEXT, KeyRing
from authmw.bundle.centre.making import name_of
from authmw.bundle.centre.outgoing import is_pending
from authmw.bundle.centre.parts import Limits, Part
from authmw.bundle.centre.publishing import HOT
from authmw.bundle.centre.repository import Repository, read_head
from authmw.bundle.centre.settings import (
    OFFLINE_ROLES,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    CentreSettings,
)
from authmw.bundle.sites.chains import CentreHead
from authmw.bundle.sites.names import site_role
from authmw.errors import KeysUnavailable

_KINDS: Final[dict[str, Any]] = {
    ROOT: Root,
    TARGETS: Targets,
    SNAPSHOT: Snapshot,
    TIMESTAMP: Timestamp,
}
# A signature is renewed, by whoever is to, when half of its time is left.
_LATE_SHARE: Final = 0.25
# A publish of many facts takes longer than its turn.
_LATE_TURNS: Final = 10
_LATE_SECONDS: Final = 60.0


def describe_centre(settings: CentreSettings, keys: KeyRing, now: float) -> dict[str, Any]:
    """Describe a centre, as JSON can hold it.

    The member `problems` has a sentence for each thing that needs a hand.

    Raises:
        BundleUnreadable: there is no repository yet, or its state can't be read.
    """
    repository = Repository(settings, keys.signers, now)
    repository.root()
    head = read_head(settings.state)
    problems: list[str] = []
    described = {
        "repository": _where(settings),
        "revision": None if head is None else head.revision,
        "read_at": None if head is None else head.read_at,
        "age": None if head is None else int(now - head.read_at),
        "hot_revision": None if head is None or head.hot is None else head.hot.revision,
        "hot_read_at": None if head is None else head.hot_read_at,
        "hot_age": _age(now, None if head is None else head.hot_read_at),
        "roles": _describe_roles(settings, repository, keys, now, problems),
        "sites": _describe_sites(settings, repository, problems),
        "parts": _describe_parts(settings),
        "problems": problems,
    }
    if head is None:
        problems.append("nothing is published yet: authmw bundle publish")
    elif settings.keystone_config:
        problems += _find_old(settings, head, now)
    if is_pending(settings.state):
        problems.append("a publish is not sent to its end: the next publish goes on with it")
    return described


def _find_old(settings: CentreSettings, head: CentreHead, now: float) -> Iterator[str]:
    """Say what has missed its turn many times: signatures are renewed by either kind of publish."""
    for what, at, every in (
        ("facts", head.read_at, settings.every_seconds),
        ("revocation events", head.hot_read_at, settings.hot_every_seconds),
    ):
        most = max(_LATE_SECONDS, _LATE_TURNS * every)
        # abs(): the clock may have been set back.
        if at is not None and abs(now - at) > most:
            read_at = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
            yield (
                f"the {what} that are published are of {read_at}, more than {most:.0f} seconds "
                "from now: look whether authmw bundle publish runs, and at its log"
            )


def _where(settings: CentreSettings) -> str:
    where = settings.repository
    return str(where) if isinstance(where, Path) else f"s3://{where.bucket}/{where.prefix}"


def _age(now: float, at: int | None) -> int | None:
    return None if at is None else int(now - at)


def _describe_roles(
    settings: CentreSettings,
    repository: Repository,
    keys: KeyRing,
    now: float,
    problems: list[str],
) -> dict[str, Any]:
    roles = {}
    delegated = repository.delegated_roles()
    for role, of_role in {**settings.roles, **settings.delegated}.items():
        signed = repository.signed(role, _KINDS.get(role, Targets))
        if signed is None:
            # A site that is not in the repository yet.
            continue
        in_force = delegated[role] if role in delegated else repository.root().roles.get(role)
        if in_force is None:
            continue
        described = [
            _describe_key(name, role, in_force.keyids, keys, problems) for name in of_role.keys
        ]
        roles[role] = {
            "version": signed.signed.version,
            "expires_at": int(signed.signed.expires.timestamp()),
            "threshold": in_force.threshold,
            "keys": described,
        }
        if {each["keyid"] for each in described} != set(in_force.keyids) or (
            in_force.threshold != of_role.threshold
        ):
            problems.append(
                f"{role}: the keys in force are others than {settings.path} says: "
                "authmw bundle rotate"
            )
        _judge_expiry(role, signed, of_role.expires_seconds, now, problems)
    return roles


def _describe_key(
    name: str, role: str, keyids: list[str], keys: KeyRing, problems: list[str]
) -> dict[str, Any]:
    where = "elsewhere"
    key = keys.recorded.get(name)
    try:
        loaded = keys.load(name)
    except KeysUnavailable as error:
        problems.append(str(error))
        loaded = None
    if loaded is not None:
        key, where = loaded.key, "here" if loaded.signer is not None else "elsewhere"
    if where == "elsewhere" and role not in OFFLINE_ROLES:
        problems.append(f"{role}: the key {name} is not here, and publishing needs it")
    if Path(f"{name}{NEXT}").exists():
        problems.append(f"{role}: {name}{NEXT} waits for a rotation to be finished")
    keyid = None if key is None else key.keyid
    return {"name": name, "keyid": keyid, "in_force": keyid in keyids, "private_key": where}


def _judge_expiry(
    role: str, metadata: Metadata[Any], seconds: float, now: float, problems: list[str]
) -> None:
    expires = metadata.signed.expires
    left = expires.timestamp() - now
    if left > seconds * _LATE_SHARE:
        return
    by = "authmw bundle rotate" if role in OFFLINE_ROLES else "authmw bundle publish"
    at = expires.astimezone(UTC).isoformat(timespec="seconds")
    what = "ended" if left <= 0 else "ends"
    problems.append(f"{role}: its signature {what} at {at}: {by}")


def _describe_sites(
    settings: CentreSettings, repository: Repository, problems: list[str]
) -> dict[str, Any]:
    delegated = repository.delegated_roles()
    sites = {}
    for site, each in settings.sites.items():
        is_there = site_role(site) in delegated
        sites[site] = {
            "filter": each.filter.setting,
            "part": name_of(each.filter),
            "in_repository": is_there,
        }
        if not is_there:
            problems.append(f"site {site} is not in the repository yet: authmw bundle rotate")
    for role in delegated:
        if role not in settings.delegated:
            site = role.removeprefix("site.")
            problems.append(
                f"site {site} was removed, and is in the repository: authmw bundle rotate"
            )
    return sites


def _describe_parts(settings: CentreSettings) -> dict[str, Any]:
    names = {name_of(each.filter) for each in settings.sites.values()} | {HOT}
    return {name: _describe_part(Part(settings.state, name, _NO_LIMITS)) for name in sorted(names)}


_NO_LIMITS: Final = Limits(0.0, 0)


def _describe_part(part: Part) -> dict[str, Any] | None:
    chain = part.chain
    if chain is None:
        return None
    return {
        "revision": chain.revision,
        "digest": chain.digest.hex(),
        "base_revision": chain.base.revision,
        "base_bytes": part.file(chain.base.path).stat().st_size,
        "deltas": len(chain.deltas),
        "deltas_after_base": len(chain.deltas_after_base()),
        "delta_bytes": sum(part.file(each.path).stat().st_size for each in chain.deltas),
    }
