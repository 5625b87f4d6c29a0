# SPDX-License-Identifier: Apache-2.0
"""A simulated node that boots: systemd as its first process, our units as "make install" leaves them.

    with Topology() as region, Machine(region.node, tmp_path, NETWORKS) as machine:
        machine.boot()
        assert machine.show("kubelet.service", "ActiveState") == "active"

systemd-nspawn boots the programs of this machine: /usr is this one's, with what
"make install" put there laid over it, and so is the network, the node's of
ec2sim. The rest is made here: /etc with the stand-ins for the EKS AMI's units
(tests/ami-units) and no unit of this machine. There is no udev, and nothing is
hot-plugged but what ec2sim plugs.

It ends with this process. What it wrote, /var and /etc, is in @directory.
"""

import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import time

from harness import BUILD, PATIENCE

SYSTEMD = "/usr/lib/systemd/systemd"
AMI_UNITS = pathlib.Path("tests/ami-units")
SOCKET = "/run/multus-eks/multus-eks.sock"

#: of the distribution, and of no use here
MASKED = ("dbus.socket", "dbus.service", "systemd-logind.service", "getty.target", "console-getty.service",
          "systemd-user-sessions.service", "timers.target", "systemd-binfmt.service")

#: what stand-ins do in these tests: kubelet notes which interfaces are up, nodeadm what it is told
ACTS = {
    "kubelet.service":
        "[Service]\nExecStartPre=/bin/sh -c 'ip -br link >/run/seen-by-kubelet'\nRestartSec=100ms\n",
    "nodeadm-run.service":
        "[Service]\nExecStart=\n"
        "ExecStart=/bin/sh -c 'cat /etc/eks/nodeadm.d/* >/run/seen-by-nodeadm 2>/dev/null || :'\n",
}


# nspawn looks for systemd's directory on a host that may have none, and overlayfs does not write to another
# overlayfs, which the disk may be.
_MOUNTS = """
    mkdir -p /run/systemd
    mount -t tmpfs tmpfs /run/systemd
    mount -t tmpfs tmpfs "$1"
    mkdir "$1/usr"
    shift
    exec "$@"
"""


# nspawn with us, and the system with nspawn
_DIES_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")


class MachineUnavailable(Exception):
    """Nothing can be booted here."""


def why_not() -> str:
    """Why no machine can be booted here, or ""."""
    if os.geteuid() != 0:
        return "systemd-nspawn needs root"
    for program in ("/usr/bin/systemd-nspawn", SYSTEMD):
        if not os.path.exists(program):
            return f"no {program}"
    return ""


def _make_install(*words, run=subprocess.run) -> None:
    run(["make", "-s", "--no-print-directory", "-C", os.getcwd(), "install", f"B={os.path.relpath(BUILD)}",
         "prefix=/usr", *words], check=True, stdout=subprocess.DEVNULL)


