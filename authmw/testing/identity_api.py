"""The part of the Identity API v3 that a protected service uses.

Discovery, "Authentication and token management", and OS-REVOKE. Keystone's default policy decides
who may validate, revoke and read events.
"""

from __future__ import annotations

import http
import json
from collections.abc import Callable

from authmw.testing.api_errors import (
    IdentityApiError,
    bad_request,
    forbidden,
    not_found,
    unauthorized,
)
from authmw.testing.authentication import authenticate
from authmw.testing.faults import Call
from authmw.testing.http_messages import Answer, Request, json_answer
from authmw.testing.identity import Identity
from authmw.testing.records import Grant, OnSystem
from authmw.testing.token_bodies import roles_of
from authmw.token import parse_time

JWKS_PATH = "/.well-known/jwks.json"

_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})


class IdentityApi:
    """Answers requests by the rules of an `Identity`."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._routes: dict[tuple[str, str], tuple[Call, Callable[[Request], Answer]]] = {
            ("GET", "/"): ("discover", self._list_versions),
            ("GET", "/v3"): ("discover", self._show_version),
            ("POST", "/v3/auth/tokens"): ("issue", self._issue),
            ("GET", "/v3/auth/tokens"): ("validate", self._validate),
            ("HEAD", "/v3/auth/tokens"): ("validate", self._validate),
            ("DELETE", "/v3/auth/tokens"): ("revoke", self._revoke),
            ("GET", "/v3/OS-REVOKE/events"): ("events", self._list_events),
            # Keystone serves none; it is here for services that use `jws_jwks_uri`.
            ("GET", JWKS_PATH): ("keys", self._list_keys),
        }

    def call_of(self, request: Request) -> Call:
        """Return what a request asks for, by method and path."""
        route = self._routes.get((request.method, _without_trailing_slash(request.path)))
        return "other" if route is None else route[0]

    def answer(self, request: Request) -> Answer:
        """Return the response to one request; refusals are responses too."""
        route = self._routes.get((request.method, _without_trailing_slash(request.path)))
        try:
            if route is None:
                raise self._no_route(request)
            return route[1](request)
        except IdentityApiError as error:
            headers = {}
            if error.status == 401:
                headers["WWW-Authenticate"] = f'Keystone uri="{self._identity.url}/v3"'
            return json_answer(error.status, error.body(), headers)

    def _list_versions(self, _request: Request) -> Answer:
        headers = {"Location": f"{self._identity.url}/v3/"}
        return json_answer(300, {"versions": {"values": [self._version()]}}, headers)

    def _show_version(self, _request: Request) -> Answer:
        return json_answer(200, {"version": self._version()})

    def _issue(self, request: Request) -> Answer:
        try:
            document: object = json.loads(request.body)
        except ValueError:
            raise bad_request("The body is not JSON.") from None
        with self._identity.lock:
            grant = authenticate(document, self._identity)
            try:
                token = self._identity.issue_granted(grant)
            except IdentityApiError:
                raise unauthorized() from None
            body = self._identity.render(grant, include_catalog="nocatalog" not in request.query)
        return json_answer(201, {"token": body}, {"X-Subject-Token": token})

    def _validate(self, request: Request) -> Answer:
        caller = self._caller(request)
        subject = request.headers.get("x-subject-token", "")
        with self._identity.lock:
            grant = self._identity.grant_of(
                subject, allow_expired=request.query.get("allow_expired", "").lower() in _TRUE
            )
            if grant.user_id != caller.user_id:
                self._assert_role(
                    caller, "admin", "service", action="validate_token", system_reader=True
                )
            self._assert_understands_access_rules(grant, request)
            body = self._identity.render(grant, include_catalog="nocatalog" not in request.query)
        return json_answer(200, {"token": body}, {"X-Subject-Token": subject})

    def _revoke(self, request: Request) -> Answer:
        caller = self._caller(request)
        subject = request.headers.get("x-subject-token", "")
        with self._identity.lock:
            if self._identity.grant_of(subject).user_id != caller.user_id:
                self._assert_role(caller, "admin", action="revoke_token")
            self._identity.revoke(
                subject, cascade=request.query.get("cascade", "true").lower() in _TRUE
            )
        return Answer(204)

    def _list_events(self, request: Request) -> Answer:
        self._assert_role(self._caller(request), "admin", "service", action="list_revoke_events")
        since = request.query.get("since")
        events = self._identity.events_since(None if since is None else _parse_since(since))
        links = {"next": None, "self": f"{self._identity.url}/v3/OS-REVOKE/events"}
        return json_answer(
            200,
            {"events": [event.render() for event in events], "links": links | {"previous": None}},
        )

    def _list_keys(self, _request: Request) -> Answer:
        return json_answer(200, self._identity.issuer.jwks())

    def _caller(self, request: Request) -> Grant:
        try:
            return self._identity.grant_of(request.headers.get("x-auth-token", ""))
        except IdentityApiError:
            raise unauthorized() from None

    def _assert_role(
        self, caller: Grant, *names: str, action: str, system_reader: bool = False
    ) -> None:
        with self._identity.lock:
            held = {role.name for role in roles_of(caller, self._identity.directory)}
        if held.intersection(names):
            return
        if system_reader and caller.target == OnSystem() and "reader" in held:
            return
        raise forbidden(
            f"You are not authorized to perform the requested action: identity:{action}."
        )

    def _assert_understands_access_rules(self, grant: Grant, request: Request) -> None:
        credential = self._identity.directory.application_credentials.get(
            grant.application_credential_id or ""
        )
        if credential is None or credential.access_rules is None:
            return
        try:
            version = float(request.headers.get("openstack-identity-access-rules", "0"))
        except ValueError:
            version = 0
        if version < 1:
            # A client that ignores access rules would let every request pass.
            raise not_found("The caller does not support access rules.")

    def _no_route(self, request: Request) -> IdentityApiError:
        path = _without_trailing_slash(request.path)
        if any(path == known for _method, known in self._routes):
            return IdentityApiError(
                http.HTTPStatus.METHOD_NOT_ALLOWED, "This method is not allowed here."
            )
        return not_found("There is nothing at this path.")

    def _version(self) -> dict[str, object]:
        media_type = "application/vnd.openstack.identity-v3+json"
        return {
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{self._identity.url}/v3/"}],
            "media-types": [{"base": "application/json", "type": media_type}],
        }


def _without_trailing_slash(path: str) -> str:
    return path.rstrip("/") or "/"


def _parse_since(text: str) -> int:
    try:
        return parse_time(text)
    except ValueError:
        raise bad_request("`since` is not an ISO 8601 time.") from None
