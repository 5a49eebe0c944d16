"""What OAuth clients learn of this service: its challenges and its metadata.

Challenges say what kind of token is wanted and where to read more (RFC 6750 §3, RFC 9449 §7.1,
RFC 9728 §5.1); the metadata names the authorization servers (RFC 9728). A client is told only
which kind of error it was, never what was wrong with its token. Every URL comes from the
configuration: one made of a Host header would send clients where an attacker wants them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from authmw.errors import Reason

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"

# What cannot be the value of a quoted-string without escapes (RFC 6750 §3).
_UNQUOTABLE = frozenset('"\\')
_ABOUT_PROOFS = {
    Reason.WRONG_PROOF: "invalid_dpop_proof",  # RFC 9449 §7.1
    Reason.NO_NONCE: "use_dpop_nonce",  # RFC 9449 §9
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectedResource:
    """This service as OAuth clients see it.

    Attributes:
        identifier: its resource identifier (RFC 9728 §1.2), an https URL; None: it has none, and
            no metadata.
        authorization_servers: issuer identifiers of those that make tokens for it.
        dpop_algorithms: of proofs (RFC 9449); empty: tokens bound to a key are not accepted.
        scopes: OAuth scope values that are worth asking for.
    """

    identifier: str | None
    authorization_servers: tuple[str, ...] = ()
    dpop_algorithms: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()

    @property
    def metadata_url(self) -> str | None:
        """Where clients find the metadata (RFC 9728 §3.1)."""
        if self.identifier is None:
            return None
        url = urlsplit(self.identifier)
        return url._replace(path=WELL_KNOWN + url.path.rstrip("/")).geturl()

    def is_metadata_request(self, environ: dict[str, Any]) -> bool:
        """Tell whether a request asks for the metadata.

        The path is the well-known one, alone or followed by the resource's path (RFC 9728 §3.1)
        or one below it: clients append the path of whatever they wanted to call.
        """
        path: str = environ.get("PATH_INFO", "")
        # Nearly every request ends here.
        if not path.startswith(WELL_KNOWN) or self.identifier is None:
            return False
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return False
        rest = path[len(WELL_KNOWN) :].rstrip("/") + "/"
        if rest == "/":
            return True
        return rest.startswith(urlsplit(self.identifier).path.rstrip("/") + "/")

    def answer(
        self,
        environ: dict[str, Any],
        start_response: Callable[..., Any],
        cors: Iterable[tuple[str, str]] = (),
    ) -> Iterable[bytes]:
        """Answer with the metadata (RFC 9728 §3.2), as a WSGI app."""
        body = json.dumps(self.describe()).encode()
        start_response(
            "200 OK",
            [
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "public, max-age=300"),
                *cors,
            ],
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def describe(self) -> dict[str, object]:
        """Return the metadata (RFC 9728 §2)."""
        members: dict[str, object] = {
            "resource": self.identifier,
            "authorization_servers": list(self.authorization_servers),
            "scopes_supported": list(self.scopes),
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": list(self.dpop_algorithms),
        }
        # RFC 9728 §3.2: parameters without values are left out.
        return {name: value for name, value in members.items() if value}

    def make_challenges(
        self, reason: Reason | None = None, missing_scope: Sequence[str] = ()
    ) -> list[str]:
        """Return the values of WWW-Authenticate.

        Args:
            reason: why the token was refused; None: there was none, and then no error is said
                (RFC 6750 §3.1).
            missing_scope: the OAuth scope that a request needs, with a 403.
        """
        proof_error = None if reason is None else _ABOUT_PROOFS.get(reason)
        error = None if reason is None else "invalid_token"
        if missing_scope:
            error = "insufficient_scope"
        common = {
            "scope": " ".join(missing_scope) or None,
            "resource_metadata": self.metadata_url,
        }
        bearer = {
            "realm": self.identifier or "authmw",
            # RFC 9449 §7.1: errors about a proof are of the other scheme.
            "error": None if proof_error else error,
            **common,
        }
        challenges = [_challenge("Bearer", bearer)]
        if self.dpop_algorithms:
            dpop = {
                "error": proof_error or error,
                "algs": " ".join(self.dpop_algorithms),
                **common,
            }
            challenges.append(_challenge("DPoP", dpop))
        return challenges


def _challenge(scheme: str, parameters: dict[str, str | None]) -> str:
    """RFC 9110 §11.6.1."""
    shown = [f'{name}="{value}"' for name, value in parameters.items() if value is not None]
    return f"{scheme} {', '.join(shown)}"


def verify_identifier(identifier: str) -> None:
    """Check a resource identifier (RFC 9728 §1.2).

    Raises:
        ValueError: it is no https URL without fragment that a header can quote; http is for this
            machine alone. The message says so.
    """
    try:
        url = urlsplit(identifier)
        host, _ = url.hostname, url.port
    except ValueError:
        raise ValueError("it is no URL") from None
    if not host or url.username is not None or url.fragment or "#" in identifier:
        raise ValueError("write an https URL of this service, without a fragment")
    if not all("!" <= char <= "~" and char not in _UNQUOTABLE for char in identifier):
        raise ValueError(
            f"percent-encode what can't stand in a URL: {quote(identifier, ':/?&=%@')}"
        )
    if url.scheme != "https" and not (
        url.scheme == "http" and host in ("localhost", "127.0.0.1", "::1")
    ):
        raise ValueError("write an https URL (http only on this machine)")
