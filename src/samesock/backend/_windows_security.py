"""Who this process is to Windows, and who owns an object: tokens, SDDL and security descriptors.

Everything answers with SIDs as text and asks through a handle, never through a path: what a path names can
change between two questions. What must never be put here: what follows from an answer, beyond "mine" and "not
mine".
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Iterator

from samesock._errors import error
from samesock.backend import _security_descriptor
from samesock.backend._security_descriptor import ADMINISTRATORS, SecurityDescriptor
from samesock.ffi import BOOL, DWORD, HANDLE, ULONG_PTR
from samesock.ffi.advapi32 import (
    DACL_SECURITY_INFORMATION,
    OWNER_SECURITY_INFORMATION,
    SDDL_REVISION_1,
    TOKEN_QUERY,
    TokenUser,
    advapi32,
)
from samesock.ffi.kernel32 import ERROR_INSUFFICIENT_BUFFER, SECURITY_ATTRIBUTES, kernel32

# SECURITY_MAX_SID_SIZE is 68, and a TOKEN_USER is a pointer and a DWORD before it.
_TOKEN_USER_ROOM = 128


@functools.lru_cache(maxsize=1)
def user() -> str:
    """The SID of this process's user: fixed for its life.

    A thread that impersonates somebody else is still this user here; Windows refuses it the files that would
    follow (ERROR_INVALID_OWNER).
    """
    sid = user_of(kernel32.GetCurrentProcess())
    if sid is None:
        raise error(kernel32.GetLastError(), "asking who this process belongs to")
    return sid


def user_of(process: int) -> str | None:
    """The SID of the user of the process with this handle; `None` if this process may not ask."""
    token = HANDLE()
    if not advapi32.OpenProcessToken(process, TOKEN_QUERY, ctypes.byref(token)):
        return None
    try:
        room = ctypes.create_string_buffer(_TOKEN_USER_ROOM)
        needed = DWORD()
        if not advapi32.GetTokenInformation(token.value, TokenUser, room, len(room), ctypes.byref(needed)):
            return None
        # TOKEN_USER begins with a pointer to the SID, which lies behind it in the same room.
        where = ULONG_PTR.from_buffer(room).value - ctypes.addressof(room)
        return _security_descriptor.sid_text(room.raw, where)
    finally:
        kernel32.CloseHandle(token.value)


def is_administrator() -> bool:
    """Whether this process is an administrator now: elevated, where that must be asked for."""
    member = BOOL()
    sid = ctypes.create_string_buffer(_security_descriptor.sid_bytes(ADMINISTRATORS))
    return bool(advapi32.CheckTokenMembership(0, sid, ctypes.byref(member)) and member.value)


def mine(owner: str | None) -> bool:
    """Whether that owner is this user; for an administrator also the group, which owns what the elevated
    make.
    """
    return owner == user() or (owner == ADMINISTRATORS and is_administrator())


def mine_alone(descriptor: SecurityDescriptor) -> bool:
    """Whether the object belongs to this user and nobody else may change it."""
    return mine(descriptor.owner) and not _security_descriptor.others_may_write(
        descriptor, frozenset({user()})
    )


def of_handle(handle: int, tried: str, filename: str | None = None) -> SecurityDescriptor:
    """Owner and access list of whatever the handle is of; it needs READ_CONTROL."""
    wanted = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION
    needed = DWORD(512)
    while True:
        room = ctypes.create_string_buffer(needed.value)
        if advapi32.GetKernelObjectSecurity(handle, wanted, room, len(room), ctypes.byref(needed)):
            return _security_descriptor.parse(room.raw)
        code = kernel32.GetLastError()
        if code != ERROR_INSUFFICIENT_BUFFER or needed.value <= len(room):
            raise error(code, tried, filename)


def for_user(inherited: str = "") -> str:
    """SDDL: owned by this user, open to this user and the system, and protected from what a parent would add.

    `inherited` are the flags by which things inside get the same ("OICI" for a directory).
    """
    me = user()
    return f"O:{me}D:P(A;{inherited};FA;;;{me})(A;{inherited};FA;;;SY)"


@contextlib.contextmanager
def attributes(sddl: str) -> Iterator[SECURITY_ATTRIBUTES]:
    """What a Create function takes to make an object with this descriptor, not inheritable by child
    processes.
    """
    descriptor = ULONG_PTR()
    if not advapi32.ConvertStringSecurityDescriptorToSecurityDescriptorW(
        sddl, SDDL_REVISION_1, ctypes.byref(descriptor), None
    ):
        raise error(kernel32.GetLastError(), f"reading the security descriptor {sddl}")
    try:
        yield SECURITY_ATTRIBUTES(ctypes.sizeof(SECURITY_ATTRIBUTES), descriptor.value, False)
    finally:
        kernel32.LocalFree(descriptor.value)
