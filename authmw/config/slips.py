"""Finds names of options and sections that are nearly those of ours: misspelt ones.

oslo.config ignores what nobody registered, so the service would run with a default instead.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from authmw.config.findings import Finding
from authmw.config.options import GROUP

if TYPE_CHECKING:
    from authmw.config.option_reader import OptionReader

_log = logging.getLogger(__name__)

ISSUER_PREFIX = "authmw_issuer:"
"""How the names of sections of issuers begin; an issuer's name follows."""

# How alike two names are (`difflib.SequenceMatcher.ratio`). Options of one plugin are all of one
# family (user_domain_id, project_domain_id); nobody else's sections are named like ours, but
# services do have a [keystone_auth] of their own.
_OPTIONS_ALIKE = 0.8
_ISSUER_OPTIONS_ALIKE = 0.7
_SECTIONS_ALIKE = 0.86
_ISSUER_SECTIONS_ALIKE = 0.75
# How names of options begin that nobody else has.
_OURS_ALONE = (
    *("delay_auth_", "www_authenticate_", "include_service_catalog", "enforce_token_", "jws_"),
    *("service_token_roles", "memcache_security_", "memcache_secret_", "token_validation"),
    *("revocation_", "authority_cache_", "identity_outage_"),
)
# Options of a server's own TLS, in the [DEFAULT] of services.
_OF_SERVERS = frozenset({"ca_file", "cert_file", "key_file"})
# Options of issuers that no plugin has.
_OF_ISSUERS = frozenset({"issuer", "audience", "jwks_uri", "introspection_endpoint"})
_DID_YOU_MEAN = "did you mean "
# Keystone's users, projects and domains are written by either.
_TWINS = {"_id": "_name", "_name": "_id"}
# A service may pass its whole [DEFAULT]: hundreds of names, none of them a mistake.
_MOST_NAMES_SHOWN = 20


def find_nearest(name: str, known: Iterable[str], alike: float) -> str | None:
    """Return the known name that a misspelt one most likely stands for; None: none is near."""
    lowered = name.lower()
    candidates = [one for one in known if _may_be_near(lowered, one, alike)]
    if not candidates:
        return None
    # Imported here: only a mistake needs it.
    import difflib

    near = difflib.get_close_matches(lowered, sorted(candidates), n=1, cutoff=alike)
    return near[0] if near else None


def _may_be_near(name: str, known: str, alike: float) -> bool:
    """Compare the letters of two names, whatever their order: an upper bound of the ratio."""
    total = len(name) + len(known)
    if 2 * min(len(name), len(known)) < alike * total:
        return False
    return 2 * (Counter(name) & Counter(known)).total() >= alike * total


def find_section_slips(reader: OptionReader, used: Collection[str]) -> list[Finding]:
    """Return a finding for each section of the files that is nearly named like one of ours.

    Args:
        reader: of the filter's configuration.
        used: names of sections that are read by the filter.
    """
    return [
        Finding(
            "warn",
            None,
            f"section [{section}] is not known to authmw, ignored",
            f"{_DID_YOU_MEAN}[{near}]?",
            section=near,
        )
        for section in reader.list_sections()
        if section not in used
        and not reader.is_registered(section)
        and (near := _nearest_section(section, used)) is not None
    ]


def _nearest_section(section: str, used: Collection[str]) -> str | None:
    if section.startswith(ISSUER_PREFIX) or section.lower() in used:
        return None
    before, _, after = section.partition(":")
    issuers = ISSUER_PREFIX.removesuffix(":")
    if find_nearest(before, [issuers], _ISSUER_SECTIONS_ALIKE):
        return f"{ISSUER_PREFIX}{after or 'NAME'}"
    return find_nearest(section, used, _SECTIONS_ALIKE)


def find_option_slips(reader: OptionReader, sections: Iterable[str]) -> list[Finding]:
    """Return a finding for each name that nothing reads and that is an old or a misspelt one.

    Names like none of ours are left to others, in a line for information: options that a service
    registers later, or its whole [DEFAULT].

    Args:
        reader: of the filter's configuration; it has read all options.
        sections: of the files, where options of the filter stand.
    """
    findings = []
    others: list[str] = []
    for name in reader.unknown_names():
        finding = None if name in _OF_SERVERS else _judge(name, reader.known_names(), GROUP)
        if finding is None:
            others.append(name)
        else:
            findings.append(finding)
    findings += _find_misplaced(reader)
    for section in sections:
        findings += [
            Finding(
                "warn",
                name,
                f"{name} stands in one file twice, and the last one counts",
                "remove the other",
                section,
            )
            for name in reader.repeated_names_in(section)
        ]
        for name in reader.unknown_names_in(section):
            if reader.is_registered(section, name):
                continue
            finding = _judge(name, reader.known_names(section), section)
            if finding is None:
                others.append(f"{name} in [{section}]")
            else:
                findings.append(finding)
    if others:
        shown = others[:_MOST_NAMES_SHOWN]
        if len(others) > len(shown):
            shown.append(f"and {len(others) - len(shown)} more")
        _log.info("Options not known to authmw, ignored: %s", ", ".join(shown))
    return findings


