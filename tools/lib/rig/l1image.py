"""The guests of the demo and of the tests, made from Debian's packages.

    plain    Debian's kernel, an initramfs with a shell: boots, says so, powers off
    client   the same with KVM and our own small KVM client, for quick tests
    nested   the same with KVM, Debian's QEMU and an L2 made of the same kernel

Each is made once and kept in out/images; what it is made of is part of its name.
"""

import dataclasses
import hashlib
import os
import pathlib

from . import cpio, debian, paths
from . import kernel as kernel_build

_HERE = pathlib.Path(__file__).parent / "guest_images"
_BUSYBOX = "/bin/busybox"
_QEMU = "/usr/bin/qemu-system-x86_64"
_FIRMWARE = ("/usr/share/seabios/bios-256k.bin", "/usr/share/qemu/linuxboot_dma.bin",
             "/usr/share/qemu/kvmvapic.bin")
_APPLETS = ("sh mount mkdir insmod sed head grep dmesg uname nproc tr wc dd seq cp rm md5sum sleep"
            " poweroff reboot cat ls ps echo setsid cttyhack stty free top vi less find kill mknod"
            " umount lsmod rmmod test wait sync date tail hexdump devmem rdev taskset").split()
_ZEROES_MIB = 8
_NUMBERS = 20000
L2_MACHINE = "pc,usb=off,vmport=off,hpet=off"
# Each saves emulated instructions: the self-test of the ciphers alone takes 740 million.
_FASTER = "cryptomgr.notests mitigations=off nokaslr no_timer_check"
_L2_CMDLINE = f"{_FASTER} tsc=reliable panic=-1"


@dataclasses.dataclass(frozen=True)
class Image:
    kernel: pathlib.Path
    initrd: pathlib.Path


def l1_command_line(engine, extra=""):
    """The command line of L1's kernel. On Bochs the CPU model's CPUID makes Linux believe in
    3.5 GHz, so the real rate is told."""
    words = ["console=ttyS0", "quiet", _FASTER]
    if engine == "bochs":
        words.append("tsc_early_khz=100000 lpj=1000000")
    return " ".join(words + ([extra] if extra else []))


def plain():
    """A single L1 without KVM, for quick tests."""
    return _image("plain", [], lambda kernel, archive: None)


def client():
    """L1 with KVM and the small KVM client of tests/system/kvmclient."""
    binary = kernel_build.kvm_client()

    def fill(kernel, archive):
        _add_kvm(kernel, archive)
        archive.add_file("bin/kvmclient", binary)
    return _image("client", [binary], fill)


def nested():
    """L1 with KVM and QEMU, and its L2."""
    files = [_QEMU, *debian.libraries(_QEMU), *_FIRMWARE]

    def fill(kernel, archive):
        _add_kvm(kernel, archive)
        for name in files:
            archive.add_file(name, name)
        archive.add_file("l2/vmlinuz", kernel.image)
        archive.add("l2/initrd", l2_initrd(_script("l2_init")))
    return _image("nested", files, fill)


def with_kvm(init, files, initrd):
    """Writes to the path `initrd` an L1 with KVM's modules and busybox, which runs the shell script
    `init` and finds each of `files` ({path inside: path here}); returns its Image."""
    kernel = debian.kernel()
    archive = _base()
    archive.add("init", init.encode(), 0o755)
    _add_kvm(kernel, archive)
    for name, path in files.items():
        archive.add_file(name, path)
    archive.write(initrd)
    return Image(kernel.image, initrd)


def l2_initrd(init):
    """An initramfs with busybox that runs the script `init`, as bytes."""
    archive = _base()
    archive.add("init", init, 0o755)
    with paths.temporary_folder() as folder:
        archive.write(folder / "initrd")
        return (folder / "initrd").read_bytes()


def _image(kind, files, fill):
    """Makes an image if there is none of the same ingredients; fill adds what is its own."""
    kernel = debian.kernel()
    scripts = [pathlib.Path(__file__), _HERE / "l1_init", _HERE / "l2_init"]
    key = _key([kernel.image, _BUSYBOX, *files], scripts)
    initrd = paths.OUT / "images" / f"{kind}-{key}.cpio"
    if not initrd.exists():
        initrd.parent.mkdir(parents=True, exist_ok=True)
        for old in initrd.parent.glob(f"{kind}-*.cpio"):
            old.unlink(missing_ok=True)
        archive = _base()
        archive.add("init", _script("l1_init"), 0o755)
        fill(kernel, archive)
        fresh = initrd.with_suffix(f".{os.getpid()}")
        archive.write(fresh)
        fresh.replace(initrd)
    return Image(kernel.image, initrd)


def _key(files, scripts):
    digest = hashlib.sha256()
    for name in files:
        status = os.stat(name)
        digest.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    for script in scripts:
        digest.update(script.read_bytes())
    return digest.hexdigest()[:16]


def _base():
    archive = cpio.Archive()
    for folder in ("proc", "sys", "dev", "tmp"):
        archive.add_folder(folder)
    archive.add_file("bin/busybox", _BUSYBOX)
    for applet in _APPLETS:
        archive.add_link(f"bin/{applet}", "busybox")
    return archive


def _add_kvm(kernel, archive):
    for module in ("irqbypass", "kvm", "kvm-intel"):
        archive.add_file(f"modules/{module}.ko", kernel.module(module))


def _script(name):
    text = (_HERE / name).read_text()
    for word, value in (("@ZEROES_MIB@", str(_ZEROES_MIB)), ("@NUMBERS@", str(_NUMBERS)),
                        ("@SUMS@", _sums()), ("@MACHINE@", L2_MACHINE),
                        ("@L2_CMDLINE@", _L2_CMDLINE)):
        text = text.replace(word, value)
    return text.encode()


def _sums():
    """What md5sum prints of the two files that L2 writes."""
    numbers = "".join(f"{n}\n" for n in range(1, _NUMBERS + 1)).encode()
    contents = (bytes(_ZEROES_MIB << 20), numbers)
    return "\n".join(f"{hashlib.md5(content).hexdigest()}  -" for content in contents)
