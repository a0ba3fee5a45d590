"""archelon.conf as the tools read it, and what they pack."""

import pathlib
import struct
import tempfile
import unittest

from rig import bochs, config, errors, iso, session
from rig.machine import MachineSpec


class Config(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "vmlinuz").write_bytes(b"k")
        (self.folder / "rd").write_bytes(b"r")

    def parse(self, text):
        return config.parse(self.folder / "archelon.conf", text)

    def test_files_are_packed_once_under_the_words_of_the_config(self):
        read = self.parse(f"""
            on-end = poweroff   # global
            [vm a]
            memory = 512M
            cpus = 2
            kernel = vmlinuz
            initrd = {self.folder}/rd some words
            [vm b]
            memory = 1G
            kernel = vmlinuz # the same
        """)
        self.assertEqual(read.modules, [("vmlinuz", self.folder / "vmlinuz"),
                                        (f"{self.folder}/rd", self.folder / "rd")])
        self.assertEqual((read.memory, read.cpus), ((512 + 1024) << 20, 2))
        self.assertEqual([vm.name for vm in read.vms], ["a", "b"])

    def test_errors_name_file_and_line(self):
        for text in ("\n[vm a]\nkernel = missing", "\n[vm a]\nkernel = a b'c".replace("a b", "x'y"),
                     "\n[vm a]\nkernel =", "\n\n[vm Bad_Name]"):
            with self.subTest(text), self.assertRaisesRegex(errors.UsageError, r"archelon.conf:3: "):
                self.parse(text)

    def test_what_only_archelon_judges_passes(self):
        read = self.parse("nonsense\n[vm a]\nmemory = lots\ncpus = -1\ncolour = red\n")
        self.assertEqual((read.memory, read.cpus, read.modules), (0, 1, []))

    def test_the_machine_fits_the_vms(self):
        self.assertEqual(session.fitting_memory(self.parse("[vm a]\nmemory = 16M\n")), 512)
        self.assertGreaterEqual(session.fitting_memory(self.parse("[vm a]\nmemory = 1G\n")), 1024 + 192)


class Bochsrc(unittest.TestCase):
    def test_memory_past_the_host_limit_is_swapped(self):
        spec = MachineSpec(iso="x.iso", memory_mib=2560, cpus=2, cpu="haswell")
        text = bochs.configuration(spec, "/tmp/f", 20001)
        self.assertIn("memory: guest=2560, host=2048", text)
        self.assertIn("model=corei7_haswell_4770, count=2", text)
        self.assertIn("mode=socket-server, dev=127.0.0.1:20001", text)


class KernelKind(unittest.TestCase):
    def kind(self, data):
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            return iso.kernel_kind(file.name)

    def test_by_what_the_file_is(self):
        self.assertEqual(self.kind(bytes(0x202) + b"HdrS" + bytes(100)), "linux")
        self.assertEqual(self.kind(bytes(4096) + struct.pack("<I", 0xE85250D6) + bytes(60)),
                         "multiboot2")
        header = struct.pack("<III", 0x1BADB002, 3, -(0x1BADB002 + 3) & 0xFFFFFFFF)
        self.assertEqual(self.kind(bytes(100) + header + bytes(60)), "multiboot1")

    def test_a_magic_number_without_its_checksum_is_none(self):
        for data in (b"", b"text", struct.pack("<III", 0x1BADB002, 3, 5) + bytes(60)):
            with self.subTest(data), self.assertRaises(errors.UsageError):
                self.kind(data)


if __name__ == "__main__":
    unittest.main()
