"""The demo's milestones and summary, on a stand-in for a run's output."""

import unittest

from rig import console, demo, outcome, session

_RUN = """
[archelon] Archelon: loaded at 0x200000
[archelon] vm l1: started
[l1] L1 up: uptime 4.1 s, kernel 6.1.0-56-cloud-amd64, 1 CPU
[l1] L1 warning: something
[l1] L1 kvm: /dev/kvm is there
[l1] l2: L2 up: uptime 3.6 s, kernel 6.1.0-56-cloud-amd64
[l1] l2: L2 work: memory and file checksums good
[l1] L1: l2 has ended
[l1] L1 done: uptime 20 s
[archelon] vm l1: ended: power-off
[archelon] exits l1 L1 CPUID 1500
[archelon] exits l1 L1 VMRESUME 70
[archelon] exits l1 L2 CPUID 90 reflected 90 absorbed 0
[archelon] exits l1 L2 EPT-VIOLATION 5000 reflected 2000 absorbed 3000
[archelon] all vms ended
"""


class StandIn:
    """In a Machine's place: prints lines, then ends."""

    def __init__(self, text):
        self._lines = [console.parse_line(line) for line in text.strip().splitlines()]
        self.started = self.seconds = 0
        self.ended = False
        self.on_wait = None

    def lines(self, until, idle=None):
        while self._lines:
            yield self._lines.pop(0)
        self.ended = True

    def failure(self):
        return ""


def run(text, two_at_once=False):
    story = demo.Story(two_at_once)
    result = session.watch(StandIn(text), outcome.Watcher(["l1"]), 10,
                           lambda line: story.see(line, 1.0))
    return story, result, demo.summary(result, story, "a stand-in")


class Demo(unittest.TestCase):
    def test_all_milestones_of_a_good_run(self):
        story, result, text = run(_RUN)
        self.assertEqual(story.missed, [])
        self.assertEqual([m.level for m in story.reached],
                         ["L0", "L0", "L1", "L1", "L2", "L2", "L1", "L1", "L0"])
        self.assertIn("6.1.0-56-cloud-amd64", story.reached[2].text)
        self.assertEqual(result.verdict.code, outcome.OK)
        self.assertIn("everything worked", text)

    def test_the_table_of_exits_by_level(self):
        rows = [line.split() for line in demo.exit_table(run(_RUN)[1].watcher.exits)]
        self.assertIn(["EPT-VIOLATION", "0", "5,000", "2,000", "3,000"], rows)
        self.assertIn(["CPUID", "1,500", "90", "90", "0"], rows)
        self.assertIn(["total", "1,570", "5,090", "2,090", "3,000"], rows)
        self.assertLess(rows.index(["EPT-VIOLATION", "0", "5,000", "2,000", "3,000"]),
                        rows.index(["CPUID", "1,500", "90", "90", "0"]))

    def test_what_comes_after_the_last_vm_ended_is_read(self):
        late = _RUN + "[archelon] exits l1 L1 HLT 3\n"
        self.assertIn("HLT", run(late)[2])

    def test_a_missing_step_is_told(self):
        story, result, text = run(_RUN.replace("checksums good", "FAILED"))
        self.assertEqual(result.verdict.code, outcome.OK)
        self.assertEqual(len(story.missed), 1)
        self.assertIn("did NOT work", text)
        self.assertEqual(len(run(_RUN, two_at_once=True)[0].missed), 4)

    def test_levels_are_told_apart(self):
        text = run(_RUN)[2]
        self.assertIn("  L2 | l2: L2 up", text)
        self.assertIn("  L1 | L1 up", text)
        self.assertNotIn("something", text)
        self.assertNotIn("| exits", text)


if __name__ == "__main__":
    unittest.main()
