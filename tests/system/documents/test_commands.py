"""The commands of doc/commands.rst that can be tried by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.documents.documents import read_page
from tests.system.documents.shell import free_port, open_shell

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("kind", ["--jws keys", "--issuer"])
def test_signed_tokens_can_be_tried_by_hand(tmp_path: Path, kind: str) -> None:
    """The commands of `doc/commands.rst`, pasted."""
    lines = read_page("commands").partition("\nTry it by hand\n")[2].splitlines()
    commands = [line.strip() for line in lines if line.startswith("    $ ")]
    assert len(commands) == 5
    with open_shell(tmp_path, {"python": "", "authmw": "-m authmw"}) as shell:
        printed = []
        for written in commands:
            command = written.removeprefix("$ ").replace("--jws keys", kind)
            if command.endswith("&"):
                shell.start(command)
            else:
                printed += shell.run(command).splitlines()[-1:]
        assert printed[0].startswith("accepted; ")
        assert printed[1].startswith("accepted in ")
        if kind == "--issuer":
            return
        service = shell.run("echo $SERVICE | authmw token validate --config-file service.conf")
    assert "accepted: service with " in service
    assert "service" in service.partition(" with ")[2].partition("\n")[0].split(", ")


@pytest.mark.parametrize("kind", ["", "--issuer"])
def test_the_server_for_tests_has_the_port_that_it_is_given(tmp_path: Path, kind: str) -> None:
    port = free_port()
    command = f"python -m authmw.testing {kind} --port {port} service.conf tokens"
    with open_shell(tmp_path, {"python": ""}) as shell:
        shell.start(f"{command} &")
        shell.run("until [ -s tokens ]; do sleep 0.2; done")
        assert f" = http://127.0.0.1:{port}\n" in shell.run("cat service.conf")
        again = shell.run(f"{command} 2>&1 || echo status $?")
    assert (f"port {port}: " in again, again.splitlines()[-1]) == (True, "status 2")
