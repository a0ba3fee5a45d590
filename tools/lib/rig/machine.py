"""One emulated machine, from power-on until it is ended."""

import ctypes
import dataclasses
import os
import pathlib
import random
import selectors
import signal
import socket
import subprocess
import time

from . import bochs, engine
from .console import LineSplitter
from .errors import RigError

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclasses.dataclass
class MachineSpec:
    """What to power on. engine is "bochs", "kvm" or "tcg"; cpu a model of that engine, "" for its
    default; debugger the commands that Bochs' debugger executes, of which each "c" lets the machine
    run on; com1 says what COM1 is: "none" (unconnected), "output" (its lines are read) or "socket"
    (one can type into it as well). com1_lines says whether a socket's output is read as lines."""

    iso: pathlib.Path
    engine: str = "bochs"
    cpu: str = ""
    cpus: int = 1
    memory_mib: int = 512
    ips: int = bochs.DEFAULT_IPS
    com1: str = "none"
    com1_lines: bool = False
    uefi: bool = False
    iommu: bool = False
    debugger: tuple = ("c",)


class Machine:
    """A running machine. Use it in a `with` block: at its end the emulator is dead.

    lines(until) gives Lines until the machine ends or the time (time.monotonic()) is reached; it can
    be called again to go on. Lines of port 0xe9 and of COM1 come in the order in which they are
    read. on_com1 is given COM1's raw bytes; on_wait is called before each wait for output.
    """

    def __init__(self, spec, folder):
        self.spec = spec
        self.started = time.monotonic()
        self.on_com1 = None
        self.on_wait = None
        self.ended = False
        self._folder = folder
        self._pending = []
        self._selector = selectors.DefaultSelector()
        self._splitters = {}
        self._socket = None
        self._fds = []
        self._process = None

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_):
        self.kill()

    def _start(self):
        serial = None
        if self.spec.com1 == "output":
            serial = self._pipe("com1", "com1")
        elif self.spec.com1 == "socket":
            serial = _free_port()
        if self.spec.engine != "bochs":
            self._pipe("debugcon", "e9")
        argv, environment = engine.command(self.spec, self._folder, serial)
        to_stdout = subprocess.PIPE if self.spec.engine == "bochs" else subprocess.DEVNULL
        self._process = subprocess.Popen(
            argv, env=environment, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=to_stdout,
            stderr=open(self._folder / "stderr", "wb"), start_new_session=True,
            preexec_fn=_die_with_parent)
        if self.spec.engine == "bochs":
            self._watch(self._process.stdout.fileno(), "e9")
        if self.spec.com1 == "socket":
            self._socket = self._connect(serial)
            self._watch(self._socket.fileno(), "com1")

    def _pipe(self, name, source):
        """A named pipe that the emulator writes and we read. Opened for both by us, so that neither
        side waits for the other and an early end of the emulator is no end of file."""
        path = self._folder / name
        os.mkfifo(path)
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._fds.append(fd)
        self._watch(fd, source)
        return path

    def _watch(self, fd, source):
        os.set_blocking(fd, False)
        self._splitters[fd] = LineSplitter()
        self._selector.register(fd, selectors.EVENT_READ, source)

    def _connect(self, port):
        until = time.monotonic() + 20
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=5)
            except OSError as problem:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RigError(f"the emulator does not open COM1: {problem}\n"
                                   f"{self.failure()}") from problem
                time.sleep(0.05)

    def send(self, text):
        """Types into COM1 (com1="socket" only)."""
        self._socket.setblocking(True)
        self._socket.sendall(text if isinstance(text, bytes) else text.encode())
        self._socket.setblocking(False)

    def lines(self, until, idle=None):
        """Yields Lines. Ends at `until`, at the machine's end, or, when idle is given, after that
        many seconds without any line."""
        quiet_since = time.monotonic()
        while True:
            while self._pending:
                yield self._pending.pop(0)
                quiet_since = time.monotonic()
            now = time.monotonic()
            if self.ended or now >= until or (idle is not None and now - quiet_since >= idle):
                return
            if self.on_wait:
                self.on_wait()
            self._read(min(0.2, until - now))

    def _read(self, wait):
        exited = self._process.poll() is not None
        ready = self._selector.select(0 if exited else max(wait, 0.001))
        got_any = False
        for key, _ in ready:
            try:
                data = os.read(key.fd, 65536)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                self._take(key.data, self._splitters[key.fd].finish())
                self._selector.unregister(key.fd)
                continue
            got_any = True
            if key.data == "com1":
                if self.on_com1:
                    self.on_com1(data)
                if self.spec.com1 == "socket" and not self.spec.com1_lines:
                    continue
            self._take(key.data, self._splitters[key.fd].feed(data))
        if exited and not got_any:
            for key in list(self._selector.get_map().values()):
                self._take(key.data, self._splitters[key.fd].finish())
            self.ended = True

    def _take(self, source, lines):
        """Bochs's debugger talks on the same standard output as port 0xe9; what the guest wrote has
        a time, or at least Archelon's bracket."""
        if self.spec.engine == "bochs" and source == "e9" and bochs.preload_library():
            lines = [line for line in lines if line.ns is not None or line.vm]
        self._pending += lines

    @property
    def seconds(self):
        return time.monotonic() - self.started

    @property
    def fileno_to_watch(self):
        """For a caller's own select: the descriptor of COM1's socket."""
        return self._socket.fileno()

    def failure(self):
        """What the emulator itself complained of, for a message; "" when it did not."""
        reasons = []
        if self.spec.engine == "bochs":
            panic = bochs.failure(self._folder)
            if panic:
                reasons.append(panic)
        try:
            complaint = (self._folder / "stderr").read_text(errors="replace").strip()
            # Bochs opens its standard error with its banner on every start.
            if complaint and (self.spec.engine != "bochs" or "error" in complaint.lower()):
                reasons.append(complaint[-2000:])
        except OSError:
            pass
        return "\n".join(reasons)

    def kill(self):
        """Ends the emulator, now."""
        if self._process and self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self._process.wait()
        if self._process and self._process.stdout:
            self._process.stdout.close()
        if self._socket:
            self._socket.close()
            self._socket = None
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        self._selector.close()
        self.ended = True


def _die_with_parent():
    """Between fork and exec: the emulator is killed when this tool is, even by SIGKILL."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _free_port():
    """A port nobody listens on now, outside the range from which the kernel picks the near end of
    connections (else a connection attempt can meet itself)."""
    for _ in range(200):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RigError("no free TCP port on the loopback")
