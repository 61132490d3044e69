"""The public names of a module that are samesock's own, and what is said of those that are neither class nor function.

Python keeps the text below an assignment nowhere, so it is read from the source. What must never be put here: anything
of Sphinx, and how a name is shown.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import socket as stdlib
from itertools import pairwise
from types import GenericAlias, ModuleType

PACKAGE = "samesock"


def public(module: str) -> list[str]:
    """The names that a module gives away: its `__all__`, else what it imports as itself (`import y as y`), or has."""
    loaded = importlib.import_module(module)
    if module == PACKAGE:  # its `__all__` has the standard library's names, too; one more is Windows' alone
        return [one for one in (*loaded.__all__, "fromshare") if not one.startswith("_")]
    listed = getattr(loaded, "__all__", None)
    if listed is not None:
        return list(listed)
    if not hasattr(loaded, "__path__"):
        functions = (thing for thing in vars(loaded).values() if inspect.isfunction(thing))
        return [one.__name__ for one in functions if one.__module__ == module and one.__name__[:1] != "_"]
    imports = (node for node in _tree(module).body if isinstance(node, ast.ImportFrom))
    return [one.name for node in imports for one in node.names if one.asname == one.name]


def own(module: str) -> list[str]:
    """What the reference shows: the public names, less those of the standard library that mean just that."""
    loaded = importlib.import_module(module)
    return [one for one in dict.fromkeys(public(module)) if _is_own(module, one, getattr(loaded, one))]


def _is_own(module: str, name: str, thing: object) -> bool:
    if isinstance(thing, ModuleType):
        return False
    is_alias = isinstance(thing, GenericAlias)  # which Python 3.10 calls a class
    if (inspect.isclass(thing) and not is_alias) or inspect.isroutine(thing):
        return str(getattr(thing, "__module__", "")).partition(".")[0] == PACKAGE
    if module == PACKAGE:
        return not hasattr(stdlib, name) and said_of(module, name) is not None
    return _home(module, name) is not None


def said_of(module: str, name: str) -> str | None:
    """The text below the assignment that makes the name, wherever it is imported from; `None` if there is none."""
    home = _home(module, name)
    if home is None:
        return None
    for node, after in pairwise(_tree(home).body):
        if name in _assigned(node) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            return inspect.cleandoc(str(after.value.value))
    return None


def _home(module: str, name: str) -> str | None:
    """The module of samesock's that assigns the name; `None` if it is made elsewhere."""
    for node in _tree(module).body:
        if name in _assigned(node):
            return module
        if not isinstance(node, ast.ImportFrom) or str(node.module).partition(".")[0] != PACKAGE:
            continue
        if any((one.asname or one.name) == name for one in node.names):
            return _home(str(node.module), name)
    return None


def _assigned(node: ast.stmt) -> list[str]:
    """The names that a statement assigns."""
    targets = (
        node.targets
        if isinstance(node, ast.Assign)
        else [node.target]
        if isinstance(node, ast.AnnAssign)
        else []
    )
    return [one.id for one in targets if isinstance(one, ast.Name)]


def _tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(importlib.import_module(module)))


def is_listed(module: str, kind: type) -> bool:
    """Whether the reference of the module shows this class by itself."""
    return any(one.__name__ in public(module) for one in kind.__mro__ if one is not object)


def methods(kind: type) -> list[str]:
    """A class's own public methods, in the order of its source."""
    return [one for one, thing in vars(kind).items() if one[:1] != "_" and inspect.isroutine(thing)]
