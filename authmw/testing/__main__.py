"""Run an identity server for experiments: python -m authmw.testing OPTIONS_FILE TOKENS_FILE

It runs until it is interrupted. It keeps its data in memory only. With `--jws DIR` its tokens are
signed, and its public key is in DIR, as a service that validates offline wants it. The region of
its catalog is "one".
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from pathlib import Path

from authmw.testing.identity_server import IdentityServer

# With the project that each token is for.
_USERS = {"admin": "inventory", "member": "inventory", "reader": "inventory", "service": "service"}


def main() -> int:
    """Serve until SIGINT or SIGTERM; return the exit status."""
    summary, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m authmw.testing", description=summary.partition(":")[0] + ".", epilog=rest
    )
    parser.add_argument(
        "options_file", type=Path, help="gets [keystone_authtoken] for a service that uses it"
    )
    parser.add_argument(
        "tokens_file",
        type=Path,
        help="gets a shell variable with a token for each user, and SERVICE for a service's",
    )
    parser.add_argument(
        "--jws",
        type=Path,
        metavar="DIR",
        help="sign the tokens, and write the public key that verifies them into this directory",
    )
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; otherwise a free one")
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: ended.set())
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(
                IdentityServer(
                    provider="fernet" if arguments.jws is None else "jws", port=arguments.port
                )
            )
        except (OSError, OverflowError) as error:
            parser.error(f"port {arguments.port}: {error}")
        options = server.service_credentials
        if arguments.jws is not None:
            server.issuer.write_public_key(arguments.jws)
            options["jws_public_key_repository"] = str(arguments.jws.resolve())
        _write(
            arguments.options_file,
            "[keystone_authtoken]\n"
            + "".join(f"{name} = {value}\n" for name, value in options.items()),
        )
        _write(
            arguments.tokens_file,
            "".join(f"{u.upper()}={server.issue(u, project=p)}\n" for u, p in _USERS.items()),
        )
        sys.stdout.write(f"An identity service for tests is at {server.url}\n")
        sys.stdout.flush()
        ended.wait()
    return 0


def _write(path: Path, text: str) -> None:
    # Passwords and tokens: readable for the owner alone.
    path.touch(mode=0o600)
    path.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
