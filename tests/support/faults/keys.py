"""Faults of the keys that verify signed tokens."""

from __future__ import annotations

from pathlib import Path

from tests.support.faults.fault import Fault
from tests.support.faults.site import Site, setting
from tests.support.signing import private_pem, public_pem


def make_directory(site: Site, *, mode: int = 0o755, **files: bytes) -> Path:
    """Make a key directory; `jws_public_key_repository` names it."""
    directory = Path(site.file_name())
    directory.mkdir()
    for name, content in files.items():
        path = directory / f"{name}.pem"
        path.write_bytes(content)
        path.chmod(0o644)
    directory.chmod(mode)
    site.options["jws_public_key_repository"] = str(directory)
    return directory


def _good(site: Site) -> bytes:
    return (site.keystone.jws_public_key_repository / "public.pem").read_bytes()


def _name_no_directory(site: Site) -> None:
    site.options["jws_public_key_repository"] = "/nowhere/keys"


def _open_it_to_all(site: Site) -> None:
    make_directory(site, mode=0o777, public=_good(site))


def _open_the_way_to_it(site: Site) -> None:
    directory = make_directory(site, public=_good(site))
    way = Path(site.file_name())
    way.mkdir()
    moved = directory.rename(way / "keys")
    way.chmod(0o777)
    site.options["jws_public_key_repository"] = str(moved)


def _leave_it_empty(site: Site) -> None:
    make_directory(site)


def _put_anothers_key(site: Site) -> None:
    make_directory(site, public=public_pem("ES256"))


def _put_a_private_key(site: Site) -> None:
    make_directory(site, public=_good(site), oops=private_pem("ES256"))


def _publish_nothing(site: Site) -> None:
    site.remove("jws_public_key_repository")
    site.options["jws_jwks_uri"] = f"{site.keystone.jws.url}/v3/jwks.json"


FAULTS = (
    Fault(
        "a key directory that is not there",
        _name_no_directory,
        "keys jws_public_key_repository",
        ("/nowhere/keys", "No such file"),
    ),
    Fault(
        "a key directory that anyone can write to",
        _open_it_to_all,
        "keys jws_public_key_repository",
        ("writable by everyone", "chmod o-w"),
    ),
    Fault(
        "a key directory below one that anyone can write to",
        _open_the_way_to_it,
        "keys jws_public_key_repository",
        ("on the way to it, is writable by everyone", "chmod o-w"),
    ),
    Fault(
        "a key directory without a key",
        _leave_it_empty,
        "keys jws_public_key_repository",
        ("no usable public key", "copy Keystone's public keys"),
    ),
    Fault(
        "keys of another issuer",
        _put_anothers_key,
        "keys verify a token",
        ("bad_signature", "copy the public keys"),
    ),
    Fault(
        "a private key among the public ones",
        _put_a_private_key,
        "keys jws_public_key_repository",
        ("oops.pem is not used: a private key", "new key pair"),
    ),
    Fault(
        "an algorithm that no key has",
        setting(jws_accepted_algorithms="ES384"),
        "keys jws_public_key_repository",
        ("no usable public key", "add ES256 to jws_accepted_algorithms"),
    ),
    Fault(
        "jws_issuer where Keystone names none",
        setting(jws_issuer="https://keystone.example"),
        "keys verify a token",
        ("wrong_issuer", "remove jws_issuer"),
    ),
    Fault(
        "a JWK set that is not there",
        _publish_nothing,
        "keys jws_jwks_uri",
        ("HTTP status 404", "correct the URI"),
    ),
)
