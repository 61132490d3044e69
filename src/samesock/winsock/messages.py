"""sendmsg, recvmsg and recvmsg_into, which the interpreter lacks on Windows.

What must never be put here: the frame around a call (`blocking`).
"""

from __future__ import annotations


class MessageMethods:
    """See the module's head. Each method's promise is the standard library's on POSIX."""

    __slots__ = ()
