"""The table of options: complete beside the peer's, readable by oslo's tools."""

from __future__ import annotations

from pathlib import Path

import keystonemiddleware.auth_token
import pytest
from keystoneauth1 import loading
from oslo_config import cfg, types

from authmw.config.options import GROUP, GROUPS, OPTIONS, list_opts
from authmw.config.types import Boolean, Integer, NamedTexts, describe_type
from tests.support.programs import ROOT, run_python

# Name and default of each option that is not the peer's.
OURS = {
    "token_validation": "auto",
    "shadow_validation": False,
    "jws_public_key_repository": None,
    "jws_jwks_uri": None,
    "jws_accepted_algorithms": ["ES256"],
    "jws_max_keys": 8,
    "jws_keys_max_age": 86400,
    "jws_issuer": None,
    "jws_audience": None,
    "jws_authority": ["identity"],
    "bundle_path": None,
    "bundle_max_age": 600,
    "bundle_warn_age": 300,
    "bundle_service_max_age": None,
    "bundle_wait_time": 2,
    "bundle_max_waiting": 4,
    "jws_claim_names": {},
    "authority_cache_time": 60,
    "authority_renewal_rate": 10,
    "admin_project_name": None,
    "admin_project_domain_name": None,
    "revocation_poll_interval": 10,
    "revocation_max_staleness": 600,
    "memory_cache_size": 10000,
    "memory_cache_bytes": 128 * 1024 * 1024,
    "memcache_secret_key_previous": None,
    "negative_cache_time": 0,
    "max_token_size": 8000,
    "log_refusals": "info",
    "accept_bearer": None,
    "public_paths": [],
    "allow_cors_preflight": False,
    "cors_allowed_origins": [],
    "clock_skew_tolerance": 5,
    "identity_outage_grace": 300,
    "identity_deadline": 10,
    "revocation_retention": 180000,
    "revocation_max_events": 100000,
    "oauth_resource": None,
    "oauth_scopes": [],
    "public_endpoint": None,
    "dpop_proof_lifetime": 60,
    "dpop_nonce_secret": None,
    "metrics": "none",
}


def listed(opts: list[tuple[str, list[cfg.Opt]]]) -> dict[str, cfg.Opt]:
    ((group, options),) = opts
    assert group == GROUP
    return {opt.name: opt for opt in options}


PEER = listed(keystonemiddleware.auth_token.list_opts())


@pytest.mark.parametrize("name", sorted(PEER))
def test_every_option_of_the_peer_is_here_with_its_type_and_default(name: str) -> None:
    ours, theirs = listed(list_opts())[name], PEER[name]
    assert isinstance(ours, type(theirs))
    assert (ours.default, ours.secret, ours.required) == (
        theirs.default,
        theirs.secret,
        theirs.required,
    )
    assert {old.name for old in ours.deprecated_opts} == {
        old.name for old in theirs.deprecated_opts
    }
    assert isinstance(ours.type, type(theirs.type)) or ours.type is theirs.type
    # Ours say what each choice does.
    assert [*(getattr(ours.type, "choices", None) or ())] == [
        *(getattr(theirs.type, "choices", None) or ())
    ]


def test_beside_the_peers_there_are_exactly_the_options_of_the_design() -> None:
    ours = {name: opt.default for name, opt in listed(list_opts()).items() if name not in PEER}
    assert ours == OURS


@pytest.mark.parametrize("name", sorted(PEER))
def test_no_help_text_is_the_peers(name: str) -> None:
    if not name.startswith("auth_") or name == "auth_version":
        assert listed(list_opts())[name].help != PEER[name].help


def test_the_auth_options_are_those_keystoneauth_registers() -> None:
    ours = listed(list_opts())
    for opt in loading.get_auth_common_conf_options():
        assert ours[opt.name] == opt


def test_every_option_is_in_one_group_and_has_a_help_text_that_ends() -> None:
    names = [opt.name for _, options in GROUPS for opt in options]
    assert len(names) == len(set(names)) == len(OPTIONS)
    assert [opt.name for opt in OPTIONS if not (opt.help or "").endswith(".")] == []


@pytest.mark.parametrize("opt", OPTIONS, ids=lambda opt: opt.name)
def test_every_default_is_a_value_the_type_accepts(opt: cfg.Opt) -> None:
    if opt.default is not None:
        assert opt.type(opt.default) == opt.default


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_services_may_register_the_peers_options_before_or_after_ours(first: str) -> None:
    conf = cfg.ConfigOpts()
    both = [list_opts(), keystonemiddleware.auth_token.list_opts()]
    for opts in both if first == "ours" else reversed(both):
        for group, options in opts:
            conf.register_opts(options, group=group)
    assert conf.keystone_authtoken.token_cache_time == 300
    assert conf.keystone_authtoken.jws_max_keys == 8


