"""What one filter answers in place of an app, and the headers it adds to an app's refusals.

The middleware of WSGI and those of single frameworks answer by these functions, so that a client
sees the same bodies, challenges and CORS headers in front of every app.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from authmw.build import FilterParts
from authmw.errors import Refused
from authmw.logs.fields import find_request_id
from authmw.rejection import DESCRIBE_RESOURCE, REFUSED, REFUSED_FOR, Rejection, respond
from authmw.runtime import oslo_context
from authmw.wsgi.start_response import Header


class Response(NamedTuple):
    """A whole response, not yet in the form of any framework."""

    status: int
    headers: Sequence[Header]
    body: bytes


def render_rejection(parts: FilterParts, environ: dict[str, Any], rejection: Rejection) -> Response:
    """Return the response to a rejected request, or to one for the resource's metadata."""
    begun: list[tuple[str, Sequence[Header]]] = []

    def start_response(status: str, headers: Sequence[Header], _exc_info: object = None) -> None:
        begun.append((status, headers))

    resource = parts.resource
    if rejection is DESCRIBE_RESOURCE and resource is not None:
        chunks = resource.answer(environ, start_response, cors_headers(parts, environ))
    else:
        chunks = reject(parts, environ, start_response, rejection)
    body = b"".join(chunks)
    status, headers = begun[-1]
    return Response(int(status[:3]), headers, body)


def reject(
    parts: FilterParts,
    environ: dict[str, Any],
    start_response: Callable[..., Any],
    rejection: Rejection,
) -> Iterable[bytes]:
    """Answer a rejected request (PEP 3333)."""
    # Only a 401 has a challenge, and building it may take discovery.
    challenges: Sequence[Header] = ()
    if rejection.status == 401:
        with oslo_context.replaced(environ, find_request_id):
            challenges = parts.challenge(rejection.reason)
    return respond(rejection, challenges, cors_headers(parts, environ), environ, start_response)


def headers_to_add(
    parts: FilterParts,
    status: str,
    response_headers: Sequence[Header],
    environ: dict[str, Any],
    *,
    may_ask: bool = True,
) -> Sequence[Header]:
    """Return the headers to add to an app's answer with the status of a refusal.

    A 401 gets a challenge. If the refusal is ours, the answer gets the refusal's Retry-After,
    unless it has one, and CORS headers.

    A CORS filter of the app's can't know that there will be a challenge: a page that it lets read
    the response may read that as well.
    """
    added: list[Header] = []
    cors: list[Header] = []
    if status.startswith("401"):
        added += parts.challenge(environ.get(REFUSED_FOR), may_ask=may_ask)
    # Removed, so that of several filters one adds them, and to one response only.
    refused: Refused | None = environ.pop(REFUSED, None)
    if refused is not None and status.startswith(str(refused.refusal.status)):
        added += _lacking_retry_after(refused, response_headers)
        if refused.refusal.missing:
            parts.authenticator.note_missing(environ, refused.refusal.missing)
        missing_scope = refused.refusal.missing_scope
        if missing_scope:
            added += parts.challenge_scope(missing_scope)
        cors = cors_headers(parts, environ, response_headers)
    if added and not cors and parts.resource is not None:
        # Imported here: few services have OAuth clients.
        from authmw.wsgi.cors import allows_an_origin, expose

        if allows_an_origin(response_headers):
            cors = [expose(added)]
    return [*added, *cors]


def _lacking_retry_after(refused: Refused, response_headers: Sequence[Header]) -> list[Header]:
    """Return the Retry-After of a refusal (RFC 9110 §10.2.3), if an app's answer has none."""
    if any(name.lower() == "retry-after" for name, _ in response_headers):
        return []
    return [pair for pair in refused.refusal.headers if pair[0] == "Retry-After"]


def cors_headers(
    parts: FilterParts, environ: dict[str, Any], response_headers: Sequence[Header] = ()
) -> list[Header]:
    """Return the CORS headers for a response of ours; empty if no origin is allowed."""
    cors = parts.cors
    return [] if cors is None else cors.headers_for(environ.get("HTTP_ORIGIN"), response_headers)
