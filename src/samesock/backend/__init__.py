"""The contract between the BSD layer and the operating system, in words, and the choice of a backend.

A backend is a module with the names below. `posix` and `winsock` really do it; `null` has the same names and
raises, so that documentation, type checks and tests need no particular system. What must never be put into a
backend: the protocol of emulated Unix sockets (that is `samesock.unix`), or anything that knows of `samesock.socket`.

`from samesock.backend import system` gives the backend of this machine.

Paths are `bytes`, in the file system's encoding (UTF-8 on Windows), without a NUL. Errors are `OSError` with a POSIX
errno and the path as `filename` (`os.fsdecode`d).

Required of each backend:

* `REFUSED_WHEN_FULL: bool`: whether the kernel answers a TCP connect to a full queue with a refusal (Winsock)
  rather than with silence (POSIX).
* `NAMED_EARLY: bool`: whether getpeername names the peer also of a connect that is under way (Winsock).
* `uid() -> int`: the effective user's number, `NO_UID` where there are none.
* `realm(tcp) -> bytes`: 8 bytes that differ between machines and network namespaces that cannot reach each other's
  loopback, for the one that the socket `tcp` is in; zeros where the question does not arise.
* `start_time(pid) -> int | None`: when that process started, in units of the system's own, `None` if it is gone.
* `socket_cookie(number) -> int`: the kernel's never reused name of a socket, 0 where it has none.
* `create_record(path, record, id, above) -> Hold`: create the file exclusively, readable by its owner alone, and
  write `record` (256 bytes) into it. What exists already is `OSError(EADDRINUSE)`. `id` is the record's 16 bytes
  that name the life; `above` is the descriptor number of the socket that the hold must not outlive (see `Hold`).
* `adopt_record(path, record, id, above) -> Hold`: another process's hold on the same name (inherited, shared).
* `open_record(path) -> OpenRecord`: open without blocking whatever is there; `OSError` with the errno that BSD's
  `connect` gives (`ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, `ECONNREFUSED`).
* `prepare_listener(tcp)`, `prepare_client(tcp)`: options of the TCP socket underneath (a `_socket.socket`), before
  bind, before connect.
* `refuse_overlapped(number)`: let nobody give the socket to a completion port, where its bytes would be read raw.
* `abort_connect(number)`: give up a connect that is still under way, so that the same socket can try again.
* `reset_on_close(tcp)`: the next close sends a reset and discards what is queued.
* `unread(number) -> int`: how many bytes of a stream can be received now; 0 also at its end, and of a socket that
  is not open or has failed. It costs a tenth of asking `wait` under Wine.
* `wait(readers, writers, timeout) -> set[int]`: the socket numbers that are readable, or writable (a failed connect
  counts as writable); empty when `timeout` seconds passed; `None` waits for ever. A number that is not open any
  more counts as ready. There is no limit of the emulation's own below 300 numbers.
* `wait_for(number, writing, timeout) -> bool`: the same for one socket, as cheap as the system has it.
* `give_way()`: let another thread or process run that is ready to, if the processor is shared with one. Never a wait.
* `listener_owner(port) -> Owner | None`: who owns the socket that listens on 127.0.0.1:`port` in the kernel's table.
* `connection_owner(local, remote) -> Owner | None`: who owns the TCP end whose own address is `local` and whose
  peer is `remote` (pairs of dotted quad and port). An empty `Owner` while nobody has accepted it yet; `None` when there
  is no such row, no process has that end any more, or its connect() has not been answered. The row is that of the
  asking socket's peer only if `has_connection` says True of the socket afterwards.
* `has_connection(number) -> bool`: whether a stream's connection is still there: not reset, and not ended in both
  directions. So long nobody else can have a connection between its two addresses.
* `datagram_owner(address) -> Owner | None`: who owns the UDP socket that is bound to exactly `address`; `None` where
  there is none or the system's table is not asked.
* `has_socket(pid, inode) -> bool`: whether that process has the socket of that inode open, as far as this user may
  look; False where the kernel's table names the process itself.
* `passing`: a module, or the like, that gets descriptors into another process, for frames that say which (see
  `Passing`).
* `private_directory() -> str`: the user's own directory for short-lived names, made if needed, closed to others.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple, Protocol

NO_UID = 0xFFFFFFFF
"""The user number in a hello or record where the system has no such numbers."""


class Owner(NamedTuple):
    """Who owns one end of a TCP connection, as the kernel's table says: what is unknown is `None`."""

    uid: int | None = None
    pid: int | None = None
    sid: str | None = None
    inode: int | None = None
    cookie: int | None = None


