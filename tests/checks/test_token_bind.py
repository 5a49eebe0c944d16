"""Which requests a bound token may come with, under each policy."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from authmw.checks.token_bind import (
    CERTIFICATE,
    KERBEROS,
    BindPolicy,
    compute_thumbprints,
    verify_binding,
)
from authmw.errors import InvalidToken
from authmw.token import Token
from tests.support.certificates import Authority
from tests.support.programs import run_python
from tests.support.token_bodies import EXPIRES_AT, make_body

NEGOTIATED = {"AUTH_TYPE": "Negotiate", "REMOTE_USER": "ada@EXAMPLE.ORG"}
KERBEROS_BOUND = {"bind": {KERBEROS: "ada@EXAMPLE.ORG"}}
STRANGE_BOUND = {"bind": {"retina": "brown"}}
BOTH_BOUND = {"bind": {KERBEROS: "ada@EXAMPLE.ORG", "retina": "brown"}}

POLICIES = ("disabled", "permissive", "strict", "required", "kerberos", CERTIFICATE, "retina")


def read(**members: Any) -> Token:
    return Token.from_body(
        make_body(**members), None, answered_at=0, fresh_until=EXPIRES_AT, usable_until=EXPIRES_AT
    )


def find_refusal(policy: str, token: Token, environ: dict[str, Any]) -> str | None:
    try:
        verify_binding(BindPolicy.parse(policy), token, environ)
    except InvalidToken as refusal:
        return f"{refusal.reason.name}: {refusal.detail}"
    return None


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A certificate as mod_ssl hands it over."""
    return Authority(tmp_path_factory.mktemp("client"), "client").cafile.read_text()


def rfc_thumbprint(pem: str) -> str:
    """RFC 8705 §3.1, word for word."""
    digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def ask_keystone(texts: list[str]) -> list[str]:
    """Have Keystone's own code compute thumbprints, in a process of its own."""
    program = (
        "import json, sys; from keystone.common.utils import get_certificate_thumbprint as f;"
        "print(json.dumps([f(text) for text in json.load(sys.stdin)]))"
    )
    done = run_python("-W", "ignore", "-c", program, stdin=json.dumps(texts))
    thumbprints: list[str] = json.loads(done.stdout)
    return thumbprints


