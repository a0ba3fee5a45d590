"""Comparison of a guest's transcript with the one recorded on the bare machine.

A guest under Archelon must not be able to tell: line for line it prints what tests/data/transcripts
says. The one allowed difference is a step that prints "not offered", where the capability MSRs that
Archelon shows do not have the feature."""

import pathlib

_RECORDED = pathlib.Path(__file__).resolve().parent.parent / "data" / "transcripts"


def recorded(name):
    return (_RECORDED / f"{name}.txt").read_text().splitlines()


def from_begin(name, lines):
    """The guest's lines from its first to its last."""
    begin = lines.index(f"begin {name}")
    ends = [i for i, text in enumerate(lines) if text.startswith(f"end {name} code ")]
    return lines[begin:ends[0] + 1] if ends else lines[begin:]


def differences(wanted, got, may_lack_features):
    """A text for each line that differs, in order; at most ten."""
    found = []
    for i in range(max(len(wanted), len(got))):
        want = wanted[i] if i < len(wanted) else "(nothing)"
        have = got[i] if i < len(got) else "(nothing)"
        if want == have:
            continue
        if may_lack_features and have == want.split(":")[0] + ": not offered":
            continue
        found.append(f"line {i + 1}: wanted {want!r}, got {have!r}")
    return found[:10] + ([f"... and {len(found) - 10} more"] if len(found) > 10 else [])


def check_bare(rig, name, timeout=120, cpus=1):
    run = rig.bare(rig.guest(name), timeout=timeout, cpus=cpus)
    run.expect(f"^end {name} code ")
    _judge(recorded(name), from_begin(name, [line.text for line in run.lines]), False)


def check_archelon(rig, name, timeout=300, memory="64M", more=""):
    """Boots the guest as the only VM; returns the Run."""
    run = rig.boot(f"""
        [vm a]
        memory = {memory}
        kernel = {rig.guest(name)}
        debugcon = 0xe9
        debug-exit = 0xf4
        {more}
    """, timeout=timeout)
    run.expect_event("a", "ended", "debug-exit code 0")
    _judge(recorded(name), from_begin(name, run.text("a").splitlines()), True)
    run.expect_success()
    return run


def _judge(wanted, got, may_lack_features):
    found = differences(wanted, got, may_lack_features)
    assert not found, "the transcripts differ:\n" + "\n".join(found)
