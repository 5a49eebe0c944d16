"""Faults that the configuration alone shows."""

from __future__ import annotations

from tests.support.faults.fault import Fault
from tests.support.faults.site import SECTION, Site, setting, without


def _quote_auth_url(site: Site) -> None:
    # oslo.config takes them off.
    site.paste = {
        "use": "egg:authmw#auth_token",
        "auth_url": f'"{site.options.pop("auth_url")}"',
    }


def _leave_out_scheme(site: Site) -> None:
    site.options["auth_url"] = site.options["auth_url"].partition("//")[2]


def _misspell_section(site: Site) -> None:
    site.sections["keystone_authtokn"] = dict(site.options)
    site.options.clear()
    site.options["www_authenticate_uri"] = site.keystone.jws.url


def _misname_factory(site: Site) -> None:
    site.paste = {"use": "egg:authmw#auth_tokens"}


def _misname_module(site: Site) -> None:
    site.paste = {"paste.filter_factory": "authmw.auth_tokn:filter_factory"}


FAULTS = (
    Fault(
        "an option misspelt in the file",
        setting(delay_auth_decison="true"),
        "options",
        ("delay_auth_decison", "delay_auth_decision"),
        "warn",
    ),
    Fault(
        "an option of another name",
        setting(jws_key_directory="/etc/keys"),
        "options",
        ("jws_key_directory", "did you mean jws_public_key_repository"),
        "warn",
    ),
    Fault(
        "a section misspelt",
        _misspell_section,
        "options",
        ("keystone_authtokn", SECTION),
        "warn",
    ),
    Fault("auth_url without a scheme", _leave_out_scheme, "options", ("auth_url", "http")),
    Fault("auth_url in quotes", _quote_auth_url, "options", ("auth_url", "quotes")),
    Fault("no password", without("password"), "options", ("password",)),
    Fault("no domain of the user", without("user_domain_id"), "options", ("user_domain_id",)),
    Fault(
        "no domain of the project", without("project_domain_id"), "options", ("project_domain_id",)
    ),
    Fault("no auth_type", without("auth_type"), "options", ("auth_type", "credentials")),
    Fault("an auth_type misspelt", setting(auth_type="pasword"), "options", ("write password",)),
    Fault(
        "www_authenticate_uri unset",
        without("www_authenticate_uri"),
        "options",
        ("www_authenticate_uri is not set", "clients"),
        "warn",
    ),
    Fault(
        "www_authenticate_uri is no URL",
        setting(www_authenticate_uri="keystone.example"),
        "options",
        ("www_authenticate_uri", "http"),
    ),
    Fault(
        "a sealing without its secret",
        without("memcache_secret_key"),
        "options",
        ("memcache_secret_key", "ENCRYPT"),
    ),
    Fault("a boolean misspelt", setting(insecure="flase"), "options", ("insecure", "'flase'")),
    Fault("cafile is not there", setting(cafile="/nowhere/ca.pem"), "options", ("cafile", "name")),
    Fault(
        "unsealed entries in memcached",
        without("memcache_security_strategy", "memcache_secret_key"),
        "options",
        ("forge any identity", "memcache_security_strategy = ENCRYPT", "32 or more random"),
        "warn",
    ),
    Fault(
        "an option of an old file",
        setting(auth_uri="http://keystone.example:5000"),
        "options",
        ("auth_uri", "www_authenticate_uri"),
        "warn",
    ),
    Fault("a filter misspelt in the paste file", _misname_factory, "paste", ("#auth_token",)),
    Fault("a module misspelt in the paste file", _misname_module, "paste", ("auth_tokn",)),
)