# What a token is bound by, what the request shows, and the policies that let it pass.
PASSES: list[tuple[dict[str, Any], dict[str, Any], set[str]]] = [
    ({}, {}, {"disabled", "permissive", "strict"}),
    ({"bind": {}}, NEGOTIATED, {"disabled", "permissive", "strict"}),
    ({"oauth2_credential": {}}, {}, {"disabled", "permissive", "strict"}),
    (
        KERBEROS_BOUND,
        NEGOTIATED,
        {"disabled", "permissive", "strict", "required", "kerberos"},
    ),
    (
        KERBEROS_BOUND,
        {**NEGOTIATED, "AUTH_TYPE": "NEGOTIATE"},
        {"disabled", "permissive", "strict", "required", "kerberos"},
    ),
    (KERBEROS_BOUND, {}, {"disabled"}),
    (KERBEROS_BOUND, {"AUTH_TYPE": "Negotiate"}, {"disabled"}),
    (KERBEROS_BOUND, {"REMOTE_USER": "ada@EXAMPLE.ORG"}, {"disabled"}),
    (KERBEROS_BOUND, {**NEGOTIATED, "AUTH_TYPE": "Basic"}, {"disabled"}),
    (KERBEROS_BOUND, {**NEGOTIATED, "REMOTE_USER": "ADA@EXAMPLE.ORG"}, {"disabled"}),
    (
        KERBEROS_BOUND,
        {"HTTP_AUTH_TYPE": "Negotiate", "HTTP_REMOTE_USER": "ada@EXAMPLE.ORG"},
        {"disabled"},
    ),
    ({"bind": {KERBEROS: None}}, {"AUTH_TYPE": "Negotiate", "REMOTE_USER": ""}, {"disabled"}),
    ({"bind": {KERBEROS: None}}, {"AUTH_TYPE": "Negotiate"}, {"disabled"}),
    ({"bind": {KERBEROS: ""}}, {"AUTH_TYPE": "Negotiate", "REMOTE_USER": ""}, {"disabled"}),
    (STRANGE_BOUND, {}, {"disabled", "permissive"}),
    (BOTH_BOUND, NEGOTIATED, {"disabled", "permissive"}),
    (BOTH_BOUND, {}, {"disabled"}),
]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(("members", "environ", "passes"), PASSES)
def test_each_policy_lets_pass_what_it_promises(
    members: dict[str, Any], environ: dict[str, Any], passes: set[str], policy: str
) -> None:
    token = read(**members)
    assert (find_refusal(policy, token, environ) is None) is (policy in passes)
    assert token.is_bound is bool(members.get("bind"))


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("shown", ["own", "other", "none", "empty", "forged"])
def test_a_token_bound_to_a_certificate_needs_that_very_certificate(
    policy: str, shown: str, pem: str, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other").cafile.read_text()
    environ = {
        "own": {"SSL_CLIENT_CERT": pem},
        "other": {"SSL_CLIENT_CERT": other},
        "none": {},
        "empty": {"SSL_CLIENT_CERT": ""},
        "forged": {"HTTP_SSL_CLIENT_CERT": pem, "HTTP_X_SSL_CLIENT_CERT": pem},
    }[shown]
    token = read(oauth2_credential={"x5t#S256": rfc_thumbprint(pem)})
    passes = {"disabled"}
    if shown == "own":
        passes |= {"permissive", "strict", "required", CERTIFICATE}
    assert token.is_bound
    assert (find_refusal(policy, token, environ) is None) is (policy in passes)


@pytest.mark.parametrize(
    ("policy", "members", "environ", "detail"),
    [
        ("required", {}, {}, "it is not bound, and enforce_token_bind requires a binding"),
        (
            "kerberos",
            STRANGE_BOUND,
            {},
            "it is not bound by kerberos, as enforce_token_bind req",
        ),
        ("strict", STRANGE_BOUND, {}, "it is bound by a mechanism that can't be checked here"),
        ("strict", KERBEROS_BOUND, {}, "it is bound by kerberos, and the request was not nego"),
        (
            "strict",
            KERBEROS_BOUND,
            {**NEGOTIATED, "REMOTE_USER": "eve"},
            "it is bound by kerberos to another user than REMOTE_USER",
        ),
        (
            "strict",
            {"oauth2_credential": {"x5t#S256": "t"}},
            {},
            "it is bound to a certificate, and SSL_CLIENT_CERT holds none",
        ),
        (
            "strict",
            {"oauth2_credential": {"x5t#S256": ""}},
            {"SSL_CLIENT_CERT": "no certificate"},
            "it is bound to another certificate than SSL_CLIENT_CERT",
        ),
    ],
)
def test_the_log_is_told_what_was_wrong(
    policy: str, members: dict[str, Any], environ: dict[str, Any], detail: str
) -> None:
    refusal = find_refusal(policy, read(**members), environ)
    assert refusal is not None
    assert refusal.startswith(f"WRONG_BINDING: {detail}")


def test_a_certificate_is_known_however_the_server_in_front_folds_it(pem: str) -> None:
    lines = pem.splitlines()
    percent = pem.replace("\n", "%0A").replace(" ", "%20").replace("+", "%2B").replace("/", "%2F")
    folded = {
        "mod_ssl": pem,
        "without the last line break": pem.rstrip(),
        "nginx $ssl_client_cert": "\n\t".join(lines),
        "nginx through a proxy": " ".join(lines),
        "tabs": "\t".join(lines),
        "Windows": "\r\n".join(lines) + "\r\n",
        "one line": lines[0] + "".join(lines[1:-1]) + lines[-1],
        "nginx $ssl_client_escaped_cert": percent,
    }
    for how, text in folded.items():
        assert rfc_thumbprint(pem) in compute_thumbprints(text), how


@pytest.mark.heavy
def test_the_thumbprint_as_keystone_computes_it_is_known(pem: str) -> None:
    """It hashes the PEM text, not the DER encoding, and pads."""
    folded = [pem, pem.rstrip(), pem.replace("\n", "\n\t")]
    for text, theirs in zip(folded, ask_keystone(folded), strict=True):
        assert theirs.endswith("=")
        assert theirs.rstrip("=") != rfc_thumbprint(pem)
        token = read(oauth2_credential={"x5t#S256": theirs})
        assert find_refusal(CERTIFICATE, token, {"SSL_CLIENT_CERT": text}) is None
        if text.startswith(pem.rstrip()):
            elsewhere = {"SSL_CLIENT_CERT": pem.replace("\n", " ")}
            assert find_refusal(CERTIFICATE, token, elsewhere) is None, "another kind of server"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(null)",
        "-----BEGIN CERTIFICATE-----\n*\n-----END CERTIFICATE-----",
        "%",
        "%ff%fe",
        "Zm9v\u20ac",
    ],
)
def test_what_is_no_certificate_has_no_thumbprint(text: str) -> None:
    assert compute_thumbprints(text) == frozenset()


def test_two_certificates_are_not_one(pem: str) -> None:
    assert compute_thumbprints(pem + pem) == frozenset()
