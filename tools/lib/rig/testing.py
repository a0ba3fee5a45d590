"""The object that a system test is given, and the process in which one test runs.

A system test is a function `test_NAME(rig)` in a file tests/system/*_test.py. It passes when it
returns, fails when it raises, and is skipped when it calls rig.skip(reason). Each test runs in a
process of its own, with a time limit of rig.LIMIT seconds; `LIMIT = S` in the test's module sets
another one.

    def test_prints_and_ends(rig):
        run = rig.boot(f'''
            [vm a]
            memory = 32M
            kernel = {rig.guest("hello")}
            debugcon = 0xe9
            debug-exit = 0xf4
        ''')
        run.expect("hello", vm="a")              # waits; a regular expression, searched
        run.expect_event("a", "ended", "debug-exit code 0")
        run.expect_success()                     # to the end; the verdict of tools/run is 0

expect*() go forward through the output: each begins after the line that the last one matched, so a
sequence of them checks the order. What a run printed so far is in run.lines. All of a test's waits
share the run's deadline (rig.boot(..., timeout=S)).
"""

import importlib.util
import pathlib
import re
import sys
import textwrap
import time
import traceback

from . import config as config_file
from . import console, engine, errors, iso, kernel, paths, session
from .machine import Machine
from .outcome import Watcher

SKIPPED = 77


class Failure(AssertionError):
    """The test's claim does not hold."""


class Skip(Exception):
    """The test cannot be done here."""


class Run:
    """A booted machine under test; see the module's text."""

    def __init__(self, machine, vm_names, timeout):
        self.machine = machine
        self.watcher = Watcher(vm_names)
        self.lines = []
        self._next = 0
        self._until = time.monotonic() + timeout
        self._source = machine.lines(self._until)
        self.com1 = bytearray()  # all that COM1 sent, if it is a socket
        self._com1_next = 0
        machine.on_com1 = self.com1.extend

    def _advance(self):
        """Reads one more line; False when there is none."""
        line = next(self._source, None)
        if line is None:
            return False
        self._see(line)
        return True

    def _see(self, line):
        print(line, flush=True)
        self.lines.append(line)
        self.watcher.see(line)

    def _find(self, matches, wanted):
        while True:
            while self._next < len(self.lines):
                line = self.lines[self._next]
                self._next += 1
                found = matches(line)
                if found:
                    return found
            if not self._advance():
                self._fail(f"not seen: {wanted}")

    def _fail(self, message):
        how = "the machine has ended" if self.machine.ended else "the time is up"
        complaint = self.machine.failure()
        raise Failure(f"{message} ({how} after {self.machine.seconds:.0f} s)"
                      + (f"\nthe emulator says: {complaint}" if complaint else ""))

    def expect(self, pattern, vm=None):
        """Waits for a line in which `pattern` (a regular expression) is found; `vm` is the name of
        the VM that prints it, "archelon" for Archelon itself, None for anyone. Returns the match."""
        regex = re.compile(pattern)

        def matches(line):
            return regex.search(line.text) if vm is None or line.vm == vm else None
        return self._find(matches, f"/{pattern}/" + (f" from {vm}" if vm else ""))

    def expect_l0(self, pattern):
        """expect() of a line that Archelon itself prints."""
        return self.expect(pattern, console.L0)

    def expect_event(self, name, what, detail=""):
        """Waits for a step in a VM's life, e.g. ("a", "ended", "power-off"). `detail` is a regular
        expression that the cause must begin with. Returns the VmEvent."""
        def matches(line):
            event = console.vm_event(line)
            good = event and event.name == name and event.what == what
            return event if good and re.match(detail, event.detail) else None
        return self._find(matches, f"vm {name}: {what}: {detail}")

    def expect_all_ended(self):
        """Waits until Archelon says that all VMs have ended."""
        return self._find(lambda line: line.is_all_ended, "all vms ended")

    def expect_com1(self, text):
        """Waits for text on COM1's line (rig.boot(..., typing=True)), complete lines or not, behind
        what was last found there."""
        wanted = text.encode()
        while True:
            at = self.com1.find(wanted, self._com1_next)
            if at >= 0:
                self._com1_next = at + len(wanted)
                return
            now = time.monotonic()
            if self.machine.ended or now >= self._until:
                self._fail(f"not seen on COM1: {text!r}; last came {bytes(self.com1[-200:])!r}")
            for line in self.machine.lines(min(self._until, now + 0.2)):
                self._see(line)

    def finish(self):
        """Reads on until the run is over (or its time is up) and returns its Verdict, as tools/run
        would give it."""
        while not self.watcher.over and self._advance():
            pass
        timed_out = not self.watcher.over and not self.machine.ended
        if self.watcher.over:
            tail = max(self._until, time.monotonic() + 5)
            for line in self.machine.lines(tail, idle=2):
                self._see(line)
        return self.watcher.verdict(timed_out)

    def expect_machine_off(self):
        """The machine turns itself off."""
        while self._advance():
            pass
        if not self.machine.ended:
            self._fail("the machine did not turn itself off")

    def expect_code(self, code):
        """The run ends with this exit code of tools/run (rig.outcome's names)."""
        verdict = self.finish()
        if verdict.code != code:
            self._fail(f"the run's verdict is {verdict.code} ({verdict.sentence}), not {code}")
        return verdict

    def expect_success(self):
        return self.expect_code(0)

    def refuse(self, pattern, vm=None):
        """Fails if any line read so far matches."""
        for line in self.lines:
            if (vm is None or line.vm == vm) and re.search(pattern, line.text):
                raise Failure(f"/{pattern}/ must not be printed, but was: {line}")

    def text(self, vm):
        """All that a VM ("archelon": Archelon) printed so far."""
        return "\n".join(line.text for line in self.lines if line.vm == vm)

    def exits(self, name, level):
        """{reason: count} of a VM's exits by level 1 or 2, from the tables printed so far."""
        return {row.reason: row.count for row in self.watcher.exits
                if row.vm == name and row.level == level}

    def type(self, text):
        """Types on COM1 (rig.boot(..., typing=True))."""
        self.machine.send(text)


