"""tools/demo: GRUB, Archelon, Debian with KVM, and a guest of that KVM."""

import contextlib
import os
import select
import sys
import termios
import time
import tty

from .. import demo, engine, kernel, l1image, outcome, paths, session
from . import common

_QUIT = b"\x1c"  # Ctrl-\


def main(arguments):
    parser = common.parser(
        "demo", "Shows what Archelon is for: GRUB boots Archelon (L0), which runs an unmodified Debian"
        " with KVM (L1), which runs a Linux guest (L2), then two at once. Needs nothing but Debian 12;"
        " installs and builds what is missing.",
        "exit codes: as of tools/run, and 8 when the run ended well but a step was missing\n")
    common.add_machine_options(parser, timeout=1800)
    parser.add_argument("--quick", action="store_true", help="one L2 only")
    parser.add_argument("--interactive", action="store_true",
                        help="leave you at L1's shell: Ctrl-] goes to Archelon's shell, Ctrl-\\ ends")
    parser.add_argument("--verbose", action="store_true", help="print all that is printed")
    given = parser.parse_args(arguments)

    options = common.machine_options(given)
    options.cpus = options.cpus or 1
    steps = _Steps()
    with steps("choosing an engine"):
        chosen, reason = engine.choose(options.engine)
    print(f"  engine: {reason}")
    with steps("building Archelon"):
        options.kernel = kernel.image()
    with steps("making the guests from Debian's packages"):
        image = l1image.nested()
    with paths.temporary_folder() as folder:
        config = _config(folder, image, chosen, options.cpus, given)
        if given.interactive:
            return _interactive(config, options, chosen)
        return _watched(config, options, chosen, reason, given)


class _Steps:
    """Prints each preparing step with the time it took."""

    @contextlib.contextmanager
    def __call__(self, what):
        began = time.monotonic()
        print(f"  {what} ...", end="", flush=True)
        try:
            yield
        finally:
            print(f" {time.monotonic() - began:.0f} s", flush=True)


def _config(folder, image, chosen, cpus, given):
    (folder / "vmlinuz").symlink_to(image.kernel)
    (folder / "initrd").symlink_to(image.initrd)
    words = "archelon.l2=0 archelon.shell" if given.interactive else (
        "archelon.l2=1" if given.quick else "archelon.l2=2")
    path = folder / "archelon.conf"
    path.write_text(f"""\
[vm l1]
memory = 512M
cpus = {cpus}
kernel = vmlinuz
initrd = initrd
cmdline = {l1image.l1_command_line(chosen, words)}
""")
    return path


def _watched(config, options, chosen, reason, given):
    story = demo.Story(not given.quick)
    screen = _Screen(story, given.verbose)
    with session.boot(config, options, chosen) as machine:
        result = session.watch(machine, outcome.Watcher(["l1"]), options.timeout,
                               lambda line: screen.line(line, machine.seconds),
                               lambda: screen.tick(machine.seconds))
    screen.clear()
    print(demo.summary(result, story, reason))
    if result.verdict.code == outcome.CUT_SHORT and result.emulator_complaint:
        print(f"The emulator says: {result.emulator_complaint}")
    if result.verdict.code != outcome.OK:
        print("The last lines were:")
        for line in result.lines[-15:]:
            print(f"  {line}")
    return result.verdict.code or (8 if story.missed else 0)


class _Screen:
    """Milestones as lines; on a terminal also one line that moves."""

    _WHEEL = "|/-\\"

    def __init__(self, story, verbose):
        self._story = story
        self._verbose = verbose
        self._moving = sys.stdout.isatty() and not verbose
        self._turn = 0

    def line(self, line, seconds):
        if self._verbose:
            print(f"{seconds:6.0f} s  {line}", flush=True)
        milestone = self._story.see(line, seconds)
        if milestone and not self._verbose:
            self.clear()
            indent = "  " * int(milestone.level[1])
            print(f"{seconds:6.0f} s  {indent}{milestone.level}: {milestone.text}", flush=True)

    def tick(self, seconds):
        if self._moving:
            self._turn += 1
            done, of = self._story.progress
            wheel = self._WHEEL[self._turn % len(self._WHEEL)]
            print(f"\r\x1b[K{seconds:6.0f} s  {wheel} {done}/{of}, waiting for: {self._story.next}",
                  end="", flush=True)

    def clear(self):
        if self._moving:
            print("\r\x1b[K", end="", flush=True)


def _interactive(config, options, chosen):
    if not sys.stdin.isatty():
        print("error: --interactive needs a terminal", file=sys.stderr)
        return outcome.BAD_INPUT
    options.typing = True
    print("  L1's console follows. Ctrl-] goes to Archelon's shell, Ctrl-\\ ends the demo.\n")
    with session.boot(config, options, chosen) as machine:
        machine.on_com1 = lambda data: os.write(sys.stdout.fileno(), data)
        before = termios.tcgetattr(sys.stdin)
        try:
            tty.setraw(sys.stdin)
            until = time.monotonic() + options.timeout
            while not machine.ended and time.monotonic() < until:
                for _ in machine.lines(time.monotonic() + 0.02):
                    pass
                if select.select([sys.stdin], [], [], 0)[0]:
                    typed = os.read(sys.stdin.fileno(), 1024)
                    if _QUIT in typed or not typed:
                        break
                    machine.send(typed)
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
            print()
    return 0


if __name__ == "__main__":
    common.main(main)
