"""The logging.ini of doc/logs.rst, given to gunicorn with the service of doc/paste.rst."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from authmw.testing import IdentityServer
from tests.system.documents.documents import read_blocks, write_files
from tests.system.documents.shell import free_port, open_shell, wait_until_ready


@pytest.mark.parametrize("place", ["nowhere", "--log-config", "the paste file"])
def test_where_the_service_configures_no_logging_this_shows_what_the_filter_says(
    tmp_path: Path, place: str
) -> None:
    with (
        IdentityServer() as identity,
        open_shell(tmp_path, {"gunicorn": "-m gunicorn"}) as shell,
    ):
        work = shell.directory
        write_files(read_blocks("paste.rst"), work)
        assert write_files(read_blocks("logs.rst"), work) == ["logging.ini"]
        lines = [f"{name} = {value}" for name, value in identity.service_credentials.items()]
        (work / "inventory.conf").write_text("\n".join(["[keystone_authtoken]", *lines, ""]))
        if place == "the paste file":
            with (work / "inventory.ini").open("a") as paste, (work / "logging.ini").open() as ini:
                shutil.copyfileobj(ini, paste)
        port = free_port()
        more = "--log-config logging.ini" if place == "--log-config" else ""
        command = f"gunicorn --paste inventory.ini --bind 127.0.0.1:{port} {more} --workers 1 &"
        shell.start(command)
        wait_until_ready(shell, "gunicorn", port)
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/", headers={"X-Auth-Token": "unknown"}
        )
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(request, timeout=30)
        shell.end()
        said = (work / "background.log").read_text()
    told = [
        " INFO authmw.build.parts: inventory authmw/" in said,
        " is not acceptable: not_found" in said,
    ]
    assert told == [place != "nowhere"] * 2, said
