"""fork(2) while another thread is in its first calls: the child does not wait for an import that nobody ends."""

from __future__ import annotations

import os

import pytest

from faults.children import child, says

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is absent here")

EVERY_CALL = """
    import array
    before = set(sys.modules)
    a, b = socket.socketpair(socket.AF_UNIX)
    a.settimeout(20)
    b.settimeout(20)
    a.sendall(b"x" + bytes(2))
    assert (b.recv(1), b.recv_into(bytearray(2))) == (b"x", 2)
    things = [0, a.fileno(), a, socket.socket(socket.AF_UNIX), socket.socket(socket.AF_INET)]
    for send in (
        lambda: socket.send_fds(a, [b"m"], things),
        lambda: a.sendmsg([b"m"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0] * 5))]),
    ):
        send()
        data, numbers, flags, _ = socket.recv_fds(b, 9, 9)
        assert (data, len(numbers), flags) == (b"m", 5, 0)
        for number in numbers:
            os.close(number)
    a.sendmsg([b"m"])
    b.recvmsg(9, 99)
    socket.peercred(a)
    socket.socket(fileno=b.dup().detach()).close()
    b.shutdown(socket.SHUT_RDWR)
    b.close()
    a.close(wake=True)
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        for one in socket.socketpair(socket.AF_UNIX, kind):
            one.close()
        with socket.socket(socket.AF_UNIX, kind) as bound, socket.socket(socket.AF_UNIX, kind) as client:
            path = sys.argv[1] + str(int(kind))
            bound.bind(path)
            if kind != socket.SOCK_DGRAM:
                bound.listen(1)
            client.connect(path)
            client.send(b"x")
            served = bound if kind == socket.SOCK_DGRAM else bound.accept()[0]
            assert served.recv(9) == b"x"
            served.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            served.close()
            try:
                client.connect(sys.argv[1] + "/no")
            except OSError:
                pass
    socket.create_server(sys.argv[1], family=socket.AF_UNIX).close()
    print("late:", *sorted(set(sys.modules) - before), flush=True)
"""


def test_no_call_imports(path: str) -> None:
    """A module that a call imports late is a hang of children that are forked meanwhile: there is none."""
    with child(EVERY_CALL, path) as one:
        assert says(one) == "late:"
