"""What tools/check_image finds in the binutils' output."""

import pathlib
import shutil
import subprocess
import tempfile
import unittest

from rig import imagecheck


def dump(*instructions):
    return "ffffffff80200000 <f(int)>:\n" + "".join(
        f"ffffffff80200000:\t{instruction}\n" for instruction in instructions)


class Instructions(unittest.TestCase):
    def test_vector_and_fpu_state_is_found(self):
        for instruction in ("movaps %xmm0,(%rdi)", "vpxor  %ymm1,%ymm1,%ymm1", "fld1   ",
                            "fxsave64 (%rax)", "movq   %mm0,%rax", "fstp   %st(0)", "vzeroupper ",
                            "kmovq  %k1,%rax", "xsavec (%rdi)", "ldmxcsr (%rax)"):
            with self.subTest(instruction):
                self.assertEqual(len(imagecheck.vector_instructions(dump(instruction))), 1)

    def test_plain_and_vmx_instructions_pass(self):
        text = dump("vmread %rax,%rcx", "vmlaunch ", "verr   %ax", "xsetbv ", "xgetbv ",
                    "mov    %fs:0x0,%rax", "call   ffffffff80201000 <fxsave_area>",
                    "lea    0x10(%rip),%rax        # ffffffff80201000 <x%xmm0>", "pause  ", "mfence ")
        self.assertEqual(imagecheck.vector_instructions(text), [])

    def test_whole_state_moves_in_one_place_only(self):
        text = dump("xsave64 (%rcx)", "xrstor64 (%rsi)", "fxsave64 (%rax)", "fxrstor64 (%rax)",
                    "emms   ")
        self.assertEqual(len(imagecheck.vector_instructions(text)), 5)
        self.assertEqual(imagecheck.vector_instructions(text.replace("<f(int)>", "<load_live_state>")),
                         ["load_live_state: emms"])

    def test_the_function_is_named(self):
        self.assertIn("f(int)", imagecheck.vector_instructions(dump("emms   "))[0])


@unittest.skipUnless(shutil.which("gcc"), "needs a compiler")
class LinkedImages(unittest.TestCase):
    def check(self, source, *flags):
        with tempfile.TemporaryDirectory() as folder:
            code, image = pathlib.Path(folder) / "x.c", pathlib.Path(folder) / "x"
            code.write_text(source)
            subprocess.run(["gcc", "-O1", "-ffreestanding", "-nostdlib", "-fno-pie", "-no-pie",
                            "-mgeneral-regs-only", "-fno-asynchronous-unwind-tables",
                            "-Wl,--build-id=none", *(flags or ["-static"]), "-o", image, code], check=True,
                           capture_output=True)
            return imagecheck.check(image)[0]

    def test_a_clean_image_passes(self):
        self.assertEqual(self.check("int d = 1; void _start(void) { d++; }"), [])

    def test_writable_code_constructors_and_missing_symbols_are_found(self):
        self.assertIn("writable and executable", self.check("int d = 1; void _start(void) { d++; }",
                                                            "-Wl,-N")[0])
        self.assertTrue(any(".init_array" in v or ".ctors" in v for v in self.check(
            "int d = 1; __attribute__((constructor)) void c(void) { d++; } void _start(void) {}")))
        self.assertTrue(any("undefined symbol gone" in v for v in self.check(
            "void gone(void); void _start(void) { gone(); }", "-r")))


if __name__ == "__main__":
    unittest.main()
