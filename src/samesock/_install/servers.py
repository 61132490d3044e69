"""socketserver's Unix servers and multiprocessing's list of families, where these modules were imported too early.

Both look for `socket.AF_UNIX` when they are imported: imported after install() they need nothing. What must never be
put here: anything that imports a module for its own sake.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from samesock._family import AF_UNIX
from samesock._install.patches import Patches

SERVERS = {
    "UnixStreamServer": ("TCPServer",),
    "UnixDatagramServer": ("UDPServer",),
    "ThreadingUnixStreamServer": ("ThreadingMixIn", "UnixStreamServer"),
    "ThreadingUnixDatagramServer": ("ThreadingMixIn", "UnixDatagramServer"),
    "ForkingUnixStreamServer": ("ForkingMixIn", "UnixStreamServer"),
    "ForkingUnixDatagramServer": ("ForkingMixIn", "UnixDatagramServer"),
}


def apply(patches: Patches) -> None:
    """Fill in what they left out; and on the way back, what they will have found by themselves."""
    import socket as stdlib

    if not hasattr(stdlib, "AF_UNIX"):
        patches.do(lambda: None, _forget)  # first here, so last on the way back
    module = sys.modules.get("socketserver")
    if module is not None:
        _add_servers(patches, module)
    connection: Any = sys.modules.get("multiprocessing.connection")
    if connection is not None and "AF_UNIX" not in connection.families:
        patches.append(connection.families, "AF_UNIX")


def _add_servers(patches: Patches, module: ModuleType) -> None:
    for name, bases in SERVERS.items():
        if hasattr(module, name) or not all(hasattr(module, base) for base in bases):
            continue
        body: dict[str, Any] = {"__module__": module.__name__, "__qualname__": name}
        if len(bases) == 1:
            body["address_family"] = AF_UNIX
        patches.set(module, name, type(name, tuple(getattr(module, base) for base in bases), body))
        patches.export(module, name)


def _forget() -> None:
    """What the two modules defined because AF_UNIX was there when they were imported."""
    module = sys.modules.get("socketserver")
    for name in SERVERS if module is not None else ():
        if hasattr(module, name):
            delattr(module, name)
        exported = vars(module).get("__all__", [])
        if name in exported:
            exported.remove(name)
    families = getattr(sys.modules.get("multiprocessing.connection"), "families", [])
    if "AF_UNIX" in families:
        families.remove("AF_UNIX")
