"""How Archelon's start deals with what is missing or wrong, and with its own faults. These are planted
by Bochs' debugger, which stops at functions of the image and writes over its code and registers."""

import re
import struct
import subprocess

from rig import kernel

LIMIT = 120

_IMAGE_VMA = 0xFFFFFFFF80200000
_IMAGE_LMA = 0x200000
_STACK_AREA = 0xFFFFFFFFC0000000
_OWN_STACK = 0xA000  # in a CPU's part of the area: the lowest byte of its own stack
_UD2 = 0x0B0F


def _address(function):
    """The linear address of one of the image's functions, by the end of its name."""
    names = subprocess.run(["nm", "--demangle", kernel.image()], check=True, capture_output=True,
                           text=True).stdout
    found = re.search(rf"^(\w+) [tTrR] (?:\S*::)?(?:\(anonymous namespace\)::)?{re.escape(function)}$",
                      names, re.MULTILINE)
    assert found, function
    return int(found.group(1), 16)


def _break_at(function):
    """The debugger command that stops at the function. Bochs overlooks some that are called
    often; good are those called once."""
    return f"lb {_address(function):#x}"


def _planted(rig, function, instruction):
    """A copy of the image in which a two-byte instruction stands at the function's start."""
    image = bytearray(kernel.image().read_bytes())
    address = _address(function)
    headers, = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    for at in range(headers, headers + size * count, size):
        kind, _, offset, start, _, length = struct.unpack_from("<IIQQQQ", image, at)
        if kind == 1 and start <= address < start + length:
            struct.pack_into("<H", image, offset + address - start, instruction)
            break
    else:
        raise AssertionError(f"{function} is in no segment")
    planted = rig.folder / "planted.elf"
    planted.write_bytes(image)
    return planted


def test_without_modules(rig):
    run = rig.bare(kernel.image(), command_line="console=debugcon", engine="bochs")
    run.expect_l0("^Archelon: loaded at 0x200000$")
    run.expect_l0("^no module named archelon.conf: no VM to start$")
    run.refuse("error|panic", vm="archelon")


def test_bad_options_are_named(rig):
    run = rig.bare(kernel.image(), engine="tcg",
                   command_line="console=com1,com3,pci-serial loglevel=loud")
    run.expect_l0("^warning: command line: loglevel=loud: ")
    run.expect_l0("^warning: console com3: there is none$")
    run.expect_l0("^warning: console pci-serial: there is none$")
    run.expect_l0("^1 CPUs, ")


def test_loaded_elsewhere(rig):
    """The loader may place the image at any multiple of 2 MiB: here it is asked for 64 MiB or more."""
    image = bytearray(kernel.image().read_bytes())
    lowest = struct.pack("<IIII", 0x200000, 0x40000000, 0x200000, 1)
    assert image.count(lowest) == 1
    at = image.find(lowest)
    image[at:at + 4] = struct.pack("<I", 64 << 20)
    moved = rig.folder / "moved.elf"
    moved.write_bytes(image)
    run = rig.bare(moved, command_line="console=debugcon", engine="tcg", cpus=2)
    run.expect_l0("^Archelon: loaded at 0x4000000$")
    run.expect_l0("^2 CPUs, ")


def test_silent_cpu_is_left_out(rig):
    """The second CPU halts at its first instruction."""
    halt = 0xF4F4
    run = rig.bare(_planted(rig, "ap_start", halt), command_line="console=debugcon",
                   engine="bochs", cpus=2)
    run.expect_l0("^error: CPU with APIC ID 1 does not start; going on without it$")
    run.expect_l0("^1 CPUs, ")


def test_wrong_magic(rig):
    start = _address("start") - _IMAGE_VMA + _IMAGE_LMA
    run = rig.bare(kernel.image(), engine="bochs",
                   debugger=(f"pb {start:#x}", "c", "set eax = 0x1234", "c"))
    run.expect_l0("^error: not started by a multiboot2 loader: EAX is 0x1234, should be 0x36d76289$")
    run.expect_l0("^error: halted$")
    run.refuse("panic|CPUs", vm="archelon")


def test_exception_is_reported_and_stops_every_cpu(rig):
    # Called when every CPU is up.
    run = rig.bare(_planted(rig, "start_configured_vms()", _UD2), command_line="console=debugcon",
                   engine="bochs", cpus=2)
    run.expect_l0(r"^CPU 0 \(APIC ID 0\) stopped, with 1 others; registers and backtrace:$")
    run.expect_l0("^rax [0-9a-f]{16} rbx ")
    run.expect_l0(r"^cr0 80010033 cr2 ")
    run.expect_l0(r"^  0xffffffff802[0-9a-f]{5} hv::start_configured_vms\+0x0$")
    run.expect_l0(r"^  0xffffffff802[0-9a-f]{5} hw::switch_to_own_stack\+0x")
    run.expect_l0(r"^panic: #UD with error code 0x0 in L0 on CPU 0 at 0xffffffff802")


def test_full_stack_is_a_double_fault_on_its_own_stack(rig):
    run = rig.bare(kernel.image(), command_line="console=debugcon", engine="bochs",
                   debugger=(_break_at("init_platform()"), "c",
                             f"set rsp = {_STACK_AREA + _OWN_STACK:#x}", "c"))
    run.expect_l0("^panic: #DF with error code 0x0 in L0 on CPU 0 at .*: the stack is full$")
