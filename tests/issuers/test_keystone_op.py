"""Every rule of the verifier of Keystone's successor (its ADR-0026, §4 to §6)."""

from __future__ import annotations

import pytest

from authmw.errors import ConfigurationError, InvalidToken, Reason
from authmw.issuers.configured import IssuerOptions, make_issuers
from authmw.issuers.table import IssuerTable
from authmw.issuers.token_body import make_token_body
from authmw.issuers.verifier import IssuerVerifier
from authmw.jose.jwk import parse_jwk
from authmw.jose.key_set import KeySet
from authmw.testing.signing_key import SigningKey
from tests.support.issuers.shapes import NOW, OP, OP_OPTIONS, Claims, check, op_claims
from tests.support.signing import HeldKeys

SCOPES = ("project", "domain", "system", "unscoped")
METHODS = ("trust", "app_cred", "ec2")
OPTIONAL = {"user_domain_id"}
(ISSUER,) = make_issuers(OP_OPTIONS)


def verify(claims: Claims, *, kid: str | None = "k1", typ: str | None = "JWT") -> dict[str, object]:
    return make_token_body(check(ISSUER, claims, typ=typ, kid=kid))


def reason_of(claims: Claims, **header: str | None) -> Reason:
    with pytest.raises(InvalidToken) as refused:
        verify(claims, **header)
    return refused.value.reason


@pytest.mark.parametrize("scope_type", SCOPES)
def test_claim_of_its_structure_is_required(scope_type: str) -> None:
    for claim in set(op_claims(scope_type)) - OPTIONAL:
        claims = op_claims(scope_type)
        del claims[claim]
        assert reason_of(claims) in (Reason.MALFORMED, Reason.WRONG_ISSUER)
        assert reason_of({**claims, claim: None}) in (Reason.MALFORMED, Reason.WRONG_ISSUER)


@pytest.mark.parametrize("scope_type", SCOPES)
@pytest.mark.parametrize("value", [True, 1.5, [], {}, "", [1], {"a": 1}], ids=repr)
def test_claim_of_another_type_or_empty_is_refused(scope_type: str, value: object) -> None:
    for claim in set(op_claims(scope_type)) - OPTIONAL:
        claims = {**op_claims(scope_type), claim: value}
        # These may be empty, and hold nothing that is read further.
        if (claim, value) in (("roles", []), ("scope_roles", []), ("amr", [])):
            assert verify(claims)
        else:
            assert reason_of(claims), claim


def test_context_is_flat_and_not_an_object_of_its_own() -> None:
    claims = op_claims()
    context = {name: claims.pop(name) for name in ("user_id", "user_name", "scope_type", "roles")}
    assert reason_of({**claims, "openstack_context": context}) is Reason.MALFORMED


@pytest.mark.parametrize("kid", [None, ""])
def test_kid_is_required(kid: str | None) -> None:
    assert reason_of(op_claims(), kid=kid) is Reason.MALFORMED


@pytest.mark.parametrize("token_use", ["id", "Access", "refresh", "access "])
def test_token_use_is_access(token_use: str) -> None:
    reason = Reason.ID_TOKEN if token_use == "id" else Reason.WRONG_CLAIM
    assert reason_of({**op_claims(), "token_use": token_use}) is reason


@pytest.mark.parametrize(
    "aud",
    ["openstack-apis", "openstack-apis:", "openstack-apis:d2", "openstack-apis:d1 ", "client-1"],
)
def test_audience_is_that_of_the_domain(aud: str) -> None:
    assert reason_of({**op_claims(), "aud": aud}) is Reason.WRONG_AUDIENCE


def test_time_before_which_it_is_not_valid_counts() -> None:
    assert reason_of({**op_claims(), "nbf": NOW + 60}) is Reason.NOT_YET_VALID


def test_subject_and_user_are_one() -> None:
    assert reason_of({**op_claims(), "user_id": "u2"}) is Reason.MALFORMED


