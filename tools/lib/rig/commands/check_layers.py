"""tools/check_layers: the layering rule, from the includes."""

from .. import layers, paths
from . import common


def main(arguments):
    common.parser("check_layers", layers.__doc__).parse_args(arguments)
    found, files = layers.check_tree(paths.ROOT)
    for sentence in found:
        print(sentence)
    print(f"check_layers: {files} files, {len(found)} violations")
    return 1 if found or not files else 0


if __name__ == "__main__":
    common.main(main)
