"""What CMake builds, brought up to date: Archelon's image, the host tests, the tests' guests."""

import contextlib
import fcntl
import subprocess

from . import paths
from .errors import RigError

# Builds of their own beside the presets.
_SEPARATE = {"guests": "tests/system/guests", "kvmclient": "tests/system/kvmclient"}


def build(preset, targets=(), quiet=True):
    """Brings build/PRESET up to date and returns it. CMake and Ninja know what is stale. Raises
    RigError with the compiler's words when something does not build."""
    folder = paths.ROOT / "build" / preset
    with _only_one(folder):
        if not (folder / "build.ninja").exists():
            source = _SEPARATE.get(preset)
            how = ["-S", source, "-G", "Ninja"] if source else ["--preset", preset]
            _call(["cmake", *how, "-B", str(folder)], quiet)
        _call(["cmake", "--build", str(folder)] + [f"--target={name}" for name in targets], quiet)
    return folder


def image():
    """The path of an up-to-date archelon.elf."""
    return _made(build("kernel-gcc") / "archelon.elf")


def guest(name):
    """The path of one of the tests' own guests, up to date."""
    return _made(build("guests") / name)


def kvm_client():
    """The path of the small KVM client, up to date."""
    return _made(build("kvmclient") / "kvmclient")


def _made(path):
    if not path.exists():
        raise RigError(f"the build made no {path}")
    return path


@contextlib.contextmanager
def _only_one(folder):
    """Several tests may want the same build at once; Ninja must not run twice in one folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _call(command, quiet):
    done = subprocess.run(command, cwd=paths.ROOT, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE if quiet else None,
                          stderr=subprocess.STDOUT if quiet else None)
    if done.returncode:
        words = "\n".join((done.stdout or "").splitlines()[-40:])
        raise RigError(f"`{' '.join(command)}` failed:\n{words}")
