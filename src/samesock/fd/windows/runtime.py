"""The C runtime's descriptors: the HANDLE behind one, one for a HANDLE, and its binary mode.

Elsewhere than on Windows each says that it is absent, so that the rest can be imported and checked anywhere.
What must never be put here: what `os` has under one name everywhere.
"""

from __future__ import annotations

import sys

from samesock._errors import named_error

MOST = 8192
"""_NHANDLE_ of the C runtime: no descriptor has this number or a greater one."""

if sys.platform == "win32":
    import msvcrt
    import os

    def handle_behind(number: int) -> int:
        """The HANDLE; `EBADF` where the number is not open."""
        return msvcrt.get_osfhandle(number)

    def descriptor_for(handle: int, *, writing: bool = True) -> int:
        """A new descriptor, not inheritable and binary, that takes the handle over."""
        access = os.O_RDWR if writing else os.O_RDONLY
        return msvcrt.open_osfhandle(handle, access | os.O_BINARY | os.O_NOINHERIT)

    def be_binary(number: int) -> None:
        """In its text mode, os.open's default here, the runtime changes line ends and stops at Ctrl+Z."""
        msvcrt.setmode(number, os.O_BINARY)

else:

    def handle_behind(number: int) -> int:
        """Absent here."""
        raise named_error("EOPNOTSUPP", f"asking the HANDLE behind {number}")

    def descriptor_for(handle: int, *, writing: bool = True) -> int:
        """Absent here."""
        raise named_error(
            "EOPNOTSUPP", f"making a descriptor {'' if writing else 'to read '}for HANDLE {handle}"
        )

    def be_binary(number: int) -> None:
        """Nothing: there is no text mode here."""
