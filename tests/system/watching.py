# SPDX-License-Identifier: Apache-2.0
"""A node whose daemon watches, and pods on it that need not know.

    with Watching(fleet) as node:
        pod = node.pod()
        pod.plug("eth1")
        pod.add("10.0.10.201/24")
        node.wait_owners({"10.0.10.201": pod.owner()})

A pod is a network namespace with a veth into the node, as the VPC CNI gives one
to each, and macvlans above the node's ENIs. With `passthru`, which one pod at a
time can have on an ENI, it sends with the ENI's MAC, as an ipvlan does, and so
is one that the VPC delivers to.
"""

import contextlib
import itertools
import json
import os
import signal

from cnichain import Namespace
from registering import Registering, until

TWO_IN_ONE_SUBNET = "".join(f"[network {name}]\nsubnets = subnet-0000000000000a001\n"
                            "security_groups = sg-0000000000000a115\n" for name in ("eth1", "eth2"))

_numbers = itertools.count(1)


def veth(node, namespace) -> str:
    """A veth from a namespace into the node, which has an id for it from now on. Returns its name there."""
    name = f"v{next(_numbers)}"
    node.node.run(["ip", "link", "add", name, "type", "veth", "peer", "name", "eth0",
                   "netns", namespace.path.split("/")[2]], check=True)
    return name


def link_nsid(node, name) -> int:
    """The id of the namespace where a veth of the node has its other end."""
    shown = node.node.run(["ip", "-json", "link", "show", name], check=True, capture_output=True, text=True)
    return json.loads(shown.stdout)[0]["link_netnsid"]


class Inside:
    """What is done in a pod: its run() is subprocess.run() inside, which raises and returns text."""

    def add(self, *addresses, name="net1", more="nodad") -> None:
        """Addresses with their prefix; @more is for those of IPv6."""
        self.batch(*(f"address add {a} dev {name} {more if ':' in a else ''}" for a in addresses))

    def remove(self, *addresses, name="net1") -> None:
        self.batch(*(f"address del {a} dev {name}" for a in addresses))

    def unplug(self, name="net1") -> None:
        self.batch(f"link del {name}")

    def batch(self, *lines) -> None:
        """Lines for `ip -batch`."""
        self.run("ip", "-batch", "-", input="\n".join(lines) + "\n")

    def echoes(self) -> int:
        """Echo requests that it has received, of both families."""
        counters = json.loads(self.run("nstat", "-asjz", "IcmpInEchos", "Icmp6InEchos").stdout)["kernel"]
        return counters["IcmpInEchos"] + counters["Icmp6InEchos"]


class Pod(Inside, Namespace):
    """
    @with_veth: whether it has one into the node
    @name: its file in the node's /run/netns
    """

    def __init__(self, node, with_veth=True, name=None):
        super().__init__(node.node)
        self._node, self._name = node, name
        self._file = f"/run/netns/{name}" if name else None
        if name:
            self._run_in_node("sh", "-ec", f"touch {self._file}; mount --bind {self.path} {self._file}")
        self._veth = veth(node, self) if with_veth else None

    def _run_in_node(self, *argv) -> str:
        return self._node.node.run(argv, check=True, capture_output=True, text=True).stdout

    def plug(self, parent="eth1", name="net1", kind="macvlan", mode="bridge") -> None:
        """An interface above an ENI."""
        self._run_in_node("ip", "link", "add", "link", parent, "name", name, "netns",
                          self.path.split("/")[2], "type", kind, "mode", mode)
        self.batch(f"link set {name} addrgenmode none", f"link set {name} up")

    def route(self, *addresses, name="net1") -> None:
        """Have addresses that answer to other subnets, once the kernel has seen the carrier."""
        self.await_carrier(name)
        self.add(*addresses, name=name)
        self.batch(*(f"route replace default via {'fe80:ec2::1' if ':' in a else '10.0.10.1'} dev {name}"
                     for a in addresses))

    def await_carrier(self, name="net1") -> None:
        until(lambda: self._is_ready(name), f"the carrier of {name}")

    def _is_ready(self, name) -> bool:
        link = json.loads(self.run("ip", "-json", "-details", "link", "show", name).stdout)[0]
        # an ipvlan has no state of its own
        return link["operstate"] == "UP" or link["linkinfo"]["info_kind"] == "ipvlan"

    def owner(self, name="net1") -> str:
        """What the daemon calls it as the owner of an address on that interface."""
        return f"watch:{self._name or f'nsid{self.nsid()}'}/{name}"

    def nsid(self):
        """Its id in the node, or None."""
        if self._veth:
            return link_nsid(self._node, self._veth)
        names = json.loads(self._run_in_node("ip", "-json", "netns", "list"))
        return next(entry for entry in names if entry["name"] == self._name).get("id")

    def close(self) -> None:
        """It ends, unless it has done so already."""
        if self._process.stdin.closed:
            return
        if self._file:
            self._run_in_node("sh", "-ec", f"umount -l {self._file}; rm {self._file}")
        super().close()


class Watching(Registering):
    """A Registering node with the watch, a /run/netns of its own, and its pods."""

    def __init__(self, fleet, *args, **settings):
        super().__init__(fleet, *args, **{"watch": "yes", "release_cooldown": "100ms", **settings})
        self._pods: list = []
        self.node.run(["sh", "-ec", "mount -t tmpfs tmpfs /run; mkdir /run/netns"], check=True)

    def __exit__(self, *exception) -> None:
        for pod in self._pods:
            pod.close()
        super().__exit__(*exception)

    def pod(self, *args, **kw) -> Pod:
        pod = Pod(self, *args, **kw)
        self._pods.append(pod)
        return pod

    def plugged(self, *addresses, parent="eth1", **kw) -> Pod:
        """A pod with net1 above an ENI and these addresses."""
        pod = self.pod(**kw)
        pod.plug(parent)
        pod.add(*addresses)
        return pod

    def wait_owners(self, owners: dict) -> None:
        """Until these have what is registered, and nobody else anything."""
        try:
            until(lambda: self.owners() == owners, str(owners))
        except AssertionError as error:
            raise AssertionError(f"{error}; there is {self.addresses()}") from None

    def lost_events(self) -> int:
        """How often the kernel had no room for what it had to tell the daemon."""
        pid = self.daemon.process.pid
        files = {os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")}
        with open(f"/proc/{pid}/net/netlink", encoding="ascii") as file:
            names, *rows = [line.split() for line in file]
        sockets = [dict(zip(names, row)) for row in rows]
        return sum(int(s["Drops"]) for s in sockets if f"socket:[{s['Inode']}]" in files)

    @contextlib.contextmanager
    def frozen(self):
        """The daemon does nothing meanwhile."""
        self.daemon.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.daemon.process.send_signal(signal.SIGCONT)

    def where(self) -> dict:
        """Of what is wanted and there: address -> interface."""
        return {address: e["interface"] for address, e in self.addresses().items()
                if e["state"] == "wanted" and e["assigned"]}

    def wait_empty(self) -> None:
        """Until nothing is registered, nor on the way out."""
        until(lambda: not self.addresses(), "the release of everything")
