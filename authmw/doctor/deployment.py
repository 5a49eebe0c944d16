"""The deployment under examination, and what the checks have found out about it so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from authmw.config.auth_plugin import load_auth_plugin
from authmw.config.settings import Settings
from authmw.identity.client import IdentityClient
from authmw.identity.documents import DocumentFetcher, FetchedDocument
from authmw.identity.transport import MAX_REDIRECTS
from authmw.runtime.clock import wall_clock

if TYPE_CHECKING:
    from keystoneauth1.access import AccessInfo
    from keystoneauth1.plugin import BaseAuthPlugin


@dataclass(slots=True)
class Deployment:
    """One filter, as its configuration describes it, and the services around it.

    Attributes:
        settings: of the filter.
        factory: what the paste section names as the filter; None: it is not known.
        token: a client's token to validate as well; None: none was given.
        service: URL under which clients reach the service; None: not known.
        plugin: our own credentials; None: there are none.
        own: the token that they got; None: none yet.
        clock: epoch seconds.
    """

    settings: Settings
    conf: Mapping[str, Any]
    factory: str | None = None
    token: str | None = field(default=None, repr=False)
    service: str | None = None
    clock: Callable[[], float] = wall_clock
    plugin: BaseAuthPlugin | None = field(init=False, repr=False)
    identity: IdentityClient = field(init=False)
    own: AccessInfo | None = field(init=False, default=None, repr=False)
    _fetch: DocumentFetcher = field(init=False)

    def __post_init__(self) -> None:
        """Load what the filter loads when it is built; raises ConfigurationError."""
        self.plugin = load_auth_plugin(self.settings.auth)
        self.identity = IdentityClient(self.settings, self.plugin, clock=self.clock)
        self._fetch = DocumentFetcher(self.settings)

    def fetch(self, uri: str, headers: Mapping[str, str] | None = None) -> FetchedDocument:
        """GET a document that needs no credentials; raises IdentityUnavailable."""
        return self._fetch(uri, headers or {"accept": "application/json"})

    def fetch_following(self, uri: str) -> FetchedDocument:
        """GET a document, following redirects as discovery does; raises IdentityUnavailable."""
        answer = self.fetch(uri)
        for _ in range(MAX_REDIRECTS):
            # Keystone lists its versions with status 300. A redirect to another origin has raised.
            if not (300 < answer.status < 400 and "location" in answer.headers):
                break
            answer = self.fetch(answer.headers["location"])
        return answer

    @property
    def auth_url(self) -> str | None:
        """Where our own credentials are sent; None: there are none, or they need no such place."""
        auth = self.settings.auth
        if auth is None:
            return None
        url = auth.values.get("auth_url") or auth.values.get("endpoint")
        return str(url) if url else None


def show(url: str) -> str:
    """Return a URL without user, password and query."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
