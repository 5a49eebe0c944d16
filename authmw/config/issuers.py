"""Reads the issuers: sections `[authmw_issuer:NAME]`, and `issuer.NAME.…` in a paste file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from authmw.config.option_reader import OptionReader
from authmw.config.slips import ISSUER_PREFIX, find_issuer_slips
from authmw.errors import HIDDEN, ConfigurationError

if TYPE_CHECKING:
    from authmw.config.issuer_settings import Introspection, IssuerSettings

OVERRIDE_PREFIX = "issuer."
"""How an issuer's options begin in a paste file: issuer.NAME.audience."""

# No dot, which ends a name in `issuer.NAME.audience`.
_NAME = r"[A-Za-z0-9_-]{1,64}"


def read_issuers(
    reader: OptionReader, *, skew_seconds: int, has_admin_project: bool
) -> tuple[IssuerSettings, ...]:
    """Read every issuer that is configured, in the order of their names.

    Names in their sections that are not options go to the findings of the reader.

    Args:
        reader: of the filter's configuration; it does not have the issuers' overrides afterwards.
        skew_seconds: `clock_skew_tolerance`.
        has_admin_project: whether `admin_project_name` is set.

    Raises:
        ConfigurationError: an option is wrong or missing, or two issuers claim the same tokens.
    """
    overrides = reader.split_off(OVERRIDE_PREFIX)
    names = {
        section.removeprefix(ISSUER_PREFIX)
        for section in reader.list_sections()
        if section.startswith(ISSUER_PREFIX)
    }
    for override in overrides.override_names():
        name, dot, option = override.partition(".")
        if not dot or not option:
            raise ConfigurationError(
                f"{OVERRIDE_PREFIX}{override}",
                None,
                f"write {OVERRIDE_PREFIX}NAME.OPTION, such as {OVERRIDE_PREFIX}acme.audience.",
            )
        names.add(name)
    found = [
        read_issuer(
            overrides.split_off(f"{name}."),
            name,
            skew_seconds=skew_seconds,
            has_admin_project=has_admin_project,
        )
        for name in sorted(names)
    ]
    issuers = tuple(issuer for issuer in found if issuer is not None)
    if issuers:
        from authmw.issuers.table import IssuerTable

        IssuerTable(record for issuer in issuers for record in issuer.records)
    return issuers


def read_issuer(
    reader: OptionReader, name: str, *, skew_seconds: int, has_admin_project: bool
) -> IssuerSettings | None:
    """Read one issuer; None: its section is empty, as that of a sample file.

    Args:
        reader: of its overrides.
        name: as in `[authmw_issuer:NAME]`.
        skew_seconds, has_admin_project: as of `read_issuers`.
    """
    section = f"{ISSUER_PREFIX}{name}"
    if not re.fullmatch(_NAME, name):
        raise ConfigurationError(
            section, None, "name the issuer with letters, digits, - and _ alone.", section=section
        )
    # Imported here and below: without issuers nothing of theirs is loaded.
    from authmw.config.issuer_options import ISSUER_OPTIONS

    values = reader.read(ISSUER_OPTIONS, section)
    values = {key: None if value in ("", [], {}) else value for key, value in values.items()}
    unknown = [*reader.unknown_names(), *reader.unknown_names_in(section)]
    if unknown:
        reader.findings += find_issuer_slips(section, unknown, reader.known_names())
    elif all(values[opt.dest] in (None, opt.default) for opt in ISSUER_OPTIONS):
        return None
    return _make_settings(name, section, values, skew_seconds, has_admin_project=has_admin_project)


