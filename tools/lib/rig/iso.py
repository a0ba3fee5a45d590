"""The bootable image: GRUB for BIOS and for UEFI, Archelon (or a bare kernel), its modules."""

import os
import shutil
import subprocess

from . import paths
from .errors import RigError, UsageError

_NEEDED = (("grub-mkrescue", "grub-common"), ("xorriso", "xorriso"), ("mformat", "mtools"))
_PLATFORMS = {"bios": "/usr/lib/grub/i386-pc", "efi": "/usr/lib/grub/x86_64-efi"}
_MODULES = "normal iso9660 part_msdos part_gpt fat multiboot multiboot2 linux iorw all_video test"
# UEFI has no text mode for the loaded system: GRUB must set a framebuffer, for which it needs its
# drivers. By BIOS these would only take time.
_PREAMBLE = ["set timeout=0", 'if [ "$grub_platform" = efi ]; then insmod all_video; fi']
# Written by GRUB to port 0xe9 right before it starts a bare kernel: the line whose emulated time is
# the kernel's entry.
BARE_ENTRY_LINE = "bare kernel starts"


def pack_config(config, kernel, out, command_line="", firmware=("bios", "efi")):
    """Packs Archelon with the modules that the config names."""
    modules = [("archelon.conf", config.path)] + config.modules
    menu = [f"multiboot2 /boot/archelon.elf {_arguments(command_line)}"]
    files = {"/boot/archelon.elf": kernel}
    for number, (string, path) in enumerate(modules):
        files[f"/boot/module{number}"] = path
        menu.append(f"module2 /boot/module{number} {string}")
    _pack(menu, files, out, firmware)


def pack_bare(kernel, initrds, command_line, out, firmware=("bios",)):
    """Packs a kernel that GRUB starts without Archelon. initrds are (path, arguments) pairs: the
    initrd of a Linux kernel, else multiboot modules."""
    kind = kernel_kind(kernel)
    files = {"/boot/kernel": kernel}
    verb = {"linux": "linux", "multiboot1": "multiboot", "multiboot2": "multiboot2"}[kind]
    menu = [f"{verb} /boot/kernel {_arguments(command_line)}"]
    for number, (path, arguments) in enumerate(initrds):
        files[f"/boot/module{number}"] = path
        if kind != "linux":
            module = "module" if kind == "multiboot1" else "module2"
            menu.append(f"{module} /boot/module{number} {_arguments(arguments)}")
    if kind == "linux" and initrds:
        menu.append("initrd " + " ".join(f"/boot/module{i}" for i in range(len(initrds))))
    menu += [f"outb 0xe9 {byte:#x}" for byte in (BARE_ENTRY_LINE + "\n").encode()]
    _pack(menu, files, out, firmware)


def kernel_kind(path):
    """"linux", "multiboot2" or "multiboot1", by what the file is."""
    with open(path, "rb") as file:
        head = file.read(32768)
    if head[0x202:0x206] == b"HdrS":
        return "linux"
    words = memoryview(head[: len(head) & ~3]).cast("I")
    if any(word == 0xE85250D6 for word in words[::2]):
        return "multiboot2"
    for i, word in enumerate(words[:2046]):
        if word == 0x1BADB002 and (word + words[i + 1] + words[i + 2]) & 0xFFFFFFFF == 0:
            return "multiboot1"
    raise UsageError(f"{path} is no Linux bzImage and has no multiboot header")


def _arguments(text):
    if any(c in text for c in "'\"\\$;\n"):
        raise UsageError(f"the command line has a character that GRUB would change: {text}")
    return " ".join(f"'{word}'" for word in text.split())


def _pack(menu, files, out, firmware):
    for program, package in _NEEDED:
        if not shutil.which(program):
            raise RigError(f"{program} is not installed (package {package}): run tools/setup")
    with paths.temporary_folder() as folder:
        tree = folder / "tree"
        (tree / "boot" / "grub").mkdir(parents=True)
        (tree / "boot" / "grub" / "grub.cfg").write_text("\n".join(
            _PREAMBLE + menu + ["boot", ""]))
        for name, path in files.items():
            _place(path, tree / name.lstrip("/"))
        # grub-mkrescue takes each platform that it finds, or the one that -d names.
        only = ["-d", _platform(firmware[0])] if len(firmware) == 1 else []
        for name in firmware:
            _platform(name)
        made = subprocess.run(
            ["grub-mkrescue", *only, f"--install-modules={_MODULES}", "--fonts=", "--locales=",
             "--themes=", "-o", str(out), str(tree)],
            env={**os.environ, "TMPDIR": str(folder)}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True)
        if made.returncode or not out.exists():
            raise RigError("grub-mkrescue failed:\n" + made.stderr[-2000:])


def _platform(name):
    folder = _PLATFORMS[name]
    if not os.path.isdir(folder):
        raise RigError(f"{folder} is missing: run tools/setup")
    return folder


def _place(source, target):
    """Puts a file into the tree: Archelon's own without its debug information, which GRUB would
    load too, others as they are."""
    if target.name == "archelon.elf" and shutil.which("objcopy"):
        stripped = subprocess.run(["objcopy", "--strip-debug", str(source), str(target)],
                                  capture_output=True)
        if stripped.returncode == 0:
            return
        target.unlink(missing_ok=True)
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copyfile(source, target)
