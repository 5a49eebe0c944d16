"""Checks the identity service in the order in which the filter needs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from authmw.doctor.catalog import check_catalog, find_endpoint
from authmw.doctor.clocks import check_clock
from authmw.doctor.deployment import Deployment, show
from authmw.doctor.endpoint import check_endpoint
from authmw.doctor.login import explain_refused_login
from authmw.doctor.outages import explain_outage
from authmw.doctor.result import Result, Results, Status, failed, passed, skipped, warned
from authmw.errors import (
    EventsForbidden,
    IdentityUnavailable,
    InvalidToken,
    MalformedEvents,
    Outage,
    Reason,
)
from authmw.identity.client import IdentityClient
from authmw.identity.documents import FetchedDocument
from authmw.identity.outcomes import Outcome
from authmw.identity.proxies import find_proxy
from authmw.revocation.events import parse_events
from authmw.revocation.source import IdentityEvents, SinceTimes
from authmw.runtime.libraries import BaseIdentityPlugin

if TYPE_CHECKING:
    from keystoneauth1.access import AccessInfo

# Where Keystone is behind a web server that has other services, too.
_USUAL_PATHS = ("/v3", "/identity/v3", "/keystone/v3", "/identity", "")
# Keystone's default policy lets these validate tokens and read revocation events.
_ROLES = ("service", "admin")
_POLICY_FIX = "allow identity:validate_token and identity:list_revoke_events in Keystone's policy"


def check_identity(deployment: Deployment) -> Results[None]:
    """Check address, discovery, our own login and rights, and the catalog."""
    settings, now, url = deployment.settings, deployment.clock(), deployment.auth_url
    if url is None:
        yield skipped("identity", "no auth_type: the identity service is never asked")
        return
    if not (yield from check_endpoint(settings, url, "auth_url", "identity", now=now)):
        yield skipped("identity login", "the identity service can't be reached")
        return
    discovery = list(_check_discovery(deployment, url))
    login, own = _check_login(deployment)
    if own is not None and discovery[0].status is Status.FAIL:
        # Where discovery is not allowed, the path of auth_url says the version, if it is right.
        discovery = [warned(discovery[0].check, discovery[0].detail, discovery[0].fix)]
    yield from discovery
    if own is None:
        if discovery[0].status is Status.PASS:
            yield login
        else:
            yield skipped(login.check, "there is no identity service at auth_url")
        yield skipped("identity validation", "we have no token of our own")
        return
    yield login
    endpoint = find_endpoint(deployment)
    if endpoint is not None and _origin(endpoint) != _origin(url):
        where = "the catalog's identity endpoint"
        if not (yield from check_endpoint(settings, endpoint, where, "identity endpoint", now=now)):
            return
    if (yield from _check_validation(deployment, own)):
        yield from _check_rights(deployment)
        yield from _note_service_roles(deployment)
        yield from check_catalog(deployment)


def _check_discovery(deployment: Deployment, url: str) -> Results[None]:
    check = "identity discovery"
    try:
        answer = deployment.fetch_following(url)
    except IdentityUnavailable as error:
        yield explain_outage(check, error)
        return
    versions = list_versions(answer)
    if any(version.startswith("v3") for version in versions):
        yield passed(check, f"{show(url)} has {', '.join(versions)}")
        yield from check_clock(deployment, answer, "identity")
        return
    if versions:
        yield failed(
            check,
            f"{show(url)} has the version {', '.join(versions)} alone",
            "write the address of version 3 in auth_url",
        )
        return
    if answer.status >= 500:
        yield failed(
            check,
            f"{show(url)}: HTTP {answer.status}: the server failed",
            "look at Keystone and its log, and at the load balancer or web server in front of it",
        )
        return
    cause = f"{show(url)}: HTTP {answer.status}, and no version document of an identity service"
    proxy = find_proxy(url)
    if proxy is not None:
        host = urlsplit(url).hostname
        yield failed(
            check,
            f"{cause}; {proxy} may have answered itself",
            f"correct {proxy.variable or 'it'}, or ask {host} directly by adding it to no_proxy",
        )
        return
    right = _find_elsewhere(deployment, url)
    fix = f"write auth_url = {right}" if right else "correct host, port and path in auth_url"
    yield failed(check, cause, fix)


def list_versions(answer: FetchedDocument) -> list[str]:
    """Return the versions in a discovery document of Keystone; empty if it is none."""
    try:
        document = json.loads(answer.body)
        if answer.status == 300:
            found = document["versions"]["values"]
        elif answer.status == 200:
            found = (
                [document["version"]] if "version" in document else document["versions"]["values"]
            )
        else:
            return []
        return [str(version["id"]) for version in found]
    except (ValueError, RecursionError, KeyError, TypeError):
        return []


def _find_elsewhere(deployment: Deployment, url: str) -> str | None:
    """Look for the identity service at the usual paths of the same host."""
    parts = urlsplit(url)
    for path in _USUAL_PATHS:
        there = parts._replace(path=path, query="", fragment="").geturl()
        if path == parts.path.rstrip("/"):
            continue
        try:
            versions = list_versions(deployment.fetch(there))
        except IdentityUnavailable:
            continue
        if any(version.startswith("v3") for version in versions):
            return show(there)
    return None


def _check_login(deployment: Deployment) -> tuple[Result, str | None]:
    """Log in with our own credentials; returns the token as well, "" where they have none."""
    check = "identity login"
    try:
        token = deployment.identity.fetch_own_token()
    except Outage as outage:
        refused = explain_outage(check, outage)
        return explain_refused_login(deployment, refused, outage.kind), None
    plugin = deployment.plugin
    if isinstance(plugin, BaseIdentityPlugin) and plugin.auth_ref is not None:
        deployment.own = plugin.auth_ref
        return passed(check, _describe_own(plugin.auth_ref)), token or ""
    return passed(check, "the credentials need no login"), token or ""


def _describe_own(own: AccessInfo) -> str:
    who = f"user {own.username} of domain {own.user_domain_name or own.user_domain_id}"
    roles = ", ".join(own.role_names or []) or "no role"
    if own.project_id:
        where = f"project {own.project_name}"
    elif own.domain_id:
        where = f"domain {own.domain_name}"
    else:
        where = "the system" if own.system_scoped else "no scope"
    return f"{who}, {where}, {roles}"


def _check_validation(deployment: Deployment, own: str) -> Results[bool]:
    """Have our own token validated, as the filter has a client's."""
    check = "identity validation"
    if not own:
        yield skipped(check, "the credentials have no token of their own")
        return True
    took = _time(deployment)
    try:
        body = deployment.identity.fetch_token(own)
    except InvalidToken as error:
        yield failed(
            check,
            f"the identity service refuses the token that it has just given us ({error})",
            "compare Keystone's processes: their key repositories (fernet or jws) must be the "
            "same, and all must have the same [token] provider",
        )
        return False
    except Outage as outage:
        found = explain_outage(check, outage)
        if outage.kind == Outcome.CREDENTIALS_FORBIDDEN.name and _has_role(deployment.own):
            cause = f"{found.detail}; it has the role, so Keystone's policy is not the default one"
            found = failed(check, cause, _POLICY_FIX)
        yield found
        return False
    yield passed(check, f"our own token was validated, {len(json.dumps(body))} bytes in {took()}")
    return True


