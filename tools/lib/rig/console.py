"""What Archelon prints, as values.

Each line is `[archelon] TEXT`, said by Archelon itself, or `[NAME] TEXT`, a completed line of the
console of the VM called NAME. Only the first bracket counts: a guest that prints `[archelon] panic`
appears as `[NAME] [archelon] panic` and cannot be taken for Archelon.
"""

import dataclasses
import re

L0 = "archelon"

_PREFIX = re.compile(r"\[([a-z0-9-]{1,15})\] ?(.*)", re.DOTALL)
_STAMP = re.compile(r"\x1e(\d+)$")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>78c]")
_VM = re.compile(r"vm ([a-z0-9-]{1,15}): (started|ended|stopped)(?:: (.*))?$")
_EXITS = re.compile(r"exits ([a-z0-9-]{1,15}) L([12]) (\S+) (\d+)(?: reflected (\d+) absorbed (\d+))?")


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of a machine's output. `vm` is None for what is no Archelon line at all (firmware,
    boot loader, a bare guest), "archelon" for Archelon's own, else the VM's name. `ns` is emulated
    time since power-on in nanoseconds where the engine tells it, else None."""

    text: str
    vm: str | None = None
    ns: int | None = None

    @property
    def is_l0(self):
        return self.vm == L0

    @property
    def is_error(self):
        return self.is_l0 and self.text.startswith("error: ")

    @property
    def is_panic(self):
        return self.is_l0 and self.text.startswith("panic: ")

    @property
    def is_all_ended(self):
        return self.is_l0 and self.text == "all vms ended"

    def __str__(self):
        return self.text if self.vm is None else f"[{self.vm}] {self.text}"


@dataclasses.dataclass(frozen=True)
class VmEvent:
    """A step in a VM's life: what is "started", "ended" or "stopped"; detail is the cause."""

    name: str
    what: str
    detail: str = ""

    @property
    def debug_exit_code(self):
        """The number written to the debug-exit device if that is how the VM ended, else None."""
        match = re.fullmatch(r"debug-exit code (\d+|0x[0-9a-f]+)", self.detail)
        return int(match[1], 0) if self.what == "ended" and match else None

    @property
    def ended_well(self):
        """By itself and with success: power-off, or an even debug-exit code."""
        if self.what != "ended":
            return False
        code = self.debug_exit_code
        return self.detail == "power-off" if code is None else code % 2 == 0


@dataclasses.dataclass(frozen=True)
class ExitCount:
    """A row of the table printed when a VM ends. L2's exits also say how many L0 handed to L1
    (reflected) and how many it handled unseen (absorbed)."""

    vm: str
    level: int
    reason: str
    count: int
    reflected: int = 0
    absorbed: int = 0


def parse_line(raw):
    """Makes a Line of one raw line (text, without its newline, perhaps with a time stamp that the
    emulator's preloaded library put at its end)."""
    text = raw.rstrip("\r\n")
    stamp = _STAMP.search(text)
    ns = int(stamp[1]) if stamp else None
    if stamp:
        text = text[: stamp.start()].rstrip("\r")
    text = _ANSI.sub("", text)
    text = "".join(c for c in text if c == "\t" or c >= " ")
    match = _PREFIX.match(text)
    if match:
        return Line(match[2], match[1], ns)
    return Line(text, None, ns)


def vm_event(line):
    """The VmEvent that this line tells of, or None."""
    match = _VM.match(line.text) if line.is_l0 else None
    return VmEvent(match[1], match[2], match[3] or "") if match else None


def exit_count(line):
    """The ExitCount that this line tells of, or None."""
    match = _EXITS.match(line.text) if line.is_l0 else None
    if not match:
        return None
    return ExitCount(match[1], int(match[2]), match[3], int(match[4]), int(match[5] or 0),
                     int(match[6] or 0))


class LineSplitter:
    """Cuts a byte stream into lines. Bytes that are no UTF-8 are kept visible as escapes."""

    LONGEST = 4096

    def __init__(self):
        self._rest = b""

    def feed(self, data):
        """The lines that these bytes complete. An endless line is cut, not collected for ever."""
        self._rest += data
        *whole, self._rest = self._rest.split(b"\n")
        while len(self._rest) > self.LONGEST:
            whole.append(self._rest[: self.LONGEST])
            self._rest = self._rest[self.LONGEST :]
        return [parse_line(raw.decode("utf-8", "backslashreplace")) for raw in whole]

    def finish(self):
        """What was left without a newline when the stream ended, as a list of at most one line."""
        rest, self._rest = self._rest, b""
        return [parse_line(rest.decode("utf-8", "backslashreplace"))] if rest.strip() else []
