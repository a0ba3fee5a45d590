"""The demo's story: which lines are its milestones, and the summary at its end."""

import dataclasses
import re

from .outcome import OK

# (level, who prints it, pattern, what to tell). A milestone is told once; {0} is the match's group.
_STORY = [
    ("L0", "archelon", r"^Archelon", "Archelon is up, started by GRUB"),
    ("L0", "archelon", r"^vm l1: started", "Archelon starts its virtual machine l1"),
    ("L1", "l1", r"^L1 up: .*kernel ([^, ]+)", "Debian's kernel {0} has booted in it, unmodified"),
    ("L1", "l1", r"^L1 kvm: /dev/kvm is there", "its KVM has found VT-x and offers /dev/kvm"),
    ("L2", "l1", r"^l2: L2 up: uptime (\S+)", "a Linux guest of that KVM has booted"),
    ("L2", "l1", r"^l2: L2 work: .*good", "its memory and file work came out right"),
    ("L1", "l1", r"^L1: l2 has ended", "the guest has powered off, L1 goes on"),
    ("L2", "l1", r"^l2a: L2 up", "the first of two guests at once has booted"),
    ("L2", "l1", r"^l2b: L2 up", "the second of two guests at once has booted"),
    ("L2", "l1", r"^l2a: L2 work: .*good", "the first one's work came out right"),
    ("L2", "l1", r"^l2b: L2 work: .*good", "the second one's work came out right"),
    ("L1", "l1", r"^L1 done", "L1 is done and powers off"),
    ("L0", "archelon", r"^vm l1: ended: power-off", "Archelon has seen l1 power off"),
]
_OF_TWO = re.compile(r"two guests|first one|second one")


@dataclasses.dataclass
class Milestone:
    level: str
    text: str
    seconds: float


class Story:
    """Is shown each Line; tells of the milestones."""

    def __init__(self, two_at_once):
        self._waiting = [entry for entry in _STORY if two_at_once or not _OF_TWO.search(entry[3])]
        self.reached = []

    def see(self, line, seconds):
        """The Milestone that this line is, or None."""
        for entry in self._waiting:
            level, who, pattern, text = entry
            match = re.search(pattern, line.text) if line.vm == who else None
            if match:
                self._waiting.remove(entry)
                milestone = Milestone(level, text.format(*match.groups()), seconds)
                self.reached.append(milestone)
                return milestone
        return None

    @property
    def next(self):
        """What is waited for now, for a progress line."""
        return self._waiting[0][3] if self._waiting else "the end"

    @property
    def missed(self):
        return [entry[3] for entry in self._waiting]

    @property
    def progress(self):
        return len(self.reached), len(self.reached) + len(self._waiting)


_LEVELS = (
    ("L0", "Archelon, on the machine itself; it owns VT-x"),
    ("L1", "Debian's own kernel, KVM and QEMU, as Archelon's guest"),
    ("L2", "Debian's kernel again, as the guest of L1's KVM"),
)
_MOST_LINES = 12
_WIDEST = 110


def summary(result, story, machine):
    """The text at the end. `machine` is a phrase for what all of it ran on."""
    out = ["", "What ran", "", f"     machine: {machine}"]
    for level, what in _LEVELS:
        out.append(f"  {level} {what}")
    out += ["", "What each level printed", ""]
    for level, _ in _LEVELS:
        lines = _said_by(result.lines, level)
        out += [f"  {level} | {_shortened(text)}" for text in _middle_left_out(lines)]
    out += ["", *exit_table(result.watcher.exits), ""]
    good = result.verdict.code == OK and not story.missed
    out.append(f"Time: {result.seconds:.0f} s" + _emulated(result.lines))
    if good:
        out.append("Result: everything worked. A guest ran in a guest, and both ended by themselves.")
    else:
        out.append(f"Result: it did NOT work: {result.verdict.sentence}.")
        if story.missed:
            out.append(f"Not reached: {story.missed[0]}.")
    return "\n".join(out)


def _shortened(text):
    return text if len(text) <= _WIDEST else text[:_WIDEST] + " ..."


def _middle_left_out(lines):
    if len(lines) <= _MOST_LINES:
        return lines
    half = _MOST_LINES // 2
    return lines[:half] + [f"... {len(lines) - _MOST_LINES} lines more ..."] + lines[-half:]


def _said_by(lines, level):
    """A level's own words. L2's lines come through L1's console, with the guest's name in front."""
    l2 = re.compile(r"^l2[ab]?: ")
    if level == "L0":
        return [line.text for line in lines if line.is_l0 and not line.text.startswith("exits ")]
    of_vm = [line.text for line in lines if line.vm == "l1"]
    if level == "L2":
        return [text for text in of_vm if l2.match(text)]
    return [text for text in of_vm if text.startswith("L1") and "warning" not in text]


def exit_table(exits):
    """How often each reason brought Archelon in, for L1 and for L2, most frequent first."""
    if not exits:
        return ["Exits: none were reported"]
    rows = {}
    for row in exits:
        rows.setdefault(row.reason, {})[row.level] = row
    count = lambda pair: sum(row.count for row in pair.values())
    out = ["Exits to Archelon, by reason and by the level that caused them",
           "(an exit of L2 is either reflected: handed to L1's KVM, as hardware would; or absorbed:"
           " L1 never sees it)", "",
           f"  {'reason':24}{'from L1':>12}{'from L2':>12}{'reflected':>12}{'absorbed':>12}"]
    for reason, pair in sorted(rows.items(), key=lambda item: -count(item[1])):
        l1, l2 = pair.get(1), pair.get(2)
        out.append(f"  {reason:24}{l1.count if l1 else 0:12,}{l2.count if l2 else 0:12,}"
                   f"{l2.reflected if l2 else 0:12,}{l2.absorbed if l2 else 0:12,}")
    total = [sum(row.count for row in exits if row.level == level) for level in (1, 2)]
    out.append(f"  {'total':24}{total[0]:12,}{total[1]:12,}"
               f"{sum(row.reflected for row in exits):12,}{sum(row.absorbed for row in exits):12,}")
    return out


def _emulated(lines):
    last = max((line.ns for line in lines if line.ns is not None), default=0)
    return f" ({last / 1e9:.1f} s in the emulated machine)" if last else ""