def _make_settings(
    name: str,
    section: str,
    values: Mapping[str, Any],
    skew_seconds: int,
    *,
    has_admin_project: bool,
) -> IssuerSettings:
    from authmw.config.issuer_options import CLAIM_OPTIONS
    from authmw.config.issuer_settings import Connection, IssuerSettings
    from authmw.issuers.configured import IssuerOptions, make_issuers

    if values["profile"] == "keystone":
        raise ConfigurationError(
            "profile",
            "keystone",
            "leave this section out: Keystone's own tokens are what [keystone_authtoken] is about.",
            section=section,
        )
    records = make_issuers(
        IssuerOptions(
            name=name,
            profile=values["profile"] or "rfc9068",
            issuer=values["issuer"],
            issuer_variables=values["issuer_variables"] or {},
            audience=_strip(values["audience"]),
            algorithms=_strip(values["algorithms"]),
            types=_strip(values["types"]),
            claims={
                opt.dest: _strip(values[opt.dest])
                for opt in CLAIM_OPTIONS
                if values[opt.dest] is not None
            },
            required_values=values["required_values"] or {},
            trust_domain=values["trust_domain"],
            expires_at=values["expires_at"],
            skew_seconds=skew_seconds,
            has_admin_project=has_admin_project,
        )
    )
    _refuse_idle(values, section, is_introspected=records[0].profile.is_introspected)
    settings = IssuerSettings(
        name=name,
        records=records,
        jwks_uri=values["jwks_uri"],
        public_key_repository=values["public_key_repository"],
        introspection=_read_introspection(values) if records[0].profile.is_introspected else None,
        connection=Connection(
            **{each.name: values[each.name] for each in dataclasses.fields(Connection)}
        ),
    )
    _verify_keys(settings, section)
    if settings.connection.keyfile is not None and settings.connection.certfile is None:
        raise ConfigurationError(
            "keyfile",
            settings.connection.keyfile,
            "set certfile to the certificate of this key, too.",
            section=section,
        )
    return settings


def _refuse_idle(values: Mapping[str, Any], section: str, *, is_introspected: bool) -> None:
    """Refuse options that would have no effect with this profile, and were meant to have one."""
    from authmw.config.issuer_options import INTROSPECTION_OPTIONS, SIGNATURE_OPTIONS

    for opt in SIGNATURE_OPTIONS if is_introspected else INTROSPECTION_OPTIONS:
        value = values[opt.dest]
        if value in (None, opt.default):
            continue
        about = (
            "the issuer is asked about opaque" if is_introspected else "keys verify this issuer's"
        )
        raise ConfigurationError(
            opt.dest,
            HIDDEN if opt.secret else value,
            f"leave it out, or write another profile: with this one {about} tokens.",
            section=section,
        )
    if values["public_key_repository"] is not None and values["bearer_token_file"] is not None:
        raise ConfigurationError(
            "bearer_token_file",
            values["bearer_token_file"],
            "leave it out: nothing is fetched where keys are in public_key_repository.",
            section=section,
        )


def _strip(written: str | list[str] | None) -> list[str]:
    return [written] if isinstance(written, str) else [one for one in written or () if one]


def _read_introspection(values: Mapping[str, Any]) -> Introspection:
    from authmw.config.issuer_settings import Introspection

    return Introspection(
        endpoint=values["introspection_endpoint"],
        client_id=values["client_id"],
        client_secret=values["client_secret"],
        auth_method=values["auth_method"],
        jwt_key_file=values["jwt_key_file"],
        jwt_algorithm=values["jwt_algorithm"],
        jwt_key_id=values["jwt_key_id"],
        assertion_audience=values["assertion_audience"],
        assertion_lifetime=values["assertion_lifetime"],
    )


def _verify_keys(settings: IssuerSettings, section: str) -> None:
    from authmw.issuers.identifier import find_fault

    uri, directory = settings.jwks_uri, settings.public_key_repository
    if uri is not None and directory is not None:
        raise ConfigurationError(
            "jwks_uri", uri, "write this or public_key_repository, not both.", section=section
        )
    if uri is not None and find_fault(uri.partition("?")[0]) is not None:
        raise ConfigurationError(
            "jwks_uri", uri, "write an https URI (http only on this machine).", section=section
        )
    has_discovery = all(record.identifier is not None for record in settings.records)
    introspection = settings.introspection
    if introspection is None:
        if not has_discovery and uri is None and directory is None:
            raise ConfigurationError(
                "jwks_uri",
                None,
                "write where the keys are, or public_key_repository: without an issuer "
                "identifier there is no discovery document that says so.",
                section=section,
            )
        return
    endpoint = introspection.endpoint
    if endpoint is None and not has_discovery:
        raise ConfigurationError(
            "introspection_endpoint",
            None,
            "write it, or issuer, whose discovery document says it.",
            section=section,
        )
    if endpoint is not None and find_fault(endpoint.partition("?")[0]) is not None:
        raise ConfigurationError(
            "introspection_endpoint",
            endpoint,
            "write an https URI (http only on this machine): tokens are sent there.",
            section=section,
        )
