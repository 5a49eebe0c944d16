"""Serves requests as on a host in FIPS mode, which refuses hashes that are not approved.

The builds of Python and OpenSSL for such hosts are not installable here, so the constructors
raise what those raise. SHA-1 stays, as OpenSSL's FIPS provider has it.

Run as `python -m tests.system.servers.fips_host KIND SERVERS`.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable
from typing import Any

APPROVED = frozenset(
    ["sha1", "sha224", "sha256", "sha384", "sha512", "sha512_224", "sha512_256"]
    + [f"sha3_{bits}" for bits in (224, 256, 384, 512)]
    + ["shake_128", "shake_256"]
)
REFUSED = ("md5", "blake2b", "blake2s")


def refuse_others(kind: str) -> None:
    """Refuse what is not approved, as `openssl-3` or as `rhel-8` does it."""

    def refuse(name: str) -> Callable[..., Any]:
        def refused(*_arguments: Any, **options: Any) -> Any:
            if kind == "rhel-8" and options.keys() - {"usedforsecurity"}:
                raise TypeError(f"an invalid keyword argument for openssl_{name}()")
            if options.get("usedforsecurity", True):
                raise ValueError("[digital envelope routines] unsupported")
            return real[name](*_arguments, **options)

        return refused

    real = {name: getattr(hashlib, name) for name in REFUSED}
    for name in REFUSED:
        setattr(hashlib, name, refuse(name))
    new = hashlib.new

    def new_approved(name: str, *arguments: Any, **options: Any) -> Any:
        if name.lower().replace("-", "_") not in APPROVED and options.get("usedforsecurity", True):
            raise ValueError(f"unsupported hash type {name}")
        return new(name, *arguments, **options)

    hashlib.new = new_approved


def serve(servers: str) -> Iterable[int]:
    """Yield the status of a few requests of two bearers, with and without signed tokens."""
    from authmw import AuthMiddleware
    from authmw.testing import IdentityServer

    def service(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["HTTP_X_USER_NAME"].encode()]

    with IdentityServer() as identity:
        secret = {"memcache_security_strategy": "ENCRYPT", "memcache_secret_key": "x" * 40}
        filters = [
            AuthMiddleware(
                service,
                {**identity.service_credentials, "memcached_servers": servers, **secret, **more},
            )
            for more in (
                {"token_validation": "remote"},
                {"jws_jwks_uri": identity.jwks_url},
            )
        ]
        for protected in filters:
            for persona in ("member", "reader"):
                token = identity.issue(persona, project="inventory")
                for _ in range(2):
                    yield ask(protected, token)
            protected.close()


def ask(app: Callable[..., Iterable[bytes]], token: str) -> int:
    """Return the status that a GET with this token gets."""
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "wsgi.url_scheme": "http",
        "SERVER_NAME": "service.example",
        "SERVER_PORT": "80",
        "HTTP_X_AUTH_TOKEN": token,
    }
    list(app(environ, lambda status, _headers, _exc_info=None: statuses.append(status)))
    return int(statuses[-1].split()[0])


if __name__ == "__main__":
    refuse_others(sys.argv[1])
    sys.stdout.write(" ".join(map(str, serve(sys.argv[2]))))