def _find_misplaced(reader: OptionReader) -> list[Finding]:
    """Return a finding for each option that stands in [DEFAULT], where nothing reads it."""
    known = reader.known_names(GROUP)
    return [
        Finding(
            "warn",
            name,
            f"{name} stands in [DEFAULT], where authmw does not read it",
            f"write it in [{GROUP}]",
            "DEFAULT",
        )
        for name in reader.unknown_names_in("DEFAULT")
        if name.startswith(_OURS_ALONE) and name in known and not reader.is_registered(name)
    ]


def _judge(name: str, known: Iterable[str], section: str) -> Finding | None:
    """Return what is wrong with an unknown name; None: it is not like any of ours.

    Args:
        name: the unknown one.
        known: names of options that are read in its place.
        section: where it stands, or would in a file.
    """
    if section == GROUP and name in _OF_ISSUERS:
        cause = f"{name} is an option of issuers, ignored here"
        return Finding("warn", name, cause, f"write it in a section [{ISSUER_PREFIX}NAME]")
    # Imported here: only a name that is not known needs it.
    from authmw.config.old_options import OLD_OPTIONS

    if section == GROUP and name in OLD_OPTIONS:
        cause = f"{name} is an option of old releases, ignored"
        return Finding("warn", name, cause, OLD_OPTIONS[name])
    # Names with hyphens are those of command lines, and deprecated ones.
    names = {one for one in known if "-" not in one}
    near = find_nearest(name, names, _OPTIONS_ALIKE) or _find_relative(name, names)
    if near is None or _is_of_keystoneauth(name):
        return None
    return make_option_slip(name, near, section, twin=_find_twin(name, near, names))


def _find_twin(name: str, near: str, known: Collection[str]) -> str | None:
    """Return the option beside `near` that a name without `_id` or `_name` may as well stand for.

    None: the name says which, or there is one option alone.
    """
    for ending, other in _TWINS.items():
        stem = near.removesuffix(ending)
        twin = stem + other
        if stem == near or twin not in known:
            continue
        # Imported here: only a mistake needs it.
        from difflib import SequenceMatcher

        written = SequenceMatcher(None, name.lower())
        ratios = []
        for one in (stem, near, twin):
            written.set_seq2(one)
            ratios.append(written.ratio())
        if ratios[0] > max(ratios[1:]):
            return twin
    return None


def _find_relative(name: str, known: Iterable[str]) -> str | None:
    """Return the most similar option of the family that a name belongs to, if it is ours alone."""
    family = next((start for start in _OURS_ALONE if name.startswith(start)), None)
    if family is None:
        return None
    return find_nearest(name, (one for one in known if one.startswith(family)), 0)


def make_option_slip(name: str, near: str, section: str, *, twin: str | None = None) -> Finding:
    """Return the finding that a name is a misspelt one, of one option or of one of two."""
    cause = f"{name} is not known to authmw, ignored"
    meant = near if twin is None else f"{near} or {twin}"
    return Finding("warn", name, cause, f"{_DID_YOU_MEAN}{meant}?", section=section)


def find_slip_of(option: str, findings: Iterable[Finding]) -> str | None:
    """Return the name that one of the findings takes for a misspelling of an option."""
    for finding in findings:
        meant = finding.fix.removeprefix(_DID_YOU_MEAN).removesuffix("?")
        if meant != finding.fix and option in meant.split(" or "):
            return finding.option
    return None


def find_issuer_slips(section: str, unknown: Iterable[str], known: Iterable[str]) -> list[Finding]:
    """Return a finding for each unknown name in a section of an issuer, which nobody else reads."""
    findings = []
    for name in unknown:
        near = find_nearest(name, known, _ISSUER_OPTIONS_ALIKE)
        if near is not None:
            findings.append(make_option_slip(name, near, section))
        else:
            cause = f"{name} is not known to authmw, ignored"
            findings.append(Finding("warn", name, cause, "", section=section))
    return findings


def _is_of_keystoneauth(name: str) -> bool:
    """Tell whether an option of this name belongs to a session, an adapter or another plugin.

    Services read those in our section for clients of their own. All plugins are loaded to learn
    the names, which takes long, and is done for suspects only.
    """
    # Imported here: only a suspect needs it.
    from authmw.config.auth_plugin import list_keystoneauth_options

    return name in list_keystoneauth_options()
