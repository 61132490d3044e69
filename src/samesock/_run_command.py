"""`samesock run`: install(), then a program as if python had started it.

`run -m module`, `run script.py`, `run -c code`, `run -`, each with the program's own arguments: `sys.argv`, `sys.path`,
`__main__`, the exit code and tracebacks are as without us. What must never be put here: options of our own, which
could take a program's; what install() does.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any

_USAGE = "samesock run [-m module | -c code | script | -] [arguments of the program]"

_ZIP = b"PK\x03\x04"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Everything after `run` is the program's, `-h` and `--` among it: nothing here looks like an option."""
    parser.prefix_chars = "\0"
    parser.usage = _USAGE
    what = "what python takes: -m and a module, -c and code, a script, or - for standard input; then its arguments"
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="program", help=what)
    parser.set_defaults(parser=parser)


def main(arguments: argparse.Namespace) -> int:
    """Run the program; what it raises, SystemExit too, is the interpreter's business as ever."""
    words: list[str] = arguments.words
    if not words:
        print(f"samesock run: no program\nusage: {_USAGE}", file=sys.stderr)
        return 2
    if words[0] in ("-h", "--help"):
        print(f"usage: {_USAGE}\n\n{arguments.parser.description}")
        return 0
    if words[0] in ("-m", "-c") and len(words) == 1:
        print(f"samesock run: {words[0]} needs an argument\nusage: {_USAGE}", file=sys.stderr)
        return 2
    if words[0].startswith("-") and words[0] not in ("-m", "-c", "-"):
        print(f"samesock run: unknown option {words[0]}\nusage: {_USAGE}", file=sys.stderr)
        return 2
    from samesock._install import install

    install()
    if words[0] == "-m":
        return _run_module(words[1], words[2:])
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        _lead_path("")
        return _execute_source(words[1], "<string>", _main_module())
    if words[0] == "-":
        sys.argv = words
        _lead_path("")
        return _execute_source(sys.stdin.read(), "<stdin>", _main_module())
    return _run_script(words[0], words)


def _run_module(name: str, rest: list[str]) -> int:
    """As `python -m name`."""
    sys.argv = ["-m", *rest]
    _lead_path(os.getcwd())
    try:
        with _Hidden():
            spec, code = _program(name)
    except ImportError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        print(f"{sys.executable}: {error}", file=sys.stderr)
        return 1
    sys.argv[0] = spec.origin or name
    return _execute_spec(spec, code)


def _execute_spec(spec: ModuleSpec, code: CodeType) -> int:
    names = {"__spec__": spec, "__package__": spec.parent, "__loader__": spec.loader}
    return _execute(code, _main_module(**names, __file__=spec.origin, __cached__=spec.cached))


def _program(name: str) -> tuple[ModuleSpec, CodeType]:
    """The module, or a package's `__main__`; an ImportError with its name if there is none."""
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.submodule_search_locations is not None:
        name = f"{name}.__main__"
        spec = importlib.util.find_spec(name)
    # get_code is what every loader of source, bytecode or a zip file has.
    code = None if spec is None else getattr(spec.loader, "get_code", lambda _: None)(name)
    if spec is None or code is None:
        raise ModuleNotFoundError(f"No module named {name}", name=name)
    return spec, code


def _run_script(path: str, words: list[str]) -> int:
    """As `python path`: a file, or a folder or zip file with a `__main__.py`."""
    sys.argv = words
    whole = os.path.abspath(path)
    source = b""
    if not os.path.isdir(path):
        try:
            with io.open_code(whole) as file:
                source = file.read()
        except OSError as error:
            text = f"can't open file {whole!r}: [Errno {error.errno}] {error.strerror}"
            print(f"{sys.executable}: {text}", file=sys.stderr)
            return 2
    if os.path.isdir(path) or source.startswith(_ZIP):
        _lead_path(whole)
        spec = PathFinder.find_spec("__main__", [whole])
        if spec is None or spec.loader is None:
            print(f"{sys.executable}: can't find '__main__' module in {whole!r}", file=sys.stderr)
            return 1
        return _execute_spec(spec, getattr(spec.loader, "get_code")("__main__"))  # noqa: B009 -- not every loader's
    _lead_path(os.path.dirname(os.path.realpath(path)))
    loader = SourceFileLoader("__main__", whole)
    return _execute_source(source, whole, _main_module(__file__=whole, __loader__=loader))


def _lead_path(first: str) -> None:
    """Put in the place of our own launcher's folder what python puts there for the program; -P and -I want none."""
    if not getattr(sys.flags, "safe_path", sys.flags.isolated) and sys.path:
        sys.path[0] = first


def _main_module(**names: Any) -> ModuleType:
    """A new `__main__`, which stays until the interpreter ends, as multiprocessing and atexit expect."""
    module = ModuleType("__main__")
    module.__dict__.update({"__builtins__": __builtins__, "__spec__": None, **names})
    sys.modules["__main__"] = module
    return module


def _execute_source(source: bytes | str, path: str, module: ModuleType) -> int:
    with _Hidden():
        code = compile(source, path, "exec", dont_inherit=True)  # Our own __future__ is not the program's.
    return _execute(code, module)


def _execute(code: CodeType, module: ModuleType) -> int:
    with _Hidden():
        exec(code, module.__dict__)
    return 0


class _Hidden:
    """What escapes from the block is printed without this module's frames at its head."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is None:
            return
        hook = sys.excepthook
        inner = traceback
        while inner is not None and inner.tb_frame.f_code.co_filename == __file__:
            inner = inner.tb_next

        def shorter(kind: type[BaseException], value: BaseException, whole: TracebackType | None) -> None:
            """The hook that is in force, with the program's part of the traceback."""
            if value is error:
                whole = inner
                value = value.with_traceback(inner)
            hook(kind, value, whole)

        sys.excepthook = shorter
