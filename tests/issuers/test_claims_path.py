from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authmw.errors import InvalidToken, Reason
from authmw.issuers.claims_path import ClaimsPath, find_first_text, find_flag, find_text, find_texts

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)
PATHS = [
    ("sub", ("sub",)),
    ("realm_access.roles", ("realm_access", "roles")),
    ("kubernetes.io/serviceaccount/name", ("kubernetes.io", "serviceaccount", "name")),
    ("resource_access/my.client/roles", ("resource_access", "my.client", "roles")),
    ("https://acme.example/roles", ("https://acme.example/roles",)),
    ("/https:~1~1acme.example~1roles", ("https://acme.example/roles",)),
    ("/a~1b/c.d", ("a/b", "c.d")),
    ("/a~01", ("a~1",)),
    ("/a.b", ("a.b",)),
]


@pytest.mark.parametrize(("text", "names"), PATHS)
def test_path_is_read_as_it_is_written(text: str, names: tuple[str, ...]) -> None:
    assert ClaimsPath.parse(text).names == names


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a//b", "/", "/~2", "/a~", "a/b/"])
def test_path_with_an_empty_name_or_a_bad_escape_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"name|~"):
        ClaimsPath.parse(text)


def test_path_is_not_endless() -> None:
    with pytest.raises(ValueError, match="more than 8"):
        ClaimsPath.parse(".".join("a" * 9))


@given(st.lists(st.text(min_size=1), min_size=1, max_size=8), JSON)
def test_any_name_can_be_written_as_a_json_pointer(names: list[str], value: object) -> None:
    text = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)
    claims: object = value
    for name in reversed(names):
        claims = {name: claims}
    assert isinstance(claims, dict)
    assert ClaimsPath.parse(text).find(claims) == value


def test_claim_that_is_null_or_below_nothing_is_absent() -> None:
    path = ClaimsPath.parse("a.b")
    absent: list[dict[str, object]] = [{}, {"a": None}, {"a": {}}, {"a": {"b": None}}, {"a.b": "x"}]
    for claims in absent:
        assert path.find(claims) is None


@pytest.mark.parametrize("value", ["text", 1, True, ["b"], [{"b": "x"}], 0, False, ""])
def test_path_through_what_is_no_object_refuses_the_token(value: object) -> None:
    with pytest.raises(InvalidToken) as refused:
        ClaimsPath.parse("a.b").find({"a": value})
    assert refused.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("value", ["", 1, True, 1.5, ["a"], {"a": "b"}])
def test_text_is_a_string_that_is_not_empty(value: object) -> None:
    with pytest.raises(InvalidToken) as refused:
        find_text({"a": value}, ClaimsPath.parse("a"))
    assert refused.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("value", ["a\r\nb", "\0", "\x7f", "\x85", "\ud800"])
def test_text_that_no_header_or_log_line_can_carry_is_unsafe(value: str) -> None:
    for found in (find_text, find_texts):
        with pytest.raises(InvalidToken) as refused:
            found({"a": value}, ClaimsPath.parse("a"))
        assert refused.value.reason is Reason.UNSAFE_VALUE


def test_texts_are_an_array_or_one_alone() -> None:
    path = ClaimsPath.parse("a")
    assert find_texts({"a": ["x", "y"]}, path) == ("x", "y")
    assert find_texts({"a": "x y"}, path) == ("x y",)
    assert find_texts({"a": []}, path) == ()
    assert find_texts({}, path) is None
    others: list[object] = [[1], [True], [None], [["x"]], {"x": "y"}, 3]
    for value in others:
        with pytest.raises(InvalidToken):
            find_texts({"a": value}, path)


def test_flag_is_true_or_false_and_nothing_like_it() -> None:
    path = ClaimsPath.parse("a")
    assert [find_flag({"a": value}, path) for value in (True, False, None)] == [True, False, None]
    others: list[object] = [1, 0, "true", "", [], {}]
    for value in others:
        with pytest.raises(InvalidToken):
            find_flag({"a": value}, path)


def test_first_of_several_claims_is_the_first_that_is_there() -> None:
    paths = tuple(map(ClaimsPath.parse, ("azp", "appid")))
    assert find_first_text({"appid": "x", "azp": None}, paths) == "x"
    assert find_first_text({"appid": "x", "azp": "y"}, paths) == "y"
    assert find_first_text({}, paths) is None
    with pytest.raises(InvalidToken):
        find_first_text({"appid": "x", "azp": ""}, paths)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), JSON), st.sampled_from(["a", "a.b", "a/b"])
)
def test_whatever_is_in_a_claims_set_is_found_absent_or_refused(
    claims: dict[str, object], text: str
) -> None:
    path = ClaimsPath.parse(text)
    for found in (find_text, find_texts, find_flag):
        with contextlib.suppress(InvalidToken):
            found(claims, path)
