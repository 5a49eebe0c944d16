"""Files and their permissions: which hold keys, and who may write to them."""

from __future__ import annotations

import stat

import pytest

from authmw.keys.key_files import KeyFile, parse_key_files
from authmw.keys.write_access import WriteAccess, classify_access
from tests.support.signing import private_pem, public_pem


@pytest.mark.parametrize(
    ("mode", "owner", "access"),
    [
        (0o644, "root", WriteAccess.PROTECTED),
        (0o644, "ours", WriteAccess.PROTECTED),
        (0o600, "ours", WriteAccess.PROTECTED),
        (0o664, "root", WriteAccess.GROUP_WRITABLE),
        (0o620, "ours", WriteAccess.GROUP_WRITABLE),
        # Whoever owns a file can make it writable.
        (0o444, "another", WriteAccess.OWNED_BY_ANOTHER),
        (0o664, "another", WriteAccess.OWNED_BY_ANOTHER),
        (stat.S_IFDIR | 0o755, "another", WriteAccess.OWNED_BY_ANOTHER),
        (0o646, "root", WriteAccess.WORLD_WRITABLE),
        (0o666, "another", WriteAccess.WORLD_WRITABLE),
        (stat.S_IFDIR | 0o1777, "root", WriteAccess.WORLD_WRITABLE),
    ],
)
def test_access_is_judged_by_mode_and_owner(mode: int, owner: str, access: WriteAccess) -> None:
    owner_id = {"root": 0, "ours": 1000, "another": 1001}[owner]
    found = classify_access(mode, owner_id, our_id=1000)
    assert found is access


def test_files_that_are_of_no_use_are_skipped_each_for_its_reason() -> None:
    found = parse_key_files(
        [
            KeyFile("a", public_pem("ES256"), modified_ns=1),
            KeyFile("b", public_pem("ES256", 1), modified_ns=2, access=WriteAccess.GROUP_WRITABLE),
            KeyFile("c", public_pem("ES256", 2), access=WriteAccess.WORLD_WRITABLE),
            KeyFile("d", private_pem("ES256")),
            KeyFile("e", error="can't be read (Permission denied)"),
            KeyFile("f", b'{"keys": [{"kty": "XY"}]}'),
            KeyFile("g", public_pem("ES256", 3), access=WriteAccess.OWNED_BY_ANOTHER),
        ],
        fresh_seconds=3.0,
    )
    assert [key.source for key in found.keys] == ["b", "a", "g"]
    assert [(skipped.source, skipped.reason, skipped.is_private) for skipped in found.skipped] == [
        ("c", "writable by everyone", False),
        ("d", "a private key; only public keys belong here", True),
        ("e", "can't be read (Permission denied)", False),
        ("f", "a JWK of a type or curve that no algorithm here uses", False),
    ]
    assert found.warnings == (
        "b is writable by its group",
        "g is owned by neither root nor the user that reads it",
    )
