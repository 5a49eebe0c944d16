"""Checks the process that syncs a site's bundle, by what it has written beside the bundle."""

from __future__ import annotations

from pathlib import Path

from authmw.bundle.sync.status import Report, make_report
from authmw.doctor.deployment import Deployment
from authmw.doctor.result import Results, failed, passed, skipped, warned

_SIGN = "at the centre: authmw bundle rotate, with the keys that are kept offline"


def check_sync(deployment: Deployment) -> Results[None]:
    """Check whether syncs come to their end, and go on doing so."""
    settings = deployment.settings
    check = "bundle sync"
    if settings.bundle_path is None or not settings.uses_bundle:
        yield skipped(check, "bundle is not in jws_authority: none is read")
        return
    report = make_report(Path(settings.bundle_path), deployment.clock())
    if report is None:
        place = f"{settings.bundle_path}.sync"
        yield skipped(check, f"no sync process keeps this bundle: {place} can't be read")
        return
    yield from _check_process(check, report)
    yield from _check_metadata(f"{check} metadata", report)


def _check_process(check: str, report: Report) -> Results[None]:
    said = report.document
    failures = said["failures_in_a_row"]
    cause = f"; the last {failures} failed: {said['failure']}" if failures else ""
    fix = "look at the log of authmw bundle sync, and whether it runs"
    if report.stopped:
        yield failed(check, f"{'; '.join(report.stopped)}{cause}", fix)
    elif failures:
        yield warned(check, f"syncs fail{cause}", fix)
    else:
        yield passed(check, f"the site {said['site']} is up to date")


def _check_metadata(check: str, report: Report) -> Results[None]:
    if report.expired:
        yield failed(check, "; ".join(report.expired), f"publish anew; {_SIGN}")
    elif report.expiring:
        yield warned(check, "; ".join(report.expiring), _SIGN)
    elif report.document["metadata"]:
        yield passed(check, "none expires before long")
