"""The first five minutes of doc/sites.rst as an operator follows them, with a real Keystone."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.support.identity_types import project_scope
from tests.support.keystone import Keystone
from tests.system.documents.documents import read_blocks
from tests.system.documents.shell import (
    free_port,
    open_shell,
    split_console,
    wait_until_ready,
)

pytestmark = pytest.mark.slow

_PORT = "8070"
_KEYSTONE = "/etc/keystone/keystone.conf"
_KEYS = "/etc/keystone/jws-keys/public"


def test_each_command_of_the_first_five_minutes_comes_to_what_it_says(
    keystone: Keystone, tmp_path: Path
) -> None:
    api = keystone.jws.api
    project = api.create_project()
    user = api.create_user()
    api.grant(user, api.find_role("member"), project_scope(project))
    token = api.issue(user, project_scope(project)).id
    port = free_port()
    replaced = {
        _PORT: port,
        _KEYSTONE: str(keystone.jws.configuration_file),
        _KEYS: str(keystone.jws_public_key_repository),
    }

    def real(text: str) -> str:
        for written, there in replaced.items():
            text = text.replace(written, there)
        return text

    programs = {
        "authmw": "-m authmw",
        "python3": "",
        "openstack": f"-c {shlex.quote(f'print({token!r})')}",
    }
    told = 0
    with open_shell(tmp_path, programs) as shell:
        for block in read_blocks("sites.rst"):
            if block.options.get("class") == "install":
                continue
            if block.file is not None:
                (shell.directory / block.file).write_text(real(block.text))
                continue
            if block.language != "console":
                continue
            for written, lines in split_console(block):
                command = real(written)
                if command.startswith("kill"):
                    shell.end()
                elif command.endswith("&"):
                    shell.start(command)
                    wait_until_ready(shell, command, port)
                else:
                    printed = shell.run(command)
                    for line in lines:
                        assert line in printed, f"{command}\n{printed}"
                        told += 1
    assert told == 4
