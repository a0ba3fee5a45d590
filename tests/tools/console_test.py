"""The console contract: Archelon's lines as values."""

import unittest

from rig import console


def line(text):
    return console.parse_line(text)


class ParseLine(unittest.TestCase):
    def test_archelon_and_vms_are_told_apart_by_the_first_bracket(self):
        self.assertEqual(line("[archelon] panic: x"), console.Line("panic: x", "archelon"))
        inner = line("[l1] [archelon] panic: faked")
        self.assertEqual(inner, console.Line("[archelon] panic: faked", "l1"))
        self.assertFalse(inner.is_panic)
        self.assertEqual(line("GRUB loading."), console.Line("GRUB loading."))

    def test_a_kernel_time_stamp_is_no_vm_name(self):
        self.assertIsNone(line("[    0.000000] Linux version 6.1").vm)
        self.assertIsNone(line("[ABC] x").vm)
        self.assertIsNone(line("[a-name-that-is-too-long] x").vm)

    def test_the_emulated_time_is_taken_off(self):
        self.assertEqual(line("[a] up\r\x1e1234567\n"), console.Line("up", "a", 1234567))
        self.assertEqual(line("\x1e5"), console.Line("", None, 5))

    def test_control_sequences_are_taken_off_and_tabs_kept(self):
        self.assertEqual(line("[a] \x1b[1;31mred\x1b[0m\tx\x07").text, "red\tx")

    def test_an_empty_console_line_keeps_its_vm(self):
        self.assertEqual(line("[a] "), console.Line("", "a"))
        self.assertEqual(line("[a]"), console.Line("", "a"))


class Events(unittest.TestCase):
    def event(self, text):
        return console.vm_event(line(text))

    def test_each_step_of_a_life(self):
        self.assertEqual(self.event("[archelon] vm a: started"), console.VmEvent("a", "started"))
        self.assertTrue(self.event("[archelon] vm a: ended: power-off").ended_well)
        self.assertFalse(self.event("[archelon] vm a: ended: reset").ended_well)
        stopped = self.event("[archelon] vm a: stopped: triple fault: RIP 0x1000")
        self.assertEqual((stopped.what, stopped.detail), ("stopped", "triple fault: RIP 0x1000"))

    def test_debug_exit_is_good_when_even(self):
        even = self.event("[archelon] vm a: ended: debug-exit code 0")
        odd = self.event("[archelon] vm a: ended: debug-exit code 33")
        self.assertEqual((even.debug_exit_code, even.ended_well), (0, True))
        self.assertEqual((odd.debug_exit_code, odd.ended_well), (33, False))

    def test_a_guest_cannot_tell_of_its_own_end(self):
        self.assertIsNone(self.event("[a] vm a: ended: power-off"))
        self.assertIsNone(console.exit_count(line("[a] exits a L1 CPUID 3")))

    def test_exit_rows(self):
        self.assertEqual(console.exit_count(line("[archelon] exits a L1 CPUID 31")),
                         console.ExitCount("a", 1, "CPUID", 31))
        self.assertEqual(
            console.exit_count(line("[archelon] exits a L2 EPT-VIOLATION 9 reflected 4 absorbed 5")),
            console.ExitCount("a", 2, "EPT-VIOLATION", 9, 4, 5))


class LineSplitter(unittest.TestCase):
    def test_lines_are_cut_across_reads(self):
        splitter = console.LineSplitter()
        self.assertEqual(splitter.feed(b"[a] on"), [])
        self.assertEqual([str(x) for x in splitter.feed(b"e\n[b] two\n[b] thr")],
                         ["[a] one", "[b] two"])
        self.assertEqual([str(x) for x in splitter.finish()], ["[b] thr"])
        self.assertEqual(splitter.finish(), [])

    def test_an_endless_line_is_cut(self):
        splitter = console.LineSplitter()
        lines = splitter.feed(b"x" * 10000)
        self.assertEqual([len(x.text) for x in lines], [4096, 4096])

    def test_bytes_that_are_no_text_stay_visible(self):
        self.assertEqual(console.LineSplitter().feed(b"[a] \xff\n")[0].text, "\\xff")


if __name__ == "__main__":
    unittest.main()
