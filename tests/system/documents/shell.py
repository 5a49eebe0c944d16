"""Follows a document as a newcomer does: its files, its commands, what they print."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.system.documents.documents import Block, read_blocks

LOG = logging.getLogger(__name__)

_PORT = "8080"
_PATIENCE_SECONDS = 30
_INSTALL_PATIENCE_SECONDS = 240


@dataclass
class Shell:
    """Runs the commands of one tutorial in one directory."""

    directory: Path
    environment: dict[str, str]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    sourced: str = ""

    def run(self, command: str, *, patience_seconds: float = _PATIENCE_SECONDS) -> str:
        """Run a command to its end; return what it printed."""
        if command.startswith(". "):
            # The variables are there for all later commands.
            self.sourced += f"{command}\n"
        finished = subprocess.run(
            ["sh", "-e", "-c", self.sourced + command],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=patience_seconds,
            check=False,
        )
        assert finished.returncode == 0, f"{command}\n{finished.stdout}{finished.stderr}"
        return finished.stdout

    def start(self, command: str) -> None:
        """Start a command that ends in "&"."""
        # exec: it, and not a shell around it, is what is ended.
        script = f"{self.sourced}exec {command.removesuffix('&')}"
        with (self.directory / "background.log").open("ab") as log:
            self.running.append(
                subprocess.Popen(
                    ["sh", "-e", "-c", script],
                    cwd=self.directory,
                    env=self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def end(self) -> None:
        """End what was started."""
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        for process in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


@contextmanager
def open_shell(directory: Path, commands: dict[str, str]) -> Iterator[Shell]:
    """Offer a shell in an empty directory.

    Args:
        directory: where that is made.
        commands: names, and the arguments with which they call the interpreter of this test.
    """
    path = directory / "bin"
    path.mkdir()
    for name, arguments in commands.items():
        script = path / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
        script.chmod(0o755)
    work = directory / "work"
    work.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    shell = Shell(work, environment | {"PATH": f"{path}:{os.environ['PATH']}"})
    try:
        yield shell
    finally:
        shell.end()


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return str(listener.getsockname()[1])


def wait_until_ready(shell: Shell, command: str, port: str) -> None:
    """Wait as long as a reader would: for the files, or the port, that a command is about."""
    files = [shell.directory / name for name in ("inventory.conf", "tokens") if name in command]
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < give_up_at:
        if files and all(path.exists() and path.read_text() for path in files):
            return
        if not files:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", int(port))) == 0:
                    return
        time.sleep(0.05)
    raise AssertionError(f"{command}\n{(shell.directory / 'background.log').read_text()}")


def split_console(block: Block) -> list[tuple[str, list[str]]]:
    """Return each command of a console block with the lines it is said to print."""
    conversation: list[tuple[str, list[str]]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            conversation.append((line.removeprefix("$ "), []))
        else:
            conversation[-1][1].append(line)
    return conversation


def follow(
    shell: Shell, document: str, *, is_installing: bool = False, is_pasted: bool = False
) -> int:
    """Do all that a document says, in its order; what is printed is what it says.

    A block with a name is a file, with the class `append` the end of one. A console block is run,
    and each line that it is said to print is there.

    Args:
        shell: where.
        document: its name in doc/.
        is_installing: whether the blocks of class `install` are run as well.
        is_pasted: whether commands follow each other at once, so that the page has to wait for
            what it starts.

    Returns how many lines were said to be printed.
    """
    port = free_port()
    told = 0
    for block in read_blocks(document):
        if block.options.get("class") == "install":
            if is_installing:
                install(shell, block)
            continue
        if block.file is not None:
            write_file(shell.directory / block.file, block)
            continue
        if block.language != "console":
            continue
        for written, lines in split_console(block):
            command = written.replace(_PORT, port)
            if command.endswith("&"):
                shell.start(command)
                if not is_pasted:
                    wait_until_ready(shell, command, port)
                continue
            printed = shell.run(command)
            for line in lines:
                assert line in printed, f"{command}\n{printed}"
                told += 1
    return told


def write_file(path: Path, block: Block) -> None:
    """Write a block that is a file, or the end of one."""
    before = f"{path.read_text()}\n" if block.options.get("class") == "append" else ""
    path.parent.mkdir(exist_ok=True)
    path.write_text(before + block.text)


def install(shell: Shell, block: Block) -> None:
    """Run the commands of the install step, and log how long each takes."""
    for command, _ in split_console(block):
        began_at = time.monotonic()
        shell.run(command, patience_seconds=_INSTALL_PATIENCE_SECONDS)
        LOG.info("%5.1f s  %s", time.monotonic() - began_at, command)
