"""A Winsock that answers by script, for what no kernel at hand would say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from samesock.winsock.calls import calls


class Step(NamedTuple):
    """One expected call and its answer."""

    name: str
    result: Any
    code: int
    effect: Callable[..., object] | None


class Script:
    """Stands for a table of functions: each call must be the next one that the script has.

    `log` keeps the names and arguments of what was called; buffers are kept as they were passed.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.log: list[tuple[Any, ...]] = []
        self.code = 0

    def then(
        self, name: str, result: Any = 0, *, code: int = 0, effect: Callable[..., object] | None = None
    ) -> Script:
        """Expect a call: `result` is given, `code` the last error; `effect` gets the arguments."""
        self.steps.append(Step(name, result, code, effect))
        return self

    def fails(self, name: str, code: int) -> Script:
        """Expect a call that fails with `code`."""
        return self.then(name, -1, code=code)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            self.log.append((name, *arguments))
            assert self.steps, f"{name} was called after the end of the script"
            step = self.steps.pop(0)
            assert step.name == name, f"{name} was called where the script has {step.name}"
            self.code = step.code
            if step.effect is not None:
                step.effect(*arguments)
            return step.result

        return call

    def WSAGetLastError(self) -> int:  # noqa: N802  (its name in Winsock)
        """The code that the last step left."""
        return self.code

    def finished(self) -> bool:
        """Whether every call of the script was made."""
        assert not self.steps, f"never called: {[step.name for step in self.steps]}"
        return True


def gives_name(path: bytes) -> Callable[..., None]:
    """The effect of getsockname and getpeername as Winsock has it: 110 bytes, filled up with zeros."""

    def effect(number: int, buffer: Any, length: Any) -> None:
        assert length[0] >= 110
        buffer.raw = (b"\x01\x00" + path).ljust(110, b"\0")
        length[0] = 110

    return effect


def windows_error(code: int, errno: int = 22) -> OSError:
    """An error with `winerror`, as Windows' Python raises, on any system."""
    error = OSError(errno, "scripted")
    error.winerror = code  # type: ignore[attr-defined,unused-ignore]
    return error


def script(monkeypatch: pytest.MonkeyPatch, name: str, *answers: Any) -> list[tuple[Any, ...]]:
    """Answer the calls of one function: an int is Winsock's error, anything else the result, `...` the system's own."""
    left, log, real = list(answers), [], getattr(calls, name)

    def answer(sock: Any, *arguments: Any) -> Any:
        log.append(arguments)
        given = left.pop(0) if left else ...
        if isinstance(given, int):
            raise windows_error(given)
        return real(sock, *arguments) if given is ... else given[0]

    monkeypatch.setattr(calls, name, answer)
    return log
