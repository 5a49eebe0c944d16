"""First sight of a JWS beside the bare ES256 verification and PyJWT's decode, in one run.

Signature and registered claims only; what a whole request costs is measured elsewhere.
Run: python benchmarks/jws_verification.py [tokens]
"""

from __future__ import annotations

import base64
import secrets
import statistics
import sys
import time
from collections.abc import Callable

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from authmw.jose.key_set import KeySet
from authmw.jose.public_key import make_public_key
from authmw.jose.registered_claims import ClaimRules
from authmw.jose.verifier import JwsVerifier

NOW = 1_800_000_000.5
ROUNDS = 25


class HeldKeys:
    """A key source whose keys never change."""

    reload_at = float("inf")
    generation = 0

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    def current(self, now: float) -> KeySet:  # noqa: ARG002
        """Return them."""
        return self._keys

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Do nothing."""

    def reload(self, now: float) -> None:
        """Do nothing."""

    def reload_early(self, now: float) -> KeySet | None:  # noqa: ARG002
        """Refuse."""
        return None


def measure(count: int) -> dict[str, list[float]]:
    """Return microseconds a token, one figure a round, by what was measured."""
    private_key = ec.generate_private_key(ec.SECP256R1())
    public_key = private_key.public_key()
    tokens = [
        jwt.encode(
            {
                "sub": secrets.token_hex(16),
                "iat": int(NOW) - 60,
                "exp": int(NOW) + 4 * 10**9,
                "openstack_methods": ["password"],
                "openstack_audit_ids": [secrets.token_urlsafe(16)],
                "openstack_project_id": secrets.token_hex(16),
            },
            private_key,
            "ES256",
        )
        for _ in range(count)
    ]
    bare = []
    for token in tokens:
        signing_input, _, signature = token.rpartition(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        bare.append((encode_dss_signature(r, s), signing_input.encode()))
    algorithm = ec.ECDSA(hashes.SHA256())
    verifier = JwsVerifier(
        HeldKeys(KeySet([make_public_key(public_key, kid=None, source="benchmark")])),
        accepted_algorithms=frozenset({"ES256"}),
        max_keys=8,
        max_size=8000,
        rules=ClaimRules(),
    )

    def verify_bare() -> None:
        for signature, signing_input in bare:
            public_key.verify(signature, signing_input, algorithm)

    def verify_ours() -> None:
        for token in tokens:
            verifier.verify(token, NOW)

    def decode_pyjwt() -> None:
        for token in tokens:
            jwt.decode(token, public_key, algorithms=["ES256"], options={"verify_iat": False})

    measured: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, run in (
            ("cryptography, bare", verify_bare),
            ("authmw", verify_ours),
            ("PyJWT decode", decode_pyjwt),
        ):
            started = time.perf_counter()
            run()
            measured.setdefault(name, []).append((time.perf_counter() - started) / count * 1e6)
    return measured


if __name__ == "__main__":
    measured = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
    floor = min(measured["cryptography, bare"])
    for name, micros in measured.items():
        best, median = min(micros), statistics.median(micros)
        print(f"{name:20} best {best:6.1f} us  median {median:6.1f} us  {best / floor:.2f} x bare")
