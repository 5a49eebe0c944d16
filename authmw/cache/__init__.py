"""Caches of validated tokens: in this process's memory, and shared ones behind it."""
