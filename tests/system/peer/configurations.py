"""The configurations that both filters get, alike, by name."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from keystoneauth1 import loading
from oslo_config import cfg

from tests.support.memcached import Memcached
from tests.support.processes import find_free_port
from tests.system.peer.estate import Estate

Options = dict[str, str]

SECRET_KEY = "made up for tests"


class TextCache:
    """A cache object as a service puts it in its environ: values are JSON, never bytes."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def get(self, key: str) -> Any:
        found = self.entries.get(key)
        return None if found is None else json.loads(found)

    def set(self, key: str, value: object, time: int = 0) -> None:
        self.entries[key] = json.dumps(value)

    def delete(self, key: str) -> None:
        self.entries.pop(key, None)


class AnythingCache(dict[str, Any]):
    """One that keeps objects as they are."""

    def set(self, key: str, value: object, time: int = 0) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)

    def __bool__(self) -> bool:
        return True  # it is there, empty or not


@dataclass(frozen=True)
class Backends:
    """The services that configurations point to.

    Attributes:
        directory: for configuration files.
        silent: listens and never answers, as a suspended server does.
        environ: put into every request.
    """

    estate: Estate
    memcached: Memcached
    directory: Path
    silent: socket.socket
    environ: Mapping[str, Any]

    @cached_property
    def deserted_url(self) -> str:
        """Where an identity service would be asked, and none is."""
        return f"http://127.0.0.1:{find_free_port()}/v3"

    @property
    def silent_url(self) -> str:
        return f"http://127.0.0.1:{self.silent.getsockname()[1]}/v3"

    def credentials(self, **changes: str) -> Options:
        """Return how the filters log in, and where clients shall."""
        estate = self.estate
        process = estate.keystone.fernet
        return {
            "auth_type": "password",
            "auth_url": process.auth_url,
            "username": estate.service_user.name,
            "password": estate.service_user.password,
            "user_domain_id": "default",
            "project_name": estate.service_project.name,
            "project_domain_id": "default",
            "www_authenticate_uri": process.auth_url,
            "http_request_max_retries": "0",
            **changes,
        }

    def credentials_without(self, name: str) -> Options:
        return {key: value for key, value in self.credentials().items() if key != name}


Conf = dict[str, Any]


def _own(options: Options) -> Conf:
    """As from a paste file; an oslo.config object of its own keeps the sides apart."""
    conf = cfg.ConfigOpts()
    conf([], project="inventory", default_config_files=[], default_config_dirs=[])
    return {**options, "oslo_config_config": conf}


def _plain(**changes: str) -> Callable[[Backends], Conf]:
    return lambda backends: _own(backends.credentials(**changes))


def _memcached(**changes: str) -> Callable[[Backends], Conf]:
    return lambda backends: _own(
        backends.credentials(memcached_servers=backends.memcached.address, **changes)
    )


def _v3_application_credential(backends: Backends) -> Conf:
    credential = backends.estate.service_credential
    options = backends.credentials()
    return _own(
        {
            "auth_type": "v3applicationcredential",
            "auth_url": options["auth_url"],
            "application_credential_id": credential.id,
            "application_credential_secret": credential.secret,
            "www_authenticate_uri": options["www_authenticate_uri"],
        }
    )


def _powerless(backends: Backends) -> Conf:
    user = backends.estate.powerless_user
    return _own(backends.credentials(username=user.name, password=user.password))


def _jws(backends: Backends) -> Conf:
    url = backends.estate.keystone.jws.auth_url
    return _own(backends.credentials(auth_url=url, www_authenticate_uri=url))


def _down(**changes: str) -> Callable[[Backends], Conf]:
    return lambda backends: _own(backends.credentials(auth_url=backends.deserted_url, **changes))


def _silent(**changes: str) -> Callable[[Backends], Conf]:
    return lambda backends: _own(
        backends.credentials(auth_url=backends.silent_url, http_connect_timeout="1", **changes)
    )


def _wrong_path(backends: Backends) -> Conf:
    url = backends.estate.keystone.fernet.url
    return _own(backends.credentials(auth_url=f"{url}/nothing/here"))


def _in_file(backends: Backends) -> Conf:
    """Everything in a service's configuration file."""
    return _write_file(backends, {"keystone_authtoken": backends.credentials()})


def _in_section_of_file(backends: Backends) -> Conf:
    """Our credentials in a section that the service has for other calls, too."""
    credentials = backends.credentials()
    uri = credentials.pop("www_authenticate_uri")
    del credentials["http_request_max_retries"]
    ours = {"auth_section": "identity", "www_authenticate_uri": uri}
    return _write_file(backends, {"keystone_authtoken": ours, "identity": credentials})


