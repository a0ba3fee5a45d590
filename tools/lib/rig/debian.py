"""What the guests are made of: Debian's own kernel and programs, unmodified."""

import dataclasses
import fcntl
import pathlib
import re
import subprocess

from . import paths
from .errors import RigError

_META_PACKAGE = "linux-image-cloud-amd64"
_CACHE = paths.OUT / "debian"


@dataclasses.dataclass(frozen=True)
class Kernel:
    release: str            # e.g. 6.1.0-56-cloud-amd64
    image: pathlib.Path     # the bzImage
    modules: pathlib.Path   # lib/modules/RELEASE/kernel

    def module(self, name):
        """A module's file."""
        found = next(self.modules.rglob(f"{name}.ko"), None)
        if not found:
            raise RigError(f"Debian's kernel {self.release} has no module {name}")
        return found


def kernel():
    """Debian's cloud kernel, downloaded once with apt and unpacked, not installed."""
    _CACHE.mkdir(parents=True, exist_ok=True)
    with open(_CACHE / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ready = sorted(_CACHE.glob("linux-image-*/boot/vmlinuz-*"))
        if not ready:
            _download()
            ready = sorted(_CACHE.glob("linux-image-*/boot/vmlinuz-*"))
    image = ready[-1]
    release = image.name.removeprefix("vmlinuz-")
    return Kernel(release, image, image.parents[1] / "lib" / "modules" / release / "kernel")


def _download():
    package = _kernel_package() or (_refresh() or _kernel_package())
    if not package:
        raise RigError(f"apt knows no package {_META_PACKAGE}; is this Debian 12?")
    with paths.temporary_folder() as folder:
        command = ["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package]
        # The package list may be too old for the mirror.
        if subprocess.run(command, cwd=folder, capture_output=True).returncode:
            _refresh()
            _run(command, folder)
        archive = next(folder.glob("*.deb"))
        unpacked = folder / "unpacked"
        _run(["dpkg-deb", "-x", str(archive), str(unpacked)], folder)
        target = _CACHE / archive.stem
        _run(["mv", str(unpacked), str(target)], folder)


def _kernel_package():
    shown = subprocess.run(["apt-cache", "depends", _META_PACKAGE], capture_output=True, text=True)
    found = re.search(r"Depends: (linux-image-\S+-cloud-amd64)", shown.stdout)
    return found[1] if found else None


def _refresh():
    _run(["apt-get", "update", "-q", "-o", "DPkg::Lock::Timeout=300"], None)


def _run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RigError(f"`{' '.join(command)}` failed:\n{done.stderr[-2000:]}")


def libraries(program):
    """The files that a program needs to start: its loader and libraries, by the names under which
    they are looked up."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True)
    found = re.findall(r"(?:=> )?(/\S+) \(0x", listed.stdout)
    if listed.returncode or not found:
        raise RigError(f"cannot list the libraries of {program}:\n{listed.stderr}")
    return found
