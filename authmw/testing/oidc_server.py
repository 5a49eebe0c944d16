"""An authorization server to test against: discovery, keys, tokens, introspection.

From the standard library and `cryptography`, on the loopback interface; for tests and
demonstrations. It knows no users and no consent: whatever is asked for is granted.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import itertools
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote_plus

from authmw.issuers.profiles import PROFILES
from authmw.runtime.clock import wall_clock
from authmw.testing.faults import Call, Fault
from authmw.testing.http_messages import Answer, Request, json_answer
from authmw.testing.loopback import Loopback, SeenRequest
from authmw.testing.oidc_tokens import (
    SHAPES,
    TokenGrant,
    make_access_claims,
    make_id_claims,
    make_introspection_response,
)
from authmw.testing.signing_key import SigningKey

_OIDC_WELL_KNOWN = "/.well-known/openid-configuration"  # OpenID Connect Discovery §4
_OAUTH_WELL_KNOWN = "/.well-known/oauth-authorization-server"  # RFC 8414 §3


@dataclass(kw_only=True, eq=False, repr=False)
class OidcServer:
    """An OAuth2 and OpenID Connect server with one client.

        with OidcServer() as server:
            token = server.issue("ada", roles=["member"], scope="inventory.read")
            id_token = server.issue_id_token("ada")
            opaque = server.issue_opaque("ada")
            server.rotate_key()
            with server.failing(Fault.HANG, "keys"):
                ...

    It keeps its tokens while stopped, and its port. What is wrong with a hostile or broken one
    can be switched on while it runs: the faults of `authmw.testing.Fault`, and the attributes
    below that say so.

    Attributes:
        profile: the kind of issuer it makes tokens like (`authmw.testing.oidc_tokens.SHAPES`).
        audience: whom tokens are for unless asked otherwise.
        algorithm: ES256, RS256 or PS256; by default one that tokens of this profile may have.
        lifetime_seconds: of tokens.
        port: TCP port on 127.0.0.1; 0: a free one.
        clock: epoch seconds.
        client_id, client_secret: of its only client, for the token endpoint and introspection.
        delay_seconds: hostile: how long it thinks about every request.
        surplus_keys: hostile: how many keys stand in its JWK set before those that sign.
        claimed_issuer: hostile: what its discovery document says instead of its own identifier.
        foreign_jwks_uri: hostile: where its discovery document says that its keys are.
        url: of the server, set by the first start.
    """

    profile: str = "rfc9068"
    audience: str = "https://inventory.example"
    algorithm: str = ""
    lifetime_seconds: int = 900
    clock: Callable[[], float] = wall_clock
    client_id: str = "inventory-client"
    client_secret: str = field(default_factory=secrets.token_urlsafe)
    delay_seconds: float = 0
    surplus_keys: int = 0
    claimed_issuer: str | None = None
    foreign_jwks_uri: str | None = None
    port: int = 0
    url: str = field(init=False, default="")
    keys: list[SigningKey] = field(init=False, default_factory=list)
    """The one that signs comes last."""
    _loopback: Loopback = field(init=False)
    _numbers: Iterator[int] = field(init=False, default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)
    _stopping: threading.Event = field(init=False, default_factory=threading.Event)
    _opaque: dict[str, TokenGrant] = field(init=False, default_factory=dict)
    _revoked_ids: list[str] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        if not self.algorithm:
            usual = PROFILES[self.profile].algorithms
            self.algorithm = "ES256" if "ES256" in usual else "RS256"
        self._loopback = Loopback(_Endpoints(self), lambda: self.clock(), self.port)
        self.rotate_key()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Open the port: a free one the first time, the same one later."""
        self._stopping.clear()
        self._loopback.start()
        self.port = self._loopback.port
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Close the port and every connection; clients are refused from now on."""
        self._stopping.set()
        self._loopback.stop()

    @property
    def issuer(self) -> str:
        """Its issuer identifier: what `iss` says."""
        return self.url + SHAPES[self.profile].path

    @property
    def service_options(self) -> dict[str, str]:
        """Options of the section `[authmw_issuer:NAME]` of a service that accepts its tokens."""
        said = {"issuer": self.issuer, "profile": self.profile}
        if self.profile != "keystone-op":
            said["audience"] = self.audience
        if self.profile == "github":
            said["required_values"] = "repository_owner:acme"
        return said

    @property
    def path(self) -> str:
        """The path that its endpoints are below."""
        return SHAPES[self.profile].path.rstrip("/")

    @property
    def jwks_uri(self) -> str:
        return f"{self.url}{self.path}/jwks"

    @property
    def introspection_endpoint(self) -> str:
        return f"{self.url}{self.path}/introspect"

    @property
    def token_endpoint(self) -> str:
        return f"{self.url}{self.path}/token"

    @property
    def calls(self) -> collections.Counter[Call]:
        """How many requests of each kind have come so far: a copy."""
        return self._loopback.calls

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """The latest requests, oldest first."""
        return self._loopback.requests

    @contextlib.contextmanager
    def failing(self, fault: Fault, *calls: Call) -> Iterator[None]:
        """Let these kinds of request fail for the time of a `with` block; all if none is named."""
        kinds: tuple[Call | None, ...] = calls or (None,)
        for call in kinds:
            self._loopback.set_fault(fault, call)
        try:
            yield
        finally:
            for call in kinds:
                self._loopback.set_fault(None, call)

    def rotate_key(self, *, forget_older: bool = False) -> SigningKey:
        """Sign with a new key from now on.

        Args:
            forget_older: publish the older keys no longer, as after one was stolen.
        """
        key = SigningKey.generate(f"key-{next(self._numbers)}", self.algorithm)
        with self._lock:
            self.keys = [key] if forget_older else [*self.keys, key]
        return key

    def issue(self, subject: str, **changes: Any) -> str:
        """Return a signed access token of this server's profile.

        Args:
            subject: who it is for.
            changes: of the grant: see `authmw.testing.TokenGrant`. `lifetime_seconds` may be
                negative. Claims of your own are `claims={"tenant": "p1"}`.

        Raises:
            TypeError: a grant has no such member; the message says what was meant.
        """
        grant = self._grant(subject, changes)
        typ = SHAPES[self.profile].typ
        return self.keys[-1].sign(make_access_claims(grant, self.profile), typ=typ)

    def issue_id_token(self, subject: str, access_token: str | None = None, **changes: Any) -> str:
        """Return an ID token, which says who has logged in to the client; see `issue`."""
        grant = self._grant(subject, changes)
        return self.keys[-1].sign(make_id_claims(grant, access_token), typ="JWT")

    def issue_opaque(self, subject: str, **changes: Any) -> str:
        """Return an access token that only introspection can tell anything of; see `issue`."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._opaque[token] = self._grant(subject, changes)
        return token

    def revoke(self, token: str) -> None:
        """Let an opaque token be active no longer."""
        with self._lock:
            self._opaque.pop(token, None)

    def revoke_id(self, token_id: str) -> None:
        """Put the `jti` of a signed token on the list of revoked ones."""
        with self._lock:
            self._revoked_ids.append(token_id)

    def _grant(self, subject: str, changes: Mapping[str, Any]) -> TokenGrant:
        now = int(self.clock())
        named = dict(changes)
        _verify_members(named)
        expires_at = now + named.pop("lifetime_seconds", self.lifetime_seconds)
        if "roles" in named:
            if isinstance(named["roles"], str):
                raise TypeError(f"roles are a list of names: roles=[{named['roles']!r}]")
            named["roles"] = tuple(named["roles"])
        defaults: dict[str, Any] = {
            "issuer": self.issuer,
            "subject": subject,
            "client_id": self.client_id,
            "audience": self.audience,
            "token_id": secrets.token_hex(16),
            "issued_at": now,
            "expires_at": expires_at,
        }
        return TokenGrant(**{**defaults, **named})

    def describe(self) -> dict[str, object]:
        """Return the discovery document (RFC 8414 §2)."""
        return {
            "issuer": self.claimed_issuer or self.issuer,
            "jwks_uri": self.foreign_jwks_uri or self.jwks_uri,
            "token_endpoint": self.token_endpoint,
            "introspection_endpoint": self.introspection_endpoint,
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.algorithm],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }

    def list_keys(self) -> dict[str, list[dict[str, str]]]:
        """Return the JWK set (RFC 7517 §5)."""
        with self._lock:
            keys = [key.jwk() for key in self.keys]
        surplus = [{**keys[0], "kid": f"surplus-{n}"} for n in range(self.surplus_keys)]
        return {"keys": [*surplus, *keys]}

    def list_revoked(self) -> dict[str, list[str]]:
        """Return the list of revoked tokens, as Keystone's successor publishes it."""
        with self._lock:
            return {"revoked_jtis": list(self._revoked_ids)}

    def introspect(self, token: str) -> dict[str, object]:
        """Return the answer about a token (RFC 7662 §2.2)."""
        with self._lock:
            grant = self._opaque.get(token)
        if grant is None or grant.expires_at <= self.clock():
            return {"active": False}
        return make_introspection_response(grant)

    def think(self) -> None:
        """Let the time pass that this server takes for a request."""
        if self.delay_seconds:
            self._stopping.wait(self.delay_seconds)


