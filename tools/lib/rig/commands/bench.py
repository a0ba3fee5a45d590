"""tools/bench: what Archelon costs, in emulated instructions."""

import re

from .. import bochs, l1image, outcome, paths, session
from ..demo import exit_table
from ..errors import RigError
from . import common
from .bare import boot as boot_bare

# The same lines mark the same steps on the bare machine and under Archelon.
_STEPS = (
    ("L1 up", r"^L1 up"),
    ("L1 has loaded KVM", r"^L1 kvm"),
    ("L2 up", r"^l2: L2 up"),
    ("L2's work done", r"^l2: L2 done"),
    ("L2 has ended", r"^L1: l2 has ended"),
    ("L1 done", r"^L1 done"),
)


def main(arguments):
    parser = common.parser(
        "bench", "Boots the same L1 and L2 (Debian's kernel, KVM, QEMU) on the bare Bochs machine and"
        " under Archelon, and compares the emulated instructions from L1's kernel entry to each step."
        " Ticks of an idle CPU count as well, as Bochs's clock does.")
    parser.add_argument("--cpu", default="", metavar="MODEL")
    parser.add_argument("--timeout", type=float, default=1800, metavar="S")
    parser.add_argument("--bare-only", action="store_true", help="only the baseline")
    given = parser.parse_args(arguments)

    image = l1image.nested()
    line = l1image.l1_command_line("bochs", "archelon.l2=1 archelon.quiet")
    run = boot_bare(image.kernel, [(image.initrd, "")], line, cpu=given.cpu, memory=1024,
                    timeout=given.timeout)
    bare = _ticks(run.lines, run.entry_ns, lambda line: True)
    archelon = None
    if not given.bare_only:
        archelon, exits = _under_archelon(image, line, given)

    print(f"{'million ticks from L1 entry to':32}{'bare':>10}" + ("" if not archelon else
          f"{'Archelon':>10}{'ratio':>8}"))
    for name, _ in _STEPS:
        row = f"{name:32}{bare[name] / 1e6:10,.1f}"
        if archelon:
            row += f"{archelon[name] / 1e6:10,.1f}{archelon[name] / bare[name]:8.3f}"
        print(row)
    if archelon:
        print()
        print("\n".join(exits))
    return 0


def _under_archelon(image, line, given):
    with paths.temporary_folder() as folder:
        (folder / "vmlinuz").symlink_to(image.kernel)
        (folder / "initrd").symlink_to(image.initrd)
        config = folder / "archelon.conf"
        config.write_text(f"[vm l1]\nmemory = 1024M\nkernel = vmlinuz\ninitrd = initrd\n"
                          f"cmdline = {line}\n")
        watcher = outcome.Watcher(["l1"])
        options = session.Options(engine="bochs", cpu=given.cpu, timeout=given.timeout)
        with session.boot(config, options, "bochs") as machine:
            result = session.watch(machine, watcher, given.timeout)
    if result.verdict.code:
        raise RigError(f"under Archelon: {result.verdict.sentence}")
    entry = next(line.ns for line in result.lines if line.is_l0 and line.text == "vm l1: started")
    return (_ticks(result.lines, entry, lambda line: line.vm == "l1"),
            exit_table(result.watcher.exits))


def _ticks(lines, entry_ns, counts):
    if entry_ns is None:
        raise RigError("Bochs told no emulated time: is gcc installed?")
    found = {}
    for name, pattern in _STEPS:
        line = next((line for line in lines if counts(line) and re.search(pattern, line.text)), None)
        if line is None:
            raise RigError(f"not reached: {name}; the last line was: {lines[-1] if lines else ''}")
        found[name] = (line.ns - entry_ns) * bochs.DEFAULT_IPS // 1_000_000_000
    return found


if __name__ == "__main__":
    common.main(main)
