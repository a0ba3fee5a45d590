"""Archelon's shell over a serial line: alone, and beside a VM whose console it shares."""

LIMIT = 300

_ESCAPE = "\x1d"
_UP = "\x1b[A"


def _command(run, line):
    run.type(line + "\r")


def test_without_vmx(rig):
    run = rig.boot("""
        # no VM
    """, engine="tcg", on_end="shell", typing=True)
    run.expect("^This is Archelon's shell")
    run.expect_com1("archelon> ")
    _command(run, "help")
    run.expect(r"^  vmcs +\[01\|12\|02\] \[VM \[VCPU\]\] ")
    run.expect("^  poweroff ")
    _command(run, "help exits")
    run.expect(r"^exits \[VM\]: ")
    _command(run, "vmss")
    run.expect("^unknown command 'vmss'; did you mean 'vms'\\?$")
    _command(run, _UP + "\x7f")  # the same without its last letter
    run.expect("^there is no VM$")
    _command(run, "me\t")
    free = int(run.expect(r"^  free +\d+ frames +(\d+) MiB$").group(1))
    assert 200 < free < 512, free
    _command(run, "caps")
    run.expect("^VT-x cannot be used here$")
    run.expect(r"^  missing: VMX \(CPUID.1:ECX.VMX\)$")
    _command(run, "vmcs")
    run.expect("^there is no VM$")
    _command(run, "console")
    run.expect("^there is no VM$")
    _command(run, "log 1000")
    run.expect("^Archelon: loaded at ", vm=None)
    run.expect("MiB of memory free$")
    _command(run, "version")
    run.expect(r"^Archelon \d+\.\d+\.\d+, built with GCC ")
    run.type("rebo\x03")  # given up
    run.type("\x00\xff\x1b[999~\x1b[\x1bO\x7f\x15\x17\t\t" + "x" * 300 + "\x15\r")
    _command(run, "vms")
    run.expect("^there is no VM$")
    _command(run, "poweroff")
    run.expect_l0("^power off$")
    run.expect_machine_off()


def _dialogue(rig, more="", **options):
    run = rig.boot(f"""
        [vm talk]
        memory = 32M
        kernel = {rig.guest("dialogue")}
        debug-exit = 0xf4
        {more}
    """, on_end="shell", typing=True, **options)
    run.expect_event("talk", "started")
    run.expect_l0("^what is typed goes to vm talk; Ctrl-] goes to the shell$")
    return run


def _addresses(run):
    match = run.expect("^vmcs (0x[0-9a-f]+) host rip (0x[0-9a-f]+)$", vm="talk")
    return (int(text, 16) for text in match.groups())


def _shows_the_vmcs(run, region, host_rip):
    _command(run, "vmcs")
    run.expect(f"^VMCS02 for the VMCS12 at L1's {region:#x}$")
    run.expect("^  PRIMARY_PROC_BASED_CONTROLS +0x[0-9a-f]{8}$")
    run.expect("unconditional I/O exiting")  # for L0; L1 lets L2 have the ports
    _command(run, "vmcs 12")
    run.expect(f"^VMCS12 at L1's {region:#x}$")
    run.expect("^controls:$")
    run.expect("^guest state:$")
    rip = int(run.expect("^  GUEST_RIP +(0x[0-9a-f]{16})$").group(1), 16)
    assert abs(rip - host_rip) < 1 << 20, f"{rip:#x} is not in the guest's image"
    run.expect("^host state:$")
    shown = int(run.expect("^  HOST_RIP +(0x[0-9a-f]{16})$").group(1), 16)
    assert shown == host_rip, f"{shown:#x}"
    _command(run, "vmcs 01 talk 0")
    run.expect("^VMCS01$")
    run.expect("^  EPT_POINTER +0x[0-9a-f]{16}$")
    run.expect("^      tables at 0x[0-9a-f]+, 4 levels, write-back")
    run.expect("^  EXIT_REASON +0x[0-9a-f]{8}$")
    run.expect("^      VM(LAUNCH|RESUME)$")  # how L1 entered L2
    _command(run, "vmcs talk 1")
    run.expect("^vm talk has 1 vCPUs; the first is 0$")


def test_beside_a_vm(rig):
    run = _dialogue(rig)
    region, host_rip = _addresses(run)
    # L2's prompt is no line yet: only the terminal shows it.
    run.expect_com1("[talk] say: ")
    run.type("hello\r")
    run.expect("^say: hello$", vm="talk")
    run.expect("^heard: hello$", vm="talk")
    run.expect_com1("heard: hello")
    run.type(_ESCAPE)
    run.expect_com1("archelon> ")
    _command(run, "vms")
    run.expect("^talk +running +32 MiB, 1 vCPUs$")
    run.expect(r"^  vCPU 0 on CPU 0: running, L2, \d+ exits$")
    _command(run, "exits")
    run.expect("^vm talk$")
    run.expect("^  L1 VMLAUNCH +1$")
    run.expect("^  L2 CPUID +1 +1 +0$")
    run.expect(r"^  L2 IO_INSTRUCTION +(\d+) +0 +\1$")
    run.expect("^  nested entries 2, failed 0$")
    _shows_the_vmcs(run, region, host_rip)
    _command(run, "caps")
    run.expect(r"^  secondary +enable EPT +yes ")
    _command(run, "console tlk")
    run.expect("^there is no VM 'tlk'; did you mean 'talk'\\?$")
    _command(run, "console")
    run.expect_com1("console of vm talk")
    run.type("a" + _ESCAPE)
    run.expect_com1("archelon> ")
    run.type(_ESCAPE + "b\r")
    run.expect("^say: a\\^b$", vm="talk")
    run.type("bye\r")
    run.expect_event("talk", "ended", "debug-exit code 0")
    run.expect_all_ended()
    _command(run, "vms")
    run.expect("^talk +ended +32 MiB, 1 vCPUs; debug-exit$")
    _command(run, "vmcs 12")
    run.expect("^L1 has no current VMCS$")
    _command(run, "vmcs")
    run.expect("^VMCS01$")
    run.expect("^exit information:$")
    _command(run, "console talk")
    run.expect("^vm talk does not run$")
    _command(run, "reboot")
    run.expect_l0("^reboot$")
    run.expect_l0("^Archelon: loaded at")


def test_vmcs_of_another_cpu(rig):
    run = _dialogue(rig, "cpu-pin = 1", cpus=2)
    region, host_rip = _addresses(run)
    run.expect_com1("[talk] say: ")
    run.type(_ESCAPE)
    _command(run, "vms")
    run.expect(r"^  vCPU 0 on CPU 1: running, L2, \d+ exits$")
    _shows_the_vmcs(run, region, host_rip)
    run.type(_ESCAPE + "bye\r")
    run.expect_event("talk", "ended", "debug-exit code 0")


def test_on_end_of_the_configuration(rig):
    run = rig.boot(f"""
        on-end = poweroff
        loglevel = warning
        [vm a]
        memory = 32M
        kernel = {rig.guest("hello")}
        debugcon = 0xe9
        debug-exit = 0xf4
    """, on_end="")
    run.expect("^ram KiB", vm="a")
    run.expect_machine_off()
    run.refuse("^all vms ended$", vm="archelon")
