"""Where things are: the project's folder, what is built, what is cached, what is temporary."""

import contextlib
import pathlib
import shutil
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
OUT = ROOT / "out"
KERNEL_GCC = ROOT / "build" / "kernel-gcc" / "archelon.elf"
HOST_BUILD = ROOT / "build" / "host"


@contextlib.contextmanager
def temporary_folder():
    """A folder of this run's own, gone when the block ends however it ends."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="archelon-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
