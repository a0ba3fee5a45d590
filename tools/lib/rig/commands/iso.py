"""tools/iso: packs a bootable image."""

import pathlib

from .. import config, iso, kernel
from . import common


def main(arguments):
    parser = common.parser("iso", "Packs Archelon, a config and the files it names into an image that"
                           " boots by BIOS and by UEFI, from a CD or, written as it is, from a USB"
                           " stick.")
    parser.add_argument("config", metavar="CONFIG", help="an archelon.conf")
    parser.add_argument("out", metavar="OUT.iso", type=pathlib.Path)
    parser.add_argument("--cmdline", default="", help="Archelon's command line, e.g. 'console=com2'")
    given = parser.parse_args(arguments)
    read = config.read(given.config)
    iso.pack_config(read, kernel.image(), given.out, given.cmdline)
    print(f"{given.out}: {given.out.stat().st_size >> 20} MiB, "
          + ", ".join(f"vm {vm.name}" for vm in read.vms))
    return 0


if __name__ == "__main__":
    common.main(main)
