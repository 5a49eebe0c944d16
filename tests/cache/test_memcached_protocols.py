"""Servers that break the memcached protocol, answer too much, too slowly or not at all."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authmw.cache.memcached import MemcachedCache, open_memcached
from authmw.cache.memcached.sockets import MAX_ANSWER_BYTES
from authmw.cache.shared import BytesCache
from authmw.errors import CacheError, ConfigurationError
from tests.support.certificates import Authority
from tests.support.memcached import Memcached
from tests.support.memcached_kinds import (
    CAN_MAKE_SASL_USERS,
    make_sasl_memcached,
    make_settings,
    make_tls_memcached,
)
from tests.support.processes import find_free_port

KEY = "authmw:key"


@contextlib.contextmanager
def answering(answer: Callable[[socket.socket, bytes], None]) -> Iterator[int]:
    """Serve on a port: `answer` is called with connection and question, again and again."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connected: socket.socket) -> None:
        with contextlib.suppress(OSError), connected:
            connected.settimeout(30)
            while question := connected.recv(65536):
                answer(connected, question)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connected, _ = listener.accept()
                threading.Thread(target=serve, args=(connected,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def saying(*texts: bytes) -> Callable[[socket.socket, bytes], None]:
    """Answer with these in turn, and then with the last one."""
    left = list(texts)

    def answer(connected: socket.socket, _: bytes) -> None:
        connected.sendall(left.pop(0) if len(left) > 1 else left[0])

    return answer


def open_text(port: int) -> MemcachedCache:
    return open_memcached(make_settings(memcached_servers=f"127.0.0.1:{port}"))


def open_binary(port: int) -> MemcachedCache:
    return open_memcached(
        make_settings(
            memcached_servers=f"127.0.0.1:{port}",
            memcache_sasl_enabled="true",
            memcache_username="ada",
            memcache_password="pass",
        )
    )


OTHERS = b"VALUE authmw:another 0 3\r\nEve\r\nEND\r\n"
MINE = b"VALUE authmw:key 0 3\r\nAda\r\nEND\r\n"


def test_answer_to_another_question_is_not_taken() -> None:
    """CVE-2014-0105, on a connection where an answer was left lying."""
    with answering(saying(OTHERS, MINE)) as port:
        cache = open_text(port)
        with pytest.raises(CacheError, match="no proper answer"):
            cache.get(KEY)
        assert cache.get(KEY) == b"Ada"


def test_second_answer_on_a_connection_is_never_taken_for_the_next_question() -> None:
    with answering(saying(MINE + OTHERS, MINE)) as port:
        cache = open_text(port)
        got = []
        for _ in range(4):
            with contextlib.suppress(CacheError):
                got.append(cache.get(KEY))
    assert b"Eve" not in got


TEXT_NOISE = {
    "error": b"ERROR\r\n",
    "client error": b"CLIENT_ERROR bad\r\n",
    "server error": b"SERVER_ERROR out of memory storing object\r\n",
    "http": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "other key": OTHERS,
    "no size": b"VALUE authmw:key 0\r\nAda\r\nEND\r\n",
    "negative size": b"VALUE authmw:key 0 -3\r\nAda\r\nEND\r\n",
    "size no number": b"VALUE authmw:key 0 three\r\nAda\r\nEND\r\n",
    "flags no number": b"VALUE authmw:key x 3\r\nAda\r\nEND\r\n",
    "binary": b"\x81\x00" + b"\0" * 22 + b"\r\n",
    "stored": b"STORED\r\n",
    "pickle": b"\x80\x04N.\r\n",
}


@pytest.mark.parametrize("noise", TEXT_NOISE)
@pytest.mark.parametrize("opened", [open_text, open_binary])
def test_noise_is_a_cache_error_for_every_operation(
    opened: Callable[[int], MemcachedCache], noise: str
) -> None:
    with answering(saying(TEXT_NOISE[noise])) as port:
        cache = opened(port)
        with pytest.raises(CacheError):
            cache.get(KEY)
        if noise != "stored" or opened is open_binary:
            with pytest.raises(CacheError):
                cache.set(KEY, b"value", 60)
            with pytest.raises(CacheError):
                cache.add(KEY, b"value", 60)
            with pytest.raises(CacheError):
                cache.delete(KEY)


def test_endless_answer_is_cut_off() -> None:
    def flood(connected: socket.socket, _: bytes) -> None:
        connected.sendall(f"VALUE {KEY} 0 9999999999\r\n".encode())
        for _round in range(2 * MAX_ANSWER_BYTES // 65536):
            connected.sendall(b"x" * 65536)

    with answering(flood) as port:
        cache = open_text(port)
        for _ in range(2):  # one such entry does not take the server from all the others
            with pytest.raises(CacheError, match="more than 2097152 bytes"):
                cache.get(KEY)


def test_dripping_answer_ends_with_the_time_out() -> None:
    """A socket's own time-out would begin anew with every byte."""

    def drip(connected: socket.socket, _: bytes) -> None:
        connected.sendall(f"VALUE {KEY} 0 100000\r\n".encode())
        for _byte in range(100):
            time.sleep(0.2)
            connected.sendall(b"x")

    with answering(drip) as port:
        began = time.monotonic()
        with pytest.raises(CacheError, match="its answer takes too long"):
            open_text(port).get(KEY)
        assert time.monotonic() - began < 10


def open_tls(port: int) -> MemcachedCache:
    return open_memcached(
        make_settings(memcached_servers=f"127.0.0.1:{port}", memcache_tls_enabled="true")
    )


@pytest.mark.parametrize("opened", [open_text, open_binary, open_tls])
def test_silent_server_costs_one_time_out(opened: Callable[[int], MemcachedCache]) -> None:
    with answering(lambda *_: None) as port:
        cache = opened(port)
        began = time.monotonic()
        with pytest.raises(CacheError, match="TimeoutError"):
            cache.get(KEY)
        for _ in range(4):
            with pytest.raises(CacheError, match="no memcached server answers"):
                cache.get(KEY)
        assert time.monotonic() - began < 4, "five would be 5 seconds"


def test_server_that_hangs_up_is_dead() -> None:
    with (
        answering(lambda connected, _: connected.close()) as port,
        pytest.raises(CacheError, match="it closed the connection"),
    ):
        open_text(port).get(KEY)


def test_nobody_listening_is_a_cache_error() -> None:
    with pytest.raises(CacheError, match="ConnectionRefusedError"):
        open_text(find_free_port()).get(KEY)


def test_name_that_can_not_be_resolved_is_a_cache_error() -> None:
    cache = open_memcached(make_settings(memcached_servers="no-such-host.invalid:11211"))
    with pytest.raises(CacheError, match="gaierror"):
        cache.get(KEY)


def test_name_with_several_addresses_is_reached_at_the_one_that_listens(
    empty_memcached: Memcached,
) -> None:
    """localhost is often ::1 first, where memcached does not listen."""
    cache = open_memcached(make_settings(memcached_servers=f"localhost:{empty_memcached.port}"))
    cache.set(KEY, b"value", 60)
    assert cache.get(KEY) == b"value"


# --- the binary protocol

HEADER = struct.Struct("!BBHBBHIIQ")


def binary_answer(question: bytes, *, number: int = 0, opcode: int = 0) -> bytes:
    """Answer a question with the value `Ada`, for a number and an opcode off by so many."""
    _, asked, _, _, _, _, _, asked_number, _ = HEADER.unpack_from(question)
    is_get = asked == 0
    body = b"\0\0\0\0Ada" if is_get else b""
    extras = 4 if is_get else 0
    header = (0x81, asked + opcode, 0, extras, 0, 0, len(body), asked_number + number, 0)
    return HEADER.pack(*header) + body


def speaking_binary(**wrong: int) -> Callable[[socket.socket, bytes], None]:
    """Log everyone in, and answer all else wrong in this way."""

    def answer(connected: socket.socket, question: bytes) -> None:
        is_login = question[1] == 0x21
        connected.sendall(binary_answer(question, **({} if is_login else wrong)))

    return answer


def test_binary_answer_is_taken() -> None:
    with answering(speaking_binary()) as port:
        assert open_binary(port).get(KEY) == b"Ada"


@pytest.mark.parametrize("wrong", [{"number": 1}, {"number": -1}, {"opcode": 1}])
def test_binary_answer_to_another_question_is_not_taken(wrong: dict[str, int]) -> None:
    with (
        answering(speaking_binary(**wrong)) as port,
        pytest.raises(CacheError, match="something that was not asked"),
    ):
        open_binary(port).get(KEY)


def test_binary_answer_with_more_behind_it_is_not_taken() -> None:
    def answer(connected: socket.socket, question: bytes) -> None:
        once = binary_answer(question)
        connected.sendall(once if question[1] == 0x21 else once + once)

    with (
        answering(answer) as port,
        pytest.raises(CacheError, match="something that was not asked"),
    ):
        open_binary(port).get(KEY)


@pytest.fixture
def sasl_options(tmp_path: Path) -> Iterator[dict[str, str]]:
    if CAN_MAKE_SASL_USERS is None:
        pytest.skip("saslpasswd2 (package sasl2-bin) is not installed")
    server = make_sasl_memcached(tmp_path)
    server.start()
    yield server.options
    server.stop()


@pytest.mark.heavy
def test_wrong_password_is_a_cache_error_that_names_the_options(
    sasl_options: dict[str, str],
) -> None:
    options = {**sasl_options, "memcache_password": "hunter2"}
    with pytest.raises(CacheError, match="memcache_username and memcache_password") as caught:
        open_memcached(make_settings(**options)).get(KEY)
    assert "hunter2" not in str(caught.value)


def test_server_without_passwords_is_used_all_the_same(empty_memcached: Memcached) -> None:
    cache = open_binary(empty_memcached.port)
    cache.set(KEY, b"value", 60)
    assert cache.get(KEY) == b"value"


# --- TLS


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    directory = tmp_path_factory.mktemp("tls")
    server = make_tls_memcached(directory, Authority(directory, "authority"))
    server.start()
    yield server.options
    server.stop()


def get_with(options: dict[str, str]) -> bytes | None:
    cache: BytesCache = open_memcached(make_settings(**options))
    return cache.get(KEY)


@pytest.mark.heavy
def test_server_of_another_authority_is_not_spoken_to(tls: dict[str, str], tmp_path: Path) -> None:
    other = Authority(tmp_path, "other")
    with pytest.raises(CacheError, match="SSLCertVerificationError"):
        get_with({**tls, "memcache_tls_cafile": str(other.cafile)})


@pytest.mark.heavy
def test_server_with_another_name_is_not_spoken_to(tls: dict[str, str]) -> None:
    servers = tls["memcached_servers"].replace("localhost", "127.0.0.1")
    with pytest.raises(CacheError, match="SSLCertVerificationError"):
        get_with({**tls, "memcached_servers": servers})


def test_server_without_tls_is_not_spoken_to(
    tls: dict[str, str], empty_memcached: Memcached
) -> None:
    with pytest.raises(CacheError):
        get_with({**tls, "memcached_servers": f"localhost:{empty_memcached.port}"})


@pytest.mark.heavy
def test_ciphers_can_be_chosen(tls: dict[str, str]) -> None:
    assert get_with({**tls, "memcache_tls_allowed_ciphers": "ECDHE+AESGCM"}) is None


@pytest.mark.parametrize(
    "option", ["memcache_tls_cafile", "memcache_tls_certfile", "memcache_tls_allowed_ciphers"]
)
def test_tls_option_that_can_not_be_followed_is_named_at_start(option: str, tmp_path: Path) -> None:
    value = "nonsense" if option.endswith("ciphers") else str(tmp_path / "missing.pem")
    options = {"memcached_servers": "localhost", "memcache_tls_enabled": "true", option: value}
    with pytest.raises(ConfigurationError) as caught:
        open_memcached(make_settings(**options))
    assert (caught.value.option, caught.value.value) == (option, value)


def test_encrypted_key_is_refused_and_never_asked_for_at_the_terminal(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    authority = Authority(tmp_path, "authority")
    path = tmp_path / "client.pem"
    path.write_bytes(authority.cafile.read_bytes() + key)
    options = {
        "memcached_servers": "localhost",
        "memcache_tls_enabled": "true",
        "memcache_tls_certfile": str(path),
    }
    with pytest.raises(ConfigurationError, match=r"certfile = .* is encrypted"):
        open_memcached(make_settings(**options))


@pytest.mark.heavy
def test_tls_1_2_is_the_oldest_spoken(tls: dict[str, str]) -> None:
    from authmw.cache.memcached.tls import make_memcached_tls_context

    context = make_memcached_tls_context(
        cafile=tls["memcache_tls_cafile"], certfile=None, keyfile=None, allowed_ciphers=None
    )
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.check_hostname
