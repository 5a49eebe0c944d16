from __future__ import annotations

from typing import Any

import pytest

from authmw.errors import ConfigurationError
from authmw.issuers.configured import CLAIM_OPTIONS, CLAIMS_OPTIONS, IssuerOptions, make_issuers
from authmw.issuers.identifier import MAX_EXPANDED, expand, fill_in, find_fault
from authmw.issuers.profiles import PROFILES, RFC9068
from authmw.issuers.record import ClaimsMapping
from tests.support.issuers.shapes import ACME, TENANT, US


def make(**options: Any) -> Any:
    return make_issuers(IssuerOptions(**{"name": "acme", **options}))


def refusal_of(**options: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as refused:
        make(**options)
    assert str(refused.value).startswith("[authmw_issuer:acme] ")
    return refused.value


def test_two_lines_are_enough_for_a_conforming_server() -> None:
    (issuer,) = make(issuer=ACME, audience=[US])
    assert (issuer.name, issuer.identifier, issuer.audiences) == ("acme", ACME, {US})
    assert issuer.profile is RFC9068
    assert (issuer.keys_uri, issuer.revocation_list_uri) == (None, None)


def test_there_is_no_default_audience() -> None:
    for profile in set(PROFILES) - {"keystone", "keystone-op", "introspection", "ext-oauth2"}:
        options = {"issuer": "https://x.example/oauth2/1"}
        pins = {"repository": ["acme/inventory"]} if profile == "github" else {}
        for audience in ([], [""]):
            refusal = refusal_of(
                profile=profile, audience=audience, required_values=pins, **options
            )
            assert refusal.option == "audience"


def test_issuer_is_needed_where_tokens_say_one() -> None:
    for profile in set(PROFILES) - {"keystone", "introspection", "ext-oauth2", "spiffe", "github"}:
        assert refusal_of(profile=profile, audience=[US]).option == "issuer"


def test_profile_is_one_of_the_table() -> None:
    refusal = refusal_of(profile="oidc", issuer=ACME, audience=[US])
    assert refusal.option == "profile"
    assert "rfc9068" in refusal.fix


@pytest.mark.parametrize(
    ("profile", "issuer", "audience"),
    [
        ("keycloak", "https://kc.example/realms/a", "account"),
        ("entra", "https://login.microsoftonline.com/common/v2.0", "api://inventory"),
        ("entra", "https://login.microsoftonline.com/organizations/v2.0", "api://inventory"),
        ("entra", f"https://sts.windows.net/{TENANT}/", "https://graph.microsoft.com"),
        ("entra", f"https://sts.windows.net/{TENANT}/", "https://graph.microsoft.com/"),
        (
            "entra",
            f"https://sts.windows.net/{TENANT}/",
            "00000003-0000-0000-c000-000000000000",
        ),
        ("okta", "https://acme.okta.example", "https://acme.okta.example"),
        ("auth0", "https://acme.auth0.example/", "https://acme.auth0.example/userinfo"),
    ],
)
def test_issuer_or_audience_that_confuses_services_is_refused(
    profile: str, issuer: str, audience: str
) -> None:
    assert refusal_of(profile=profile, issuer=issuer, audience=[audience]).option == "issuer"


def test_github_wants_a_claim_that_says_whose_repository_it_is() -> None:
    options: dict[str, Any] = {
        "profile": "github",
        "issuer": "https://token.actions.githubusercontent.com",
        "audience": [US],
    }
    for pins in ({}, {"environment": ["production"]}, {"ref": ["refs/heads/main"]}):
        assert refusal_of(required_values=pins, **options).option == "required_values"
    assert make(required_values={"repository_owner_id": ["65"]}, **options)


def test_spiffe_issuer_is_known_by_its_trust_domain_or_by_iss() -> None:
    assert refusal_of(profile="spiffe", audience=[US]).option == "trust_domain"
    (by_domain,) = make(profile="spiffe", audience=[US], trust_domain="acme.example")
    assert (by_domain.identifier, by_domain.trust_domain) == (None, "acme.example")
    (by_iss,) = make(profile="spiffe", audience=[US], issuer="https://oidc.acme.example")
    assert by_iss.trust_domain is None
    both = {"issuer": "https://oidc.acme.example", "trust_domain": "acme.example"}
    assert refusal_of(profile="spiffe", audience=[US], **both).option == "trust_domain"


def test_every_claim_of_the_mapping_can_be_configured_but_those_of_the_protocol() -> None:
    names = set(ClaimsMapping.__dataclass_fields__)
    protocol = {
        *("role_references", "methods", "client_id", "token_id", "assumed_admin_project"),
        *("role_separator", "required", "takes_first_scope"),
    }
    assert {*CLAIM_OPTIONS, *CLAIMS_OPTIONS} == names - protocol
    for name in (*CLAIM_OPTIONS, *CLAIMS_OPTIONS):
        (issuer,) = make(issuer=ACME, audience=[US], claims={name: ["a.b"]})
        path = getattr(issuer.profile.mapping, name)
        assert (path if name in CLAIM_OPTIONS else path[0]).names == ("a", "b")


@pytest.mark.parametrize(
    ("option", "claims"),
    [
        ("user_name", ["a", "b"]),
        ("user_name", []),
        ("user_id", []),
        ("roles", ["a..b"]),
        ("client_id", ["x"]),
    ],
)
def test_claim_that_can_not_be_mapped_is_refused(option: str, claims: list[str]) -> None:
    assert refusal_of(issuer=ACME, audience=[US], claims={option: claims}).option == option


def test_claims_of_keystone_are_not_mapped() -> None:
    assert refusal_of(profile="keystone", claims={"roles": ["x"]}).option == "roles"


@pytest.mark.parametrize("algorithms", [["none"], ["HS256"], ["ES256", "RS1"], ["es256"]])
def test_algorithm_is_one_that_exists_here(algorithms: list[str]) -> None:
    refusal = refusal_of(issuer=ACME, audience=[US], algorithms=algorithms)
    assert refusal.option == "algorithms"


def test_opaque_tokens_have_no_algorithm() -> None:
    assert refusal_of(profile="introspection", algorithms=["ES256"]).option == "algorithms"


@pytest.mark.parametrize("values", [{"": ["x"]}, {"a": []}, {"a": [""]}, {"a..b": ["x"]}])
def test_required_value_has_a_claim_and_a_value(values: dict[str, list[str]]) -> None:
    refusal = refusal_of(issuer=ACME, audience=[US], required_values=values)
    assert refusal.option == "required_values"


def test_variable_stands_for_each_permitted_value_in_issuer_and_audience() -> None:
    issuers = make(
        issuer="https://login.example/{tenant}/{stage}",
        issuer_variables={"tenant": ["a", "b"], "stage": ["live"]},
        audience=["api://{tenant}"],
    )
    assert [(one.identifier, set(one.audiences)) for one in issuers] == [
        ("https://login.example/a/live", {"api://a"}),
        ("https://login.example/b/live", {"api://b"}),
    ]


@pytest.mark.parametrize(
    ("issuer", "variables"),
    [
        ("https://login.example/{tenant}", {}),
        ("https://login.example/{tenant}", {"tenant": []}),
        ("https://login.example/x", {"tenant": ["a"]}),
        ("https://login.example/{tenant}", {"tenant": ["a"], "other": ["b"]}),
        ("https://login.example/{Tenant}", {"Tenant": ["a"]}),
        ("https://login.example/{tenant", {"tenant": ["a"]}),
        ("https://login.example/{tenant}", {"tenant": ["a/b"]}),
        ("https://login.example/{tenant}", {"tenant": [".."]}),
        ("https://login.example/{tenant}", {"tenant": ["a#"]}),
        ("https://login.example/{tenant}", {"tenant": ["a\n"]}),
        ("https://login.example/{tenant}", {"tenant": ["*"]}),
        ("https://login.example/{tenant}", {"tenant": [str(n) for n in range(MAX_EXPANDED + 1)]}),
    ],
)
def test_variable_and_its_values_belong_together(
    issuer: str, variables: dict[str, list[str]]
) -> None:
    refusal = refusal_of(issuer=issuer, issuer_variables=variables, audience=[US])
    assert refusal.option == "issuer"


def test_audience_has_no_variable_that_the_issuer_lacks() -> None:
    assert refusal_of(issuer=ACME, audience=["api://{tenant}"]).option == "audience"


def test_value_that_looks_like_a_variable_is_not_filled_in_twice() -> None:
    assert expand("{a}/{b}", {"a": ["x"], "b": ["y"]})[0][0] == "x/y"
    assert fill_in("{a}", {"a": "{b}", "b": "y"}) == "{b}"


@pytest.mark.parametrize(
    "identifier",
    [
        *("https://x.example", "https://x.example/", "https://x.example:8443/a/b"),
        *("http://127.0.0.1:5000", "http://localhost/realms/a", "http://[::1]:80"),
    ],
)
def test_issuer_identifier_is_an_https_url_or_one_of_this_machine(identifier: str) -> None:
    assert find_fault(identifier) is None


@pytest.mark.parametrize(
    "identifier",
    [
        *("", "x", "x.example", "//x.example", "https://", "https:///x", "ftp://x.example"),
        *("http://x.example", "http://127.0.0.1.evil.example", "http://localhost.evil.example"),
        *("https://x.example?a", "https://x.example/?a=b", "https://x.example#", "https://x/#a"),
        *(
            "https://u:p@x.example",
            "https://x.example:port",
            "https://x .example",
            "https://é.example",
        ),
        "kubernetes/serviceaccount",
    ],
)
def test_other_text_is_no_issuer_identifier(identifier: str) -> None:
    assert find_fault(identifier)
    assert refusal_of(issuer=identifier, audience=[US]).option == "issuer"


def test_operator_may_say_that_no_claim_says_what_a_profile_reads() -> None:
    """So an issuer that is not trusted with roles gives nobody any, whatever its tokens say."""
    none = {"roles": ["none"], "groups": ["none"], "oauth_scope": ["none"]}
    (issuer,) = make(issuer=ACME, audience=[US], claims=none)
    mapping = issuer.profile.mapping
    assert mapping is not None
    assert (mapping.roles, mapping.groups, mapping.oauth_scope) == ((), None, ())
    (named,) = make(issuer=ACME, audience=[US], claims={"roles": ["/none"]})
    assert named.profile.mapping is not None
    assert [path.names for path in named.profile.mapping.roles] == [("none",)]


def test_without_a_claim_for_the_user_there_is_no_token() -> None:
    options = {"issuer": ACME, "audience": [US], "claims": {"user_id": ["none"]}}
    assert refusal_of(**options).option == "user_id"