def _in_section_of_service(backends: Backends) -> Conf:
    """The same where the service has registered that section's options for itself."""
    conf = cfg.ConfigOpts()
    file = _in_section_of_file(backends)["oslo_config_file"]
    conf([], project="inventory", default_config_files=[file], default_config_dirs=[])
    loading.register_auth_conf_options(conf, "identity")
    return {"oslo_config_config": conf}


def _file_and_paste(backends: Backends) -> Conf:
    """The paste file wins over the configuration file."""
    sections = {"keystone_authtoken": backends.credentials(delay_auth_decision="true")}
    return {**_write_file(backends, sections), "delay_auth_decision": "false"}


def _write_file(backends: Backends, sections: Mapping[str, Options]) -> Conf:
    lines = []
    for section, options in sections.items():
        lines += [f"[{section}]", *(f"{name} = {value}" for name, value in options.items())]
    number = len(list(backends.directory.iterdir()))
    path = backends.directory / f"inventory-{number}.conf"
    path.write_text("\n".join(lines) + "\n")
    return {"oslo_config_project": "inventory", "oslo_config_file": str(path)}


DELAY = {"delay_auth_decision": "true"}

CONFIGURATIONS: Mapping[str, Callable[[Backends], Conf]] = {
    # how requests are judged
    "plain": _plain(),
    "delay": _plain(**DELAY),
    "no-catalog": _plain(include_service_catalog="false"),
    "roles-not-required": _plain(service_token_roles_required="false"),
    "roles-not-required-delay": _plain(service_token_roles_required="false", **DELAY),
    "shelvers-serve": _plain(service_token_roles="stocker, shelver"),
    "nobody-serves": _plain(service_token_roles=""),
    "inventory": _plain(service_type="inventory"),
    "inventory-delay": _plain(service_type="inventory", **DELAY),
    "inventory-no-catalog": _plain(service_type="inventory", include_service_catalog="false"),
    "inventory-roles-not-required": _plain(
        service_type="inventory", service_token_roles_required="false"
    ),
    "identity": _plain(service_type="identity"),
    "unlisted-type": _plain(service_type="unheard-of"),
    "bind-disabled": _plain(enforce_token_bind="disabled"),
    "bind-strict": _plain(enforce_token_bind="strict"),
    "bind-required": _plain(enforce_token_bind="required"),
    "bind-kerberos": _plain(enforce_token_bind="kerberos"),
    # where clients are sent
    "no-uri": lambda backends: _own(backends.credentials_without("www_authenticate_uri")),
    "other-uri": _plain(www_authenticate_uri="https://identity.example/identity/"),
    # where identity is asked
    "public": _plain(interface="public"),
    "admin": _plain(interface="admin"),
    "region": _plain(region_name="RegionOne"),
    "version-3": _plain(auth_version="v3"),
    "version-2": _plain(auth_version="v2.0"),
    "jws": _jws,
    # as whom
    "v3password": _plain(auth_type="v3password"),
    "v3applicationcredential": _v3_application_credential,
    "file": _in_file,
    "section": _in_section_of_service,
    "section-not-registered": _in_section_of_file,
    "file-and-paste": _file_and_paste,
    # caches
    "uncached": _plain(token_cache_time="-1"),
    "memcached": _memcached(),
    "memcached-delay": _memcached(**DELAY),
    "old-names": lambda backends: _own(
        backends.credentials(
            memcache_servers=backends.memcached.address,
            interface="publicURL",
            delay_auth_decision="Yes",
        )
    ),
    "memcached-simple-pool": _memcached(memcache_use_advanced_pool="false"),
    "memcached-mac": _memcached(memcache_security_strategy="MAC", memcache_secret_key=SECRET_KEY),
    "memcached-encrypt": _memcached(
        memcache_security_strategy="ENCRYPT", memcache_secret_key=SECRET_KEY
    ),
    "memcached-down": lambda backends: _own(
        backends.credentials(memcached_servers=f"127.0.0.1:{find_free_port()}")
    ),
    "text-cache": _plain(cache="swift.text"),
    "anything-cache": _plain(cache="swift.anything"),
    "absent-cache": _plain(cache="swift.absent"),
    # when nobody can say
    "down": _down(),
    "down-delay": _down(**DELAY),
    "down-no-uri": lambda backends: _own(
        {
            **backends.credentials_without("www_authenticate_uri"),
            "auth_url": backends.deserted_url,
        }
    ),
    "silent": _silent(),
    "silent-delay": _silent(**DELAY),
    "wrong-password": _plain(password="wrong"),
    "wrong-password-delay": _plain(password="wrong", **DELAY),
    "powerless": _powerless,
    "wrong-path": _wrong_path,
    "no-endpoint": _plain(region_name="Nowhere"),
    "no-credentials": lambda backends: _own({"www_authenticate_uri": "http://identity.example/v3"}),
    "no-credentials-no-uri": lambda _: _own({}),
}
