"""The sample configuration in etc/ is generated from the options."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs import ROOT

SAMPLE = ROOT / "etc" / "authmw.conf.sample"
GENERATOR_FILE = ROOT / "etc" / "authmw-config-generator.conf"


@pytest.mark.heavy
def test_sample_configuration_is_what_the_generator_writes_from_our_options(
    tmp_path: Path,
) -> None:
    written = tmp_path / "authmw.conf.sample"
    generator = [sys.executable, "-m", "oslo_config.generator"]
    finished = subprocess.run(
        [*generator, f"--config-file={GENERATOR_FILE}", f"--output-file={written}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    # An entry point that can't be loaded is only warned about.
    assert (finished.returncode, finished.stderr) == (0, "")
    assert written.read_text() == SAMPLE.read_text(), "etc/authmw.conf.sample is old: `make sample`"