def _time(deployment: Deployment) -> Callable[[], str]:
    began = deployment.clock()
    return lambda: f"{max(0.0, deployment.clock() - began) * 1000:.0f} ms"


def _check_rights(deployment: Deployment) -> Results[None]:
    """Judge our role by a client's token, and without one by reading the revocation events.

    In Keystone's default policy both take the same role. Everyone may have their own token
    validated, and of a token that nobody issued Keystone says the same to everyone, so that both
    tell nothing here.
    """
    settings = deployment.settings
    forbidden, events = False, 0
    failure: IdentityUnavailable | None = None
    try:
        answer = IdentityEvents(deployment.identity).fetch_events(SinceTimes().render(0))
        events = len(parse_events(answer.document, int(deployment.clock())))
    except EventsForbidden as error:
        forbidden, failure = True, error
    except IdentityUnavailable as error:
        failure = error
    except MalformedEvents as error:
        failure = IdentityUnavailable(f"the answer is no list of events ({error})")
    yield _judge_role(
        deployment, may_read_events=None if failure and not forbidden else not forbidden
    )
    check = "identity revocation events"
    if settings.revocation_poll_interval == 0:
        yield skipped(check, "revocation_poll_interval = 0: they are not read")
    elif settings.token_cache_time == 0 and not settings.has_key_source:
        yield skipped(check, "token_cache_time = 0: no token outlives its validation")
    elif failure is None:
        yield passed(check, f"they can be read; there are {events}")
    else:
        found = explain_outage(check, failure)
        if forbidden and _has_role(deployment.own):
            found = failed(check, found.detail, _POLICY_FIX)
        if settings.validates_offline:
            yield found
            return
        late = f"a revoked token stays valid for {settings.token_cache_time} s (token_cache_time)"
        yield warned(check, f"{found.detail}; {late}", found.fix)


