"""Every difference to keystonemiddleware's auth_token that is meant, with its reason.

A row stands here only where the peer is wrong or weaker. It covers as little as it can: the
fact, what both sides say, and in which requests. Every difference that is found has to be
covered by exactly one row, and every row has to cover one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from authmw.errors import Reason
from authmw.rejection import Rejection
from authmw.token import Token
from tests.system.peer.cases import FORGED, Case
from tests.system.peer.comparison import ABSENT, Difference


@dataclass(frozen=True, slots=True)
class Row:
    """One intended difference.

    Attributes:
        covers: whether a difference found in a case is this one.
        ours, peers: what each does, in words.
        is_pending: it ends when something is built that is not yet; the reason says what.
    """

    name: str
    covers: Callable[[Case, Difference], bool]
    ours: str
    peers: str
    reason: str
    is_pending: bool = False


_SYSTEM_SCOPE = "environ HTTP_OPENSTACK_SYSTEM_SCOPE"

# Paths of `cases.REFUSED_REQUESTS` that are close to a rule and not what it says.
_PATHS_BESIDE_RULES = ("/v1/list-json", "/v1/files/../items", "/v1/files//a")

_WITHOUT_ANSWER = (
    *("silent", "silent-delay", "no-endpoint"),
    *("no-credentials", "no-credentials-no-uri"),
)

_ROLE_HEADERS = ("environ HTTP_X_ROLES", "environ HTTP_X_ROLE")

# The answer of `sides.ANSWERS["fails-late"]` as the server should get it.
_FAULT_PASSED_ON = (
    ("status", "500 Oops"),
    ("header content-type", ["text/plain"]),
    ("body", b"oops\n"),
    ("exc_info", True),
    ("raised", None),
)


def _is_told_apart(case: Case, difference: Difference) -> bool:
    """Tell whether the user token's system scope was kept where the service's replaced it."""
    said = (difference.ours, difference.peers)
    return (
        difference.fact == _SYSTEM_SCOPE
        and case.service is not None
        and (said == ("all", None) or said == (ABSENT, "all"))
    )


def _is_without_comma_role(case: Case, difference: Difference) -> bool:
    return (
        difference.fact in _ROLE_HEADERS
        and case.token == "role-with-comma"
        and isinstance(difference.peers, str)
        and isinstance(difference.ours, str)
        and sorted([*difference.ours.split(","), "stock", "admin"]) == difference.peers.split(",")
    )


_TOKEN_AUTH = "environ keystone.token_auth"


def _is_refused_token_kept(case: Case, difference: Difference) -> bool:
    """Tell whether the peer's plugin describes a token that both sides refused."""
    refused = {
        "user": case.verdict.startswith("Invalid"),
        "service": case.verdict.endswith("service Invalid"),
    }
    said = (difference.ours, difference.peers)
    return any(
        (difference.fact == f"{_TOKEN_AUTH} has_{whose}_token" and said == (False, True))
        or (difference.fact == f"{_TOKEN_AUTH} {whose}" and said == (None, ABSENT))
        or (difference.fact.startswith(f"{_TOKEN_AUTH} {whose} ") and difference.ours is ABSENT)
        for whose, is_refused in refused.items()
        if is_refused
    )


