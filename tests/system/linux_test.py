"""Debian's unmodified kernel as L1, with Debian's KVM and QEMU, and its L2."""

import re

from rig import engine, l1image

LIMIT = 900


def _config(image, words="", cpus=1, memory="384M", name="l1"):
    line = l1image.l1_command_line(engine.choose()[0], words)
    return f"""
        [vm {name}]
        memory = {memory}
        cpus = {cpus}
        kernel = {image.kernel}
        initrd = {image.initrd}
        cmdline = {line}
    """


def _warnings(lines):
    """L1's kernel messages of level warning and above, without their times and numbers."""
    found = [line.text.removeprefix("L1 warning: ") for line in lines
             if line.text.startswith("L1 warning: ")]
    return {re.sub(r"^\[[ 0-9.]+\] |0x[0-9a-f]+|\b[0-9a-f]{8,16}\b|\d+", "", text) for text in found}


def test_boots_with_one_cpu(rig):
    """No error and no warning which the kernel does not also print on the bare machine."""
    image = l1image.plain()
    bare = rig.bare(image.kernel, [(image.initrd, "")],
                    l1image.l1_command_line(engine.choose()[0]))
    bare.expect("^L1 done")
    bare.machine.kill()
    known = _warnings(bare.lines)

    run = rig.boot(_config(image))
    run.expect("^L1 up", vm="l1")
    flags = run.expect("^L1 vmx flags: (.*)", vm="l1").group(1).split()
    for flag in ("ept", "vpid", "unrestricted_guest"):
        assert flag in flags, f"/proc/cpuinfo lacks {flag}: {flags}"
    run.expect("^L1 done", vm="l1")
    run.expect_event("l1", "ended", "power-off")
    run.expect_success()
    new = _warnings(run.lines) - known
    assert not new, f"not on the bare machine: {sorted(new)}"


def test_boots_with_two_cpus(rig):
    run = rig.boot(_config(l1image.plain(), cpus=2))
    run.expect("^L1 up: .* 2 CPU$", vm="l1")
    run.expect("^L1 done", vm="l1")
    run.expect_success()


def test_small_kvm_client(rig):
    run = rig.boot(_config(l1image.client(), "archelon.l2=check archelon.quiet"))
    run.expect("^L1 kvm: /dev/kvm is there$", vm="l1")
    run.expect("^L1: kvmclient check: exit code 0$", vm="l1")
    run.expect_success()


def _expect_l2(run, name):
    run.expect(f"^{name}: L2 up", vm="l1")
    run.expect(f"^{name}: L2 hypervisor flag: yes$", vm="l1")
    run.expect(f"^{name}: L2 work: memory and file checksums good$", vm="l1")


def test_kvm_runs_a_guest_then_two_at_once(rig):
    run = rig.boot(_config(l1image.nested(), "archelon.l2=2 archelon.quiet", memory="512M"))
    run.expect("^L1 kvm: /dev/kvm is there$", vm="l1")
    _expect_l2(run, "l2")
    run.expect("^L1: l2 has ended$", vm="l1")
    run.expect("^L1 done", vm="l1")
    for name in ("l2a", "l2b"):
        for words in ("L2 up", "L2 work: memory and file checksums good"):
            assert f"\n{name}: {words}" in run.text("l1"), f"{name} did not say: {words}"
    run.expect_event("l1", "ended", "power-off")
    run.expect_success()
    assert run.exits("l1", 1) and run.exits("l1", 2), "no table of exits by level was printed"
