"""Checks the authority bundle and its hot file, as a worker would read them."""

from __future__ import annotations

from pathlib import Path

from authmw.bundle.file import hot_path
from authmw.bundle.hot_events import HotEvents
from authmw.bundle.revision import Revision
from authmw.bundle.write_access import judge_file
from authmw.config.settings import Settings
from authmw.doctor.deployment import Deployment
from authmw.doctor.result import Result, Results, failed, passed, skipped, warned
from authmw.doctor.times import describe_time
from authmw.errors import BundleUnreadable

_RENEW = "look at what brings bundles here: authmw bundle sync, or the export"
_REPLACE = "put a bundle there that this service may read, and others may not write to"


def check_bundle(deployment: Deployment) -> Results[None]:
    """Check the files, how old each is, and whether their revocation events count."""
    settings = deployment.settings
    if settings.bundle_path is None or not settings.uses_bundle:
        yield skipped("bundle", "bundle is not in jws_authority: none is read")
        return
    now = deployment.clock()
    revision = yield from _check_file(settings, settings.bundle_path)
    hot = yield from _check_hot_file(settings, str(hot_path(Path(settings.bundle_path))))
    if revision is not None:
        try:
            if hot is not None:
                revision.confirm(hot.confirmation)
            yield _judge_facts(settings, revision, now)
        finally:
            revision.close()
    yield _judge_events(settings, revision, hot, now)


def _check_file(settings: Settings, path: str) -> Results[Revision | None]:
    check = "bundle file"
    try:
        warnings = judge_file(path)
        revision = Revision(path, settings.revocation_max_events)
    except (BundleUnreadable, OSError) as error:
        yield failed(check, _describe_fault(path, error), _REPLACE)
        return None
    for warning in warnings:
        yield warned(check, f"{path}: {warning}", "chown it to root, and chmod g-w,o-w")
    if not warnings:
        yield passed(check, f"{path}: revision {revision.name}")
    return revision


def _check_hot_file(settings: Settings, path: str) -> Results[HotEvents | None]:
    check = "bundle hot file"
    try:
        warnings = judge_file(path)
        hot = HotEvents(path, settings.revocation_max_events)
    except FileNotFoundError:
        yield skipped(check, f"{path} is not there: events and age are those of the bundle itself")
        return None
    except (BundleUnreadable, OSError) as error:
        yield failed(check, _describe_fault(path, error), _RENEW)
        return None
    for warning in warnings:
        yield warned(check, f"{path}: {warning}", "chown it to root, and chmod g-w,o-w")
    if not warnings:
        yield passed(check, f"{path}: revision {hot.number}, {len(hot.events)} revocation events")
    return hot


def _describe_fault(path: str, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return f"{path} can't be used: {reason or error}"


def _judge_facts(settings: Settings, revision: Revision, now: float) -> Result:
    check = "bundle facts"
    read_at = revision.as_of.read_at
    said = f"those of revision {revision.name} were read {describe_time(read_at, now)}"
    age = abs(now - read_at)
    if age > settings.bundle_max_age:
        limit = f"more than bundle_max_age = {settings.bundle_max_age} seconds away"
        return failed(check, f"{said}, {limit}: what only they say is a 503", _RENEW)
    if age > settings.bundle_warn_age:
        limit = f"more than bundle_warn_age = {settings.bundle_warn_age} seconds away"
        return warned(check, f"{said}, {limit}", _RENEW)
    return passed(check, said)


def _judge_events(
    settings: Settings, revision: Revision | None, hot: HotEvents | None, now: float
) -> Result:
    check = "bundle revocation events"
    times = [part.polled_at for part in (revision, hot) if part and part.polled_at is not None]
    polls = settings.auth is not None and settings.revocation_poll_interval > 0
    if not times:
        if polls:
            return skipped(check, "neither file has any: those that are polled count")
        return failed(
            check,
            "neither file has any, and none are polled: every signed token would get 503",
            _RENEW,
        )
    newest = min(times, key=lambda time: abs(now - time))
    said = f"they were read {describe_time(newest, now)}"
    if abs(now - newest) <= settings.revocation_max_staleness:
        return passed(check, said)
    limit = f"more than revocation_max_staleness = {settings.revocation_max_staleness} s away"
    if polls:
        return warned(check, f"{said}, {limit}: only those that are polled count", _RENEW)
    return failed(check, f"{said}, {limit}: every signed token would get 503", _RENEW)
