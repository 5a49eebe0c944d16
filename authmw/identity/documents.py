"""Fetches documents such as a JWK set, which anyone may read, or whoever has a certain token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from authmw.config.tls_files import verify_tls_files
from authmw.errors import ConfigurationError, DeadlineExceeded, IdentityUnavailable
from authmw.identity.server_clock import ServerClock
from authmw.net.deadline import deadline
from authmw.runtime.process import PerProcess

if TYPE_CHECKING:
    import requests

    from authmw.config.settings import Settings

# RFC 6750 §2.1: b64token.
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
_LONGEST_TOKEN = 65_536


@dataclass(frozen=True, slots=True)
class FetchedDocument:
    """An HTTP response (RFC 9110 §3.4)."""

    status: int
    headers: Mapping[str, str]
    """Field values by lower-case field name."""
    body: bytes


class DocumentFetcher:
    """Gets documents under the transport rules of the identity client, TLS options included.

    Args:
        settings: TLS, time-outs and `identity_deadline`.
        section: where the TLS options stand, for errors.
        bearer_token_file: holds the token to send (RFC 6750 §2.1); None: no credentials are sent.

    Attributes:
        server_clock: of whoever answered last.

    Raises:
        ConfigurationError: a file that `cafile`, `certfile`, `keyfile` or `bearer_token_file` names
            can't be used.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        section: str = "keystone_authtoken",
        bearer_token_file: str | None = None,
    ) -> None:
        verify_tls_files(settings, section)
        self._token_file = bearer_token_file
        if bearer_token_file is not None:
            _verify_token_file(bearer_token_file, section)
        self._settings = settings
        self.server_clock = ServerClock()
        self._verify = read_verify(settings)
        self._session = PerProcess(self._open)

    def __call__(self, uri: str, headers: Mapping[str, str]) -> FetchedDocument:
        """GET one document.

        Raises:
            IdentityUnavailable: there is no answer, or none in time.
        """
        import requests

        if self._token_file is not None:
            token = read_bearer_token(self._token_file)
            headers = {**headers, "authorization": f"Bearer {token}"}
        try:
            with deadline(self._settings.identity_deadline):
                response = self._session.get().get(
                    uri, headers=headers, allow_redirects=False, verify=self._verify
                )
                return FetchedDocument(
                    response.status_code,
                    {name.lower(): value for name, value in response.headers.items()},
                    response.content,
                )
        except (requests.RequestException, OSError, DeadlineExceeded) as error:
            raise IdentityUnavailable(f"GET {uri}: {type(error).__name__}") from None

    def _open(self) -> requests.Session:
        return open_session(self._settings, self.server_clock)


def read_bearer_token(path: str) -> str:
    """Read the token that a file holds, without the white space around it.

    Raises:
        IdentityUnavailable: the file can't be read, or holds no token (RFC 6750 §2.1).
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_LONGEST_TOKEN + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no path"
        raise IdentityUnavailable(f"bearer_token_file = {path}: {reason}") from None
    token = content.strip()
    if len(content) > _LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        raise IdentityUnavailable(f"bearer_token_file = {path}: it does not hold one token")
    return token.decode("ascii")


def _verify_token_file(path: str, section: str) -> None:
    try:
        read_bearer_token(path)
    except IdentityUnavailable as error:
        raise ConfigurationError(
            "bearer_token_file",
            path,
            f"name a readable file with one token ({error.detail}).",
            section=section,
        ) from None


def open_session(settings: Settings, server_clock: ServerClock | None = None) -> requests.Session:
    """Return a session without any credentials but the certificate of `certfile`.

    Args:
        settings: TLS, time-outs and the User-Agent.
        server_clock: gets the Date of each response; None: nobody wants it.
    """
    from authmw.identity.transport import client_certificate, open_requests_session

    session = open_requests_session(settings, server_clock)
    session.cert = client_certificate(settings)
    session.headers["User-Agent"] = settings.user_agent
    return session


def read_verify(settings: Settings) -> bool | str:
    """Return what requests takes as `verify`: whose certificates are trusted.

    A session's own `verify` gives way to REQUESTS_CA_BUNDLE, a request's does not.
    """
    return False if settings.insecure else settings.cafile or True
