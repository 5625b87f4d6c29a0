# SPDX-License-Identifier: Apache-2.0
"""Echoes from a host, one each millisecond, and when each was sent and answered.

    with Probe(region.host, "10.0.10.200") as probe:
        begun = assign(...)
    assert probe.first(begun)[1]

Times are of CLOCK_MONOTONIC in nanoseconds, so they compare with those of other
processes of the machine: with the simulator's call log, for one.
"""

import contextlib
import json
import os
import subprocess
import sys

# until stdin ends; then a line of JSON: [[sent, answered or null], ...]
_PROBE = """
import json, select, socket, struct, sys, time
six, sock = ":" in sys.argv[1], None
sock = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, 58 if six else 1)
sock.connect((sys.argv[1], 0))
def echo(n):
    words = [0x8000 if six else 0x0800, 0, 77, n]
    total = sum(words)
    words[1] = ~((total & 0xffff) + (total >> 16)) & 0xffff
    return struct.pack("!4H", *words)
sent, answered = [], {}
print("probing", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    sent.append(time.monotonic_ns())
    try:
        sock.send(echo(len(sent) - 1))
    except OSError:
        pass
    end = time.monotonic() + 0.001
    while (left := end - time.monotonic()) > 0:
        if not select.select([sock], [], [], left)[0]:
            break
        try:
            packet = sock.recv(2048)[0 if six else 20:]
        except OSError:
            continue
        if packet[0] == (129 if six else 0) and packet[4:6] == b"\\0\\x4d":
            answered.setdefault(struct.unpack("!H", packet[6:8])[0], time.monotonic_ns())
print(json.dumps([[t, answered.get(n)] for n, t in enumerate(sent)]))
"""


def hasten(pid: int, by: int = -10) -> None:
    """Have a process run before others, where we may: what is measured is not how busy the machine is."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, by)


class Probe:
    """Echoes of a node to an address while it is entered; `lines` when it has ended."""

    def __init__(self, host, address):
        self._process = host.popen([sys.executable, "-c", _PROBE, address], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        hasten(self._process.pid)
        self.lines: list = []

    def __enter__(self):
        assert self._process.stdout.readline() == "probing\n"
        return self

    def __exit__(self, *_exception):
        self.lines = json.loads(self._process.communicate("\n", timeout=10)[0])

    def answered(self, begin=0, end=1 << 63) -> list:
        """When the answers came to the echoes sent in that time."""
        return [got for sent, got in self.lines if begin <= sent < end and got]

    def first(self, begin) -> tuple:
        """When the first echo of that time was sent, and when answered or None."""
        return next((sent, got) for sent, got in self.lines if sent >= begin)

    def asked(self, begin=0, end=1 << 63) -> int:
        return sum(begin <= sent < end for sent, _ in self.lines)


def answers(host, address, within=0.3) -> bool:
    """Whether one ordinary ping of a host comes back, within so many seconds."""
    done = host.run(["ping", "-c", "1", "-W", str(within), address], stdout=subprocess.DEVNULL, check=False)
    return done.returncode == 0
