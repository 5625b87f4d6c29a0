# SPDX-License-Identifier: Apache-2.0
"""What the kernel tells of a node's links while a daemon runs.

A netlink socket that is opened in the node and handed out, so that a link that
was down for a moment, or had another name for a moment, is seen as well.
"""

import select
import socket
import struct
import time

from ec2sim.node import PYTHON

RTM_NEWLINK, RTM_DELLINK = 16, 17
IFLA_IFNAME, IFLA_MTU = 3, 4
IFF_UP = 1

_OPEN = """
import socket
link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
link.bind((0, 1))
socket.send_fds(socket.socket(fileno=3), [b"x"], [link.fileno()])
"""


def _attributes(data: bytes) -> dict:
    found, at = {}, 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            break
        found[kind & 0x3fff] = data[at + 4:at + length]
        at += (length + 3) & ~3
    return found


class LinkWatch:
    """Listens from its making on. A context manager."""

    def __init__(self, node):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = node.popen([PYTHON, "-ISc", _OPEN], {"pass": theirs})
            _, fds, _, _ = socket.recv_fds(ours, 1, 1)
            assert process.wait() == 0
        self._socket = socket.socket(fileno=fds[0])
        self._socket.setblocking(False)

    def __enter__(self):
        return self

    def __exit__(self, *_exception) -> None:
        self._socket.close()

    def _messages(self):
        while True:
            try:
                data = self._socket.recv(1 << 20)
            except BlockingIOError:
                return
            at = 0
            while at + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                yield kind, data[at + 16:at + length]
                at += (length + 3) & ~3

    def wait_for(self, condition, timeout=10.0) -> None:
        """Wait until condition() is true; it is asked again whenever the kernel tells something."""
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self._socket], [], [], left)[0], "nothing came of it"
            self.states()

    def states(self) -> set:
        """
        Every state of any link that was told of since the last call:
        (name, up, MTU), or (ifindex, "gone").
        """
        states = set()
        for kind, body in self._messages():
            _, _, index, flags, _ = struct.unpack_from("=BxHiII", body)
            if kind == RTM_DELLINK:
                states.add((index, "gone"))
            elif kind == RTM_NEWLINK:
                attributes = _attributes(body[16:])
                name = attributes[IFLA_IFNAME].rstrip(b"\0").decode()
                mtu, = struct.unpack("=I", attributes.get(IFLA_MTU, b"\0\0\0\0"))
                states.add((name, bool(flags & IFF_UP), mtu))
        return states


def states_of(links: dict) -> set:
    """The present states of a node's links (SimNode.links()), in the same form."""
    return {(name, "UP" in link["flags"], link["mtu"]) for name, link in links.items()}


def lasting(links: dict) -> dict:
    """
    What of a node's links only somebody's request changes; not the operational
    state and not an IPv6 address's way through duplicate address detection,
    which the kernel goes on with by itself.
    """
    return {name: {"index": link["ifindex"], "mac": link["address"], "mtu": link["mtu"],
                   "up": "UP" in link["flags"], "altnames": link.get("altnames", []),
                   "addresses": [(a["local"], a["prefixlen"]) for a in link["addr_info"]
                                 if a["scope"] != "link"]}
            for name, link in links.items()}
