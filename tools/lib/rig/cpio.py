"""Writes initramfs archives: the "newc" format of Linux's Documentation, buffer format."""

import os
import pathlib
import stat


class Archive:
    """Collects files and writes them. Folders on the way are made by themselves; nothing of the
    host's times and owners goes in, so the same content gives the same bytes."""

    def __init__(self):
        self._entries = {}

    def add(self, name, data, mode=0o644):
        """A file of these bytes."""
        self._put(name, stat.S_IFREG | mode, data)

    def add_file(self, name, path, mode=None):
        """A file of the host's, links followed."""
        path = pathlib.Path(os.path.realpath(path))
        self.add(name, path.read_bytes(), mode or stat.S_IMODE(path.stat().st_mode))

    def add_link(self, name, target):
        self._put(name, stat.S_IFLNK | 0o777, target.encode())

    def add_folder(self, name, mode=0o755):
        self._put(name, stat.S_IFDIR | mode, b"")

    def _put(self, name, mode, data):
        name = name.strip("/")
        folder = os.path.dirname(name)
        if folder and folder not in self._entries:
            self.add_folder(folder)
        self._entries[name] = (mode, data)

    def write(self, path):
        with open(path, "wb") as out:
            for number, (name, (mode, data)) in enumerate(self._entries.items(), 1):
                out.write(_record(number, name, mode, data))
            out.write(_record(0, "TRAILER!!!", 0, b""))


def _record(number, name, mode, data):
    encoded = name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    # inode, mode, uid, gid, links, mtime, size, 2 x device, 2 x special device, name size, checksum
    fields = (number, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return _padded(head) + _padded(data)


def _padded(data):
    return data + bytes(-len(data) % 4)
