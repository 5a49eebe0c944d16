"""The columns of Keystone's database that are read, and the schemas that have them.

Statements are made of these tables alone (SQLAlchemy's `TableClause`), so no other column can be
read by mistake. None of them holds a password, a secret, a hash or a credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Integer,
    String,
    TableClause,
    column,
    table,
)

# The heads of Keystone's migrations (alembic) by release; those that are not here are refused.
KNOWN_SCHEMAS: Final[Mapping[frozenset[str], str]] = {
    frozenset({"11c3b243b4cb", "c88cdce8f248"}): "2023.2",
    frozenset({"47147121", "c88cdce8f248"}): "2024.1",
    frozenset({"e8725d6fa226", "c88cdce8f248"}): "2025.2",
    frozenset({"742c857f1dfb", "c88cdce8f248"}): "2026.1",
}

_COLUMNS: Final[Mapping[str, Mapping[str, type[Any]]]] = {
    "alembic_version": {"version_num": String},
    "project": {
        "id": String,
        "name": String,
        "domain_id": String,
        "parent_id": String,
        "enabled": Boolean,
        "is_domain": Boolean,
    },
    "user": {
        "id": String,
        "domain_id": String,
        "enabled": Boolean,
        "created_at": DateTime,
        "last_active_at": Date,
    },
    "local_user": {"id": Integer, "user_id": String, "name": String},
    "nonlocal_user": {"user_id": String, "name": String},
    "federated_user": {"id": Integer, "user_id": String, "display_name": String},
    # When passwords were made and expire; no other column of this table.
    "password": {
        "id": Integer,
        "local_user_id": Integer,
        "created_at_int": BigInteger,
        "expires_at_int": BigInteger,
        "expires_at": DateTime,
    },
    "user_option": {"user_id": String, "option_id": String, "option_value": String},
    "group": {"id": String, "name": String, "domain_id": String},
    "user_group_membership": {"user_id": String, "group_id": String},
    "expiring_user_group_membership": {
        "user_id": String,
        "group_id": String,
        "idp_id": String,
        "last_verified": DateTime,
    },
    "role": {
        "id": String,
        "name": String,
        "domain_id": String,
        "description": String,
        "extra": String,
    },
    "role_option": {"role_id": String, "option_id": String, "option_value": String},
    "implied_role": {"prior_role_id": String, "implied_role_id": String},
    "assignment": {
        "type": String,
        "actor_id": String,
        "target_id": String,
        "role_id": String,
        "inherited": Boolean,
    },
    "system_assignment": {
        "type": String,
        "actor_id": String,
        "target_id": String,
        "role_id": String,
    },
    "trust": {
        "id": String,
        "trustor_user_id": String,
        "trustee_user_id": String,
        "project_id": String,
        "impersonation": Boolean,
        "deleted_at": DateTime,
        "expires_at": DateTime,
        "expires_at_int": BigInteger,
        "remaining_uses": Integer,
        "redelegated_trust_id": String,
        "redelegation_count": Integer,
    },
    "trust_role": {"trust_id": String, "role_id": String},
    "application_credential": {
        "internal_id": Integer,
        "id": String,
        "name": String,
        "user_id": String,
        "project_id": String,
        "expires_at": BigInteger,
        "unrestricted": Boolean,
    },
    "application_credential_role": {"application_credential_id": Integer, "role_id": String},
    "application_credential_access_rule": {
        "application_credential_id": Integer,
        "access_rule_id": Integer,
    },
    "access_rule": {
        "id": Integer,
        "external_id": String,
        "service": String,
        "path": String,
        "method": String,
    },
    "access_token": {
        "id": String,
        "consumer_id": String,
        "authorizing_user_id": String,
        "project_id": String,
        "role_ids": String,
    },
    "service": {"id": String, "type": String, "enabled": Boolean, "extra": String},
    "endpoint": {
        "id": String,
        "service_id": String,
        "interface": String,
        "region_id": String,
        "url": String,
        "enabled": Boolean,
        "extra": String,
    },
    "project_endpoint": {"project_id": String, "endpoint_id": String},
    "endpoint_group": {"id": String, "filters": String},
    "project_endpoint_group": {"project_id": String, "endpoint_group_id": String},
    "identity_provider": {
        "id": String,
        "domain_id": String,
        "enabled": Boolean,
        "authorization_ttl": Integer,
    },
    "federation_protocol": {"idp_id": String, "id": String},
    "service_provider": {"id": String, "auth_url": String, "sp_url": String, "enabled": Boolean},
    "revocation_event": {
        "domain_id": String,
        "project_id": String,
        "user_id": String,
        "role_id": String,
        "trust_id": String,
        "consumer_id": String,
        "access_token_id": String,
        "issued_before": DateTime,
        "expires_at": DateTime,
        "revoked_at": DateTime,
        "audit_id": String,
        "audit_chain_id": String,
    },
}


SOURCES: Final[Mapping[str, TableClause]] = {
    name: table(name, *[column(each, kind) for each, kind in columns.items()])
    for name, columns in _COLUMNS.items()
}
