"""Run a server for experiments: python -m authmw.testing OPTIONS_FILE TOKENS_FILE

It is an identity service, or with `--issuer` an OAuth2 issuer. It runs until it is interrupted, and
keeps its data in memory only. With `--jws DIR` the tokens of the identity service are signed, and
its public key is in DIR, as a service that validates offline wants it. The region of its catalog is
"one".
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from authmw.testing.identity import Provider
from authmw.testing.identity_server import IdentityServer

_USERS = ("admin", "member", "reader")
# Nobody fetches another token in the middle of an experiment.
_ISSUER_LIFETIME_SECONDS = 12 * 3600


def main() -> int:
    """Serve until SIGINT or SIGTERM; return the exit status."""
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m authmw.testing", description=summary.partition(":")[0] + ".", epilog=rest
    )
    parser.add_argument(
        "options_file",
        type=Path,
        help="gets [keystone_authtoken] or [authmw_issuer:test] for a service that uses the server",
    )
    parser.add_argument(
        "tokens_file", type=Path, help="gets a shell variable with a token for each user"
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--jws",
        type=Path,
        metavar="DIR",
        help="sign the tokens, and write the public key that verifies them into this directory",
    )
    kind.add_argument(
        "--issuer",
        action="store_true",
        help="serve an OAuth2 issuer (RFC 9068, with discovery) in place of an identity service",
    )
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; otherwise a free one")
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.set())
    port = arguments.port
    serving = _serve_issuer(port) if arguments.issuer else _serve_identity(arguments.jws, port)
    with contextlib.ExitStack() as stack:
        try:
            said, section, options, tokens = stack.enter_context(serving)
        except (OSError, OverflowError) as error:
            parser.error(f"port {port}: {error}")
        lines = "".join(f"{name} = {value}\n" for name, value in options.items())
        _write(arguments.options_file, f"[{section}]\n{lines}")
        _write(
            arguments.tokens_file,
            "".join(f"{user.upper()}={token}\n" for user, token in tokens.items()),
        )
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()
        ended.wait()
    return 0


# What to print, the section of a service's configuration, its options, and tokens by user.
_Served = tuple[str, str, Mapping[str, str], Mapping[str, str]]


@contextlib.contextmanager
def _serve_identity(key_directory: Path | None, port: int) -> Iterator[_Served]:
    provider: Provider = "fernet" if key_directory is None else "jws"
    with IdentityServer(provider=provider, port=port) as server:
        options = server.service_credentials
        if key_directory is not None:
            server.issuer.write_public_key(key_directory)
            options["jws_public_key_repository"] = str(key_directory.resolve())
        said = f"An identity service for tests is at {server.url}"
        tokens = {user: server.issue(user, project="inventory") for user in _USERS}
        tokens["service"] = server.issue("service", project="service")
        yield said, "keystone_authtoken", options, tokens


@contextlib.contextmanager
def _serve_issuer(port: int) -> Iterator[_Served]:
    # Imported here: an identity service needs none of it.
    from authmw.testing.oidc_server import OidcServer

    with OidcServer(lifetime_seconds=_ISSUER_LIFETIME_SECONDS, port=port) as server:
        said = f"An issuer for tests is at {server.issuer}"
        tokens = {user: server.issue(user, roles=[user]) for user in _USERS}
        yield said, "authmw_issuer:test", server.service_options, tokens


def _write(path: Path, text: str) -> None:
    # Passwords and tokens: readable for the owner alone.
    path.touch(mode=0o600)
    path.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
