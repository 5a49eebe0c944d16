"""Random worlds: what is in a Keystone, which tokens were issued in it, and what changed since.

Things are named by their index in the list of their kind; project 0 is the admin project, which all
worlds share, and the projects of a world begin at 1.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

DOMAINS, ROLES, PROJECTS, USERS, GROUPS, FEDERATED, TRUSTS = 2, 5, 5, 3, 3, 1, 3

_URLS = st.sampled_from(
    [
        "http://plain.example/v2",
        "http://of.example/$(project_id)s/x",
        "http://of.example/%(tenant_id)s",
        "http://user.example/$(user_id)s",
        "$(public_endpoint)s/v3",
        "http://100%%.example/",
    ]
)


def _index(number: int) -> st.SearchStrategy[int]:
    return st.integers(0, number - 1)


def _many(item: Any, most: int, least: int = 0) -> Any:
    return st.lists(item, min_size=least, max_size=most)


_ROLE = st.fixed_dictionaries(
    {
        "domain": st.one_of(st.none(), st.none(), _index(DOMAINS)),
        "described": st.booleans(),
        "immutable": st.sampled_from([None, None, False]),
    }
)
_PROJECT = st.fixed_dictionaries({"domain": _index(DOMAINS)})
_USER = st.fixed_dictionaries({"domain": _index(DOMAINS), "password": st.booleans()})
_ROLES = _many(_index(ROLES), 2, 1)
_ACTOR = st.one_of(
    st.tuples(st.just("user"), _index(USERS)),
    st.tuples(st.just("user"), _index(USERS + FEDERATED)),
    st.tuples(st.just("group"), _index(GROUPS)),
)
_TARGET = st.one_of(
    st.tuples(st.just("project"), _index(PROJECTS + 1)),
    st.tuples(st.just("project"), _index(PROJECTS + 1)),
    st.tuples(st.just("domain"), _index(DOMAINS)),
    st.tuples(st.just("domain as project"), _index(DOMAINS)),
)
_GRANT = st.tuples(_ACTOR, _TARGET, _index(ROLES), st.sampled_from([False, False, True])).map(
    lambda grant: [*grant[0], *grant[1], grant[2], grant[3]]
)
_SYSTEM_GRANT = st.tuples(_ACTOR, _index(ROLES)).map(lambda grant: [*grant[0], grant[1]])
_TRUST = st.fixed_dictionaries(
    {
        "trustor": _index(USERS),
        "trustee": _index(USERS),
        "project": _index(PROJECTS + 1),
        "roles": _ROLES,
        "impersonation": st.booleans(),
        "expires": st.sampled_from([None, None, 5, 6, -1]),
        "uses": st.sampled_from([None, None, None, 1]),
        "redelegation_count": st.sampled_from([0, 1, 2]),
        "from": st.one_of(st.none(), _index(TRUSTS)),
    }
)
_CREDENTIAL = st.fixed_dictionaries(
    {
        "user": _index(USERS),
        "project": _index(PROJECTS + 1),
        "roles": _ROLES,
        "unrestricted": st.booleans(),
        "rules": st.sampled_from([[], [], ["/v2/*"], ["/v2/*", "/v3/{id}"]]),
    }
)
_ACCESS_TOKEN = st.fixed_dictionaries(
    {"user": _index(USERS), "project": _index(PROJECTS + 1), "roles": _ROLES}
)
_ENDPOINT = st.fixed_dictionaries(
    {
        "interface": st.sampled_from(["public", "internal", "admin"]),
        "region": st.booleans(),
        "url": _URLS,
        "enabled": st.sampled_from([True, True, False]),
        "extra": st.booleans(),
    }
)
_CATALOG = st.fixed_dictionaries(
    {
        "services": _many(
            st.fixed_dictionaries(
                {
                    "type": st.sampled_from(["compute", "volume"]),
                    "name": st.sampled_from([None, "nova"]),
                    "enabled": st.sampled_from([True, True, False]),
                    "endpoints": _many(_ENDPOINT, 3),
                }
            ),
            2,
        ),
        "project_endpoints": _many(st.tuples(_index(PROJECTS + 1), _index(4)), 2),
        "project_groups": _many(
            st.tuples(
                _index(PROJECTS + 1),
                st.sampled_from([{"interface": "public"}, {"region_id": "RegionOne"}, {}]),
            ),
            1,
        ),
        "service_providers": _many(st.booleans(), 1),
    }
)
_SCOPE = st.one_of(
    st.tuples(st.just("project"), _index(PROJECTS + 1)),
    st.tuples(st.just("project"), _index(PROJECTS + 1)),
    st.tuples(st.just("domain"), _index(DOMAINS)),
    st.tuples(st.just("domain as project"), _index(DOMAINS)),
    st.just(("system", 0)),
    st.just(("nothing", 0)),
)
_CHANGE = st.one_of(
    st.tuples(st.just("disable user"), _index(USERS + FEDERATED)),
    st.tuples(st.just("enable user"), _index(USERS)),
    st.tuples(st.just("delete user"), _index(USERS)),
    st.tuples(st.just("disable project"), _index(PROJECTS)),
    st.tuples(st.just("delete project"), _index(PROJECTS)),
    st.tuples(st.just("disable domain"), _index(DOMAINS)),
    st.tuples(st.just("delete role"), _index(ROLES)),
    st.tuples(st.just("delete group"), _index(GROUPS)),
    st.tuples(st.just("leave group"), _index(GROUPS), _index(USERS)),
    st.tuples(st.just("stop implying"), _index(ROLES), _index(ROLES)),
    st.tuples(st.just("delete trust"), _index(TRUSTS)),
    st.tuples(st.just("use trust"), _index(TRUSTS)),
    st.tuples(st.just("delete credential"), _index(2)),
    st.tuples(st.just("delete provider"), st.just(0)),
)


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, Any]:
    """A world, as `tests.support.keystone_world_builder.World` takes it."""
    domains = 1 if draw(st.booleans()) else DOMAINS
    projects: list[dict[str, Any]] = [draw(_PROJECT) for _ in range(PROJECTS)]
    for index, project in enumerate(projects):
        project["domain"] %= domains
        project["parent"] = draw(st.one_of(st.none(), _index(index))) if index else None
    roles: list[dict[str, Any]] = [draw(_ROLE) for _ in range(ROLES)]
    for role in roles[:2]:
        role["domain"] = None
    users: list[dict[str, Any]] = [draw(_USER) for _ in range(USERS)]
    groups = [
        {"domain": draw(_index(domains)), "members": draw(st.sets(_index(USERS)).map(sorted))}
        for _ in range(GROUPS)
    ]
    for one in (*users, *(role for role in roles if role["domain"] is not None)):
        one["domain"] %= domains
    federated = [
        {"memberships": draw(_many(_index(GROUPS), 2))} for _ in range(draw(_index(FEDERATED + 1)))
    ]
    everyone = USERS + len(federated)

    def fit(parts: list[Any]) -> list[Any]:
        """Keep indexes of domains and actors within what this world has."""
        fitted = []
        for part in parts:
            kind, actor, *others = part
            if kind == "user":
                actor %= everyone
            if others and str(others[0]).startswith("domain"):
                others[1] %= domains
            fitted.append([kind, actor, *others])
        return fitted

    grants = fit(draw(_many(_GRANT, 7, 1)))
    for number in (0, 1):
        # So that each world has roles that tokens can have.
        grants.append(
            ["user", draw(_index(USERS)), "project", draw(_index(PROJECTS)) + 1, number, False]
        )
    # Delegations of roles that somebody has are worth more than those of roles that nobody has.
    held = [grant for grant in grants if grant[0] == "user" and grant[2] == "project"]
    delegations: list[list[dict[str, Any]]] = [
        draw(_many(each, most))
        for each, most in ((_TRUST, TRUSTS), (_CREDENTIAL, 2), (_ACCESS_TOKEN, 1))
    ]
    trusts, credentials, access_tokens = delegations
    for delegation in (*trusts, *credentials, *access_tokens):
        if draw(_index(4)):
            _, actor, _, target, role, _ = draw(st.sampled_from(held))
            owner = "trustor" if "trustor" in delegation else "user"
            delegation.update({owner: actor % USERS, "project": target, "roles": [role]})
    world: dict[str, Any] = {
        "domains": domains,
        "roles": roles,
        "implied": draw(_many(st.tuples(_index(ROLES), _index(ROLES)), 4)),
        "projects": projects,
        "users": users,
        "groups": groups,
        "membership_minutes": draw(st.sampled_from([0, 60])),
        "federated": federated,
        "grants": grants,
        "system_grants": fit(draw(_many(_SYSTEM_GRANT, 2))),
        "trusts": trusts,
        "credentials": credentials,
        "access_tokens": access_tokens,
        "catalog": draw(_CATALOG),
    }
    world["tokens"] = _draw_tokens(draw, world, everyone)
    world["changes"] = _draw_changes(draw, world, everyone)
    return world


def _draw_tokens(draw: st.DrawFn, world: dict[str, Any], everyone: int) -> list[dict[str, Any]]:
    """Draw tokens that the grants of the world make likely, and some that nothing does."""
    nothing = {
        "trust": None,
        "credential": None,
        "access_token": None,
        "groups": None,
        "thumbprint": False,
        "audit_ids": 1,
    }
    tokens = []
    for kind, actor, target_kind, target, _, inherited in world["grants"]:
        users = [actor] if kind == "user" else world["groups"][actor]["members"][:1]
        likely = [(target_kind, target)]
        if inherited:
            likely += _projects_below(world, target_kind, target)
        for user in users:
            scope = draw(st.sampled_from(likely[-2:]) if draw(_index(4)) else _SCOPE)
            tokens.append({**nothing, "user": user, "scope": scope})
    for _ in range(3):
        tokens.append({**nothing, "user": draw(_index(everyone)), "scope": draw(_SCOPE)})
    for kind, actor, _ in world["system_grants"]:
        if kind == "user":
            tokens.append({**nothing, "user": actor, "scope": ("system", 0)})
    for index, trust in enumerate(world["trusts"]):
        scope = ("project", trust["project"])
        tokens.append({**nothing, "user": trust["trustee"], "scope": scope, "trust": index})
    for kind in ("credential", "access_token"):
        for index, made in enumerate(world[f"{kind}s"]):
            scope = ("project", made["project"])
            tokens.append({**nothing, "user": made["user"], "scope": scope, kind: index})
    for index in range(USERS, everyone):
        for _ in range(2):
            groups = draw(_many(_index(GROUPS), 2))
            tokens.append({**nothing, "user": index, "scope": draw(_SCOPE), "groups": groups})
        for kind, actor, target_kind, target, _, _ in world["grants"]:
            if kind == "group" and target_kind != "domain as project":
                scope = (target_kind, target)
                tokens.append({**nothing, "user": index, "scope": scope, "groups": [actor]})
    unique = {json.dumps(token): token for token in tokens}
    tokens = list(unique.values())
    for token in tokens:
        kind, target = token["scope"]
        if kind.startswith("domain"):
            token["scope"] = (kind, target % world["domains"])
        token["thumbprint"] = draw(_index(10)) == 9
        token["audit_ids"] = draw(st.integers(1, 2))
    return tokens


def _projects_below(world: dict[str, Any], kind: str, target: int) -> list[tuple[str, int]]:
    """Return the projects that an assignment is inherited to."""
    below = []
    for index in range(len(world["projects"])):
        path = [index]
        while (parent := world["projects"][path[-1]]["parent"]) is not None:
            path.append(parent)
        domain = world["projects"][path[-1]]["domain"]
        if (target - 1 in path[1:]) if kind == "project" else (target == domain):
            below.append(("project", index + 1))
    return below


def _draw_changes(draw: st.DrawFn, world: dict[str, Any], everyone: int) -> list[list[Any]]:
    revoke = st.sampled_from(world["grants"]).map(lambda grant: ["revoke grant", 0, *grant])
    changes: list[list[Any]] = []
    if draw(st.booleans()):
        return changes
    for change in draw(_many(st.one_of(revoke, _CHANGE.map(list)), 3, 1)):
        what, index, *more = change
        if what == "disable domain":
            index %= world["domains"]
        if what.endswith(" user"):
            index %= everyone
        if what.endswith(("trust", "credential")):
            kind = "trusts" if what.endswith("trust") else "credentials"
            if not world[kind]:
                continue
            index %= len(world[kind])
        if what == "delete provider" and not world["federated"]:
            continue
        changes.append([what, index, *more])
    return changes
