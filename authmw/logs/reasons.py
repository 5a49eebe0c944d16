"""Which option may be at fault where good tokens are refused, by the reason of the refusal."""

from __future__ import annotations

from collections.abc import Mapping

from authmw.errors import Reason

_CLOCKS = "set the clocks of this host and of whoever issues them (chrony)"


def describe_fixes(
    *, keys: str, algorithms: str, issuer: str, audience: str
) -> Mapping[Reason, str]:
    """Return what to correct, by the reason for which good tokens are refused.

    Args:
        keys: the place of the public keys, or the option that names it.
        algorithms: the option that names the accepted ones.
        issuer: what to do about `iss`, a clause.
        audience: what to do about `aud`, a clause.
    """
    return {
        Reason.BAD_SIGNATURE: f"copy the public keys of whoever issues them to {keys}, and compare "
        f"their algorithm with {algorithms}",
        Reason.NOT_YET_VALID: _CLOCKS,
        Reason.EXPIRED: _CLOCKS,
        Reason.WRONG_ISSUER: issuer,
        Reason.WRONG_AUDIENCE: audience,
    }


def describe_keystone_fixes(
    repository: str | None, jwks_uri: str | None = None
) -> Mapping[Reason, str]:
    """Return `describe_fixes` for tokens that Keystone signs.

    Args:
        repository, jwks_uri: the options `jws_public_key_repository` and `jws_jwks_uri`.
    """
    places = [
        f"{name} = {value}"
        for name, value in (
            ("jws_public_key_repository", repository),
            ("jws_jwks_uri", jwks_uri),
        )
        if value is not None
    ]
    return describe_fixes(
        keys=" or ".join(places) or "jws_public_key_repository",
        algorithms="jws_accepted_algorithms",
        issuer="remove jws_issuer: Keystone's tokens name no issuer; or write what the tokens say",
        audience="remove jws_audience: Keystone's tokens name no audience; or write what the "
        "tokens say",
    )


def describe_issuer_fixes(section: str) -> Mapping[Reason, str]:
    """Return `describe_fixes` for tokens of one issuer.

    Args:
        section: of the configuration that names the issuer.
    """
    return describe_fixes(
        keys=f"where [{section}] jwks_uri or public_key_repository says",
        algorithms=f"[{section}] algorithms",
        issuer=f"write [{section}] issuer as 'iss' of the tokens says it",
        audience=f"have the issuer name this service in 'aud', or write in [{section}] audience "
        "what the tokens say",
    )
