"""Where this machine has which CPython.

What must never be put here: which of them are tested, and what on.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path


@functools.cache
def find_python(version: str) -> str | None:
    """The path of a CPython of that version: a plain look-up, then pyenv's own folders.

    pyenv's shims are on PATH for every version, and work only for those that PYENV_VERSION names.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    plain = shutil.which(f"python{version}")
    candidates = [*([plain] if plain else []), sys.executable]
    candidates += sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python")), reverse=True)
    return next((path for path in candidates if version_of(path) == version), None)


def version_of(python: str) -> str | None:
    """That interpreter's version as "3.13", or None if it does not run or is not CPython."""
    code = "import sys; print(*sys.version_info[:2], sys.implementation.name)"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    said = done.stdout.split()
    return f"{said[0]}.{said[1]}" if said[2:] == ["cpython"] else None