ROWS = (
    Row(
        "token-auth-without-refused-tokens",
        _is_refused_token_kept,
        ours="keystone.token_auth never holds a token that was refused",
        peers=(
            "keeps there a token that was found, and then refused: expired, without a service "
            "role, or denied by access rules"
        ),
        reason=(
            "With delay_auth_decision a service that acts with the plugin would act for a caller "
            "whom X-Identity-Status calls Invalid."
        ),
    ),
    Row(
        "token-as-a-record",
        lambda _, found: (
            found.fact == "environ authmw.token"
            and isinstance(found.ours, Token)
            and found.peers is ABSENT
        ),
        ours="adds authmw.token, the validated token as a typed, frozen record",
        peers="has a dict alone",
        reason="An addition under a name of our own.",
    ),
    Row(
        "refusal-is-told",
        lambda _, found: (
            found.fact in ("environ authmw.refused_for", "environ authmw.undecided")
            and isinstance(found.ours, Reason | Rejection)
            and found.peers is ABSENT
        ),
        ours=(
            "adds authmw.refused_for, why a token was refused, or authmw.undecided, the 503 of one "
            "that nobody could validate, with delay_auth_decision"
        ),
        peers="says Invalid alone",
        reason="An addition under names of our own.",
    ),
    Row(
        "token-info-is-the-token-body",
        lambda _, found: (
            found.ours is ABSENT
            and (
                (found.fact, found.peers) == ("environ keystone.token_info token version", "v3")
                or found.fact == "environ keystone.token_info token auth_token"
            )
        ),
        ours="keystone.token_info holds what the Identity API answers, and nothing else",
        peers="adds `version`, and the token itself as `auth_token`",
        reason=(
            "No such members are in the Identity API. Services log and store token_info; the "
            "token does not belong there, and stands in HTTP_X_AUTH_TOKEN for who needs it."
        ),
    ),
    Row(
        "absent-is-no-key",
        lambda _, found: (
            found.fact.startswith("environ HTTP_") and found.ours is ABSENT and found.peers is None
        ),
        ours="leaves out the key of what a token does not say",
        peers="sets the key to None",
        reason="PEP 3333: what stands under an HTTP_ key is a str.",
    ),
    Row(
        "system-scope-is-ours-to-say",
        lambda case, found: (
            found.fact == _SYSTEM_SCOPE
            and "HTTP_OPENSTACK_SYSTEM_SCOPE" in case.forged
            and (found.ours, found.peers) == (ABSENT, FORGED)
        ),
        ours="removes OpenStack-System-Scope from every request, as all names of the contract",
        peers="leaves it where the service decides about an invalid token",
        reason="No identity header that a client made up may reach a service.",
    ),
    Row(
        "system-scope-is-the-user-s",
        _is_told_apart,
        ours="says of the user token's system scope what the user token says",
        peers="takes it from the service token where there is one",
        reason="A service token never changes what the user token said.",
    ),
    Row(
        "stale-token-info-is-removed",
        lambda case, found: (
            found.fact == "environ keystone.token_info"
            and found.fact.removeprefix("environ ") in case.forged
            and (found.ours, found.peers) == (ABSENT, FORGED)
        ),
        ours="removes an earlier filter's keystone.token_info, whatever the token is",
        peers="leaves it beside an invalid token",
        reason="Beside X-Identity-Status: Invalid nothing may say who is calling.",
    ),
    Row(
        "role-name-with-comma-is-not-listed",
        _is_without_comma_role,
        ours="leaves out of X-Roles a name with a comma in it, and says so in the log",
        peers="lists it among the others",
        reason=(
            "Services split X-Roles at commas: such a name would be read as two others. "
            "keystone.token_info has it."
        ),
    ),
    Row(
        "paths-are-read-in-one-way",
        lambda case, found: (
            found.fact == "verdict"
            and case.token == "credential-with-rules"
            and case.path in _PATHS_BESIDE_RULES
            and (found.ours, found.peers) == ("401", "Confirmed")
        ),
        ours=(
            "matches an access rule segment by segment, everything but its wildcards letter by "
            "letter, and never a path that can be read in two ways"
        ),
        peers="matches more than the rule says",
        reason="What no rule allows is refused (Identity API v3, application credentials).",
    ),
    Row(
        "service-role-is-what-passes-access-rules",
        lambda case, found: (
            found.fact == "verdict"
            and case.configuration == "inventory-roles-not-required"
            and case.service == "project"
            and (found.ours, found.peers) == ("401", "Confirmed and service Confirmed")
        ),
        ours=(
            "keeps to the user's access rules beside a service token without a service role, "
            "though service_token_roles_required = false accepts it"
        ),
        peers="lets such a token pass the rules, as the help of that option warns",
        reason="Only who has one of service_token_roles acts for users.",
    ),
    Row(
        "access-rules-without-catalog",
        lambda case, found: (
            found.fact == "verdict"
            and case.configuration == "inventory-no-catalog"
            and case.token == "credential-with-rules"
            and found.ours == case.verdict
            and found.peers == "500 (KeyError)"
        ),
        ours="checks access rules with include_service_catalog = false as well",
        peers="answers 500",
        reason="The rules stand in the token body; the catalog is not needed to check them.",
    ),
    Row(
        "blank-service-token-is-none",
        lambda case, found: (
            found.fact == "verdict"
            and case.service == "blank"
            and found.ours == "Confirmed"
            and found.peers in ("401", "Confirmed and service Invalid")
        ),
        ours="takes an X-Service-Token of white space for an empty one: none was sent",
        peers="takes it for an invalid token, and an empty one for none",
        reason=(
            "White space around a field's value is no part of it (RFC 9110 section 5.5), and "
            "most servers drop it: the answer must not depend on which one is in front."
        ),
    ),
    Row(
        "outage-is-no-500",
        lambda case, found: (
            found.fact == "verdict"
            and case.configuration in _WITHOUT_ANSWER
            and found.ours == case.verdict
            and found.peers
            in ("500 (ConnectTimeout)", "500 (EndpointNotFound)", "500 (MissingAuthPlugin)")
        ),
        ours=(
            "answers 503, or says Invalid where the service decides, whatever failed; and 401 "
            "where no token was sent, since nobody has to be asked for that"
        ),
        peers="answers 500 on time-outs, without an endpoint and without credentials",
        reason="That nobody could say is neither a verdict on the token nor the service's fault.",
    ),
    Row(
        "token-that-no-header-carries-is-refused-unseen",
        lambda case, found: (
            found.fact == "verdict"
            and case.token in ("garbage-with-control", "garbage-with-newline")
            and found.ours == case.verdict
            and found.peers in ("503", "500 (UnknownConnectionError)")
        ),
        ours="refuses a token with a control character in it as any other bad token",
        peers="sends it to the identity endpoint, and takes what comes of it for an outage",
        reason="No field value holds control characters (RFC 9110 section 5.5): it is no token.",
    ),
    Row(
        "outage-is-told-as-errors-are",
        lambda case, found: (
            case.verdict == "503"
            and found.ours is not ABSENT
            and (
                found.fact in ("body", "header content-type", "header content-length")
                or (found.fact == "header retry-after" and found.peers is ABSENT)
            )
        ),
        ours="sends a 503 as JSON, in the form of the 401, with Retry-After",
        peers="sends HTML or text, and no Retry-After",
        reason="API clients parse JSON; Retry-After tells them when (RFC 9110 section 10.2.3).",
    ),
    Row(
        "environ-cache-takes-json",
        lambda case, found: (
            found.fact == "verdict"
            and case.configuration == "text-cache"
            and found.ours == case.verdict
            and found.peers == "500 (TypeError)"
        ),
        ours="puts text into the cache of the environ",
        peers="puts bytes there, which such a cache refuses, and answers 500",
        reason="Caches of that kind keep JSON values; and a cache fault is no request fault.",
    ),
    Row(
        "section-that-nobody-registered",
        lambda case, found: (
            found.fact == "verdict"
            and case.configuration == "section-not-registered"
            and found.ours == case.verdict
            and found.peers == "not started (NoSuchOptError)"
        ),
        ours="reads auth_section from the file",
        peers="starts only where the service has registered that section's options",
        reason="The option's help promises a section of the configuration, without conditions.",
    ),
    Row(
        "what-can-t-be-had-is-refused-at-start",
        lambda case, found: (
            found.fact == "verdict"
            and case.configuration == "version-2"
            and found.ours == "not started"
            and found.peers in ("Confirmed", "401")
        ),
        ours="does not start with auth_version = v2.0, and says what to write instead",
        peers="starts, and uses version 3 all the same",
        reason="Version 2 is no more; an option that is not followed misleads its reader.",
    ),
    Row(
        "answer-is-not-rewritten",
        lambda case, found: (
            case.answer == "redirect"
            and found.fact == "header location"
            and found.ours == ["/v1/items"]
        ),
        ours="passes a relative Location through",
        peers="makes it absolute, from the Host that it saw",
        reason="RFC 9110 section 10.2.2 allows both, and the service knows what it said.",
    ),
    Row(
        "fault-of-the-service-is-passed-on",
        lambda case, found: (
            case.answer == "fails-late" and (found.fact, found.ours) in _FAULT_PASSED_ON
        ),
        ours="hands the service's second start_response, with exc_info, to the server",
        peers="raises what the service had handled",
        reason="PEP 3333: a service may replace its answer until the server has sent headers.",
    ),
)


def find_rows(case: Case, difference: Difference) -> list[Row]:
    """Return the rows that cover a difference: one, if all is as it should be."""
    return [row for row in ROWS if row.covers(case, difference)]
