"""From the claims of a signed token and the facts of a bundle to the body that Keystone would give.

Pure: the facts are read by whatever `FactsReader` the caller has, the time is an argument.
"""

from authmw.bundle.evaluate.token_body import evaluate, judge

__all__ = ["evaluate", "judge"]
