"""Properties of Archelon's linked image that no compiler flag guarantees by itself."""

import dataclasses
import re
import subprocess

from .errors import RigError

# Registers that L0 leaves to its guests, and instructions that touch such state without naming one.
_VECTOR_REGISTER = re.compile(r"%(?:[xyz]mm\d+|mm[0-7]|st\b|k[0-7]\b)")
_VECTOR_MNEMONIC = re.compile(
    r"(?:f[a-z0-9]{2,}|emms|ldmxcsr|stmxcsr|vldmxcsr|vstmxcsr|vzeroupper|vzeroall"
    r"|xsave\w*|xrstor\w*)$")
# A CPU that goes from one guest to another moves that state as a whole, there and nowhere else.
_MOVES_STATE = re.compile(r"(?:fx|x)(?:save|rstor)\w*$")
_STATE_MOVERS = re.compile(r"live_state")
_CONSTRUCTOR_SECTIONS = (".init_array", ".preinit_array", ".fini_array", ".ctors", ".dtors", ".init",
                         ".fini", ".tdata", ".tbss")
_LEFT_OVER_SECTIONS = (".interp", ".dynamic", ".got", ".plt", ".rela.dyn", ".rela.plt", ".eh_frame")


@dataclasses.dataclass(frozen=True)
class Segment:
    address: int
    file_size: int
    memory_size: int
    flags: str  # of "RWE"


def segments(readelf_output):
    """The loaded segments, of `readelf -lW`."""
    found = []
    for line in readelf_output.splitlines():
        match = re.match(r"\s*LOAD\s+0x\w+ 0x(\w+) 0x\w+ 0x(\w+) 0x(\w+) ([RWE ]{3}) ", line)
        if match:
            found.append(Segment(int(match[1], 16), int(match[2], 16), int(match[3], 16),
                                 match[4].replace(" ", "")))
    return found


def section_sizes(readelf_output):
    """{name: size}, of `readelf -SW`."""
    return {match[1]: int(match[2], 16) for match in re.finditer(
        r"^\s*\[\s*\d+\] (\S+)\s+\S+\s+[0-9a-f]{16} [0-9a-f]+ ([0-9a-f]+) ", readelf_output,
        re.MULTILINE)}


def vector_instructions(objdump_output):
    """Sentences for FPU, SSE, AVX and XSAVE instructions, of `objdump -d --no-show-raw-insn`."""
    found, function = [], "?"
    for line in objdump_output.splitlines():
        header = re.match(r"[0-9a-f]+ <(.+)>:$", line)
        if header:
            function = header[1]
            continue
        _, colon, instruction = line.partition(":\t")
        words = instruction.split()
        if not colon or not words:
            continue
        if _MOVES_STATE.match(words[0]) and _STATE_MOVERS.search(function):
            continue
        if _VECTOR_MNEMONIC.match(words[0]) or _VECTOR_REGISTER.search(instruction.split("#")[0]):
            found.append(f"{function}: {' '.join(words)}")
    return found


def check(path):
    """(violations, facts) of an image, both as sentences."""
    violations, facts = [], []
    loaded = segments(_output("readelf", "-lW", path))
    if not loaded:
        violations.append("the image has no loaded segment")
    for segment in loaded:
        if "W" in segment.flags and "E" in segment.flags:
            violations.append(f"the segment at {segment.address:#x} is writable and executable")
        facts.append(f"segment {segment.address:#x} {segment.flags:3} {segment.memory_size >> 10} KiB")

    sections = section_sizes(_output("readelf", "-SW", path))
    for name, size in sections.items():
        base = next((s for s in _CONSTRUCTOR_SECTIONS if name == s or name.startswith(s + ".")), None)
        if base and size:
            violations.append(f"section {name} ({size} bytes): code or data that somebody would have to"
                              " run or set up before main")
        if name in _LEFT_OVER_SECTIONS and size:
            violations.append(f"section {name} ({size} bytes) has no place in a static kernel")

    for line in _output("nm", "-u", path).splitlines():
        violations.append(f"undefined symbol {line.split()[-1]}")
    for sentence in vector_instructions(_output("objdump", "-d", "--no-show-raw-insn", path)):
        violations.append(f"FPU or vector instruction in {sentence}")

    in_file = sum(segment.file_size for segment in loaded)
    in_memory = sum(segment.memory_size for segment in loaded)
    facts.append(f"image size {in_file >> 10} KiB loaded, {in_memory >> 10} KiB in memory; text"
                 f" {sections.get('.text', 0) >> 10} KiB")
    return violations, facts


def _output(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise RigError(f"`{command[0]}` failed: {done.stderr.strip()}")
    return done.stdout
