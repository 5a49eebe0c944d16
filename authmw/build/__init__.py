"""Builds the parts of a filter from its configuration, once; see `parts`."""

from __future__ import annotations

from authmw.build.parts import FilterParts, build_filter_parts

__all__ = ["FilterParts", "build_filter_parts"]
