"""From the lines of a run to the exit code of tools/run."""

import unittest

from rig import console, outcome


def verdict(text, vms=("a",), timed_out=False):
    watcher = outcome.Watcher(list(vms))
    for raw in text.strip().splitlines():
        watcher.see(console.parse_line(raw.strip()))
    return watcher.verdict(timed_out)


class Verdicts(unittest.TestCase):
    def test_power_off_of_all_is_success(self):
        good = """
            [archelon] vm a: started
            [archelon] vm b: started
            [b] hello
            [archelon] vm b: ended: debug-exit code 2
            [archelon] vm a: ended: power-off
            [archelon] all vms ended
        """
        self.assertEqual(verdict(good, "ab").code, outcome.OK)

    def test_each_way_to_fail_has_its_code(self):
        started = "[archelon] vm a: started\n"
        cases = {
            "[archelon] panic: page fault": outcome.PANIC,
            "[archelon] vm a: stopped: triple fault": outcome.STOPPED,
            "[archelon] vm a: ended: debug-exit code 1": outcome.ENDED_BADLY,
            "[archelon] vm a: ended: reset": outcome.ENDED_BADLY,
            "[a] hello": outcome.CUT_SHORT,
        }
        for text, code in cases.items():
            with self.subTest(text):
                self.assertEqual(verdict(started + text).code, code)
        self.assertEqual(verdict(started, timed_out=True).code, outcome.TIMEOUT)

    def test_a_panic_outweighs_all_and_a_stop_outweighs_the_time_limit(self):
        text = "[archelon] vm a: started\n[archelon] vm a: stopped: x\n"
        self.assertEqual(verdict(text + "[archelon] panic: y").code, outcome.PANIC)
        self.assertEqual(verdict(text, timed_out=True).code, outcome.STOPPED)

    def test_one_vm_that_did_not_end_spoils_the_run(self):
        text = """
            [archelon] vm a: started
            [archelon] vm b: started
            [archelon] vm a: ended: power-off
        """
        self.assertEqual(verdict(text, "ab").code, outcome.CUT_SHORT)
        self.assertIn("b", verdict(text, "ab", timed_out=True).sentence)

    def test_a_refused_config_is_bad_input(self):
        text = "[archelon] error: archelon.conf:2: memory: write a size\n[archelon] all vms ended"
        refused = verdict(text)
        self.assertEqual(refused.code, outcome.BAD_INPUT)
        self.assertIn("archelon.conf:2", refused.sentence)

    def test_a_vm_that_never_started_was_refused(self):
        text = """
            [archelon] error: archelon.conf:2: vm a: kernel /x: it is no kernel
            [archelon] vm a: stopped: it could not be loaded
            [archelon] vm b: started
            [archelon] vm b: ended: power-off
            [archelon] all vms ended
        """
        refused = verdict(text, "ab")
        self.assertEqual(refused.code, outcome.BAD_INPUT)
        self.assertIn("archelon.conf:2", refused.sentence)

    def test_a_machine_without_vtx_is_not_waited_for(self):
        watcher = outcome.Watcher(["a"])
        for text in ("VT-x: missing: VMX", "VT-x: no VM can run on this machine"):
            self.assertFalse(watcher.over)
            watcher.see(console.parse_line(f"[archelon] error: {text}"))
        self.assertTrue(watcher.over)
        self.assertEqual(watcher.verdict(False).code, outcome.CUT_SHORT)
        self.assertIn("missing: VMX", watcher.verdict(False).sentence)

    def test_nothing_at_all_is_cut_short(self):
        self.assertEqual(verdict("").code, outcome.CUT_SHORT)

    def test_a_restarted_vm_counts_by_its_last_end(self):
        text = """
            [archelon] vm a: started
            [archelon] vm a: started
            [archelon] vm a: ended: power-off
        """
        self.assertEqual(verdict(text).code, outcome.OK)


if __name__ == "__main__":
    unittest.main()
