"""Does /dev/kvm of this host give its guests VT-x?

That the file exists says nothing: it exists on AMD machines and on virtual machines without nested
virtualization too. So KVM itself is asked.
"""

import ctypes
import errno
import fcntl
import os
import struct

# <linux/kvm.h>: _IO(0xAE, n), _IOWR(0xAE, n, header).
_GET_API_VERSION = 0xAE00
_GET_SUPPORTED_CPUID = 0xC008AE05
_GET_MSRS = 0xC008AE88
_IA32_VMX_BASIC = 0x480
_IA32_VMX_EPT_VPID_CAP = 0x48C
_CPUID_1_ECX_VMX = 1 << 5
_ENTRY = struct.Struct("<10I")
_MOST_ENTRIES = 256


def refusal(path="/dev/kvm"):
    """None when guests of this host's KVM can have VT-x with EPT, else the reason why not."""
    try:
        kvm = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return f"there is no {path}"
    except OSError as problem:
        return f"{path} cannot be opened: {problem.strerror}"
    try:
        if fcntl.ioctl(kvm, _GET_API_VERSION) != 12:
            return f"{path} speaks an unknown version"
        if not _leaf1_ecx(kvm) & _CPUID_1_ECX_VMX:
            return "KVM offers its guests no VMX (an AMD processor, or nested virtualization is off)"
        if not _msr(kvm, _IA32_VMX_BASIC) or not _msr(kvm, _IA32_VMX_EPT_VPID_CAP):
            return "KVM offers its guests VMX without EPT"
        return None
    except OSError as problem:
        return f"KVM does not answer: {errno.errorcode.get(problem.errno, problem.errno)}"
    finally:
        os.close(kvm)


def _leaf1_ecx(kvm):
    buffer = ctypes.create_string_buffer(8 + _MOST_ENTRIES * _ENTRY.size)
    struct.pack_into("<II", buffer, 0, _MOST_ENTRIES, 0)
    fcntl.ioctl(kvm, _GET_SUPPORTED_CPUID, buffer)
    count = struct.unpack_from("<I", buffer, 0)[0]
    for i in range(min(count, _MOST_ENTRIES)):
        function, _index, _flags, _eax, _ebx, ecx, *_ = _ENTRY.unpack_from(buffer, 8 + i * _ENTRY.size)
        if function == 1:
            return ecx
    return 0


def _msr(kvm, index):
    """A feature MSR as KVM would show it to a guest; 0 when it has none."""
    buffer = ctypes.create_string_buffer(8 + 16)
    struct.pack_into("<IIIIQ", buffer, 0, 1, 0, index, 0, 0)
    try:
        if fcntl.ioctl(kvm, _GET_MSRS, buffer) != 1:
            return 0
    except OSError:
        return 0
    return struct.unpack_from("<Q", buffer, 16)[0]
