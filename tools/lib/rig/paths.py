"""Where things are: the project's folder, what is built, what is cached, what is temporary."""

import contextlib
import os
import pathlib
import shutil
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
OUT = ROOT / "out"
KERNEL_GCC = ROOT / "build" / "kernel-gcc" / "archelon.elf"
HOST_BUILD = ROOT / "build" / "host"


_PREFIX = "archelon-"


@contextlib.contextmanager
def temporary_folder():
    """A folder of this run's own, gone when the block ends however it ends. What a killed run had
    to leave behind is removed by the next one."""
    _remove_left_behind()
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left_behind():
    for folder in pathlib.Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        owner = folder.name.removeprefix(_PREFIX).split("-")[0]
        if owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            shutil.rmtree(folder, ignore_errors=True)
