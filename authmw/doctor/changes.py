"""What changes for each option of keystonemiddleware's `auth_token`, where authmw reads it.

`doc/migration.rst` says the same of each option; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping

CHANGES: Mapping[str, str] = {
    "www_authenticate_uri": (
        "Checked at start, since it is sent in a header. Unset, it is found by discovery, once."
    ),
    "auth_version": (
        "Anything but version 3 stops the start; keystonemiddleware accepts it, and speaks "
        "version 3 all the same."
    ),
    "interface": "A word that is no interface stops the start.",
    "region_name": "",
    "http_connect_timeout": (
        "Unset means 5 seconds to connect and 30 to read; with keystonemiddleware it means for "
        "ever."
    ),
    "http_request_max_retries": "Within `identity_deadline`, whatever number is written.",
    "certfile": (
        "A file that can't be used, or an encrypted key, stops the start; keystonemiddleware "
        "asks for the key's passphrase at the terminal."
    ),
    "keyfile": "As `certfile`, without which it stops the start.",
    "cafile": (
        "A file that can't be used stops the start; keystonemiddleware notices it at the first "
        "request. Unset trusts the system's authorities; keystonemiddleware trusts those of the"
        " package certifi."
    ),
    "insecure": "True is said in the log, at every start.",
    "delay_auth_decision": (
        "Forged headers are removed in this mode as well, a refused token is not in "
        "`keystone.token_auth`. Follows the file without a restart."
    ),
    "include_service_catalog": "Access rules work where it is false, too.",
    "enforce_token_bind": (
        "`x5t#S256` (certificates, RFC 8705) is known beside `kerberos`, in every mode but "
        "`disabled`; with keystonemiddleware it takes another filter, `oauth2_mtls_token`, for "
        "which `enforce_token_bind = x5t#S256` stands here. A service token excuses the user's "
        "binding only if it is valid and has a service role; with keystonemiddleware any header"
        " does. Follows the file without a restart."
    ),
    "service_token_roles": "Follows the file without a restart.",
    "service_token_roles_required": "Follows the file without a restart.",
    "service_type": (
        "Paths of access rules are matched segment by segment; what is close to a rule doesn't "
        "pass. Follows the file without a restart."
    ),
    "token_cache_time": (
        "Also bounds what is in memory. 0 remembers nothing, as -1. A revoked token is refused "
        "within `revocation_poll_interval`, whatever is remembered."
    ),
    "cache": (
        "Values are text, so that caches that keep JSON take them; those of keystonemiddleware "
        "are bytes. A cache that fails never fails a request."
    ),
    "memcached_servers": (
        "Entries have keys and a format of our own: the two can share servers, not entries. A "
        "server that is away costs one time-out in `memcache_pool_dead_retry`."
    ),
    "memcache_security_strategy": (
        "MAC is HMAC-SHA256 and ENCRYPT AES-256-GCM, under a key for each entry; a tampered "
        "entry is a miss."
    ),
    "memcache_secret_key": (
        "Can be replaced without losing what is remembered: see `memcache_secret_key_previous`."
    ),
    "memcache_pool_dead_retry": "",
    "memcache_pool_maxsize": "",
    "memcache_pool_socket_timeout": "",
    "memcache_pool_unused_timeout": "",
    "memcache_pool_conn_get_timeout": ("After that time the request goes on without the cache."),
    "memcache_use_advanced_pool": (
        "Accepted, without effect: connections are always pooled, and safe for threads and "
        "greenlets."
    ),
    "memcache_sasl_enabled": "",
    "memcache_username": "",
    "memcache_password": "",
    "memcache_tls_enabled": "",
    "memcache_tls_cafile": "A file that can't be used stops the start.",
    "memcache_tls_certfile": "The same, and an encrypted key.",
    "memcache_tls_keyfile": "The same.",
    "memcache_tls_allowed_ciphers": "",
    "auth_type": (
        "All that keystoneauth1 brings. One that can't serve stops the start; with "
        "keystonemiddleware requests fail."
    ),
    "auth_section": (
        "Read from the file; with keystonemiddleware a section that the service did not "
        "register stops the start."
    ),
}
"""By option; "" where nothing changes."""

UNSET = ("http_connect_timeout", "www_authenticate_uri", "cafile")
"""Options that mean something else than with keystonemiddleware where they are not set."""
