"""The layering rule of docs/design.md, judged from the includes; and what pure code may not have.

    hv/base <- hv/arch <- { boot drivers mmu } <- { vmx iommu } <- hv (composition and its folders)

A layer includes itself and lower layers; peers in braces do not include each other. X/hw touches
the hardware: it includes X's own headers, what lies below (hw/ too) and hv/hw's instructions. All
else but the composition is pure: it includes no hw/, has neither inline assembly nor `volatile`,
and of the standard library only headers without a runtime part.
"""

import pathlib
import re

_RANK = {"hv/base": 0, "hv/arch": 1, "boot": 2, "drivers": 2, "mmu": 2, "vmx": 3, "iommu": 3,
         "hv": 4, "hv/devices": 4, "hv/guest": 4, "hv/shell": 4}
_INSTRUCTIONS = "hv/hw"
_COMPOSITION = "hv"
SOURCES = ("hv", "boot", "drivers", "mmu", "vmx", "iommu")
STANDARD_HEADERS = frozenset(
    "algorithm array atomic bit compare concepts cstddef cstdint cstring initializer_list limits new"
    " optional span string_view type_traits utility".split())

_INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
_NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
_IMPURE = re.compile(r"\b(asm|__asm|__asm__|volatile|__volatile__)\b")


def place(path):
    """(layer, is it in a hw folder) of a file's path from the project's root; layer is None for
    what is in no layer."""
    folders = pathlib.PurePosixPath(path).parts[:-1]
    in_hw = "hw" in folders
    for length in (2, 1):
        layer = "/".join(folders[:length])
        if layer in _RANK:
            return layer, in_hw
    return None, in_hw


def check_file(path, text):
    """The violations of one file, as sentences."""
    layer, in_hw = place(path)
    if layer is None:
        return [f"{path}: lies in no known layer"]
    found = []
    pure = not in_hw and layer != _COMPOSITION
    for kind, name in _INCLUDE.findall(_without_comments(text)):
        problem = _own(layer, in_hw, pure, name) if kind == '"' else _standard(name)
        if problem:
            found.append(f"{path}: includes {name}: {problem}")
    if not in_hw:
        code = _NOT_CODE.sub(" ", text)
        found += [f"{path}: `{word}` outside a hw folder" for word in sorted(set(_IMPURE.findall(code)))]
    return found


def _without_comments(text):
    return _NOT_CODE.sub(lambda m: m[0] if m[0][0] in "\"'" else " ", text)


def _own(layer, in_hw, pure, name):
    target, target_hw = place(name)
    if target is None:
        return "write the path from the project's root"
    if target_hw and pure:
        return "pure code includes no hw folder"
    if target == _COMPOSITION and target_hw and in_hw:
        return None if name.startswith(_INSTRUCTIONS + "/") else "is no part of hv/hw"
    if target == layer:
        return None
    # The composition's folders are one layer.
    if _RANK[target] == _RANK[layer] == _RANK[_COMPOSITION]:
        return f"{layer} does not know the composition" if target == _COMPOSITION else None
    if _RANK[target] == _RANK[layer]:
        return f"{layer} and {target} are peers and do not know each other"
    if _RANK[target] > _RANK[layer]:
        return f"{target} lies above {layer}"
    return None


def _standard(name):
    if name in STANDARD_HEADERS:
        return None
    return "this header may have a runtime part; see the list in tools/lib/rig/layers.py"


def check_tree(root):
    """The violations of the whole tree and the number of files looked at."""
    found, files = [], 0
    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".hpp", ".cpp", ".h"):
                files += 1
                found += check_file(path.relative_to(root).as_posix(), path.read_text())
    return found, files
