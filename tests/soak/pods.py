# SPDX-License-Identifier: Apache-2.0
"""Pods of a node: network namespaces with a name and an interface above one of the node's.

macvlan stands for ipvlan, which not every kernel has: to the watch both are an
interface whose IFLA_LINK is ours.
"""

import subprocess

PARENT = "eth3"


def is_macvlan_there() -> bool:
    """Whether this kernel has it."""
    script = "ip link add v0 type veth peer name v1 && ip link add link v0 name m0 type macvlan"
    return subprocess.run(["unshare", "-Urn", "sh", "-c", script], capture_output=True,
                          check=False).returncode == 0


class Pods:
    """
    @node: whose /run is its own, so that its names of namespaces are
    """

    def __init__(self, node):
        self._node = node
        self._addresses = {}

    def add(self, pod, address) -> None:
        """The pod, if it is new, and an address on it."""
        if pod not in self._addresses:
            self._node.run(["ip", "netns", "add", pod], check=True)
            self._node.run(["ip", "link", "add", "link", PARENT, "name", "net1", "netns", pod, "type",
                            "macvlan",
                            "mode", "bridge"], check=True)
            self._node.run(["ip", "-n", pod, "link", "set", "net1", "up"], check=True)
            self._addresses[pod] = []
        self._change(pod, "add", address)
        self._addresses[pod].append(address)

    def remove(self, pod, address) -> None:
        self._change(pod, "delete", address)
        self._addresses[pod].remove(address)

    def end(self, pod) -> None:
        self._node.run(["ip", "netns", "delete", pod], check=True)
        del self._addresses[pod]

    def _change(self, pod, what, address) -> None:
        length, words = (128, ["nodad"] if what == "add" else []) if ":" in address else (32, [])
        self._node.run(["ip", "-n", pod, "address", what, f"{address}/{length}", "dev", "net1", *words],
                       check=True)

    # -- what there is -----------------------------------------------------

    def tentative(self) -> str:
        """Addresses, the kernel's own too, whose duplicate detection is under way: it tells of its end."""
        show = ["-6", "-o", "address", "show", "tentative"]
        return "".join(self._node.run(["ip", "-n", pod, *show], check=True, capture_output=True,
                                      text=True).stdout for pod in self._addresses)

    def names(self) -> list:
        return list(self._addresses)

    def of(self, pod) -> list:
        """Its addresses; none if there is no such pod."""
        return list(self._addresses.get(pod, []))

    def having(self, address) -> list:
        """Owners, as the watch names them, of those that have the address."""
        return [owner_of(pod) for pod, addresses in self._addresses.items() if address in addresses]


def owner_of(pod) -> str:
    return f"watch:{pod}/net1"
