"""The access rules of application credentials: which requests such a token may be used for.

Identity API v3, Application Credentials, "access_rules"; each rule allows one method on one
path pattern of one service type, and what no rule allows is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from authmw.checks.clean_path import is_clean
from authmw.checks.paths import PathPattern
from authmw.errors import InvalidToken, Reason

_VALIDATION_PATH = "/v3/auth/tokens"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """One request that is allowed.

    Attributes:
        service: a service type of the catalog, such as "compute".
        method: compared as it is: a rule for GET does not allow HEAD.
        path: matched against SCRIPT_NAME + PATH_INFO.
    """

    service: str
    method: str
    path: PathPattern


def parse_access_rules(value: object) -> tuple[AccessRule, ...] | None:
    """Parse `application_credential.access_rules` of a token body.

    Args:
        value: what stands there, None where nothing does.

    Returns:
        None where the credential is not restricted; else the usable rules, perhaps none, which
        allows nothing. An entry that is no usable rule is left out: it allows nothing then,
        and the entries beside it keep their meaning.

    Raises:
        ValueError: it is neither null nor a list, so what it restricts is unknown.
    """
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError(f"access_rules is a list or null, not {type(value).__name__}")
    return tuple(rule for rule in map(_parse_rule, value) if rule is not None)


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
        rules: from `parse_access_rules`; None allows everything.
        service_type: the option of that name, None where it is not set.
        method: REQUEST_METHOD. An application that lets a header override it must do so before
            this filter.
        path: from `authmw.checks.paths.access_path`.
        catalog_types: the service types of the token's catalog; None where the token carries
            no catalog, which is no reason to refuse.
        is_service_request: whether a valid service token with a service role came along: then
            a service acts for the user, and the rules do not speak of what it may ask.

    Raises:
        InvalidToken: with `Reason.ACCESS_RULE`.
    """
    if rules is None:
        return
    if not service_type:
        raise _refusal(
            "the token is restricted by access rules, which can't be checked: set service_type "
            "in [keystone_authtoken] to this service's type in the catalog"
        )
    if service_type == "identity" and method == "GET" and _is_token_validation(path):
        return
    if catalog_types is not None and service_type not in catalog_types:
        raise _refusal(
            f"service_type = {service_type!r} in [keystone_authtoken] is not among the service "
            "types of the token's catalog"
        )
    if is_service_request:
        return
    for rule in rules:
        if rule.service == service_type and rule.method == method and rule.path.is_match(path):
            return
    if not is_clean(path):
        raise _refusal(f"no access rule matches a path that can be read in two ways: {path!r:.200}")
    raise _refusal(f"no access rule for {service_type} allows {method!r:.20} on {path!r:.200}")


def _is_token_validation(path: str) -> bool:
    # Keystone may be mounted anywhere, so the path may have more segments in front.
    return path.endswith(_VALIDATION_PATH) and is_clean(path)


def _parse_rule(entry: object) -> AccessRule | None:
    if not isinstance(entry, dict):
        return None
    service, method, path = entry.get("service"), entry.get("method"), entry.get("path")
    if not (isinstance(service, str) and isinstance(method, str) and isinstance(path, str)):
        return None
    try:
        return AccessRule(service, method, PathPattern.parse(path))
    except ValueError:
        return None


def _refusal(detail: str) -> InvalidToken:
    return InvalidToken(Reason.ACCESS_RULE, detail)
