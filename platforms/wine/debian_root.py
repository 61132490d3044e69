"""A Debian system of another release in a folder, made by debootstrap, and how to run a program inside it.

This is for programs that this machine's own system is too old to have. It needs root: chroot and mounts do.
Every mount is made inside a private mount namespace, and every process lives in a private process namespace,
so that both vanish with the run and nothing of it can be left behind. What is installed is the caller's
business."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from cache import LauncherError, built, key_of, retried, say

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SYSTEM_PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"
RECIPE = 1  # Raise it when the way of making a root changes, so that old ones are not used.

# The first process of the new namespaces: mounts, then the program; when it ends, the kernel ends the rest.
# $1 root, $2 how many pairs of (source, target below the root) follow, then the pairs, then the command.
# The command is not exec'ed: the shell stays to collect orphans, and as process 1 takes all along at its end.
ENTER = r"""
set -e
root=$1; pairs=$2; shift 2
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -m 700 "$root/tmp/runtime"
while [ "$pairs" -gt 0 ]; do
    mount --bind "$1" "$root$2"
    pairs=$((pairs - 1)); shift 2
done
directory=$1; shift
set +e
chroot "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$directory" "$@"
exit $?
"""


def need_root(purpose: str) -> None:
    """Say at once, and in words, that this takes root."""
    if os.geteuid() != 0:
        raise LauncherError(f"{purpose} takes root (chroot and mount): run this as root, or with sudo")


def mirror() -> str:
    """The Debian mirror that this machine's own apt uses; "" where it uses none, and debootstrap takes its own."""
    chosen = os.environ.get("SAMESOCK_DEBIAN_MIRROR")
    if chosen:
        return chosen
    texts = [path.read_text(errors="replace") for path in _apt_sources()]
    return debian_mirror_in("\n".join(texts)) or ""


def _apt_sources() -> list[Path]:
    """apt's source files, in the order in which it reads them."""
    folder = Path("/etc/apt/sources.list.d")
    files = [Path("/etc/apt/sources.list"), *sorted(folder.glob("*.list")), *sorted(folder.glob("*.sources"))]
    return [path for path in files if path.is_file()]


def debian_mirror_in(sources: str) -> str | None:
    """The first address in apt's sources (either format) that is a Debian archive: it ends in /debian."""
    for line in sources.splitlines():
        found = re.match(r"\s*(?:deb(?:\s+\[[^]]*\])?|URIs:)\s+(.*)", line)
        for word in found.group(1).split() if found else []:
            if re.fullmatch(r"https?://\S*/debian/?", word):
                return word.rstrip("/")
    return None


def debian_root(cache: Path, suite: str, packages: tuple[str, ...], needed: tuple[str, ...]) -> Path:
    """The folder with that release and those packages, made on first use (for Wine a minute, 1.4 GB)."""
    inputs = {"recipe": RECIPE, "suite": suite, "packages": packages}
    folder = cache / f"debian-{suite}-{key_of(inputs)}"
    debs = folder.with_name(folder.name + ".debs")  # Its own: two roots may be made at once.

    def build(target: Path) -> None:
        need_root(f"making a Debian {suite} root folder")
        _install_debootstrap()
        debs.mkdir(parents=True, exist_ok=True)
        say(f"installing Debian {suite} with {', '.join(packages)} into {folder} (about a minute)")
        retried("debootstrap", lambda: _debootstrap(target, suite, packages, debs))
        for name in ("checkout", "prefix", "python"):  # Places to mount things at.
            (target / name).mkdir(exist_ok=True)
        (target / "etc/hosts").touch()
        shutil.rmtree(debs, ignore_errors=True)

    return built(folder, inputs, needed, build)


def _install_debootstrap() -> None:
    """debootstrap and Debian's keys, from this machine's own packages."""
    if shutil.which("debootstrap", path=SYSTEM_PATH) and os.path.exists(KEYRING):
        return
    if not shutil.which("apt-get"):
        raise LauncherError(
            "debootstrap is not installed and there is no apt-get: install debootstrap by hand"
        )

    def install() -> None:
        _run(["apt-get", "update", "-q"])
        _run(
            [
                "apt-get",
                "install",
                "-q",
                "-y",
                "--no-install-recommends",
                "debootstrap",
                "debian-archive-keyring",
            ]
        )

    say("installing debootstrap by apt-get")
    retried("apt-get", install)


def _debootstrap(target: Path, suite: str, packages: tuple[str, ...], debs: Path) -> None:
    """One try, from an empty folder; packages that an earlier try has fetched are not fetched again."""
    shutil.rmtree(target)
    target.mkdir()
    command = ["unshare", "--mount", "debootstrap", "--variant=minbase", f"--include={','.join(packages)}"]
    command += [f"--cache-dir={debs}", f"--keyring={KEYRING}", suite, str(target), mirror()]
    if not os.path.exists(f"/usr/share/debootstrap/scripts/{suite}"):
        command.append("/usr/share/debootstrap/scripts/sid")  # A debootstrap older than the release.
    _run(command)


def _run(command: list[str]) -> None:
    """Run quietly; on failure show the end of what it said."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C", "PATH": SYSTEM_PATH}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        check=False,
    )
    if done.returncode:
        tail = done.stdout.decode(errors="replace").splitlines()[-15:]
        raise LauncherError(f"{command[0]} ended with {done.returncode}:\n    " + "\n    ".join(tail))


def enter(root: Path, binds: list[tuple[Path, str]], directory: str, command: list[str]) -> list[str]:
    """The command line that runs `command` inside the root, in `directory` there, with `binds` mounted.

    `setpriv --pdeathsig` ends the whole run even when this process is killed outright.
    """
    need_root("running a program in a Debian root folder")
    pairs = [*binds, (Path("/etc/hosts"), "/etc/hosts")]  # Else `localhost` does not resolve.
    arguments = [text for source, target in pairs for text in (str(source), target)]
    unshare = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child"]
    return [*unshare, "sh", "-c", ENTER, "enter", str(root), str(len(pairs)), *arguments, directory, *command]
