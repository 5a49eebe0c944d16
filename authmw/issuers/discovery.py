"""The document in which an issuer says where its keys and endpoints are (RFC 8414)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from authmw.errors import MalformedDiscovery
from authmw.issuers.identifier import find_fault


@dataclass(frozen=True, slots=True)
class Discovery:
    """What we use of a discovery document.

    Attributes:
        algorithms: that its tokens may be signed with, if it says; it says so of ID tokens
            alone, and a hint is all that it is: what is accepted is configured.
    """

    jwks_uri: str | None
    introspection_endpoint: str | None
    algorithms: frozenset[str]


def list_discovery_uris(identifier: str) -> tuple[str, ...]:
    """Return where an issuer's discovery document may be, the likelier place first.

    OpenID Connect Discovery §4 puts it below the issuer identifier, RFC 8414 §3.1 between the
    host and the path.
    """
    url = urlsplit(identifier)
    path = url.path.rstrip("/")
    between = f"/.well-known/oauth-authorization-server{path}"
    return (
        f"{identifier.rstrip('/')}/.well-known/openid-configuration",
        urlunsplit((url.scheme, url.netloc, between, "", "")),
    )


def parse_discovery(document: Mapping[str, object], identifier: str) -> Discovery:
    """Read a discovery document.

    Args:
        document: parsed from JSON.
        identifier: of the issuer it was asked for.

    Raises:
        MalformedDiscovery: it is another issuer's (RFC 8414 §3.3: not to be used, since whoever can
            answer for one could name keys for all), or says what can't be.
    """
    if document.get("issuer") != identifier:
        raise MalformedDiscovery(
            "its 'issuer' is not the configured one (RFC 8414 §3.3): write the issuer option "
            "exactly as 'issuer' stands in the document, a closing slash included"
        )
    algorithms = document.get("id_token_signing_alg_values_supported")
    names = algorithms if type(algorithms) is list else []
    return Discovery(
        _read_uri(document, "jwks_uri", identifier),
        _read_uri(document, "introspection_endpoint", identifier),
        frozenset(name for name in names if type(name) is str),
    )


def _read_uri(document: Mapping[str, object], name: str, identifier: str) -> str | None:
    uri = document.get(name)
    if uri is None:
        return None
    if type(uri) is not str or find_fault(uri.partition("?")[0]) is not None or "#" in uri:
        raise MalformedDiscovery(f"its {name!r} is no https URL")
    if urlsplit(identifier).scheme == "https" and urlsplit(uri).scheme != "https":
        raise MalformedDiscovery(f"its {name!r} is no https URL, though the issuer's is")
    return uri
