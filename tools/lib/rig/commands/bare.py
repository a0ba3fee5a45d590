"""tools/bare: boots a kernel on the emulated machine without Archelon, for comparisons."""

import dataclasses
import sys
import time

from .. import engine, iso, outcome, paths
from ..machine import Machine, MachineSpec
from . import common


def main(arguments):
    parser = common.parser(
        "bare", "Boots KERNEL (a Linux bzImage or a multiboot 1/2 kernel) straight from GRUB on the"
        " same emulated machine that tools/run gives Archelon, and prints what comes from COM1 and"
        " from port 0xe9.",
        "exit codes:\n  0  the machine powered itself off (or --until was seen)\n"
        "  1  the tool itself failed\n  2  wrong usage\n  6  the time limit was reached\n")
    parser.add_argument("kernel", metavar="KERNEL")
    parser.add_argument("--initrd", action="append", default=[], metavar="FILE[ ARGS]",
                        help="initrd of a Linux kernel, else a multiboot module; repeatable")
    parser.add_argument("--cmdline", default="", help="the kernel's command line")
    parser.add_argument("--until", default="", metavar="TEXT",
                        help="end as soon as a line with TEXT is printed")
    parser.add_argument("--time", action="store_true",
                        help="put the emulated time in ms before each line (Bochs only)")
    common.add_machine_options(parser, timeout=600)
    given = parser.parse_args(arguments)

    chosen, reason = engine.choose(given.engine)
    print(f"bare: on {reason}", file=sys.stderr, flush=True)
    initrds = [(path, rest) for path, _, rest in (text.partition(" ") for text in given.initrd)]
    run = boot(given.kernel, initrds, given.cmdline, chosen, given.cpu, given.cpus or 1,
               given.memory or 1024, given.timeout, given.until, _printer(given.time))
    print(f"bare: {run.how} ({run.seconds:.0f} s)", file=sys.stderr)
    return outcome.TIMEOUT if run.timed_out else 0


@dataclasses.dataclass
class BareRun:
    """lines from GRUB's hand-over on; entry_ns is when that was, where the engine tells time."""

    lines: list
    entry_ns: int | None
    timed_out: bool
    how: str
    seconds: float


def boot(kernel, initrds, command_line, chosen="bochs", cpu="", cpus=1, memory=1024, timeout=600,
         until="", on_line=None):
    """Boots a kernel bare until the machine ends, a line has the text `until`, or time is up."""
    lines = []
    entry_ns = None
    with paths.temporary_folder() as folder:
        image = folder / "boot.iso"
        iso.pack_bare(kernel, initrds, command_line, image)
        spec = MachineSpec(iso=image, engine=chosen, cpu=cpu, cpus=cpus, memory_mib=memory,
                           com1="output")
        with Machine(spec, folder) as machine:
            how = ""
            for line in machine.lines(time.monotonic() + timeout):
                if line.text == iso.BARE_ENTRY_LINE:
                    entry_ns = line.ns
                    lines.clear()
                lines.append(line)
                if on_line:
                    on_line(line)
                if until and until in line.text:
                    how = "the awaited line was printed"
                    break
            timed_out = not how and not machine.ended
            how = how or ("the time limit was reached" if timed_out else "the machine ended")
            if machine.ended and machine.failure():
                how += f"; the emulator says: {machine.failure()}"
            return BareRun(lines, entry_ns, timed_out, how, machine.seconds)


def _printer(with_time):
    def show(line):
        stamp = f"{line.ns / 1e6:12.3f} " if with_time and line.ns is not None else ""
        print(f"{stamp}{line}", flush=True)
    return show


if __name__ == "__main__":
    common.main(main)
