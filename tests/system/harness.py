# SPDX-License-Identifier: Apache-2.0
"""The real daemon on a simulated node: start, wait, ask, kill.

    with Topology(tmpfs=["/var/lib/multus-eks"]) as region:
        with Daemon(region.node, tmp_path, NETWORKS) as daemon:
            daemon.wait_ready()
            assert daemon.status()["phase"] == "ready"

Nothing here polls: readiness comes as systemd gets it (sd_notify), the end of
the process by waiting for it, the state from the daemon's own socket.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time

from ec2sim.client import ControlError

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
EKSD = os.path.join(BUILD, "multus-eksd")
EKSCTL = os.path.join(BUILD, "multus-eksctl")

#: three networks of the sample region's zone a
SUBNETS = [f"subnet-0000000000000a00{n}" for n in (1, 2, 3)]
NETWORKS = f"[network]\nsubnets = {', '.join(SUBNETS)}\nsecurity_groups = sg-0000000000000a115\n"
INSTANCE = "i-00000000000000001"

#: of a daemon that fails: after so many its exit status is another, and systemd leaves it alone
TRIES_MAX, GIVEN_UP = 5, 69
#: how long a boot that is not held up may take before the test gives up on it
PATIENCE = 30.0


class BootFailed(AssertionError):
    """The daemon ended, or said nothing, when it should have become ready."""


class Daemon:
    """
    One run of multus-eksd after another in one node; what it remembers is in @directory.
    @config: text of multus-eks.conf; the endpoints of the simulator are added
    @aws: lines of a drop-in's [aws] section, instead of the plain HTTP endpoints
    """

    def __init__(self, node, directory, config=NETWORKS, aws=None, arguments=()):
        self.node, self.directory = node, str(directory)
        self.arguments = list(arguments)
        self.config_path = os.path.join(self.directory, "multus-eks.conf")
        self.socket_path = os.path.join(self.directory, "multus-eks.sock")
        self.log_path = os.path.join(self.directory, "log.json")
        self.process = self.aws = None
        self.notified: dict = {}
        self._notify = self._listener = None
        self.configure(config, aws)

    def configure(self, config, aws=None) -> None:
        """Write the configuration for the next run."""
        self.aws = aws
        if aws is None:
            aws = f"ec2_endpoint = {self.node.ec2_url}\n" \
                  f"autoscaling_endpoint = {self.node.autoscaling_url}\n"
        os.makedirs(f"{self.config_path}.d", exist_ok=True)
        for path, text in ((self.config_path, config),
                           (f"{self.config_path}.d/10-endpoints.conf", f"[aws]\n{aws}")):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def move(self, node) -> None:
        """The node was rebooted: /run is empty, the state is there."""
        self.node = node
        shutil.rmtree(f"{self.directory}/run")

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_exception) -> None:
        self.stop()

    # -- running -----------------------------------------------------------

    def start(self, env=None, wrapper=()) -> None:
        """Start it as systemd would: socket passed, NOTIFY_SOCKET set."""
        assert self.process is None
        self.notified = {}
        self._notify = self._socket(socket.SOCK_DGRAM, "notify")
        if self._listener is None:
            self._listener = self._socket(socket.SOCK_STREAM, "multus-eks.sock")
            self._listener.listen(512)
        argv = [*wrapper, EKSD, f"--config={self.config_path}", f"--state-dir={self.directory}/state",
                f"--runtime-dir={self.directory}/run", "--log-target=json", "--log-level=debug",
                *self.arguments]
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = self.node.popen(
                argv, {"multus-eks.socket": self._listener}, stderr=log,
                env={**os.environ, "NOTIFY_SOCKET": f"{self.directory}/notify", **(env or {})})

    def _socket(self, kind, name) -> socket.socket:
        path = os.path.join(self.directory, name)
        if os.path.exists(path):
            os.unlink(path)
        sock = socket.socket(socket.AF_UNIX, kind)
        sock.bind(path)
        return sock

    def _end(self, keep_socket=False) -> int:
        status = self.process.wait()
        self._read_notifications()
        self.process = None
        self._notify.close()
        if not keep_socket:
            self._listener.close()
            self._listener = None
        return status

    def replace(self) -> None:
        """SIGTERM, and the next run behind the same socket: who asks meanwhile waits, as with systemd."""
        self.process.send_signal(signal.SIGTERM)
        assert self._end(keep_socket=True) == 0
        self.start()

    def stop(self) -> int:
        """SIGTERM, and its exit status; None when it does not run."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._end()

    def kill(self) -> None:
        """SIGKILL, at once."""
        if self.process is not None:
            self.process.kill()
            self._end()

    def fail_all_tries_but_the_last(self) -> None:
        """What it is up against is there already. They are counted in the directory that systemd makes."""
        os.makedirs(f"{self.directory}/run", exist_ok=True)
        for _ in range(TRIES_MAX - 1):
            self.start()
            assert self.wait_exit() == 1

    def wait_exit(self, timeout=PATIENCE) -> int:
        """Its exit status, once it ends by itself."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise BootFailed(f"still running after {timeout} s\n{self.tail()}") from None
        return self._end()

    def wait_killed(self) -> None:
        """
        Wait until somebody else's SIGKILL has ended it; or kill it when it is
        ready, if in this run it never came to where it was to be killed.
        """
        try:
            self.wait_notified("READY")
        except BootFailed:
            assert self.wait_exit(0) == -signal.SIGKILL
        else:
            self.kill()

    # -- what systemd would see --------------------------------------------

    def _read_notifications(self) -> None:
        while select.select([self._notify], [], [], 0)[0]:
            for line in self._notify.recv(65536).decode().splitlines():
                key, _, value = line.partition("=")
                assert key != "READY" or key not in self.notified, "READY=1 twice"
                self.notified[key] = value

    def wait_ready(self, timeout=PATIENCE) -> dict:
        """Wait for READY=1; returns the status document."""
        self.wait_notified("READY", timeout)
        return self.status()

    def wait_notified(self, key, timeout=PATIENCE) -> str:
        """Wait for a variable of sd_notify(3); returns its value."""
        deadline = time.monotonic() + timeout
        pidfd = os.pidfd_open(self.process.pid)
        try:
            while key not in self.notified:
                left = deadline - time.monotonic()
                ready = select.select([self._notify, pidfd], [], [], max(left, 0))[0]
                self._read_notifications()
                if key in self.notified:
                    break
                if pidfd in ready:
                    raise BootFailed(f"ended with {self.process.wait()}\n{self.tail()}")
                if not ready:
                    raise BootFailed(f"no {key}=… after {timeout} s\n{self.tail()}")
        finally:
            os.close(pidfd)
        return self.notified[key]

    def is_ready(self) -> bool:
        """Whether it has said READY=1 by now."""
        self._read_notifications()
        return "READY" in self.notified

    # -- asking ------------------------------------------------------------

    def get(self, path) -> dict:
        """GET over the socket, as curl does it."""
        reply = subprocess.run(
            ["curl", "-sS", "--max-time", "10", "--unix-socket", self.socket_path,
             f"http://localhost{path}"], stdout=subprocess.PIPE, check=True)
        return json.loads(reply.stdout)

    def status(self) -> dict:
        return self.get("/v1/status")

    def log(self, message_id=None) -> list:
        """The journal entries of the last run, or those of one MESSAGE_ID."""
        with open(self.log_path, encoding="utf-8") as file:
            entries = [json.loads(line) for line in file if line.startswith("{")]
        return [e for e in entries if message_id is None or e.get("MESSAGE_ID") == message_id]

    def tail(self, n=40) -> str:
        """The end of the log, for a failure's report."""
        with open(self.log_path, encoding="utf-8") as file:
            return "".join(file.readlines()[-n:])

    def errors(self) -> list:
        """What was logged as an error or a warning, as text."""
        return [e["MESSAGE"] for e in self.log() if int(e["PRIORITY"]) <= 4]


def message_ids() -> dict:
    """Name -> id of daemon/util/message-ids.h."""
    ids = {}
    header = os.path.join(os.path.dirname(__file__), "../../daemon/util/message-ids.h")
    with open(header, encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if len(words) == 3 and words[0] == "#define":
                ids[words[1].removeprefix("MESSAGE_")] = words[2].strip('"')
    return ids


def multus_enis(region, instance=INSTANCE) -> list:
    """The interfaces of a node that the daemon made, by device index."""
    return [eni for eni in region.control.enis(instance) if "multus-eks:instance-id" in eni["tags"]]


def fill(region, subnet) -> list:
    """Interfaces of strangers until the subnet takes no more; their ids."""
    enis = []
    with contextlib.suppress(ControlError):
        while True:
            enis.append(region.control.post("/foreign-eni", {"subnet": subnet})["id"])
    return enis


def leaked(region) -> list:
    """Interfaces attached to nothing."""
    return [eni["id"] for eni in region.control.enis() if not eni["attachment"]]
