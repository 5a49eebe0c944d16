"""Registered claims and payloads, all signed with a trusted key."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from authmw.errors import InvalidToken, Reason
from authmw.jose.registered_claims import MAX_NUMERIC_DATE, ClaimRules
from tests.support.signing import CLAIMS, NOW, public_key, sign, verifier


def refuse(
    claims: Mapping[str, object] | bytes, rules: ClaimRules | None = None
) -> tuple[Reason, str]:
    with pytest.raises(InvalidToken) as refusal:
        verifier(public_key("ES256"), rules=rules).verify(sign(claims), NOW)
    return refusal.value.reason, refusal.value.detail


def accept(claims: Mapping[str, object], rules: ClaimRules | None = None) -> None:
    verified = verifier(public_key("ES256"), rules=rules).verify(sign(claims), NOW)
    assert verified.claims == claims


NO_TIMES: dict[str, object] = {
    "a string": "1800000000",
    "a bool": True,
    "null": None,
    "a float": 1_800_000_600.0,
    "a float with a fraction": 1_800_000_600.5,
    "negative": -1,
    "beyond the year 9999": MAX_NUMERIC_DATE + 1,
    "10 to the 400th": 10**400,
    "an array": [1_800_000_600],
    "nested arrays": [[[[1]]]],
    "an object": {"seconds": 1_800_000_600},
}


@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
@pytest.mark.parametrize("value", NO_TIMES.values(), ids=NO_TIMES.keys())
def test_time_that_is_no_whole_number_of_seconds_is_refused(name: str, value: object) -> None:
    assert refuse({**CLAIMS, name: value}) == (
        Reason.MALFORMED,
        f"'{name}' is missing or no time in whole seconds",
    )


@pytest.mark.parametrize("name", ["iat", "exp"])
def test_missing_time_is_refused(name: str) -> None:
    claims = {other: value for other, value in CLAIMS.items() if other != name}
    assert refuse(claims) == (
        Reason.MALFORMED,
        f"'{name}' is missing or no time in whole seconds",
    )


def test_token_ends_at_exp_whatever_the_tolerance() -> None:
    rules = ClaimRules(tolerance_seconds=300)
    second = int(NOW)  # now is half a second later
    assert refuse({**CLAIMS, "exp": second}, rules) == (Reason.EXPIRED, f"at {second}")
    accept({**CLAIMS, "exp": second + 1}, rules)


def test_token_is_refused_at_the_very_second_of_its_exp() -> None:
    exp = 1_800_000_100
    claims = {"iat": 1_800_000_000, "exp": exp}
    assert ClaimRules().verify(claims, exp - 0.001) == (1_800_000_000, exp)
    with pytest.raises(InvalidToken, match="expired: at 1800000100"):
        ClaimRules().verify(claims, float(exp))


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_tolerance_covers_an_issuer_whose_clock_is_ahead(name: str) -> None:
    rules = ClaimRules(tolerance_seconds=5)
    accept({**CLAIMS, name: int(NOW) + 5}, rules)
    reason, detail = refuse({**CLAIMS, name: int(NOW) + 6}, rules)
    assert reason is Reason.NOT_YET_VALID
    assert "in the future" in detail


@pytest.mark.parametrize("aud", ["us", ["us"], ["them", "us"]], ids=str)
def test_audience_that_names_us_is_accepted(aud: object) -> None:
    accept({**CLAIMS, "aud": aud}, ClaimRules(audience="us"))


@pytest.mark.parametrize(
    "aud",
    ["them", "", "u", [], ["them"], [["us"]], ["us", 1], None, True, 1, {"us": "us"}],
    ids=str,
)
def test_audience_that_does_not_name_us_is_refused(aud: object) -> None:
    assert refuse({**CLAIMS, "aud": aud}, ClaimRules(audience="us")) == (
        Reason.WRONG_AUDIENCE,
        "'aud' does not name jws_audience",
    )


def test_token_for_an_audience_is_refused_where_none_is_configured() -> None:
    for aud in ("us", ["us"], [], None):
        assert refuse({**CLAIMS, "aud": aud}) == (
            Reason.WRONG_AUDIENCE,
            "has an 'aud', and jws_audience is not set",
        )


def test_token_for_no_audience_is_refused_where_one_is_configured() -> None:
    """RFC 8725 §3.9: without `aud` it may be a token for somebody else."""
    assert refuse(CLAIMS, ClaimRules(audience="us"))[0] is Reason.WRONG_AUDIENCE


@pytest.mark.parametrize("iss", ["https://other", "", None, True, ["https://id"], {}], ids=str)
def test_issuer_that_is_not_the_configured_one_is_refused(iss: object) -> None:
    rules = ClaimRules(issuer="https://id")
    assert refuse({**CLAIMS, "iss": iss}, rules) == (
        Reason.WRONG_ISSUER,
        "'iss' is not jws_issuer",
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": "https://evil.example"}, Reason.WRONG_ISSUER),
        ({"aud": "other-service"}, Reason.WRONG_AUDIENCE),
        ({"iat": int(NOW) + 600}, Reason.NOT_YET_VALID),
        ({"nbf": int(NOW) + 600}, Reason.NOT_YET_VALID),
        ({"nbf": "soon"}, Reason.MALFORMED),
        ({}, Reason.EXPIRED),
    ],
)
def test_expiry_is_the_last_thing_an_expired_token_is_refused_for(
    changes: dict[str, object], reason: Reason
) -> None:
    """Whoever may use an expired token may use no other that is refused."""
    rules = ClaimRules(issuer="https://issuer.example", audience="inventory")
    good = {**CLAIMS, "iss": "https://issuer.example", "aud": "inventory"}
    assert refuse({**good, "exp": int(NOW) - 1, **changes}, rules)[0] is reason


def test_issuer_matters_only_where_one_is_configured() -> None:
    accept({**CLAIMS, "iss": "https://id"}, ClaimRules(issuer="https://id"))
    accept({**CLAIMS, "iss": "https://id"})
    assert refuse(CLAIMS, ClaimRules(issuer="https://id"))[0] is Reason.WRONG_ISSUER


def with_raw(member: str) -> bytes:
    """The usual claims and one member more, exactly as written."""
    return json.dumps(CLAIMS).encode()[:-1] + b", " + member.encode("utf-8", "surrogatepass") + b"}"


@pytest.mark.parametrize(
    ("member", "detail"),
    [
        ('"sub": "another"', "a member name is repeated"),
        ('"\\u0073ub": "another"', "a member name is repeated"),
        ('"exp": 9999999999', "a member name is repeated"),
        ('"x": [{"a": 1, "a": 1}]', "a member name is repeated"),
        ('"x": NaN', "NaN and Infinity are not JSON"),
        ('"x": -Infinity', "NaN and Infinity are not JSON"),
        ('"x": 1e999', "a number is out of range"),
        ('"x": -1e999', "a number is out of range"),
        ('"x": "\\ud800"', "a string is not Unicode text"),
        ('"x": ["\\udc00\\ud800"]', "a string is not Unicode text"),
        ('"\\udfff": 1', "a string is not Unicode text"),
        ('"x": "\ud800"', "a string is not Unicode text"),
        ('"x": ' + "[" * 16 + "]" * 16, "nested deeper than 16 levels"),
        ('"x": ' + "[" * 600 + "]" * 600, "nested deeper than 16 levels"),
        ('"x": ' + '{"a":' * 300 + "1" + "}" * 300, "nested deeper than 16 levels"),
        ('"x": 01', "not one JSON object"),
        ('"x": "a\nb"', "not one JSON object"),
        ("'x': 1", "not one JSON object"),
        ('"x": 1,', "not one JSON object"),
        ('"x": 1 // comment', "not one JSON object"),
    ],
)
def test_payload_that_readers_could_understand_differently_is_refused(
    member: str, detail: str
) -> None:
    assert refuse(with_raw(member)) == (Reason.MALFORMED, f"payload: {detail}")


@pytest.mark.parametrize(
    "payload", [b"[]", b"null", b'"sub"', b"1", b"\x00", b"\xff", b"{}{}", b"{", b"\xef\xbb\xbf{}"]
)
def test_payload_that_is_no_claims_set_is_refused(payload: bytes) -> None:
    assert refuse(payload)[0] is Reason.MALFORMED


def test_integer_that_python_does_not_convert_is_refused() -> None:
    reason, detail = refuse(with_raw('"x": 1' + "0" * 4400))
    assert reason is Reason.MALFORMED
    assert "integer string conversion" in detail


def test_many_objects_side_by_side_are_not_deep() -> None:
    groups = [{"id": f"group-{number}"} for number in range(100)]
    accept({**CLAIMS, "openstack_group_ids": groups})


def test_nesting_is_accepted_up_to_its_limit() -> None:
    value: object = 1
    for _ in range(15):
        value = [value]
    accept({**CLAIMS, "x": value})
    assert refuse({**CLAIMS, "x": [value]}) == (
        Reason.MALFORMED,
        "payload: nested deeper than 16 levels",
    )


def test_nesting_of_100000_levels_is_refused_by_the_parser_itself() -> None:
    from authmw.jose.strict_json import parse_json_object

    for opening in (b"[", b'{"a":'):
        with pytest.raises(ValueError, match="nested deeper than 16 levels"):
            parse_json_object(b'{"x":' + opening * 100_000)


def test_colons_in_strings_and_nested_members_repeat_no_name() -> None:
    accept({**CLAIMS, "iss": "https://id:5000", "x": {"sub": "a:b", "y": {"sub": ":"}}})


def test_unknown_claims_are_left_for_others_to_judge() -> None:
    accept({**CLAIMS, "x": [None, 1.5, {"y": "z"}], "openstack_methods": 7})