def test_an_option_with_another_default_is_still_another_option() -> None:
    conf = cfg.ConfigOpts()
    for group, options in list_opts():
        conf.register_opts(options, group=group)
    with pytest.raises(cfg.DuplicateOptError, match="duplicate option: token_cache_time"):
        conf.register_opt(cfg.IntOpt("token_cache_time", default=1), group=GROUP)


def test_what_a_caller_does_to_the_list_does_not_reach_the_table() -> None:
    cfg.set_defaults(list_opts()[0][1], token_cache_time=1)
    assert listed(list_opts())["token_cache_time"].default == 300


@pytest.mark.heavy
def test_the_sample_generator_writes_every_option_commented_out(tmp_path: Path) -> None:
    # The entry point under a name of its own: the package need not be installed.
    (tmp_path / "sample-1.dist-info").mkdir()
    (tmp_path / "sample-1.dist-info/METADATA").write_text("Name: sample\nVersion: 1\n")
    (tmp_path / "sample-1.dist-info/entry_points.txt").write_text(
        "[oslo.config.opts]\nsample = authmw.config.options:list_opts\n"
    )
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from oslo_config import generator\n"
        "generator.main(['--namespace', 'sample'])"
    )
    done = run_python("-c", program, str(tmp_path), str(ROOT))
    text = done.stdout
    assert "[keystone_authtoken]" in text
    for name in listed(list_opts()):
        assert f"\n#{name} =" in text
    assert "# Maximum value: 300\n#clock_skew_tolerance = 5" in text


@pytest.mark.heavy
def test_importing_the_table_loads_no_http_library() -> None:
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import authmw.config.loading\n"
        "print('requests' in sys.modules, 'webob' in sys.modules)"
    )
    done = run_python("-c", program, str(ROOT))
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("value", ["flase", "", "2", "tru", "None", 2, None])
def test_a_boolean_is_one_of_the_known_spellings(value: object) -> None:
    with pytest.raises(ValueError, match="neither true nor false: "):
        Boolean()(value)


@pytest.mark.parametrize("value", [True, "true", "YES", "On", "1", 1, " true "])
def test_true_has_these_spellings(value: object) -> None:
    assert Boolean()(value) is True


@pytest.mark.parametrize("value", [False, "false", "No", "OFF", "0", 0])
def test_false_has_these_spellings(value: object) -> None:
    assert Boolean()(value) is False


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("ten", "not a whole number: 'ten'"),
        ("1_000", "not a whole number: '1_000'"),
        ("1.0", r"not a whole number: '1\.0'"),
        (1.5, r"not a whole number: '1\.5'"),
        ("1e3", "not a whole number: '1e3'"),
        ("٣", "not a whole number: '٣'"),  # a digit, elsewhere
        (True, "not a whole number: 'True'"),
        ("9" * 30, f"not a whole number: '{'9' * 30}'"),
        ("0", "out of range: '0'"),
        ("-1", "out of range: '-1'"),
        (11, "out of range: '11'"),
    ],
)
def test_a_number_is_whole_and_within_bounds(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Integer("seconds", 1, 10)(value)


def test_a_number_may_be_typed_or_written_with_blanks_and_sign() -> None:
    assert [Integer("seconds", 1, 10)(value) for value in (3, "3", " 3 ", "+3", "")] == [
        3,
        3,
        3,
        3,
        None,
    ]


@pytest.mark.parametrize(
    ("value", "pairs"),
    [
        ("roles:groups, user_name : nick,", {"roles": "groups", "user_name": "nick"}),
        ("roles:urn:example:roles", {"roles": "urn:example:roles"}),
        ({"roles": "groups"}, {"roles": "groups"}),
        ("", {}),
    ],
)
def test_pairs_are_written_with_colons_between_commas(value: object, pairs: object) -> None:
    assert NamedTexts()(value) == pairs


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("roles", "not name:text pairs: 'roles'"),
        ("roles:", "not name:text pairs: 'roles:'"),
        (":groups", "not name:text pairs: ':groups'"),
        ("roles=groups", "not name:text pairs: 'roles=groups'"),
        ({"roles": 1}, "not name:text pairs: \"{'roles': 1}\""),
        ("roles:a,roles:b", "a name is repeated: 'roles:a,roles:b'"),
    ],
)
def test_pairs_are_whole_and_no_name_is_repeated(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        NamedTexts()(value)


@pytest.mark.parametrize(
    ("option_type", "words"),
    [
        (Boolean(), "true or false"),
        (Integer("seconds", 0, 5), "a whole number of seconds from 0 to 5"),
        (Integer("bytes", 1), "a whole number of bytes, at least 1"),
        (types.Integer(), "a whole number"),
        (types.String(choices=("a", "b")), "one of a, b"),
        (types.List(types.String(choices=("a", "b"))), "a comma separated list out of a, b"),
        (types.List(), "a comma separated list"),
        (NamedTexts(), "comma separated name:text pairs"),
        (types.String(), "a text"),
        (int, "a whole number"),
        (float, "a number"),
    ],
)
def test_a_type_can_say_what_to_write(option_type: object, words: str) -> None:
    assert describe_type(option_type) == words
