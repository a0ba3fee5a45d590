"""tools/test: the unit tests, the checks of sources and image, the system tests."""

import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time
import traceback

from .. import errors, kernel, paths, testing
from . import common

_SYSTEM = paths.ROOT / "tests" / "system"
_LOGS = paths.OUT / "test-logs"
# Emulators want a CPU each; more of them at once only makes time limits less meaningful.
_AT_ONCE = 2
_UNIT_LIMIT = 600
# A test past its own deadlines is ended by the runner; that much later.
_GRACE = 60


@dataclasses.dataclass
class Job:
    """One line of the report: a command that passes with 0, is skipped with 77, fails else."""

    name: str
    command: list
    limit: float
    log: pathlib.Path | None = None
    process: subprocess.Popen | None = None
    started: float = 0


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add(self, name, code, output, seconds):
        last = output.strip().splitlines()[-1] if output.strip() else ""
        if code == 0:
            self.passed += 1
            print(f"ok    {name} ({seconds:.0f} s)", flush=True)
        elif code == testing.SKIPPED:
            self.skipped.append((name, last.removeprefix("skipped: ")))
            print(f"skip  {name}: {self.skipped[-1][1]}", flush=True)
        else:
            self.failed.append(name)
            print(f"FAIL  {name} ({seconds:.0f} s)", flush=True)
            for line in output.splitlines()[-40:]:
                print(f"      | {line}", flush=True)

    def close(self):
        for name, reason in self.skipped:
            print(f"skipped: {name}: {reason}")
        for name in self.failed:
            print(f"failed: {name}")
        tail = f", {len(self.skipped)} skipped" if self.skipped else ""
        print(f"{self.passed} passed, {len(self.failed)} failed{tail}", flush=True)
        return 1 if self.failed or not self.passed else 0


def main(arguments):
    parser = common.parser(
        "test", "Runs the tests. Without arguments: unit and system tests.",
        "what:\n"
        "  unit            host tests of each layer, tests of the tools, checks of sources and image\n"
        "  system [NAME]   tests that boot machines; NAME: those whose FILE.FUNCTION contains it\n"
        "each system test's output is kept in out/test-logs\n")
    parser.add_argument("what", nargs="?", choices=("unit", "system"))
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("--all", action="store_true",
                        help="also the system tests marked SLOW, and the build with Clang")
    parser.add_argument("--list", action="store_true", help="only list the system tests")
    given = parser.parse_args(arguments)
    if given.name and given.what != "system":
        parser.error("a NAME goes with `system`")

    if given.list:
        print("\n".join(job.name for job in _system_jobs("", True, Report())))
        return 0
    if given.all:
        subprocess.run([str(paths.ROOT / "tools" / "setup"), "--quiet", "--all"], check=True)
    report = Report()
    if given.what in (None, "unit"):
        _unit(report, given.all)
    if given.what in (None, "system"):
        _system(report, given.name, given.all)
    return report.close()


def _unit(report, everything):
    _step(report, "build host", lambda: kernel.build("host"))
    _step(report, "build kernel-gcc", lambda: kernel.build("kernel-gcc"))
    if everything:
        _step(report, "build kernel-clang", lambda: kernel.build("kernel-clang"))
    jobs = [Job(path.name, [str(path)], _UNIT_LIMIT)
            for pattern in ("unit_*", "property_*") for path in sorted(paths.HOST_BUILD.glob(pattern))
            if path.is_file() and os.access(path, os.X_OK)]
    if not jobs:
        report.add("host tests", 1, f"no unit_* binary in {paths.HOST_BUILD}", 0)
    for job in jobs:
        job.command = [sys.executable, "-m", "rig.commands.catch", *job.command]
    tools = paths.ROOT / "tests" / "tools"
    jobs.append(Job("tools", [sys.executable, "-m", "unittest", "discover", "-q", "-s", str(tools),
                              "-p", "*_test.py"], _UNIT_LIMIT))
    jobs.append(Job("check_layers", [str(paths.ROOT / "tools" / "check_layers")], 60))
    if paths.KERNEL_GCC.exists():
        jobs.append(Job("check_image", [str(paths.ROOT / "tools" / "check_image"),
                                        str(paths.KERNEL_GCC)], 120))
    _run(jobs, report)


def _system(report, name, everything):
    for preset in ("kernel-gcc", "guests"):
        _step(report, f"build {preset}", lambda preset=preset: kernel.build(preset))
    jobs = _system_jobs(name, everything, report)
    if not jobs:
        report.add("system tests", 1, f"no system test is called like '{name}'", 0)
    _run(jobs, report)


def _step(report, name, action):
    """A build counts only when it fails: then it is the failure to read first."""
    began = time.monotonic()
    try:
        action()
        print(f"      {name} ({time.monotonic() - began:.0f} s)", flush=True)
    except errors.RigError as problem:
        report.add(name, 1, str(problem), time.monotonic() - began)


def _system_jobs(wanted, everything, report):
    jobs = []
    for path in sorted(_SYSTEM.glob("*_test.py")):
        stem = path.stem.removesuffix("_test")
        try:
            module = testing.load(path)
        except Exception:
            report.add(f"{stem}: load", 1, traceback.format_exc(), 0)
            continue
        names = [name for name in testing.names(module) if wanted in f"{stem}.{name}"]
        if getattr(module, "SLOW", False) and not everything and not wanted:
            report.skipped += [(f"{stem}.{name}", "slow; run with --all") for name in names]
            continue
        limit = getattr(module, "LIMIT", testing.Rig.LIMIT)
        jobs += [Job(f"{stem}.{name}",
                     [sys.executable, "-m", "rig.testing", str(path), name], limit + _GRACE)
                 for name in names]
    # The longest first: then none of them starts when all others are done.
    return sorted(jobs, key=lambda job: -job.limit)


def _run(jobs, report):
    """Runs jobs, a few at once, each with its time limit and its output in a file."""
    _LOGS.mkdir(parents=True, exist_ok=True)
    waiting, running = list(jobs), []
    try:
        while waiting or running:
            while waiting and len(running) < _AT_ONCE:
                running.append(_start(waiting.pop(0)))
            for job in list(running):
                code = job.process.poll()
                late = time.monotonic() - job.started > job.limit
                if code is None and late:
                    _end(job.process)
                    code = 1
                if code is None:
                    continue
                running.remove(job)
                output = job.log.read_text(errors="replace")
                if late:
                    output += f"\nended by the time limit of {job.limit:.0f} s"
                report.add(job.name, code, output, time.monotonic() - job.started)
            time.sleep(0.05)
    finally:
        for job in running:
            _end(job.process)


def _start(job):
    job.log = _LOGS / (re.sub(r"[^A-Za-z0-9_.-]", "_", job.name) + ".log")
    job.started = time.monotonic()
    with open(job.log, "wb") as log:
        job.process = subprocess.Popen(job.command, cwd=paths.ROOT, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=subprocess.STDOUT)
    return job


def _end(process):
    """First the polite way, so that the test ends its machine and removes its files."""
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    common.main(main)
