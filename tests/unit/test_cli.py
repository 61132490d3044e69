"""The command line's own words: its help, its version, and what it says to a command that there is not."""

from __future__ import annotations

import pytest

import samesock
from samesock import cli


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "required: command"), (["fsd"], "invalid choice: 'fsd'"), (["--fds"], "required: command")],
    ids=["nothing", "misspelt", "an option"],
)
def test_no_such_command(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command, and with one that there is not, the exit code is 2 and the error names what is wrong."""
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    out, error = capsys.readouterr()
    assert said in error
    assert not out


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--help has every command with its summary, --version the library's version; both end with 0."""
    for words in (["--help"], ["--version"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, (_, summary) in cli.COMMANDS.items():
        assert f"{name} {summary}" in text
    assert text.endswith(f"samesock {samesock.__version__}")


def test_the_words_are_the_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Called without arguments it takes the program's own; a command's help names the command."""
    monkeypatch.setattr("sys.argv", ["samesock", "fds", "--help"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: samesock fds ")
