"""QEMU: with nested KVM the fast engine, with TCG a machine without VT-x (and with UEFI)."""

import os
import shutil

from . import kvm
from .errors import RigError

_OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
_OVMF_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"


def available():
    return shutil.which("qemu-system-x86_64") is not None


def command(spec, folder, serial):
    """Returns (argv, environment) of a machine. `serial` is as for Bochs."""
    if not available():
        raise RigError("qemu-system-x86_64 is not installed: run tools/setup")
    argv = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
            "-monitor", "none", "-no-reboot", "-m", str(spec.memory_mib), "-smp", str(spec.cpus),
            "-vga", "std", "-boot", "d"]
    if spec.engine == "kvm":
        refused = kvm.refusal()
        if refused:
            raise RigError(f"the engine qemu needs nested KVM: {refused}")
        argv += ["-accel", "kvm", "-cpu", spec.cpu or "host,+vmx",
                 "-machine", "q35,kernel-irqchip=split"]
    else:
        argv += ["-accel", "tcg", "-cpu", spec.cpu or "max", "-machine", "q35"]
    if spec.iommu:
        argv += ["-device", "intel-iommu,intremap=on"]
    if spec.uefi:
        if not os.path.exists(_OVMF_CODE):
            raise RigError("OVMF is not installed: run tools/setup")
        shutil.copy(_OVMF_VARS, folder / "vars.fd")
        argv += ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={_OVMF_CODE}",
                 "-drive", f"if=pflash,format=raw,unit=1,file={folder}/vars.fd"]
    argv += ["-drive", f"if=none,id=cd,format=raw,media=cdrom,readonly=on,file={spec.iso}",
             "-device", "ide-cd,drive=cd,bootindex=0"]
    # Without a device on 0xe9, only a file: QEMU's stdio is left to its own messages.
    argv += ["-chardev", f"file,id=debug,path={folder}/debugcon",
             "-device", "isa-debugcon,iobase=0xe9,chardev=debug"]
    if isinstance(serial, int):
        argv += ["-chardev", f"socket,id=com1,host=127.0.0.1,port={serial},server=on,wait=on"]
    elif serial:
        argv += ["-chardev", f"file,id=com1,path={serial}"]
    else:
        argv += ["-chardev", "null,id=com1"]
    argv += ["-serial", "chardev:com1"]
    return argv, dict(os.environ)
