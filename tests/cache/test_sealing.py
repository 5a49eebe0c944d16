"""Sealed entries: read by those who know the secret, under the key they were sealed for."""

from __future__ import annotations

import itertools

import pytest

from authmw.cache.digests import KeyMaker, digest_text
from authmw.cache.sealing import EncryptSealing, MacSealing, NoSealing, Sealing
from authmw.cache.secret import Secret
from authmw.errors import CacheError
from tests.support.shared_cache import ENDPOINT, OTHER_SECRET, SECRET, make_sealings

KEY = "authmw:" + "0" * 64
OTHER_KEY = "authmw:" + "1" * 64
ENTRY = b'{"user": "Ada"}'

SEALED: dict[str, Sealing] = {"MAC": MacSealing(SECRET), "ENCRYPT": EncryptSealing(SECRET)}


@pytest.fixture(params=SEALED)
def sealing(request: pytest.FixtureRequest) -> Sealing:
    return SEALED[request.param]


@pytest.mark.parametrize("entry", [b"", ENTRY, bytes(range(256)) * 1000])
@pytest.mark.parametrize("name", make_sealings())
def test_sealed_entry_opens_as_it_was(name: str, entry: bytes) -> None:
    sealing = make_sealings()[name]
    assert sealing.open(KEY, sealing.seal(KEY, entry)) == entry


def test_entry_with_any_bit_changed_is_refused(sealing: Sealing) -> None:
    sealed = sealing.seal(KEY, ENTRY)
    for position, bit in itertools.product(range(len(sealed)), range(8)):
        changed = bytearray(sealed)
        changed[position] ^= 1 << bit
        with pytest.raises(CacheError):
            sealing.open(KEY, bytes(changed))


def test_entry_cut_short_anywhere_or_longer_is_refused(sealing: Sealing) -> None:
    sealed = sealing.seal(KEY, ENTRY)
    for length in range(len(sealed)):
        with pytest.raises(CacheError):
            sealing.open(KEY, sealed[:length])
    with pytest.raises(CacheError):
        sealing.open(KEY, sealed + b"\0")


def test_entry_moved_to_another_key_is_refused(sealing: Sealing) -> None:
    sealed = sealing.seal(KEY, ENTRY)
    with pytest.raises(CacheError, match="changed, moved or made up"):
        sealing.open(OTHER_KEY, sealed)


def test_entry_under_another_secret_is_refused(sealing: Sealing) -> None:
    other = type(sealing)(OTHER_SECRET)  # type: ignore[call-arg]
    with pytest.raises(CacheError, match="changed, moved or made up"):
        other.open(KEY, sealing.seal(KEY, ENTRY))


@pytest.mark.parametrize(
    ("written", "read"), list(itertools.permutations(["none", "MAC", "ENCRYPT"], 2))
)
def test_entry_sealed_in_one_way_is_not_opened_in_another(written: str, read: str) -> None:
    sealings = make_sealings()
    sealed = sealings[written].seal(KEY, ENTRY)
    with pytest.raises(CacheError):
        sealings[read].open(KEY, sealed)
    # Nor where it claims to be sealed as the reader expects.
    claimed = sealings[read].seal(KEY, b"")[:4] + sealed[4:]
    if read != "none":
        with pytest.raises(CacheError):
            sealings[read].open(KEY, claimed)


@pytest.mark.parametrize("garbage", [b"", b"aw-", b"aw-M", b"aw-E", b"\x80\x04N.", b"x" * 5000])
@pytest.mark.parametrize("name", ["MAC", "ENCRYPT"])
def test_garbage_is_refused(name: str, garbage: bytes) -> None:
    with pytest.raises(CacheError):
        SEALED[name].open(KEY, garbage)


def test_encrypted_entry_shows_nothing_and_is_never_the_same_twice() -> None:
    sealing = EncryptSealing(SECRET)
    sealed = sealing.seal(KEY, ENTRY)
    assert b"Ada" not in sealed
    assert sealed != sealing.seal(KEY, ENTRY)


def test_authenticated_entry_can_be_read_without_the_secret() -> None:
    """MAC protects from forgery alone; the documentation says so."""
    assert ENTRY in MacSealing(SECRET).seal(KEY, ENTRY)


def test_unsealed_garbage_is_told_from_an_entry() -> None:
    with pytest.raises(CacheError, match="none of ours"):
        NoSealing().open(KEY, ENTRY)


def test_keys_are_derived_as_rfc_5869_says() -> None:
    """Appendix A has no vector with our salt; `cryptography` is the other implementation."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    reference = HKDF(hashes.SHA256(), 32, b"authmw shared cache", b"a purpose")
    assert Secret("text").derive(b"a purpose") == reference.derive(b"text")


TOKEN_DIGEST = digest_text("a token")


def test_key_fits_into_memcached_and_holds_nothing_of_the_token() -> None:
    key = KeyMaker(ENDPOINT, None, NoSealing()).make_key("token", TOKEN_DIGEST)
    assert len(key) <= 250
    assert key.isascii()
    assert key.isprintable()
    assert " " not in key
    assert TOKEN_DIGEST.hex() not in key


def test_key_is_the_same_in_every_process() -> None:
    makers = [
        KeyMaker(ENDPOINT, secret, MacSealing(secret))
        for secret in (Secret("text"), Secret("text"))
    ]
    assert len({maker.make_key("token", TOKEN_DIGEST) for maker in makers}) == 1


def test_whatever_an_entry_is_about_makes_a_key_of_its_own() -> None:
    sealing = MacSealing(SECRET)
    maker = KeyMaker(ENDPOINT, SECRET, sealing)
    keys = [
        maker.make_key("token", TOKEN_DIGEST),
        maker.make_key("token", digest_text("another token")),
        maker.make_key("authority", TOKEN_DIGEST),
        KeyMaker("https://other.example/v3", SECRET, sealing).make_key("token", TOKEN_DIGEST),
        KeyMaker(ENDPOINT, OTHER_SECRET, sealing).make_key("token", TOKEN_DIGEST),
        KeyMaker(ENDPOINT, None, sealing).make_key("token", TOKEN_DIGEST),
        # Sealed otherwise, it would only be in the way of those who can't open it.
        KeyMaker(ENDPOINT, SECRET, EncryptSealing(SECRET)).make_key("token", TOKEN_DIGEST),
        # The border between two parts is part of the key.
        KeyMaker(ENDPOINT + "token", SECRET, sealing).make_key("", TOKEN_DIGEST),
        KeyMaker(ENDPOINT[:-1], SECRET, sealing).make_key("3token", TOKEN_DIGEST),
    ]
    assert len(set(keys)) == len(keys)