@pytest.mark.parametrize("scope_type", ["Project", "trust", "all", "unscoped "])
def test_scope_type_is_one_that_exists(scope_type: str) -> None:
    assert reason_of({**op_claims(), "scope_type": scope_type}) is Reason.MALFORMED


@pytest.mark.parametrize("scope_type", SCOPES)
def test_claims_of_another_scope_are_refused(scope_type: str) -> None:
    claims = op_claims(scope_type)
    everything = {"project_id": "p1", "project_domain_id": "d1", "domain_id": "d1"}
    for name, value in {**everything, "system_id": "all"}.items():
        if name not in claims:
            assert reason_of({**claims, name: value}) is Reason.MALFORMED


def test_unscoped_token_has_no_roles() -> None:
    for roles in ({"roles": ["admin"]}, {"scope_roles": [{"id": "r1", "name": "admin"}]}):
        assert reason_of({**op_claims("unscoped"), **roles}) is Reason.MALFORMED


def test_the_only_system_is_all() -> None:
    assert reason_of({**op_claims("system"), "system_id": "some"}) is Reason.MALFORMED


@pytest.mark.parametrize("method", METHODS)
def test_delegated_token_is_scoped_to_the_delegated_project(method: str) -> None:
    assert verify(op_claims("project", method))["project"]
    drifted = {**op_claims("project", method), "project_id": "p2"}
    assert reason_of(drifted) is Reason.MALFORMED


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scope_type", ["domain", "system", "unscoped"])
def test_delegated_token_of_another_scope_is_refused(method: str, scope_type: str) -> None:
    assert reason_of(op_claims(scope_type, method)) is Reason.MALFORMED


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("project_id", [None, "", 1, ["p1"], True])
def test_delegated_token_names_its_project(method: str, project_id: object) -> None:
    context = {"auth_method": method, "delegated_project_id": project_id}
    assert reason_of({**op_claims(), "delegation_context": context}) is Reason.MALFORMED


@pytest.mark.parametrize(
    "context",
    [
        {},
        {"auth_method": "Plain"},
        {"auth_method": "oauth1", "delegated_project_id": "p1"},
        {"auth_method": ["plain"]},
        {"auth_method": "plain", "delegated_project_id": "p1"},
        {"delegated_project_id": "p1"},
        [],
        "plain",
    ],
    ids=repr,
)
def test_delegation_that_does_not_exist_is_refused(context: object) -> None:
    assert reason_of({**op_claims(), "delegation_context": context}) is Reason.MALFORMED


@pytest.mark.parametrize("version", [-1, True, 1.0, "1", None])
def test_version_of_the_ruleset_is_a_number_of_any_size(version: object) -> None:
    assert verify({**op_claims(), "keystone_ruleset_version": 2**128 - 1})
    assert reason_of({**op_claims(), "keystone_ruleset_version": version}) is Reason.MALFORMED


@pytest.mark.parametrize("amr", ["pwd", [1], [""], [["pwd"]], {"pwd": 1}], ids=repr)
def test_methods_are_an_array_of_names(amr: object) -> None:
    assert reason_of({**op_claims(), "amr": amr}) is Reason.MALFORMED


@pytest.mark.parametrize("domain_id", [True, 1, "", ["d1"], {"id": "d1"}], ids=repr)
def test_domain_of_the_user_may_be_absent_and_nothing_else(domain_id: object) -> None:
    assert reason_of({**op_claims(), "user_domain_id": domain_id}) is Reason.MALFORMED


@pytest.mark.parametrize("roles", ["member", [""], [["member"]], [{"name": "member"}]], ids=repr)
def test_roles_are_names(roles: object) -> None:
    assert reason_of({**op_claims(), "roles": roles}) is Reason.MALFORMED


@pytest.mark.parametrize("references", [["member"], [{"name": "member"}], [{"id": 1}]], ids=repr)
def test_references_of_roles_have_ids(references: object) -> None:
    assert reason_of({**op_claims(), "scope_roles": references}) is Reason.MALFORMED


