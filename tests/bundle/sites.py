"""A site with a bundle on its disk, and who signs tokens of its users."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from authmw.bundle.facts import TABLES, TABLES_BY_NAME
from authmw.bundle.file import (
    Confirmation,
    Header,
    Origin,
    hot_path,
    write_bundle,
    write_hot,
)
from authmw.testing.issuer import Issuer
from tests.bundle.small_bundles import SmallBundle, make_row
from tests.support.clock import Clock
from tests.support.filters import Filter

Row = tuple[str, tuple[Any, ...]]
SILENT_KEYSTONE = {
    "auth_type": "password",
    "auth_url": "http://127.0.0.1:1/v3",
    "username": "nobody",
    "password": "none",
    "project_name": "none",
    "user_domain_id": "d",
    "project_domain_id": "d",
    "http_request_max_retries": "0",
    "revocation_poll_interval": "0",
}
"""Options of a filter whose Keystone does not answer."""

MakeFilter = Callable[..., Filter]
"""Makes a filter of the site's options and others, as keywords; see `conftest.py`."""


class Site:
    """A directory with a bundle and the public key of who signs.

    Args:
        directory: where all of it is kept.
        clock: of the filters.

    Attributes:
        world: the facts that `publish` writes; a test changes them.
        path: of the bundle.
        hot_path: of its hot file.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self.clock = clock
        self.world = SmallBundle()
        self.world.assign("member", "u", "low")
        self.path = directory / "site.bundle"
        self.hot_path = hot_path(self.path)
        self._issuer = Issuer()
        self._keys = directory / "keys"
        self._issuer.write_public_key(self._keys)
        self._number = 0

    @property
    def options(self) -> dict[str, str]:
        """Options of a filter that asks nobody."""
        return {
            "jws_public_key_repository": str(self._keys),
            "token_validation": "offline",
            "jws_authority": "bundle",
            "bundle_path": str(self.path),
            "www_authenticate_uri": "https://id.example",
        }

    def publish(
        self,
        *,
        age: float = 0,
        events_age: float | None = 0,
        complete_from: int | None = 0,
        number: int | None = None,
        path: Path | None = None,
    ) -> Header:
        """Write the facts as the next revision, in place of the last one.

        Args:
            age: of the facts, seconds.
            events_age: of the revocation events; None: there are none.
            complete_from: see `Origin`.
            number: of the revision; None: one more than the last one's.
            path: of the file; None: where filters look.
        """
        self._number = self._number + 1 if number is None else number
        now = self.clock()
        origin = Origin(
            self._number,
            int(now - age),
            "a test",
            None if events_age is None else int(now - events_age),
            None if events_age is None else complete_from,
        )
        return write_bundle(path or self.path, origin, self._rows())

    def publish_hot(
        self,
        *events: dict[str, Any],
        confirms: tuple[Header, int] | None = None,
        age: float = 0,
        events_age: float | None = 0,
        complete_from: int | None = 0,
        number: int = 1,
    ) -> None:
        """Write the hot file.

        Args:
            events: as `GET /v3/OS-REVOKE/events` lists them.
            confirms: the header of a bundle, and the revision that has its facts as well.
            age: of that revision, seconds.
            events_age: of the events, seconds; None: there are none that count.
            complete_from: see `Origin`.
            number: of the revision of the events.
        """
        now = self.clock()
        table = TABLES_BY_NAME["revocation_events"]
        rows = [
            (table.name, make_row(table, {"revoked_at": place, "event": event}))
            for place, event in enumerate(events)
        ]
        has_events = events_age is not None
        origin = Origin(
            number,
            int(now - (events_age or 0)),
            "a test",
            int(now - (events_age or 0)) if has_events else None,
            complete_from if has_events else None,
        )
        source = self.path.with_name("events")
        write_bundle(source, origin, rows)
        confirmation = None
        if confirms is not None:
            confirmation = Confirmation(confirms[0].digest, confirms[1], int(now - age))
        write_hot(self.path, confirmation, source)

    def _rows(self) -> Iterator[Row]:
        for table in TABLES:
            columns = ", ".join(f'"{column.name}"' for column in table.columns)
            for row in self.world.file.execute(f'SELECT {columns} FROM "{table.name}"'):
                yield table.name, row

    def sign(self, user: str = "u", *, age: int = 10, **claims: Any) -> str:
        """Sign a token of a user on the project `low`, unless its claims say otherwise."""
        issued_at = int(self.clock()) - age
        scope = {} if "openstack_domain_id" in claims else {"openstack_project_id": "low"}
        return self._issuer.sign(
            {
                "sub": user,
                "iat": issued_at,
                "exp": issued_at + 3600,
                "openstack_methods": ["password"],
                "openstack_audit_ids": [uuid.uuid4().hex[:22]],
                **scope,
                **claims,
            }
        )

    def sign_many(self, number: int) -> list[str]:
        return [self.sign() for _ in range(number)]

    def close(self) -> None:
        self.world.close()


def statuses(answers: Iterable[Any]) -> list[int]:
    """Return the status of each answer."""
    return [answer.status for answer in answers]
