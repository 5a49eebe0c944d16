"""What a token may do by a few facts: above all what is unknown, and what is refused.

`test_differential` compares the rest with a real Keystone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from authmw.authority.keystone_claims import parse_keystone_claims
from authmw.bundle.evaluate import evaluate
from authmw.errors import BundleUnreadable, FactUnknown, InvalidToken
from tests.bundle.small_bundles import READ_AT, SmallBundle

SECOND = 1_000_000
NOW = READ_AT + 60
ISSUED_AT = READ_AT - 1000


@pytest.fixture
def bundle() -> Iterator[SmallBundle]:
    """User `u` reads project `low`."""
    bundle = SmallBundle()
    bundle.assign("reader", "u", "low")
    yield bundle
    bundle.close()


def claims(user: str = "u", **others: Any) -> dict[str, Any]:
    return {
        "sub": user,
        "openstack_methods": ["password"],
        "openstack_audit_ids": ["a"],
        **{f"openstack_{name}": value for name, value in others.items()},
    }


def judge(
    bundle: SmallBundle, *, issued_at: int = ISSUED_AT, now: float = NOW, **members: Any
) -> dict[str, Any]:
    """Return the token body; a token on project `low` unless told otherwise."""
    return evaluate(
        parse_keystone_claims(claims(**(members or {"project_id": "low"}))),
        issued_at=issued_at,
        expires_at=NOW + 3600,
        now=now,
        facts=bundle.read(),
    )


def roles(body: dict[str, Any]) -> list[str]:
    return [role["name"] for role in body["roles"]]


def test_body_has_every_member(bundle: SmallBundle) -> None:
    assert judge(bundle) == {
        "methods": ["password"],
        "user": {
            "domain": {"id": "d", "name": "Domain"},
            "id": "u",
            "name": "user u",
            "password_expires_at": None,
        },
        "audit_ids": ["a"],
        "expires_at": "2027-01-15T09:01:00.000000Z",
        "issued_at": "2027-01-15T07:43:20.000000Z",
        "project": {"domain": {"id": "d", "name": "Domain"}, "id": "low", "name": "low"},
        "is_domain": False,
        "roles": [{"id": "reader", "name": "reader"}],
        "catalog": [],
    }


@pytest.mark.parametrize(
    ("table", "identifier", "members"),
    [
        ("users", "u", {"project_id": "low"}),
        ("projects", "low", {"project_id": "low"}),
        ("projects", "d", {"domain_id": "d"}),
        ("roles", "reader", {"project_id": "low"}),
        ("trusts", "t", {"project_id": "low", "trust_id": "t"}),
        ("application_credentials", "c", {"project_id": "low", "app_cred_id": "c"}),
        ("access_tokens", "t", {"project_id": "low", "access_token_id": "t"}),
    ],
)
class TestWhatIsNotThere:
    """Keystone has signed a token that names it."""

    @pytest.fixture(autouse=True)
    def _without(self, bundle: SmallBundle, table: str, identifier: str) -> None:
        if table in ("users", "projects", "roles"):
            bundle.remove(table, identifier)

    def test_was_deleted_if_the_facts_are_newer(
        self, bundle: SmallBundle, members: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidToken, match="deleted"):
            judge(bundle, **members)

    def test_is_unknown_if_the_token_is_newer(
        self, bundle: SmallBundle, members: dict[str, Any]
    ) -> None:
        with pytest.raises(FactUnknown):
            judge(bundle, issued_at=READ_AT, **members)

    def test_is_unknown_in_a_part(self, bundle: SmallBundle, members: dict[str, Any]) -> None:
        bundle.add("settings", name="filter", value={"domains": ["d"]})
        with pytest.raises(FactUnknown):
            judge(bundle, **members)


def test_directory_user_that_was_not_read_is_unknown(bundle: SmallBundle) -> None:
    bundle.set("users", "u", is_resolved=0)
    with pytest.raises(FactUnknown, match="directory"):
        judge(bundle)


def test_trustor_of_a_directory_is_unknown(bundle: SmallBundle) -> None:
    _add_trust(bundle)
    bundle.set("users", "v", is_resolved=0)
    with pytest.raises(FactUnknown, match="directory"):
        judge(bundle, project_id="low", trust_id="t")


@pytest.mark.parametrize(
    "chosen", [{"domains": ["d"]}, {"projects": ["low"]}, {"projects": ["top"]}]
)
def test_scope_in_the_part_is_decided(bundle: SmallBundle, chosen: dict[str, Any]) -> None:
    bundle.add("settings", name="filter", value=chosen)
    assert roles(judge(bundle)) == ["reader"]
    with pytest.raises(InvalidToken, match="no role"):
        judge(bundle, user="v", project_id="low")


@pytest.mark.parametrize("chosen", [{"domains": ["other"]}, {"projects": ["low"]}])
@pytest.mark.parametrize("members", [{"project_id": "middle"}, {"domain_id": "d"}])
def test_scope_outside_of_the_part_is_unknown(
    bundle: SmallBundle, chosen: dict[str, Any], members: dict[str, Any]
) -> None:
    bundle.assign("reader", "u", "middle")
    bundle.assign("reader", "u", "d", target_is_domain=1)
    bundle.add("settings", name="filter", value=chosen)
    with pytest.raises(FactUnknown, match="part"):
        judge(bundle, **members)


def test_filter_by_region_leaves_scopes_alone(bundle: SmallBundle) -> None:
    bundle.add("settings", name="filter", value={"regions": ["one"]})
    assert roles(judge(bundle)) == ["reader"]


@pytest.mark.parametrize(
    ("table", "identifier", "column"),
    [
        ("users", "u", "enabled"),
        ("projects", "low", "enabled"),
        ("projects", "top", "enabled"),
        ("projects", "d", "enabled"),
    ],
)
def test_disabled_is_refused(bundle: SmallBundle, table: str, identifier: str, column: str) -> None:
    bundle.set(table, identifier, **{column: 0})
    with pytest.raises(InvalidToken, match="disabled"):
        judge(bundle)


def test_inactive_user_is_disabled_from_a_time_on(bundle: SmallBundle) -> None:
    bundle.set("users", "u", disabled_from=NOW * SECOND)
    assert judge(bundle, now=NOW - 1)
    with pytest.raises(InvalidToken, match="disabled"):
        judge(bundle, now=NOW)


def test_project_without_its_ancestors_is_refused(bundle: SmallBundle) -> None:
    bundle.remove("projects", "middle")
    with pytest.raises(InvalidToken, match="ancestor"):
        judge(bundle)


def test_tree_that_is_a_circle_is_refused(bundle: SmallBundle) -> None:
    bundle.set("projects", "top", parent_id="low")
    with pytest.raises(InvalidToken, match="ancestor"):
        judge(bundle)


def test_roles_are_inherited_by_what_is_below_and_by_nothing_else(bundle: SmallBundle) -> None:
    bundle.assign("member", "u", "middle", inherited=1)
    assert roles(judge(bundle)) == ["member", "reader"]
    with pytest.raises(InvalidToken, match="no role"):
        judge(bundle, project_id="middle")


def test_roles_are_inherited_from_the_domain(bundle: SmallBundle) -> None:
    bundle.assign("member", "u", "d", inherited=1, target_is_domain=1)
    assert roles(judge(bundle)) == ["member", "reader"]
    with pytest.raises(InvalidToken, match="no role"):
        judge(bundle, domain_id="d")


@pytest.mark.parametrize("others", [0, 20])
def test_inherited_roles_are_those_of_their_actors(bundle: SmallBundle, others: int) -> None:
    """Few inherited assignments of a target are read at once, of many those of one user."""
    for number in range(others):
        bundle.assign("member", f"other{number}", "top", inherited=1)
    bundle.assign("member", "u", "top", inherited=1, actor_is_group=1)
    bundle.assign("member", "g", "top", inherited=1)
    bundle.add("memberships", user_id="u", group_id="g")
    assert roles(judge(bundle)) == ["reader"]
    bundle.assign("member", "g", "top", inherited=1, actor_is_group=1)
    assert roles(judge(bundle)) == ["member", "reader"]


def test_membership_ends_at_its_time(bundle: SmallBundle) -> None:
    bundle.assign("member", "g", "low", actor_is_group=1)
    bundle.add(
        "expiring_memberships",
        user_id="u",
        group_id="g",
        identity_provider_id="idp",
        expires_at=NOW * SECOND,
    )
    assert roles(judge(bundle, now=NOW - 1)) == ["member", "reader"]
    assert roles(judge(bundle, now=NOW)) == ["reader"]


def test_user_with_the_id_of_a_group_has_nothing_of_it(bundle: SmallBundle) -> None:
    bundle.assign("member", "u", "low", actor_is_group=1)
    assert roles(judge(bundle)) == ["reader"]


def test_more_groups_than_one_statement_takes(bundle: SmallBundle) -> None:
    for number in range(600):
        bundle.add("memberships", user_id="u", group_id=f"g{number}")
    bundle.assign("member", "g599", "low", actor_is_group=1)
    assert roles(judge(bundle)) == ["member", "reader"]


def test_domain_specific_role_gives_what_it_implies_alone(bundle: SmallBundle) -> None:
    bundle.add("roles", id="local", name="local", domain_id="d")
    bundle.add("implied_roles", prior_role_id="local", implied_role_id="member")
    bundle.add("implied_roles", prior_role_id="member", implied_role_id="local")
    bundle.assign("local", "v", "low")
    assert roles(judge(bundle, user="v", project_id="low")) == ["member"]


def _add_trust(bundle: SmallBundle, **members: Any) -> None:
    """User `v`, who reads project `low`, trusts user `u`."""
    bundle.assign("reader", "v", "low")
    trust = {
        "id": "t",
        "trustor_user_id": "v",
        "trustee_user_id": "u",
        "project_id": "low",
        "impersonation": 0,
        **members,
    }
    bundle.add("trusts", **trust)
    bundle.add("trust_roles", trust_id="t", role_id="reader")


class TestTrust:
    def test_gives_its_roles(self, bundle: SmallBundle) -> None:
        _add_trust(bundle)
        assert roles(judge(bundle, project_id="low", trust_id="t")) == ["reader"]

    @pytest.mark.parametrize(
        ("members", "message"),
        [
            ({"expires_at": NOW * SECOND}, "expired"),
            ({"remaining_uses": 0}, "used up"),
            ({"project_id": "middle"}, "another project"),
            ({"project_id": None}, "another project"),
            ({"trustee_user_id": "v"}, "trustee"),
            ({"redelegated_trust_id": "t", "redelegation_count": 1}, "too often"),
        ],
    )
    def test_refuses(self, bundle: SmallBundle, members: dict[str, Any], message: str) -> None:
        _add_trust(bundle, **members)
        with pytest.raises(InvalidToken, match=message):
            judge(bundle, project_id="low", trust_id="t")

    def test_refuses_a_role_that_the_trustor_lost(self, bundle: SmallBundle) -> None:
        _add_trust(bundle)
        bundle.add("trust_roles", trust_id="t", role_id="member")
        with pytest.raises(InvalidToken, match="lost"):
            judge(bundle, project_id="low", trust_id="t")

    @pytest.mark.parametrize(
        ("parent", "trust", "message"),
        [
            ({"redelegation_count": 0}, {}, "too often"),
            ({"redelegation_count": 4}, {}, "too often"),
            ({}, {"remaining_uses": 1}, "limit of uses"),
            ({}, {"expires_at": (NOW + 60) * SECOND}, "longer"),
            ({"expires_at": (NOW + 59) * SECOND}, {"expires_at": (NOW + 60) * SECOND}, "longer"),
            ({"impersonation": 0}, {"impersonation": 1}, "impersonates"),
            ({"expires_at": NOW * SECOND}, {}, "expired"),
        ],
    )
    def test_refuses_a_redelegation(
        self,
        bundle: SmallBundle,
        parent: dict[str, Any],
        trust: dict[str, Any],
        message: str,
    ) -> None:
        _add_trust(bundle, redelegated_trust_id="first", **trust)
        first = {"impersonation": 1, "redelegation_count": 2, "trustee_user_id": "v", **parent}
        bundle.add("trusts", id="first", trustor_user_id="v", project_id="low", **first)
        bundle.add("trust_roles", trust_id="first", role_id="reader")
        with pytest.raises(InvalidToken, match=message):
            judge(bundle, project_id="low", trust_id="t")


class TestRedelegatedTrust:
    """User `w` trusts `v`, who trusts `u`; none impersonates."""

    @pytest.fixture(autouse=True)
    def _chain(self, bundle: SmallBundle) -> None:
        bundle.add("users", id="w", name="user w", domain_id="d")
        bundle.assign("reader", "w", "low")
        _add_trust(bundle, redelegated_trust_id="first")
        first = {"id": "first", "trustor_user_id": "w", "trustee_user_id": "v"}
        bundle.add("trusts", project_id="low", impersonation=0, redelegation_count=1, **first)
        bundle.add("trust_roles", trust_id="first", role_id="reader")

    def test_gives_its_roles(self, bundle: SmallBundle) -> None:
        assert roles(judge(bundle, project_id="low", trust_id="t")) == ["reader"]

    def test_has_no_role_that_the_first_one_has_not(self, bundle: SmallBundle) -> None:
        bundle.add("trust_roles", trust_id="t", role_id="member")
        for trustor in ("v", "w"):
            bundle.assign("member", trustor, "low")
        with pytest.raises(InvalidToken, match="has not"):
            judge(bundle, project_id="low", trust_id="t")

    @pytest.mark.parametrize("trustor", ["v", "w"])
    def test_needs_the_roles_of_both_trustors(self, bundle: SmallBundle, trustor: str) -> None:
        bundle.file.execute("DELETE FROM assignments WHERE actor_id = ?", (trustor,))
        with pytest.raises(InvalidToken, match=f"user {trustor} has lost"):
            judge(bundle, project_id="low", trust_id="t")

    def test_needs_the_agent_in_between(self, bundle: SmallBundle) -> None:
        # The trustor is another user, so that it is the agent alone who is disabled.
        bundle.set("trusts", "first", trustee_user_id="agent")
        bundle.add("users", id="agent", name="agent", domain_id="d", enabled=0)
        with pytest.raises(InvalidToken, match="user agent is disabled"):
            judge(bundle, project_id="low", trust_id="t")


@pytest.mark.parametrize("impersonation", [0, 1])
def test_disabled_trustor_is_refused(bundle: SmallBundle, impersonation: int) -> None:
    _add_trust(bundle, impersonation=impersonation)
    bundle.set("users", "v", enabled=0)
    with pytest.raises(InvalidToken, match="user v is disabled"):
        judge(bundle, project_id="low", trust_id="t")


def test_trustor_of_a_disabled_domain_is_refused(bundle: SmallBundle) -> None:
    _add_trust(bundle)
    bundle.add("projects", id="e", name="Other domain", enabled=0)
    bundle.set("users", "v", domain_id="e")
    with pytest.raises(InvalidToken, match="domain e is disabled"):
        judge(bundle, project_id="low", trust_id="t")


class TestAccessToken:
    def _add(self, bundle: SmallBundle, **members: Any) -> None:
        token = {"id": "t", "consumer_id": "c", "authorizing_user_id": "u", "project_id": "low"}
        bundle.add("access_tokens", **{**token, **members})
        for role in ("reader", "member"):
            bundle.add("access_token_roles", access_token_id="t", role_id=role)

    def test_gives_the_roles_that_its_user_still_has(self, bundle: SmallBundle) -> None:
        self._add(bundle)
        body = judge(bundle, project_id="low", access_token_id="t")
        assert roles(body) == ["reader"]
        assert body["OS-OAUTH1"] == {"access_token_id": "t", "consumer_id": "c"}

    @pytest.mark.parametrize(
        ("members", "message"),
        [
            ({"authorizing_user_id": "v"}, "another user"),
            ({"project_id": "middle"}, "another project"),
        ],
    )
    def test_refuses(self, bundle: SmallBundle, members: dict[str, Any], message: str) -> None:
        self._add(bundle, **members)
        with pytest.raises(InvalidToken, match=message):
            judge(bundle, project_id="low", access_token_id="t")


class TestFederatedUser:
    MEMBERS: ClassVar[dict[str, Any]] = {
        "project_id": "low",
        "group_ids": [{"id": "g"}],
        "idp_id": "idp",
        "protocol_id": "mapped",
    }

    def test_has_the_roles_of_the_groups_of_its_token(self, bundle: SmallBundle) -> None:
        bundle.add("identity_providers", id="idp", domain_id="d")
        bundle.assign("member", "g", "low", actor_is_group=1)
        body = judge(bundle, **self.MEMBERS)
        assert roles(body) == ["member", "reader"]
        assert body["user"]["OS-FEDERATION"] == {
            "groups": [{"id": "g"}],
            "identity_provider": {"id": "idp"},
            "protocol": {"id": "mapped"},
        }

    def test_of_a_provider_that_was_deleted_is_refused(self, bundle: SmallBundle) -> None:
        with pytest.raises(InvalidToken, match="identity provider idp"):
            judge(bundle, **self.MEMBERS)

    @pytest.mark.parametrize("groups", ["g", ["g"], [{"id": ""}], [{}], None])
    def test_with_odd_groups_is_refused(self, bundle: SmallBundle, groups: object) -> None:
        with pytest.raises(InvalidToken, match="openstack_group_ids"):
            judge(bundle, **{**self.MEMBERS, "group_ids": groups})


class TestApplicationCredential:
    def _add(self, bundle: SmallBundle, **members: Any) -> None:
        credential = {"id": "c", "name": "c", "user_id": "u", "project_id": "low", **members}
        bundle.add("application_credentials", **credential)
        for role in ("reader", "member"):
            bundle.add("application_credential_roles", application_credential_id="c", role_id=role)

    def test_gives_the_roles_that_its_user_still_has(self, bundle: SmallBundle) -> None:
        self._add(bundle, unrestricted=0)
        rule = {"service": "compute", "path": "/v2/*", "method": "GET"}
        bundle.add(
            "application_credential_access_rules", application_credential_id="c", id="r", **rule
        )
        body = judge(bundle, project_id="low", app_cred_id="c")
        assert roles(body) == ["reader"]
        assert body["application_credential"] == {
            "id": "c",
            "name": "c",
            "restricted": True,
            "access_rules": [{"id": "r", **rule}],
        }

    @pytest.mark.parametrize(
        ("members", "message"),
        [
            ({"expires_at": NOW * SECOND}, "expired"),
            ({"user_id": "v"}, "another user"),
            ({"project_id": "middle"}, "another project"),
            ({"project_id": None}, "another project"),
        ],
    )
    def test_refuses(self, bundle: SmallBundle, members: dict[str, Any], message: str) -> None:
        self._add(bundle, **members)
        with pytest.raises(InvalidToken, match=message):
            judge(bundle, project_id="low", app_cred_id="c")

    @pytest.mark.parametrize(
        "members",
        [
            {},
            {"domain_id": "d"},
            {"project_id": "low", "trust_id": "t"},
            {"project_id": "low", "group_ids": [{"id": "g"}]},
            {"project_id": "low", "access_token_id": "t"},
        ],
    )
    def test_refuses_what_else_a_token_can_be(
        self, bundle: SmallBundle, members: dict[str, Any]
    ) -> None:
        self._add(bundle)
        bundle.assign("reader", "u", "d", target_is_domain=1)
        with pytest.raises(InvalidToken):
            judge(bundle, app_cred_id="c", **members)


@pytest.mark.parametrize(
    ("template", "url"),
    [
        ("http://a/", "http://a/"),
        ("http://a/$(project_id)s/%(tenant_id)s", "http://a/low/low"),
        ("http://a/%(user_id)s", "http://a/u"),
        ("$(public_endpoint)s/v3", "http://id/v3"),
        ("http://a/100%%", "http://a/100%"),
        ("http://a/$HOME", "http://a/$HOME"),
        ("http://a/%(admin_token)s", None),
        ("http://a/%(project_id)99999999999s", None),
        ("http://a/$(project_id", None),
        ("http://a/100%", None),
    ],
)
def test_url_of_an_endpoint(bundle: SmallBundle, template: str, url: str | None) -> None:
    bundle.add("settings", name="url_substitutions", value={"public_endpoint": "http://id"})
    bundle.add("services", id="s", type="compute", name="nova")
    bundle.add("endpoints", id="e", service_id="s", interface="public", url=template)
    [service] = judge(bundle)["catalog"]
    assert [each["url"] for each in service["endpoints"]] == ([] if url is None else [url])


def test_disabled_endpoints_and_services_are_left_out(bundle: SmallBundle) -> None:
    for service, enabled in (("on", 1), ("off", 0)):
        bundle.add("services", id=service, type="t", name=service, enabled=enabled)
        for number in (0, 1):
            members = {"service_id": service, "url": "http://a", "enabled": number}
            bundle.add("endpoints", id=f"{service}{number}", interface="public", **members)
    [service] = judge(bundle)["catalog"]
    assert [each["id"] for each in service["endpoints"]] == ["on1"]


def test_file_without_a_table_is_unreadable(bundle: SmallBundle) -> None:
    bundle.file.execute("DROP TABLE memberships")
    with pytest.raises(BundleUnreadable):
        judge(bundle)


def test_damaged_json_is_unreadable(bundle: SmallBundle) -> None:
    bundle.file.execute("UPDATE roles SET extra = '{'")
    with pytest.raises(BundleUnreadable):
        bundle.read()


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO settings VALUES ('filter', '[1]')",
        "INSERT INTO settings VALUES ('filter', '{\"domains\": 1}')",
        "UPDATE users SET password_expires_at = 'soon'",
        "UPDATE users SET password_expires_at = 9000000000000000000",
        "UPDATE users SET disabled_from = 'now'",
        "UPDATE roles SET name = x'01' WHERE id = 'reader'",
        "UPDATE projects SET domain_id = 1.5",
    ],
)
def test_fact_of_another_form_is_no_verdict(bundle: SmallBundle, statement: str) -> None:
    bundle.assign("member", "u", "low")
    bundle.file.execute(statement)
    with pytest.raises((BundleUnreadable, FactUnknown)):
        judge(bundle, issued_at=READ_AT)
