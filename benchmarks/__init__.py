"""authmw measured against keystonemiddleware, both in one run: `python -m benchmarks`."""
