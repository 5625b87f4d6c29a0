# SPDX-License-Identifier: Apache-2.0
"""One run of the daemon under the stop-watch.

Time and CPU count from the exec of the daemon: the shell that becomes it notes
both in its last moment. They end when systemd would read READY=1. The CPU time
is the kernel's for the whole process, threads that have ended included.
"""

import os
import tempfile
import time

from harness import Daemon

# builtins alone: a fork here would be counted
_NOTE = 'read -r cpu _ < /proc/$$/schedstat; echo "$EPOCHREALTIME $cpu" > "$0"; exec "$@"'
_GATED = 'read -r _ < "$0.gate"; ' + _NOTE


def cpu_seconds(pid: int) -> float:
    """CPU time of a process with all its threads, from its first instruction."""
    return time.clock_gettime_ns((~pid << 3) | 2) / 1e9


def context_switches(pid: int) -> int:
    """How often its threads have gone to sleep."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="utf-8") as file:
            total += sum(int(line.split()[1]) for line in file
                         if line.startswith("voluntary_ctxt_switches"))
    return total


def memory(pid: int) -> dict:
    """KiB: Rss and Pss, and Rss by what it is made of."""
    parts = {"Rss": 0, "Pss": 0, "heap": 0, "stack": 0, "program": 0, "libraries": 0,
             "relocations": 0, "other": 0}
    kind = ""
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if not words[0].endswith(":"):
                kind = _kind(words[5] if len(words) > 5 else "")
                continue
            if words[0] == "Rss:":
                parts["Rss"] += int(words[1])
                parts[kind] += int(words[1])
            elif words[0] == "Pss:":
                parts["Pss"] += int(words[1])
            elif words[0] == "Anonymous:" and kind in ("libraries", "program"):
                # pages of a file that the dynamic linker had to write to
                parts["relocations"] += int(words[1])
                parts[kind] -= int(words[1])
    return parts


def parts(usage: dict) -> str:
    """What the memory is made of, in words."""
    return ", ".join(f"{part} {size / 1024:.1f}" for part, size in usage.items()
                     if part not in ("Rss", "Pss") and size >= 100)


def _kind(name: str) -> str:
    if name.endswith("/multus-eksd"):
        return "program"
    if name.startswith("/"):
        return "libraries"
    return {"[heap]": "heap", "": "heap", "[stack]": "stack"}.get(name, "other")


class Run(Daemon):
    """
    One daemon in one node; a context manager that starts and stops it.
    @aws: lines of [aws], instead of the plain HTTP endpoints
    @gated: it waits for release() before it starts
    """

    def __init__(self, node, config, aws: str | None = None, directory=None, gated=False,
                 env=None):
        self._temporary = None
        if directory is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="multus-eks-bench-")
            directory = self._temporary.name
        super().__init__(node, directory, config, aws, ["--log-level=info"])
        self._note = os.path.join(self.directory, "start")
        self._gated, self._env = gated, env or {}
        self.ready_at = self.ready_cpu = 0.0

    def start(self, env=None, wrapper=()) -> None:
        self.ready_at = 0.0
        if self._gated:
            os.mkfifo(f"{self._note}.gate")
        super().start({**self._env, **(env or {})},
                      ["/bin/bash", "-c", _GATED if self._gated else _NOTE, self._note])

    def release(self) -> None:
        """Let a gated daemon go."""
        os.close(os.open(f"{self._note}.gate", os.O_WRONLY))

    def __exit__(self, *exception) -> None:
        super().__exit__(*exception)
        if self._temporary:
            self._temporary.cleanup()

    def fileno(self) -> int:
        """Readable when systemd would be told something."""
        return self._notify.fileno()

    def read(self) -> bool:
        """Read what there is; whether it is ready."""
        self._read_notifications()
        return self.ready_at > 0

    def _read_notifications(self) -> None:
        now, cpu = time.time(), 0.0
        if self.ready_at == 0 and self.process.returncode is None:
            cpu = cpu_seconds(self.process.pid)
        super()._read_notifications()
        if "READY" in self.notified and self.ready_at == 0:
            self.ready_at, self.ready_cpu = now, cpu

    def _started(self) -> list:
        with open(self._note, encoding="utf-8") as file:
            return [float(word) for word in file.read().split()]

    @property
    def started_at(self) -> float:
        """Unix time of the exec."""
        return self._started()[0]

    @property
    def seconds(self) -> float:
        """Exec to READY=1."""
        return self.ready_at - self.started_at

    @property
    def cpu(self) -> float:
        """CPU seconds from exec to READY=1."""
        return self.ready_cpu - self._started()[1] / 1e9
