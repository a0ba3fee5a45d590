"""The KVM client's arguments and complaints; what it does with KVM is for the system tests."""

import pathlib
import subprocess
import tempfile
import unittest

from rig import kernel


class KvmClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = kernel.kvm_client()

    def complaint(self, code, *arguments):
        """What it says when it ends with this code."""
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def test_usage(self):
        self.assertIn("usage:", self.complaint(2))
        self.assertIn("usage:", self.complaint(2, "check", "more"))
        self.assertIn("usage:", self.complaint(2, "something"))

    def test_arguments_of_boot(self):
        self.assertIn("boot wants --kernel", self.complaint(2, "boot"))
        self.assertIn("--kernel wants a value", self.complaint(2, "boot", "--kernel"))
        self.assertIn("unknown option --speed", self.complaint(2, "boot", "--speed", "9"))
        for wrong in ("0", "-1", "many", "12x", "99999999999999999999"):
            self.assertIn("--memory wants a number",
                          self.complaint(2, "boot", "--kernel", "k", "--memory", wrong))

    def test_wrong_kernels(self):
        with tempfile.TemporaryDirectory() as folder:
            missing = pathlib.Path(folder) / "missing"
            wrong = pathlib.Path(folder) / "wrong"
            wrong.write_bytes(bytes(4096))
            self.assertIn("missing: No such file", self.complaint(2, "boot", "--kernel", missing))
            self.assertIn("is no Linux bzImage", self.complaint(2, "boot", "--kernel", wrong))


if __name__ == "__main__":
    unittest.main()
