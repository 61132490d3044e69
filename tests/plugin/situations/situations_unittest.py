"""unittest's tests under pytest: set-ups of a module and a class, sub-tests, and tests with a loop of their own."""

from __future__ import annotations

import asyncio
import socket
import unittest

from conftest import KEPT


def setUpModule() -> None:
    KEPT.append(socket.socket())  # leaks: xunit


class Plain(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        KEPT.append(socket.socket())  # leaks: xunit by setUpClass
        cls.addClassCleanup(socket.socket().close)

    def setUp(self) -> None:
        self.addCleanup(socket.socket().close)

    def test_unittest_clean(self) -> None:
        pass

    def test_unittest_leaks(self) -> None:
        KEPT.append(socket.socket())  # leaks: unittest by test_unittest_leaks

    def test_unittest_part_leaks(self) -> None:
        for at in range(2):
            with self.subTest(at=at):
                if at:
                    KEPT.append(socket.socket())  # leaks: unittest by test_unittest_part_leaks

    def test_unittest_clean_again(self) -> None:
        pass


class WithLoop(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        self.addAsyncCleanup(server.wait_closed)
        self.addCleanup(server.close)

    async def test_loop_clean(self) -> None:
        await asyncio.sleep(0)

    async def test_loop_leaks(self) -> None:
        KEPT.append(socket.socket())  # leaks: unittest by test_loop_leaks
