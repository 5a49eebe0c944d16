"""The requests that both filters are sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from authmw.token.headers import ENVIRON_OBJECTS, RESERVED_KEYS
from tests.system.peer.configurations import CONFIGURATIONS
from tests.system.peer.sides import NOT_STARTED

CONFIRMED = "Confirmed"
INVALID = "Invalid"
SERVED = "Confirmed and service Confirmed"
UNSERVED = "Confirmed and service Invalid"
REFUSED = "401"
UNKNOWN = "503"

FORGED = "forged"
HEADERS = tuple(sorted(RESERVED_KEYS - set(ENVIRON_OBJECTS)))


@dataclass(frozen=True, slots=True)
class Case:
    """One request, or the same one several times, to a pair of filters.

    Attributes:
        about: what is special, for the id.
        configuration: a name of `CONFIGURATIONS`.
        verdict: what we decide, in the words of `comparison.read_verdict`, so that two
            filters that both fail are not taken for two that agree.
        token, service: names of `estate.TOKENS` for X-Auth-Token and X-Service-Token;
            None: not sent.
        token_key: where the user token is sent.
        forged: environ keys that the client sends with the value `FORGED`.
        answer: what the service says, a name of `sides.ANSWERS`.
        times: how often it is sent.
    """

    configuration: str
    verdict: str
    token: str | None = "project"
    service: str | None = None
    about: str = ""
    token_key: str = "HTTP_X_AUTH_TOKEN"
    forged: tuple[str, ...] = ()
    extra: tuple[tuple[str, str], ...] = ()
    method: str = "GET"
    path: str = "/"
    script_name: str = ""
    answer: str = "ok"
    times: int = 1

    @property
    def id(self) -> str:
        """Readable, and the same from run to run."""
        parts = [self.configuration, self.token or "no-token"]
        if self.service is not None:
            parts.append(f"beside-{self.service}")
        if self.about:
            parts.append(self.about)
        if self.times > 1:
            parts.append(f"{self.times}-times")
        return "/".join(parts)


GOOD = (
    *("project", "domain", "system", "unscoped", "admin"),
    *("group-role", "inherited-role", "implied-role", "role-with-comma", "role-beyond-ascii"),
    *("trust-impersonating", "trust-plain", "credential", "padded", "service"),
)
BAD = (
    *(None, "empty", "blank", "overlong"),
    *("garbage", "garbage-like-fernet", "garbage-with-dots", "garbage-beyond-ascii"),
    *("garbage-with-space", "garbage-with-control", "garbage-with-newline", "revoked"),
    *("of-disabled-user", "without-role-left"),
)
SCOPES = ("project", "domain", "system", "unscoped")


def _tokens() -> Iterator[Case]:
    for token in GOOD:
        for configuration in ("plain", "delay"):
            yield Case(configuration, CONFIRMED, token)
    for token in SCOPES:
        yield Case("no-catalog", CONFIRMED, token)
        yield Case("jws", CONFIRMED, f"jws-{token}")
        yield Case("plain", CONFIRMED, token, token_key="HTTP_X_STORAGE_TOKEN", about="storage")
    for bad in BAD:
        yield Case("plain", REFUSED, bad)
        yield Case("delay", INVALID, bad)
    yield Case("plain", CONFIRMED, about="both-headers", extra=(("HTTP_X_STORAGE_TOKEN", "x"),))
    yield Case("plain", REFUSED, "garbage", token_key="HTTP_X_STORAGE_TOKEN", about="storage")
    # Whoever sends an empty X-Auth-Token has sent one.
    for configuration, verdict in (("plain", REFUSED), ("delay", INVALID)):
        yield Case(
            configuration,
            verdict,
            token_key="HTTP_X_STORAGE_TOKEN",
            extra=(("HTTP_X_AUTH_TOKEN", ""),),
            about="storage-behind-empty",
        )
    # accept_bearer, which the peer does not have, is off.
    yield Case("plain", REFUSED, token_key="HTTP_AUTHORIZATION", about="as-authorization")


def _services() -> Iterator[Case]:
    for token in (*SCOPES, "trust-impersonating", "credential"):
        yield Case("plain", SERVED, token, "service")
        yield Case("delay", SERVED, token, "service")
    for service in ("service-domain", "service-padded"):
        yield Case("plain", SERVED, service=service)
    yield Case("plain", SERVED, "system", "service-system")
    yield Case("plain", SERVED, "project", "service-system")
    yield Case("plain", SERVED, "service", "service")
    for service in ("project", "unscoped", "garbage", "revoked", "overlong"):
        yield Case("plain", REFUSED, service=service)
        yield Case("delay", UNSERVED, service=service)
        yield Case("delay", "Invalid and service Invalid", "garbage", service)
    for service in ("empty", "blank"):
        yield Case("plain", CONFIRMED, service=service)
        yield Case("delay", CONFIRMED, service=service)
    for configuration, verdict in (
        ("plain", REFUSED),
        ("delay", "Invalid and service Confirmed"),
    ):
        yield Case(configuration, verdict, "garbage", "service")
        yield Case(configuration, verdict, None, "service")
    for token in ("project", "system"):
        for configuration in ("roles-not-required", "roles-not-required-delay"):
            yield Case(configuration, SERVED, token, "project")
            yield Case(configuration, SERVED, token, "service")
    yield Case("roles-not-required", REFUSED, service="garbage")
    yield Case("shelvers-serve", SERVED, service="shelver")
    yield Case("shelvers-serve", REFUSED, service="service")
    yield Case("nobody-serves", REFUSED, service="service")


def _forgeries() -> Iterator[Case]:
    for configuration, verdict, token in (
        ("plain", REFUSED, None),
        ("plain", REFUSED, "garbage"),
        ("delay", INVALID, None),
        ("delay", INVALID, "garbage"),
        ("no-catalog", CONFIRMED, "project"),
        *(("plain", CONFIRMED, token) for token in SCOPES),
        *(("delay", CONFIRMED, token) for token in SCOPES),
    ):
        yield Case(configuration, verdict, token, forged=HEADERS, about="all-forged")
    yield Case("plain", SERVED, service="service", forged=HEADERS, about="all-forged")
    yield Case("delay", UNSERVED, service="garbage", forged=HEADERS, about="all-forged")
    yield Case("down-delay", INVALID, forged=HEADERS, about="all-forged")
    for key in HEADERS:
        about = "forged-" + key.removeprefix("HTTP_").lower().replace("_", "-")
        yield Case("delay", INVALID, None, forged=(key,), about=about)
    # What no client can send, but a filter in front may have left.
    for key in ENVIRON_OBJECTS[:2]:
        yield Case("delay", INVALID, None, forged=(key,), about=f"stale-{key}")
        yield Case("delay", CONFIRMED, forged=(key,), about=f"stale-{key}")


ALLOWED_REQUESTS = (
    ("GET", "/v1/items"),
    ("POST", "/v1/items"),
    ("GET", "/v1/items/7"),
    ("GET", "/v1/top/detail"),
    ("GET", "/v1/files/"),
    ("GET", "/v1/files/a/b/c"),
    ("GET", "/v1/list.json"),
)
REFUSED_REQUESTS = (
    ("HEAD", "/v1/items"),
    ("DELETE", "/v1/items/7"),
    ("POST", "/v1/items/7"),
    ("get", "/v1/items"),
    ("GET", "/"),
    ("GET", ""),
    ("GET", "/v1/items/"),
    ("GET", "/v1/items/7/8"),
    ("GET", "/V1/items"),
    ("GET", "/v1//detail"),
    ("GET", "/v1/files"),
    ("GET", "/v1/filesystem"),
    ("GET", "/prefix/v1/items"),
    # read in two ways, or matched letter by letter
    ("GET", "/v1/list-json"),
    ("GET", "/v1/files/../items"),
    ("GET", "/v1/files//a"),
    ("GET", "/v1/items\n"),
)


def _access_rules() -> Iterator[Case]:
    token = "credential-with-rules"
    for requests, verdict in ((ALLOWED_REQUESTS, CONFIRMED), (REFUSED_REQUESTS, REFUSED)):
        for method, path in requests:
            about = f"{method} {path!r}"
            yield Case("inventory", verdict, token, method=method, path=path, about=about)
    items = Case("inventory", CONFIRMED, token, path="/v1/items", about="items")
    denied = Case("inventory", REFUSED, token, path="/v2", about="denied")
    yield replace(items, path="/items", script_name="/v1", about="below-a-prefix")
    yield replace(items, configuration="plain", verdict=REFUSED)
    yield replace(items, configuration="delay", verdict=INVALID)
    yield replace(items, configuration="unlisted-type", verdict=REFUSED)
    yield replace(items, configuration="inventory-no-catalog")
    yield replace(denied, configuration="inventory-no-catalog")
    yield replace(items, configuration="inventory-delay")
    yield replace(denied, configuration="inventory-delay", verdict=INVALID)
    yield replace(items, service="service", verdict=SERVED)
    yield replace(denied, service="service", verdict=SERVED)
    yield replace(denied, service="project")
    lenient = replace(denied, configuration="inventory-roles-not-required")
    yield replace(lenient, service="service", verdict=SERVED)
    yield replace(lenient, service="project")
    yield Case("inventory", CONFIRMED, "credential", path="/v2", about="unrestricted")
    for path, verdict in (("/v3/auth/tokens", CONFIRMED), ("/v3/users", REFUSED)):
        yield Case("identity", verdict, token, path=path, about=path)


def _configurations() -> Iterator[Case]:
    special = (
        *("plain", "delay", "jws", "file-and-paste"),
        *("down", "silent", "wrong-password", "powerless", "wrong-path", "no-endpoint"),
        *("no-credentials", "no-credentials-no-uri", "down-no-uri"),
        *("nobody-serves", "shelvers-serve", "version-2"),
    )
    for name in CONFIGURATIONS:
        if name.removesuffix("-delay") in special:
            continue
        wants_bound = name in ("bind-required", "bind-kerberos")
        yield Case(name, REFUSED if wants_bound else CONFIRMED, times=2)
        is_delayed = name.endswith("-delay") or name == "old-names"
        yield Case(name, INVALID if is_delayed else REFUSED, "garbage", times=2)
    yield Case("file-and-paste", REFUSED, None)
    yield Case("file-and-paste", CONFIRMED)
    for name in ("memcached", "memcached-mac", "memcached-encrypt", "uncached", "text-cache"):
        for token in ("system", "role-beyond-ascii"):
            yield Case(name, CONFIRMED, token, times=2)
        yield Case(name, SERVED, service="service", times=2)
    for name in ("down", "silent", "wrong-password", "powerless", "wrong-path", "no-endpoint"):
        yield Case(name, UNKNOWN)
        yield Case(name, REFUSED, None)
    yield Case("version-2", NOT_STARTED)
    yield Case("no-credentials", UNKNOWN)
    yield Case("no-credentials", REFUSED, None)
    yield Case("no-credentials-no-uri", REFUSED, None)
    yield Case("down-no-uri", REFUSED, None)
    yield Case("down", UNKNOWN, service="service")
    for name in ("down-delay", "silent-delay", "wrong-password-delay"):
        yield Case(name, INVALID)
    yield Case("down-delay", "Invalid and service Invalid", service="service")


def _messages() -> Iterator[Case]:
    for method in ("HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        yield Case("plain", CONFIRMED, method=method, about=method)
        yield Case("plain", REFUSED, None, method=method, about=method)
    answers = (
        *("unauthorized", "unauthorized-itself", "forbidden", "no-content", "not-modified"),
        *("own-reason", "two-cookies", "no-headers", "redirect", "pieces"),
        *("written", "late", "raises", "fails-late"),
    )
    for answer in answers:
        yield Case("plain", CONFIRMED, answer=answer, about=f"app-{answer}")
    for configuration in ("delay", "no-uri", "other-uri"):
        verdict = INVALID if configuration == "delay" else CONFIRMED
        token = None if configuration == "delay" else "project"
        yield Case(configuration, verdict, token, answer="unauthorized", about="app-unauthorized")
    accept: Mapping[str, str] = {"html": "text/html", "plain": "text/plain", "nothing": "x/y"}
    for name, value in accept.items():
        extra = (("HTTP_ACCEPT", value),)
        yield Case("plain", REFUSED, None, extra=extra, about=f"accepts-{name}")


def _expiry() -> Iterator[Case]:
    """Last in the order, so that next to nothing is left to wait for."""
    yield Case("plain", REFUSED, "expired")
    yield Case("delay", INVALID, "expired")
    yield Case("memcached", REFUSED, "expired")
    yield Case("uncached", REFUSED, "expired")
    yield Case("plain", REFUSED, service="expired")
    yield Case("delay", UNSERVED, service="expired")
    yield Case("plain", SERVED, "expired", "service", times=2)
    yield Case("delay", SERVED, "expired", "service")
    # What a service token earned is not there for those who come without.
    yield Case("plain", REFUSED, "expired", about="again")
    yield Case("uncached", SERVED, "expired", "service", times=2)
    yield Case("uncached", REFUSED, "expired", about="again")
    yield Case("roles-not-required", REFUSED, "expired", "project")
    yield Case("roles-not-required", SERVED, "expired", "service")
    yield Case("delay", "Invalid and service Invalid", "expired", "garbage")


# The token that will have expired is first used while it is good.
CASES = (
    Case("plain", CONFIRMED, "expiring"),
    Case("memcached", CONFIRMED, "expiring"),
    *_tokens(),
    *_services(),
    *_forgeries(),
    *_access_rules(),
    *_configurations(),
    *_messages(),
    *_expiry(),
)
