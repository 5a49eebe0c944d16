"""Requests whose token is bound to a key must bring a proof that the client holds it (RFC 9449)."""

from __future__ import annotations

from typing import Any, Final

from authmw.cache.replays import Replays
from authmw.checks.dpop import ProofRules, PublicEndpoint, verify_proof
from authmw.checks.presented_token import find_scheme
from authmw.checks.token_bind import find_key_thumbprint
from authmw.errors import InvalidToken, Reason
from authmw.token import Token

# Holds the proof that another filter in front of the same app has accepted for this request.
PROVEN: Final = "authmw.proven"


class ProofVerifier:
    """Verifies the proof of a request, once its token is known to be good.

    Args:
        endpoint: where clients reach this server; None: no proof can be checked.
        rules: for all proofs.
        replays: lets each proof pass once.
    """

    def __init__(
        self, endpoint: PublicEndpoint | None, rules: ProofRules, replays: Replays
    ) -> None:
        self._endpoint = endpoint
        self._rules = rules
        self._replays = replays

    def verify(self, token: Token, string: str, environ: dict[str, Any], now: float) -> None:
        """Check that the client may use this token in this request.

        Args:
            token: validated.
            string: as the client sent it.
            environ: of the request.
            now: epoch seconds.

        Raises:
            InvalidToken: (wrong_binding) the token is bound to a key and there is no proof, or
                the scheme is that of unbound tokens (RFC 9449 §7.2), or the other way round;
                (wrong_proof, no_nonce) the proof is not good, or was used before.
            IdentityUnavailable: proofs can't be remembered.
        """
        thumbprint = find_key_thumbprint(token)
        proof: str | None = environ.get("HTTP_DPOP")
        scheme = find_scheme(environ, string)
        if thumbprint is None:
            if scheme == "dpop" or proof is not None:
                raise InvalidToken(
                    Reason.WRONG_BINDING, "it came with a DPoP proof, and is bound to no key"
                )
            return
        if proof is None:
            raise InvalidToken(Reason.WRONG_BINDING, "it is bound to a key; no DPoP proof came")
        if scheme not in (None, "dpop"):
            raise InvalidToken(
                Reason.WRONG_BINDING, "it is bound to a key, and came by another scheme than DPoP"
            )
        if self._endpoint is None:
            raise InvalidToken(
                Reason.WRONG_BINDING,
                "it is bound to a key; to check proofs set [keystone_authtoken] oauth_resource or "
                "public_endpoint",
            )
        target = self._endpoint.target_of(
            environ["REQUEST_METHOD"], environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
        )
        proven = verify_proof(proof, string, target, self._rules, now)
        if proven.key_thumbprint != thumbprint:
            raise InvalidToken(Reason.WRONG_PROOF, "the DPoP proof is of another key")
        if environ.get(PROVEN) == proven.replay_id:
            return
        if not self._replays.claim(proven.replay_id, now):
            raise InvalidToken(Reason.WRONG_PROOF, "the DPoP proof was used before")
        environ[PROVEN] = proven.replay_id
