"""The files that TLS options name: refused at start, or used as the options' help says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
from urllib3 import HTTPSConnectionPool
from webtest import TestApp

from authmw import AuthMiddleware
from authmw.config.loading import load_settings
from authmw.errors import ConfigurationError, IdentityUnavailable
from authmw.identity.documents import DocumentFetcher
from authmw.identity.transport import DeadlineAdapter
from tests.support.certificates import Authority
from tests.support.misbehaving import MisbehavingIdentity

TOKEN = "gAAAA-the-token-of-a-client"


@pytest.fixture(autouse=True)
def bare_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "private")


@pytest.fixture
def identity(authority: Authority) -> Iterator[MisbehavingIdentity]:
    with MisbehavingIdentity(tls=authority.server_context("localhost")).served() as running:
        yield running


def service(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b""]


def options_for(url: str, **options: str) -> dict[str, str]:
    return {
        "auth_type": "password",
        "auth_url": url,
        "username": "nova",
        "password": "secret",
        "user_domain_id": "default",
        "project_name": "service",
        "project_domain_id": "default",
        "http_request_max_retries": "0",
        **options,
    }


def status_for(url: str, **options: str) -> int:
    protected = AuthMiddleware(service, options_for(url, **options))
    response = TestApp(protected).get("/", headers={"X-Auth-Token": TOKEN}, status="*")
    protected.close()
    return int(response.status_int)


def make_faulty(kind: str, directory: Path, authority: Authority) -> dict[str, str]:
    """Return options of which the first names a file that can't be used."""
    path = directory / "file.pem"
    authority.server_context("nova")
    certificate, key, both = map(str, authority.encrypt_key_of("nova"))
    if kind in ("empty", "no certificate"):
        path.write_text("" if kind == "empty" else "nova.example\n")
    elif kind == "broken":
        path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    elif kind == "directory":
        path.mkdir()
    return {
        "encrypted key": {"certfile": both},
        "encrypted key apart": {"keyfile": key, "certfile": certificate},
        "certificate without key": {"certfile": certificate},
        "no keyfile": {"keyfile": str(path), "certfile": certificate},
        "no certfile": {"certfile": str(path)},
    }.get(kind, {"cafile": str(path)})


@pytest.mark.parametrize("prefix", ["", "memcache_tls_"])
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("missing", "No such file"),
        ("empty", "no certificate in this one"),
        ("no certificate", "no certificate in this one"),
        ("broken", "readable PEM file"),
        ("directory", "openssl rehash"),
        ("encrypted key", "without one .openssl pkey"),
        ("encrypted key apart", "without one .openssl pkey"),
        ("certificate without key", "its unencrypted key in it"),
        ("no keyfile", "No such file"),
        ("no certfile", "No such file"),
    ],
)
def test_file_that_tls_can_not_use_stops_the_start(
    prefix: str, kind: str, says: str, tmp_path: Path, authority: Authority
) -> None:
    faulty = {
        f"{prefix}{name}": value for name, value in make_faulty(kind, tmp_path, authority).items()
    }
    memcached = {"memcached_servers": "localhost", "memcache_tls_enabled": "true"} if prefix else {}
    with pytest.raises(ConfigurationError, match=says) as caught:
        AuthMiddleware(service, options_for("https://localhost:1", **memcached, **faulty))
    option, value = next(iter(faulty.items()))
    assert (caught.value.option, caught.value.value) == (option, value)


def test_faulty_file_stops_who_only_fetches_keys(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(ConfigurationError, match="cafile"):
        DocumentFetcher(load_settings({"cafile": missing}))


def test_insecure_passes_over_cafile(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    AuthMiddleware(service, options_for("https://id.example", cafile=missing, insecure="true"))


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_without_cafile_the_system_and_the_environment_are_trusted(
    variable: str,
    identity: MisbehavingIdentity,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert status_for(identity.url) == 503
    monkeypatch.setenv(variable, str(authority.cafile))
    assert status_for(identity.url) == 200


def test_cafile_wins_over_the_environment(
    identity: MisbehavingIdentity,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    stranger = Authority(tmp_path, "stranger")
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(variable, str(authority.cafile))
    assert status_for(identity.url, cafile=str(stranger.cafile)) == 503
    assert status_for(identity.url, cafile=str(authority.cafile)) == 200


@pytest.mark.heavy
def test_cafile_may_be_a_directory_of_hashed_names(
    identity: MisbehavingIdentity, authority: Authority, tmp_path: Path
) -> None:
    # What `openssl rehash` calls it: a hash of the subject.
    name = _hash_of(authority.cafile)
    (tmp_path / f"{name}.0").write_bytes(authority.cafile.read_bytes())
    assert status_for(identity.url, cafile=str(tmp_path)) == 200


def test_keys_are_fetched_with_the_same_trust(
    authority: Authority, identity: MisbehavingIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = DocumentFetcher(load_settings({"http_request_max_retries": "0"}))
    with pytest.raises(IdentityUnavailable):
        fetch(f"{identity.url}/keys", {})
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.cafile))
    fetch = DocumentFetcher(load_settings({"http_request_max_retries": "0"}))
    assert fetch(f"{identity.url}/keys", {}).status == 200


def test_system_without_authorities_trusts_those_of_certifi(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "missing"))
    adapter = DeadlineAdapter(connect_seconds=1, read_seconds=1, connect_retries=0)
    pool = HTTPSConnectionPool("id.example")
    adapter.cert_verify(pool, "https://id.example", verify=True, cert=None)
    assert (pool.cert_reqs, pool.ca_certs) == ("CERT_REQUIRED", certifi.where())


def test_every_request_to_the_identity_service_accepts_json() -> None:
    with MisbehavingIdentity().served() as plain:
        assert status_for(plain.url) == 200
        accepted = {seen.stage: seen.headers["accept"] for seen in plain.seen}
    assert len(accepted) >= 3
    assert set(accepted.values()) == {"application/json"}


def _hash_of(path: Path) -> str:
    import subprocess

    finished = subprocess.run(
        ["openssl", "x509", "-in", path, "-noout", "-subject_hash"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return finished.stdout.strip()
