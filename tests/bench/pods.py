# SPDX-License-Identifier: Apache-2.0
"""Pods on a node of the bench, whose addresses are set without a program in between.

A pod is a namespace with a veth pair into the node, as the VPC CNI gives one to
each, and a macvlan above an interface of ours. What is asked of the kernel goes
over a netlink socket that was opened in the pod and handed out: to start `ip`
takes longer than what is measured.
"""

import ipaddress
import json
import socket
import subprocess
import time

from cnichain import Namespace
from ec2sim.node import PYTHON
from ec2sim.rtnl import Rtnl

_OPEN = """
import socket
opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
socket.send_fds(socket.socket(fileno=0), [b"x"], [opened.fileno()])
"""


def own_run(node) -> None:
    """The node has a /run of its own, in which no other's namespaces have names."""
    node.run(["sh", "-ec", "mount -t tmpfs tmpfs /run; mkdir /run/netns"], check=True)


class Pod(Namespace):
    """
    @number: unlike that of any other pod of the node
    @mode: of its macvlan; "passthru" has the ENI's MAC, so that the VPC delivers to it
    """

    def __init__(self, node, number: int, ifname: str = "eth1", mode: str = "bridge"):
        super().__init__(node)
        pid = self.path.split("/")[2]
        node.run(["ip", "-batch", "-"], check=True, text=True, input=(
            f"link add v{number} type veth peer name eth0 netns {pid}\n"
            f"link add link {ifname} name net1 netns {pid} type macvlan mode {mode}\n"))
        self.run("sh", "-c", "ip link set net1 addrgenmode none; ip link set net1 up")
        self.index = json.loads(self.run("ip", "-json", "link", "show", "net1").stdout)[0]["ifindex"]
        self._rtnl = Rtnl(self._open_socket())

    def _open_socket(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            subprocess.run([*self.enter(), PYTHON, "-ISc", _OPEN], stdin=theirs, check=True)
            _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        return socket.socket(fileno=fds[0])

    def add(self, address: str) -> int:
        """Give it an address. Return: CLOCK_MONOTONIC of the moment before, in nanoseconds."""
        packed, now = ipaddress.ip_address(address), time.monotonic_ns()
        self._rtnl.add_address(self.index, packed)
        return now

    def close(self) -> None:
        self._rtnl.close()
        super().close()
