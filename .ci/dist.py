"""Make what is released, in dist/: a source distribution, a wheel and a bill of materials (SBOM).

The same source gives the same bytes, whatever the time, the user and the directory. Times are those
of SOURCE_DATE_EPOCH, which is the time of the last commit unless set.
"""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"


def main() -> None:
    """Make all three."""
    os.umask(0o022)
    shutil.rmtree(DIST, ignore_errors=True)
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or find_epoch()
    environ = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    with tempfile.TemporaryDirectory() as directory:
        # A copy of what is tracked, so that nothing else of this directory gets in.
        source = Path(directory) / "source"
        copy_source(source)
        for each in source.rglob("*"):
            each.chmod(0o755 if each.is_dir() or each.stat().st_mode & 0o100 else 0o644)
        tools = Path(directory) / "tools"
        run("-m", "venv", str(tools))
        run("-m", "pip", "install", "--quiet", "build", "cyclonedx-bom", python=tools)
        run("-m", "build", "--outdir", str(DIST), str(source), python=tools, environ=environ)
        (sdist,) = DIST.glob("*.tar.gz")
        normalize(sdist, int(epoch))
        (wheel,) = DIST.glob("*.whl")
        write_bill(wheel, Path(directory) / "installed", tools, environ)
    for each in sorted(DIST.iterdir()):
        print(each.relative_to(ROOT))


def find_epoch() -> str:
    """Return the time of the last commit; of this very file where there is no repository."""
    found = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or str(int(Path(__file__).stat().st_mtime))


def copy_source(target: Path) -> None:
    """Copy the files that are tracked; all but what tools make where there is no repository."""
    found = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if found.returncode:
        ignored = shutil.ignore_patterns(".venv*", "dist", "build", "__pycache__", ".*_cache")
        shutil.copytree(ROOT, target, ignore=ignored, symlinks=True)
        return
    for name in found.stdout.decode().split("\0")[:-1]:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name, follow_symlinks=False)


def normalize(sdist: Path, epoch: int) -> None:
    """Write an archive again, in order, with one time, one owner and modes of two kinds."""
    with tarfile.open(sdist) as archive:
        members = [(each, archive.extractfile(each)) for each in archive.getmembers()]
        new = sdist.with_suffix(".new")
        with (
            new.open("wb") as file,
            gzip.GzipFile("", "wb", 9, file, mtime=epoch) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as target,
        ):
            for member, content in sorted(members, key=lambda each: each[0].name):
                member.mtime, member.pax_headers = epoch, {}
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                member.mode = 0o755 if member.mode & 0o100 else 0o644
                target.addfile(member, content)
    new.replace(sdist)


def write_bill(wheel: Path, venv: Path, tools: Path, environ: dict[str, str]) -> None:
    """Write what an installation of the wheel consists of, as CycloneDX JSON."""
    run("-m", "venv", "--without-pip", str(venv))
    python = venv / "bin" / "python"
    run("-m", "pip", "--python", str(python), "install", "--quiet", str(wheel), python=tools)
    # It says where the wheel lay, which is another place each time.
    (direct_url,) = venv.glob("lib/python*/site-packages/authmw-*/direct_url.json")
    direct_url.unlink()
    name = "-".join(wheel.name.split("-")[:2])
    bill = DIST / f"{name}.cdx.json"
    arguments = ["environment", str(python), "--output-reproducible", "--of", "JSON"]
    run("-m", "cyclonedx_py", *arguments, "-o", str(bill), python=tools, environ=environ)


def run(*arguments: str, python: Path | None = None, environ: dict[str, str] | None = None) -> None:
    """Run the Python of an environment, or ours; show what it says if it fails."""
    interpreter = sys.executable if python is None else str(python / "bin" / "python")
    done = subprocess.run(
        [interpreter, *arguments],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout[-3000:])


if __name__ == "__main__":
    main()
