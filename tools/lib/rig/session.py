"""One boot of Archelon with a config, from packing to verdict. What tools/run does, and the tests."""

import contextlib
import dataclasses
import time

from . import config as config_file
from . import engine as engines
from . import iso, kernel, paths
from .console import Line
from .machine import Machine, MachineSpec
from .outcome import Verdict, Watcher

# Memory of the machine beyond that of the VMs: Archelon, its pools, GRUB's modules.
_OWN_MEMORY_MIB = 192
_LEAST_MEMORY_MIB = 512
# What may still come after the last VM ended or after a panic: tables, a backtrace, power-off.
_TAIL_SECONDS = 20
_TAIL_IDLE_SECONDS = 2


@dataclasses.dataclass
class Options:
    """How to boot. engine as in engine.CHOICES; memory in MiB and cpus 0 to fit the config;
    on_end "" leaves it to the config."""

    engine: str = "auto"
    cpu: str = ""
    cpus: int = 0
    memory: int = 0
    timeout: float = 600
    command_line: str = ""
    on_end: str = "poweroff"
    loglevel: str = ""
    typing: bool = False
    uefi: bool = False
    iommu: bool = False
    kernel: str = ""


@dataclasses.dataclass
class Result:
    verdict: Verdict
    watcher: Watcher
    lines: list
    seconds: float
    emulator_complaint: str = ""


@contextlib.contextmanager
def boot(config_path, options, engine=None):
    """Packs and powers on; yields the Machine. `engine` skips the choice when it was made before."""
    config = config_file.read(config_path)
    engine = engine or engines.choose(options.engine)[0]
    elf = options.kernel or kernel.image()
    with paths.temporary_folder() as folder:
        image = folder / "boot.iso"
        firmware = ("bios", "efi") if options.uefi else ("bios",)
        iso.pack_config(config, elf, image, l0_command_line(options), firmware)
        spec = MachineSpec(
            iso=image, engine=engine, cpu=options.cpu, cpus=options.cpus or config.cpus,
            memory_mib=options.memory or fitting_memory(config),
            com1="socket" if options.typing else "none", uefi=options.uefi, iommu=options.iommu)
        with Machine(spec, folder) as machine:
            yield machine


def l0_command_line(options):
    """Port 0xe9 costs no emulated time; COM1 is there to type into."""
    words = ["console=" + ("debugcon,com1" if options.typing else "debugcon")]
    if options.on_end:
        words.append(f"on-end={options.on_end}")
    if options.loglevel:
        words.append(f"loglevel={options.loglevel}")
    return " ".join(words + options.command_line.split())


def fitting_memory(config):
    need = (config.memory >> 20) + _OWN_MEMORY_MIB
    need += sum(path.stat().st_size for _, path in config.modules) >> 20
    return max(_LEAST_MEMORY_MIB, (need + 63) // 64 * 64)


def watch(machine, watcher, timeout, on_line=None, on_wait=None):
    """Reads a machine until its run is over; returns a Result. on_line sees each Line; on_wait is
    called a few times a second."""
    machine.on_wait = on_wait
    until = machine.started + timeout
    lines = []

    def take(line: Line):
        lines.append(line)
        watcher.see(line)
        if on_line:
            on_line(line)

    for line in machine.lines(until):
        take(line)
        if watcher.over:
            break
    timed_out = not watcher.over and not machine.ended
    if watcher.over:
        tail = min(until, time.monotonic() + _TAIL_SECONDS)
        for line in machine.lines(max(tail, time.monotonic() + 1), idle=_TAIL_IDLE_SECONDS):
            take(line)
    complaint = machine.failure() if machine.ended else ""
    return Result(watcher.verdict(timed_out), watcher, lines, machine.seconds, complaint)
