"""How an option may name a memcached server."""

from __future__ import annotations

import pytest

from authmw.cache.memcached.address import parse_address
from authmw.errors import ConfigurationError
from authmw.net.addresses import Address, TcpAddress, UnixAddress

SPELLINGS: dict[str, Address] = {
    "cache.example:11212": TcpAddress("cache.example", 11212),
    "cache.example": TcpAddress("cache.example", 11211),
    " 10.0.0.1:11211 ": TcpAddress("10.0.0.1", 11211),
    "cache_1": TcpAddress("cache_1", 11211),
    "inet:10.0.0.1:11212": TcpAddress("10.0.0.1", 11212),
    "inet6:[2001:db8::1]:11212": TcpAddress("2001:db8::1", 11212),
    "inet6:[2001:db8::1]": TcpAddress("2001:db8::1", 11211),
    "inet6:2001:db8::1": TcpAddress("2001:db8::1", 11211),
    "inet6:cache.example:11212": TcpAddress("cache.example", 11212),
    "[::1]:11212": TcpAddress("::1", 11212),
    "[::1]": TcpAddress("::1", 11211),
    "::1": TcpAddress("::1", 11211),
    "unix:/run/memcached.sock": UnixAddress("/run/memcached.sock"),
    "/run/memcached.sock": UnixAddress("/run/memcached.sock"),
}


@pytest.mark.parametrize("written", SPELLINGS)
def test_server_is_understood_as_the_libraries_of_the_peer_do(written: str) -> None:
    assert parse_address(written) == SPELLINGS[written]


@pytest.mark.parametrize(
    "written",
    [
        "",
        ":11211",
        "cache.example:",
        "cache.example:port",
        "cache.example:0",
        "cache.example:65536",
        "cache.example:-1",
        "cache.example:\u0661",
        "http://cache.example:11211",
        "user@cache.example:11211",
        "a b:11211",
        "[cache.example]:11211",
        "[::1:11211",
        "::1]:11211",
        "unix:",
        "unix:relative.sock",
    ],
)
def test_anything_else_is_refused_with_what_to_write(written: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_address(written)
    shown = "***" if "@" in written else written
    assert (caught.value.option, caught.value.value) == ("memcached_servers", shown)
    assert "host:port" in caught.value.fix


@pytest.mark.parametrize("written", ["cache.example:11212", "[::1]:11212", "unix:/run/m.sock"])
def test_name_of_a_server_reads_back_as_the_same_server(written: str) -> None:
    assert str(parse_address(written)) == written
    assert parse_address(str(parse_address(written))) == parse_address(written)
