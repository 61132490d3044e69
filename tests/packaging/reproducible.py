"""Build sdist and wheel twice from the same checkout, at two times, and say whether they are the same bytes.

A program for the session `build`: `reproducible.py FOLDER` leaves the distributions in FOLDER, or ends with 1. What
must never be put here: a look into what was built, which is installed.py's.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def commit_time() -> str:
    """The time of the last commit; in an unpacked sdist, which has none, a fixed one."""
    line = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    except OSError:
        return "1577836800"
    return done.stdout.strip() or "1577836800"


def build(folder: Path, **changed: str) -> dict[str, str]:
    """Build both, the wheel from the sdist; the hash of each by its name."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": commit_time(), **changed}
    line = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    subprocess.run(line, env=environment, stdout=subprocess.DEVNULL, check=True)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def main(target: Path) -> int:
    """Compare two builds that differ in all that must not matter, and keep the first."""
    with tempfile.TemporaryDirectory() as name:
        first = build(Path(name) / "1", TZ="UTC", PYTHONHASHSEED="1")
        second = build(Path(name) / "2", TZ="Pacific/Auckland", PYTHONHASHSEED="2", LC_ALL="C")
        for file, digest in first.items():
            print(digest, file, "" if second.get(file) == digest else f"but then {second.get(file)}")
        if first != second or len(first) != 2:
            print("the two builds differ", file=sys.stderr)
            return 1
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(Path(name) / "1", target)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
