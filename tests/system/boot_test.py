"""Archelon itself comes up: by BIOS and by UEFI, with and without VT-x."""

LIMIT = 240

_NO_VM = """
    # no VM
    loglevel = info
"""


def _comes_up(run):
    run.expect_l0("^Archelon")
    run.expect_l0(r"^\d+ CPUs?, \d+ MiB of memory free")


def _says_what_is_missing(run):
    run.expect_l0("^Archelon")
    run.expect_l0("^error: VT-x: missing: VMX")
    run.expect_l0(r"^\d+ CPUs?, \d+ MiB of memory free")
    run.refuse("^panic", vm="archelon")


def test_bios_in_bochs(rig):
    _comes_up(rig.boot(_NO_VM, engine="bochs", on_end="shell"))


def test_two_cpus_in_bochs(rig):
    run = rig.boot(_NO_VM, engine="bochs", on_end="shell", cpus=2)
    run.expect_l0("^2 CPUs")


def test_bios_without_vmx(rig):
    _says_what_is_missing(rig.boot(_NO_VM, engine="tcg", on_end="shell"))


def test_uefi_without_vmx(rig):
    _says_what_is_missing(rig.boot(_NO_VM, engine="tcg", on_end="shell", uefi=True, cpus=2))


def test_shell_without_vmx(rig):
    """Without VT-x Archelon still gives its shell, on the serial line as well."""
    run = rig.boot(_NO_VM, engine="tcg", on_end="shell", typing=True)
    _says_what_is_missing(run)
    run.type("help\r")
    run.expect("^  poweroff ")
    run.type("poweroff\r")
    run.expect_machine_off()
