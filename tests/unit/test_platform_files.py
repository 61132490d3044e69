"""Every file in platforms/ keeps to the schema that platforms/README.md gives."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FOLDER = Path(__file__).resolve().parents[2] / "platforms"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))

FEATURES = {
    *(
        "unix-stream",
        "unix-dgram",
        "unix-seqpacket",
        "unix-abstract",
        "socketpair",
        "peercred",
        "sendmsg",
        "recvmsg",
    ),
    *(
        "ancillary",
        "passing",
        "select-socket",
        "select-pipe",
        "select-console",
        "select-file",
        "interrupt",
        "wake",
    ),
    *("inherit", "fdtable"),
}
SUPPORT = {"native", "emulated", "absent"}
STATUS = {"seen", "expected-not-run"}
TIERS = {"run-here", "workflow", "unverified"}
TOP = {"schema", "name", "title", "status", "reach", "pythons", "features", "notes", "deviations"}
REACH = {"tier", "how", "runner", "containers", "vm", "launcher"}
PYTHONS = {"cpython", "pypy", "free-threaded", "welcome"}
DEVIATION = {"id", "promise", "reason", "evidence"}
DEVIATION_MAY = {"checks", "implementation"}
CHECK = r"[a-z ]+/test_\w+(\[.+\])?"
IMPLEMENTATIONS = {"samesock", "samesock-emulated", "winsock", "winsock-scripted"}


def problems(name: str, data: dict[str, Any]) -> list[str]:
    """What in one file's content is not as the schema says."""
    found = [f"unknown key {key}" for key in data.keys() - TOP]
    found += [f"no {key}" for key in TOP - {"notes", "deviations"} - data.keys()]
    if found:
        return found
    if data["schema"] != 1:
        found.append("schema is not 1")
    if data["name"] != name:
        found.append("name is not the file's")
    if not is_text(data["title"]):
        found.append("title is empty")
    if data["status"] not in STATUS:
        found.append(f"status {data['status']!r}")
    found += reach_problems(data["reach"], data["status"]) + python_problems(data["pythons"])
    found += feature_problems(data["features"], data.get("notes", {}))
    return found + deviation_problems(data.get("deviations", []))


def is_text(value: object) -> bool:
    """A string with something in it."""
    return isinstance(value, str) and bool(value.strip())


def reach_problems(reach: dict[str, Any], status: str) -> list[str]:
    found = [f"reach has {key}" for key in reach.keys() - REACH]
    if reach.get("tier") not in TIERS:
        found.append(f"reach.tier {reach.get('tier')!r}")
    if status == "expected-not-run" and reach.get("tier") != "unverified":
        found.append("nothing has run it, but its tier says that something does")
    if not is_text(reach.get("how")):
        found.append("reach.how is empty")
    texts = [reach[key] for key in ("runner", "vm", "launcher") if key in reach] + reach.get("containers", [])
    return found + [f"reach has an empty {text!r}" for text in texts if not is_text(text)]


def python_problems(pythons: dict[str, Any]) -> list[str]:
    found = [f"pythons has {key}" for key in pythons.keys() - PYTHONS]
    if not pythons.get("cpython"):
        found.append("no cpython")
    found += [f"welcome {one}" for one in set(pythons.get("welcome", [])) - set(pythons.get("cpython", []))]
    versions = [version for listed in pythons.values() for version in listed]
    return found + [
        f"version {version!r}" for version in versions if not re.fullmatch(r"3\.[1-9]\d", str(version))
    ]


def feature_problems(features: dict[str, Any], notes: dict[str, str]) -> list[str]:
    found = [f"no feature {name}" for name in sorted(FEATURES - features.keys())]
    found += [f"unknown feature {name}" for name in sorted(features.keys() - FEATURES)]
    found += [f"note on unknown feature {name}" for name in sorted(notes.keys() - FEATURES)]
    found += [f"note on {name} is empty" for name, note in notes.items() if not is_text(note)]
    for name, value in features.items():
        words = value if isinstance(value, list) else [value]
        if not words or not SUPPORT.issuperset(words):
            found.append(f"{name} = {value!r}")
        if isinstance(value, list) and len(set(words)) < 2:
            found.append(f"{name} is a list without a difference")
        if (isinstance(value, list) or value == "absent") and name not in notes:
            found.append(f"{name} needs a note")
    return found


