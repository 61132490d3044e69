"""Run one module of CPython's own tests over samesock, in this process, and write down what each test gave.

`run.py --way import --results FILE [-k PATTERN ...] test_socket`. It replaces modules and installs things, so it is the
whole process: check.py starts one for each module and way. The tests are the interpreter's own (its package `test`, or
what `--tests` names) and stay as they are. What must never be put here: which failures are expected.

A line of JSON is written when a test begins and when it has ended, so that one that hangs or kills the process is
named; what is in the file already is not run again.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import json
import os
import sys
import tempfile
import threading
import time
import traceback
import unittest
from collections.abc import Iterator
from types import ModuleType
from typing import Any, TextIO

WAYS = ("stdlib", "import", "install", "selector")
RESOURCES = ["cpu", "walltime"]
"""Of regrtest's: what takes long is run, and nothing goes out to the network."""
ON_LOOPBACK = ("test_socketserver",)
"""They ask for the network, and use loopback alone."""
BY_IMPORT = ("test.support.socket_helper",)
"""Imported anew together with the tests: it makes sockets for them."""


def plainly(name: str) -> ModuleType:
    """The tests over the standard library as it is."""
    return importlib.import_module(name)


def by_import(name: str) -> ModuleType:
    """The tests as if they said `import samesock as socket`.

    They are imported twice. The first time loads what they need, whose `socket` stays the standard library's: ssl,
    asyncio and samesock itself are among it.
    """
    import socket as standard

    import samesock

    importlib.import_module(name)
    for module in (name, *BY_IMPORT):
        parent, _, child = module.rpartition(".")
        if sys.modules.pop(module, None) is not None:
            delattr(sys.modules[parent], child)
    sys.modules["socket"] = samesock
    try:
        return importlib.import_module(name)
    finally:
        sys.modules["socket"] = standard


def by_install(name: str) -> ModuleType:
    """The tests as they are, after `samesock.install()`."""
    import samesock

    samesock.install()
    return importlib.import_module(name)


def with_selector(name: str) -> ModuleType:
    """test_selectors, with samesock's selector where its cases for the default one take the standard library's."""
    from samesock import selectors

    module = by_import(name)
    module.DefaultSelectorTestCase.SELECTOR = selectors.DefaultSelector  # type: ignore[attr-defined]
    for other in [case for case in vars(module) if case.endswith("SelectorTestCase")]:
        if other not in ("BaseSelectorTestCase", "DefaultSelectorTestCase"):
            delattr(module, other)
    return module


def block_once() -> None:
    """Wait for a byte in the main thread: on Windows the first wait begins a thread of samesock's, for Ctrl+C, which
    stays for as long as the process does. A test that counts threads is to find it already there."""
    import samesock

    one, other = samesock.socketpair()
    with one, other:
        sender = threading.Timer(0.3, other.sendall, [b"x"])
        sender.start()
        one.recv(1)
        sender.join()


LOADERS = dict(zip(WAYS, (plainly, by_import, by_install, with_selector), strict=True))


