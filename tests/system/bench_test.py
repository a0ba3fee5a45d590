"""The guest that measures nested operations: exact on the bare machine, complete under Archelon."""

import transcripts

LIMIT = 300


def _costs(lines):
    return {words[1]: int(words[2]) for words in map(str.split, lines) if words[0] == "bench"}


def test_bare(rig):
    transcripts.check_bare(rig, "bench")


def test_archelon(rig):
    run = rig.boot(f"""
        [vm a]
        memory = 64M
        kernel = {rig.guest("bench")}
        debugcon = 0xe9
        debug-exit = 0xf4
    """)
    run.expect_success()
    bare = _costs(transcripts.recorded("bench"))
    costs = _costs(run.text("a").splitlines())
    assert costs.keys() == bare.keys(), costs.keys() ^ bare.keys()
    # Code that makes no exit runs at the machine's own speed.
    assert costs["plain-1000004"] < 1.05 * bare["plain-1000004"], costs