def deviation_problems(deviations: list[dict[str, Any]]) -> list[str]:
    found = []
    for entry in deviations:
        label = entry.get("id", "?")
        if entry.keys() - DEVIATION_MAY != DEVIATION:
            found.append(f"deviation {label} has the keys {sorted(entry)}")
        texts = {key: value for key, value in entry.items() if key != "checks"}
        found += [f"deviation {label}: {key} is empty" for key, value in texts.items() if not is_text(value)]
        checks = entry.get("checks", ["area/test_name"])
        if not checks or not all(re.fullmatch(CHECK, str(check)) for check in checks):
            found.append(f"deviation {label}: checks = {checks!r}")
        if entry.get("implementation", "samesock") not in IMPLEMENTATIONS:
            found.append(f"deviation {label}: implementation {entry['implementation']!r}")
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(label)):
            found.append(f"deviation id {label!r}")
    identifiers = [entry.get("id") for entry in deviations]
    return found + [f"deviation {one} twice" for one in {*identifiers} if identifiers.count(one) > 1]


def load(name: str) -> dict[str, Any]:
    """One file's content."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def test_the_platforms_of_the_design_are_there() -> None:
    """The five platforms each have a file."""
    assert {"linux", "macos", "freebsd", "windows", "wine"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_file_keeps_to_the_schema(name: str) -> None:
    """A file has every key of the schema, no other, and only values that the schema allows."""
    assert problems(name, load(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_readme_lists_the_platform(name: str) -> None:
    """platforms/README.md names every file."""
    assert f"`{name}.toml`" in (FOLDER / "README.md").read_text(encoding="utf-8")


def deviation(**more: Any) -> dict[str, Any]:
    """An entry without a fault, with more in it."""
    return {"id": "a", "promise": "b", "reason": "c", "evidence": "d", **more}


def broken(change: str) -> dict[str, Any]:
    """linux.toml with one fault in it."""
    data = {"deviations": [], **load("linux")}
    faults: dict[str, Any] = {
        "feature missing": lambda: data["features"].pop("wake"),
        "feature unknown": lambda: data["features"].update({"telepathy": "native"}),
        "word unknown": lambda: data["features"].update({"passing": "partial"}),
        "absent without a note": lambda: data["features"].update({"passing": "absent"}),
        "list without a note": lambda: data["features"].update({"passing": ["native", "absent"]}),
        "another file's name": lambda: data.update({"name": "plan9"}),
        "claimed though never run": lambda: data.update({"status": "expected-not-run"}),
        "key unknown": lambda: data.update({"features2": {}}),
        "evidence missing": lambda: data.update({"deviations": [{"id": "a", "promise": "b", "reason": "c"}]}),
        "check without an area": lambda: data["deviations"].append(deviation(checks=["test_it"])),
        "no check": lambda: data["deviations"].append(deviation(checks=[])),
        "implementation unknown": lambda: data["deviations"].append(deviation(implementation="stdlib")),
        "python unknown": lambda: data["pythons"]["cpython"].append("2.7"),
        "welcome unknown": lambda: data["pythons"].update({"welcome": ["3.16"]}),
    }
    faults[change]()
    return data


@pytest.mark.parametrize(
    "change",
    [
        *(
            "feature missing",
            "feature unknown",
            "word unknown",
            "absent without a note",
            "list without a note",
        ),
        *(
            "another file's name",
            "claimed though never run",
            "key unknown",
            "evidence missing",
            "check without an area",
            "no check",
            "implementation unknown",
            "python unknown",
            "welcome unknown",
        ),
    ],
)
def test_a_fault_in_a_file_is_found(change: str) -> None:
    """The check above is one that can fail."""
    assert len(problems("linux", broken(change))) == 1
