"""Generated messages: whatever is sent and received, the methods give what the kernel's own give."""

from __future__ import annotations

import contextlib
import socket as stdlib
import struct
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unit.messages.sockets import RECEIVED_V4, Ours, against_kernel, asked, datagrams, raised, streams

sizes = st.integers(0, 40)
operation = st.one_of(
    st.tuples(st.just("send"), st.lists(st.binary(max_size=20), max_size=4)),
    st.tuples(st.just("beside"), st.sampled_from(["IP_TTL", "IP_TOS"]), st.integers(-2, 300)),
    st.tuples(st.just("receive"), sizes, st.integers(0, 120), st.booleans()),
    st.tuples(st.just("into"), st.lists(sizes, max_size=4), st.integers(0, 120), st.booleans()),
)


def transcript(cls: Any, options: tuple[str, ...], operations: list[Any]) -> list[Any]:
    """What happens when the operations are done, without the numbers that differ between two runs."""
    said: list[Any] = []
    with contextlib.ExitStack() as stack:
        receiver, sender = datagrams(stack, cls)
        receiver.setblocking(False)
        target = receiver.getsockname()
        asked(receiver, stdlib.IPPROTO_IP, options)
        for what, *rest in operations:
            if what == "send":
                said.append(raised(sender.sendmsg, rest[0], [], 0, target))
            elif what == "beside":
                message = (0, getattr(stdlib, rest[0]), struct.pack("=i", rest[1]))
                said.append(raised(sender.sendmsg, [b"abc"], [message], 0, target))
            else:
                flags = stdlib.MSG_PEEK if rest[2] else 0
                buffers = [bytearray(size) for size in rest[0]] if what == "into" else []
                outcome = (
                    raised(receiver.recvmsg_into, buffers, rest[1], flags)
                    if buffers or what == "into"
                    else raised(receiver.recvmsg, rest[0], rest[1], flags)
                )
                if len(outcome) == 4:
                    data, found, told, address = outcome
                    outcome = data, found, told, address == ("127.0.0.1", sender.getsockname()[1])
                said.append((outcome, [bytes(buffer) for buffer in buffers]))
    return said


@against_kernel
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.sampled_from(RECEIVED_V4)), st.lists(operation, max_size=25))
def test_datagrams_against_the_kernels_own(options: set[str], operations: list[Any]) -> None:
    """Whatever is sent, asked for and received, the methods give what the kernel's own give."""
    ordered = tuple(sorted(options))
    assert transcript(Ours, ordered, operations) == transcript(stdlib.socket, ordered, operations)


stream_operation = st.one_of(
    st.tuples(st.just("send"), st.lists(st.binary(max_size=40), max_size=4)),
    st.tuples(st.just("receive"), sizes, st.booleans()),
    st.tuples(st.just("into"), st.lists(sizes, max_size=4), st.booleans()),
)


def stream_transcript(cls: Any, operations: list[Any]) -> list[Any]:
    """What happens on a connection; only what has been sent is received, so that nothing depends on time."""
    said: list[Any] = []
    with contextlib.ExitStack() as stack:
        one, other = streams(stack, cls)
        one.settimeout(None)
        other.settimeout(None)
        due = 0
        for what, given, *rest in operations:
            if what == "send":
                sent = one.sendmsg(given)
                said.append(sent)
                due += sent
                continue
            wanted = given if what == "receive" else sum(given)
            if not 0 < wanted <= due:
                continue
            if rest[0]:
                other.recv(wanted, stdlib.MSG_PEEK | stdlib.MSG_WAITALL)  # now all of it is there
                flags = stdlib.MSG_PEEK
            else:
                flags = stdlib.MSG_WAITALL
                due -= wanted
            buffers = [bytearray(size) for size in given] if what == "into" else []
            method = other.recvmsg_into if buffers else other.recvmsg
            said.append((method(buffers or given, 64, flags), [bytes(buffer) for buffer in buffers]))
    return said


@against_kernel
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(stream_operation, max_size=20))
def test_streams_against_the_kernels_own(operations: list[Any]) -> None:
    """Whatever is sent and received on a stream, the methods give what the kernel's own give."""
    assert stream_transcript(Ours, operations) == stream_transcript(stdlib.socket, operations)
