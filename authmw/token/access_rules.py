"""The access rules of an application credential, as a token body states them.

Identity API v3, Application Credentials, "access_rules". `authmw.checks.access_rules` applies
them to requests.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccessRule:
    """One request that is allowed.

    Attributes:
        service: a service type of the catalog, such as "compute".
        method: compared as it is: a rule for GET does not allow HEAD.
        path: a pattern (`authmw.checks.paths`), matched against SCRIPT_NAME + PATH_INFO. One
            that is not usable allows nothing.
    """

    service: str
    method: str
    path: str


def parse_access_rules(value: object) -> tuple[AccessRule, ...] | None:
    """Parse `application_credential.access_rules` of a token body.

    Args:
        value: the member; None where there is none.

    Returns:
        None where the credential is not restricted; else its rules, perhaps none, which allows
        nothing. An entry that is no rule is left out: it allows nothing then, and the entries
        beside it keep their meaning.

    Raises:
        ValueError: it is neither null nor a list, so what it restricts is unknown.
    """
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError(f"access_rules is a list or null, not {type(value).__name__}")
    return tuple(rule for rule in map(_parse_rule, value) if rule is not None)


def _parse_rule(entry: object) -> AccessRule | None:
    if not isinstance(entry, dict):
        return None
    service, method, path = entry.get("service"), entry.get("method"), entry.get("path")
    if not (isinstance(service, str) and isinstance(method, str) and isinstance(path, str)):
        return None
    return AccessRule(service, method, path)
