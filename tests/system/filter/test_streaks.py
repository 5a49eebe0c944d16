"""A filter that refuses all signed tokens for a reason of the deployment says which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from authmw.testing import IdentityServer
from tests.support.clock import Clock
from tests.support.filters import Filter
from tests.support.signing import public_pem


@pytest.fixture
def keys(server: IdentityServer, tmp_path: Path) -> Path:
    directory = tmp_path / "keys"
    directory.mkdir(mode=0o755)
    server.issuer.write_public_key(directory)
    return directory


class Site:
    """Makes filters on one identity server, and closes them."""

    def __init__(self, server: IdentityServer, keys: Path) -> None:
        self.server, self.keys = server, keys
        self.made: list[Filter] = []

    def make(self, clock: Clock | None = None, **options: str) -> Filter:
        conf = {**self.server.service_credentials, "jws_public_key_repository": str(self.keys)}
        self.made.append(Filter({**conf, **options}, clock))
        return self.made[-1]

    def ask(self, one: Filter, number: int = 3) -> list[int]:
        tokens = [self.server.issue_jws("member", project="inventory") for _ in range(number)]
        return [one.ask(token).status for token in tokens]


@pytest.fixture
def site(server: IdentityServer, keys: Path) -> Iterator[Site]:
    made = Site(server, keys)
    yield made
    for one in made.made:
        one.close()


def warned(caplog: pytest.LogCaptureFixture) -> str:
    (line,) = [each for each in caplog.messages if "may be at fault" in each]
    return line


def test_good_tokens_cause_no_warning(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    assert site.ask(site.make(), 5) == [200] * 5
    assert "may be at fault" not in caplog.text


def test_keys_of_another_issuer(site: Site, keys: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in keys.iterdir():
        path.write_bytes(public_pem("ES256"))
    assert site.ask(site.make()) == [401] * 3
    line = warned(caplog)
    assert "no public key verifies the signature" in line
    assert f"jws_public_key_repository = {keys}" in line


def test_an_algorithm_that_is_not_accepted(
    site: Site, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (keys / "other.pem").write_bytes(public_pem("ES384"))
    assert site.ask(site.make(jws_accepted_algorithms="ES384")) == [401] * 3
    assert "ES256 is not in jws_accepted_algorithms" in warned(caplog)


def test_keys_for_another_algorithm(
    site: Site, keys: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for path in keys.iterdir():
        path.write_bytes(public_pem("ES384"))
    assert site.ask(site.make(jws_accepted_algorithms="ES256,ES384")) == [401] * 3
    assert "none is for ES256" in warned(caplog)


@pytest.mark.parametrize("option", ["jws_issuer", "jws_audience"])
def test_options_that_keystone_s_tokens_don_t_meet(
    site: Site, caplog: pytest.LogCaptureFixture, option: str
) -> None:
    assert site.ask(site.make(None, **{option: "https://keystone.example"})) == [401] * 3
    assert f"remove {option}" in warned(caplog)


def test_a_clock_that_is_behind(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    clock.advance(-300)
    one = site.make(clock)
    # What Keystone is asked about tells its time.
    one.ask(site.server.issue("member", project="inventory"))
    assert site.ask(one) == [401] * 3
    line = warned(caplog)
    assert "not_yet_valid: issued at" in line
    assert "the clock of this host is 300 s behind" in line.replace("299 s", "300 s")


def test_opaque_tokens_that_are_accepted_say_nothing_of_signed_ones(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    one = site.make(jws_issuer="https://keystone.example")
    for _ in range(3):
        assert site.ask(one, 1) == [401]
        assert one.ask(site.server.issue("member", project="inventory")).status == 200
    assert "remove jws_issuer" in warned(caplog)
