# SPDX-License-Identifier: Apache-2.0
"""Simulated nodes in network namespaces, with the simulator in one of its own.

    with Topology() as region:
        region.node.run(["ip", "-br", "link"])
        region.control.calls()

Between the devices is the VPC of fabric.py; the simulator's kernel forwards
nothing and answers no ARP itself.

Layout: the simulator's namespace has the metadata address and the endpoints'
addresses on its loopback and one veth to each node, made by the simulator;
a node's namespace has its primary interface, an address of its subnet, and a
default route to the simulator. Nothing of it is in the machine's own network.

Every namespace is anonymous: it lives as long as a shell that waits for the
end of its stdin, a pipe of ours. So whatever ends this process, even SIGKILL,
ends the namespaces with all devices in them, and nothing has a name that could
be left behind. As root it uses network and mount namespaces alone, else a user
namespace besides.
"""

import json
import os
import shlex
import socket
import subprocess

from .client import ControlClient
from .plug import VethPlugger

PYTHON = "/usr/bin/python3"
EC2_ADDRESS, AUTOSCALING_ADDRESS = "198.51.100.10", "198.51.100.11"
IMDS_URL = "http://169.254.169.254"
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# asked for only once we run, so our end may have come before: then nobody would tell
_ORPHAN = 'parent=$1; shift; [ "$PPID" = "$parent" ] || exit 143; exec "$@"'
_CARRIER = ("LOWER_UP", "NO-CARRIER", "M-DOWN")
_KEEP = "echo ok; read -r _"
_SYSFS = "mount -t sysfs sysfs /sys 2>/dev/null || true\n"
_SIMULATOR = _SYSFS + f"""
ip link set lo up
for address in 169.254.169.254 {EC2_ADDRESS} {AUTOSCALING_ADDRESS}; do
    ip address add $address/32 dev lo
done
echo 8 > /proc/sys/net/ipv4/conf/default/arp_ignore
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
"""


class NamespacesUnavailable(Exception):
    """This kernel or container lets this user make no network namespaces."""


def _works(*argv: str) -> str:
    """Run a trial command; returns "" or its complaint."""
    trial = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True, check=False)
    return "" if trial.returncode == 0 else trial.stderr.strip() or "failed"


def user_namespace_needed() -> bool:
    """Whether namespaces need a user namespace here; raises NamespacesUnavailable."""
    if os.geteuid() == 0 and not _works("unshare", "-nm", "true"):
        return False
    reason = _works("unshare", "-Urnm", "true")
    if reason:
        raise NamespacesUnavailable(f"needs root or unprivileged user namespaces: {reason}")
    return True


