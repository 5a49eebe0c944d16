"""Faults of memcached."""

from __future__ import annotations

from authmw.build.cache import make_namespaces, name_endpoint
from authmw.cache.canary import leave_canary
from authmw.cache.memcached import open_memcached
from authmw.config.loading import load_settings
from tests.support.faults.fault import Fault
from tests.support.faults.site import Site, setting
from tests.support.memcached import Memcached
from tests.support.misbehaving import closed_port


def _stop_it(site: Site) -> None:
    port = site.stack.enter_context(closed_port())
    site.options["memcached_servers"] = f"127.0.0.1:{port}"


def _name_another_server(site: Site) -> None:
    site.options["memcached_servers"] = f"127.0.0.1:{site.keystone.jws.port}"


def start_another(site: Site, *arguments: str) -> Memcached:
    """Start a memcached with these arguments; `memcached_servers` names it."""
    server = Memcached(site.directory, name="another-memcached", arguments=arguments)
    server.start()
    site.stack.callback(server.stop)
    site.options["memcached_servers"] = server.address
    return server


def _limit_items(site: Site) -> None:
    start_another(site, "-I", "512k")


def _share_with_another_secret(site: Site) -> None:
    start_another(site)
    own = dict(site.options)
    site.options["memcache_secret_key"] = "a secret of another service, just as long as ours"
    leave_canary_of(site)
    site.options = own


def leave_canary_of(site: Site) -> None:
    """Do what a service with these options does at its start."""
    settings = load_settings(site.make_conf())
    leave_canary(open_memcached(settings), make_namespaces(settings, ""), name_endpoint(settings))


FAULTS = (
    Fault("memcached that is not there", _stop_it, "memcached", ("refused", "start memcached")),
    Fault(
        "a server that is no memcached",
        _name_another_server,
        "memcached",
        ("no proper answer", "memcache_tls_enabled"),
    ),
    Fault(
        "memcached that takes small items alone",
        _limit_items,
        "memcached",
        ("524288 bytes don't fit", "-I 1m"),
        "warn",
    ),
    Fault(
        "two services with two secrets",
        _share_with_another_secret,
        "memcached",
        ("another memcache_secret_key", "the same secret"),
        "warn",
    ),
    Fault(
        "a memcached address that is none",
        setting(memcached_servers="memcached:11211:2"),
        "options",
        ("memcached_servers", "host:port"),
    ),
)
