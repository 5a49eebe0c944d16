"""What is released: the source distribution, the wheel, the bill of materials, each extra."""

from __future__ import annotations

import email
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from tests.support.programs import ROOT

pytestmark = pytest.mark.slow

# What each extra is for: a program that works with it, and not without.
USES = {
    "cli": "import paste.deploy",
    "demo": "import gunicorn, paste.deploy",
    "bundle": "import sqlalchemy; import authmw.bundle.keystone_sql",
    "django": "import django",
    "rest": "import rest_framework",
    "flask": "import authmw.flask",
    "falcon": "import authmw.falcon",
    "pyramid": "import pyramid",
    "asgi": "import starlette; import authmw.asgi",
    "plots": "import matplotlib",
    "sites": "import authmw.bundle.centre.repository, authmw.bundle.sync.repository",
    "s3": "import boto3",
    "nats": "import nats",
    "pkcs11": "import pkcs11",
    "prometheus": "import authmw.metrics.prometheus",
    "opentelemetry": "import authmw.metrics.opentelemetry",
}
# For those who work on authmw.
_OF_DEVELOPERS = {"bench", "test", "docs", "lint"}


def run(*command: str | Path, cwd: Path | None = None, umask: int = -1) -> str:
    done = subprocess.run(
        [str(each) for each in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        umask=umask,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:]
    return done.stdout


def make_distribution(directory: Path, umask: int) -> Path:
    """Make all that is released, of what is committed; returns where it is."""
    run("git", "clone", "--quiet", ROOT, directory, umask=umask)
    run(sys.executable, ".ci/dist.py", cwd=directory, umask=umask)
    return directory / "dist"


@pytest.fixture(scope="module")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_distribution(tmp_path_factory.mktemp("first") / "clone", 0o022)


@pytest.fixture(scope="module")
def wheel(distribution: Path) -> Path:
    (path,) = distribution.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(distribution: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    directory = tmp_path_factory.mktemp("sdist")
    with tarfile.open(next(distribution.glob("*.tar.gz"))) as archive:
        archive.extractall(directory, filter="data")
    (path,) = directory.iterdir()
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel alone."""
    environment = tmp_path_factory.mktemp("environment") / "plain"
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    install(environment, str(wheel))
    return environment


def install(environment: Path, what: str) -> None:
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", what)


def metadata_of(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [each for each in archive.namelist() if each.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(archive.read(name))


def releases(packages: list[dict[str, str]]) -> set[tuple[str, str]]:
    return {(each["name"].lower().replace("_", "-"), each["version"]) for each in packages}


def test_same_source_gives_the_same_bytes(distribution: Path, tmp_path: Path) -> None:
    again = make_distribution(tmp_path / "elsewhere", 0o077)
    assert {each.name: each.read_bytes() for each in again.iterdir()} == {
        each.name: each.read_bytes() for each in distribution.iterdir()
    }


def test_source_distribution_has_every_file(sdist: Path) -> None:
    tracked = run("git", "ls-files", cwd=ROOT).splitlines()
    assert [each for each in tracked if not (sdist / each).is_file()] == []


def test_demo_works_from_the_source_distribution(sdist: Path) -> None:
    assert "each answered as it should be" in run("make", "demo", cwd=sdist)


def test_tests_run_from_the_source_distribution(sdist: Path) -> None:
    # Every file is there; of the tests, those of one room.
    run(sys.executable, "-m", "pytest", "-q", "-n", "0", "tests/token", cwd=sdist)


def test_wheel_says_what_it_is(wheel: Path) -> None:
    metadata = metadata_of(wheel)
    for name in ("Summary", "Author", "License", "Keywords", "Requires-Python", "Platform"):
        assert metadata.get(name) or metadata.get(f"{name}-Expression"), name
    assert metadata["Description-Content-Type"].startswith("text/x-rst")
    assert {"Typing :: Typed", "Programming Language :: Python :: 3.11"} <= set(
        metadata.get_all("Classifier", [])
    )


def test_wheel_brings_configuration_and_manual_page(installed: Path) -> None:
    share = installed / "share"
    sample = (share / "authmw" / "authmw.conf.sample").read_text()
    assert sample == (ROOT / "etc" / "authmw.conf.sample").read_text()
    assert (share / "man" / "man1" / "authmw.1").read_text().startswith(".TH AUTHMW")


def test_wheel_brings_the_page_of_the_playground(installed: Path) -> None:
    listed = (
        "from importlib import resources;"
        "files = resources.files('authmw.playground').joinpath('static');"
        "print(*(each.name for each in files.iterdir()))"
    )
    there = {each.name for each in (ROOT / "authmw" / "playground" / "static").iterdir()}
    assert set(run(installed / "bin" / "python", "-c", listed, cwd=installed).split()) == there


def test_command_works_with_no_extra(installed: Path) -> None:
    assert "COMMAND" in run(installed / "bin" / "authmw", "--help")


def test_every_extra_has_its_use(wheel: Path) -> None:
    assert set(metadata_of(wheel).get_all("Provides-Extra", [])) - _OF_DEVELOPERS == USES.keys()


@pytest.mark.parametrize("extra", USES)
def test_extra_brings_what_it_is_for(
    extra: str, wheel: Path, installed: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    shutil.copytree(installed, environment, symlinks=True)
    python = environment / "bin" / "python"
    assert subprocess.run([python, "-c", USES[extra]], capture_output=True, check=False).returncode
    install(environment, f"{wheel}[{extra}]")
    run(python, "-W", "error", "-c", USES[extra])


def test_bill_of_materials_names_what_is_installed(distribution: Path, installed: Path) -> None:
    (path,) = distribution.glob("*.cdx.json")
    bill = json.loads(path.read_text())
    python = installed / "bin" / "python"
    listed = json.loads(
        run(sys.executable, "-m", "pip", "--python", python, "list", "--format=json")
    )
    assert releases(bill["components"]) == releases(listed)
    assert str(distribution) not in path.read_text()
    assert os.sep + "tmp" not in path.read_text()
