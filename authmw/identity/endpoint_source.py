"""Token answers straight from the identity endpoint."""

from __future__ import annotations

from authmw.errors import IdentityUnavailable
from authmw.identity.answer import TokenAnswer
from authmw.identity.client import IdentityClient
from authmw.runtime import request
from authmw.token.catalog import ServiceCatalog


class EndpointSource:
    """A `TokenSource` that asks the identity endpoint every time.

    Args:
        client: asks it.
        include_catalog: whether a catalog in the answer is kept; an endpoint may send one
            though none was asked for.
    """

    def __init__(self, client: IdentityClient, *, include_catalog: bool) -> None:
        self._client = client
        self._include_catalog = include_catalog

    def fetch_token_answer(self, token: str, *, allow_expired: bool, now: float) -> TokenAnswer:
        """Ask about one token; see `TokenSource`."""
        environ = request.current_environ() or {}
        body = self._client.fetch_token(
            token,
            allow_expired=allow_expired,
            request_id=environ.get("HTTP_X_OPENSTACK_REQUEST_ID"),
        )
        services = body.pop("catalog", None)
        return TokenAnswer(body, self._parse(services) if self._include_catalog else None, int(now))

    def _parse(self, services: object) -> ServiceCatalog | None:
        if services is None:
            return None
        try:
            return ServiceCatalog.from_services(services)
        except (ValueError, TypeError, RecursionError) as error:
            raise IdentityUnavailable(
                f"the identity endpoint sent a catalog that can't be read: {error}"
            ) from error
