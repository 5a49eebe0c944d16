"""A drop-in for `keystonemiddleware.opts`, from which services import our options."""

from __future__ import annotations

from authmw.config.options import list_opts as list_auth_token_opts

__all__ = ["list_auth_token_opts"]