class _Keeper:
    """A shell that holds namespaces until its stdin ends."""

    def __init__(self, argv: list, script: str, userns: bool):
        self._userns = userns
        env = {**os.environ, "PATH": _PATH}
        self._process = subprocess.Popen(
            [*argv, "sh", "-ec", script + _KEEP], stdin=subprocess.PIPE, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self._process.stdout.readline() != "ok\n":
            reason = self._process.stderr.read().strip()
            self.close()
            raise NamespacesUnavailable(f"cannot set up a namespace: {reason}")

    @property
    def netns(self) -> str:
        return f"/proc/{self._process.pid}/ns/net"

    def enter(self, cwd: str | None = None) -> list:
        """The words to put before a command so that it runs inside."""
        user = ["-U", "--preserve-credentials"] if self._userns else []
        return ["/usr/bin/nsenter", "-t", str(self._process.pid), *user, "-n", "-m",
                f"--wdns={cwd or os.getcwd()}", "--"]

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()


def _with_sockets(argv: list, listen: dict) -> list:
    """Have @argv inherit sockets by LISTEN_FDS; names to sockets."""
    numbers = [sock.fileno() for sock in listen.values()]
    # by way of numbers that are nobody's: a target may be another one's source
    free = max(numbers + [3 + len(numbers)]) + 1
    aside = "".join(f"exec {free + i}<&{number} {number}<&-; " for i, number in enumerate(numbers))
    moves = "".join(f"exec {3 + i}<&{free + i} {free + i}<&-; " for i in range(len(numbers)))
    names = shlex.quote(":".join(listen))
    script = f"{aside}{moves}export LISTEN_PID=$$ LISTEN_FDS={len(listen)} " \
             f"LISTEN_FDNAMES={names}; exec \"$@\""
    return ["/bin/bash", "-c", script, "listen", *argv]


def _popen(keeper: _Keeper, argv: list, listen: dict | None = None, **kw) -> subprocess.Popen:
    """Start a process inside that dies with us. Its pid is the process's own."""
    words = _with_sockets(argv, listen) if listen else list(argv)
    if listen:
        kw["pass_fds"] = [*kw.get("pass_fds", ()), *(s.fileno() for s in listen.values())]
    cwd = kw.pop("cwd", None)
    return subprocess.Popen([*keeper.enter(cwd), "/usr/bin/setpriv", "--pdeathsig", "KILL", "--",
                             "/bin/sh", "-c", _ORPHAN, "sh", str(os.getpid()), *words], **kw)


class SimNode:
    """One instance with its namespace."""

    imds_url = IMDS_URL

    def __init__(self, topology, keeper: _Keeper, wiring: dict):
        self._topology, self._keeper = topology, keeper
        self.instance_id, self.mac = wiring["id"], wiring["mac"]
        self.address, self.gateway, self.primary = \
            wiring["address"], wiring["gateway"], wiring["name"]
        self.netns = keeper.netns
        self.control = topology.control
        self.ec2_url, self.autoscaling_url = topology.ec2_url, topology.autoscaling_url
        self._processes: list = []

    def popen(self, argv: list, listen: dict | None = None, **kw) -> subprocess.Popen:
        """
        Start a process in the node; it is killed when the topology ends.
        @listen: names to listening sockets, passed by LISTEN_FDS
        @kw: as for subprocess.Popen
        """
        process = _popen(self._keeper, argv, listen, **kw)
        self._processes.append(process)
        return process

    def run(self, argv: list, **kw) -> subprocess.CompletedProcess:
        """subprocess.run() in the node."""
        cwd = kw.pop("cwd", None)
        return subprocess.run([*self._keeper.enter(cwd), *argv], **kw)

    def enter(self) -> list:
        """The words that put a command into this node."""
        return self._keeper.enter()

    def links(self) -> dict:
        """
        The node's interfaces: name -> what `ip -json address` tells, but what the kernel works
        out in its own time: the operational state follows a veth's carrier up to a second later.
        """
        reply = self.run(["ip", "-json", "address"], stdout=subprocess.PIPE, check=True)
        links = {link["ifname"]: link for link in json.loads(reply.stdout)}
        for link in links.values():
            del link["operstate"]
            link["flags"] = [flag for flag in link["flags"] if flag not in _CARRIER]
        return links

    def await_up(self, device: str) -> None:
        """
        Wait until the kernel has noticed that a device has a carrier, which it does once a second
        at most; until then it drops what is sent there.
        """
        self.run(["sh", "-c", 'until read -r state < "$0" && [ "$state" = up ]; do sleep 0.01; done',
                  f"/sys/class/net/{device}/operstate"], check=True, timeout=10)

    def _close(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        self._keeper.close()


class Topology:
    """
    The simulator and its nodes. A context manager.
    @scenario: the world (scenario.py); None: the sample
    @arguments: more of the simulator's, e.g. ["--buckets"]
    @tls: directory to which ca.pem is written; HTTPS is then on port 443
    @name: of a node's primary interface
    @tmpfs: directories that each node gets empty and its own
    @nodes: ids of the instances that get a namespace; None: all of the scenario
    @plug: how an ENI becomes a device; "guest": instances may be virtual machines too
    """

    ec2_url, autoscaling_url = f"http://{EC2_ADDRESS}", f"http://{AUTOSCALING_ADDRESS}"

    def __init__(self, scenario: dict | None = None, arguments=(), tls: str | None = None,
                 name: str = "ens5", tmpfs=(), nodes=None, stderr=None, plug: str = "veth"):
        self._scenario, self._arguments, self._tls = scenario, list(arguments), tls
        self._name, self._tmpfs, self._stderr = name, tuple(tmpfs), stderr
        self._wanted, self._plug = nodes, plug
        self._keeper: _Keeper | None = None
        self._simulator: subprocess.Popen | None = None
        self.nodes: dict = {}
        self.ready: dict = {}
        self.control: ControlClient | None = None

    def __enter__(self):
        try:
            self._userns = user_namespace_needed()
            self._keeper = _Keeper(["unshare", "-Urnm" if self._userns else "-nm"], _SIMULATOR,
                                   self._userns)
            self._start()
            instances = self.control.state()["instances"]
            for instance_id in instances if self._wanted is None else self._wanted:
                self.add_node(instance_id)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

    # -- what a test with one node uses ------------------------------------

    @property
    def node(self) -> SimNode:
        """The first node."""
        return next(iter(self.nodes.values()))

    def run(self, argv: list, **kw) -> subprocess.CompletedProcess:
        """subprocess.run() in the first node."""
        return self.node.run(argv, **kw)

    @property
    def imds_url(self) -> str:
        return IMDS_URL

    @property
    def pid(self) -> int:
        """The simulator's process."""
        return self._simulator.pid

    def run_in_vpc(self, argv: list, **kw) -> subprocess.CompletedProcess:
        """subprocess.run() where the simulator and the VPC's ends of all ENIs are."""
        return subprocess.run([*self._keeper.enter(), *argv], **kw)

    def popen_in_vpc(self, argv: list, listen: dict | None = None, **kw) -> subprocess.Popen:
        """Start a process there, as SimNode.popen() does; the caller ends it."""
        return _popen(self._keeper, argv, listen, **kw)

    # -- making it ---------------------------------------------------------

    def _start(self) -> None:
        """Start the simulator; its control socket is abstract and so leaves no file."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind("")  # the kernel picks a free abstract name
        listener.listen(64)
        path = "\0" + listener.getsockname()[1:].decode()
        argv = [PYTHON, "-m", "ec2sim", "--plug", self._plug, "--no-imds", "--exit-on-eof",
                "--ec2", f"{EC2_ADDRESS}:80", "--autoscaling", f"{AUTOSCALING_ADDRESS}:80"]
        if self._tls:
            argv += ["--tls", self._tls, "--ec2-tls", f"{EC2_ADDRESS}:443",
                     "--autoscaling-tls", f"{AUTOSCALING_ADDRESS}:443"]
        if self._scenario is not None:
            argv += ["--scenario", json.dumps(self._scenario)]
        self._simulator = _popen(
            self._keeper, argv + self._arguments, {"control": listener}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._stderr,
            env={**os.environ, "PYTHONPATH": _TESTS})
        listener.close()
        line = self._simulator.stdout.readline()
        if not line:
            raise RuntimeError(f"the simulator ended with {self._simulator.wait()}")
        self.ready = json.loads(line)
        self.control = ControlClient(path)

    def _hosts(self) -> str:
        """The endpoints' names, as AWS's resolver would have them."""
        domain = f"{self.ready['region']}.amazonaws.com"
        return (f"127.0.0.1 localhost\n::1 localhost\n{EC2_ADDRESS} ec2.{domain}\n"
                f"{AUTOSCALING_ADDRESS} autoscaling.{domain}\n")

    def _node_script(self) -> str:
        """What a node's mount namespace is made of: its own /sys, names, empty directories."""
        lines = [_SYSFS, "mount -t tmpfs tmpfs /mnt",
                 f"printf %s {shlex.quote(self._hosts())} > /mnt/hosts",
                 "mount --bind /mnt/hosts /etc/hosts", "umount -l /mnt"]
        lines += [f"mkdir -p {shlex.quote(d)} && mount -t tmpfs tmpfs {shlex.quote(d)}"
                  for d in self._tmpfs]
        return "\n".join(lines) + "\nip link set lo up\n"

    def add_node(self, instance_id: str) -> SimNode:
        """Give an instance of the world its namespace, primary interface and IMDS."""
        keeper = _Keeper([*self._keeper.enter("/"), "unshare", "-nm"], self._node_script(),
                         self._userns)
        try:
            wiring = self.control.post("/nodes", {"instance": instance_id, "netns": keeper.netns,
                                                  "name": self._name})
        except BaseException:
            keeper.close()
            raise
        node = SimNode(self, keeper, wiring)
        self.nodes[instance_id] = node
        # without a link-local address, which the kernel adds and confirms seconds later
        batch = (f"address add {node.address} dev {node.primary}\n"
                 f"link set {node.primary} addrgenmode none\n"
                 f"link set {node.primary} up\nroute add default via {node.gateway}\n")
        node.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
        return node

    def launch(self, entry: dict) -> SimNode:
        """Launch another instance, described as in a scenario, with its namespace."""
        instance_id = self.control.post("/instances", entry)["id"]
        return self.add_node(instance_id)

    def add_host(self, subnet: str) -> SimNode:
        """
        A host in the VPC that is no node of ours: an instance in @subnet (its id), with an
        address of either family the subnet has, both taken in the model.
        """
        ipv6 = self.control.state()["subnets"][subnet]["ipv6_cidr"] is not None
        host = self.launch({"type": "m5.large", "subnet": subnet, "ipv6_count": int(ipv6)})
        if ipv6:
            address = self.control.enis(host.instance_id)[0]["ipv6"][0]
            host.run(["ip", "-batch", "-"], text=True, check=True, input=(
                f"address add {address}/64 dev {host.primary} nodad\n"
                f"route add default via fe80:ec2::1 dev {host.primary}\n"))
        host.await_up(host.primary)
        return host

    def reboot(self, instance_id: str) -> SimNode:
        """A new namespace for the instance: all devices go, and come back with the kernel's names."""
        old = self.nodes.pop(instance_id)
        for eni in self.control.enis(instance_id):
            # at once: that of a namespace that has ended stays for some milliseconds
            self.run_in_vpc(["ip", "link", "delete", VethPlugger.port_name(eni["id"])], check=True)
        old._close()
        return self.add_node(instance_id)

    def terminate(self, instance_id: str) -> None:
        """Terminate an instance of the region; its namespace ends too."""
        self.control.delete(f"/instances/{instance_id}")
        self.nodes.pop(instance_id)._close()

    def close(self) -> None:
        """End everything. May be called twice."""
        for node in self.nodes.values():
            node._close()
        self.nodes.clear()
        if self._simulator is not None:
            self._simulator.stdin.close()
            try:
                self._simulator.wait(5)
            except subprocess.TimeoutExpired:
                self._simulator.kill()
                self._simulator.wait()
            self._simulator.stdout.close()
            self._simulator = None
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None
