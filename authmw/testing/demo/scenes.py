"""The requests of the demo and their expected results."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from authmw.testing import IdentityServer
from authmw.testing.demo.stage import Reply, Stage
from authmw.testing.dpop import DpopClient
from authmw.testing.oidc_server import OidcServer

NOBODY = "(not reached)"

# Far longer than needed, for a busy machine.
_REVOCATION_SECONDS = 10.0
_RECOVERY_SECONDS = 15.0
_LOOK_AGAIN_SECONDS = 0.05

_MEMBER = "member of Default, on project inventory, as member,reader"
_ADMIN_ROLES = "admin,manager,member,reader"
_FORGED = {
    "X-Identity-Status": "Confirmed",
    "X-User-Name": "root",
    "X-Roles": "admin",
    "X-Project-Name": "billing",
    "OpenStack-System-Scope": "all",
}

Headers = Callable[["Cast"], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Cast:
    """The tokens of the demo."""

    member: str
    reader: str
    admin: str
    guest: str
    system: str
    service: str
    expired: str
    late: str
    leaked: str
    signed: str
    signed_leaked: str
    signed_later: str
    signed_stranger: str
    oidc: str
    oidc_id_token: str
    oidc_other_service: str
    oidc_bound: str
    oidc_client: DpopClient

    @classmethod
    def issue(cls, identity: IdentityServer, issuer: OidcServer) -> Cast:
        """Issue all of them."""
        client = DpopClient()
        return cls(
            oidc=issuer.issue("ada", roles=["reader"]),
            oidc_id_token=issuer.issue_id_token("ada"),
            oidc_other_service=issuer.issue("ada", audience="https://other.example"),
            oidc_bound=issuer.issue("ada", roles=["reader"], key_thumbprint=client.thumbprint),
            oidc_client=client,
            member=identity.issue("member", project="inventory"),
            reader=identity.issue("reader", project="inventory"),
            admin=identity.issue("admin", project="inventory"),
            guest=identity.issue("guest", project="research"),
            system=identity.issue("admin", system=True),
            service=identity.issue("service", project="service"),
            expired=identity.issue("member", project="inventory", expires_in=-1),
            late=identity.issue("member", project="billing"),
            leaked=identity.issue("member", project="inventory"),
            signed=identity.issue_jws("member", project="inventory"),
            signed_leaked=identity.issue_jws("member", project="inventory"),
            signed_later=identity.issue_jws("member", project="inventory"),
            signed_stranger=identity.issue_jws("guest", project="research"),
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """One request and its expected result.

    `caller` is what the service is expected to see. `before` changes the identity service first.
    If the filter notices that with a delay, the request is repeated for up to `within` seconds
    until the result is as expected.
    """

    title: str
    headers: Headers
    status: int
    caller: str = NOBODY
    method: str = "GET"
    path: str = "/v1/items"
    before: Callable[[IdentityServer, Cast], None] = field(default=lambda _identity, _cast: None)
    within: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a scene and the seconds it took; status 0 means no response."""

    scene: Scene
    status: int
    caller: str
    seconds: float = 0.0

    @property
    def is_as_expected(self) -> bool:
        """Whether status and caller are as expected."""
        return (self.status, self.caller) == (self.scene.status, self.scene.caller)


def _token(name: str, **more: str) -> Headers:
    return lambda cast: {"X-Auth-Token": getattr(cast, name), **more}


def _bearer(name: str) -> Headers:
    return lambda cast: {"Authorization": f"Bearer {getattr(cast, name)}"}


_OIDC_USER = "ada, on nothing, as reader"
# The public address of the service, which is the audience of the issuer's tokens.
_ITEMS_URL = "https://inventory.example/v1/items"

