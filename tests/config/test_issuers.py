"""Sections [authmw_issuer:NAME], and the same in a paste file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from oslo_config import cfg

from authmw.config.issuer_options import ISSUER_OPTIONS
from authmw.config.loading import Settings, load_settings
from authmw.config.types import NamedLists
from authmw.errors import ConfigurationError

ACME, US = "https://login.acme.example", "https://inventory.example"
TWO_LINES = f"[authmw_issuer:acme]\nissuer = {ACME}\naudience = {US}\n"
TENANT = "11111111-2222-4333-8444-555555555555"


def from_file(tmp_path: Path, text: str, **paste: object) -> Settings:
    path = tmp_path / "service.conf"
    path.write_text(text)
    conf = cfg.ConfigOpts()
    conf([], project="service", default_config_files=[str(path)])
    return load_settings({"oslo_config_config": conf, **paste})


def from_paste(options: Mapping[str, object]) -> Settings:
    return load_settings({"oslo_config_config": cfg.ConfigOpts(), **options})


def from_one(**options: object) -> Settings:
    """Load an issuer named acme; options take the place of the two that it has."""
    both = {"issuer": ACME, "audience": US, **options}
    return from_paste({f"issuer.acme.{name}": value for name, value in both.items()})


def test_two_lines_are_an_issuer(tmp_path: Path) -> None:
    (issuer,) = from_file(tmp_path, TWO_LINES).issuers
    (record,) = issuer.records
    assert (issuer.name, record.name, record.identifier) == ("acme", "acme", ACME)
    assert record.audiences == {US}
    assert record.profile.name == "rfc9068"
    assert issuer.introspection is None


def test_paste_says_the_same_as_a_file_and_goes_before_it(tmp_path: Path) -> None:
    said = from_one()
    assert said.issuers == from_file(tmp_path, TWO_LINES).issuers
    other = from_file(tmp_path, TWO_LINES, **{"issuer.acme.audience": "https://b.example"})
    assert other.issuers[0].records[0].audiences == {"https://b.example"}


def test_values_may_be_typed() -> None:
    settings = from_one(
        audience=[US, "b"], required_values={"tenant": ["a", "b"]}, roles=("permissions",)
    )
    record = settings.issuers[0].records[0]
    assert record.audiences == {US, "b"}
    assert record.pinned[0][1] == {"a", "b"}


def test_without_issuers_there_are_none_and_with_some_keystone_need_not_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert from_paste({}).issuers == ()
    assert "no auth_type" in caplog.text
    caplog.clear()
    assert from_one().auth is None
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "off"),
        ({"issuer.a.issuer": ACME, "issuer.a.audience": US}, "on"),
        ({"issuer.a.issuer": ACME, "issuer.a.audience": US, "accept_bearer": "false"}, "off"),
        ({"accept_bearer": "true"}, "on"),
    ],
)
def test_bearer_tokens_are_accepted_where_issuers_are(
    options: dict[str, object], expected: str
) -> None:
    assert from_paste(options).accept_bearer is (expected == "on")


def test_several_issuers_and_every_tenant_of_one(tmp_path: Path) -> None:
    settings = from_file(
        tmp_path,
        TWO_LINES
        + "[authmw_issuer:entra]\nprofile = entra\n"
        + "issuer = https://login.microsoftonline.com/{tenant}/v2.0\n"
        + f"issuer_variables = tenant:{TENANT}, tenant:{TENANT[::-1]}\n"
        + "audience = api://inventory\n",
    )
    assert [issuer.name for issuer in settings.issuers] == ["acme", "entra"]
    identifiers = {record.identifier for record in settings.issuers[1].records}
    assert f"https://login.microsoftonline.com/{TENANT}/v2.0" in identifiers
    assert len(identifiers) == 2


def test_section_of_a_sample_file_is_no_issuer(tmp_path: Path) -> None:
    assert from_file(tmp_path, "[authmw_issuer:acme]\n# issuer = <None>\n").issuers == ()


def test_claims_are_mapped() -> None:
    settings = from_one(roles="realm_access.roles,roles", project_id="acme.example/tenant")
    mapping = settings.issuers[0].records[0].profile.mapping
    assert mapping is not None
    assert [path.names for path in mapping.roles] == [("realm_access", "roles"), ("roles",)]
    assert mapping.project_id is not None
    assert mapping.project_id.names == ("acme.example", "tenant")


OPAQUE = {"profile": "introspection", "client_id": "c", "client_secret": "s"}
WRONG = [
    ({"audience": None}, "[authmw_issuer:acme] audience is not set: write what 'aud' says"),
    ({"audience": ""}, "[authmw_issuer:acme] audience is not set"),
    ({"issuer": None}, "[authmw_issuer:acme] issuer is not set"),
    ({"issuer": "http://a.example"}, "[authmw_issuer:acme] issuer = 'http://a.example'"),
    ({"profile": "auth-zero"}, "[authmw_issuer:acme] profile = 'auth-zero': write one of"),
    ({"profile": "keystone"}, "[authmw_issuer:acme] profile = 'keystone': leave this section out"),
    ({"algorithms": "HS256"}, "[authmw_issuer:acme] algorithms = ['HS256']"),
    ({"required_values": "environment"}, "required_values = 'environment': write comma separated"),
    ({"roles": "a..b"}, "[authmw_issuer:acme] roles = ['a..b']"),
    ({"jwks_uri": "ftp://a.example"}, "[authmw_issuer:acme] jwks_uri = 'ftp://a.example'"),
    (
        {"jwks_uri": f"{ACME}/jwks", "public_key_repository": "/keys"},
        "write this or public_key_repository, not both",
    ),
    ({"profile": "github"}, "required_values is not set: name the value"),
    (
        {"profile": "spiffe", "issuer": None, "trust_domain": "acme.example"},
        "jwks_uri is not set: write where the keys are",
    ),
    (
        {"profile": "introspection", "issuer": None},
        "introspection_endpoint is not set: write it, or issuer",
    ),
    ({"issuer": "https://a.example/{tenant}"}, "list the permitted values of each variable"),
    ({"issuer": f"{ACME}\n"}, "issuer = 'https://login.acme.example\\n': it is no URL of a host"),
    ({"jwks_uri": f"{ACME}/jw\tks"}, "jwks_uri = "),
    ({"introspection_endpoint": f"{ACME}/introspect"}, "introspection_endpoint = "),
    ({"client_secret": "of-a-test"}, "client_secret = '***': leave it out"),
    ({"auth_method": "tls_client_auth"}, "auth_method = 'tls_client_auth': leave it out"),
    ({"expires_at": "ends"}, "expires_at = 'ends': leave it out"),
    ({**OPAQUE, "jwks_uri": f"{ACME}/jwks"}, "jwks_uri = "),
    ({**OPAQUE, "public_key_repository": "/keys"}, "public_key_repository = '/keys': leave it out"),
    ({**OPAQUE, "types": "at+jwt"}, "types = ['at+jwt']: leave it out"),
    ({**OPAQUE, "algorithms": "ES256"}, "algorithms = ['ES256']"),
    ({"public_key_repository": "/keys", "bearer_token_file": "/t"}, "bearer_token_file = '/t'"),
    ({"keyfile": "/k"}, "keyfile = '/k': set certfile"),
]


def test_tokens_of_an_issuer_can_not_be_keystones_as_well() -> None:
    with pytest.raises(ConfigurationError) as refused:
        from_paste({"issuer.acme.issuer": ACME, "issuer.acme.audience": US, "jws_issuer": ACME})
    assert "[keystone_authtoken] jws_issuer" in str(refused.value)
    assert "authmw_issuer:acme" in str(refused.value)


def test_a_service_s_own_public_endpoint_does_not_stop_the_start() -> None:
    """Services that hand over all their options have one; issuers alone make it ours."""
    own = {"public_endpoint": "https://images.example/?of=service"}
    assert not from_paste(own).issuers
    with pytest.raises(ConfigurationError, match="public_endpoint"):
        from_paste({"issuer.acme.issuer": ACME, "issuer.acme.audience": US, **own})


@pytest.mark.parametrize("bind", ["jkt", "kerberos", "x5t#S256"])
def test_binding_that_can_be_checked_is_not_called_unknown(
    bind: str, caplog: pytest.LogCaptureFixture
) -> None:
    from_paste({"issuer.acme.issuer": ACME, "issuer.acme.audience": US, "enforce_token_bind": bind})
    assert "every token will be refused" not in caplog.text


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_what_cannot_be_meant_stops_the_start(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        from_one(**options)
    assert message in str(refused.value)


@pytest.mark.parametrize("name", ["issuer.acme", "issuer.", "issuer.acme."])
def test_override_of_no_option_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"write issuer\.NAME\.OPTION"):
        from_paste({name: "x"})


def test_odd_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="letters, digits"):
        from_file(tmp_path, TWO_LINES.replace("acme]", "a b]"))


def test_two_sections_for_one_issuer_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="section authmw_issuer:acme has the same"):
        from_file(tmp_path, TWO_LINES + TWO_LINES.replace(":acme", ":other"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"token_validation": "offline", "issuer.a.profile": "introspection"},
            "profile = 'introspection': write token_validation = auto",
        ),
        ({"revocation_poll_interval": "0", "issuer.a.profile": "keystone-op"}, "write a number"),
        (
            {"revocation_poll_interval": "600", "issuer.a.profile": "keystone-op"},
            "write more than revocation_poll_interval",
        ),
    ],
)
def test_options_that_contradict_each_other(options: dict[str, object], message: str) -> None:
    issuer = f"{ACME}/v4/oauth2/default"
    with pytest.raises(ConfigurationError, match=message):
        from_paste({"issuer.a.issuer": issuer, **options})


def test_offline_validation_needs_an_issuer_and_no_key_of_keystones() -> None:
    options = {"issuer.a.issuer": ACME, "issuer.a.audience": US}
    assert from_paste({"token_validation": "offline", **options}).issuers
    with pytest.raises(ConfigurationError):
        from_paste({"token_validation": "offline"})


def test_misspelt_option_is_warned_about_with_the_nearest_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from_file(tmp_path, TWO_LINES + "requierd_values = a:b\n")
    assert (
        "[authmw_issuer:acme] requierd_values is not known to authmw, ignored: "
        "did you mean required_values?" in caplog.text
    )
    caplog.clear()
    from_one(audiences="x")
    assert "audiences is not known to authmw, ignored: did you mean audience?" in caplog.text


def test_misspelt_section_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from_file(tmp_path, TWO_LINES.replace("issuer:", "isuer:"))
    assert "[authmw_isuer:acme]" in caplog.text
    assert "did you mean [authmw_issuer:acme]?" in caplog.text


def test_secret_is_in_no_text(tmp_path: Path) -> None:
    secret = "of-a-test-and-of-nobody-else"
    settings = from_file(
        tmp_path,
        TWO_LINES + f"profile = introspection\nclient_id = a\nclient_secret = {secret}\n",
    )
    assert settings.issuers[0].introspection is not None
    assert settings.issuers[0].introspection.client_secret == secret
    assert secret not in repr(settings)


def test_no_option_has_the_name_of_another_and_every_help_ends() -> None:
    names = [opt.name for opt in ISSUER_OPTIONS]
    assert len(set(names)) == len(names)
    assert [opt.name for opt in ISSUER_OPTIONS if not (opt.help or "").endswith(".")] == []


@pytest.mark.parametrize(
    ("written", "lists"),
    [
        ("a:1", {"a": ["1"]}),
        ("a:1, a:2,b:x:y", {"a": ["1", "2"], "b": ["x:y"]}),
        ("https://a.example/t:blue", {"https://a.example/t": ["blue"]}),
        ("iss:https://a.example", {"iss": ["https://a.example"]}),
        ({"a": "1", "b": ("2", "3")}, {"a": ["1"], "b": ["2", "3"]}),
    ],
)
def test_pairs_with_repeated_names(written: object, lists: dict[str, list[str]]) -> None:
    assert NamedLists()(written) == lists


@pytest.mark.parametrize("written", ["a", "a:", ":a", "https://a.example"])
def test_what_are_no_pairs(written: str) -> None:
    with pytest.raises(ValueError, match="no"):
        NamedLists()(written)


@pytest.mark.parametrize("name", ["openid-configuration", "oauth-authorization-server"])
def test_address_of_a_discovery_document_is_no_issuer(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"write {ACME}, or what `iss` says") as refused:
        from_one(issuer=f"{ACME}/.well-known/{name}")
    assert (refused.value.option, refused.value.section) == ("issuer", "authmw_issuer:acme")
