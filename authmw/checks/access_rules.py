"""The access rules of application credentials: which requests such a token may be used for.

Identity API v3, Application Credentials, "access_rules"; each rule allows one method on one
path pattern of one service type, and what no rule allows is refused.
"""

from __future__ import annotations

import functools

from authmw.checks.clean_path import is_clean
from authmw.checks.paths import PathPattern
from authmw.errors import InvalidToken, Reason
from authmw.token.access_rules import AccessRule

_VALIDATION_PATH = "/v3/auth/tokens"


def verify_access(
    rules: tuple[AccessRule, ...] | None,
    *,
    service_type: str | None,
    method: str,
    path: str,
    catalog_types: frozenset[str] | None,
    is_service_request: bool,
) -> None:
    """Refuse a request that the token's access rules do not allow.

    Args:
        rules: of the token's application credential; None allows everything.
        service_type: the option of that name, None where it is not set.
        method: REQUEST_METHOD. An application that lets a header override it must do so before
            this filter.
        path: from `authmw.checks.paths.access_path`.
        catalog_types: the service types of the token's catalog; None where the token carries
            no catalog, which is no reason to refuse.
        is_service_request: whether the request has a valid service token with a service role:
            then a service acts for the user, and the rules do not apply to it.

    Raises:
        InvalidToken: with `Reason.ACCESS_RULE`.
    """
    if rules is None:
        return
    if not service_type:
        raise _make_refusal(
            "the token is restricted by access rules, which can't be checked: set service_type "
            "in [keystone_authtoken] to this service's type in the catalog"
        )
    if service_type == "identity" and method == "GET" and _is_token_validation(path):
        return
    if catalog_types is not None and service_type not in catalog_types:
        raise _make_refusal(
            f"service_type = {service_type!r} in [keystone_authtoken] is not among the service "
            "types of the token's catalog"
        )
    if is_service_request:
        return
    if any(_allows(rule, service_type, method, path) for rule in rules):
        return
    if not is_clean(path):
        raise _make_refusal(
            f"no access rule matches a path that can be read in two ways: {path!r:.200}"
        )
    raise _make_refusal(f"no access rule for {service_type} allows {method!r:.20} on {path!r:.200}")


def _is_token_validation(path: str) -> bool:
    # Keystone may be mounted anywhere, so the path may have more segments in front.
    return path.endswith(_VALIDATION_PATH) and is_clean(path)


# Bounded, since users write the patterns.
@functools.lru_cache(maxsize=1024)
def _compile(path: str) -> PathPattern | None:
    """Return a rule's path pattern; None: it is not usable, so the rule allows nothing."""
    try:
        return PathPattern.parse(path)
    except ValueError:
        return None


def _allows(rule: AccessRule, service_type: str, method: str, path: str) -> bool:
    if rule.service != service_type or rule.method != method:
        return False
    pattern = _compile(rule.path)
    return pattern is not None and pattern.is_match(path)


def _make_refusal(detail: str) -> InvalidToken:
    return InvalidToken(Reason.ACCESS_RULE, detail)
