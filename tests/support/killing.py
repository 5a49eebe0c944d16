"""Kills a process at a system call of its own choosing."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable

import pytest

from authmw.errors import AuthmwError

_TRACE_ME, _CONTINUE_TO_SYSTEM_CALL = 0, 24
_ptrace = ctypes.CDLL(None, use_errno=True).ptrace
_ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_ptrace.restype = ctypes.c_long


def fork(work: Callable[[], object]) -> int:
    """Run something in a process of its own; its exit status is 0 unless it raises."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except (OSError, AuthmwError):
        status = 2
    finally:
        os._exit(status)


def kill_at(stop: int, work: Callable[[], object]) -> bool:
    """Kill a process as it enters or leaves a system call, counted from its beginning.

    Returns:
        whether it lived for as long as that.
    """

    def traced() -> None:
        _ptrace(_TRACE_ME, 0, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        work()

    child = fork(traced)
    _, status = os.waitpid(child, 0)
    if not os.WIFSTOPPED(status):
        pytest.skip("this machine lets no process be traced")
    for _ in range(stop):
        _ptrace(_CONTINUE_TO_SYSTEM_CALL, child, None, None)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            return False
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True
