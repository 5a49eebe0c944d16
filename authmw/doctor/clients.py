"""Checks what clients meet: the address that a 401 names, and the server in front of the filter."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from authmw.doctor.deployment import Deployment, show
from authmw.doctor.endpoint import check_endpoint
from authmw.doctor.identity import list_versions
from authmw.doctor.outages import explain_outage
from authmw.doctor.result import Result, Results, Status, failed, passed, skipped, warned
from authmw.errors import IdentityUnavailable, Outage
from authmw.identity.outcomes import Outcome

# How servers say that a header is too long (RFC 6585 §5; others answer 400, or hang up).
_TOO_LONG = (400, 413, 414, 431)
_CHALLENGED = 401
_SERVICE = "service"


def check_clients(deployment: Deployment) -> Results[None]:
    """Check www_authenticate_uri, and the service from outside if its URL is known."""
    uri = deployment.settings.www_authenticate_uri
    if uri is None:
        yield skipped("www_authenticate_uri", "it is not set")
    else:
        yield _check_uri(deployment, uri)
    yield from _check_service(deployment)


def _check_uri(deployment: Deployment, uri: str) -> Result:
    check = "www_authenticate_uri"
    if urlsplit(uri).scheme not in ("http", "https"):
        return failed(check, f"{uri!r} is no URL", "write the public address of Keystone: https://")
    try:
        answer = deployment.fetch_following(uri)
    except IdentityUnavailable as error:
        if isinstance(error, Outage) and error.kind == Outcome.REDIRECTED_ELSEWHERE.name:
            return passed(check, f"{show(uri)} sends clients on to another address")
        found = explain_outage(check, error)
        return warned(
            check,
            f"clients are sent to {show(uri)}, which can't be reached from here: {found.detail}",
            "correct it, unless clients alone can reach it",
        )
    if list_versions(answer):
        return passed(check, f"{show(uri)} is an identity service")
    return failed(
        check,
        f"clients are sent to {show(uri)}, where no identity service answers "
        f"(HTTP {answer.status})",
        "write the public, unversioned address of Keystone",
    )


def _check_service(deployment: Deployment) -> Results[None]:
    service = deployment.service
    if service is None:
        yield skipped(_SERVICE, "its address is not known: name it with --service URL")
        return
    if not (
        yield from check_endpoint(
            deployment.settings, service, "--service", _SERVICE, now=deployment.clock()
        )
    ):
        return
    try:
        without = deployment.fetch(service)
        longest = deployment.settings.max_token_size
        status, what = _send_token(deployment, service, longest)
    except IdentityUnavailable as error:
        yield explain_outage(_SERVICE, error)
        return
    judged = _judge_challenge(deployment, without.status, without.headers, service)
    yield judged
    check = f"{_SERVICE} header limits"
    if status in _TOO_LONG:
        yield failed(
            check,
            f"a token of {longest} bytes (max_token_size) is answered with {what} by a server in "
            "front of the filter",
            "raise its limit (gunicorn --limit-request-field_size, Apache LimitRequestFieldSize, "
            "nginx large_client_header_buffers, uWSGI buffer-size), or lower max_token_size",
        )
    else:
        # Whether a filter is there, its challenge alone tells.
        has_filter = judged.status is Status.PASS and without.status == _CHALLENGED
        passes = "reaches the filter" if has_filter else "is refused by no server for its length"
        yield passed(check, f"a token of {longest} bytes (max_token_size) {passes}")


def _send_token(deployment: Deployment, service: str, size: int) -> tuple[int, str]:
    """Send a token of this size that nobody issued; returns the status, in words as well."""
    # No dot in it: a signed one would be looked at more closely.
    try:
        answer = deployment.fetch(service, {"X-Auth-Token": "x" * size})
    except IdentityUnavailable:
        return 431, "the end of the connection"
    return answer.status, f"HTTP {answer.status}"


def _judge_challenge(deployment: Deployment, status: int, headers: object, service: str) -> Result:
    check = f"{_SERVICE} without a token"
    settings = deployment.settings
    challenge = dict(headers).get("www-authenticate", "")  # type: ignore[call-overload]
    if status == _CHALLENGED and challenge:
        return passed(check, f"{show(service)} answers 401: {json.dumps(challenge)}")
    if status >= 500:
        return failed(
            check,
            f"{show(service)} answers {status} to a request without a token: the server failed",
            "look at the log of the service, and of the server in front of it",
        )
    if settings.delay_auth_decision or settings.public_paths:
        return passed(check, f"{show(service)} answers {status}, as it decides itself")
    instead = " without WWW-Authenticate" if status == _CHALLENGED else ", and not 401,"
    return warned(
        check,
        f"{show(service)} answers {status}{instead} to a request without a token: the filter may "
        "not be in front of it",
        "put the filter into the pipeline of this application, or name a path behind it",
    )
