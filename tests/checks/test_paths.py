"""The path matcher: what each pattern meets, and what no request may slip past it."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from authmw.checks import clean_path, paths
from authmw.checks.clean_path import MAX_PATH_BYTES, is_clean
from authmw.checks.paths import MAX_PATTERN_BYTES, PathPattern, PublicPaths, access_path


def environ_path(target: str | bytes) -> str:
    """What a WSGI server makes of a request target: decoded once, bytes shown as Latin-1."""
    return unquote_to_bytes(target).decode("latin-1")


# --- what patterns meet -------------------------------------------------------------------

MATCHES = [
    ("/", "/"),
    ("/v2.1/servers", "/v2.1/servers"),
    ("/v2.1/servers/", "/v2.1/servers/"),
    ("/v2.1/servers/{id}", "/v2.1/servers/b6ba"),
    ("/v2.1/servers/*", "/v2.1/servers/b6ba"),
    ("/v2.1/servers/{server_id}/ips", "/v2.1/servers/b6ba/ips"),
    ("/v2.1/servers/{}/ips", "/v2.1/servers/b6ba/ips"),
    ("/v2.1/servers/{any *kind* of name}", "/v2.1/servers/b6ba"),
    ("/v2.1/servers/{id}.json", "/v2.1/servers/b6ba.json"),
    ("/v2.1/servers/{id}.json", "/v2.1/servers/.json.json"),
    ("/images/ab*", "/images/abc"),
    ("/*/b/*", "/a/b/c"),
    ("/{a}-{b}", "/1-2"),
    ("/{a}-{b}", "/1-2-3"),
    ("/{a}{b}", "/12"),
    ("/v2.1/**", "/v2.1/servers/b6ba/ips"),
    ("/v2.1/**", "/v2.1/"),
    ("/v1/a**", "/v1/a"),
    ("/v1/a**", "/v1/abc/d"),
    ("/v1/**/z", "/v1/a/b/z"),
    ("/v1/**/z", "/v1/z/z"),
    ("/v1/**z", "/v1/z"),
    ("/v1/**/m/**/z", "/v1/a/m/b/m/z"),
    ("/**/{id}/tags/*", "/v2/images/1/tags/red"),
    ("/**", "/"),
    ("/a/...", "/a/..."),
    ("/a/.hidden", "/a/.hidden"),
    ("/a/*", "/a/..."),
    ("/a/*", "/a/x;y=1"),
    ("/a/*", "/a/50%"),
    ("/a/*", "/a/50%25"),
    ("/a/*", "/a/x%20y"),
    ("/a/*", "/a/b?c#d"),  # a "?" that came as %3F is a character like any other
    ("/a/b c", "/a/b c"),
]


@pytest.mark.parametrize(("pattern", "path"), MATCHES)
def test_a_pattern_matches(pattern: str, path: str) -> None:
    assert PathPattern.parse(pattern).is_match(path)


MISSES = [
    ("/v2.1/servers", "/v2.1/servers/"),
    ("/v2.1/servers/", "/v2.1/servers"),
    ("/v2.1/servers", "/v2.1/Servers"),
    ("/v2.1/servers", "/v2.1/servers\n"),
    ("/v2.1/servers", "/v2.1/servers/1"),
    ("/v2.1/servers", "/x/v2.1/servers"),
    ("/v2.1/servers", "/v2.1/serversX"),
    ("/v2.1/servers", "/v2x1/servers"),
    ("/v2.1/servers/*", "/v2.1/servers/"),
    ("/v2.1/servers/*", "/v2.1/servers"),
    ("/v2.1/servers/*", "/v2.1/servers/1/ips"),
    ("/v2.1/servers/*", "/v2.1/servers/1/"),
    ("/v2.1/servers/{id}", "/v2.1/servers/1/ips"),
    ("/v2.1/servers/{id}/ips", "/v2.1/servers/ips"),
    ("/v2.1/servers/{id}/ips", "/v2.1/servers/1/2/ips"),
    ("/v2.1/servers/{id}.json", "/v2.1/servers/.json"),
    ("/v2.1/servers/{id}.json", "/v2.1/servers/1xjson"),
    ("/images/ab*", "/images/ab"),
    ("/aba*aba", "/ababa"),  # prefix and suffix may not share characters
    ("/aba**aba", "/ababa"),
    ("/{a}{b}", "/1"),
    ("/{a}-{b}", "/1-"),
    ("/{a}/x/{b}", "/1/2/x/3"),
    ("/v2.1/**", "/v2.1"),
    ("/v1/**/z", "/v1/z"),
    ("/v1/**/z", "/v1/a/z/"),
    ("/v1/**/*", "/v1/a"),
    ("/**", ""),
    ("/", ""),
    ("/*", "*"),
    ("/**", "v2/servers"),
    ("/**", "http://127.0.0.1/v2/servers"),
]


@pytest.mark.parametrize(("pattern", "path"), MISSES)
def test_a_pattern_does_not_match(pattern: str, path: str) -> None:
    assert not PathPattern.parse(pattern).is_match(path)


@pytest.mark.parametrize("character", list(".^$+?()[]|~!@#&=,;:'\"<>%-_ "))
def test_a_character_that_means_something_to_a_regular_expression_stands_for_itself(
    character: str,
) -> None:
    literal = PathPattern.parse(f"/v1/a{character}c")
    beside_wildcards = PathPattern.parse(f"/*/**a{character}c")
    path = f"/v1/a{character}c"

    assert literal.is_match(path)
    assert beside_wildcards.is_match(path)
    for other in ("/v1/abc", "/v1/ac", "/v1/aac", "/v1/a", "/v1/c"):
        assert not literal.is_match(other)
        assert not beside_wildcards.is_match(other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "path pattern '' does not start with \"/\""),
        ("v2/servers", "path pattern 'v2/servers' does not start with \"/\""),
        ("**", "path pattern '**' does not start with \"/\""),
        ("*/servers", "path pattern '*/servers' does not start with \"/\""),
        ("/a***", "path pattern '/a***' has three stars in a row: write * or **"),
        ("/a/{id", "path pattern '/a/{id' has a brace that is not part of a tag such as \"{id}\""),
        ("/a/id}", "path pattern '/a/id}' has a brace that is not part of a tag such as \"{id}\""),
        (
            "/{a/b}",
            "path pattern '/{a/b}' has a brace that is not part of a tag such as \"{id}\"",
        ),
        (
            "/{{a}}",
            "path pattern '/{{a}}' has a brace that is not part of a tag such as \"{id}\"",
        ),
        ("/\ud800", "path pattern '/\\ud800' has a lone surrogate"),
        ("/" + "x" * 1024, "path pattern of 1025 bytes is over the limit of 1024"),
        ("/*a*a*a*a*b" * 2000, "path pattern of 22000 bytes is over the limit of 1024"),
    ],
)
def test_an_unusable_pattern_is_refused_with_a_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011  # the whole message is compared
        PathPattern.parse(text)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    "text",
    [
        "//a",
        "/a//b",
        "/a//",
        "/*//b",
        "/./a",
        "/a/..",
        "/a/../*",
        "/a/..;x/*",
        "/a\\b",
        "/a\x00",
        "/a\tb",
        "/a%2fb/*",
        "/%2E%2e/*",
        "/a%5Cb",
        "/a%00",
        "/a%252fb",
    ],
)
def test_a_pattern_that_no_clean_path_could_meet_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^path pattern .* can never match: dot segments, "):
        PathPattern.parse(text)


def test_patterns_are_equal_and_hashable_by_their_text() -> None:
    assert PathPattern.parse("/a/*") == PathPattern.parse("/a/*")
    assert PathPattern.parse("/a/*") != PathPattern.parse("/a/{id}")
    assert len({PathPattern.parse("/*/a/*"), PathPattern.parse("/*/a/*")}) == 1
    assert repr(PathPattern.parse("/a/*")) == "PathPattern(text='/a/*')"


# --- attacks: paths that an application could read otherwise ------------------------------

# As they stand on the request line. Each is tried inside of a path that wildcards would take.
AMBIGUOUS_TARGETS = [
    b"/v1/open/..",
    b"/v1/open/../admin",
    b"/v1/open/./x",
    b"/v1/open/.",
    b"/v1/open/%2e%2e/admin",
    b"/v1/open/.%2E/admin",
    b"/v1/open/%2e",
    b"/v1/open/..%2fadmin",
    b"/v1/open/..;/admin",
    b"/v1/open/..;a=b/admin",
    b"/v1/open/.;/admin",
    b"/v1/open//admin",
    b"//v1/open/x",
    b"/v1/open/x//",
    b"/v1/open/%2fadmin",
    b"/v1/open/\\admin",
    b"/v1/open/..\\admin",
    b"/v1/open/x%5cadmin",
    b"/v1/open/x%00",
    b"/v1/open/%00/admin",
    b"/v1/open/.%09./admin",
    b"/v1/open/x%0a",
    b"/v1/open/x%0d%0aX-Roles:admin",
    b"/v1/open/x%7f",
    # twice encoded: decoded once by the server, and perhaps once more behind us
    b"/v1/open/%252e%252e/admin",
    b"/v1/open/%252E./admin",
    b"/v1/open/.%252e",
    b"/v1/open/%252e%252e%252fadmin",
    b"/v1/open/..%252fadmin",
    b"/v1/open/x%252fadmin",
    b"/v1/open/x%252Fadmin",
    b"/v1/open/x%255cadmin",
    b"/v1/open/x%2500",
    b"/v1/open/x%250a",
    b"/v1/open/%252e%252e%253b/admin",
    # three times and more
    b"/v1/open/%25252e%25252e/admin",
    b"/v1/open/x%25252fadmin",
    b"/v1/open/x%2525252fadmin",
    b"/v1/open/x%25%32%66admin",
    b"/v1/open/x%25%2532%2566admin",
    # bytes that are not UTF-8: overlong forms of ".", "/" and NUL, halves, surrogates
    b"/v1/open/%c0%ae%c0%ae/admin",
    b"/v1/open/x%c0%afadmin",
    b"/v1/open/x%e0%80%afadmin",
    b"/v1/open/x%c0%80",
    b"/v1/open/x%ff",
    b"/v1/open/x%c3",
    b"/v1/open/%a9x",
    b"/v1/open/x%ed%a0%80",
    b"/v1/open/x%f5%80%80%80",
    b"/v1/open/x%25c0%25af",
]


@pytest.mark.parametrize("target", AMBIGUOUS_TARGETS)
def test_an_ambiguous_path_meets_no_pattern(target: bytes) -> None:
    path = environ_path(target)
    patterns = ["/**", "/v1/**", "/v1/open/**", "/*/*/*", "/*/*/*/*", "/*/*/*/*/*", "/**/*"]
    patterns += ["/v1/open/*", "/v1/*/{x}", "/v1/open/*/admin", "/v1/open/**/admin", "/**n", "/**/"]

    assert not is_clean(path)
    assert [text for text in patterns if PathPattern.parse(text).is_match(path)] == []


def test_every_control_character_makes_a_path_unclean() -> None:
    controls = [*map(chr, range(0x20)), "\x7f"]
    assert [c for c in controls if is_clean(f"/v1/{c}x") or is_clean(f"/v1/%{ord(c):02x}x")] == []


def test_an_encoded_slash_is_matched_as_the_slash_that_the_application_sees() -> None:
    path = environ_path("/v1/objects/a%2Fb")

    assert path == "/v1/objects/a/b"
    assert not PathPattern.parse("/v1/objects/*").is_match(path)
    assert PathPattern.parse("/v1/objects/*/*").is_match(path)


@pytest.mark.parametrize("text", ["/images/aé", "/images/{x}é", "/images/**é", "/{x}/{y}é"])
def test_a_pattern_beyond_ascii_meets_its_utf8_bytes(text: str) -> None:
    pattern = PathPattern.parse(text)

    assert pattern.is_match(environ_path("/images/a%C3%A9"))
    for other in ("/images/a%E9", "/images/a%C3%83%C2%A9", "/images/ae%CC%81", "/images/a%C3%89"):
        assert not pattern.is_match(environ_path(other))
    assert not pattern.is_match("/images/aé")  # a lone Latin-1 byte, seen as WSGI shows it


def test_text_that_no_wsgi_server_would_hand_over_meets_no_wildcard() -> None:
    for path in ("/v1/\u20ac", "/v1/\udc80", "/v1/\ud800", "/v1/x%e9\u20ac"):
        assert not PathPattern.parse("/v1/*").is_match(path)
        assert not PathPattern.parse("/**").is_match(path)


def test_a_wildcard_matches_no_more_than_the_longest_path() -> None:
    longest = "/v1/" + "x" * (MAX_PATH_BYTES - 4)

    assert PathPattern.parse("/v1/*").is_match(longest)
    assert not PathPattern.parse("/v1/*").is_match(longest + "x")
    assert not PathPattern.parse("/**").is_match(longest + "x")


# --- attacks: patterns made to stall ------------------------------------------------------


def lines_run(pattern: PathPattern, path: str) -> int:
    """How many lines of the matcher run for one match: a measure that no clock is part of."""
    files = {paths.__file__, clean_path.__file__}
    count = 0

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename not in files:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        pattern.is_match(path)
    finally:
        sys.settrace(before)
    return count


STALLING = {
    "runs": "/" + "*a" * 511 + "b",
    "tags": "/" + "{}a" * 341,
    "anything": "/" + "**a" * 340 + "b*c",
    "anything and runs": "/" + "**a{}" * 204 + "b",
    "slashes": "/**" * 341,
    "segments": "/*" * 511 + "/b",
    "adjacent": "/" + "{}" * 511,
    "one of each": "/**/*/**/*a*b*/**",
}


@pytest.mark.parametrize("kind", STALLING)
@pytest.mark.parametrize("unit", ["a", "/a", "ab", "b"])
def test_the_work_of_a_match_grows_with_the_path_and_not_with_the_pattern(
    kind: str, unit: str
) -> None:
    pattern = PathPattern.parse(STALLING[kind])
    for length in (64, 512, MAX_PATH_BYTES):
        path = ("/" + unit * length)[: length - 1] + "c"
        # Four lines a character, one a segment, and what a match takes once.
        assert lines_run(pattern, path) <= 5 * len(path) + 60, (kind, length)


def test_the_longest_pattern_against_the_longest_path_still_gives_the_right_answer() -> None:
    text = "/" + "*a" * 511
    pattern = PathPattern.parse(text)
    assert len(text) == MAX_PATTERN_BYTES - 1

    assert pattern.is_match("/" + "a" * (MAX_PATH_BYTES - 1))
    assert pattern.is_match("/" + "a" * 1022)
    assert not pattern.is_match("/" + "a" * 1021)
    assert not pattern.is_match("/" + "a" * (MAX_PATH_BYTES - 2) + "b")


def test_a_path_over_the_limit_is_not_walked() -> None:
    pattern = PathPattern.parse("/**a**b*c")
    assert lines_run(pattern, "/" + "ab" * 1_000_000 + "c") < 60


# --- against a slow matcher that is obviously right ---------------------------------------


def reference_match(parts: tuple[str, ...], path: str) -> bool:
    """Try every way to share the path out among the parts."""
    if not parts:
        return path == ""
    first, rest = parts[0], parts[1:]
    if first == "**":
        return any(reference_match(rest, path[cut:]) for cut in range(len(path) + 1))
    if first == "*" or first.startswith("{"):
        runs = (cut for cut in range(1, len(path) + 1) if "/" not in path[:cut])
        return any(reference_match(rest, path[cut:]) for cut in runs)
    return path.startswith(first) and reference_match(rest, path[len(first) :])


def reference_is_clean(path: str) -> bool:
    """Decode without end; every form on the way must be clean, and have as many slashes."""
    if not path.startswith("/"):
        return False
    segments = path[1:].split("/")
    if "" in segments[:-1] or {".", ".."} & {segment.split(";")[0] for segment in segments}:
        return False
    if any(ord(character) < 32 or character in "\x7f\\" for character in path):
        return False
    decoded = environ_path(path.encode("latin-1"))
    if decoded == path:
        return True
    return len(decoded.split("/")) == len(segments) + 1 and reference_is_clean(decoded)


def are_stars_merged(parts: Sequence[str]) -> bool:
    """Whether the text of the parts would be read as other parts."""
    return any(a.endswith("*") and b.startswith("*") for a, b in itertools.pairwise(parts))


part = st.one_of(st.sampled_from(["*", "**", "{x}", "/"]), st.text("ab./", min_size=1, max_size=3))
small_path = st.text("ab/.", max_size=10).map("/".__add__)


@given(st.lists(part, max_size=6), small_path)
@example(["**", "{x}"], "/a")
@example(["{x}", "**", "{x}"], "/ab")
@example(["**", "/", "**"], "/a/b")
@example(["a", "*", "a"], "/aa")
@example(["**", "a", "**", "b"], "/ab/aab")
def test_the_matcher_agrees_with_a_slow_and_plain_one(parts: list[str], path: str) -> None:
    assume(not are_stars_merged(parts))
    text = "/" + "".join(parts)
    expected = reference_is_clean(path) and reference_match(("/", *parts), path)
    try:
        is_match = PathPattern.parse(text).is_match(path)
    except ValueError:
        is_match = False  # a pattern is refused only if it meets no clean path
    assert is_match == expected


def test_the_matcher_agrees_with_the_plain_one_on_every_short_path_and_pattern() -> None:
    words = ["*", "**", "{x}", "a", "b", "/"]
    candidates = [
        "/" + "".join(letters)
        for length in range(6)
        for letters in itertools.product("ab/", repeat=length)
    ]
    clean = [path for path in candidates if reference_is_clean(path)]
    for length in range(5):
        for parts in itertools.product(words, repeat=length):
            text = "/" + "".join(parts)
            if are_stars_merged(parts) or "//" in text:
                continue
            pattern = PathPattern.parse(text)
            wrong = [
                path
                for path in clean
                if pattern.is_match(path) != reference_match(("/", *parts), path)
            ]
            assert wrong == [], text


@given(st.text("a./%25;efEF0\\\t", max_size=14).map("/".__add__))
@example("/a%252e")
@example("/%2e%2e")
@example("/%%32e")
def test_what_is_clean_stays_clean_however_often_it_is_decoded(path: str) -> None:
    # One way only: a path may be refused that endless decoding would do no harm to.
    if is_clean(path):
        assert reference_is_clean(path)
    elif "%" not in path:
        assert not reference_is_clean(path)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_text_makes_parsing_or_matching_raise_anything_unexpected(text: str, path: str) -> None:
    try:
        pattern = PathPattern.parse("/" + text)
    except ValueError:
        return
    pattern.is_match(path)
    pattern.is_match("/" + path)
    PathPattern.parse("/*" + "/**").is_match("/" + path)


@given(st.text("aé€😀 -_~", min_size=1, max_size=20))
def test_a_literal_pattern_meets_its_own_path(name: str) -> None:
    path = environ_path(f"/{name}")
    assert PathPattern.parse(f"/{name}").is_match(path)
    assert PathPattern.parse("/*").is_match(path)
    assert not PathPattern.parse(f"/{name}").is_match(path + "/")


# --- the path of a request ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"SCRIPT_NAME": "", "PATH_INFO": "/servers"}, "/servers"),
        ({"PATH_INFO": "/servers"}, "/servers"),
        ({"SCRIPT_NAME": "/v2.1", "PATH_INFO": "/servers"}, "/v2.1/servers"),
        ({"SCRIPT_NAME": "/v2.1", "PATH_INFO": ""}, "/v2.1"),
        ({"SCRIPT_NAME": "/v2.1"}, "/v2.1"),
        ({"SCRIPT_NAME": "/a", "PATH_INFO": "//b"}, "/a//b"),
        ({}, ""),
        ({"SCRIPT_NAME": "/v2", "PATH_INFO": "x/servers"}, ""),
        ({"SCRIPT_NAME": "/v2", "PATH_INFO": "*"}, ""),
        ({"SCRIPT_NAME": "/", "PATH_INFO": "servers"}, ""),
        ({"SCRIPT_NAME": "/v2/", "PATH_INFO": "/servers"}, ""),
        ({"SCRIPT_NAME": "v2", "PATH_INFO": "/servers"}, ""),
        ({"SCRIPT_NAME": "", "PATH_INFO": "http://127.0.0.1/servers"}, ""),
        ({"SCRIPT_NAME": None, "PATH_INFO": "/servers"}, ""),
        ({"PATH_INFO": b"/servers"}, ""),
    ],
)
def test_the_path_of_access_rules_is_script_name_and_path_info(
    environ: dict[str, object], path: str
) -> None:
    assert access_path(environ) == path


# --- public paths -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "method", "path", "is_public"),
    [
        ("/healthcheck", "GET", "/healthcheck", True),
        ("/healthcheck", "HEAD", "/healthcheck", True),
        ("/healthcheck", "POST", "/healthcheck", False),
        ("/healthcheck", "OPTIONS", "/healthcheck", False),
        ("/healthcheck", "get", "/healthcheck", False),
        ("/healthcheck", "GET", "/healthcheck/", False),
        ("/healthcheck", "GET", "//healthcheck", False),
        ("/healthcheck", "GET", "/servers/../healthcheck", False),
        ("/healthcheck", "GET", "/healthcheck\n", False),
        ("GET /healthcheck", "GET", "/healthcheck", True),
        ("GET /healthcheck", "HEAD", "/healthcheck", False),
        ("  POST   /hooks/* ", "POST", "/hooks/1", True),
        ("POST /hooks/*", "GET", "/hooks/1", False),
        ("POST /hooks/*", "POST", "/hooks/1/2", False),
        ("/docs/**", "HEAD", "/docs/a/b", True),
        ("/docs/**", "GET", "/docs/../servers", False),
        ("/docs/**", "GET", "/docs/%2e%2e/servers", False),
        ("/{version}/info", "GET", "/v1/info", True),
        ("/", "GET", "/", True),
        ("/", "GET", "", False),
        ("/café", "GET", environ_path("/caf%c3%a9"), True),
        ("/café", "GET", environ_path("/caf%e9"), False),
    ],
)
def test_a_public_path_is_open_to_the_methods_it_says(
    entry: str, method: str, path: str, *, is_public: bool
) -> None:
    assert PublicPaths.parse([entry]).is_match(method, path) is is_public


def test_public_paths_without_a_wildcard_are_one_set() -> None:
    public = PublicPaths.parse(["/healthcheck", "POST /hooks", "/docs/*"])

    assert public.literal == {
        ("GET", "/healthcheck"),
        ("HEAD", "/healthcheck"),
        ("POST", "/hooks"),
    }
    assert [(method, pattern.text) for method, pattern in public.wildcard] == [
        ("GET", "/docs/*"),
        ("HEAD", "/docs/*"),
    ]


def test_no_public_paths_are_false_and_open_nothing() -> None:
    assert not PublicPaths.parse([])
    assert not PublicPaths().is_match("GET", "/")
    assert PublicPaths.parse(["/healthcheck"])
    assert PublicPaths.parse(["/docs/*"])


@pytest.mark.parametrize(
    "entry", ["", "get /x", "GET, HEAD /x", "* /x", "GET /a /b", "G\u00c9T /x"]
)
def test_an_entry_of_neither_form_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match='is neither a path such as "/healthcheck"'):
        PublicPaths.parse(["/fine", entry])


@pytest.mark.parametrize("entry", ["/**", "/*", "GET /{all}", "/*/**", "/{a}{b}/"])
def test_an_entry_that_would_open_everything_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"names no path: it would open the whole service$"):
        PublicPaths.parse([entry])


def test_an_unusable_pattern_among_public_paths_is_refused() -> None:
    with pytest.raises(ValueError, match=r"path pattern '/a//b' can never match"):
        PublicPaths.parse(["/a//b"])
    with pytest.raises(ValueError, match="path pattern 'healthcheck' does not start with"):
        PublicPaths.parse(["healthcheck"])