def test_name_in_the_header_says_jwt_or_nothing() -> None:
    assert verify(op_claims(), typ=None) == verify(op_claims(), typ="JWT")
    for typ in ("at+jwt", "JOSE", "dpop+jwt", ""):
        assert reason_of(op_claims(), typ=typ) is Reason.MALFORMED


@pytest.mark.parametrize(("algorithm", "is_good"), [("ES256", 1), ("RS256", 1), ("PS256", 0)])
def test_signature_is_of_one_of_two_algorithms(algorithm: str, is_good: int) -> None:
    key = SigningKey.generate("k1", algorithm)
    held = HeldKeys(KeySet([parse_jwk(key.jwk(), "op")]))
    verifier = IssuerVerifier(IssuerTable([ISSUER]), lambda _: held, max_keys=4, max_size=8000)
    token = key.sign(op_claims())
    if is_good:
        assert verifier.verify(token, NOW)
    else:
        with pytest.raises(InvalidToken, match="algorithms of issuer op"):
            verifier.verify(token, NOW)


def test_token_of_another_domain_is_none_of_this_issuer() -> None:
    """Its key is another, and so is its audience."""
    other = OP.removesuffix("d1") + "d2"
    assert reason_of({**op_claims(), "iss": other}) is Reason.WRONG_ISSUER
    assert reason_of({**op_claims(), "iss": OP + "/"}) is Reason.WRONG_ISSUER


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("time", [-1, float(NOW), str(NOW), 10**400, [NOW]], ids=lambda _: "")
def test_times_are_whole_seconds(name: str, time: object) -> None:
    assert reason_of({**op_claims(), name: time}) is Reason.MALFORMED


def test_times_are_kept() -> None:
    assert reason_of({**op_claims(), "exp": NOW}) is Reason.EXPIRED
    assert reason_of({**op_claims(), "iat": NOW + 60}) is Reason.NOT_YET_VALID


def test_role_of_which_two_have_the_name_gets_no_id() -> None:
    references = [{"id": "r1", "name": "member"}, {"id": "r9", "name": "member"}]
    body = verify({**op_claims(), "roles": ["member"], "scope_roles": references})
    assert body["roles"] == [{"name": "member"}]


def test_reference_does_not_make_a_role() -> None:
    body = verify({**op_claims(), "roles": []})
    assert body["roles"] == []


def test_unknown_claims_are_let_be() -> None:
    assert verify({**op_claims(), "vendor_data": {"a": 1}, "cnf": None}) == verify(op_claims())


def test_audience_follows_from_the_issuer() -> None:
    assert ISSUER.audiences == {"openstack-apis:d1"}
    assert ISSUER.keys_uri == OP + "/jwks"
    assert ISSUER.revocation_list_uri == OP + "/jwks/revocation"


def test_one_section_may_be_for_several_domains_and_their_audiences_are_kept_apart() -> None:
    issuers = make_issuers(
        IssuerOptions(
            name="op",
            profile="keystone-op",
            issuer="https://keystone.example/v4/oauth2/{domain}",
            issuer_variables={"domain": ["d1", "d2"]},
        )
    )
    assert [set(issuer.audiences) for issuer in issuers] == [
        {"openstack-apis:d1"},
        {"openstack-apis:d2"},
    ]


@pytest.mark.parametrize(
    ("issuer", "audience"),
    [
        ("https://keystone.example/v3", []),
        ("https://keystone.example/v4/oauth2/", []),
        (OP, ["openstack-apis"]),
        (OP, ["openstack-apis:d2"]),
        (OP, ["openstack-apis:d1", "openstack-apis:d2"]),
    ],
)
def test_issuer_or_audience_that_is_none_of_an_op_is_a_configuration_error(
    issuer: str, audience: list[str]
) -> None:
    options = IssuerOptions(name="op", profile="keystone-op", issuer=issuer, audience=audience)
    with pytest.raises(ConfigurationError, match="authmw_issuer:op"):
        make_issuers(options)
