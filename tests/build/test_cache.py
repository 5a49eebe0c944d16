"""The shared cache as the configuration describes it."""

from __future__ import annotations

import logging
import textwrap

import pytest

from authmw.build.cache import make_namespaces, open_shared_cache
from authmw.cache.digests import digest_text
from authmw.errors import ConfigurationError
from authmw.runtime import request
from tests.support.memcached import Memcached
from tests.support.memcached_kinds import make_settings
from tests.support.programs import run_python
from tests.support.shared_cache import ENDPOINT, SwiftCache, environ_with

SECRETS = {"memcache_secret_key": "the new secret", "memcache_secret_key_previous": "the old one"}


def test_without_servers_and_environ_key_there_is_no_shared_cache() -> None:
    assert open_shared_cache(make_settings(), ENDPOINT) is None


def test_environ_key_puts_the_object_of_the_request_in_front(empty_memcached: Memcached) -> None:
    settings = make_settings(cache="swift.cache", memcached_servers=empty_memcached.address)
    cache = open_shared_cache(settings, ENDPOINT)
    assert cache is not None
    held = SwiftCache()
    with request.serving(environ_with(held)):
        cache.look_up("token", b"digest").put(b"entry", 60)
        assert cache.look_up("token", b"digest").entry == b"entry"
    assert (len(held.values), empty_memcached.count_items()) == (1, 0)
    cache.look_up("token", b"digest").put(b"entry", 60)
    assert empty_memcached.count_items() == 1


def test_server_that_can_not_be_understood_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"memcached_servers = 'http://cache:11211'"):
        open_shared_cache(make_settings(memcached_servers="http://cache:11211"), ENDPOINT)


def test_unsealed_cache_is_warned_about_at_start(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "authmw")
    make_settings(memcached_servers="127.0.0.1")
    assert caplog.text.count("anyone who can write to memcached can forge any identity") == 1


@pytest.mark.parametrize("strategy", ["MAC", "ENCRYPT"])
def test_new_secret_writes_and_both_read(strategy: str) -> None:
    current, previous = make_namespaces(
        make_settings(memcache_security_strategy=strategy, **SECRETS), ENDPOINT
    )
    rolled_out = make_namespaces(
        make_settings(memcache_security_strategy=strategy, memcache_secret_key="the old one"),
        ENDPOINT,
    )
    digest = digest_text("token")
    assert previous.keys.make_key("token", digest) == rolled_out[0].keys.make_key("token", digest)
    assert previous.sealing.open("key", rolled_out[0].sealing.seal("key", b"entry")) == b"entry"
    assert current.keys.make_key("token", digest) != previous.keys.make_key("token", digest)


def run(program: str) -> str:
    return run_python("-c", textwrap.dedent(program)).stdout


@pytest.mark.heavy
def test_mac_works_where_cryptography_can_not_be_loaded_and_encrypt_says_what_to_do() -> None:
    """A sub-interpreter of mod_wsgi is such a place."""
    said = run(
        """
        import sys
        sys.modules["cryptography"] = None
        from authmw.cache.sealing import EncryptSealing, MacSealing
        from authmw.cache.secret import Secret
        from authmw.errors import ConfigurationError
        mac = MacSealing(Secret("secret"))
        print(mac.open("key", mac.seal("key", b"entry")).decode())
        try:
            EncryptSealing(Secret("secret"))
        except ConfigurationError as error:
            print(error)
        """
    )
    assert said.startswith("entry\n[keystone_authtoken] memcache_security_strategy = 'ENCRYPT'")
    assert "WSGIApplicationGroup %{GLOBAL}" in said


@pytest.mark.heavy
def test_nothing_of_a_cache_is_loaded_before_one_is_configured() -> None:
    said = run(
        """
        import sys
        import authmw.build.cache
        print(sorted({"pymemcache", "cryptography"} & set(sys.modules)))
        """
    )
    assert said == "[]\n"
