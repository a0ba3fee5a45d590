"""What the tools share: options, errors as one clear message, signals as an orderly end."""

import argparse
import signal
import sys

from .. import engine, errors
from ..session import Options


def main(function):
    """Runs a tool's main function and ends the process with its exit code."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    try:
        sys.exit(function(sys.argv[1:]))
    except errors.RigError as problem:
        sys.stdout.flush()
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(problem.code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


def parser(name, description, epilog=""):
    return argparse.ArgumentParser(
        prog=f"tools/{name}", description=description, epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter)


def add_machine_options(options, timeout):
    options.add_argument("--engine", choices=engine.CHOICES, default="auto",
                         help="auto: QEMU with nested KVM where this host's KVM offers VT-x, else"
                         " Bochs; tcg: QEMU without VT-x")
    options.add_argument("--cpu", default="", metavar="MODEL",
                         help="CPU model of the engine (Bochs: corei7_skylake_x, or short skylake_x,"
                         " haswell, ivy_bridge, broadwell, cannonlake)")
    options.add_argument("--cpus", type=_positive, default=0, metavar="N",
                         help="CPUs of the machine (default: as many as the largest VM has)")
    options.add_argument("--memory", type=_mebibytes, default=0, metavar="M",
                         help="memory of the machine: 768M, 2G (default: what the VMs need)")
    options.add_argument("--timeout", type=float, default=timeout, metavar="S",
                         help="give up after so many seconds (default %(default)g)")


def machine_options(arguments):
    return Options(engine=arguments.engine, cpu=arguments.cpu, cpus=arguments.cpus,
                   memory=arguments.memory, timeout=arguments.timeout)


def _positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no positive number")
    return int(text)


def _mebibytes(text):
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].isalpha() else (text, "M")
    if not number.isdigit() or unit not in "MG" or int(number) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no memory size; write 768M or 2G")
    return int(number) * (1024 if unit == "G" else 1)
