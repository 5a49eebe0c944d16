"""A real Keystone on SQLite: one site, and the processes that serve it.

What tests have to know of it: Keystone 30 takes a revoked token once more as X-Auth-Token.
It validates that header before it has made the context of the new request, so its memoised
functions see what the *previous* request of the same thread has put in its request-local
cache, and if that was a request with the same token, the revocation (by another thread) goes
unnoticed. The context is replaced then, so each thread does so once at most, however much
time has passed; as X-Subject-Token a revoked token is refused at once, always. A test that
uses a token for X-Auth-Token after it was revoked asks until it is refused.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from tests.support.identity_api import IdentityApi
from tests.support.keystone_site import ADMIN_PASSWORD, configure, copy_site
from tests.support.memcached import Memcached
from tests.support.wsgi_server import Gunicorn

CONFIGURATION = """\
[DEFAULT]
public_endpoint = {url}
[cache]
enabled = true
backend = dogpile.cache.pymemcache
memcache_servers = {cache}
[catalog]
# The processes share the cache; their catalogs differ, since each names itself.
caching = false
[token]
provider = {provider}
expiration = {expiration_seconds}
"""

STRICT = """\
[security_compliance]
lockout_failure_attempts = 2
lockout_duration = 3600
change_password_upon_first_use = true
"""


class KeystoneProcess(Gunicorn):
    """One process that serves the site; the identity endpoint of its catalogs is itself.

    Args:
        site: the site's directory.
        provider: "fernet" or "jws".
        expiration_seconds: how long its tokens live.
        cache: where it remembers what it read, host:port; shared by the processes of a site.
        more: lines for its configuration file.
    """

    def __init__(
        self, site: Path, *, provider: str, expiration_seconds: int, cache: str, more: str = ""
    ) -> None:
        name = f"keystone-{provider}-{expiration_seconds}{'-more' if more else ''}"
        configuration_file = site / f"{name}.conf"
        super().__init__(
            ["tests.support.keystone_wsgi:make_application()"],
            log=site / f"{name}.log",
            threads=8,
            ready_path="/v3",
            environ={"OS_KEYSTONE_CONFIG_FILES": str(configuration_file)},
        )
        configuration_file.write_text(
            CONFIGURATION.format(
                url=self.url,
                provider=provider,
                expiration_seconds=expiration_seconds,
                cache=cache,
            )
            + configure(site)
            + more
        )
        self.configuration_file = configuration_file

    @property
    def auth_url(self) -> str:
        """The Identity API's address, as `auth_url` and `www_authenticate_uri` want it."""
        return f"{self.url}/v3"

    @cached_property
    def api(self) -> IdentityApi:
        """The Identity API as the administrator uses it, through this process."""
        return IdentityApi(self.auth_url, admin_password=ADMIN_PASSWORD)


class Keystone:
    """A site; each of its processes starts when it is first asked for.

    All three share database, keys and cache, so whatever one writes the others see at once.
    A Fernet process can't read JWS tokens, nor the other way round.

    Args:
        directory: of the site.
        new_site: what it begins as; see `tests.support.keystone_site`.
    """

    def __init__(self, directory: Path, new_site: Path) -> None:
        self.directory = directory
        copy_site(new_site, directory)
        self._cache = Memcached(directory, name="keystone-memcached")
        self._processes: list[KeystoneProcess] = []

    @cached_property
    def fernet(self) -> KeystoneProcess:
        """Issues Fernet tokens that live an hour."""
        return self._start(provider="fernet", expiration_seconds=3600)

    @cached_property
    def jws(self) -> KeystoneProcess:
        """Issues JWS tokens that live an hour."""
        return self._start(provider="jws", expiration_seconds=3600)

    @cached_property
    def short_lived(self) -> KeystoneProcess:
        """Issues Fernet tokens that live 20 seconds."""
        return self._start(provider="fernet", expiration_seconds=20)

    @cached_property
    def strict(self) -> KeystoneProcess:
        """Locks accounts after two wrong passwords, and wants each new password changed."""
        return self._start(provider="fernet", expiration_seconds=3600, more=STRICT)

    @property
    def jws_public_key_repository(self) -> Path:
        """The directory of public keys that verify what `jws` issues."""
        return self.directory / "jws-public"

    def stop(self) -> None:
        """Stop every process that was started."""
        for process in self._processes:
            process.stop()
        self._cache.stop()

    def _start(self, *, provider: str, expiration_seconds: int, more: str = "") -> KeystoneProcess:
        self._cache.start()
        process = KeystoneProcess(
            self.directory,
            provider=provider,
            expiration_seconds=expiration_seconds,
            cache=self._cache.address,
            more=more,
        )
        self._processes.append(process)
        process.start()
        return process
