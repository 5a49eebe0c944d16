"""`AuthTokenFixture`: tokens for a service's unit tests, without an identity service.

The interface is that of `keystonemiddleware.fixture.AuthTokenFixture`, so tests change one
import. keystonemiddleware's fixture replaces the validating method; with this one the whole
middleware runs, from the header to the environ, on token bodies that the fixture holds. So it
refuses tokens that production would refuse, and `keystone.token_info` always holds a version 3
body.

It is a `fixtures.Fixture` if that package is installed, and otherwise has `setUp`, `cleanUp`
and `with`. Several may be in use at a time, each with its own tokens.
"""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Iterable, KeysView, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from authmw.errors import IdentityUnavailable, InvalidToken, Reason
from authmw.identity.token_response import TokenResponse
from authmw.runtime.clock import wall_clock
from authmw.testing.documents import make_v2_document, make_v3_document, read_document
from authmw.token.body import parse_time
from authmw.token.catalog import ServiceCatalog
from authmw.validation import fixture_sources

try:
    from fixtures import Fixture
except ImportError:
    from authmw.testing.plain_fixture import Fixture  # type: ignore[assignment]

_log = logging.getLogger(__name__)

# Two readings of the same clock differ by less.
_SAME_TIME = timedelta(seconds=1)


class AuthTokenFixture(Fixture):
    """Validates tokens in place of the identity service, for every filter of the process.

    Filters may be built before or after the fixture. Tokens that no fixture holds get 401. Filters
    send nothing meanwhile, neither to the identity service nor to memcached.
    """

    def _setUp(self) -> None:  # noqa: N802
        # Made here, as a fixture may be set up again after its clean-up.
        self._documents: dict[str, Mapping[str, Any]] = {}
        source = _DocumentSource(self._documents)
        fixture_sources.install(source)
        self.addCleanup(fixture_sources.remove, source)
        self.addCleanup(self._documents.clear)
        # In production it would bypass every check.
        _log.warning("tokens of an AuthTokenFixture are accepted in this process")

    @property
    def tokens(self) -> KeysView[str]:
        """The token ids added so far."""
        return self._documents.keys()

    def add_token_data(
        self,
        token_id: str | None = None,
        expires: datetime | str | None = None,
        user_id: str | None = None,
        user_name: str | None = None,
        user_domain_id: str | None = None,
        user_domain_name: str | None = None,
        project_id: str | None = None,
        project_name: str | None = None,
        project_domain_id: str | None = None,
        project_domain_name: str | None = None,
        role_list: Iterable[str] | None = None,
        is_v2: bool = False,  # noqa: FBT001, FBT002 - the peer's signature
    ) -> str:
        """Add a token with these values; missing ids and names are generated.

        Args:
            token_id: the token string; generated if missing.
            expires: a time without a zone is UTC; an hour from now by default.
            role_list: role names.
            is_v2: whether to make a document of version 2 of the Identity API, which has no
                domains.

        Returns the token id.
        """
        token_id = token_id or uuid.uuid4().hex
        roles = list(role_list or ())
        user, project, now = (user_id, user_name), (project_id, project_name), wall_clock()
        if is_v2:
            document = make_v2_document(
                token_id=token_id, user=user, tenant=project, roles=roles, expires=expires, now=now
            )
        else:
            document = make_v3_document(
                user=user,
                user_domain=(user_domain_id, user_domain_name),
                project=project,
                project_domain=(project_domain_id, project_domain_name),
                roles=roles,
                expires=expires,
                now=now,
            )
        return self.add_token(document, token_id=token_id)

    def add_token(self, token_data: Mapping[str, Any], token_id: str | None = None) -> str:
        """Add a token document, such as `keystoneauth1.fixture.V3Token()`.

        The document is read when the token is used, so it may still be changed.

        Args:
            token_data: {"token": ...} (version 3 of the Identity API) or {"access": ...} (2).
            token_id: the token string; generated if missing.

        Returns the token id.
        """
        token_id = token_id or uuid.uuid4().hex
        self._documents[token_id] = token_data
        return token_id


class _DocumentSource:
    """A `TokenSource` over the documents of one fixture."""

    def __init__(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        self._documents = documents

    def fetch_token_response(
        self,
        token: str,
        *,
        allow_expired: bool,
        now: float,
    ) -> TokenResponse:
        document = self._documents.get(token)
        if document is None:
            raise InvalidToken(Reason.NOT_FOUND, "it was not added to this fixture")
        try:
            body, services = read_document(document)
            catalog = None if services is None else ServiceCatalog.from_services(services)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise IdentityUnavailable(
                f"a test's token document can't be read: {error!r}"
            ) from error
        if not allow_expired:
            _verify_not_expired_by_oslo(body)
        return TokenResponse(body, catalog, int(now))


def _verify_not_expired_by_oslo(body: Mapping[str, Any]) -> None:
    """Refuse a token that has expired by the overridden time of oslo.utils, if a test set one.

    The caller also checks the expiry by the clock, so that the later time counts, as with
    keystonemiddleware's fixture. Tests set oslo's time with
    `oslo_utils.fixture.TimeFixture`, `timeutils.set_time_override` or a mock of `utcnow`.
    """
    # Not imported: if no test has imported it, no test has set it.
    timeutils = sys.modules.get("oslo_utils.timeutils")
    if timeutils is None:
        return
    now: datetime = timeutils.utcnow()
    now = now if now.tzinfo else now.replace(tzinfo=UTC)
    if abs(now - datetime.now(UTC)) < _SAME_TIME:
        return
    # A body without an expiry is refused later, as malformed.
    expires_at = body.get("expires_at")
    if expires_at is not None and now.timestamp() > parse_time(expires_at):
        raise InvalidToken(Reason.EXPIRED, "by the time that oslo.utils was set to")
