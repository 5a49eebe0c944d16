"""Show what each persona may do by the policy rules that a service has registered."""

from __future__ import annotations

import argparse
import importlib.metadata
from pathlib import Path
from typing import Any

from authmw.cli.output import complain, say
from authmw.testing.slips import suggest

# Where services name their rules, as for oslopolicy-sample-generator.
_RULES = "oslo.policy.policies"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `authmw policy`."""
    parser.add_argument(
        "namespace", help=f"of the service, as its entry point {_RULES} has it: nova, cinder"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--write", metavar="FILE", type=Path, help="write the table there")
    what.add_argument(
        "--check", metavar="FILE", type=Path, help="compare with it; exit status 1 if it differs"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run it; return 0 for success, 1 if the table differs, 2 if the arguments are wrong."""
    try:
        import oslo_policy  # noqa: F401
    except ImportError:
        complain("policy: install oslo.policy and oslo.context, as the service does")
        return 2
    found = {entry.name: entry for entry in importlib.metadata.entry_points(group=_RULES)}
    if arguments.namespace not in found:
        meant = suggest(arguments.namespace, found) if found else "no service is installed here"
        complain(f"policy: no rules of {arguments.namespace!r}: {meant}")
        return 2
    try:
        before = None if arguments.check is None else arguments.check.read_text()
    except OSError as error:
        complain(f"policy: {arguments.check} can't be read: {error.strerror}")
        return 2
    # Imported here: it loads the identity server of tests.
    from authmw.testing import Cloud, PolicyMatrix
    from authmw.testing.policy_matrix import compare

    rules: Any = found[arguments.namespace].load()()
    with Cloud() as cloud:
        rendered = PolicyMatrix.make(cloud, rules).render()
    if arguments.write is not None:
        arguments.write.write_text(rendered)
    elif before is None:
        say(rendered.rstrip("\n"))
    else:
        difference = compare(before, rendered, arguments.check)
        if difference:
            say(difference.rstrip("\n"))
            return 1
    return 0
