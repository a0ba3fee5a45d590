"""From the lines of a run to its verdict."""

import dataclasses

from . import console

OK = 0
TOOL_FAILED = 1
BAD_INPUT = 2
PANIC = 3
STOPPED = 4
ENDED_BADLY = 5
TIMEOUT = 6
CUT_SHORT = 7

EXIT_CODES = """exit codes:
  0  every VM ended by itself: power-off, or debug-exit with an even code
  1  the tool itself failed: a build, a missing package, the emulator
  2  wrong usage, or something in the config that the tool or Archelon refuses
  3  Archelon panicked
  4  Archelon stopped a VM, with a report
  5  a VM ended by itself but not well: debug-exit with an odd code, or a reset that ends it
  6  the time limit was reached
  7  the machine ended before every VM had, or cannot run VMs at all
"""


@dataclasses.dataclass
class Verdict:
    code: int
    sentence: str


class Watcher:
    """Is shown each Line of a run, in order, and says how the run went.

    vm_names are the VMs that the config describes.
    """

    def __init__(self, vm_names):
        self.vms = {name: None for name in vm_names}  # name -> the last VmEvent, None before any
        self.started = set()
        self.exits = []
        self.errors = []
        self.panic = None
        self.no_vms = None
        self.all_ended = False

    def see(self, line):
        if not line.is_l0:
            return
        if line.is_panic and not self.panic:
            self.panic = line.text
        if line.is_error:
            self.errors.append(line.text.removeprefix("error: "))
            if "no VM can run" in line.text and self.vms:
                self.no_vms = self.errors[-1]
        if line.is_all_ended:
            self.all_ended = True
        event = console.vm_event(line)
        if event:
            self.vms[event.name] = event
            if event.what == "started":
                self.started.add(event.name)
        count = console.exit_count(line)
        if count:
            self.exits.append(count)

    @property
    def over(self):
        """Nothing more can come that matters, but for the rest of a report."""
        return self.all_ended or self.panic is not None or self.no_vms is not None

    def verdict(self, timed_out):
        events = [event for event in self.vms.values() if event]
        stopped = [event for event in events
                   if event.what == "stopped" and event.name in self.started]
        refused = [event for event in events
                   if event.what == "stopped" and event.name not in self.started]
        bad = [event for event in events if event.what == "ended" and not event.ended_well]
        missing = [name for name, event in self.vms.items() if event is None]
        running = [event.name for event in events if event.what == "started"]
        if self.panic:
            return Verdict(PANIC, f"Archelon panicked: {self.panic.removeprefix('panic: ')}")
        if stopped:
            return Verdict(STOPPED, "; ".join(
                f"VM {event.name} was stopped: {event.detail}" for event in stopped))
        if self.no_vms:
            return Verdict(CUT_SHORT, "; ".join(self.errors))
        if refused:
            return Verdict(BAD_INPUT, "; ".join(
                f"VM {event.name} was not started: {event.detail}" for event in refused)
                + "".join(f"; {error}" for error in self.errors))
        if timed_out:
            waiting = running + missing
            return Verdict(TIMEOUT, "the time limit was reached; "
                           + (f"not ended: {', '.join(waiting)}" if waiting else "Archelon went on"))
        if bad:
            return Verdict(ENDED_BADLY, "; ".join(
                f"VM {event.name} ended by {event.detail}" for event in bad))
        if running:
            return Verdict(CUT_SHORT, f"the machine ended while running: {', '.join(running)}")
        if missing:
            if self.errors:
                return Verdict(BAD_INPUT, "Archelon refused the config: " + self.errors[0])
            return Verdict(CUT_SHORT, f"never started: {', '.join(missing)}")
        if not self.vms and self.errors:
            return Verdict(BAD_INPUT, "Archelon refused the config: " + self.errors[0])
        return Verdict(OK, "; ".join(f"VM {event.name} ended by {event.detail}" for event in events)
                       or "no VM was configured")
