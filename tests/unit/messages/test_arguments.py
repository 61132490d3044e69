"""The methods' arguments: refused as the interpreter's own refuse them, no buffer held, addresses kept as they are."""

from __future__ import annotations

import contextlib
import re
import socket as stdlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samesock.winsock import sockaddr
from unit.messages.sockets import Ours, against_kernel, datagrams, raised


class Wide:
    """An object that is an index."""

    def __index__(self) -> int:
        return 2


STRIDED = memoryview(bytearray(8))[::2]
ARGUMENTS = [
    ("sendmsg", ()),
    ("sendmsg", (3,)),
    ("sendmsg", (["text"],)),
    ("sendmsg", ([STRIDED],)),
    ("sendmsg", ([b"x"], 3)),
    ("sendmsg", ([b"x"], [3])),
    ("sendmsg", ([b"x"], [(1, 2)])),
    ("sendmsg", ([b"x"], [(1, 2, "text")])),
    ("sendmsg", ([b"x"], [("1", 2, b"")])),
    ("sendmsg", ([b"x"], [], "flags")),
    ("sendmsg", ([b"x"], [], 0, "127.0.0.1")),
    ("sendmsg", ([b"x"], [], 0, ("127.0.0.1",))),
    ("sendmsg", ([b"x"], [], 0, ("127.0.0.1", 70000))),
    ("sendmsg", ([b"x"], [], 0, ("127.0.0.1", -1))),
    ("sendmsg", ([b"x"], [], 0, ("127.0.0.1", "80"))),
    ("sendmsg", ([b"x"], [], 0, (1, 80))),
    ("sendmsg", ([b"x"] * 1025,)),
    ("recvmsg", ()),
    ("recvmsg", (-1,)),
    ("recvmsg", ("1",)),
    ("recvmsg", (1, -1)),
    ("recvmsg", (1, "1")),
    ("recvmsg", (1, 0, "1")),
    ("recvmsg", (1, 2**40)),
    ("recvmsg_into", ()),
    ("recvmsg_into", (3,)),
    ("recvmsg_into", ([b"x"],)),
    ("recvmsg_into", (["text"],)),
    ("recvmsg_into", ([3],)),
    ("recvmsg_into", ([STRIDED],)),
    ("recvmsg_into", ([memoryview(b"x")],)),
    ("recvmsg_into", ([bytearray(1)], -1)),
    ("recvmsg_into", ([bytearray(1)] * 1025,)),
]


_ID = re.compile(
    r" at 0x[0-9A-Fa-f]+"
)  # of an object, and another one in each process that collects the tests


@against_kernel
@pytest.mark.parametrize(("method", "arguments"), ARGUMENTS, ids=lambda value: _ID.sub("", repr(value))[:50])
def test_wrong_arguments(method: str, arguments: Any, stack: contextlib.ExitStack) -> None:
    """Arguments that the interpreter's own method refuses are refused with the same exception."""
    ours, theirs = Ours(stdlib.AF_INET, stdlib.SOCK_DGRAM), stdlib.socket(stdlib.AF_INET, stdlib.SOCK_DGRAM)
    stack.enter_context(ours)
    stack.enter_context(theirs)
    for sock in (ours, theirs):
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
    wanted = raised(getattr(theirs, method), *arguments)
    assert isinstance(wanted, tuple), "the interpreter does not refuse it"
    assert raised(getattr(ours, method), *arguments) == wanted


def test_read_only_and_split_memory_is_refused(stack: contextlib.ExitStack) -> None:
    """recvmsg_into takes writable memory in one piece alone; sendmsg takes none that lies in pieces."""
    receiver, sender = datagrams(stack)
    for wrong in (b"xx", memoryview(b"xx"), STRIDED, "xx", 3):
        with pytest.raises(TypeError):
            receiver.recvmsg_into([bytearray(1), wrong])
    with pytest.raises(BufferError):
        sender.sendmsg([STRIDED], [], 0, receiver.getsockname())


def test_a_buffer_can_be_resized_again(stack: contextlib.ExitStack) -> None:
    """No hold on a program's buffer outlives the call, successful or not."""
    receiver, sender = datagrams(stack)
    buffer = bytearray(8)
    sender.sendmsg([buffer], [], 0, receiver.getsockname())
    receiver.recvmsg_into([buffer])
    buffer.append(1)
    receiver.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        receiver.recvmsg_into([buffer])
    buffer.append(1)
    assert len(buffer) == 10


@given(
    st.ip_addresses(v=4),
    st.ip_addresses(v=6),
    st.integers(0, 65535),
    st.integers(0, 0xFFFFF),
    st.integers(0, 100),
)
def test_addresses_go_there_and_back(v4: Any, v6: Any, port: int, flow: int, scope: int) -> None:
    """An address is the same after it was encoded and decoded; the unspecified one has become loopback."""
    four = sockaddr.decode(sockaddr.encode(stdlib.AF_INET, (str(v4), port)))
    six = sockaddr.decode(sockaddr.encode(stdlib.AF_INET6, (str(v6), port, flow, scope)))
    assert four == (str(v4) if int(v4) else "127.0.0.1", port)
    assert (stdlib.inet_pton(stdlib.AF_INET6, six[0]), *six[1:]) == (
        v6.packed if int(v6) else bytes(15) + b"\1",
        port,
        flow,
        scope,
    )
