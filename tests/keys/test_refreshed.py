"""A key source is a reader of a few lines; what all sources have in common is tested with one."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field

import pytest

from authmw.errors import IdentityUnavailable, KeysUnreadable
from authmw.jose.public_key import SkippedKey
from authmw.keys.combined import CombinedKeys
from authmw.keys.refreshed import RefreshedKeys
from authmw.keys.source import FoundKeys
from tests.support.signing import public_key
from tests.support.waiting import wait_for

NOW = 1_800_000_000.0
MAX_AGE = 600.0
# For a machine that is busy with something else.
TOLERANCE_SECONDS = 10.0


@dataclass
class Reader:
    """A third kind of source."""

    found: FoundKeys | str
    option: str = "jws_something"
    location: str = "somewhere"
    early_interval_seconds: float = 5.0
    retry_seconds: float = 7.0
    first_wait_seconds: float = 0.5
    may_answer: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()

    def read(self, now: float) -> FoundKeys:
        assert now >= NOW
        self.may_answer.wait(30)
        if isinstance(self.found, str):
            raise KeysUnreadable(self.found)
        return self.found


def keys(*numbers: int) -> FoundKeys:
    return FoundKeys(tuple(public_key("ES256", number) for number in numbers), fresh_seconds=60.0)


def test_a_reader_is_all_that_a_source_needs() -> None:
    reader = Reader(keys(0))
    source = RefreshedKeys(reader, max_age_seconds=MAX_AGE)
    with pytest.raises(IdentityUnavailable, match="jws_something = somewhere: not read yet"):
        source.current(NOW)
    source.reload(NOW)
    assert [key.source for key in source.current(NOW).keys] == ["ES256-0"]
    assert source.reload_at == NOW + 60
    reader.found = keys(0, 1)
    assert len((source.reload_early(NOW + 1) or source.current(NOW)).keys) == 2
    reader.found = keys(1)
    assert source.reload_early(NOW + 5) is None
    assert source.reload_early(NOW + 6) is not None
    assert source.generation == 3
    reader.found = "gone"
    source.reload(NOW + 20)
    assert source.reload_at == NOW + 27
    assert [key.source for key in source.current(NOW + 20).keys] == ["ES256-1"]
    with pytest.raises(IdentityUnavailable, match="longer ago than jws_keys_max_age: gone"):
        source.current(NOW + 7 + MAX_AGE)


def test_keys_are_read_twice_before_they_grow_too_old() -> None:
    source = RefreshedKeys(Reader(keys(0)), max_age_seconds=10)
    source.reload(NOW)
    assert source.reload_at == NOW + 5


def test_a_reader_that_fails_unexpectedly_leaves_the_last_good_keys(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @dataclass
    class Faulty(Reader):
        def read(self, now: float) -> FoundKeys:
            if now > NOW:
                raise ZeroDivisionError("secret")
            return super().read(now)

    source = RefreshedKeys(Faulty(keys(0)), max_age_seconds=MAX_AGE)
    source.reload(NOW)
    source.reload(NOW + 60)
    assert source.reload_at == NOW + 67
    assert len(source.current(NOW + 60).keys) == 1
    with pytest.raises(IdentityUnavailable, match=r"reading it failed \(ZeroDivisionError\)"):
        source.current(NOW + 1 + MAX_AGE)
    assert "reading jws_something failed (ZeroDivisionError):" in caplog.text
    assert "secret" not in caplog.text.replace('"secret"', "")


def test_sources_that_do_not_answer_cost_one_wait_together() -> None:
    readers = [Reader(keys(0)) for _ in range(30)]
    source = CombinedKeys([RefreshedKeys(reader, max_age_seconds=MAX_AGE) for reader in readers])
    for reader in readers:
        reader.may_answer.clear()
    began_at = time.monotonic()
    source.reload(NOW)
    took = time.monotonic() - began_at
    for reader in readers:
        reader.may_answer.set()
    # Their threads would go on logging in the tests that follow.
    assert wait_for(lambda: not [one for one in threading.enumerate() if "jws_some" in one.name])
    assert 0.5 <= took < 0.5 + TOLERANCE_SECONDS


def test_the_log_names_no_more_keys_than_a_line_holds_and_each_reason_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    many = tuple(public_key("ES256", 0, kid=str(number)) for number in range(5000))
    skipped = (SkippedKey("a.jwks", "bad"),) * 1000 + (SkippedKey("b.jwks", "bad"),)
    reader = Reader(FoundKeys(many, skipped), location="elsewhere")
    RefreshedKeys(reader, max_age_seconds=MAX_AGE).reload(NOW)
    # Threads of another test may still log.
    lines = [message for message in caplog.messages if message.startswith("elsewhere: ")]
    assert lines[:2] == [
        "elsewhere: 1000 keys of a.jwks are not used: bad",
        "elsewhere: b.jwks is not used: bad",
    ]
    assert lines[2].startswith("elsewhere: 5000 public keys: ES256-0 (ES256, ")
    RefreshedKeys(Reader(FoundKeys(many[:1], ()), location="one"), max_age_seconds=MAX_AGE).reload(
        NOW
    )
    assert any(message.startswith("one: 1 public key: ES256-0 (") for message in caplog.messages)
    assert len(lines[2]) < 2000


def test_a_kid_from_outside_never_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    found = FoundKeys((public_key("ES256", kid="forged\nline"),))
    RefreshedKeys(Reader(found), max_age_seconds=MAX_AGE).reload(NOW)
    assert "forged" not in caplog.text
