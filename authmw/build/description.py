"""What a filter will do, in one line for the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from authmw.build.start import CountedKeys, list_key_directories
from authmw.config.credentials import SCOPES
from authmw.config.settings import Settings, Validation

if TYPE_CHECKING:
    from authmw.config.issuer_settings import IssuerSettings

_MOST_NAMED: Final = 5


def describe_filter(settings: Settings, keys: Mapping[str, CountedKeys]) -> str:
    """Return one line for the log: how tokens are validated, remembered and revoked.

    It holds no secret.

    Args:
        settings: of the filter.
        keys: of `count_keys`.
    """
    parts = [
        *_describe_validation(settings, keys),
        *(_describe_issuer(issuer, keys) for issuer in settings.issuers),
        _describe_caches(settings),
        _describe_revocation(settings),
        _describe_requests(settings),
    ]
    # Of a project that is no installed package only its name is known.
    name = settings.user_agent.replace("/unknown", "")
    return f"{name}: {'; '.join(parts)}"


def _describe_validation(settings: Settings, keys: Mapping[str, CountedKeys]) -> Iterator[str]:
    if settings.auth is None:
        asked = "asks no identity service (no auth_type)"
    else:
        url = settings.auth.values.get("auth_url") or settings.auth.values.get("endpoint")
        asked = (
            f"asks the identity service found by {_without_password(str(url))} "
            f"({settings.interface}{_after(', region ', settings.region_name)}), as "
            f"{_describe_login(settings.auth.auth_type, settings.auth.values)}"
        )
    if not settings.has_key_source or settings.token_validation is Validation.REMOTE:
        yield asked if settings.auth is None else f"validates tokens remotely: {asked}"
        return
    if settings.shadow_validation:
        how = "validates tokens remotely, and signed ones offline as well, to compare"
    elif settings.token_validation is Validation.OFFLINE:
        how = "validates signed tokens offline and refuses others"
    else:
        how = "validates signed tokens offline and others remotely"
    sources = [
        _describe_directory(directory, keys)
        for _, option, directory in list_key_directories(settings)
        if option == "jws_public_key_repository"
    ]
    if settings.jws_jwks_uri is not None:
        sources.append(f"the keys at {_without_password(settings.jws_jwks_uri)}")
    yield f"{how}, with {' and '.join(sources)}, roles from {','.join(settings.jws_authority)}"
    yield asked


def _describe_login(auth_type: str, values: Mapping[str, object]) -> str:
    user = values.get("username") or values.get("user_id")
    who = auth_type if user is None else f"{user} ({auth_type})"
    scope = next(
        (
            f"{kind} {values[name]}"
            for kind, names in SCOPES.items()
            for name in names
            if values.get(name)
        ),
        None,
    )
    if scope is None and "project_id" in values and auth_type != "v3applicationcredential":
        scope = "the user's default project"
    return who if scope is None else f"{who}, scope {scope}"


def _describe_issuer(issuer: IssuerSettings, keys: Mapping[str, CountedKeys]) -> str:
    record = issuer.records[0]
    what = f"accepts tokens of {issuer.name} ({record.profile.name})"
    if len(issuer.records) > 1:
        what += f", {len(issuer.records)} issuers"
    elif record.identifier is not None:
        what += f", {_without_password(record.identifier)}"
    if issuer.introspection is not None:
        return f"{what}, by asking it"
    if issuer.public_key_repository is not None:
        return f"{what}, with {_describe_directory(issuer.public_key_repository, keys)}"
    return what


def _describe_directory(directory: str, keys: Mapping[str, CountedKeys]) -> str:
    count = keys[directory].number
    return f"{count or 'no'} public {'key' if count == 1 else 'keys'} of {directory}"


def _describe_caches(settings: Settings) -> str:
    if settings.token_cache_time == 0:
        return "remembers no token"
    where = [f"in memory (up to {settings.memory_cache_size})"]
    if settings.cache is not None:
        where.append(f"in the service's cache {settings.cache}")
    if settings.memcached_servers:
        where.append(f"in memcached at {_join(settings.memcached_servers)}")
    line = f"remembers tokens for {settings.token_cache_time} s {' and '.join(where)}"
    if len(where) == 1:
        return line
    strategy = settings.memcache_security_strategy
    tls = ", over TLS" if settings.memcache_tls_enabled and settings.memcached_servers else ""
    return f"{line}, {'not sealed' if strategy is None else f'sealed by {strategy}'}{tls}"


def _describe_revocation(settings: Settings) -> str:
    if settings.auth is None and not settings.polls_revocation_lists:
        return "reads no revocation events"
    interval = settings.revocation_poll_interval
    if interval == 0 or not (settings.token_cache_time or settings.validates_offline):
        return "reads no revocation events"
    return f"reads revocation events every {interval} s"


def _describe_requests(settings: Settings) -> str:
    without = (
        "leaves requests without a valid token to the service"
        if settings.delay_auth_decision
        else "refuses requests without a valid token"
    )
    public = f" but to {_join(settings.public_paths)}" if settings.public_paths else ""
    bearer = ", also takes Authorization: Bearer" if settings.accept_bearer else ""
    return f"{without}{public}{bearer}"


def _join(items: Iterable[str]) -> str:
    listed = list(items)
    more = [] if len(listed) <= _MOST_NAMED else [f"{len(listed) - _MOST_NAMED} more"]
    return ", ".join([*listed[:_MOST_NAMED], *more])


def _after(text: str, value: str | None) -> str:
    return "" if value is None else text + value


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
