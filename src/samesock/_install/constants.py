"""The names that programs look for in `socket`: AF_UNIX, its place in the enumeration, and what else only Unix has.

What must never be put here: behaviour.
"""

from __future__ import annotations

import socket as _stdlib
from socket import AddressFamily
from typing import Any

import samesock
from samesock._family import AF_UNIX
from samesock._install.patches import Patches

_PASSING = (
    "CMSG_LEN",
    "CMSG_SPACE",
    "SCM_RIGHTS",
    "MSG_CTRUNC",
    "recv_fds",
    "send_fds",
)
"""What goes with passing descriptors; filled in where samesock has it."""


def apply(patches: Patches) -> None:
    """Enter the member, then the names."""
    if not hasattr(_stdlib, "AF_UNIX"):
        _enter_member(patches)
    for name in _PASSING:
        if not hasattr(_stdlib, name) and hasattr(samesock, name):
            patches.set(_stdlib, name, getattr(samesock, name))
            patches.export(_stdlib, name)
    if not hasattr(_stdlib, "AF_UNIX"):
        patches.export(_stdlib, "AF_UNIX")
        patches.set(_stdlib, "AF_UNIX", AF_UNIX)


def _enter_member(patches: Patches) -> None:
    """The very object that is samesock.AF_UNIX becomes `AddressFamily.AF_UNIX` and `AddressFamily(1)`.

    An enumeration cannot gain a member by any public means. These three tables are what it looks in from 3.10 to
    3.14; `test_install.py` holds each way of asking against them.
    """
    enumeration: Any = AddressFamily
    names: list[str] = enumeration._member_names_
    by_name: dict[str, object] = enumeration._member_map_
    by_value: dict[int, object] = enumeration._value2member_map_
    patches.append(names, "AF_UNIX")
    patches.do(lambda: by_name.update(AF_UNIX=AF_UNIX), lambda: by_name.pop("AF_UNIX"))
    patches.do(lambda: by_value.update({int(AF_UNIX): AF_UNIX}), lambda: by_value.pop(int(AF_UNIX)))
    patches.set(enumeration, "AF_UNIX", AF_UNIX)