class Rig:
    LIMIT = 600

    def __init__(self, folder):
        self.folder = folder
        self._open = []

    def boot(self, config, timeout=None, **options):
        """Boots Archelon with a config: its text, or the path of a file. Paths in a text are best
        absolute; relative ones start at tests/system. Options: those of session.Options, e.g.
        cpus=2, memory=1024, cpu="haswell", command_line="...", typing=True, engine="tcg",
        uefi=True, on_end="shell". Returns a Run; the machine is ended with the test."""
        if "\n" in str(config):
            path = self.folder / f"config{len(self._open)}" / "archelon.conf"
            path.parent.mkdir()
            for entry in (paths.ROOT / "tests" / "system").iterdir():
                (path.parent / entry.name).symlink_to(entry)
            path.write_text(textwrap.dedent(config))
        else:
            path = pathlib.Path(config)
        timeout = timeout or self.LIMIT
        wanted = session.Options(timeout=timeout, **options)
        names = [vm.name for vm in config_file.read(path).vms]
        context = session.boot(path, wanted)
        machine = context.__enter__()
        self._open.append(context)
        return Run(machine, names, timeout)

    def bare(self, kernel, initrds=(), command_line="", timeout=None, **machine):
        """Boots a kernel on the machine without Archelon; returns a Run of its COM1 and port 0xe9
        lines. Further options are those of MachineSpec: engine, cpu, cpus, memory_mib, uefi,
        debugger, ..."""
        image = self.folder / f"bare{len(self._open)}.iso"
        firmware = ("bios", "efi") if machine.get("uefi") else ("bios",)
        iso.pack_bare(kernel, list(initrds), command_line, image, firmware)
        work = self.folder / f"bare{len(self._open)}"
        work.mkdir()
        chosen = {"engine": engine.choose()[0], "memory_mib": 1024, "com1": "output"} | machine
        machine = Machine(session.MachineSpec(iso=image, **chosen), work)
        machine.__enter__()
        self._open.append(machine)
        return Run(machine, [], timeout or self.LIMIT)

    def guest(self, name):
        """The path of one of our own tiny guests (tests/system/guests), built if it is stale."""
        return kernel.guest(name)

    def skip(self, reason):
        raise Skip(reason)

    def close(self):
        for context in reversed(self._open):
            context.__exit__(None, None, None)


def load(path):
    """A test file as a module."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    sys.path.insert(0, str(path.parent))
    try:
        specification.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


def names(module):
    """The module's tests in the order in which they are written."""
    return [name for name, value in vars(module).items()
            if name.startswith("test_") and callable(value)]


def main(path, name):
    """Runs one test in this process; returns the process's exit code. A skip's reason is the last
    line printed."""
    with paths.temporary_folder() as folder:
        rig = Rig(folder)
        try:
            module = load(pathlib.Path(path))
            rig.LIMIT = getattr(module, "LIMIT", rig.LIMIT)
            getattr(module, name)(rig)
            return 0
        except Skip as reason:
            print(f"skipped: {reason}")
            return SKIPPED
        except errors.RigError as problem:
            print(f"FAILED: {problem}")
            return 1
        except Failure as problem:
            for frame in traceback.extract_tb(problem.__traceback__):
                if frame.filename == str(path):
                    print(f"  {frame.filename}:{frame.lineno}: {frame.line}")
            print(f"FAILED: {problem}")
            return 1
        except Exception:
            traceback.print_exc(file=sys.stdout)
            return 1
        finally:
            rig.close()


if __name__ == "__main__":
    import signal
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1], sys.argv[2]))
