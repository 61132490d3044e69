"""C's socket object over a number that another object owns.

C's own closes its number when it is dropped, also where a signal's exception comes between its making and the `try`
that would have it detached: the owner's next close would then be of somebody else's. This one closes nothing, ever.
What must never be put here: a method that does anything with the socket.
"""

from __future__ import annotations

import _socket


class Borrowed(_socket.socket):
    """See the module's head. To detach it at once, when it has been of use, is still right: PyPy drops it later."""

    __slots__ = ()

    def __del__(self) -> None:
        self.detach()