SCENES = (
    Scene("health check, no token", lambda _: {}, 200, "anyone", path="/health"),
    Scene("no token", lambda _: {}, 401),
    Scene("garbage for a token", lambda _: {"X-Auth-Token": "garbage"}, 401),
    Scene("an expired token", _token("expired"), 401),
    Scene("member lists items", _token("member"), 200, _MEMBER),
    Scene("member adds an item", _token("member"), 201, _MEMBER, method="POST"),
    Scene(
        "reader adds an item",
        _token("reader"),
        403,
        "reader of Default, on project inventory, as reader",
        method="POST",
    ),
    Scene(
        "admin",
        _token("admin"),
        200,
        f"admin of Default, on project inventory, as {_ADMIN_ROLES}",
    ),
    Scene(
        "another project",
        _token("guest"),
        200,
        "guest of partners, on project research, as member,reader",
    ),
    Scene(
        "system scope",
        _token("system"),
        200,
        f"admin of Default, on the whole system, as {_ADMIN_ROLES}",
    ),
    Scene(
        "member through a service",
        lambda cast: {"X-Auth-Token": cast.member, "X-Service-Token": cast.service},
        200,
        f"{_MEMBER}; sent by service",
    ),
    Scene(
        "member with a user's token for a service's",
        lambda cast: {"X-Auth-Token": cast.member, "X-Service-Token": cast.reader},
        401,
    ),
    Scene("forged headers, no token", lambda _: _FORGED, 401),
    Scene("forged headers, member's token", _token("member", **_FORGED), 200, _MEMBER),
    Scene("a token that has leaked", _token("leaked"), 200, _MEMBER),
    Scene(
        "the same, now that it is revoked",
        _token("leaked"),
        401,
        before=lambda identity, cast: identity.revoke(cast.leaked),
        within=_REVOCATION_SECONDS,
    ),
    Scene("a signed token, verified offline", _token("signed"), 200, _MEMBER),
    Scene("a signed token that has leaked", _token("signed_leaked"), 200, _MEMBER),
    Scene(
        "the same, now that it is revoked",
        _token("signed_leaked"),
        401,
        before=lambda identity, cast: identity.revoke(cast.signed_leaked),
        within=_REVOCATION_SECONDS,
    ),
    Scene("OIDC issuer: an access token", _bearer("oidc"), 200, _OIDC_USER),
    Scene("OIDC issuer: an ID token", _bearer("oidc_id_token"), 401),
    Scene("OIDC issuer: a token for another service", _bearer("oidc_other_service"), 401),
    Scene("OIDC issuer: a token bound to a key, and no proof", _bearer("oidc_bound"), 401),
    Scene(
        "OIDC issuer: the same with a proof",
        lambda cast: cast.oidc_client.authorize(cast.oidc_bound, "GET", _ITEMS_URL),
        200,
        _OIDC_USER,
    ),
    Scene(
        "identity stopped: a token seen before",
        _token("member"),
        200,
        _MEMBER,
        before=lambda identity, _cast: identity.stop(),
    ),
    Scene("identity stopped: a new token", _token("late"), 503),
    Scene("identity stopped: a new signed token", _token("signed_later"), 200, _MEMBER),
    Scene("identity stopped: a token of the OIDC issuer", _bearer("oidc"), 200, _OIDC_USER),
    Scene("identity stopped: a revoked signed token", _token("signed_leaked"), 401),
    Scene("identity stopped: a signed token of a stranger", _token("signed_stranger"), 503),
    Scene(
        "identity back: the new token",
        _token("late"),
        200,
        "member of Default, on project billing, as member,reader",
        before=lambda identity, _cast: identity.start(),
        within=_RECOVERY_SECONDS,
    ),
    Scene("identity back: a revoked signed token", _token("signed_leaked"), 401),
)


def play_scenes(
    stage: Stage, report: Callable[[int, int], object] = lambda _done, _planned: None
) -> list[Outcome]:
    """Send every request in order; an unexpected result does not raise.

    Args:
        stage: the servers.
        report: called after each request with the numbers of those that are done and planned.
    """
    cast = Cast.issue(stage.identity, stage.issuer)
    outcomes = []
    for scene in SCENES:
        scene.before(stage.identity, cast)
        began = time.monotonic()
        while True:
            outcome = _play(scene, stage, cast, began)
            if outcome.is_as_expected or outcome.seconds >= scene.within:
                break
            time.sleep(_LOOK_AGAIN_SECONDS)
        outcomes.append(outcome)
        report(len(outcomes), len(SCENES))
    return outcomes


def _play(scene: Scene, stage: Stage, cast: Cast, began: float) -> Outcome:
    try:
        reply = stage.send(scene.method, scene.path, scene.headers(cast))
    except (OSError, http.client.HTTPException) as error:
        return Outcome(scene, 0, f"no answer: {error}", time.monotonic() - began)
    return Outcome(scene, reply.status, _read_caller(reply), time.monotonic() - began)


def render_invitation(stage: Stage) -> str:
    """Return curl lines to try while the demo keeps running."""
    items = f"{stage.url}/v1/items"
    lines = [f"The service is at {stage.url}, its identity service at {stage.identity.url}.", ""]
    for user in ("member", "reader"):
        token = stage.identity.issue(user, project="inventory")
        lines.append(f"{user.upper()}={token}")
    lines += [
        "",
        f"curl -i {items}",
        f'curl -i -H "X-Auth-Token: $MEMBER" {items}',
        f'curl -i -H "X-Auth-Token: $MEMBER" -X POST {items}',
        f'curl -i -H "X-Auth-Token: $READER" -X POST {items}',
        f'curl -i -H "X-Auth-Token: $READER" -H "X-Roles: admin" -X POST {items}',
        "",
        f"The paste file: {stage.pipeline}",
    ]
    return "\n".join(lines)


def _read_caller(reply: Reply) -> str:
    try:
        document = json.loads(reply.body)
    except ValueError:
        return "an answer that is not JSON"
    # Only the service names its caller; the filter's own responses do not.
    return str(document.get("caller", NOBODY))
