"""Splits two outcomes into named facts, and lists those that differ."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from keystoneauth1.access.service_catalog import ServiceCatalog
from keystoneauth1.access.service_providers import ServiceProviders
from keystoneauth1.plugin import BaseAuthPlugin

from tests.system.peer.sides import NOT_STARTED, Outcome


class _Absent:
    def __repr__(self) -> str:
        return "(absent)"


ABSENT = _Absent()
"""Stands for a fact that one side does not have at all."""

# The frameworks' own notes; what concerns nobody but who wrote it.
_PRIVATE_KEYS = ("webob.", "wsgi.", "swift.")


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact on which the two sides do not agree.

    Attributes:
        fact: its name, as `read_facts` gives it.
    """

    fact: str
    ours: object
    peers: object

    def __str__(self) -> str:
        return f"{self.fact}: ours {_shorten(self.ours)}, the peer's {_shorten(self.peers)}"


def read_verdict(outcome: Outcome) -> str:
    """Say what was decided.

    `NOT_STARTED`, a status code where the request did not reach the service, else the identity
    statuses that it saw: "Confirmed", "Invalid", "Confirmed and service Invalid".
    """
    if outcome.status == NOT_STARTED:
        return NOT_STARTED
    environ = outcome.environ
    if environ is None:
        return outcome.status.partition(" ")[0]
    verdict = str(environ.get("HTTP_X_IDENTITY_STATUS", "nothing"))
    service = environ.get("HTTP_X_SERVICE_IDENTITY_STATUS")
    return verdict if service is None else f"{verdict} and service {service}"


def compare(ours: Outcome, peers: Outcome) -> list[Difference]:
    """List the differences, none if there are none.

    Where the verdicts differ that is the only one: all the rest follows from it.
    """
    verdicts = read_verdict(ours), read_verdict(peers)
    if verdicts[0] != verdicts[1]:
        peers_verdict = verdicts[1]
        if peers.raised:
            peers_verdict += f" ({peers.raised.partition(':')[0]})"
        return [Difference("verdict", verdicts[0], peers_verdict)]
    our_facts, peers_facts = read_facts(ours), read_facts(peers)
    return [
        Difference(fact, our_facts.get(fact, ABSENT), peers_facts.get(fact, ABSENT))
        for fact in sorted(our_facts.keys() | peers_facts.keys())
        if _differ(our_facts.get(fact, ABSENT), peers_facts.get(fact, ABSENT))
    ]


def read_facts(outcome: Outcome) -> dict[str, object]:
    """Return all that is compared, by name.

    `status`, `body`, `raised`, `exc_info`, `closed`; `header NAME` (a list, in order);
    `environ KEY`, with JSON parsed and each leaf of `keystone.token_info` a fact of its own, and
    each public attribute of `keystone.token_auth` and of its `user` and `service`.
    """
    facts: dict[str, object] = {
        "status": outcome.status,
        "body": _parse_body(outcome),
        "raised": outcome.raised,
        "exc_info": outcome.exc_info,
        "closed": outcome.closed,
    }
    for name, value in outcome.headers:
        values = facts.setdefault(f"header {name.lower()}", [])
        assert isinstance(values, list)
        values.append(value)
    for key, value in (outcome.environ or {}).items():
        if key.startswith(_PRIVATE_KEYS):
            continue
        if key == "HTTP_X_SERVICE_CATALOG" and isinstance(value, str) and value[:1] == "[":
            facts[f"environ {key}"] = json.loads(value)
        elif key == "keystone.token_info" and isinstance(value, Mapping):
            facts.update(_flatten(f"environ {key}", value))
        elif key == "keystone.token_auth" and isinstance(value, BaseAuthPlugin):
            facts.update(_flatten(f"environ {key}", _read_plugin(value)))
        else:
            facts[f"environ {key}"] = value
    return {name: _without_order(name, value) for name, value in facts.items()}


def _without_order(fact: str, value: object) -> object:
    # Keystone lists a token's roles in another order each time it is asked.
    if fact.endswith(("_ROLES", "_ROLE")) and isinstance(value, str):
        return ",".join(sorted(value.split(",")))
    if fact.endswith((" roles", " role_ids", " role_names")) and isinstance(value, list):
        return sorted(value, key=str)
    return value


def find_unsound(outcome: Outcome, forged: object) -> list[str]:
    """List the entries of the service's environ that no filter may let it see.

    What a client made up, and what is no text under an HTTP_ key (PEP 3333).
    """
    return [
        f"{key} = {_shorten(value)}"
        for key, value in (outcome.environ or {}).items()
        if value == forged or (key.startswith("HTTP_") and not isinstance(value, str))
    ]


def _flatten(name: str, members: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for key, value in members.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(f"{name} {key}", value)
        else:
            yield f"{name} {key}", value


def _read_plugin(plugin: Any) -> dict[str, object]:
    return {
        "has_user_token": plugin.has_user_token,
        "has_service_token": plugin.has_service_token,
        "user": _read_access(plugin.user),
        "service": _read_access(plugin.service),
    }


def _read_access(access: object) -> object:
    """Return what keystoneauth1 says of a token: all that is a plain value."""
    if access is None:
        return None
    read: dict[str, object] = {}
    for name, member in inspect.getmembers(type(access), lambda it: isinstance(it, property)):
        if name.startswith("_"):
            continue
        try:
            value = member.__get__(access)
        except KeyError as error:
            value = repr(error)
        if isinstance(value, ServiceCatalog):
            value = value.catalog
        if not isinstance(value, ServiceProviders):
            read[name] = value
    return read


def _parse_body(outcome: Outcome) -> object:
    types = [value for name, value in outcome.headers if name.lower() == "content-type"]
    if outcome.body and types and types[0].startswith("application/json"):
        return json.loads(outcome.body)
    return outcome.body


def _differ(ours: object, peers: object) -> bool:
    # Types count: True is not 1, and None is not absent.
    return (type(ours) is not type(peers) and not _are_alike(ours, peers)) or ours != peers


def _are_alike(ours: object, peers: object) -> bool:
    # A subclass of list or dict, as our read-only catalog is, is one.
    return any(isinstance(ours, kind) and isinstance(peers, kind) for kind in (list, dict))


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:150]}... ({len(text)} characters)"
