"""The bytes of one entry in the shared cache."""

from __future__ import annotations

import gc
import json
import random
import zlib
from typing import Any

import pytest

from authmw.answers.entry import MAX_CATALOG_BYTES, TokenEntry, parse_entry
from authmw.errors import CacheError
from authmw.token.catalog import ServiceCatalog
from tests.support.shared_cache import CATALOG_JSON, NOW, make_answer
from tests.support.token_bodies import CATALOG

LARGE_CATALOG = [{**service, "id": f"{service['id']}-{n}"} for service in CATALOG for n in range(9)]


def make_entry(
    catalog: ServiceCatalog | None = None, *, catalog_requested: bool = True
) -> TokenEntry:
    return TokenEntry(make_answer(catalog=catalog), catalog_requested)


def make_line(**members: Any) -> bytes:
    """Return an entry without a catalog, with members changed or (...) left out."""
    line = json.loads(make_entry().to_bytes())
    line.update(members)
    line = {name: value for name, value in line.items() if value is not ...}
    return json.dumps(line).encode() + b"\n"


@pytest.mark.parametrize("services", [[], CATALOG, LARGE_CATALOG])
def test_entry_is_read_as_it_was_written(services: list[Any]) -> None:
    entry = make_entry(ServiceCatalog.from_services(services))
    assert parse_entry(entry.to_bytes()) == entry


@pytest.mark.parametrize("catalog_requested", [True, False])
def test_entry_without_a_catalog_says_whether_one_was_asked_for(*, catalog_requested: bool) -> None:
    entry = make_entry(catalog_requested=catalog_requested)
    assert parse_entry(entry.to_bytes()) == entry


def test_names_of_any_script_come_back() -> None:
    answer = make_answer(user={"id": "u1", "name": "Zoë 山\n\ud800", "domain": {"id": "d"}})
    entry = TokenEntry(answer, catalog_requested=True)
    assert parse_entry(entry.to_bytes()).answer.body == answer.body


def test_large_catalog_is_compressed_and_a_small_one_is_not() -> None:
    catalog = ServiceCatalog.from_services(LARGE_CATALOG)
    assert len(make_entry(catalog).to_bytes()) < len(catalog.text) / 2
    assert CATALOG_JSON[:1] == b"["
    small = ServiceCatalog.from_services([{"type": "compute"}])
    assert make_entry(small).to_bytes().endswith(b'\n[{"type":"compute"}]')


def test_catalog_in_use_is_found_and_not_made_again() -> None:
    written = make_entry(ServiceCatalog.from_services(LARGE_CATALOG)).to_bytes()
    first = parse_entry(written).answer.catalog
    assert parse_entry(written).answer.catalog is first
    assert first is ServiceCatalog.from_services(LARGE_CATALOG)


def test_catalog_that_no_token_uses_is_forgotten() -> None:
    from authmw.answers import entry as module

    written = make_entry(ServiceCatalog.from_services([{"type": "rare"}])).to_bytes()
    catalog = parse_entry(written).answer.catalog
    segment = written.partition(b"\n")[2]
    assert segment in module._catalog_by_segment
    del catalog
    gc.collect()
    assert segment not in module._catalog_by_segment


UNREADABLE = {
    "nothing": b"",
    "text": b"hello\n",
    "a list": b"[]\n",
    "a number": b"1\n",
    "a pickle": b"\x80\x04N.\n",
    "too deep": b"[" * 100_000 + b"\n",
    "another version": make_line(version=1),
    "no version": make_line(version=...),
    "version as text": make_line(version="1"),
    "no body": make_line(body=...),
    "body a list": make_line(body=[]),
    "body null": make_line(body=None),
    "no answered_at": make_line(answered_at=...),
    "answered_at text": make_line(answered_at="1"),
    "answered_at true": make_line(answered_at=True),
    "answered_at a fraction": make_line(answered_at=1.5),
    "no catalog": make_line(catalog=...),
    "catalog null": make_line(catalog=None),
    "catalog a list": make_line(catalog=[]),
    "catalog unheard of": make_line(catalog="gzip"),
    "catalog missing": make_line(catalog="json"),
    "catalog no list": make_line(catalog="json") + b'{"a": 1}',
    "catalog of numbers": make_line(catalog="json") + b"[1]",
    "catalog of odd endpoints": make_line(catalog="json") + b'[{"endpoints": 5}]',
    "catalog too deep": make_line(catalog="json") + b"[" * 100_000,
    "catalog not compressed": make_line(catalog="zlib") + CATALOG_JSON,
    "catalog cut off": make_line(catalog="zlib") + zlib.compress(CATALOG_JSON)[:-1],
    "catalog a bomb": make_line(catalog="zlib")
    + zlib.compress(b"[" + b" " * MAX_CATALOG_BYTES + b"]"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_anything_else_is_no_entry(name: str) -> None:
    with pytest.raises(CacheError) as caught:
        parse_entry(UNREADABLE[name])
    assert "Ada" not in str(caught.value)


def test_entry_changed_at_random_is_read_or_refused_and_nothing_else() -> None:
    written = make_entry(ServiceCatalog.from_services(LARGE_CATALOG)).to_bytes()
    chance = random.Random(1)
    for _ in range(2000):
        changed = bytearray(written)
        for _ in range(chance.randrange(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        try:
            parse_entry(bytes(changed))
        except CacheError:
            continue


def test_body_that_json_can_not_say_is_a_cache_error() -> None:
    entry = TokenEntry(make_answer(odd={1, 2}), catalog_requested=True)
    with pytest.raises(CacheError, match="not JSON: TypeError"):
        entry.to_bytes()


def test_entry_keeps_when_it_was_answered() -> None:
    assert parse_entry(make_entry().to_bytes()).answer.answered_at == NOW
