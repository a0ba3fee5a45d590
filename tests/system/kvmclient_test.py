"""Our own minimal KVM client in an L1: tiny guests in every mode, and Debian's kernel as L2."""

from rig import debian, engine, kernel, l1image

LIMIT = 900

_INIT = """#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev 2>/dev/null
for module in irqbypass kvm kvm-intel; do insmod /modules/$module.ko; done
echo "L1 up"
kvmclient check
echo "L1: check ended with $?"
kvmclient boot --kernel /l2/vmlinuz --initrd /l2/initrd --memory 96 \\
  --cmdline "console=ttyS0 quiet pci=off reboot=k panic=-1 mitigations=off cryptomgr.notests \
no_timer_check tsc=reliable @CLOCK@"
echo "L1: boot ended with $?"
# This waits until the console has sent everything.
stty opost
poweroff -f
"""
_L2_INIT = """#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
read -r up _ </proc/uptime
echo "L2 up: uptime $up s"
grep -q "^flags.* hypervisor" /proc/cpuinfo && echo "L2 sees a hypervisor"
stty opost
reboot -f
"""
_CHECKS = ("real mode", "mmio", "protected mode", "long mode", "interrupts")


def _image(rig):
    initrd = rig.folder / "l2.initrd"
    initrd.write_bytes(l1image.l2_initrd(_L2_INIT.encode()))
    files = {"bin/kvmclient": kernel.kvm_client(), "l2/vmlinuz": debian.kernel().image,
             "l2/initrd": initrd}
    clock = "tsc_early_khz=100000 lpj=1000000" if engine.choose()[0] == "bochs" else ""
    return l1image.with_kvm(_INIT.replace("@CLOCK@", clock), files, rig.folder / "l1.initrd")


def _expect(run, vm=None):
    run.expect("^L1 up", vm=vm)
    for check in _CHECKS:
        run.expect(f"^kvmclient: ok {check}$", vm=vm)
    run.expect("^kvmclient: all checks passed$", vm=vm)
    run.expect("^L2 up", vm=vm)
    run.expect("^L2 sees a hypervisor$", vm=vm)
    run.expect("^kvmclient: the guest ended", vm=vm)
    run.expect("^L1: boot ended with 0$", vm=vm)


def test_bare(rig):
    image = _image(rig)
    _expect(rig.bare(image.kernel, [(image.initrd, "")],
                     l1image.l1_command_line(engine.choose()[0])))


def test_boots_linux(rig):
    image = _image(rig)
    run = rig.boot(f"""
        [vm l1]
        memory = 384M
        kernel = {image.kernel}
        initrd = {image.initrd}
        cmdline = {l1image.l1_command_line(engine.choose()[0])}
    """)
    _expect(run, "l1")
    run.expect_event("l1", "ended", "power-off")
    run.expect_success()
