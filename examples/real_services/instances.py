"""One service behind one contender, as a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from examples.real_services.client import Client
from examples.real_services.contenders import Contender
from examples.real_services.one_line import change_factory
from examples.real_services.outcome import WRONG_CONTENT
from examples.real_services.services import CONTENT, Service
from tests.support.wsgi_server import Gunicorn

SETUP_TIMEOUT_SECONDS = 120
START_TIMEOUT_SECONDS = 60
THREADS = 4


class SetupFailed(Exception):
    """A service's own command failed; the message has the end of its output."""


def read_packaged_paste(service: Service) -> str:
    """Return the text of the paste file that a service was installed with."""
    return (Path(sys.prefix) / service.paste_file).read_text()


class Instance:
    """A service's directory and its server, not yet started.

    Attributes:
        resource: the path of what was created last, empty before.
    """

    def __init__(self, service: Service, contender: Contender, directory: Path) -> None:
        self.service = service
        self.contender = contender
        self.directory = directory
        self.resource = ""
        directory.mkdir(parents=True)
        self.server = Gunicorn(
            [self._fill_in(argument) for argument in service.application],
            log=directory / "service.log",
            threads=THREADS,
            environ={key: self._fill_in(value) for key, value in service.environ.items()},
        )

    @property
    def name(self) -> str:
        """As the table calls it."""
        return f"{self.service.name} {self.contender.name}"

    def open_client(self) -> Client:
        """Return a new connection."""
        return Client(self.server.port)

    def configure(self, authtoken: str) -> None:
        """Write the service's configuration and paste file.

        Args:
            authtoken: the group [keystone_authtoken], with its heading.
        """
        paste = read_packaged_paste(self.service)
        if self.contender.is_ours:
            paste = change_factory(paste)
        (self.directory / "paste.ini").write_text(paste)
        file = self.directory / self.service.configuration_file
        file.parent.mkdir(exist_ok=True)
        file.write_text(
            self.service.configuration.format(
                directory=self.directory,
                url=self.server.url,
                authtoken=authtoken,
            )
        )

    def make_database(self) -> Path:
        """Have the service make its tables; returns the database's file."""
        program, *arguments = self.service.database_command
        finished = subprocess.run(  # noqa: S603
            [Path(sys.prefix) / "bin" / program, *map(self._fill_in, arguments)],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SETUP_TIMEOUT_SECONDS,
            check=False,
        )
        if finished.returncode != 0:
            raise SetupFailed(f"{program}:\n{finished.stdout[-3000:]}")
        return self.directory / "service.db"

    def take_database(self, file: Path) -> None:
        """Use a copy of tables already made."""
        shutil.copy(file, self.directory / "service.db")

    def create(self, token: str) -> int:
        """Create what others may want to read, as the bearer; returns the status."""
        with self.open_client() as client:
            answer = self.service.create(client, token)
        if answer.status == 201:
            self.resource = self.service.find_path(answer)
        return answer.status

    def read(self, headers: Mapping[str, str]) -> int:
        """Ask for the content of what was created; returns the status, or WRONG_CONTENT."""
        with self.open_client() as client:
            answer = client.send("GET", self.resource + self.service.content_path, headers=headers)
        if answer.status == 200 and answer.body != CONTENT:
            return WRONG_CONTENT
        return answer.status

    def start(self) -> None:
        """Start the server; returns when it answers."""
        self.server.start(deadline_seconds=START_TIMEOUT_SECONDS)

    def stop(self) -> None:
        """Stop the server, if it runs."""
        self.server.stop()

    def _fill_in(self, text: str) -> str:
        return text.format(directory=self.directory)
