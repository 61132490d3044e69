"""Which Wine is used: one on PATH that is new enough, else Wine 10 in a Debian root folder.

Both have the same methods: `link` (make the checkout and the interpreters visible in a prefix), `command`
(where and how to run a command line that says `wine ...`) and `stop` (end what a prefix still runs), so that
nobody else asks which one it is. What a prefix holds is not known here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cache import key_of
from debian_root import debian_root, enter

OLDEST = 9  # Wine 8 cannot start CPython 3.12 and 3.13 with their output in a file.
SUITE = "trixie"
PACKAGES = ("wine", "wine64", "ca-certificates")
IN_ROOT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "XDG_RUNTIME_DIR": "/tmp/runtime"}
# Its server's last words (10.0 was seen to fall over its own bookkeeping of descriptors, once in some twenty runs of
# the suite), and those of a program that has lost it. Who waits for the server then waits for ever.
SERVER_IS_LOST = re.compile(rb"wineserver\S*: .*Assertion .* failed|wine client error:")
# -all: Wine's own diagnostics; mscoree and mshtml: no question whether to fetch Mono and Gecko.
QUIET = {"WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml=", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


@dataclass(frozen=True)
class Places:
    """The folders of one run, as this machine names them."""

    prefix: Path
    checkout: Path
    pythons: Path


@dataclass(frozen=True)
class WineOnPath:
    """The machine's own Wine: no root needed; the prefix reaches the other folders by symbolic links."""

    version: str

    @property
    def name(self) -> str:
        return f"path-{key_of(self.version)}"

    def link(self, places: Places) -> None:
        """Make the checkout C:\\samesock and the interpreters C:\\Pythons in this prefix."""
        for name, target in (("samesock", places.checkout), ("Pythons", places.pythons)):
            link = places.prefix / "drive_c" / name
            if link.is_symlink():
                link.unlink()
            link.symlink_to(target)
        (places.prefix / "runtime").mkdir(
            mode=0o700, exist_ok=True
        )  # Wine complains where a session has none.

    def command(self, places: Places, line: list[str]) -> tuple[list[str], Path, dict[str, str]]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TERM") if name in os.environ}
        own = {"WINEPREFIX": str(places.prefix), "XDG_RUNTIME_DIR": str(places.prefix / "runtime")}
        return line, places.checkout, {**kept, **QUIET, **own}

    def stop(self, prefix: Path) -> None:
        """End the prefix's wineserver, and with it whatever still runs there; it saves its registry first."""
        environment = {**os.environ, **QUIET, "WINEPREFIX": str(prefix)}
        for option in ("-k", "-w"):
            line = ["wineserver", option]
            subprocess.run(line, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)


@dataclass(frozen=True)
class WineInRoot:
    """Wine in a Debian root folder: the prefix and the others are mounted into it, for this run alone."""

    root: Path

    @property
    def name(self) -> str:
        return self.root.name

    def link(self, places: Places) -> None:
        """Make the places where the checkout and the interpreters get mounted."""
        for name in ("samesock", "Pythons"):
            (places.prefix / "drive_c" / name).mkdir(exist_ok=True)

    def command(self, places: Places, line: list[str]) -> tuple[list[str], Path, dict[str, str]]:
        binds = [(places.prefix, "/prefix")]
        binds += [(places.checkout, "/prefix/drive_c/samesock"), (places.pythons, "/prefix/drive_c/Pythons")]
        environment = {**IN_ROOT, **QUIET, "WINEPREFIX": "/prefix", "TERM": os.environ.get("TERM", "dumb")}
        return enter(self.root, binds, "/prefix/drive_c/samesock", line), self.root, environment

    def stop(self, prefix: Path) -> None:
        """Nothing to do: the kernel ends every process of the namespace with its first."""


Wine = WineOnPath | WineInRoot


def wine_version_on_path() -> str | None:
    """What `wine --version` says, if there is one that is new enough and has its wineserver beside it."""
    if not (shutil.which("wine") and shutil.which("wineserver")):
        return None
    line = ["wine", "--version"]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return done.stdout.strip() if major_version(done.stdout) >= OLDEST else None


def major_version(said: str) -> int:
    """10 for "wine-10.0 (Debian 10.0~repack-6)", 0 for what is no version."""
    found = re.match(r"wine-(\d+)", said)
    return int(found.group(1)) if found else 0


def find_wine(cache: Path) -> Wine:
    """A Wine that can run the newest CPython, made if need be."""
    version = wine_version_on_path()
    if version:
        return WineOnPath(version)
    return WineInRoot(debian_root(cache, SUITE, PACKAGES, ("usr/bin/wine", "usr/lib/wine/wine64")))
