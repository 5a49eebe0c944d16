"""Options of old releases of keystonemiddleware that nothing reads any more, and what to write."""

from __future__ import annotations

from typing import Final

_URL: Final = "write auth_url = PROTOCOL://HOST:PORT, with auth_type = password"
_PKI: Final = "remove it: Keystone issues no PKI tokens any more"

OLD_OPTIONS: Final = {
    "auth_uri": "write www_authenticate_uri",
    "identity_uri": _URL,
    "auth_host": _URL,
    "auth_port": _URL,
    "auth_protocol": _URL,
    "auth_admin_prefix": "write the prefix into auth_url",
    "admin_user": "write username and user_domain_id, with auth_type = password",
    "admin_password": "write password, with auth_type = password",
    "admin_tenant_name": "write project_name and project_domain_id, with auth_type = password",
    "admin_token": "write auth_type = password with auth_url, username, password, project_name "
    "and the domains",
    "signing_dir": _PKI,
    "check_revocations_for_cached": _PKI,
    "hash_algorithms": _PKI,
    "revocation_cache_time": "write revocation_poll_interval",
    "http_handler": "remove it",
}
"""What to do instead of each, by name."""
