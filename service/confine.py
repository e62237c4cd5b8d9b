"""What a child process gives up before it reads what strangers send: memory, files, other programs, the network."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use.

    Attributes:
        memory: bytes of address space beyond what it has when it is confined.
        descriptors: open files and sockets.
        file_bytes: size of a file it writes.
        cpu_seconds: of its whole life; None: any.
        network: whether it may open sockets.
    """

    memory: int
    descriptors: int = 64
    file_bytes: int = 0
    cpu_seconds: int | None = None
    network: bool = False


def confine(limits: Limits) -> None:
    """Limit this process, for good. Call it after the imports, whose size counts as used already.

    Where the kernel filters system calls (Linux on x86-64 and ARM), it can from then on start no process, look into
    no other one and, without `network`, open no socket; elsewhere the limits alone hold.
    """
    _limit(resource.RLIMIT_AS, _address_space() + limits.memory)
    _limit(resource.RLIMIT_NOFILE, limits.descriptors)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_CORE, 0)
    if limits.cpu_seconds is not None:
        _limit(resource.RLIMIT_CPU, limits.cpu_seconds, 2)  # SIGXCPU first, which tells it from other deaths
    _filter_system_calls(limits.network)


def _limit(which: int, value: int, room: int = 0) -> None:
    allowed = resource.getrlimit(which)[1]
    soft, hard = (v if allowed == resource.RLIM_INFINITY else min(v, allowed) for v in (value, value + room))
    resource.setrlimit(which, (soft, hard))


def _address_space() -> int:
    """Bytes of address space this process has; where that cannot be known, what the imports take."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 1 << 30
    return pages * resource.getpagesize()


_PROGRAMS: Final = {
    "x86_64": [57, 58, 59, 322, 101, 62, 424, 310, 311, 321, 425, 250, 272, 308],
    "aarch64": [221, 281, 117, 129, 424, 270, 271, 280, 425, 219, 97, 268],
}
"""fork, vfork, execve, execveat, ptrace, kill, pidfd_send_signal, process_vm_readv and _writev, bpf, io_uring_setup
(which opens sockets by itself), keyctl, unshare, setns; ARM has no fork and vfork."""

_SOCKETS: Final = {"x86_64": [41, 42, 49, 50], "aarch64": [198, 203, 200, 201]}
"""socket, connect, bind, listen."""

_CLONE: Final = {"x86_64": 56, "aarch64": 220}
_CLONE3 = 435
_AUDIT: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SECCOMP: Final = {"x86_64": 317, "aarch64": 277}

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _REFUSE, _MISSING, _KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
_THREAD = 0x00010000  # CLONE_THREAD


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def _filter_system_calls(network: bool) -> None:
    machine = platform.machine()
    if platform.system() != "Linux" or machine not in _AUDIT:
        return
    refused = _PROGRAMS[machine] + ([] if network else _SOCKETS[machine])
    code = [
        (_LOAD, 0, 0, 4),  # the architecture
        (_EQUAL, 1, 0, _AUDIT[machine]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # the number of the call
        (_AT_LEAST, 0, 1, 0x40000000),  # x32: the same calls under other numbers
        (_RETURN, 0, 0, _REFUSE),
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, _MISSING),  # the C library then takes clone, whose flags can be seen
        (_EQUAL, 0, 4, _CLONE[machine]),
        (_LOAD, 0, 0, 16),  # its flags
        (_ANY_BIT, 0, 1, _THREAD),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REFUSE),
    ]
    for number in refused:
        code += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    code.append((_RETURN, 0, 0, _ALLOW))
    _load(code, machine)


def _load(code: Sequence[tuple[int, int, int, int]], machine: str) -> None:
    instructions = (_Instruction * len(code))(*(_Instruction(*one) for one in code))
    program = _Program(len(code), instructions)
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, all_threads = 38, 1
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs is refused")
    if libc.syscall(_SECCOMP[machine], 1, all_threads, ctypes.byref(program)) != 0:
        error = ctypes.get_errno()
        if error not in (22, 38):  # a kernel without it
            raise OSError(error, os.strerror(error))
