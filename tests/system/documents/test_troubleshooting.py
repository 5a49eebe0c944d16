"""doc/troubleshooting.rst names reasons, log lines, metrics and options that there are."""

from __future__ import annotations

import re

from authmw.config.options import list_opts
from authmw.errors import Reason
from authmw.metrics.table import METRICS, SYNC_METRICS
from tests.support.programs import ROOT
from tests.system.documents.documents import read_page

PAGES = ("troubleshooting", "tuning", "security")
# What is rare enough to be left to the words of the log line itself.
UNLISTED = {Reason.INCOMPLETE, Reason.WRONG_CLAIM, Reason.WRONG_PROOF, Reason.NO_NONCE}
# Lines of the log, in the left column of a table or at the begin of a list's item.
LINES = re.compile(r"^(?:- )?``([A-Za-z][^`]* [^`]*)``", re.MULTILINE)


def test_the_reasons_of_a_401_are_those_of_the_code() -> None:
    section = read_page("troubleshooting").partition("\n401\n---\n")[2].partition("\n403\n---\n")[0]
    named = re.findall(r"^``([a-z_]+)``  ", section, re.MULTILINE)
    assert {Reason(name) for name in named} == set(Reason) - UNLISTED


def test_metrics_and_options_exist() -> None:
    metrics = {metric.name for metric in (*METRICS, *SYNC_METRICS)}
    options = {opt.name for _, opts in list_opts() for opt in opts}
    prefixes = ("jws_", "memcache_", "revocation_", "identity_", "authority_", "bundle_", "memory_")
    for page in PAGES:
        for word in re.findall(r"``(authmw_[a-z_]+)[{`]", read_page(page)):
            assert word in metrics, (page, word)
        for word in re.findall(r"``([a-z_]+)(?: = [^`]*)?``", read_page(page)):
            if word.startswith(prefixes):
                assert word in options, (page, word)


def test_lines_of_the_log_are_those_of_the_code() -> None:
    # Adjacent literals are one text.
    code = "\n".join(
        re.sub(r'"\s*\n\s*f?r?"', "", path.read_text()) for path in (ROOT / "authmw").rglob("*.py")
    )
    found = LINES.findall(read_page("troubleshooting"))
    assert len(found) > 10
    missing = [
        part
        for line in found
        if not line.startswith("authmw ")
        for part in re.split(r"\.\.\.| = |: ", line)
        if part.strip() and part.strip() not in code
    ]
    assert missing == []