class _Endpoints:
    """Answers requests by the rules of an `OidcServer`."""

    def __init__(self, server: OidcServer) -> None:
        self._server = server
        path = server.path
        discovery: tuple[Call, Callable[[Request], Answer]] = ("discover", self._discover)
        self._routes: dict[tuple[str, str], tuple[Call, Callable[[Request], Answer]]] = {
            ("GET", path + _OIDC_WELL_KNOWN): discovery,
            ("GET", _OAUTH_WELL_KNOWN + path): discovery,
            ("GET", path + "/jwks"): ("keys", self._list_keys),
            ("GET", path + "/jwks/revocation"): ("events", self._list_revoked),
            ("POST", path + "/token"): ("issue", self._issue),
            ("POST", path + "/introspect"): ("introspect", self._introspect),
        }

    def call_of(self, request: Request) -> Call:
        route = self._routes.get((request.method, request.path))
        return "other" if route is None else route[0]

    def answer(self, request: Request) -> Answer:
        self._server.think()
        route = self._routes.get((request.method, request.path))
        return json_answer(404, {"error": "not_found"}) if route is None else route[1](request)

    def _discover(self, _request: Request) -> Answer:
        return json_answer(200, self._server.describe())

    def _list_keys(self, _request: Request) -> Answer:
        return json_answer(200, self._server.list_keys(), {"Cache-Control": "max-age=300"})

    def _list_revoked(self, _request: Request) -> Answer:
        return json_answer(200, self._server.list_revoked(), {"Cache-Control": "max-age=60"})

    def _issue(self, request: Request) -> Answer:
        form = _parse_form(request)
        if not self._is_client(request, form):
            return _unauthorized()
        if form.get("grant_type") != "client_credentials":
            return json_answer(400, {"error": "unsupported_grant_type"})
        server = self._server
        scope = form.get("scope", "")
        # RFC 8707 §2: whom the token shall be for.
        audience = form.get("resource") or form.get("audience") or server.audience
        token = server.issue(server.client_id, scope=scope, audience=audience)
        answer: dict[str, object] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": server.lifetime_seconds,
        }
        if scope:
            answer["scope"] = scope
        return json_answer(200, answer, {"Cache-Control": "no-store"})

    def _introspect(self, request: Request) -> Answer:
        form = _parse_form(request)
        if not self._is_client(request, form):
            return _unauthorized()
        if "token" not in form:
            return json_answer(400, {"error": "invalid_request"})
        return json_answer(200, self._server.introspect(form["token"]))

    def _is_client(self, request: Request, form: Mapping[str, str]) -> bool:
        """client_secret_basic or client_secret_post (RFC 6749 §2.3.1)."""
        said = (form.get("client_id", ""), form.get("client_secret", ""))
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "basic":
            with contextlib.suppress(ValueError):
                decoded = base64.b64decode(credentials, validate=True).decode("utf-8")
                name, _, secret = decoded.partition(":")
                said = (unquote_plus(name), unquote_plus(secret))
        server = self._server
        return said[0] == server.client_id and secrets.compare_digest(
            said[1].encode("utf-8"), server.client_secret.encode("utf-8")
        )


def _verify_members(changes: Mapping[str, Any]) -> None:
    known = {"lifetime_seconds", *(member.name for member in fields(TokenGrant))} - {"subject"}
    for name in changes:
        if name not in known:
            # Imported here: it loads all options.
            from authmw.testing.slips import suggest

            raise TypeError(
                f"no property {name!r} of an issuer's token: {suggest(name, known)}; "
                f"for a claim of that name write claims={{{name!r}: ...}}"
            )


def _parse_form(request: Request) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))


def _unauthorized() -> Answer:
    return json_answer(401, {"error": "invalid_client"}, {"WWW-Authenticate": "Basic"})
