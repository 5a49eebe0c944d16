"""Rules over the options of an auth plugin: what can be known to fail before Keystone is asked.

They are about plugins that keystoneauth1 brings; others are not judged.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from authmw.config.findings import Finding
from authmw.config.urls import verify_url
from authmw.errors import ConfigurationError

# The options of which a login needs one, by plugin; the first is the one to write.
_NEEDED: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "password": (("username", "user_id"), ("password",)),
    "v3password": (("username", "user_id"), ("password",)),
    "v2password": (("username", "user_id"), ("password",)),
    "v3totp": (("username", "user_id"), ("passcode",)),
    "v3applicationcredential": (("application_credential_id", "application_credential_name"),),
    "http_basic": (("username",), ("password",)),
}
# Those that log in with a user's name as Keystone has it, and not as an identity provider has it.
_WITH_USER: Final = frozenset({"password", "v3password", "v3totp"})
_APPLICATION_CREDENTIAL: Final = "v3applicationcredential"
_VERSION_2: Final = frozenset({"v2password", "v2token"})
_URL_ENDINGS: Final = ("_url", "_uri", "endpoint")

# What stands behind the version by mistake; other paths may be a proxy's.
_PAST_VERSION: Final = re.compile(r"/v3/(v3|auth)(/|$)|/tokens$")

# What a token can be scoped to; a login names one of them (Identity API v3, "Scoped").
SCOPES: Final = {
    "project": ("project_name", "project_id"),
    "domain": ("domain_name", "domain_id"),
    "trust": ("trust_id",),
    "system": ("system_scope",),
}
"""The options that name what our token is scoped to, by kind."""

# It sends all of its scope in headers.
_TOKENLESS: Final = "v3tokenlessauth"


def verify_credentials(
    auth_type: str, methods: Collection[str], section: str, values: Mapping[str, object]
) -> None:
    """Refuse options with which no login can succeed; nothing is sent.

    Args:
        auth_type: a plugin of keystoneauth1.
        methods: the plugins that v3multifactor combines; else the plugin itself.
        section: where the options stand.
        values: by name; the options of the plugin that are not set are None.

    Raises:
        ConfigurationError: an option is missing or contradicts another.
    """
    for name, value in values.items():
        if name.endswith(_URL_ENDINGS) and value:
            verify_url(name, str(value), section=section)
    _verify_auth_url(auth_type, values, section)
    for method in methods:
        for names in _NEEDED.get(method, ()):
            if not _any_set(values, names):
                raise ConfigurationError(
                    names[0],
                    None,
                    f"auth_type = {auth_type} needs {' or '.join(names)} in [{section}]",
                    section=section,
                )
    if auth_type not in _VERSION_2:
        _verify_user(methods, section, values)
        _verify_scope(auth_type, section, values)


def _verify_auth_url(auth_type: str, values: Mapping[str, object], section: str) -> None:
    url = str(values.get("auth_url") or "")
    path = urlsplit(url).path.rstrip("/")
    if _PAST_VERSION.search(path) or (path.endswith("/v2.0") and auth_type not in _VERSION_2):
        raise ConfigurationError(
            "auth_url",
            url,
            "write it without a version or up to it, such as https://id.example:5000/v3",
            section=section,
        )


def _verify_user(methods: Collection[str], section: str, values: Mapping[str, object]) -> None:
    by_name = _any_set(values, ["username"]) and not _any_set(values, ["user_id"])
    needs_domain = by_name and not _WITH_USER.isdisjoint(methods)
    if _APPLICATION_CREDENTIAL in methods and not _any_set(values, ["application_credential_id"]):
        if not _any_set(values, ["username", "user_id"]):
            raise ConfigurationError(
                "application_credential_id",
                None,
                "write it, or the user that application_credential_name is of",
                section=section,
            )
        needs_domain = needs_domain or by_name
    if needs_domain and not _any_set(
        values, ["user_domain_id", "user_domain_name", *_default_domain(values)]
    ):
        raise ConfigurationError(
            "user_domain_id",
            None,
            "a username is one of a domain: write user_domain_id (often default) or "
            "user_domain_name",
            section=section,
        )


def _verify_scope(auth_type: str, section: str, values: Mapping[str, object]) -> None:
    if auth_type == _TOKENLESS:
        return
    scopes = [names for names in SCOPES.values() if _any_set(values, names)]
    written = [name for names in scopes for name in names if _any_set(values, [name])]
    if len(scopes) > 1:
        raise ConfigurationError(
            written[0],
            values[written[0]],
            f"a token has one scope: write one of {', '.join(written)}",
            section=section,
        )
    if written and auth_type == _APPLICATION_CREDENTIAL:
        raise ConfigurationError(
            written[0],
            values[written[0]],
            "remove it: an application credential has the project that it was made in",
            section=section,
        )
    if (
        _any_set(values, ["project_name"])
        and not _any_set(values, ["project_id"])
        and not _any_set(
            values, ["project_domain_id", "project_domain_name", *_default_domain(values)]
        )
    ):
        raise ConfigurationError(
            "project_domain_id",
            None,
            "a project_name is one of a domain: write project_domain_id (often default) or "
            "project_domain_name",
            section=section,
        )
    system = values.get("system_scope")
    if system and system != "all":
        raise ConfigurationError("system_scope", system, "write all", section=section)


def find_doubtful_credentials(auth_type: str, section: str) -> Iterator[Finding]:
    """Yield what probably does not work, though it may."""
    if auth_type in _VERSION_2:
        other = f"v3{auth_type.removeprefix('v2')}"
        yield Finding(
            "warn",
            "auth_type",
            f"auth_type = {auth_type} logs in to version 2.0 of the Identity API, which Keystone "
            "has not had since 2018",
            f"write {other}",
            section,
        )


def _default_domain(values: Mapping[str, object]) -> list[str]:
    """Return the names of options for the domain of user and project; plugins of v3 have none."""
    return [name for name in ("default_domain_id", "default_domain_name") if name in values]


def _any_set(values: Mapping[str, object], names: Collection[str]) -> bool:
    return any(values.get(name) not in (None, "") for name in names)