class Machine:
    """
    One node's system.
    @node: whose network it has
    @config: text of multus-eks.conf; the endpoints of the simulator are added
    """

    def __init__(self, node, directory, config):
        self._node, self._directory = node, pathlib.Path(directory)
        self.root = self._directory / "root"
        self._process, self._leader, self._console = None, 0, None
        self._populate()
        self.configure(config)

    # -- what is on its disk -----------------------------------------------

    def _populate(self) -> None:
        for name in ("usr", "etc/systemd/system", "etc/eks/nodeadm.d", "var", "run", "tmp", "proc", "sys",
                     "dev", "opt", "root"):
            (self.root / name).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (self.root / name).symlink_to(f"usr/{name}")
        etc = self.root / "etc"
        (etc / "passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        (etc / "group").write_text("root:x:0:\n")
        (etc / "os-release").write_text("ID=stand-in\n")
        (etc / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        for unit in MASKED:
            (etc / "systemd/system" / unit).symlink_to("/dev/null")
        for unit in AMI_UNITS.glob("*.service"):
            shutil.copy(unit, etc / "systemd/system")
        for unit, text in ACTS.items():
            self.write(f"etc/systemd/system/{unit}.d/act.conf", text)
        wants = etc / "systemd/system/multi-user.target.wants"
        wants.mkdir()
        for unit in AMI_UNITS.glob("*.service"):
            (wants / unit.name).symlink_to(f"../{unit.name}")
        self._install()

    def _install(self) -> None:
        """What is of /usr is laid over this machine's at boot; the rest goes to the disk."""
        stage = self._directory / "stage"
        _make_install(f"DESTDIR={stage}")
        subprocess.run(["systemctl", f"--root={stage}", "--quiet", "preset", "multus-eksd.service",
                        "multus-eksd.socket"], check=True)
        for name in ("etc", "opt"):
            shutil.copytree(stage / name, self.root / name, symlinks=True, dirs_exist_ok=True)

    def write(self, name, text) -> None:
        """A file of its disk, from outside; for a unit's sake reload() it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def configure(self, config) -> None:
        self.write("etc/multus-eks.conf", config)
        self.write("etc/multus-eks.conf.d/10-endpoints.conf",
                   f"[aws]\nec2_endpoint = {self._node.ec2_url}\n"
                   f"autoscaling_endpoint = {self._node.autoscaling_url}\n")

    # -- its life ----------------------------------------------------------

    def __enter__(self):
        return self

    def __exit__(self, *_exception) -> None:
        self.off()

    def boot(self) -> None:
        """Switch it on, and wait until systemd has started or given up everything that it was to start."""
        directory, upper = self._directory, self._directory / "upper"
        upper.mkdir(exist_ok=True)
        address = directory / "notify"
        address.unlink(missing_ok=True)
        self._console = open(directory / "console.log", "wb")  # pylint: disable=consider-using-with
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(str(address))
            self._process = subprocess.Popen(
                [*_DIES_WITH_PARENT, "unshare", "-m", "--propagation", "private",
                 "sh", "-ec", _MOUNTS, "sh", str(upper), "systemd-nspawn", "--quiet",
                 f"--directory={self.root}", "--register=no", "--keep-unit", "--settings=no",
                 "--console=pipe", "--notify-ready=yes", "--link-journal=no", "--resolv-conf=off",
                 "--timezone=off", f"--network-namespace-path={self._node.netns}",
                 "--capability=CAP_NET_ADMIN", f"--overlay=/usr:{directory}/stage/usr:{upper}/usr:/usr",
                 f"--bind={os.getcwd()}", *_DIES_WITH_PARENT, SYSTEMD, "systemd.unit=multi-user.target"],
                stdin=subprocess.DEVNULL, stdout=self._console, stderr=subprocess.STDOUT,
                env={**os.environ, "NOTIFY_SOCKET": str(address)})
            self._await_ready(notify)

    def _await_ready(self, notify) -> None:
        deadline = time.monotonic() + PATIENCE
        said: dict = {}
        while "READY" not in said or "X_NSPAWN_LEADER_PID" not in said:
            left = deadline - time.monotonic()
            if not select.select([notify], [], [], max(left, 0))[0]:
                raise MachineUnavailable(f"did not boot: {(self._directory / 'console.log').read_text()}")
            said.update(line.partition("=")[::2] for line in notify.recv(65536).decode().splitlines())
        self._leader = int(said["X_NSPAWN_LEADER_PID"])

    def off(self) -> None:
        """Pull the plug."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._console.close()
        self._process = None

    # -- inside ------------------------------------------------------------

    def run(self, *argv, check=True, **kw) -> subprocess.CompletedProcess:
        """A command of its root's."""
        return subprocess.run(
            ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w", "--", *argv],
            check=check, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}, **kw)

    def systemctl(self, *words, check=True) -> int:
        """Its exit status; it returns when the job is done."""
        return self.run("systemctl", *words, check=check).returncode

    def show(self, unit, name) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--property", name, "--value", unit).stdout.strip()

    @staticmethod
    def wait_until(condition) -> None:
        """For what systemd does by itself, and nobody tells of: a unit that is started again."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.02)

    def status(self) -> dict:
        """What the daemon says of itself."""
        reply = self.run("curl", "-sS", "--max-time", "10", "--unix-socket", SOCKET,
                         "http://localhost/v1/status")
        return json.loads(reply.stdout)

    def journal(self, *matches) -> list:
        """Entries of the journal that match, such as UNIT=… or MESSAGE_ID=…"""
        self.run("journalctl", "--sync")
        lines = self.run("journalctl", "--output=json", "--no-pager", "--all", *matches).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def install(self) -> None:
        """Install what was built once more, over the running system."""
        _make_install(run=lambda argv, **kw: self.run(*argv))
