#!/usr/bin/env python3
"""The matrix of a hosted workflow, as JSON, from the platforms' files: `python3 platforms/matrix.py`.

One list for each way of getting to a platform, as the jobs of .github/workflows/ci.yml differ by that alone; what a
platform is, which Pythons are tested there and whether they must pass is read, never written here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).resolve().parent
Row = dict[str, Any]


def platforms() -> list[dict[str, Any]]:
    """Every platform's file, in the order of their names."""
    return [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.toml"))]


def pythons(platform: dict[str, Any]) -> list[str]:
    """The Pythons of a platform, by the names that setup-python has for them."""
    listed = platform["pythons"]
    plain = list(listed["cpython"])
    plain += [f"pypy-{version}" for version in listed.get("pypy", [])]
    return plain + [f"{version}t" for version in listed.get("free-threaded", [])]


def rows(platform: dict[str, Any]) -> list[Row]:
    """One row for each Python there; `required`, for the gate, is a CPython whose whole suite was seen to pass."""
    listed = platform["pythons"]
    plain = set(listed["cpython"]) - set(listed.get("welcome", []))
    seen = platform["status"] == "seen"
    reach = platform["reach"]
    same = {"platform": platform["name"], "runner": reach.get("runner", "ubuntu-24.04")}
    return [{**same, "python": python, "required": seen and python in plain} for python in pythons(platform)]


def version_of(image: str) -> str:
    """What its tag says: "3.13.5-alpine3.22" of "python:3.13.5-alpine3.22@sha256:...", whose digest is what counts."""
    return image.partition("@")[0].partition(":")[2]


def matrix(every: list[dict[str, Any]]) -> dict[str, list[Row]]:
    """`hosted`: the runner is the platform. `container`, `vm`, `launcher`: the platform is made on the runner."""
    found: dict[str, list[Row]] = {"hosted": [], "container": [], "vm": [], "launcher": []}
    for platform in every:
        reach = platform["reach"]
        if "launcher" in reach:
            found["launcher"] += rows(platform)
        elif "vm" in reach:
            found["vm"] += [
                {**row, "release": reach["vm"], "digits": row["python"].replace(".", "")}
                for row in rows(platform)
            ]
        elif "runner" in reach:
            found["hosted"] += rows(platform)
        found["container"] += [
            {**rows(platform)[0], "python": version_of(image), "image": image, "required": False}
            for image in reach.get("containers", [])
        ]
    return found


if __name__ == "__main__":
    print(json.dumps(matrix(platforms()), indent=None if "--compact" in sys.argv else 1))
