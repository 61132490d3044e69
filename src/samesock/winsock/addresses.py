"""A socket's own address and its peer's, bind, listen, accept and connect, as BSD has them.

What must never be put here: the frame around a call (`blocking`).
"""

from __future__ import annotations

from typing import Any
from weakref import ref

from samesock.unix import ends
from samesock.unix.dispatch import Methods, accept_as
from samesock.winsock import blocking
from samesock.winsock.calls import calls
from samesock.winsock.interrupting import prepare_to_block


class AddressMethods:
    """See the module's head. Each method's promise is the standard library's on POSIX."""

    __slots__ = ()

    def accept(self: Any) -> Any:
        end = ends.by_reference.get(ref(self))
        if end is not None:
            if end.transport == "native":
                prepare_to_block(self)
            return Methods.accept(self)
        return accept_as(self, lambda sock: blocking.read(calls.accept, sock))

    def connect(self: Any, address: Any, /) -> None:
        if ends.by_reference.get(ref(self)) is not None:
            return Methods.connect(self, address)
        return blocking.connect(calls.connect, self, address)  # type: ignore[no-any-return]
