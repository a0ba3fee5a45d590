"""tools/run: boots a config and prints what its VMs print."""

import sys

from .. import config, engine, outcome, session
from . import common


def main(arguments):
    parser = common.parser(
        "run", "Boots Archelon with CONFIG on an emulated machine and prints each VM's console live,"
        " the VM's name in front.", outcome.EXIT_CODES)
    parser.add_argument("config", metavar="CONFIG",
                        help="an archelon.conf; its kernel and initrd paths are files of this host,"
                        " absolute or relative to the config's folder")
    common.add_machine_options(parser, timeout=600)
    parser.add_argument("--append", default="", metavar="WORDS",
                        help="added to Archelon's command line, e.g. 'loglevel=debug'")
    parser.add_argument("--uefi", action="store_true", help="boot by UEFI (QEMU only)")
    parser.add_argument("--time", action="store_true",
                        help="put the emulated time in ms before each line (Bochs only)")
    given = parser.parse_args(arguments)

    options = common.machine_options(given)
    options.command_line = given.append
    options.uefi = given.uefi
    chosen, reason = engine.choose(options.engine)
    if given.uefi and chosen == "bochs":
        parser.error("--uefi needs QEMU: add --engine tcg")
    watcher = outcome.Watcher([vm.name for vm in config.read(given.config).vms])

    def show(line):
        stamp = f"{line.ns / 1e6:12.3f} " if given.time and line.ns is not None else ""
        print(f"{stamp}{line}", flush=True)

    print(f"run: on {reason}", file=sys.stderr, flush=True)
    with session.boot(given.config, options, chosen) as machine:
        result = session.watch(machine, watcher, options.timeout, show)
    verdict = result.verdict
    if result.emulator_complaint and verdict.code == outcome.CUT_SHORT:
        print(f"run: the emulator says: {result.emulator_complaint}", file=sys.stderr)
    print(f"run: {verdict.sentence} ({result.seconds:.0f} s)", file=sys.stderr)
    return verdict.code


if __name__ == "__main__":
    common.main(main)
