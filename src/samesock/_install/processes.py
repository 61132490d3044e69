"""multiprocessing: Unix sockets travel to other processes with their state, and a spawned process installs first.

What must never be put here: how a socket travels (`_pickling`).
"""

# ruff: noqa: SLF001 -- the pickler has no public list of its reducers
from __future__ import annotations

import socket as _stdlib
from typing import Any

from samesock import _pickling
from samesock._install.patches import Patches
from samesock.unix import choosing, ends
from samesock.unix.messages import class_of


def apply(patches: Patches) -> None:
    """Change how a socket is reduced, and what a new process is told before all else."""
    from multiprocessing import reduction, spawn

    if not choosing.kernel_does_all():
        reducers: dict[type, Any] = reduction.ForkingPickler._extra_reducers  # type: ignore[attr-defined]
        original = reducers[_stdlib.socket]

        def reduce(sock: _stdlib.socket) -> Any:
            if ends.get(sock) is None:
                return original(sock)
            rebuild, arguments = _pickling.reduce(sock)  # type: ignore[arg-type]
            return _rebuild, (rebuild, arguments)

        whole = class_of(_stdlib.socket)
        patches.do(
            lambda: reducers.update({_stdlib.socket: reduce, whole: reduce}),
            lambda: (reducers.update({_stdlib.socket: original}), reducers.pop(whole)),
        )
    prepare: Any = spawn.get_preparation_data

    def get_preparation_data(name: str) -> dict[str, Any]:
        return {"samesock": _Installed(), **prepare(name)}

    patches.set(spawn, "get_preparation_data", get_preparation_data)


class _Installed:
    """In the data that a new process reads first: unpickling it there installs, before the program is imported."""

    def __reduce__(self) -> Any:
        import samesock

        folder = samesock.__path__[0]
        # sys.path is set from the same data, later; the package may be where only sys.path leads.
        return exec, (_INSTALL.format(parent=folder[: -len("samesock") - 1]),)


_INSTALL = """
import sys
sys.path.append({parent!r})
try:
    import samesock
finally:
    sys.path.remove({parent!r})
samesock.install()
"""


def _rebuild(rebuild: Any, arguments: tuple[Any, ...]) -> _stdlib.socket:
    """The socket again: of the standard library's class where install() is in force."""
    from samesock._install import installed

    sock: Any = rebuild(*arguments)
    if installed():
        from samesock.unix import making

        making.set_class(sock, _stdlib.socket)
    return sock  # type: ignore[no-any-return]
