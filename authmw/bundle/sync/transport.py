"""GETs files of a repository: bounded in bytes and in time, and never by a way that was not meant.

What comes is verified by TUF; the rules here keep a hostile server or mirror from using up memory,
disk or time, and from sending us elsewhere.

- Each step has a time-out, and a download as a whole has a deadline, so that a slow drip ends.
- A response that announces more bytes than are expected is not read, and none is read past them.
- No content coding is asked for or decoded.
- At most `MAX_REDIRECTS` redirects are followed, and none to http.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

import requests

from authmw.identity.adapter import DeadlinePoolsAdapter, send_nothing_of_others

MAX_REDIRECTS: Final = 3
CHUNK_BYTES: Final = 64 * 1024

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# Another try comes to the same.
_LASTING: Final = (
    requests.exceptions.SSLError,
    requests.exceptions.ProxyError,
    requests.exceptions.ConnectTimeout,
)


class OddAnswer(Exception):
    """A response that no server of a repository gives; says what is odd."""


class TooLarge(Exception):
    """A response announces more bytes than were asked for, or has them; says how many."""


@dataclass(frozen=True, slots=True)
class TransportOptions:
    """How to reach a repository.

    Attributes:
        cafile: authorities to trust; None: the system's.
        certificate: our own certificate and key, as requests takes them; None: we have none.
        connect_seconds: for one connection.
        read_seconds: how long the server may be silent.
        allows_http: http is allowed as well; TUF is trusted all the same, and others may read.
    """

    cafile: str | None = None
    certificate: str | tuple[str, str] | None = None
    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    allows_http: bool = False


class Transport:
    """Sends the requests of one process; one thread at a time.

    Args:
        options: see there.
        user_agent: of the requests.
    """

    def __init__(self, options: TransportOptions, user_agent: str) -> None:
        self._options = options
        self._session = requests.Session()
        adapter = DeadlinePoolsAdapter()
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        send_nothing_of_others(self._session)
        self._session.cert = options.certificate
        self._session.headers["User-Agent"] = user_agent

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        """GET a file, behind redirects as well; its body is still to be read.

        Raises:
            OddAnswer: a redirect leads nowhere, to http, or there are too many.
            requests.RequestException, urllib3.exceptions.HTTPError, OSError, DeadlineExceeded: no
                answer came, or not in time.
        """
        for _ in range(MAX_REDIRECTS + 1):
            response = self._send(url, headers)
            try:
                if response.status_code not in _REDIRECTS:
                    yield response
                    return
                url = self._resolve(url, response.headers.get("Location"))
            finally:
                response.close()
        raise OddAnswer(f"more than {MAX_REDIRECTS} redirects")

    def _send(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        try:
            return self._send_once(url, headers)
        except _LASTING:
            raise
        except requests.ConnectionError:
            # The server may have closed a connection that was kept from the last look.
            return self._send_once(url, headers)

    def _send_once(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        options = self._options
        return self._session.get(
            url,
            headers=headers,
            timeout=(options.connect_seconds, options.read_seconds),
            # Named for each request: REQUESTS_CA_BUNDLE would go before the session's.
            verify=options.cafile or True,
            stream=True,
            allow_redirects=False,
        )

    def _resolve(self, url: str, location: str | None) -> str:
        if location is None:
            raise OddAnswer("a redirect to nowhere")
        try:
            target = urljoin(url, location.encode("latin-1").decode("utf-8"))
            parts, former = urlsplit(target), urlsplit(url)
            host = parts.hostname
        except ValueError:
            raise OddAnswer("a redirect to no address") from None
        if not host or parts.scheme not in ("https", "http"):
            raise OddAnswer("a redirect to no address")
        is_clear = former.scheme == "http"
        if parts.scheme == "http" and not (
            is_clear and (self._options.allows_http or parts.netloc == former.netloc)
        ):
            raise OddAnswer("a redirect to http, which is not followed")
        return target

    def close(self) -> None:
        """Close all connections."""
        self._session.close()


def read_body(response: requests.Response, most: int) -> Iterator[bytes]:
    """Yield the body of a response as it is sent, undecoded.

    Args:
        response: with its body still to be read.
        most: bytes.

    Raises:
        OddAnswer: it has a content coding.
        TooLarge: it is larger.
    """
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise OddAnswer("a content coding that nobody asked for: have the server send files as is")
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > most):
        raise TooLarge(f"it announces {announced[:20]} bytes, and at most {most} are expected")
    count = 0
    for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
        count += len(chunk)
        if count > most:
            raise TooLarge(f"it has more than the {most} bytes that are expected")
        yield chunk
