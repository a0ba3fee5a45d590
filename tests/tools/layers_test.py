"""The layering rule: what tools/check_layers finds, and what it lets pass."""

import unittest

from rig import layers


def problems(path, text):
    return layers.check_file(path, text)


class Layers(unittest.TestCase):
    def refused(self, path, text):
        self.assertTrue(problems(path, text), f"{path} may not have: {text}")

    def allowed(self, path, text):
        self.assertEqual(problems(path, text), [])

    def test_lower_layers_may_be_included_and_higher_ones_not(self):
        self.allowed("vmx/merge.cpp", '#include "mmu/ept.hpp"\n#include "hv/base/bits.hpp"')
        self.refused("mmu/ept.cpp", '#include "vmx/fields.hpp"')
        self.refused("hv/base/bits.hpp", '#include "hv/arch/cr.hpp"')
        self.refused("vmx/merge.cpp", '#include "hv/vcpu.hpp"')
        self.allowed("hv/main.cpp", '#include "vmx/hw/vmx.hpp"\n#include "hv/devices/uart.hpp"')

    def test_peers_do_not_know_each_other(self):
        self.refused("mmu/walk.hpp", '#include "drivers/pci.hpp"')
        self.refused("iommu/dmar.cpp", '#include "vmx/fields.hpp"')
        self.refused("hv/devices/uart.cpp", '#include "hv/vm.hpp"')

    def test_only_hw_folders_include_hw(self):
        self.refused("vmx/merge.cpp", '#include "vmx/hw/instructions.hpp"')
        self.refused("hv/devices/uart.cpp", '#include "hv/hw/instructions.hpp"')
        self.allowed("vmx/hw/run.cpp", '#include "hv/hw/instructions.hpp"\n#include "vmx/fields.hpp"')
        self.allowed("drivers/hw/uart.cpp", '#include "hv/hw/instructions.hpp"')
        self.refused("drivers/hw/uart.cpp", '#include "hv/console.hpp"')
        self.refused("mmu/hw/tlb.cpp", '#include "vmx/hw/instructions.hpp"')

    def test_pure_code_touches_no_hardware(self):
        self.refused("mmu/walk.cpp", 'void f() { asm("nop"); }')
        self.refused("mmu/walk.cpp", "volatile int x;")
        self.refused("hv/main.cpp", 'asm volatile("cli");')
        self.allowed("mmu/hw/tlb.cpp", 'asm volatile("invlpg");')

    def test_words_in_comments_and_strings_do_not_count(self):
        self.allowed("mmu/walk.cpp", '// volatile\n/* asm("x") */ const char* s = "asm volatile";')
        self.allowed("mmu/walk.cpp", '// #include "vmx/fields.hpp"\n/*\n#include "vmx/fields.hpp"\n*/')

    def test_headers_with_a_runtime_part_are_refused(self):
        self.refused("mmu/walk.cpp", "#include <vector>")
        self.refused("hv/hw/traps.cpp", "#include <cstdio>")
        self.allowed("mmu/walk.cpp", "#include <cstdint>\n#include <span>")

    def test_an_include_starts_at_the_root(self):
        self.refused("mmu/walk.cpp", '#include "walk.hpp"')


if __name__ == "__main__":
    unittest.main()
