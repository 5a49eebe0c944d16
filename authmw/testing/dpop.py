"""A client that proves to hold the key its tokens are bound to (RFC 9449), for tests."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from authmw.checks.dpop import hash_token
from authmw.runtime.clock import wall_clock
from authmw.testing.signing_key import SigningKey


@dataclass(frozen=True)
class DpopClient:
    """Makes proofs with a key of its own.

        client = DpopClient()
        token = server.issue("ada", key_thumbprint=client.thumbprint)
        headers = client.authorize(token, "GET", "https://inventory.example/items")

    Attributes:
        key: it signs with.
        clock: epoch seconds.
    """

    key: SigningKey = field(default_factory=lambda: SigningKey.generate("client"))
    clock: Callable[[], float] = wall_clock

    @property
    def jwk(self) -> dict[str, str]:
        """The public key, without members that its thumbprint leaves out."""
        shown = self.key.jwk()
        return {name: shown[name] for name in sorted(shown) if name not in ("kid", "use", "alg")}

    @property
    def thumbprint(self) -> str:
        """`jkt`, the thumbprint of the key (RFC 7638)."""
        canonical = json.dumps(self.jwk, separators=(",", ":")).encode("ascii")
        return base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).rstrip(b"=").decode()

    def prove(self, token: str, method: str, url: str, **changes: Any) -> str:
        """Return a proof for one request.

        Args:
            token: that the request brings.
            method, url: of the request; the URL without its query.
            changes: of the claims; None leaves one out.
        """
        claims = {
            "jti": secrets.token_urlsafe(12),
            "htm": method,
            "htu": url,
            "iat": int(self.clock()),
            "ath": hash_token(token),
            **changes,
        }
        said = {name: value for name, value in claims.items() if value is not None}
        return self.key.sign(said, typ="dpop+jwt", kid=None, jwk=self.jwk)

    def authorize(self, token: str, method: str, url: str, **changes: Any) -> dict[str, str]:
        """Return the headers of one request; arguments as of `prove`."""
        proof = self.prove(token, method, url, **changes)
        return {"Authorization": f"DPoP {token}", "DPoP": proof}
