"""Explains a signed token of an issuer rule by rule, using the service's own code."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

from authmw.build.issuers import make_document_fetcher, make_key_reader
from authmw.cli.explanation import Explanation, Finding, describe_key
from authmw.cli.key_sources import read_source
from authmw.config.issuer_settings import IssuerSettings
from authmw.config.settings import Settings
from authmw.errors import IdentityUnavailable, InvalidToken, KeysUnavailable, Reason
from authmw.issuers.access_token import AccessToken, judge_access_token, verify_access_token
from authmw.issuers.record import Issuer
from authmw.issuers.table import IssuerTable
from authmw.issuers.token_body import make_token_body
from authmw.jose.base64url import decode_base64url
from authmw.jose.jws import (
    JWT_TYPES,
    CompactJws,
    find_verifying_key,
    parse_claims,
    parse_compact,
)
from authmw.jose.key_set import KeySet
from authmw.jose.strict_json import parse_json_object
from authmw.runtime.fingerprint import fingerprint

_NOT_ACCEPTED = "the token is not accepted, so that its body is not made"


def explain_by_issuer(token: str, settings: Settings, now: float) -> Explanation | None:
    """Apply the rules of a service with these settings to a token.

    Args:
        token: without surrounding white space; untrusted.
        settings: of the service, with issuers.
        now: epoch seconds.

    Returns None if the token is Keystone's, or would be: it says no issuer.

    Raises:
        KeysUnavailable: the issuer's keys cannot be read.
    """
    explanation = Explanation(fingerprint(token), now, "")
    table = IssuerTable(record for issuer in settings.issuers for record in issuer.records)
    accepts_keystone = settings.auth is not None or settings.has_key_source
    if token.count(".") != 2:
        if accepts_keystone and table.introspected is None:
            return None
        explanation.findings.append(Finding("form", "", _refuse_opaque(table)))
        return explanation
    with contextlib.suppress(ValueError):
        explanation.header = parse_json_object(decode_base64url(token.partition(".")[0]))
    try:
        jws = _parse(token, settings, table)
        explanation.findings.append(Finding("form", "three segments, and a header that is read"))
        claims = explanation.claims = parse_claims(jws)
    except InvalidToken as refusal:
        explanation.findings.append(Finding("form", "", refusal))
        return explanation
    if accepts_keystone and table.is_keystones(claims, settings.jws_issuer):
        return None
    try:
        issuer = table.find_issuer(claims)
    except InvalidToken as refusal:
        explanation.findings.append(Finding("issuer", "", refusal))
        return explanation
    (section,) = [one for one in settings.issuers if issuer in one.records]
    described = f"[{section.section}], profile {issuer.profile.name}"
    explanation.findings.append(Finding("issuer", described))
    if issuer.profile.is_introspected:
        explanation.findings.append(Finding("form", "", _refuse_opaque(table)))
        return explanation
    explanation.findings += _judge(explanation, jws, settings, section, issuer)
    return explanation


def _parse(token: str, settings: Settings, table: IssuerTable) -> CompactJws:
    types = JWT_TYPES.union({"at+jwt"}, *(issuer.profile.types for issuer in table))
    return parse_compact(token, max_size=settings.max_token_size, types=types)


def _refuse_opaque(table: IssuerTable) -> IdentityUnavailable | InvalidToken:
    if table.introspected is None:
        return InvalidToken(Reason.MALFORMED, "it is not signed: no issuer is asked about tokens")
    return IdentityUnavailable(
        f"issuer {table.introspected.name} is asked about it (RFC 7662), which this command is not"
    )


def _judge(
    explanation: Explanation,
    jws: CompactJws,
    settings: Settings,
    section: IssuerSettings,
    issuer: Issuer,
) -> Iterator[Finding]:
    name, accepted = jws.header.algorithm.name, issuer.profile.algorithms
    refusal = None
    if name not in accepted:
        detail = f"{name} is none of {', '.join(sorted(accepted))}"
        refusal = InvalidToken(Reason.BAD_SIGNATURE, detail)
    yield Finding("algorithm", f"{name} is one of this issuer's", refusal)
    yield _find_key(explanation, jws, settings, section, issuer)
    claims, header = explanation.claims or {}, jws.header
    now = explanation.now
    judged = judge_access_token(issuer, typ=header.typ, kid=header.kid, claims=claims, now=now)
    for rule, refused in judged:
        yield Finding(rule, "as it must be", refused)
    try:
        verified = verify_access_token(
            issuer, typ=header.typ, kid=header.kid, claims=claims, now=now
        )
        explanation.remark = _describe_caller(verified)
    except InvalidToken as refused_for:
        if explanation.refusal is None:
            yield Finding("token body", _NOT_ACCEPTED, refused_for)


def _find_key(
    explanation: Explanation,
    jws: CompactJws,
    settings: Settings,
    section: IssuerSettings,
    issuer: Issuer,
) -> Finding:
    reader = make_key_reader(section, issuer, make_document_fetcher(settings, section))
    try:
        found = read_source(reader)
    except IdentityUnavailable as error:
        raise KeysUnavailable(f"{reader.location}: {error}") from error
    keys = KeySet(found.keys)
    tried = keys.choose(jws.header.algorithm.name, jws.header.kid, settings.jws_max_keys)
    key = explanation.key = find_verifying_key(jws, tried)
    if key is not None:
        return Finding("signature", describe_key(key))
    detail = (
        f"no key of this issuer verifies the signature: {len(keys.keys)} found at "
        f"{reader.location}, {len(tried)} of them tried"
    )
    return Finding("signature", "", InvalidToken(Reason.BAD_SIGNATURE, detail))


def _describe_caller(verified: AccessToken) -> str:
    """Say what a service is told, and what else a request with this token needs."""
    if verified.issuer.profile.mapping is None:
        return "its user and roles come from jws_authority"
    body = make_token_body(verified)
    told: dict[str, object] = {}
    for name, value in body.items():
        if name in ("user", "project", "domain", "system"):
            told[name] = value
    roles = body["roles"]
    if isinstance(roles, list):
        told["roles"] = [role["name"] for role in roles]
    told["oauth_scope"] = sorted(verified.oauth_scope)
    needs = ""
    if verified.thumbprint is not None:
        needs += "; a request needs the certificate that it is bound to"
    if verified.key_thumbprint is not None:
        needs += "; a request needs a DPoP proof by the key that it is bound to"
    return f"the service is told {json.dumps(told)}{needs}"
