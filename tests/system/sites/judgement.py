"""What Keystone would say about a token, by the facts of its database at one moment."""

from __future__ import annotations

import random
import sqlite3
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from authmw.authority.keystone_claims import parse_keystone_claims
from authmw.bundle.evaluate import evaluate
from authmw.bundle.facts import TABLES, unpack_id
from authmw.bundle.file import Origin, write_bundle
from authmw.bundle.keystone_configuration import read_keystone_configuration
from authmw.bundle.sqlite_reader import SqliteFacts
from authmw.errors import FactUnknown, InvalidToken
from authmw.revocation.events import parse_event
from authmw.revocation.facts import facts_of as revocation_facts_of
from authmw.revocation.index import EventIndex
from authmw.testing.issuer import Issuer
from authmw.token import Token
from tests.bundle.keystone_worlds import KeystoneOfWorlds
from tests.support.bundles import export, normalize, read_claims

_EVENTS = "revocation_events"
Verdict = tuple[int, dict[str, Any] | None]
"""The status that a service answers with, and the token body if that is 200."""


class State:
    """The facts of a Keystone at one moment.

    `tests/bundle/test_differential.py` holds what these say against what Keystone says.

    Args:
        keystone: that nobody changes meanwhile.
        directory: for a bundle.

    Attributes:
        digest: of the facts as sites have them, without revocation events.
    """

    def __init__(self, keystone: KeystoneOfWorlds, directory: Path) -> None:
        self._file = sqlite3.connect(":memory:")
        configuration = read_keystone_configuration([str(keystone.configuration_file)]).facts
        read_at = export(keystone.database_url, configuration, self._file)
        self._facts = SqliteFacts(self._file, read_at)
        path = directory / f"state-{uuid.uuid4().hex}"
        self.digest = write_bundle(path, Origin(1, read_at, "a test"), self._rows()).digest
        path.unlink()
        self._events = EventIndex(max_events=100_000, retention_seconds=86400 * 30)
        self._events.add(
            [parse_event(each, 0) for each in self._facts.revocation_events()], time.time()
        )
        self._issuer = Issuer(_load_key(keystone))

    def _rows(self) -> Iterator[tuple[str, tuple[Any, ...]]]:
        for table in TABLES:
            if table.name != _EVENTS:
                columns = ", ".join(f'"{column.name}"' for column in table.columns)
                for row in self._file.execute(f'SELECT {columns} FROM "{table.name}"'):
                    yield table.name, row

    def judge(self, token: str, now: float, read_at: int | None = None) -> Verdict:
        """Return what a service that has these facts answers.

        What they deny is refused if they are of a time after the token was issued, and else a
        503: Keystone accepted since then what they deny.

        Args:
            token: signed by the Keystone.
            now: epoch seconds.
            read_at: epoch seconds: the time that the service knows its facts to be of; None: they
                are of this moment.
        """
        claims = read_claims(token)
        if now >= claims["exp"]:
            return 401, None
        self._facts.read_at = int(now) if read_at is None else read_at
        try:
            body = evaluate(
                parse_keystone_claims(claims),
                issued_at=claims["iat"],
                expires_at=claims["exp"],
                now=now,
                facts=self._facts,
            )
        except InvalidToken:
            return 503 if claims["iat"] > self._facts.read_at else 401, None
        except FactUnknown:
            return 503, None
        parsed = Token.from_body(body, None, answered_at=0, fresh_until=0, usable_until=0)
        if self._events.find_attributes(revocation_facts_of(parsed)) is not None:
            return 401, None
        return 200, normalize(body)

    def random_tokens(
        self, count: int, seed: int, *, issued_at: int, seconds: int = 3600
    ) -> Iterator[str]:
        """Sign tokens of random users in random scopes; many of them have roles there.

        Args:
            count: of tokens.
            seed: other tokens for each.
            issued_at: epoch seconds.
            seconds: how long they are valid.
        """
        numbers = random.Random(seed)
        users = self._ids("SELECT id FROM users")
        scopes = [
            *(("openstack_project_id", each) for each in self._ids(_PROJECTS)),
            *(("openstack_domain_id", each) for each in self._ids(_DOMAINS)),
            ("openstack_system", "all"),
        ]
        likely = [
            (unpack_id(user), ("openstack_project_id", unpack_id(target)))
            for user, target in self._file.execute(_GRANTED)
        ]
        for _ in range(count):
            user, scope = numbers.choice(users), numbers.choice(scopes)
            if likely and numbers.random() < 0.7:
                user, scope = numbers.choice(likely)
            scoped = dict([scope]) if numbers.random() < 0.95 else {}
            yield self._issuer.sign(
                {
                    "sub": user,
                    "iat": issued_at,
                    "exp": issued_at + seconds,
                    "openstack_methods": ["password"],
                    "openstack_audit_ids": [uuid.UUID(int=numbers.getrandbits(128)).hex[:22]],
                    **scoped,
                }
            )

    def _ids(self, query: str) -> list[str]:
        return [unpack_id(each) for (each,) in self._file.execute(query)]

    def close(self) -> None:
        self._file.close()


_PROJECTS = "SELECT id FROM projects WHERE is_domain = 0"
_DOMAINS = "SELECT id FROM projects WHERE is_domain = 1"
_GRANTED = """
SELECT actor_id, target_id FROM assignments WHERE actor_is_group = 0 AND target_is_domain = 0
UNION
SELECT user_id, target_id FROM memberships JOIN assignments
ON actor_id = group_id AND actor_is_group = 1 AND target_is_domain = 0
"""


def _load_key(keystone: KeystoneOfWorlds) -> EllipticCurvePrivateKey:
    key = load_pem_private_key(keystone.private_key.read_bytes(), None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return key


def is_for_any_request(token: str, body: dict[str, Any] | None) -> bool:
    """Tell whether a token is accepted of whoever sends it, and for every path."""
    if "openstack_thumbprint" in read_claims(token):
        return False
    return "access_rules" not in ((body or {}).get("application_credential") or {})
