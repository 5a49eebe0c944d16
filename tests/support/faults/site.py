"""A good deployment with real parts, for faults to be seeded into."""

from __future__ import annotations

import contextlib
import functools
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from tests.support.certificates import Authority
from tests.support.identity_types import IssuedToken, Named, PasswordUser, project_scope
from tests.support.keystone import Keystone, KeystoneProcess
from tests.support.memcached import Memcached

SECRET = "thirty-two characters and more of a secret"
SECTION = "keystone_authtoken"


class People:
    """Who is in Keystone: a service's user, and a client of the service; made once.

    Args:
        keystone: issues signed tokens.
    """

    def __init__(self, keystone: KeystoneProcess) -> None:
        self.api = keystone.api
        self.project = self.api.find_project("admin")
        self.service = self._make("service")
        self.client = self._make("member")

    def _make(self, role: str) -> PasswordUser:
        return self.make_user(self.api.find_role(role))

    def make_user(self, *roles: Named) -> PasswordUser:
        """Make a user with these roles on the project."""
        user = self.api.create_user()
        for role in roles:
            self.api.grant(user, role, project_scope(self.project))
        return user

    @functools.cached_property
    def token(self) -> IssuedToken:
        """A good token of the client."""
        return self.api.issue(self.client, project_scope(self.project))


@dataclass
class Site:
    """A deployment: the options of a filter, its environment, and the servers around it.

    A seed changes what it finds here, and starts servers in `stack`.

    Attributes:
        keystone: that signs its tokens; real, shared by all tests.
        people: in it.
        memcached: real, shared by all tests; nothing else is in it under this site's name.
        directory: of this test alone.
        patch: for the environment.
        stack: ends what was started.
        options: of `[keystone_authtoken]`.
        sections: others of the configuration file.
        paste: the options of a paste section; None: there is none.
        token: that a client sends.
        service: where clients reach the service; None: nobody knows.
        clock_ahead: seconds by which this host's clock is ahead.
    """

    keystone: Keystone
    people: People
    memcached: Memcached
    directory: Path
    patch: pytest.MonkeyPatch
    stack: contextlib.ExitStack
    options: dict[str, str] = field(init=False)
    sections: dict[str, dict[str, str]] = field(init=False, default_factory=dict)
    paste: dict[str, str] | None = field(init=False, default=None)
    token: str = field(init=False)
    service: str | None = field(init=False, default=None)
    clock_ahead: float = field(init=False, default=0)

    def __post_init__(self) -> None:
        people = self.people
        self.options = {
            "auth_type": "password",
            "auth_url": self.keystone.jws.auth_url,
            "username": people.service.name,
            "password": people.service.password,
            "user_domain_id": "default",
            "project_name": people.project.name,
            "project_domain_id": "default",
            # In a catalog that bootstrap made; so that no test meets the entries of another.
            "region_name": "RegionOne",
            "www_authenticate_uri": self.keystone.jws.url,
            "http_request_max_retries": "0",
            "identity_deadline": "5",
            "service_token_roles_required": "true",
            "memcached_servers": self.memcached.address,
            "memcache_security_strategy": "ENCRYPT",
            "memcache_secret_key": SECRET,
            "jws_public_key_repository": str(self.keystone.jws_public_key_repository),
        }
        self.token = people.token.id

    def remove(self, *names: str) -> None:
        """Take options away."""
        for name in names:
            del self.options[name]

    def authority(self, name: str = "authority") -> Authority:
        """Return a certification authority of this test."""
        return Authority(self.directory, name)

    def file_name(self) -> str:
        """Return an absolute path of a file or directory that is not there."""
        return str(self.directory / uuid.uuid4().hex)

    def write(self) -> list[str]:
        """Write the files; returns the arguments that name them to a command."""
        path = self.directory / "service.conf"
        sections = {SECTION: self.options, **self.sections}
        path.write_text(
            "\n".join(
                f"[{section}]\n" + "".join(f"{name} = {value}\n" for name, value in options.items())
                for section, options in sections.items()
            )
        )
        arguments = ["--config-file", str(path)]
        if self.paste is not None:
            paste = self.directory / "paste.ini"
            lines = [f"{name} = {value}\n" for name, value in self.paste.items()]
            paste.write_text("[filter:auth]\n" + "".join(lines))
            arguments += ["--paste", f"{paste}#auth"]
        if self.service is not None:
            arguments += ["--service", self.service]
        return arguments

    def make_conf(self) -> dict[str, Any]:
        """Return what paste hands to `authmw.filter_factory`."""
        arguments = self.write()
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[arguments[1]], default_config_dirs=[])
        factories = ("use", "paste.filter_factory")
        options = {k: v for k, v in (self.paste or {}).items() if k not in factories}
        return {**options, "oslo_config_config": conf}


def setting(**options: str) -> Callable[[Site], None]:
    """Return a seed that sets options."""
    return lambda site: site.options.update(options)


def without(*names: str) -> Callable[[Site], None]:
    """Return a seed that takes options away."""
    return lambda site: site.remove(*names)
