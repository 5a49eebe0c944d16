"""Our own credentials, catalog and connections in one process.

keystoneauth1 keeps our own token, finds the endpoint in its catalog and discovers the version.
Redirects, time-outs, retries and when to authenticate again are decided here.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from authmw.errors import DeadlineExceeded, InvalidToken
from authmw.identity.catalog_faults import explain_no_endpoint
from authmw.identity.json_response import (
    JsonResponse,
    raise_for_status,
    read_dated_object,
    read_object,
    read_token,
)
from authmw.identity.outage import make_outage
from authmw.identity.outcomes import Outcome
from authmw.identity.renewal_limit import Doubt, RenewalLimit
from authmw.identity.token_response import ACCESS_RULES
from authmw.identity.transport import MAX_REDIRECTS, client_certificate, open_requests_session
from authmw.net.deadline import remaining_seconds
from authmw.runtime.libraries import (
    AUTH_INTERFACE,
    Adapter,
    BaseIdentityPlugin,
    Session,
    exceptions,
)

if TYPE_CHECKING:
    from keystoneauth1.plugin import BaseAuthPlugin

    from authmw.config.settings import Settings
    from authmw.identity.server_clock import ServerClock

_VERSION = "3"


class IdentitySession:
    """Our credentials, catalog and connections of one process; made after the fork.

    Args:
        settings: interface, region, TLS, time-outs and retries.
        plugin: our own credentials.
        server_clock: gets the Date of each response; None: nobody wants it.
    """

    def __init__(
        self,
        settings: Settings,
        plugin: BaseAuthPlugin,
        server_clock: ServerClock | None = None,
    ) -> None:
        self._plugin = plugin
        self._session = Session(
            session=open_requests_session(settings, server_clock),
            verify=False if settings.insecure else settings.cafile or True,
            cert=client_certificate(settings),
            user_agent=settings.user_agent,
            redirect=MAX_REDIRECTS,
        )
        self._adapter = Adapter(
            self._session,
            auth=plugin,
            service_type="identity",
            interface=settings.interface,
            region_name=settings.region_name,
            version=_VERSION,
        )
        self._authenticating = threading.Lock()
        self._limit = RenewalLimit()
        self._accepted_endpoint: str | None = None

    def fetch_token(self, path: str, headers: Mapping[str, str]) -> dict[str, object]:
        """Ask about a client's token; returns its body.

        Args:
            path: below the version, with a leading slash.
            headers: beside our own credentials.

        Raises InvalidToken or Outage.
        """
        response = self._ask(path, headers)
        if response.status_code != 200:
            try:
                raise_for_status(response, about_token=True)
            except InvalidToken:
                # A 403 may be about our own credentials as well.
                if response.status_code == 403:
                    self.validate_own_token()
                raise
        return read_token(response)

    def fetch_json(self, path: str) -> JsonResponse:
        """Ask for any other JSON object; raises Outage unless there is one."""
        response = self._ask(path, {})
        raise_for_status(response, about_token=False)
        return read_dated_object(response)

    def validate_own_token(self) -> None:
        """Have our own token validated, which Keystone's policy allows to its holder.

        This needs everything that validating a client's token needs, from our own authentication
        to Keystone's database, and no client's token. Credentials without a token (those of HTTP
        basic authentication) ask for the version instead.

        Raises Outage unless the endpoint answers, and accepts our own credentials.
        """
        credentials = self._authenticate()
        endpoint = self._find_endpoint()
        response = self._get_own_validation(endpoint, credentials)
        if response.status_code == 401:
            others = self._authenticate_again(credentials, Doubt.REFUSED)
            if others is not None:
                response = self._get_own_validation(endpoint, others)
        raise_for_status(response, about_token=False)
        read_object(response)

    def fetch_own_token(self, refused: str | None) -> str | None:
        """Return our own token; asks for one if needed. None: the credentials hold no token.

        Args:
            refused: a token that another service did not accept; if it is ours, it is replaced,
                unless it was replaced for that reason a moment ago.
        """
        credentials = self._authenticate()
        if refused is not None and credentials.get("X-Auth-Token") == refused:
            others = self._authenticate_again(credentials, Doubt.REFUSED_ELSEWHERE)
            credentials = others or credentials
        return credentials.get("X-Auth-Token")

    def holds_token(self) -> bool:
        """Tell whether we are authenticated, so that `fetch_own_token` sends nothing."""
        if not isinstance(self._plugin, BaseIdentityPlugin):
            return True
        held = self._plugin.auth_ref
        return held is not None and not held.will_expire_soon(self._plugin.MIN_TOKEN_LIFE_SECONDS)

    def forget_endpoint(self) -> None:
        """Make the next request ask for a new token of ours, and with it a new catalog.

        Not more often than `Doubt.ENDPOINT_LOST` allows.
        """
        if self._limit.allows(Doubt.ENDPOINT_LOST):
            self._plugin.invalidate()

    def discover_authenticate_uri(self) -> str | None:
        """Return where clients get tokens, by discovery at the plugin's `auth_url`."""
        found = self._adapter.get_endpoint(interface=AUTH_INTERFACE)
        # Where discovery fails keystoneauth1 may return `auth_url` as it is.
        return found.rstrip("/") if found and _is_version_3(found) else None

    def known_authenticate_uri(self) -> str | None:
        """Return the plugin's `auth_url` (or fixed endpoint) as it is; nothing is sent."""
        return self._adapter.get_endpoint(interface=AUTH_INTERFACE, skip_discovery=True)

    def _ask(self, path: str, headers: Mapping[str, str]) -> requests.Response:
        """GET a path below the version, and once more with new credentials if ours were refused.

        Returns the response, whatever its status.
        """
        credentials = self._authenticate()
        endpoint = self._find_endpoint()
        response = self._get(endpoint + path, headers, credentials)
        if response.status_code == 401:
            others = self._authenticate_again(credentials, Doubt.REFUSED)
            if others is not None:
                return self._get(endpoint + path, headers, others)
        return response

    def _get_own_validation(
        self, endpoint: str, credentials: Mapping[str, str]
    ) -> requests.Response:
        token = credentials.get("X-Auth-Token")
        if token is None:
            return self._get(endpoint, {}, credentials)
        headers = {"X-Subject-Token": token, **ACCESS_RULES}
        return self._get(f"{endpoint}/auth/tokens?nocatalog", headers, credentials)

    def _get(
        self, uri: str, headers: Mapping[str, str], credentials: Mapping[str, str]
    ) -> requests.Response:
        # Our credentials are among the headers: `authenticated` would make keystoneauth1
        # fetch them again, without our lock, and repeat a 401 on its own.
        return self._session.get(
            uri,
            headers={**headers, **credentials},
            auth=self._plugin,
            authenticated=False,
            raise_exc=False,
        )

    def _find_endpoint(self) -> str:
        """Return the version 3 identity endpoint, without a slash at the end.

        Call `_authenticate` first: the catalog comes with our token.
        """
        try:
            endpoint = self._adapter.get_endpoint()
        except exceptions.CatalogException:
            endpoint = None
        if endpoint is None or endpoint != self._accepted_endpoint:
            # Where discovery fails keystoneauth1 falls back to the address in the catalog, and a
            # 404 from a wrong path must not be taken for a verdict on a token.
            if endpoint is None or not _is_version_3(endpoint):
                raise explain_no_endpoint(
                    getattr(self._plugin, "auth_ref", None),
                    endpoint,
                    interface=self._adapter.interface,
                    region_name=self._adapter.region_name,
                )
            self._accepted_endpoint = endpoint
        return endpoint.rstrip("/")

    def _authenticate(self) -> dict[str, str]:
        """Return the headers that carry our own credentials; asks for a token if needed."""
        self._begin_authenticating()
        try:
            return self._read_headers()
        finally:
            self._authenticating.release()

    def _authenticate_again(
        self, refused: Mapping[str, str], doubt: Doubt
    ) -> dict[str, str] | None:
        """Replace credentials that were refused, unless that was done a moment ago.

        Args:
            refused: what `_authenticate` returned.
            doubt: who refused them.

        Returns new headers, also if another thread got them meanwhile; None if the plugin
        can't get others, or got the last ones a moment ago.
        """
        self._begin_authenticating()
        try:
            current = self._read_headers()
            if current != refused:
                return current
            if not self._limit.allows(doubt) or not self._plugin.invalidate():
                return None
            return self._read_headers()
        finally:
            self._authenticating.release()

    def _read_headers(self) -> dict[str, str]:
        headers = self._plugin.get_headers(self._session)
        if headers is None:
            raise make_outage(Outcome.NOT_AUTHENTICATED, note="the auth plugin gave no token")
        return dict(headers)

    def _begin_authenticating(self) -> None:
        """Acquire the lock under which one thread authenticates; the others use its result.

        The plugin has a lock of its own, but waits for it without a limit. Here a thread waits
        until its deadline. Raises DeadlineExceeded.
        """
        # A lock refuses to wait for an infinite time; nothing waits without a deadline.
        if not self._authenticating.acquire(timeout=max(0.0, min(remaining_seconds(), 3600.0))):
            raise DeadlineExceeded


def _is_version_3(endpoint: str) -> bool:
    """Tell whether an endpoint's path ends with the version: /v3, /identity/v3."""
    return urlsplit(endpoint).path.rstrip("/").rpartition("/")[2] == "v3"
