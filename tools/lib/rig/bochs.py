"""Bochs: the VT-x "hardware" for a host that has none."""

import os
import shutil
import subprocess

from . import paths
from .errors import RigError

# The model with the most VT-x features of those that boot Linux in Bochs 2.7.
DEFAULT_CPU = "corei7_skylake_x"
_SHORT_CPU = {
    "skylake_x": "corei7_skylake_x",
    "haswell": "corei7_haswell_4770",
    "ivy_bridge": "corei7_ivy_bridge_3770k",
    "broadwell": "broadwell_ult",
    "cannonlake": "corei3_cnl",
}
# Instructions per emulated second. Guests that print much are better off with fewer: a character on
# the serial port takes a fixed emulated time.
DEFAULT_IPS = 100_000_000
_BIOS = "/usr/share/bochs/BIOS-bochs-latest"
_VGA_BIOS = "/usr/share/vgabios/vgabios.bin"
# Bochs refuses more host memory than this; guest memory past it is swapped to a file by Bochs.
_MOST_HOST_MEMORY_MIB = 2048


def cpu_model(name):
    return _SHORT_CPU.get(name, name or DEFAULT_CPU)


def available():
    return shutil.which("bochs") is not None


def configuration(spec, folder, serial):
    """The bochsrc of a machine. `serial` is the path of a pipe that takes what COM1 sends, or a
    TCP port on the loopback that Bochs opens for COM1, or None when nobody uses COM1."""
    memory = spec.memory_mib
    if isinstance(serial, int):
        com1 = f"enabled=1, mode=socket-server, dev=127.0.0.1:{serial}"
    elif serial:
        com1 = f"enabled=1, mode=file, dev={serial}"
    else:
        com1 = "enabled=1, mode=null"
    return "\n".join([
        f"cpu: model={cpu_model(spec.cpu)}, count={spec.cpus}, ips={spec.ips},"
        " reset_on_triple_fault=0, ignore_bad_msrs=1",
        "clock: sync=none, time0=1700000000",
        f"memory: guest={memory}, host={min(memory, _MOST_HOST_MEMORY_MIB)}",
        f"romimage: file={_BIOS}, options=fastboot",
        f"vgaromimage: file={_VGA_BIOS}",
        'display_library: rfb, options="timeout=0"',
        "sound: driver=dummy",
        "speaker: enabled=0",
        "ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14",
        f"ata0-master: type=cdrom, path={spec.iso}, status=inserted",
        "boot: cdrom",
        f"com1: {com1}",
        "port_e9_hack: enabled=1",
        "magic_break: enabled=0",
        f"log: {folder}/bochs.log",
        f"debugger_log: {folder}/debugger.log",
        "panic: action=fatal",
        "error: action=ignore",
        "info: action=ignore",
        "debug: action=ignore",
    ]) + "\n"


def preload_library():
    """The built preload library, or None where there is no C compiler: runs then still work, but
    their lines carry no time and two of them may differ."""
    source = paths.ROOT / "tools" / "lib" / "rig" / "preload.c"
    library = paths.OUT / "rig" / "preload.so"
    if library.exists() and library.stat().st_mtime >= source.stat().st_mtime:
        return library
    if not shutil.which("gcc"):
        return None
    library.parent.mkdir(parents=True, exist_ok=True)
    fresh = library.with_suffix(f".{os.getpid()}")
    built = subprocess.run(["gcc", "-O2", "-Wall", "-shared", "-fPIC", "-o", fresh, source],
                           capture_output=True, text=True)
    if built.returncode:
        raise RigError(f"cannot build {source}:\n{built.stderr}")
    fresh.replace(library)
    return library


def command(spec, folder, serial):
    """Writes the machine's files into the folder; returns (argv, environment)."""
    if not available():
        raise RigError("bochs is not installed: run tools/setup")
    (folder / "bochsrc").write_text(configuration(spec, folder, serial))
    # The packaged Bochs has its debugger compiled in: it waits for a "continue".
    (folder / "debugger.rc").write_text("".join(f"{line}\n" for line in spec.debugger))
    environment = dict(os.environ)
    library = preload_library()
    if library:
        environment["LD_PRELOAD"] = str(library)
    return (["bochs", "-q", "-f", f"{folder}/bochsrc", "-rc", f"{folder}/debugger.rc"], environment)


def _is_power_off(panic):
    """Bochs ends by a "panic" when the machine turns its power off, too."""
    return "soft power off" in panic or "Shutdown port" in panic


def failure(folder):
    """Why Bochs gave up, from its log: its last panic, or None."""
    try:
        log = (folder / "bochs.log").read_text(errors="replace").splitlines()
    except OSError:
        return None
    panics = [line for line in log if ">>PANIC<<" in line and not _is_power_off(line)]
    return panics[-1] if panics else None
