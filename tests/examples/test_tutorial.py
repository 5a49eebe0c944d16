"""doc/tutorial.rst as a newcomer follows it: its files, its commands, what they print."""

from __future__ import annotations

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

from tests.examples.documents import Block, read_blocks

_PORT = "8080"
_PATIENCE_SECONDS = 30


@dataclass
class Shell:
    """Runs the commands of one tutorial in one directory."""

    directory: Path
    environment: dict[str, str]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    sourced: str = ""

    def run(self, command: str) -> str:
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
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        assert finished.returncode == 0, f"{command}\n{finished.stdout}{finished.stderr}"
        return finished.stdout

    def start(self, command: str) -> None:
        """Start a command that ends in "&"."""
        with (self.directory / "background.log").open("ab") as log:
            self.running.append(
                subprocess.Popen(
                    shlex.split(command.removesuffix("&")),
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
def open_shell(directory: Path) -> Iterator[Shell]:
    """Offer a shell in which `python` is the interpreter of this test."""
    commands = directory / "bin"
    commands.mkdir()
    for name, arguments in (("python", ""), ("flask", " -m flask")):
        script = commands / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)}{arguments} "$@"\n')
        script.chmod(0o755)
    work = directory / "work"
    work.mkdir()
    shell = Shell(work, {**os.environ, "PATH": f"{commands}:{os.environ['PATH']}"})
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


def test_every_step_of_the_tutorial_comes_to_what_it_says(tmp_path: Path) -> None:
    port = free_port()
    told = 0
    with open_shell(tmp_path) as shell:
        for block in read_blocks("tutorial.rst"):
            if block.options.get("class") == "install":
                continue  # what this test runs with
            if block.file is not None:
                (shell.directory / block.file).write_text(block.text)
                continue
            for written, lines in split_console(block):
                command = written.replace(_PORT, port)
                if command.endswith("&"):
                    shell.start(command)
                    wait_until_ready(shell, command, port)
                    continue
                printed = shell.run(command)
                for line in lines:
                    assert line in printed, f"{command}\n{printed}"
                    told += 1
    assert told == 6


def test_the_install_step_names_what_the_rest_needs() -> None:
    (install,) = [block for block in read_blocks("tutorial.rst") if "class" in block.options]
    assert install.text.splitlines()[-1] == "$ pip install ../authmw flask pytest"
