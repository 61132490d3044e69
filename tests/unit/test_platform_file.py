"""Reading a platform's file: its words, where each of them stands, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from samesock import _platform_file
from samesock._features import FEATURES
from samesock._platform_file import CannotRead, parse, read

TEXT = """\
# A comment; fdtable = "native"
name = "plan9"
title = "Plan 9"

[features]
unix-stream = ["native", "emulated"]

  "fdtable" = "absent"

[notes]
unix-stream = "by age"
wake = "later"

[[deviations]]
inherit = "x"
"""


def test_values_are_words_or_lists_of_words() -> None:
    """A feature's value is one word, or several that may each be true."""
    assert parse(TEXT, "x.toml").features == {"unix-stream": ("native", "emulated"), "fdtable": ("absent",)}


def test_lines_are_those_of_the_table_of_features() -> None:
    """A feature's line is where its value stands, not where a comment, a note or another table names it."""
    assert parse(TEXT, "x.toml").lines == {"unix-stream": 6, "fdtable": 8}


@pytest.mark.parametrize("name", _platform_file.names())
def test_every_file_tells_where_each_feature_stands(name: str) -> None:
    """In every file that samesock brings, each feature has a value, and its line begins with its name."""
    file = read(name)
    lines = (_platform_file.folder() / f"{name}.toml").read_text(encoding="utf-8").splitlines()
    assert file.name == name
    assert file.features.keys() == FEATURES.keys()
    for feature in FEATURES:
        assert lines[file.lines[feature] - 1].startswith(f"{feature} = ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "x.toml is no TOML"),
        ('name = "a"\ntitle = "b"', "features"),
        ('name = "a"\nfeatures = {}', "title"),
        ("features = 3", "x.toml is not a platform's file"),
    ],
)
def test_what_is_no_platform_file_is_named(text: str, said: str) -> None:
    """A file that cannot be used is named, with what is wrong with it."""
    with pytest.raises(CannotRead, match=r"x\.toml") as caught:
        parse(text, "x.toml")
    assert said in str(caught.value)


def test_a_platform_without_a_file_is_told_which_there_are() -> None:
    """Asking for a platform that has no file lists those that have one."""
    with pytest.raises(CannotRead, match=r"'plan9'.*freebsd, linux, macos, windows, wine"):
        read("plan9")


def test_without_a_parser_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.10 has no TOML parser: the message names the package that brings one."""
    monkeypatch.setattr(_platform_file, "tomllib", None)
    with pytest.raises(CannotRead, match="pip install tomli"):
        read("linux")


def test_this_machine_has_a_file() -> None:
    """The platform that the tests run on is one of those that have a file."""
    assert _platform_file.this_platform() in _platform_file.names()


@pytest.mark.parametrize(
    ("word", "name"),
    [("linux", "linux"), ("darwin", "macos"), ("freebsd14", "freebsd"), ("sunos5", "sunos"), ("aix", "aix")],
)
def test_the_interpreters_word_for_the_system_is_translated(
    word: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system's release number is dropped, and Apple's word replaced by the name of the file."""
    monkeypatch.setattr(_platform_file.sys, "platform", word)
    found = _platform_file.this_platform()
    monkeypatch.undo()
    assert found == name


def test_an_installed_package_uses_the_files_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files inside the package win; a checkout, which has none there, uses those at its top."""
    package = tmp_path / "src" / "samesock"
    package.mkdir(parents=True)
    monkeypatch.setattr(_platform_file, "__file__", str(package / "_platform_file.py"))
    assert _platform_file.folder() == tmp_path.resolve() / "platforms"
    (package / "platforms").mkdir()
    assert _platform_file.folder() == package.resolve() / "platforms"


def test_a_path_below_the_working_directory_is_shown_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path is shown as one would type it: relative where that is possible, with slashes on every system."""
    (tmp_path / "platforms").mkdir()
    (tmp_path / "platforms" / "plan9.toml").write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr(_platform_file, "folder", lambda: tmp_path.resolve() / "platforms")
    assert read("plan9").shown == (tmp_path.resolve() / "platforms" / "plan9.toml").as_posix()
    monkeypatch.chdir(tmp_path)
    assert read("plan9").shown == "platforms/plan9.toml"
