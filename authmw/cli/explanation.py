"""Explains rule by rule what a service does with a signed token, using the service's own code."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from authmw.authority.keystone_claims import parse_keystone_claims
from authmw.checks.token_string import verify_token_string
from authmw.config.settings import Settings
from authmw.doctor.times import describe_time, explain_times
from authmw.errors import AuthmwError, IdentityUnavailable, InvalidToken, Reason
from authmw.jose.base64url import decode_base64url
from authmw.jose.jws import CompactJws, find_verifying_key, parse_claims, parse_compact
from authmw.jose.key_set import KeySet
from authmw.jose.public_key import PublicKey
from authmw.jose.registered_claims import MAX_NUMERIC_DATE, ClaimRules
from authmw.jose.strict_json import parse_json_object
from authmw.keys.source import FoundKeys
from authmw.runtime.fingerprint import fingerprint

# A claim may hold anything, even a token: the part shown is too short for one.
_LONGEST_TEXT = 100
_LONGEST_VALUE = 2000
_TIMES = ("iat", "exp", "nbf")
_ASKED_LATER = (
    "its user, project and roles are asked of jws_authority = {authority}, revocation events of "
    "the identity service: neither was looked at here"
)

Members = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one rule; `refusal` is None if the token passes."""

    rule: str
    detail: str
    refusal: AuthmwError | None = None


@dataclass(slots=True)
class Explanation:
    """The result of all rules for one token, offline.

    Attributes:
        name: the token's fingerprint.
        remark: what a service would do with the token beyond these rules.
        key: the key that verified the signature; None: none has.
        header, claims: of the token; None if they cannot be read.
        findings: one for each rule applied, in the order of a service.
    """

    name: str
    now: float
    remark: str
    key: PublicKey | None = None
    header: Members | None = None
    claims: Members | None = None
    findings: list[Finding] = field(default_factory=list)

    @property
    def refusal(self) -> AuthmwError | None:
        """The reason for a refusal; None if the token is accepted."""
        return next((one.refusal for one in self.findings if one.refusal is not None), None)

    @property
    def is_accepted(self) -> bool:
        return self.refusal is None

    def render(self) -> str:
        """Return the explanation as text, without the token and its signature."""
        doubt = "" if self.key is not None else "  (NOT VERIFIED: anyone can have written this)"
        lines = [f"token {self.name}"]
        for title, members in (("header", self.header), ("claims", self.claims)):
            if members is not None:
                lines += ["", title + doubt, *self._render_members(members)]
        lines += ["", "rules"]
        for finding in self.findings:
            verdict = "passed" if finding.refusal is None else "FAILED"
            said = explain_times(str(finding.refusal), self.now) if finding.refusal else ""
            lines.append(f"  {verdict}  {finding.rule}: {said or finding.detail}")
        refused = f"refused: {explain_times(str(self.refusal), self.now)}"
        lines += ["", refused if self.refusal else f"accepted; {self.remark}"]
        return "\n".join(lines)

    def make_document(self) -> dict[str, object]:
        """Return the object of the JSON output, without the token and its signature."""
        return {
            "token": self.name,
            "accepted": self.is_accepted,
            "verified": self.key is not None,
            "header": self.header and {name: _shorten(one) for name, one in self.header.items()},
            "claims": self.claims and {name: _shorten(one) for name, one in self.claims.items()},
            "rules": [
                {
                    "rule": finding.rule,
                    "passed": finding.refusal is None,
                    "detail": str(finding.refusal or finding.detail),
                }
                for finding in self.findings
            ],
            "refusal": None if self.refusal is None else str(self.refusal),
            "remark": self.remark,
        }

    def _render_members(self, members: Members) -> Iterator[str]:
        width = max((len(json.dumps(name)) - 2 for name in members), default=0)
        for name, value in members.items():
            shown = json.dumps(_shorten(value))
            if len(shown) > _LONGEST_VALUE:
                shown = f"{shown[:_LONGEST_VALUE]}... ({len(shown)} characters)"
            if name in _TIMES and type(value) is int and 0 <= value <= MAX_NUMERIC_DATE:
                shown += f"  {describe_time(value, self.now)}"
            yield f"  {json.dumps(name)[1:-1].ljust(width)}  {shown}"


def _shorten(value: object) -> object:
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"{value[: _LONGEST_TEXT // 2]}... ({len(value)} characters)"
    if isinstance(value, list):
        return [_shorten(one) for one in value]
    if isinstance(value, dict):
        return {_shorten(name): _shorten(one) for name, one in value.items()}
    return value


def explain(token: str, keys: FoundKeys, settings: Settings, now: float) -> Explanation:
    """Apply the rules of a service with these settings to a token.

    Args:
        token: without surrounding white space; untrusted.
        keys: the public keys found, with files skipped and warnings.
        settings: of the service.
        now: epoch seconds.
    """
    remark = _ASKED_LATER.format(authority=",".join(settings.jws_authority))
    explanation = Explanation(fingerprint(token), now, remark)
    try:
        for finding in _apply_rules(token, KeySet(keys.keys), settings, explanation):
            explanation.findings.append(finding)
    except _Stop as stop:
        explanation.findings.append(stop.finding)
    return explanation


