"""What to change, in one sentence per kind of mistake: a table and the look-up in it.

What must never be put here: advice that depends on anything but the verdict, the kind and who owns the
descriptor.
"""

from __future__ import annotations

from samesock.leaks.findings import Member, Verdict

BY_VERDICT: dict[str, str] = {
    "closed-foreign": "close the object that owns it, not the number; use detach() to take a number over",
    "in-child": "make it not inheritable, or end the process; until then whatever it holds stays busy",
    "inheritable": "os.set_inheritable(number, False), and pass_fds for the one child that needs it",
    "collected": "close it: another interpreter may never collect it",
    "late": "wait for the thread that closes it (join), or accept the wait",
}

BY_KIND: dict[str, str] = {
    "socket": "close it, or use `with` on the socket",
    "file": "use `with open(...)`",
    "dir": "close the directory's descriptor, or use `with os.scandir(...)`",
    "pipe": "close both ends",
    "epoll": "close the selector, or use `with`",
    "kqueue": "close the selector, or use `with`",
}

BY_CALL: dict[str, str] = {
    "os.scandir": "use `with os.scandir(...)`, or exhaust the iterator",
    "socket.dup": "socket.close() the duplicate: each has a life of its own",
    "select.epoll": "call its close(), or use `with select.epoll()`",
    "select.kqueue": "call its close()",
    "sqlite3.connect": "close the connection: its `with` only ends the transaction",
    "mmap.__new__": "close the map: it keeps a duplicate of the file's descriptor",
    "socket.recv_fds": "what recv_fds received is this program's to close",
}
"""What a call left open that no kind tells: it comes before the kind's advice, and only where nothing owns
it."""


def fix_for(verdict: Verdict, members: list[Member]) -> str:
    """One sentence about what to do."""
    if verdict in BY_VERDICT:
        return BY_VERDICT[verdict]
    first = members[0]
    if first.origin is not None and first.owner is None and first.origin.call in BY_CALL:
        return BY_CALL[first.origin.call]
    raw = all(member.owner is None for member in members)
    if raw and first.origin is not None and first.origin.call.startswith("os.") and first.key[0] == "fd":
        return "; ".join(f"os.close({member.key[1]})" for member in members) + ": nothing else will free it"
    return BY_KIND.get(first.record.kind, "close it")
