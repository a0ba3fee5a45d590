"""Runs one Catch2 binary; a binary that lists no test case fails, since it would pass silently."""

import subprocess
import sys


def main(binary):
    # Catch2 v2 exits with the number of test cases that it listed.
    listed = subprocess.run([binary, "--list-test-names-only"], capture_output=True, text=True)
    cases = [line for line in listed.stdout.splitlines() if line.strip()]
    if not cases:
        print(f"{binary} lists no test case\n{listed.stderr}")
        return 1
    print(f"{len(cases)} test cases")
    sys.stdout.flush()
    return subprocess.run([binary, "--warn", "NoTests"]).returncode and 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
