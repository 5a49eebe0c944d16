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

import subprocess
import sys
from functools import cached_property
from pathlib import Path

from tests.support.identity_api import IdentityApi
from tests.support.memcached import Memcached
from tests.support.programs import ROOT
from tests.support.wsgi_server import Gunicorn

ADMIN_PASSWORD = "made up for tests"

CONFIGURATION = """\
[DEFAULT]
public_endpoint = {url}
[database]
connection = sqlite:///{site}/keystone.db
sqlite_synchronous = false
[cache]
enabled = true
backend = dogpile.cache.pymemcache
memcache_servers = {cache}
[catalog]
# The processes share the cache; their catalogs differ, since each names itself.
caching = false
[identity]
password_hash_rounds = 4
[token]
provider = {provider}
expiration = {expiration_seconds}
[fernet_tokens]
key_repository = {site}/fernet
[fernet_receipts]
key_repository = {site}/receipts
[credential]
key_repository = {site}/credential
[jwt_tokens]
jws_public_key_repository = {site}/jws-public
jws_private_key_repository = {site}/jws-private
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
                site=site,
                url=self.url,
                provider=provider,
                expiration_seconds=expiration_seconds,
                cache=cache,
            )
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
    """A site made at first use; each of its processes starts when it is first asked for.

    All three share database, keys and cache, so whatever one writes the others see at once.
    A Fernet process can't read JWS tokens, nor the other way round.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
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
        self._set_up()
        process = self._make_process(provider, expiration_seconds, more)
        self._processes.append(process)
        process.start()
        return process

    def _make_process(
        self, provider: str, expiration_seconds: int, more: str = ""
    ) -> KeystoneProcess:
        return KeystoneProcess(
            self.directory,
            provider=provider,
            expiration_seconds=expiration_seconds,
            cache=self._cache.address,
            more=more,
        )

    def _set_up(self) -> None:
        if self.jws_public_key_repository.exists():
            return
        # The commands load the token provider, and that of signed tokens wants the keys which
        # are to be made.
        configuration_file = self._make_process("fernet", 3600).configuration_file
        for name in ("fernet", "receipts", "credential", "jws-private", "key-pair"):
            (self.directory / name).mkdir(mode=0o700)
        key_pair = self.directory / "key-pair"
        setup = [sys.executable, "-m", "tests.support.keystone_setup"]
        finished = subprocess.run(
            [*setup, str(configuration_file), str(key_pair), ADMIN_PASSWORD],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert finished.returncode == 0, f"Keystone could not be set up:\n{finished.stdout[-5000:]}"
        (key_pair / "private.pem").rename(self.directory / "jws-private" / "private.pem")
        self.jws_public_key_repository.mkdir(mode=0o700)
        (key_pair / "public.pem").rename(self.jws_public_key_repository / "public.pem")
