"""The units in etc/systemd and the pod in examples/sites name commands and files that there are."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from authmw.bundle.sync.configuration import read_sync_configuration
from authmw.cli.bundle import add_arguments
from tests.support.programs import ROOT

UNITS = sorted((ROOT / "etc" / "systemd").iterdir())
POD = ROOT / "examples" / "sites" / "sidecar.yaml"


def parse_command(words: list[str]) -> Any:
    """Parse a command line as `authmw` would; it exits if it can't."""
    import argparse

    program, command, *arguments = words
    assert (Path(program).name, command) == ("authmw", "bundle")
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(arguments)


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit.suffix == ".service"], ids=str)
def test_services_run_commands_that_there_are(unit: Path) -> None:
    # A setting that stands there twice adds to a list.
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(unit)
    service = parser["Service"]
    arguments = parse_command(service["ExecStart"].split())
    assert arguments.once == ("once" in unit.name)
    user = "authmw-sync" if "sync" in unit.name else "authmw-centre"
    assert (service["User"], service["Group"]) == (user, "authmw")
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""


@pytest.mark.heavy
@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_systemd_finds_nothing_wrong(unit: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("there is no systemd-analyze")
    for each in UNITS:
        text = each.read_text().replace("/usr/bin/authmw", "/bin/true")
        (tmp_path / each.name).write_text(text)
    found = subprocess.run(
        [analyze, "verify", "--man=no", str(tmp_path / unit.name)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


def test_containers_of_the_pod_share_a_bundle(tmp_path: Path) -> None:
    configuration, pod = yaml.safe_load_all(POD.read_text())
    file = tmp_path / "sync.toml"
    file.write_text(configuration["data"]["sync.toml"])
    bundle = read_sync_configuration(file).bundle
    service, sync = pod["spec"]["containers"]
    assert not parse_command(sync["command"]).once
    for container in (service, sync):
        mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
        assert str(bundle.parent) in mounts
        assert container["securityContext"]["readOnlyRootFilesystem"]
    assert {each["mountPath"]: each for each in service["volumeMounts"]}["/var/lib/authmw"][
        "readOnly"
    ]
    assert not re.search(r"^\s*-?\s*\w*Probe:", POD.read_text(), re.MULTILINE)