class Recorder(unittest.TextTestResult):
    """Writes down, for each test, the worst that it gave: `passed`, `skipped` or `failed`, and the reason."""

    RANK = ("passed", "skipped", "failed")

    def __init__(self, *arguments: Any, record: TextIO, prefix: str, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._record = record
        self._prefix = prefix
        self._outcome: tuple[str, str] | None = None
        self._begun = 0.0

    def write(self, **fields: object) -> None:
        """A line of JSON, at once."""
        print(json.dumps(fields), file=self._record, flush=True)

    def name_of(self, test: Any) -> str:
        """`Class.test`; of what is no test (a class's or the module's set-up), what unittest calls it."""
        return str(test.id()).removeprefix(self._prefix).replace(f"({self._prefix}", "(")

    def note(self, test: Any, outcome: str, reason: str = "") -> None:
        """One outcome of the test; outside a test, of a set-up, it is written by itself."""
        if not isinstance(test, unittest.TestCase):
            self.write(test=self.name_of(test), outcome=outcome, reason=reason, seconds=0.0)
        elif self._outcome is None or self.RANK.index(outcome) > self.RANK.index(self._outcome[0]):
            self._outcome = outcome, reason

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802 -- unittest's name
        super().startTest(test)
        self._outcome = None
        self._begun = time.monotonic()
        self.write(test=self.name_of(test), outcome="begun")

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().stopTest(test)
        outcome, reason = self._outcome or ("passed", "")
        altered = environment_altered()
        if altered and outcome == "passed":
            outcome, reason = (
                "failed",
                "test.support says that the test has left a thread or a process behind",
            )
        seconds = round(time.monotonic() - self._begun, 3)
        self.write(test=self.name_of(test), outcome=outcome, reason=reason, seconds=seconds)

    def addSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().addSuccess(test)
        self.note(test, "passed")

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        super().addFailure(test, err)
        self.note(test, "failed", text_of(err))

    def addError(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        super().addError(test, err)
        self.note(test, "failed", text_of(err))

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, "failed", f"{subtest._subDescription()}: {text_of(err)}")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        # A subtest that is skipped leaves the test what it is.
        self.note(getattr(test, "test_case", test), "skipped", reason)

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().addUnexpectedSuccess(test)
        self.note(test, "failed", "CPython expects this one to fail")


def text_of(err: Any) -> str:
    """The traceback's end, short enough for a line."""
    return "".join(traceback.format_exception(*err))[-3000:]


def environment_altered() -> bool:
    """Whether test.support complains of the test that has just ended, as regrtest asks it."""
    from test import support

    altered = bool(support.environment_altered)
    support.environment_altered = False
    return altered


def cases(suite: Any) -> Iterator[unittest.TestCase]:
    """The tests of a suite of suites, in order."""
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from cases(item)
        else:
            yield item


def chosen(suite: unittest.TestSuite, patterns: list[str], done: set[str]) -> unittest.TestSuite:
    """Those whose `Class.test` is like one of the patterns, all if there are none, and that are not done."""
    found = unittest.TestSuite()
    for test in cases(suite):
        name = ".".join(test.id().split(".")[-2:])
        if name not in done and any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns or ["*"]):
            found.addTest(test)
    return found


def recorded(path: str) -> set[str]:
    """The tests that another process has begun, the last of which it did not survive."""
    try:
        with open(path, encoding="utf-8") as lines:
            return {fields["test"] for fields in map(json.loads, lines) if "test" in fields}
    except OSError:
        return set()


def main() -> None:
    """Run the module; whatever the tests gave, that it was run to its end is written last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--way", choices=WAYS, required=True)
    parser.add_argument("--tests", help="the folder that holds CPython's package `test`")
    parser.add_argument("--results", required=True)
    parser.add_argument("-k", action="append", default=[], metavar="CLASS.TEST", dest="patterns")
    parser.add_argument("--without", action="append", default=[], metavar="CLASS.TEST")
    parser.add_argument("module", help="test_socket, test_asyncio.test_events, ...")
    options = parser.parse_args()
    results = os.path.abspath(options.results)
    if options.tests:
        sys.path.insert(1, os.path.abspath(options.tests))
    sys.path.pop(0)  # This file's folder, which is none of the tests' business.
    from test import support

    support.use_resources = [*RESOURCES, *(["network"] if options.module in ON_LOOPBACK else [])]
    name = f"test.{options.module}"
    folder = tempfile.mkdtemp(prefix="ss-cpython-")
    os.chdir(folder)  # Their files' names are relative.
    module = LOADERS[options.way](name)
    if options.way != "stdlib":
        block_once()
    tests = unittest.defaultTestLoader.loadTestsFromModule(module)
    suite = chosen(tests, options.patterns, {*recorded(results), *options.without})
    with open(results, "a", encoding="utf-8") as record:

        def recorder(*arguments: Any, **keywords: Any) -> Recorder:
            return Recorder(*arguments, record=record, prefix=f"{name}.", **keywords)

        result = unittest.TextTestRunner(resultclass=recorder).run(suite)  # type: ignore[arg-type]
        result.write(ended=True)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
