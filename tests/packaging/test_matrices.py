"""The lists of environments that several tools have of their own: platforms/*.toml, the noxfile, tox, the workflow."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def program(name: str) -> ModuleType:
    """A program of platforms/, which is no package."""
    spec = importlib.util.spec_from_file_location(Path(name).stem, ROOT / name)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


matrix = program("platforms/matrix.py")
EVERY = {one["name"]: one for one in matrix.platforms()}


def constants(name: str) -> dict[str, Any]:
    """The literal constants of the noxfile."""
    found = {}
    for node in ast.parse((ROOT / name).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


NOXFILE = constants("noxfile.py")


# The noxfile, tox and the platforms' files.


def test_nox_runs_the_pythons_of_the_platforms() -> None:
    """What platforms/*.toml calls tested here is what the noxfile has sessions for."""
    linux = EVERY["linux"]["pythons"]
    assert list(NOXFILE["REQUIRED"] + NOXFILE["WELCOME"]) == linux["cpython"]
    assert list(NOXFILE["WELCOME"]) == linux["welcome"]
    assert list(NOXFILE["WINE_PYTHONS"]) == EVERY["wine"]["pythons"]["cpython"]


def test_tox_runs_what_nox_runs() -> None:
    """tox's list is the noxfile's default one, under tox's names."""
    pythons = EVERY["linux"]["pythons"]["cpython"]
    wanted = ["lint", "types", *(f"py{one.replace('.', '')}" for one in pythons), "emulated"]
    wanted += [f"wine-{one}" for one in EVERY["wine"]["pythons"]["cpython"]]
    assert PYPROJECT["tool"]["tox"]["env_list"] == wanted


def test_what_pip_says_is_what_is_tested() -> None:
    """The oldest Python that is tested is the oldest that may install it, and every classifier has its run."""
    project = PYPROJECT["project"]
    cpython = EVERY["linux"]["pythons"]["cpython"]
    assert project["requires-python"] == f">={cpython[0]}"
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert set(named) <= set(cpython)


# The matrix.


def test_every_platform_is_in_the_matrix_once() -> None:
    """Each way of reaching a platform is one list, and no platform is left out."""
    found = matrix.matrix(list(EVERY.values()))
    of = {kind: {row["platform"] for row in rows} for kind, rows in found.items() if kind != "container"}
    assert sorted(name for names in of.values() for name in names) == sorted(EVERY)


def test_only_what_was_seen_is_required() -> None:
    """The gate waits for no platform, PyPy, free-threaded build or coming Python whose whole run nobody has seen."""
    rows = [row for rows in matrix.matrix(list(EVERY.values())).values() for row in rows]
    for row in rows:
        known = row["python"] in {*NOXFILE["REQUIRED"], *NOXFILE["WINE_PYTHONS"]}
        assert row["required"] == (known and EVERY[row["platform"]]["status"] == "seen"), row
    assert any(row["required"] for row in rows)


def test_images_are_pinned() -> None:
    """A container's image is named by its digest, and its row by what a person reads: the tag before it."""
    rows = matrix.matrix(list(EVERY.values()))["container"]
    assert rows
    for row in rows:
        assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", row["image"]), row
        assert row["image"].split("@")[0].endswith(f":{row['python']}")


# The workflow. Its text is looked at as text: no parser of YAML is among what the tests need.


def jobs(text: str) -> dict[str, str]:
    """Each job's lines."""
    _, _, body = text.partition("\njobs:\n")
    parts = re.split(r"^  (\w+):\n", body, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def problems(text: str) -> list[str]:
    """What in a workflow lets others in, or lets it run or pass when it must not."""
    head = text.partition("\njobs:\n")[0]
    found = [] if "\npermissions: {}\n" in head else ["it has permissions that no job has asked for"]
    pinned = re.compile(r"[\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+")
    used = re.findall(r"uses: (.*)", text)
    found += [f"not pinned: {line}" for line in used if not pinned.fullmatch(line)]
    every = jobs(text)
    for name, lines in every.items():
        if not re.search(r"^    timeout-minutes: \d+$", lines, re.MULTILINE):
            found.append(f"{name} has no time limit")
        if re.search(r": write\b", lines):
            found.append(f"{name} may write")
        if "actions/checkout@" in lines and lines.count("persist-credentials: false") != 1:
            found.append(f"{name} leaves its credentials lying about")
        scripts = re.findall(r"^ +(?:- )?run: (.*(?:\n {10,}.*)*)", lines, re.MULTILINE)
        found += [f"{name} pastes an expression into a script" for script in scripts if "${{" in script]
    needed = re.search(r"needs: \[(.*)\]", every.get("gate", ""))
    missing = every.keys() - {"gate"} - set(needed[1].split(", ") if needed else ())
    return found + [f"the gate does not wait for {name}" for name in sorted(missing)]


def test_the_workflow_is_safe() -> None:
    """No permissions, pinned actions, time limits, no pasted expressions, and one gate that waits for all jobs."""
    assert problems(WORKFLOW) == []


def test_the_workflow_uses_the_matrix() -> None:
    """Every list of the matrix has the job of its name."""
    for kind in matrix.matrix([]):
        assert f"fromJSON(needs.matrix.outputs.matrix).{kind} }}}}" in jobs(WORKFLOW)[kind]


def test_the_workflow_runs_the_checks() -> None:
    """Every check of the noxfile that needs no other platform has its job, and no job asks for another session."""
    listed = re.search(r"session: \[(.*)\]", jobs(WORKFLOW)["checks"])
    assert listed is not None
    asked = set(listed[1].split(", "))
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    sessions = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any("session" in ast.unparse(one) for one in node.decorator_list)
    }
    elsewhere = {"matrix", "coverage", "together", "tests_here"}  # in jobs of their own, or of others' parts
    written = {
        "bench",
        "conformance",
        "cpython",
    }  # what they write is looked at by a person, on a quiet machine
    assert asked == sessions - elsewhere - written


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("permissions: {}\n", "", "it has permissions that no job has asked for"),
        ("    timeout-minutes: 5\n", "", "matrix has no time limit"),
        ("contents: read", "contents: write", "matrix may write"),
        ("launcher, coverage]", "launcher]", "the gate does not wait for coverage"),
        ("@e797f83bcb11b83ae66e0230d6156d7c80228e7c  # v6.0.0", "@v6", "not pinned: actions/setup-python@v6"),
        ('nox -s "$SESSION"', "nox -s ${{ matrix.session }}", "checks pastes an expression into a script"),
        ("persist-credentials: false", "fetch-depth: 1", "matrix leaves its credentials lying about"),
    ],
)
def test_a_fault_is_found(old: str, new: str, fault: str) -> None:
    """The check of the workflow is one that can fail."""
    assert old in WORKFLOW
    assert problems(WORKFLOW.replace(old, new, 1)) == [fault]