class Hold(Protocol):
    """What keeps a bound name alive, and lets the kernel end that life with the process.

    It dies with its last holder: by `close`, by exit, by a kill. Where the system ends a process's descriptors in an
    order, the hold goes before the socket, so that a port never outlives as free what it was announced by.
    """

    def listen(self) -> None:
        """From now on `OpenRecord.live` says True. Calling it again changes nothing."""

    def copy(self, above: int) -> Hold:
        """Another hold on the same life, for a duplicate of the socket numbered `above`."""

    def doubt(self) -> None:
        """The descriptor is in hands that will not say when they close it: have `OpenRecord.trusted` say False from
        now on, where the system can."""

    def touched(self) -> bool:
        """Whether the file's owner or mode may have changed since bind."""

    def admits(self, owner: Owner) -> bool:
        """Whether a peer owned by `owner` may connect, by the owner and mode that the file has now."""

    def close(self) -> None:
        """Give up this hold. Never an explicit unlock: other holders keep the life."""


class OpenRecord(Protocol):
    """A rendezvous file opened by a client: its bytes and what the kernel says of it."""

    data: bytes
    """At most 257 bytes: one more than a record has, so that a longer file is seen as one."""

    def live(self, id: bytes) -> bool:
        """Whether somebody who holds the name is listening now. `id` is the record's."""

    def seems_live(self, id: bytes) -> bool:
        """The same where it is asked before anything is done, and again before anything is sent: that who holds the
        name is the file's owner may be left to the second time."""

    def trusted(self) -> bool:
        """Whether the file belongs to this user, nobody else may write to it, and its life is not in doubt (asked
        after `live`)."""

    def owned_by(self, owner: Owner) -> bool:
        """Whether the file's owner is that user."""

    def owner(self) -> Owner:
        """The file's owner, as `uid` or `sid`."""

    def close(self) -> None:
        """Close the file."""


class Taker(Protocol):
    """The process that descriptors are for. Where they are put into it (`NEEDS_TARGET`), it is kept open, so that its
    number stays its own."""

    pid: int | None
    start: int
    """When it started."""

    def close(self) -> None:
        """Let go of it; where it is open, once the offers for it are sent or revoked. Any thread may call it."""


class Offer(Protocol):
    """Descriptors that were made ready for one receiver, and what it has to be told. Nothing was sent yet."""

    target: int
    """The process that the tokens are good in, 0 if in any."""
    target_start: int
    """When that process started: a number that is used again has another time."""
    lease: bytes
    """What all of them depend on."""
    tokens: list[bytes]
    """One for each descriptor."""

    def sent(self) -> None:
        """The receiver will be told: they are its own now, or are kept here until it has taken them."""

    def revoke(self) -> None:
        """The receiver will not be told: take them back."""


class Passing(Protocol):
    """Getting descriptors into another process. Numbers are the system's own (SOCKET, HANDLE), not the C runtime's."""

    NEEDS_TARGET: bool
    """Whether the receiver must be known, because this side makes the numbers in its process. Else the receiver
    fetches them, and this process must live until it has."""

    def me(self) -> tuple[int, int]:
        """This process, and when it started."""

    def taker(self, pid: int | None) -> Taker:
        """The process of that number, `None` for one that is not known. `EPERM` where it may not be opened, `EPIPE` if
        it has ended."""

    def offer(self, things: Sequence[tuple[str, int]], taker: Taker) -> Offer:
        """Make ready (space, number) for that process: all or none. `EBADF` for one that is not open, `EPIPE` if the
        process has ended, `EOPNOTSUPP` where descriptors cannot be passed at all."""

    def take(self, lease: bytes, tokens: Sequence[tuple[str, bytes]]) -> list[int | None]:
        """The numbers of what was offered to this process, not inheritable, `None` for each that is not to be had. Only
        for tokens that were proven to be the sender's: a token is believed."""

    def close(self, space: str, number: int) -> None:
        """Close what `take` gave."""

    def release(self) -> None:
        """Let go of what was kept and has been taken since."""


if sys.platform == "win32":
    from samesock.backend import winsock as system
else:
    from samesock.backend import posix as system

__all__ = ["NO_UID", "Hold", "Offer", "OpenRecord", "Owner", "Passing", "Taker", "system"]