def _note_service_roles(deployment: Deployment) -> Results[None]:
    """Note a service role that our own user lacks: services mostly have the same roles.

    It is no fault, since service tokens come from other services' users.
    """
    own, wanted = deployment.own, deployment.settings.service_token_roles
    if own is None or not wanted:
        return
    named = own.role_names or []
    if set(wanted).isdisjoint(named):
        yield passed(
            "service_token_roles",
            f"a service token needs one of {', '.join(sorted(wanted))}; our own user has "
            f"{', '.join(named) or 'none'}: are these roles' names right?",
        )


def _may_validate(identity: IdentityClient, token: str) -> bool | None:
    """Tell whether we may have this client's token validated; None: there was no answer."""
    try:
        identity.fetch_token(token)
    except InvalidToken as refusal:
        # Of a token that nobody issued Keystone says the same to everyone.
        return None if refusal.reason is Reason.NOT_FOUND else True
    except Outage as outage:
        return False if outage.kind == Outcome.CREDENTIALS_FORBIDDEN.name else None
    return True


def _has_role(own: AccessInfo | None) -> bool:
    return own is not None and any(role in (own.role_names or ()) for role in _ROLES)


def _judge_role(deployment: Deployment, *, may_read_events: bool | None) -> Result:
    """Tell whether others' tokens may be validated.

    Args:
        deployment: a client's token in it decides.
        may_read_events: whether the revocation events can be read; None: it is not known.
    """
    check, own = "identity role", deployment.own
    if own is None:
        return skipped(check, "the credentials have no token, and so no role")
    named = ", ".join(own.role_names or []) or "none"
    may_validate = None
    if deployment.token is not None:
        may_validate = _may_validate(deployment.identity, deployment.token)
    if may_validate:
        return passed(check, f"the given token was validated with our roles: {named}")
    if may_validate is None and may_read_events is None:
        return skipped(check, f"it is not known what our roles allow: {named}")
    if may_validate is None and may_read_events:
        return passed(
            check,
            f"may read revocation events, and so have others' tokens validated, unless Keystone's "
            f"policy is not the default one: {named}",
        )
    user, project = own.username or "USER", own.project_name or "PROJECT"
    if _has_role(own):
        what = "read revocation events" if may_validate is None else "have others' tokens validated"
        cause = f"{named} may not {what}: Keystone's policy is not the default one"
        judge = warned if may_validate is None else failed
        return judge(check, cause, _POLICY_FIX)
    fix = (
        f"give it the role {_ROLES[0]} (or {_ROLES[1]}): openstack role add --user {user} "
        f"--project {project} {_ROLES[0]}"
    )
    if may_validate is False:
        cause = f"{user} may not have others' tokens validated (its roles: {named})"
        return failed(check, cause, fix)
    return failed(
        check,
        f"{user} may not read revocation events, nor have others' tokens validated unless "
        f"Keystone's policy is not the default one (its roles: {named})",
        fix,
    )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
