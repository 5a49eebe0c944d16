"""The modes of the playground, and their worlds, each opened when it is first used."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authmw.middleware import WsgiApp
from authmw.playground import worlds
from authmw.playground.worlds import World


@dataclass(frozen=True, slots=True)
class Mode:
    """A deployment to try.

    Attributes:
        title: for people.
        description: what is set up.
        open: makes its world, with a service and a directory for files.
    """

    title: str
    description: str
    open: Callable[[WsgiApp, Path], World]


MODES: Final[Mapping[str, Mode]] = {
    "remote": Mode(
        "remote: Keystone is asked",
        "Opaque (Fernet) tokens. Keystone is asked about a token once; then memory knows it: send "
        "the same request twice.",
        worlds.open_remote,
    ),
    "offline": Mode(
        "offline: signed tokens",
        "Keystone's signed tokens (JWS) with names and roles in them. A public key on the local "
        "disk verifies them; Keystone is asked for revocation events alone.",
        worlds.open_offline,
    ),
    "issuer": Mode(
        "issuer: OAuth2 access tokens",
        "Access tokens of an OIDC issuer (RFC 9068), sent as Authorization: Bearer. The issuer's "
        "keys are fetched once; there is no Keystone.",
        worlds.open_issuer,
    ),
    "identity-down": Mode(
        "Keystone is down",
        "Remote validation, and Keystone has stopped. It was asked about a token of each persona "
        "before; ask for a new token to see what happens to one that it was never asked about.",
        worlds.open_identity_down,
    ),
    "revoked": Mode(
        "the token was revoked",
        "A signed token was accepted, and is in memory. Then it was revoked, and the filter has "
        "read the event. It polls each second here.",
        worlds.open_revoked,
    ),
    "cut-off": Mode(
        "site cut off: a bundle without Keystone",
        "Signed tokens without roles. An authority bundle on the local disk has users, roles and "
        "assignments; no Keystone can be reached.",
        worlds.open_cut_off,
    ),
    "stale-bundle": Mode(
        "site cut off for too long: past bundle_max_age",
        "The same, but the facts of the bundle are an hour old and bundle_max_age is ten minutes.",
        worlds.open_stale,
    ),
}
"""By name, in the order in which the page offers them."""


class Worlds:
    """The worlds of all modes.

    Args:
        app: the service behind each filter.
        directory: for their files.
    """

    def __init__(self, app: WsgiApp, directory: Path) -> None:
        self._app = app
        self._directory = directory
        self._open: dict[str, World] = {}
        self._locks = {name: threading.Lock() for name in MODES}

    def get(self, mode: str) -> World:
        """Return the world of a mode (of `MODES`), which the first call opens."""
        with self._locks[mode]:
            if mode not in self._open:
                directory = self._directory / mode
                directory.mkdir(mode=0o700)
                self._open[mode] = MODES[mode].open(self._app, directory)
            return self._open[mode]

    def close(self) -> None:
        """Close those that were opened."""
        with contextlib.ExitStack() as stack:
            for world in self._open.values():
                stack.callback(world.close)
