#!/usr/bin/env python3
"""Writes the table of an ELF image's functions that L0 carries for its backtraces.

usage: symbols.py NM IMAGE TABLE    (the format is in hv/base/symbols.hpp)
"""
import struct
import subprocess
import sys

MAX_NAME = 80


def functions(nm, image):
    """Yields (address, name) of every code symbol, ascending, one per address."""
    lines = subprocess.run([nm, "--numeric-sort", "--demangle", "--defined-only", image],
                           check=True, capture_output=True, text=True).stdout.splitlines()
    start, end, found = None, None, {}
    for line in lines:
        address, kind, name = line.split(" ", 2)
        if name == "image_start":
            start = int(address, 16)
        elif name == "image_text_end":
            end = int(address, 16)
        elif kind in "tTwW" and "." not in name.split("(")[0]:
            found.setdefault(int(address, 16), short(name))
    if start is None or end is None:
        sys.exit(f"{image}: no image_start or image_text_end")
    return start, end, sorted((a, n) for a, n in found.items() if start <= a < end)


def short(name):
    """The name without its parameters and the project's own namespace."""
    name = name.replace("(anonymous namespace)::", "").replace("archelon::", "")
    name = name.split(" [clone", 1)[0].removesuffix(" const")
    depth, out = 0, ""
    for c in name:
        depth += c in "<("
        if depth == 0:
            out += c
        depth -= c in ">)"
    return (out.split(" ")[-1] or name)[:MAX_NAME]


def table(start, end, symbols):
    names, entries = b"", b""
    first_name = 4 + 12 * len(symbols)
    for i, (address, name) in enumerate(symbols):
        following = symbols[i + 1][0] if i + 1 < len(symbols) else end
        entries += struct.pack("<III", address - start, following - address,
                               first_name + len(names))
        names += name.encode() + b"\0"
    return struct.pack("<I", len(symbols)) + entries + names


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    nm, image, out = sys.argv[1:]
    with open(out, "wb") as f:
        f.write(table(*functions(nm, image)))


if __name__ == "__main__":
    main()
