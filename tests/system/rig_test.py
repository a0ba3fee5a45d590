"""The rig itself, without Archelon: a tiny guest on the bare machine."""


def test_bare_guest_prints_with_emulated_time(rig):
    run = rig.bare(rig.guest("hello"), command_line="one two", timeout=120)
    run.expect("^begin hello$")
    run.expect("command line: one two")
    assert all(line.ns is not None for line in run.lines)
    assert all(a.ns <= b.ns for a, b in zip(run.lines, run.lines[1:]))
