"""tools/check_image: what must hold for the linked kernel."""

from .. import imagecheck, paths
from . import common


def main(arguments):
    parser = common.parser("check_image", "Checks a linked Archelon image: W^X segments, no FPU or"
                           " vector instruction, no undefined symbol, no constructor. Prints its size.")
    parser.add_argument("image", nargs="?", default=paths.KERNEL_GCC)
    given = parser.parse_args(arguments)
    violations, facts = imagecheck.check(given.image)
    for fact in facts:
        print(fact)
    for sentence in violations:
        print(f"violation: {sentence}")
    print(f"check_image: {len(violations)} violations")
    return 1 if violations else 0


if __name__ == "__main__":
    common.main(main)
