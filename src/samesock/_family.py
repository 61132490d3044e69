"""AF_UNIX as a member of the standard library's `AddressFamily`, also where that enumeration lacks it.

Where the interpreter has no AF_UNIX, the member is made without being entered into the enumeration: `import samesock`
changes nothing of the standard library; `install()` enters this very object. What must never be put here: other
constants.
"""

from __future__ import annotations

import socket as _stdlib
from socket import AddressFamily

from samesock.unix import AF_UNIX as _NUMBER


def _made() -> AddressFamily:
    member = int.__new__(AddressFamily, _NUMBER)
    member._name_ = "AF_UNIX"
    member._value_ = _NUMBER
    member.__objclass__ = AddressFamily  # type: ignore[attr-defined]
    return member


AF_UNIX: AddressFamily = getattr(_stdlib, "AF_UNIX", None) or _made()
"""The family of Unix domain sockets."""
