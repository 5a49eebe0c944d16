"""The rules for every HTTP request we send, the auth plugin's and discovery's included.

- Each step has a time-out, and all of them together a deadline.
- A connection that can't be made is tried again, inside the deadline.
- A redirect to another scheme, host or port is an outage, so neither token nor password
  ever goes there.
- A response is read up to `MAX_BODY_BYTES`.
- Every failure is raised as `Outage`, which keystoneauth1 does not catch: it takes its own
  connection errors in discovery for "no discovery here" and goes on to guess.
"""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urljoin, urlsplit

import requests

from authmw.errors import Outage
from authmw.identity.adapter import DeadlinePoolsAdapter, innermost_reason, send_nothing_of_others
from authmw.identity.http_messages import describe
from authmw.identity.outage import make_outage
from authmw.identity.outcomes import Outcome
from authmw.identity.proxies import find_proxy
from authmw.identity.server_clock import ServerClock
from authmw.net.deadline import remaining_seconds

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from authmw.config.settings import Settings

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_REDIRECTS = 3

_CHUNK_BYTES = 64 * 1024
_FIRST_PAUSE_SECONDS = 0.2
# None is asked for. One alone decodes a chunk to a thousand times its size at most; of several, and
# with other codings, older versions of urllib3 decode without a bound.
_CODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_CONNECTING = frozenset({Outcome.NAME_UNKNOWN, Outcome.CONNECT_FAILED, Outcome.CONNECT_TIMEOUT})


class DeadlineAdapter(DeadlinePoolsAdapter):
    """Sends the requests of requests and keystoneauth1, by the rules above.

    Args:
        connect_seconds: how long one connection may take.
        read_seconds: how long the server may be silent.
        connect_retries: how often a connection that could not be made is tried again.
        server_clock: gets the Date of each response; None: nobody wants it.
    """

    def __init__(
        self,
        *,
        connect_seconds: float,
        read_seconds: float,
        connect_retries: int,
        server_clock: ServerClock | None = None,
    ) -> None:
        self._server_clock = server_clock or ServerClock()
        self._time_outs = (connect_seconds, read_seconds)
        self._connect_retries = connect_retries
        super().__init__()

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send one request and read the whole response; see `HTTPAdapter.send`.

        Raises Outage, and nothing else.
        """
        pause = _FIRST_PAUSE_SECONDS
        for retries_left in range(self._connect_retries, -1, -1):
            try:
                return self._send_once(request, *args, **kwargs)
            except Outage:
                raise
            except Exception as error:
                if not (retries_left and _was_not_connected(error) and remaining_seconds() > pause):
                    outcome = _judge(error, request)
                    raise make_outage(
                        outcome, describe(request), innermost_reason(error)
                    ) from error
            time.sleep(pause)
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def _send_once(self, request: PreparedRequest, *_args: Any, **kwargs: Any) -> Response:
        # The sockets hold these time-outs to the deadline.
        kwargs["timeout"] = self._time_outs
        kwargs["stream"] = True
        response = super().send(request, **kwargs)
        self._server_clock.note(response.headers.get("Date"))
        try:
            # Keystone lists its versions with status 300, which no library follows.
            if 300 < response.status_code < 400:
                _resolve_redirect(request, response)
            body = _read_body(request, response)
        except BaseException:
            response.close()
            raise
        response.raw = io.BytesIO(body)
        return response


def open_requests_session(
    settings: Settings, server_clock: ServerClock | None = None
) -> requests.Session:
    """Return a session that sends by these rules.

    Args:
        settings: time-outs and retries.
        server_clock: gets the Date of each response; None: nobody wants it.
    """
    session = requests.Session()
    adapter = DeadlineAdapter(
        connect_seconds=settings.connect_timeout,
        read_seconds=settings.read_timeout,
        connect_retries=settings.http_request_max_retries,
        server_clock=server_clock,
    )
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    send_nothing_of_others(session)
    session.headers["Accept"] = "application/json"
    return session


def client_certificate(settings: Settings) -> str | tuple[str, str] | None:
    """Return what requests takes as `cert`: one file with both, certificate and key, or None."""
    if settings.certfile and settings.keyfile:
        return settings.certfile, settings.keyfile
    return settings.certfile


def _was_not_connected(error: Exception) -> bool:
    """Tell whether trying again may help: no response had begun.

    A kept connection that the server closed just now raises the same. Our requests may safely
    arrive twice: they read, or authenticate us.
    """
    return isinstance(error, requests.ConnectionError) and not isinstance(
        error, requests.exceptions.SSLError
    )


def _judge(error: Exception, request: PreparedRequest) -> Outcome:
    """Return the outcome of a failure; a connection that failed is that to the proxy, if any."""
    outcome = Outcome.of_error(error)
    if outcome in _CONNECTING and find_proxy(request.url or "") is not None:
        return Outcome.PROXY
    return outcome


def _resolve_redirect(request: PreparedRequest, response: Response) -> None:
    """Make the address of a redirect absolute, which keystoneauth1 does not.

    Raises Outage if it leads away from scheme, host and port of the request.
    """
    location = response.headers.get("Location")
    if location is None:
        return
    address = request.url or ""
    try:
        # requests decodes it when it is asked to follow nothing, too.
        location.encode("latin-1").decode("utf-8")
        resolved = urljoin(address, location)
        is_same = _origin(urlsplit(resolved)) == _origin(urlsplit(address))
    except ValueError:
        is_same = False
    if not is_same:
        raise make_outage(Outcome.REDIRECTED_ELSEWHERE, describe(request))
    response.headers["Location"] = resolved


def _origin(address: SplitResult) -> tuple[str, str | None, int | None]:
    scheme = address.scheme.lower()
    return scheme, address.hostname, address.port or _DEFAULT_PORTS.get(scheme)


def _read_body(request: PreparedRequest, response: Response) -> bytes:
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in _CODINGS:
        note = "a content coding that nobody asked for"
        raise make_outage(Outcome.NOT_JSON, describe(request), note)
    body = bytearray()
    for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise make_outage(
                Outcome.BODY_TOO_LARGE, describe(request), f"more than {MAX_BODY_BYTES} bytes"
            )
    return bytes(body)
