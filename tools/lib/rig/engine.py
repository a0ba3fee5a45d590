"""Which emulator runs the machine."""

from . import bochs, kvm, qemu
from .errors import RigError, UsageError

# What the user may ask for. "qemu" is QEMU with nested KVM; "tcg" is QEMU without VT-x, on which
# Archelon only comes up to its shell.
CHOICES = ("auto", "bochs", "qemu", "tcg")


def choose(wanted="auto"):
    """Returns (engine, reason): engine is "bochs", "kvm" or "tcg", reason a phrase for the user."""
    if wanted == "bochs":
        return "bochs", "the Bochs emulator, as asked"
    if wanted == "tcg":
        return "tcg", "QEMU without VT-x, as asked"
    refused = kvm.refusal()
    if wanted == "qemu":
        if refused:
            raise RigError(f"--engine qemu needs nested KVM, but {refused}; use --engine bochs")
        return "kvm", "QEMU with nested KVM, as asked"
    if wanted != "auto":
        raise UsageError(f"unknown engine '{wanted}'; choose one of {', '.join(CHOICES)}")
    if not refused and qemu.available():
        return "kvm", "QEMU with nested KVM: this host's KVM offers VT-x"
    return "bochs", f"the Bochs emulator, because {refused or 'QEMU is not installed'}"


def command(spec, folder, serial):
    return (bochs if spec.engine == "bochs" else qemu).command(spec, folder, serial)
