"""Whom the Winsock backend trusts: files' and events' owners, the event that shows a life, and who is admitted."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

from samesock.backend import (
    _windows_ioctls,
    _windows_life,
    winsock,
)
from samesock.backend._security_descriptor import ADMINISTRATORS, SYSTEM
from samesock.ffi.ws2_32 import ws2_32
from unit.winsock_scripted.windows import (
    EVERYBODY,
    FULL,
    ID,
    ME,
    STRANGER,
    Windows,
    create,
    mine,
    security_descriptor,
)


@pytest.mark.parametrize(
    ("descriptor", "elevated", "trusted"),
    [
        (mine(), False, True),
        (mine(STRANGER), False, False),
        (mine(ADMINISTRATORS), False, False),
        (mine(ADMINISTRATORS), True, True),
        (security_descriptor(ME, (ME, FULL), (EVERYBODY, 0x120089)), False, True),
        (security_descriptor(ME, (ME, FULL), (EVERYBODY, 0x2)), False, False),
        (security_descriptor(ME, (ME, FULL), (STRANGER, 0x40000)), True, False),
    ],
)
def test_trust(windows: Windows, descriptor: bytes, elevated: bool, trusted: bool) -> None:
    """A file is trusted if it is this user's (an administrator's: the group's) and nobody else may write to it."""
    windows.files["a.sock"] = bytes(256)
    windows.descriptors["a.sock"] = descriptor
    windows.administrator = elevated
    assert winsock.open_record(b"a.sock").trusted() is trusted


def test_event_must_be_the_files_owners(windows: Windows) -> None:
    """A name is alive by an event of its file's owner: not of this user's, not of a stranger's."""
    windows.files["a.sock"] = bytes(256)
    windows.descriptors["a.sock"] = mine(STRANGER)
    record = winsock.open_record(b"a.sock")
    name = f"Global\\samesock-{ID.hex()}"
    assert not record.live(ID)
    windows.events[name] = mine(ME)
    assert not record.live(ID)
    windows.events[name] = mine(STRANGER)
    assert record.live(ID)
    assert record.owned_by(winsock.open_record(b"a.sock").owner())


def test_first_look_asks_for_no_owner(windows: Windows) -> None:
    """Before anything is touched it is enough that an event of the name is there, anybody's, in either namespace; to
    look leaves nothing open."""
    windows.files["a.sock"] = bytes(256)
    record = winsock.open_record(b"a.sock")
    assert not record.seems_live(ID)
    for namespace in ("Local", "Global"):
        windows.events = {f"{namespace}\\samesock-{ID.hex()}": mine(STRANGER)}
        assert record.seems_live(ID)
        assert not record.live(ID)
    assert not windows.open


def test_squatted_globally_alive_locally(windows: Windows) -> None:
    """A stranger's event in the machine's namespace does not hide the owner's in the session's; neither stays open."""
    windows.events[f"Global\\samesock-{ID.hex()}"] = mine(STRANGER)
    windows.events[f"Local\\samesock-{ID.hex()}"] = mine(ME)
    assert _windows_life.is_announced(ID, ME)
    assert not windows.open


@pytest.mark.parametrize(
    "descriptor", [mine(STRANGER), security_descriptor(ME, (ME, FULL), (EVERYBODY, 0x1F0003))]
)
def test_taken_life(windows: Windows, descriptor: bytes) -> None:
    """An event of the id that is another's, or that another may open, is not announced with: LifeTaken."""
    windows.events[f"Global\\samesock-{ID.hex()}"] = descriptor
    hold = create()
    with pytest.raises(winsock.LifeTaken) as caught:
        hold.listen()
    assert caught.value.errno == errno.EADDRINUSE
    assert not windows.open


def test_no_right_to_global_names(windows: Windows) -> None:
    """Who may not make names for the machine announces in the session; who may not even that, is refused.
    The last hold's close is the announcement's."""
    hold = create()
    windows.failing["CreateEventW"] = [5]
    hold.listen()
    assert list(windows.events) == [f"Local\\samesock-{ID.hex()}"]
    copy = hold.copy(0)
    hold.close()
    assert list(windows.open.values()) == [f"Local\\samesock-{ID.hex()}"]
    copy.close()
    assert not windows.open
    windows.failing["CreateEventW"] = [5, 6]
    with pytest.raises(winsock.LifeTaken):
        create(b"b.sock").listen()


def test_no_memory_for_an_event(windows: Windows) -> None:
    """Any other failure to announce is what it is."""
    windows.failing["CreateEventW"] = [1450]
    with pytest.raises(OSError, match="making the event") as caught:
        create().listen()
    assert caught.value.errno == errno.ENOMEM


def test_admitted(windows: Windows) -> None:
    """By the file as it was made, this user and the system may connect; a stranger and an unknown may not."""
    hold = create()
    owner = winsock.open_record(b"a.sock").owner()
    assert not hold.touched()
    assert [hold.admits(owner._replace(sid=sid)) for sid in (ME, SYSTEM, STRANGER, None)] == [
        True,
        True,
        False,
        False,
    ]


def test_long_descriptor(windows: Windows) -> None:
    """A descriptor of any length is read: the room for it grows."""
    windows.files["a.sock"] = bytes(256)
    windows.descriptors["a.sock"] = security_descriptor(ME, *[(STRANGER, 0x1)] * 200)
    assert winsock.open_record(b"a.sock").owner().sid == ME


def test_quick_refusals(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that does not know of quick refusals is asked once; another failure does not end the asking."""
    monkeypatch.setattr(_windows_ioctls, "_unknown", set())
    codes = [10022, 10045]

    def control(number: int, code: int, data: Any, size: int, *rest: Any) -> int:
        windows.error = codes.pop(0)
        assert bytes(data._obj) == b"\xff\xff\xfe\0"
        assert (code, size) == (0x98000011, 4)
        return -1

    windows.patch.setattr(ws2_32, "WSAIoctl", control)
    windows.patch.setattr(ws2_32, "WSAGetLastError", windows.GetLastError)
    with socket.socket() as tcp:
        for _ in range(4):
            winsock.prepare_client(tcp)
    assert not codes
