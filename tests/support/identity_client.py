"""Clients of the identity endpoint as tests configure them: a short deadline, and no retries."""

from __future__ import annotations

from functools import partial

from authmw.config.auth_plugin import load_auth_plugin
from authmw.config.loading import load_settings
from authmw.config.settings import Settings
from authmw.identity.client import IdentityClient

PASSWORD = "the-password-of-ours"


def settings_for(auth_url: str, **options: object) -> Settings:
    conf: dict[str, object] = {
        "auth_type": "password",
        "auth_url": auth_url,
        "username": "nova",
        "password": PASSWORD,
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "identity_deadline": 1,
        "http_request_max_retries": 0,
    }
    return load_settings({**conf, **options})


def client_for(auth_url: str, **options: object) -> IdentityClient:
    settings = settings_for(auth_url, **options)
    return IdentityClient(settings, partial(load_auth_plugin, settings.auth))
