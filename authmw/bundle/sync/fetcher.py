"""How python-tuf's client gets its files: by our transport, and with the ETag of the timestamp."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import requests
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)
from tuf.ngclient.fetcher import FetcherInterface
from urllib3.exceptions import HTTPError

from authmw.bundle.sync.failures import describe_transfer
from authmw.bundle.sync.transport import OddAnswer, TooLarge, Transport, read_body
from authmw.errors import DeadlineExceeded
from authmw.net.deadline import deadline

TIMESTAMP: Final = "timestamp.json"
"""The file that changes with each publication, and is fetched with its ETag (RFC 9110 §13.1.2)."""

LARGEST_TIMESTAMP: Final = 16 * 1024
"""Bytes."""

_LONGEST_ETAG: Final = 1024
_OK, _NOT_MODIFIED = 200, 304


class Fetcher(FetcherInterface):
    """Fetches the files of one repository for `tuf.ngclient.Updater`.

    Args:
        transport: sends the requests.
        scratch: a directory of ours for files of up to the size of a bundle.
        deadline_seconds: for a small file.
        least_bytes_per_second: what a larger file may take is this much longer.

    Attributes:
        received_bytes: of all bodies so far.
        last_file: the name of the file that was asked for last, for messages.
    """

    def __init__(
        self,
        transport: Transport,
        scratch: Path,
        *,
        deadline_seconds: float,
        least_bytes_per_second: float,
    ) -> None:
        self.received_bytes = 0
        self.last_file = ""
        self._transport = transport
        self._scratch = scratch
        self._deadline_seconds = deadline_seconds
        self._least_bytes_per_second = least_bytes_per_second
        self._most = 0
        # Of the timestamp: its ETag, and the bytes that had it. They are verified each time.
        self._tagged: tuple[str, bytes] | None = None

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """See `FetcherInterface`; within a deadline, and on the disk of `scratch`."""
        self.last_file = url.rpartition("/")[2]
        self._most = max_length
        seconds = self._deadline_seconds + max_length / self._least_bytes_per_second
        with tempfile.TemporaryFile(dir=self._scratch) as file:
            try:
                with deadline(seconds):
                    for chunk in self._fetch(url):
                        file.write(chunk)
            except DeadlineExceeded as error:
                raise SlowRetrievalError(f"not complete within {seconds:.0f} seconds") from error
            file.seek(0)
            yield file

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield from self._receive(url)
        except TooLarge as error:
            raise DownloadLengthMismatchError(str(error)) from error
        except (OddAnswer, requests.RequestException, HTTPError, OSError) as error:
            raise DownloadError(describe_transfer(error)) from error

    def _receive(self, url: str) -> Iterator[bytes]:
        is_timestamp = self.last_file == TIMESTAMP
        tagged = self._tagged if is_timestamp else None
        condition = {} if tagged is None else {"If-None-Match": tagged[0]}
        with self._transport.get(url, condition) as response:
            if response.status_code == _NOT_MODIFIED and tagged is not None:
                yield tagged[1]
                return
            if response.status_code != _OK:
                status = response.status_code
                raise DownloadHTTPError(f"the server answers with status {status}", status)
            chunks = self._count(read_body(response, self._most))
            if not is_timestamp:
                yield from chunks
                return
            body = b"".join(chunks)
            etag = response.headers.get("ETag", "")
            self._tagged = (etag, body) if 0 < len(etag) <= _LONGEST_ETAG else None
            yield body

    def _count(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.received_bytes += len(chunk)
            yield chunk

    def is_unchanged(self, url: str) -> bool:
        """Ask whether the timestamp is the one that was fetched last; False: nobody knows.

        Raises:
            DownloadError: see `download_file`.
        """
        before = self._tagged
        if before is None:
            return False
        self.download_bytes(url, LARGEST_TIMESTAMP)
        return self._tagged is before
