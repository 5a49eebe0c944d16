"""Random worlds: what is in a Keystone, which tokens were issued in it, and what changed since.

Things are named by their index in the list of their kind; project 0 is the admin project, which all
worlds share, and the projects of a world begin at 1.
"""

from __future__ import annotations

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
_GRANT = st.tuples(_ACTOR, _TARGET, _index(ROLES), st.booleans()).map(
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
    projects = [draw(_PROJECT) for _ in range(PROJECTS)]
    for index, project in enumerate(projects):
        project["domain"] %= domains
        project["parent"] = draw(st.one_of(st.none(), _index(index))) if index else None
    roles = [draw(_ROLE) for _ in range(ROLES)]
    users = [draw(_USER) for _ in range(USERS)]
    groups = [
        {"domain": draw(_index(domains)), "members": draw(st.sets(_index(USERS)).map(sorted))}
        for _ in range(GROUPS)
    ]
    for each in (*users, *(role for role in roles if role["domain"] is not None)):
        each["domain"] %= domains
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

    grants = fit(draw(_many(_GRANT, 9, 3)))
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
        "trusts": draw(_many(_TRUST, TRUSTS)),
        "credentials": draw(_many(_CREDENTIAL, 2)),
        "access_tokens": draw(_many(_ACCESS_TOKEN, 1)),
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
    for kind, actor, target_kind, target, _, _ in world["grants"]:
        users = [actor] if kind == "user" else world["groups"][actor]["members"][:1]
        for user in users:
            projects = st.just(("project", target))
            if target_kind == "project":
                projects = st.one_of(projects, _SCOPE)
            else:
                projects = st.one_of(st.just(("domain", target)), _SCOPE)
            tokens.append({**nothing, "user": user, "scope": draw(projects)})
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
    for token in tokens:
        kind, target = token["scope"]
        if kind.startswith("domain"):
            token["scope"] = (kind, target % world["domains"])
        token["thumbprint"] = draw(_index(10)) == 9
        token["audit_ids"] = draw(st.integers(1, 2))
    return tokens


def _draw_changes(draw: st.DrawFn, world: dict[str, Any], everyone: int) -> list[list[Any]]:
    revoke = st.sampled_from(world["grants"]).map(lambda grant: ["revoke grant", 0, *grant])
    changes = []
    for change in draw(_many(st.one_of(revoke, _CHANGE.map(list)), 3)):
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
