"""archelon.conf as far as the tools must know it.

Archelon reads the file itself and judges it; the tools only need the files that it names, since
these are packed as modules, and how big a machine it asks for. So what is checked here is what can
only be checked on the host: that the files exist, and that their names survive GRUB's quoting.
"""

import dataclasses
import pathlib
import re

from .errors import UsageError

NAME = re.compile(r"[a-z0-9-]{1,15}")
# GRUB quotes and escapes module strings; within these characters it leaves them as they are.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+,:@%=~-]+")
_SIZE = re.compile(r"(\d+)([KMG]?)")
_UNIT = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


@dataclasses.dataclass
class VmSection:
    name: str
    memory: int = 0
    cpus: int = 1
    files: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Config:
    path: pathlib.Path
    text: str
    vms: list

    @property
    def modules(self):
        """(module string, host path) for each file that the config names, each once, in order."""
        found = {}
        for vm in self.vms:
            for name in vm.files:
                found.setdefault(name, resolve(self.path, name))
        return list(found.items())

    @property
    def memory(self):
        return sum(vm.memory for vm in self.vms)

    @property
    def cpus(self):
        return max((vm.cpus for vm in self.vms), default=1)


def resolve(config_path, name):
    """A path as written in a config is absolute or relative to the config's folder."""
    return config_path.parent / name


def read(path):
    path = pathlib.Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path}: cannot read the config: {problem}") from problem
    return parse(path, text)


def parse(path, text):
    vms = []
    for number, full_line in enumerate(text.splitlines(), 1):
        line = full_line.split("#", 1)[0].strip()
        section = re.fullmatch(r"\[vm\s+(.*?)\s*\]", line)
        if section:
            if not NAME.fullmatch(section[1]):
                raise UsageError(
                    f"{path}:{number}: '{section[1]}' is no VM name; use 1 to 15 of a-z, 0-9 and -")
            vms.append(VmSection(section[1]))
        elif "=" in line and vms:
            _read_key(path, number, vms[-1], *(part.strip() for part in line.split("=", 1)))
    return Config(pathlib.Path(path), text, vms)


def _read_key(path, number, vm, key, value):
    if key in ("kernel", "initrd"):
        name = value.split(None, 1)[0] if value else ""
        if not _PLAIN_PATH.fullmatch(name):
            raise UsageError(f"{path}:{number}: the {key} path '{name}' is empty or has a character"
                             " that the boot loader would change; use letters, digits and _./+,:@%=~-")
        if not resolve(pathlib.Path(path), name).is_file():
            raise UsageError(f"{path}:{number}: {key} '{name}' is not a file"
                             " (relative paths start at the config's folder)")
        vm.files.append(name)
    elif key == "memory" and (size := _SIZE.fullmatch(value)):
        vm.memory = int(size[1]) * _UNIT[size[2]]
    elif key == "cpus" and value.isdigit():
        vm.cpus = int(value)
