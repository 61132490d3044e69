"""Files, raw numbers and duplicates left open. "leaks: WAY" stands on the line that a checker must name."""

from __future__ import annotations

import logging
import os
import pathlib
import tempfile

import dialing

from conftest import KEPT


def test_open(tmp_path: pathlib.Path) -> None:
    KEPT.append(open(tmp_path / "a", "w"))  # leaks: file


def test_same_file_twice(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "twice"
    KEPT.append(path.open("w"))  # leaks: file
    with path.open() as again:
        again.read()


def test_temporary_file() -> None:
    KEPT.append(tempfile.TemporaryFile())  # leaks: file


def test_journal(tmp_path: pathlib.Path) -> None:
    journal = dialing.Journal(str(tmp_path / "journal"))
    KEPT.append(journal)
    journal.write("begun")


def test_closed_files(tmp_path: pathlib.Path) -> None:
    for name in "abc":
        (tmp_path / name).write_text(name)
        with (tmp_path / name).open() as file:
            assert file.read() == name


def test_raw(tmp_path: pathlib.Path) -> None:
    os.open(tmp_path / "raw", os.O_CREAT | os.O_RDWR)  # leaks: raw


def test_raw_made_by_tempfile(tmp_path: pathlib.Path) -> None:
    number, _ = tempfile.mkstemp(dir=tmp_path)  # leaks: raw
    assert number > 2


def test_raw_in_a_loop(tmp_path: pathlib.Path) -> None:
    for at in range(3):
        number = os.open(tmp_path / "many", os.O_CREAT | os.O_RDWR)  # leaks: raw
        if at < 2:
            os.close(number)


def test_raw_closed(tmp_path: pathlib.Path) -> None:
    os.close(os.open(tmp_path / "raw", os.O_CREAT | os.O_RDWR))


def test_pipe() -> None:
    os.pipe()  # leaks: pipe


def test_one_end() -> None:
    reading, writing = os.pipe()  # leaks: pipe
    os.close(writing)


def test_waker() -> None:
    KEPT.append(dialing.Waker())


def test_closed_pipe() -> None:
    for number in os.pipe():
        os.close(number)


def test_duplicate(tmp_path: pathlib.Path) -> None:
    with (tmp_path / "d").open("w") as file:
        os.dup(file.fileno())  # leaks: dup


def test_duplicate_of_a_pipe_end() -> None:
    reading, writing = os.pipe()
    os.dup(writing)  # leaks: dup
    os.close(reading)
    os.close(writing)


def test_closed_duplicate() -> None:
    os.close(os.dup(0))


LATER = logging.FileHandler(os.devnull, delay=True)


def test_handler_of_the_module_opens_its_file() -> None:
    LATER.emit(logging.makeLogRecord({"msg": "first"}))


def test_handler_closed(tmp_path: pathlib.Path) -> None:
    handler = logging.FileHandler(tmp_path / "log")
    handler.emit(logging.makeLogRecord({"msg": "first"}))
    handler.close()