class _Stop(Exception):
    """A rule failed, and the next ones cannot be applied."""

    def __init__(self, finding: Finding) -> None:
        super().__init__()
        self.finding = finding


def _apply_rules(
    token: str, keys: KeySet, settings: Settings, explanation: Explanation
) -> Iterator[Finding]:
    """Apply the rules in a service's order; store header, claims and key in `explanation`."""
    with contextlib.suppress(ValueError):
        explanation.header = parse_json_object(decode_base64url(token.partition(".")[0]))
    jws = _parse(token, settings)
    yield Finding("form", "three segments, and a protected header that is accepted")
    # Read only to be shown: a service reads no payload before its signature is verified.
    try:
        claims = explanation.claims = parse_claims(jws)
        unreadable = None
    except InvalidToken as refusal:
        claims, unreadable = {}, refusal
    yield _judge_algorithm(jws, settings)
    explanation.key = _find_key(jws, keys, settings)
    yield Finding("signature", describe_key(explanation.key))
    if unreadable is not None:
        raise _Stop(Finding("claims", "", unreadable))
    yield from _judge_claims(claims, settings, explanation.now)


def _parse(token: str, settings: Settings) -> CompactJws:
    try:
        if "." not in token:
            raise InvalidToken(
                Reason.MALFORMED,
                "it is not signed (no dot in it): only the identity service can say more",
            )
        verify_token_string(token, settings.max_token_size)
        return parse_compact(token, max_size=settings.max_token_size)
    except InvalidToken as refusal:
        raise _Stop(Finding("form", "", refusal)) from None


def _judge_algorithm(jws: CompactJws, settings: Settings) -> Finding:
    name, accepted = jws.header.algorithm.name, settings.jws_accepted_algorithms
    if name in accepted:
        return Finding("algorithm", f"{name} is in jws_accepted_algorithms")
    detail = f"{name} is not in jws_accepted_algorithms ({', '.join(accepted)})"
    return Finding("algorithm", "", InvalidToken(Reason.BAD_SIGNATURE, detail))


def _find_key(jws: CompactJws, keys: KeySet, settings: Settings) -> PublicKey:
    tried = keys.choose(jws.header.algorithm.name, jws.header.kid, settings.jws_max_keys)
    key = find_verifying_key(jws, tried)
    if not keys:
        outage = IdentityUnavailable("there is no usable public key: a service answers 503")
        raise _Stop(Finding("signature", "", outage))
    if key is None:
        count = len(keys.keys)
        found = f"{count} public {'key' if count == 1 else 'keys'} found, {len(tried)} tried"
        detail = f"no public key verifies the signature: {found}"
        raise _Stop(Finding("signature", "", InvalidToken(Reason.BAD_SIGNATURE, detail)))
    return key


def describe_key(key: PublicKey) -> str:
    """Return where a key is from, and what names it."""
    kid = f", kid {json.dumps(key.kid)}" if key.kid is not None else ""
    return f"verified by {key.source}{kid}, thumbprint {key.thumbprint}"


def _judge_claims(claims: Members, settings: Settings, now: float) -> Iterator[Finding]:
    rules = ClaimRules(settings.jws_issuer, settings.jws_audience, settings.clock_skew_tolerance)
    # Each rule is applied alone, with other claims that no rule refuses.
    acceptable: dict[str, object] = {"iat": 0, "exp": MAX_NUMERIC_DATE}
    lax = replace(rules, issuer=None, audience=None)
    for rule, name, applied in (
        ("issue time", "iat", lax),
        ("expiry", "exp", lax),
        ("not before", "nbf", lax),
        ("issuer", "iss", replace(rules, audience=None)),
        ("audience", "aud", replace(rules, issuer=None)),
    ):
        alone = {key: value for key, value in acceptable.items() if key != name}
        if name in claims:
            alone[name] = claims[name]
        detail = _describe_claim(name, claims, now)
        yield _judge(rule, detail, functools.partial(applied.verify, alone, now))
    yield _judge(
        "keystone",
        "user, methods, audit ids and scope are there",
        lambda: parse_keystone_claims(claims),
    )


def _describe_claim(name: str, claims: Members, now: float) -> str:
    if name not in claims:
        return f"no {name!r}, and none is needed"
    value = claims[name]
    return describe_time(value, now) if type(value) is int else f"{name!r} is as it must be"


def _judge(rule: str, detail: str, verify: Callable[[], object]) -> Finding:
    try:
        verify()
    except InvalidToken as refusal:
        return Finding(rule, "", refusal)
    return Finding(rule, detail)
