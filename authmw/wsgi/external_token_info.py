"""`external.token_info`: what keystonemiddleware's external_oauth2_token says in the environ."""

from __future__ import annotations

import copy
from typing import Any, Final

from authmw.token import DomainScope, ProjectScope, SystemScope, Token

TOKEN_INFO: Final = "external.token_info"


def make_external_token_info(token: Token) -> dict[str, Any]:
    """Return what that filter puts into the environ; the caller may change it.

    Roles are one string of names, joined by commas. `origin_token_metadata` is the answer to the
    introspection request; where that has no `exp`, ours has a time that is far off.
    """
    names = [role.name for role in token.roles]
    user = token.user
    info: dict[str, Any] = {
        "origin_token_metadata": {"active": True, **copy.deepcopy(token.claims)},
        "roles": ",".join(names),
        "is_admin": "true" if "admin" in map(str.lower, names) else "false",
        "user_id": user.id,
        "user_name": user.name,
        "user_domain_id": user.domain_id,
        "user_domain_name": user.domain_name,
    }
    match token.scope:
        case SystemScope():
            info["system_scope"] = "all"
        case ProjectScope() as project:
            info |= {
                "project_id": project.id,
                "project_name": project.name,
                "project_domain_id": project.domain_id,
                "project_domain_name": project.domain_name,
            }
        case DomainScope() as domain:
            info |= {"domain_id": domain.id, "domain_name": domain.name}
    return info
