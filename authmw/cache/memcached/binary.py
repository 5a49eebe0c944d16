"""memcached's binary protocol, for servers that ask for a user name and a password.

memcached with SASL speaks no other protocol. We need four commands and a login. They are written
out here because python-binary-memcached keeps its sockets in thread locals: one for each thread,
or under eventlet for each request, which no pool can bound.

Source: memcached's `doc/protocol-binary`; RFC 4616 for the login.
"""

from __future__ import annotations

import struct

from authmw.cache.memcached.sockets import MemcachedSockets
from authmw.errors import CacheError

# magic, opcode, key length, extras length, data type, vbucket id or status, length of the
# whole body, opaque, version of the item
_HEADER = struct.Struct("!BBHBBHIIQ")
_REQUEST = 0x80
_RESPONSE = 0x81

_GET = 0x00
_SET = 0x01
_ADD = 0x02
_DELETE = 0x04
_LOGIN = 0x21

_DONE = 0x0000
_NOT_FOUND = 0x0001
_EXISTS = 0x0002
_REFUSED = 0x0020
_UNKNOWN_COMMAND = 0x0081

_NO_FLAGS = 0


class BinaryConnection:
    """A `Connection` that connects and logs in at once.

    Every question has a number of its own, and an answer with another number is refused
    (CVE-2014-0105).

    Args:
        sockets: makes the socket, which is closed if the login fails.
        username, password: for the SASL mechanism PLAIN.

    Raises:
        OSError: the login failed, or the connection did.
        CacheError: the answer is not memcached's.
    """

    __slots__ = ("_number", "_received", "_socket")

    def __init__(self, sockets: MemcachedSockets, username: str, password: str) -> None:
        self._socket = sockets.socket()
        self._received = b""
        self._number = 0
        try:
            self._socket.connect()
            self._log_in(username, password)
        except BaseException:
            self._socket.close()
            raise

    def _log_in(self, username: str, password: str) -> None:
        message = b"\0" + username.encode() + b"\0" + password.encode()
        status, _ = self._ask(_LOGIN, key=b"PLAIN", value=message)
        if status == _REFUSED:
            raise PermissionError("it refused memcache_username and memcache_password")
        # A server without SASL does not know the command, and needs no login.
        if status not in (_DONE, _UNKNOWN_COMMAND):
            raise CacheError(f"memcached answered the login with status {status:#06x}")

    def get(self, key: str) -> bytes | None:
        """See `Connection`."""
        status, value = self._ask(_GET, key=key.encode())
        if status == _NOT_FOUND:
            return None
        self._verify_done(status)
        return value

    def set(self, key: str, value: bytes, ttl_seconds: int) -> None:
        """See `Connection`."""
        self._verify_done(self._store(_SET, key, value, ttl_seconds))

    def add(self, key: str, value: bytes, ttl_seconds: int) -> bool:
        """See `Connection`."""
        status = self._store(_ADD, key, value, ttl_seconds)
        if status == _EXISTS:
            return False
        self._verify_done(status)
        return True

    def _store(self, opcode: int, key: str, value: bytes, ttl_seconds: int) -> int:
        extras = struct.pack("!II", _NO_FLAGS, ttl_seconds)
        status, _ = self._ask(opcode, key=key.encode(), extras=extras, value=value)
        return status

    def delete(self, key: str) -> None:
        """See `Connection`."""
        status, _ = self._ask(_DELETE, key=key.encode())
        if status != _NOT_FOUND:
            self._verify_done(status)

    def close(self) -> None:
        """See `Connection`."""
        self._socket.close()

    def _ask(
        self, opcode: int, *, key: bytes, extras: bytes = b"", value: bytes = b""
    ) -> tuple[int, bytes]:
        """Return status and value of the answer; raises OSError, or CacheError if it is none."""
        self._number = (self._number + 1) & 0xFFFFFFFF
        length = len(extras) + len(key) + len(value)
        header = _HEADER.pack(
            _REQUEST, opcode, len(key), len(extras), 0, 0, length, self._number, 0
        )
        self._socket.sendall(b"".join((header, extras, key, value)))
        self._received = self._socket.recv()
        if self._received[0] != _RESPONSE:  # another protocol: a whole header may never come
            raise CacheError("memcached answered, and not in the binary protocol")
        _, answered, key_length, extras_length, _, status, length, number, _ = _HEADER.unpack(
            self._receive(_HEADER.size)
        )
        body = self._receive(length)
        if (answered, number) != (opcode, self._number) or self._received:
            raise CacheError("memcached answered something that was not asked")
        return status, body[extras_length + key_length :]

    def _receive(self, size: int) -> bytes:
        chunks = [self._received]
        missing = size - len(self._received)
        while missing > 0:
            chunks.append(self._socket.recv())
            missing -= len(chunks[-1])
        received = b"".join(chunks)
        self._received = received[size:]
        return received[:size]

    @staticmethod
    def _verify_done(status: int) -> None:
        if status == _REFUSED:
            raise PermissionError("it wants another login")
        if status != _DONE:
            raise CacheError(f"memcached answered with status {status:#06x}")
