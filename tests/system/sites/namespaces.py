"""Network namespaces of this host, and links between them that can be cut and slowed."""

from __future__ import annotations

import os
import shutil
import subprocess


def why_not() -> str | None:
    """Say why there can't be namespaces here; None: there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    name = f"authmw-{os.getpid()}-try"
    if _run("ip", "netns", "add", name, must_work=False) != 0:
        return "this host lets nobody make network namespaces"
    _run("ip", "netns", "del", name)
    return None


def _run(*command: str, must_work: bool = True) -> int:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert not must_work or done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.returncode


class Namespace:
    """A network of its own, with a loopback interface.

    Args:
        name: unlike that of any other test's.

    Attributes:
        prefix: goes before a command that is to run there.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.prefix = ["ip", "netns", "exec", name]
        _run("ip", "netns", "add", name)
        _run("ip", "-n", name, "link", "set", "lo", "up")

    def delete(self) -> None:
        """Delete it, with the links to it; its processes have ended."""
        _run("ip", "netns", "del", self.name, must_work=False)


class NetworkLink:
    """A link between two namespaces.

    Args:
        number: from 1 to 250, of this link alone.
        centre, site: its ends.

    Attributes:
        centre_address, site_address: of the ends.
    """

    def __init__(self, number: int, centre: Namespace, site: Namespace) -> None:
        self.centre_address, self.site_address = f"10.203.{number}.1", f"10.203.{number}.2"
        self._ends = [
            (centre, f"site{number}", self.centre_address),
            (site, "centre", self.site_address),
        ]
        (first, first_name, _), (second, second_name, _) = self._ends
        _run(
            *("ip", "-n", first.name, "link", "add", first_name, "type", "veth"),
            *("peer", "name", second_name, "netns", second.name),
        )
        for namespace, name, address in self._ends:
            _run("ip", "-n", namespace.name, "addr", "add", f"{address}/24", "dev", name)
            _run("ip", "-n", namespace.name, "link", "set", name, "up")

    def cut(self) -> None:
        """Have packets go nowhere, as behind a cable that is cut: nobody is told."""
        for namespace, name, _ in self._ends:
            _run(*_tc(namespace, "replace", name), "tbf", "rate", "8bit", "burst", "1", *_LATENCY)

    def slow(self, kbits: int) -> None:
        """Let so many kilobits a second through, in each direction."""
        for namespace, name, _ in self._ends:
            rate = ("tbf", "rate", f"{kbits}kbit", "burst", "4kb")
            _run(*_tc(namespace, "replace", name), *rate, *_LATENCY)

    def heal(self) -> None:
        """Let everything through again."""
        for namespace, name, _ in self._ends:
            _run(*_tc(namespace, "del", name), must_work=False)


_LATENCY = ("latency", "400ms")


def _tc(namespace: Namespace, action: str, device: str) -> tuple[str, ...]:
    return ("tc", "-n", namespace.name, "qdisc", action, "dev", device, "root")
