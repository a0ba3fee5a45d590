"""Input that is wrong is told in one line with its place; what is right goes on."""

import re

import transcripts

from rig import debian

LIMIT = 300

_GOOD = """
        [vm good]
        memory = 64M
        kernel = {guest}
        debugcon = 0xe9
        debug-exit = 0xf4
"""


def _beside(rig, *sections):
    """Boots a VM that must come to its end beside sections which are wrong."""
    text = "".join(sections) + _GOOD.format(guest=rig.guest("hv-basic"))
    return rig.boot(text, cpus=1, memory=512), text


def _line_of(text, part):
    """The number of the config's line in which `part` stands."""
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)


def _good_ends(run):
    run.expect_event("good", "ended", "debug-exit code 0")
    wanted = transcripts.recorded("hv-basic")
    got = transcripts.from_begin("hv-basic", run.text("good").splitlines())
    assert not transcripts.differences(wanted, got, True)


def _file(rig, name, content):
    path = rig.folder / name
    path.write_bytes(content)
    return path


def test_kernels_that_are_none(rig):
    """A text, half a Linux kernel and half an ELF file, each beside a good VM."""
    linux = debian.kernel().image.read_bytes()
    elf = rig.guest("hello").read_bytes()
    kernels = {"text": _file(rig, "notes.txt", b"not a kernel\n" * 100),
               "cut-linux": _file(rig, "half-vmlinuz", linux[:len(linux) // 2]),
               "cut-elf": _file(rig, "half-hello", elf[:len(elf) // 2])}
    run, text = _beside(rig, *(f"""
        [vm {name}]
        memory = 64M
        kernel = {kernel}
    """ for name, kernel in kernels.items()))
    for name, kernel in kernels.items():
        line = _line_of(text, str(kernel))
        run.expect_l0(rf"^error: archelon\.conf:{line}: vm {name}: kernel .*: ")
        run.expect_event(name, "stopped", "it could not be loaded")
    _good_ends(run)


def test_more_than_the_machine_has(rig):
    """More memory and more CPUs than there are."""
    kernel = rig.guest("hello")
    run, text = _beside(rig, f"""
        [vm greedy]
        memory = 64G
        kernel = {kernel}
        [vm many]
        memory = 64M
        cpus = 3
        kernel = {kernel}
    """)
    run.expect_l0(rf"^error: archelon\.conf:{_line_of(text, '64G')}: .*memory")
    run.expect_l0(rf"^error: archelon\.conf:{_line_of(text, 'cpus = 3')}: .*CPU")
    _good_ends(run)


def test_wrong_lines(rig):
    """A misspelt key loses its VM; the line that says so proposes the right one."""
    run, text = _beside(rig, f"""
        [vm misspelt]
        memory = 64M
        kernle = {rig.guest("hello")}
    """)
    complaint = run.expect_l0(rf"^error: archelon\.conf:{_line_of(text, 'kernle')}: .*")
    assert re.search(r"\bkernel\b", complaint.group(0)), complaint.group(0)
    _good_ends(run)
