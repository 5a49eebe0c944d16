"""Makes a bundle at the centre: from Keystone's database, or from its API.

A source of facts yields the rows of each table. `directory_users` and `selection` wrap a source and
are sources themselves.
"""

from authmw.bundle.export.source import FactsSource, export

__all__ = ["FactsSource", "export"]
