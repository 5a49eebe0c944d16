"""What is to be published next: collected whole, and then sent, as often as it takes.

A publish is written to the centre's own disk first, signatures included, and sealed by one rename.
From then on it will be sent: whoever was killed meanwhile, the next one goes on with it before
anything else. So no version of any metadata is ever signed twice with different contents, and what
the centre takes for published is what it sends.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from authmw.bundle.centre.durable import link, sync, sync_all, write
from authmw.bundle.centre.stores import Store

RETIRED: Final = "retired"
"""The file of the state that has a line for each path that left the repository: time and path."""

_PLAN: Final = "plan.json"
_SEALED: Final = "outgoing"


@dataclass(slots=True)
class _Plan:
    """In which order what is sent, and what the state is then.

    Attributes:
        targets, metadata: path in the repository, and number of the file or path to copy.
        pointer: likewise, of what makes the rest visible: last.
        state: path in the state, and number of the file.
        deleted: paths in the state.
        retired: paths in the repository that nothing names any more.
        replaced: path of a file, of its replacement, and where the file is kept; absolute.
        at: epoch seconds at which it was made.
    """

    at: int
    targets: list[tuple[str, int | str]] = field(default_factory=list)
    metadata: list[tuple[str, int]] = field(default_factory=list)
    pointer: list[tuple[str, int]] = field(default_factory=list)
    state: list[tuple[str, int]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    replaced: list[tuple[str, str, str]] = field(default_factory=list)


class Outgoing:
    """Collects a publish. Nothing of it counts before `seal`.

    Args:
        state: the directory of the centre. Its lock is held.
        now: epoch seconds.
    """

    def __init__(self, state: Path, now: float) -> None:
        self._sealed = state / _SEALED
        self._directory = state / f"{_SEALED}.new"
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(mode=0o700)
        self._plan = _Plan(int(now))
        self._count = 0
        self._sent: dict[tuple[int, int], str] = {}

    def add_target(self, path: str, file: Path) -> None:
        """Send a file, or a copy of it on the other side if it is sent already."""
        status = file.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in self._sent:
            self._plan.targets.append((path, self._sent[identity]))
            return
        self._sent[identity] = path
        self._plan.targets.append((path, self._add(file)))

    def add_bytes(self, path: str, content: bytes) -> None:
        """Send a small target."""
        self._plan.targets.append((path, self._write(content)))

    def add_metadata(self, path: str, content: bytes, *, state: str, is_pointer: bool) -> None:
        """Send metadata, after all targets, in the order of the calls, and keep it in the state.

        Args:
            path: in the repository.
            content: signed.
            state: path in the state.
            is_pointer: send it when everything else is there.
        """
        number = self._write(content)
        (self._plan.pointer if is_pointer else self._plan.metadata).append((path, number))
        self._plan.state.append((state, number))

    def set_state(self, path: str, content: Path | bytes) -> None:
        """Put a file into the state, once all is sent."""
        number = self._write(content) if isinstance(content, bytes) else self._add(content)
        self._plan.state.append((path, number))

    def delete_state(self, path: str) -> None:
        """Delete a file of the state, once all is sent."""
        self._plan.deleted.append(path)

    def retire(self, paths: Iterable[str]) -> None:
        """Note that nothing in the repository names these any more, once all is sent."""
        self._plan.retired.extend(paths)

    def replace(self, path: Path, new: Path, kept: Path) -> None:
        """Put a new file in the place of another, which is kept; anywhere, once all is sent."""
        self._plan.replaced.append((str(path), str(new), str(kept)))

    def seal(self) -> None:
        """Decide that this is what is published next. Raises OSError: it is not."""
        write(self._directory / _PLAN, json.dumps(asdict(self._plan)).encode())
        sync_all([*self._directory.iterdir(), self._directory])
        os.rename(self._directory, self._sealed)
        sync(self._sealed.parent)

    def _add(self, file: Path) -> int:
        self._count += 1
        os.link(file, self._directory / str(self._count))
        return self._count

    def _write(self, content: bytes) -> int:
        self._count += 1
        (self._directory / str(self._count)).write_bytes(content)
        return self._count


def is_pending(state: Path) -> bool:
    """Tell whether something is sealed, and not sent yet."""
    return (state / _SEALED).exists()


def send(state: Path, store: Store) -> bool:
    """Send what is sealed, and take it for published; do nothing if nothing is.

    Returns:
        whether something was.

    Raises:
        OSError: it can't be sent; the next call tries again from the beginning.
    """
    directory = state / _SEALED
    # Someone killed while deleting it has left a part, without the plan.
    if not (directory / _PLAN).exists():
        shutil.rmtree(directory, ignore_errors=True)
        return False
    plan = _Plan(**json.loads((directory / _PLAN).read_bytes()))
    for path, what in plan.targets:
        if isinstance(what, str):
            store.copy(what, path)
        else:
            store.put(path, directory / str(what), immutable=True)
    for path, number in plan.metadata:
        store.put(path, directory / str(number), immutable=True)
    # A site that sees the pointer must find the rest.
    store.flush()
    for path, number in plan.pointer:
        store.put(path, directory / str(number), immutable=False)
    store.flush()
    _take_over(state, directory, plan)
    return True


def _take_over(state: Path, directory: Path, plan: _Plan) -> None:
    touched = {state}
    for path, number in plan.state:
        link(directory / str(number), state / path)
        touched.add((state / path).parent)
    for path in plan.deleted:
        (state / path).unlink(missing_ok=True)
    for path, new, kept in plan.replaced:
        # If the new one is gone, it is in its place already.
        if os.path.exists(new):
            if os.path.exists(path):
                os.replace(path, kept)
            os.replace(new, path)
    if plan.retired:
        with (state / RETIRED).open("a") as file:
            file.writelines(f"{plan.at} {path}\n" for path in plan.retired)
    sync_all(touched)
    # The plan goes first: without it the rest is nothing.
    (directory / _PLAN).unlink()
    shutil.rmtree(directory)
