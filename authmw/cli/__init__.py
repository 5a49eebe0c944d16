"""The `authmw` command; each subcommand is a module of this package."""

from __future__ import annotations

from authmw.cli.command import main

__all__ = ["main"]
