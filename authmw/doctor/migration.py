"""Says of a keystonemiddleware configuration what will change with authmw: a pre-upgrade check.

It reads the configuration alone and asks nobody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from oslo_config import cfg

from authmw.config.findings import Finding
from authmw.config.options import GROUP
from authmw.doctor.changes import CHANGES, UNSET
from authmw.doctor.configuration import find_faults
from authmw.doctor.result import Result, Status, failed, of_finding, passed, warned
from authmw.doctor.sources import Source

_PEER = "keystonemiddleware."
_FACTORIES = {
    f"{_PEER}auth_token:filter_factory": "authmw:filter_factory",
    f"{_PEER}auth_token:app_factory": "authmw.auth_token:app_factory",
    f"{_PEER}oauth2_token:filter_factory": "authmw.oauth2_token:filter_factory",
    f"{_PEER}oauth2_mtls_token:filter_factory": "authmw.oauth2_mtls_token:filter_factory",
    f"{_PEER}external_oauth2_token:filter_factory": "authmw.external_oauth2_token:filter_factory",
    "egg:keystonemiddleware#auth_token": "egg:authmw#auth_token",
    "egg:keystonemiddleware#oauth2_token": "egg:authmw#oauth2_token",
    "egg:keystonemiddleware#oauth2_mtls_token": "egg:authmw#oauth2_mtls_token",
    "egg:keystonemiddleware#external_oauth2_token": "egg:authmw#external_oauth2_token",
}
_ALIASES = {"memcache_servers": "memcached_servers", "auth_plugin": "auth_type"}


def prepare_migration(source: Source) -> Iterator[Result]:
    """Yield a result for the filter's line, for each option that is set, and for those unset.

    A fault would keep a service from starting with authmw; a warning is what its log would say
    at start.
    """
    if source.factory is not None:
        yield _check_line(source.factory)
    _, findings = find_faults(source.conf)
    written = list(_list_written(source))
    if not written:
        yield warned(
            f"[{GROUP}]",
            "no option is set there: is this the service's configuration file?",
            "name the file that has them, or the section of the paste file",
        )
    of_option: dict[str, list[Finding]] = {}
    for finding in findings:
        of_option.setdefault(_find_option(finding, written), []).append(finding)
    for name in written:
        yield _judge(name, of_option.pop(name, []), is_set=True)
    for name in UNSET:
        if name not in written:
            yield _judge(name, of_option.pop(name, []), is_set=False)
    for name, others in of_option.items():
        for finding in others:
            yield of_finding(name or "configuration", finding)


def _check_line(factory: str) -> Result:
    check = "paste"
    line = "use" if factory.startswith("egg:") else "paste.filter_factory"
    new = _FACTORIES.get(factory)
    if new is not None:
        return passed(check, f"write {line} = {new} in place of {factory}")
    if "authmw" in factory:
        return passed(check, f"{factory} is authmw already")
    if factory.startswith((_PEER, "egg:keystonemiddleware")):
        return failed(check, f"{factory} has no counterpart", "keep this filter as it is")
    return warned(
        check,
        f"{factory} is the service's own: a subclass of keystonemiddleware's filter, maybe",
        "read about subclasses in doc/migration.rst, and change what it derives from",
    )


def _list_written(source: Source) -> Iterator[str]:
    """Yield the options of the peer that are set, by their present names, in the table's order."""
    names = {_ALIASES.get(name, name) for name in source.conf}
    conf = source.conf.get("oslo_config_config")
    if isinstance(conf, cfg.ConfigOpts):
        names |= {_ALIASES.get(name, name) for name in _names_in(conf, GROUP)}
    yield from (name for name in CHANGES if name in names)


def _names_in(conf: cfg.ConfigOpts, section: str) -> Collection[str]:
    # oslo.config does not offer the names of what nobody registered.
    parsed = getattr(getattr(conf, "_namespace", None), "_parsed", ())
    return {name for sections in parsed for name in sections.get(section, ())}


def _find_option(finding: Finding, written: Collection[str]) -> str:
    if finding.option is not None:
        return finding.option
    return next((name for name in written if finding.cause.startswith(name)), "")


def _judge(name: str, findings: Collection[Finding], *, is_set: bool) -> Result:
    """Return the result of one option: the worst of its faults, else what changes."""
    change = CHANGES[name] or "As with keystonemiddleware."
    if not findings:
        return passed(name, change if is_set else f"It is not set. {change}")
    worst = min(findings, key=lambda finding: finding.level)  # "fail" before "warn"
    faults = "; ".join(f"{one.cause}{': ' if one.fix else ''}{one.fix}" for one in findings)
    status = Status.FAIL if worst.level == "fail" else Status.WARN
    return Result(name, status, f"{faults}. {change}")
