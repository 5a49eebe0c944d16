"""Checks every issuer: its discovery document, its keys, introspection, its clock."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from authmw.build.introspection import make_introspection_client
from authmw.build.issuers import make_document_fetcher, make_key_reader
from authmw.config.issuer_settings import Introspection, IssuerSettings, connect_to
from authmw.doctor.clocks import check_clock
from authmw.doctor.deployment import Deployment, show
from authmw.doctor.endpoint import check_endpoint
from authmw.doctor.outages import explain_outage
from authmw.doctor.result import Results, failed, passed, skipped, warned
from authmw.errors import (
    ConfigurationError,
    IdentityUnavailable,
    InvalidToken,
    KeysUnreadable,
    MalformedRevocationList,
    Outage,
)
from authmw.identity.discovery import DiscoveryReader
from authmw.identity.documents import DocumentFetcher, FetchedDocument
from authmw.issuers.record import Issuer
from authmw.revocation.revoked_ids import parse_body


def check_issuers(deployment: Deployment) -> Results[None]:
    """Check each issuer; those of one URL with variables as one each."""
    issuers = deployment.settings.issuers
    if not issuers:
        yield skipped("issuers", "there is no section [authmw_issuer:NAME]")
    for issuer in issuers:
        for record in issuer.records:
            subject = f"issuer {issuer.name}"
            if len(issuer.records) > 1:
                subject += f" {record.identifier}"
            yield from _check_issuer(deployment, issuer, record, subject)


class _DatedFetch:
    """Fetches documents, and keeps the last one for its Date."""

    def __init__(self, fetch: DocumentFetcher) -> None:
        self._fetch = fetch
        self.last: FetchedDocument | None = None

    def __call__(self, uri: str, headers: Mapping[str, str]) -> FetchedDocument:
        """See `DocumentFetcher`."""
        self.last = self._fetch(uri, headers)
        return self.last


def _check_issuer(
    deployment: Deployment, issuer: IssuerSettings, record: Issuer, subject: str
) -> Results[None]:
    check = f"{subject} TLS files"
    try:
        fetcher = make_document_fetcher(deployment.settings, issuer)
    except ConfigurationError as error:
        yield failed(check, str(error).partition(": ")[0], error.fix)
        return
    fetch = _DatedFetch(fetcher)
    transport, now = connect_to(issuer, deployment.settings), deployment.clock()
    place = issuer.jwks_uri or record.keys_uri or record.identifier
    if issuer.introspection is not None:
        place = issuer.introspection.endpoint or place
    is_local = issuer.public_key_repository is not None and issuer.introspection is None
    if (
        not is_local
        and place is not None
        and urlsplit(place).scheme in ("http", "https")
        and not (yield from check_endpoint(transport, place, "issuer", subject, now=now))
    ):
        return
    if issuer.introspection is not None:
        yield from _check_introspection(deployment, issuer, issuer.introspection, fetcher, subject)
        return
    is_discovered = not is_local and issuer.jwks_uri is None and record.keys_uri is None
    if (
        is_discovered
        and record.identifier is not None
        and not (yield from _check_discovery(fetch, record.identifier, deployment, subject))
    ):
        return
    yield from _check_keys(deployment, issuer, record, fetch, subject)
    if fetch.last is not None:
        yield from check_clock(deployment, fetch.last, subject)
    yield from _check_revocation_list(deployment, record, fetch, subject)


def _check_discovery(
    fetch: _DatedFetch, identifier: str, deployment: Deployment, subject: str
) -> Results[bool]:
    check = f"{subject} discovery"
    try:
        found = DiscoveryReader(identifier, fetch).read(deployment.clock())
    except IdentityUnavailable as error:
        if isinstance(error.__cause__, Outage):
            yield explain_outage(check, error)
        else:
            yield failed(
                check,
                error.detail,
                "write issuer exactly as the discovery document of the issuer says it, or jwks_uri "
                "where there is none",
            )
        return False
    if found.jwks_uri is None:
        yield failed(
            check, "its discovery document names no jwks_uri", "write jwks_uri in the section"
        )
        return False
    yield passed(check, f"keys are at {show(found.jwks_uri)}")
    return True


def _check_keys(
    deployment: Deployment,
    issuer: IssuerSettings,
    record: Issuer,
    fetch: _DatedFetch,
    subject: str,
) -> Results[None]:
    check = f"{subject} keys"
    reader = make_key_reader(issuer, record, fetch)
    try:
        found = reader.read(deployment.clock())
    except KeysUnreadable as error:
        yield failed(
            check, f"{show(reader.location)} {error}", f"correct {reader.option} in the section"
        )
        return
    usable = [key for key in found.keys if key.algorithm.name in record.profile.algorithms]
    if not usable:
        names = ", ".join(sorted({key.algorithm.name for key in found.keys})) or "none"
        accepted = ", ".join(sorted(record.profile.algorithms))
        yield failed(
            check,
            f"no key can be used: there are {names}, and {accepted} are accepted",
            "correct algorithms in the section, or look at the keys that the issuer publishes",
        )
        return
    for warning in found.warnings:
        yield warned(check, warning, "chown it to root, and chmod g-w,o-w")
    kinds = ", ".join(sorted({key.algorithm.name for key in usable}))
    yield passed(check, f"{len(usable)} can be used ({kinds})")


def _check_introspection(
    deployment: Deployment,
    issuer: IssuerSettings,
    introspection: Introspection,
    fetch: DocumentFetcher,
    subject: str,
) -> Results[None]:
    """Ask about a token that nobody issued: the answer must be that it is not active."""
    check = f"{subject} introspection"
    try:
        client = make_introspection_client(
            deployment.settings,
            issuer,
            introspection,
            fetch,
            clock=deployment.clock,
        )
        client.fetch_token_response(
            f"authmw-doctor-{secrets.token_hex(16)}", allow_expired=False, now=deployment.clock()
        )
    except ConfigurationError as error:
        yield failed(check, str(error).partition(": ")[0], error.fix)
    except InvalidToken:
        yield passed(check, "the issuer answers us, and does not know a made-up token")
    except IdentityUnavailable as error:
        yield explain_outage(check, error)
    else:
        yield failed(
            check,
            "the issuer calls a made-up token active",
            "compare introspection_endpoint: whatever is there accepts everything",
        )


def _check_revocation_list(
    deployment: Deployment, record: Issuer, fetch: _DatedFetch, subject: str
) -> Results[None]:
    uri = record.revocation_list_uri
    if uri is None or deployment.settings.revocation_poll_interval == 0:
        return
    check = f"{subject} revocation list"
    try:
        answer = fetch(uri, {"accept": "application/json"})
        if answer.status != 200:
            yield failed(check, f"{show(uri)}: HTTP {answer.status}", "look at the issuer")
            return
        ids = parse_body(answer.body)
    except IdentityUnavailable as error:
        yield explain_outage(check, error)
    except MalformedRevocationList as error:
        yield failed(check, f"{show(uri)}: {error}", "look at what the issuer publishes there")
    else:
        yield passed(check, f"{len(ids)} tokens are revoked")
