"""The rig: everything that the tools and the system tests need to boot Archelon and to watch it.

console    what Archelon prints, line by line, as values (the console contract)
config     archelon.conf as far as the tools must know it: which files to pack, how big a machine
iso        the bootable image (BIOS and EFI)
machine    one emulated machine: start it, read its lines, type into it, end it
bochs, qemu, kvm, engine   the emulators, and which of them this host can offer
outcome    from a run's lines to an exit code and a sentence
debian, cpio, l1image      the guests made from Debian's packages
testing    the object that a system test is given
"""
