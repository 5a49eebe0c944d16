"""Caches, environs and sources for tests of the shared cache."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from authmw.answers.source import SharedAnswers
from authmw.answers.tokens import TokenLifetime, TokenSubject
from authmw.cache.digests import KeyMaker
from authmw.cache.sealing import EncryptSealing, MacSealing, NoSealing, Sealing
from authmw.cache.secret import Secret
from authmw.cache.shared import SealedNamespace, SharedCache
from authmw.checks.expiry import ExpiryPolicy
from authmw.errors import CacheError
from authmw.identity.token_response import TokenResponse, TokenSource
from authmw.token import Token
from authmw.token.catalog import ServiceCatalog
from tests.support.token_bodies import CATALOG, ISSUED_AT, make_body

ENDPOINT = "https://id.example/v3"
NOW = ISSUED_AT + 60
SECRET = Secret("a secret of many random characters")
OTHER_SECRET = Secret("another secret of as many characters")

CATALOG_JSON = json.dumps(CATALOG).encode()


def make_sealings() -> dict[str, Sealing]:
    return {
        "none": NoSealing(),
        "MAC": MacSealing(SECRET),
        "ENCRYPT": EncryptSealing(SECRET),
    }


def make_namespace(sealing: Sealing | None = None, secret: Secret | None = None) -> SealedNamespace:
    sealing = sealing or NoSealing()
    return SealedNamespace(KeyMaker(ENDPOINT, secret, sealing), sealing)


def make_answer(
    *, catalog: ServiceCatalog | None = None, answered_at: int = NOW, **members: Any
) -> TokenResponse:
    return TokenResponse(make_body(**members), catalog, answered_at)


class DictCache:
    """A `BytesCache` in a dict, whose values a test can look at and change.

    Attributes:
        values: what it holds.
        ttls: how long each was to be held, seconds.
        fault: raised by everything from now on.
    """

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.ttls: dict[str, int] = {}
        self.fault: CacheError | None = None

    def get(self, key: str) -> bytes | None:
        self._fail()
        return self.values.get(key)

    def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        self._fail()
        assert ttl_seconds > 0, "memcached would keep it for ever"
        self.values[key] = value
        self.ttls[key] = ttl_seconds

    def delete(self, key: str) -> None:
        self._fail()
        self.values.pop(key, None)

    def _fail(self) -> None:
        if self.fault is not None:
            raise self.fault


class ScriptedSource:
    """A `TokenSource` that gives one answer, or raises one error, and counts the questions."""

    def __init__(self, outcome: TokenResponse | Exception) -> None:
        self.outcome = outcome
        self.questions: list[tuple[str, bool]] = []

    def fetch_token_response(self, token: str, *, allow_expired: bool, now: float) -> TokenResponse:
        self.questions.append((token, allow_expired))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


class TokenAsker:
    """Asks about tokens as a filter does, through the shared cache in front of a source."""

    def __init__(
        self, source: TokenSource, cache: SharedCache, lifetime: TokenLifetime | None = None
    ) -> None:
        self._lifetime = lifetime or TokenLifetime(300, 0, 300)
        self._shared = SharedAnswers[Token](
            source, cache, include_catalog=True, clock_skew_seconds=5, remember_seconds=300
        )

    def ask(self, token: str, now: float = NOW) -> Token:
        return self._shared.fetch(
            TokenSubject(token, ExpiryPolicy.REFUSE_EXPIRED, self._lifetime), now
        )


class SwiftCache:
    """Keeps what swift.common.memcached keeps: JSON."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.ttls: list[int] = []

    def get(self, key: str) -> object:
        value = self.values.get(key)
        return None if value is None else json.loads(value)

    def set(self, key: str, value: object, serialize: bool = True, time: int = 0) -> None:  # noqa: FBT001, FBT002 - swift's own
        self.values[key] = json.dumps(value)
        self.ttls.append(time)

    def delete(self, key: str) -> None:
        self.values.pop(key, None)


class OldSwiftCache(SwiftCache):
    """As it was when the time to live was called a timeout."""

    def set(self, key: str, value: object, serialize: bool = True, timeout: int = 0) -> None:  # noqa: FBT001, FBT002
        super().set(key, value, serialize, timeout)


def environ_with(cache: object) -> dict[str, Any]:
    return {"PATH_INFO": "/", "swift.cache": cache}


def texts_of(cache: Mapping[str, bytes]) -> bytes:
    return b"\n".join([*(key.encode() for key in cache), *cache.values()])
