# SPDX-License-Identifier: Apache-2.0
"""The few rtnetlink requests that plugging needs, one message each.

Starting `ip` costs some 5 ms of processor time each; a node that gets 14
devices at once would see them late. A veth pair is made by one message with
its far end born inside the other namespace: moving a device there afterwards
would cost the kernel a grace period, birth does not.
"""

import fcntl
import os
import socket
import struct
import threading

NETLINK_ROUTE = 0
RTM_NEWLINK, RTM_DELLINK, RTM_NEWADDR, RTM_NEWROUTE = 16, 17, 20, 24
NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE, NLM_F_REPLACE = 1, 4, 0x200, 0x400, 0x100
NLMSG_ERROR = 2
IFF_UP = 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINKINFO, IFLA_NET_NS_FD = 1, 3, 4, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DST, RTA_OIF = 1, 4
RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_LINK, RTN_UNICAST = 254, 4, 253, 1
TUNSETIFF, TUNSETPERSIST = 0x400454ca, 0x400454cb
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 2, 0x1000, 0x4000


def _attr(kind: int, data: bytes) -> bytes:
    length = 4 + len(data)
    return struct.pack("=HH", length, kind) + data + b"\0" * (-length % 4)


def _name(text: str) -> bytes:
    return text.encode() + b"\0"


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _ifinfo(flags: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, 0, flags, flags)


def add_tap(name: str) -> None:
    """Make a tap in this thread's namespace that waits for a program to take the other end."""
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("=16sH14x", name.encode(),
                                                IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        fcntl.ioctl(tap, TUNSETPERSIST, 1)
    finally:
        os.close(tap)


class Rtnl:
    """
    A netlink socket in the namespace of the thread that made it; any thread may use it.
    @opened: one that was opened elsewhere, for that namespace
    """

    def __init__(self, opened: socket.socket | None = None):
        self._socket = opened or socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._lock = threading.Lock()
        self._seq = 0

    def close(self) -> None:
        self._socket.close()

    def _talk(self, kind: int, flags: int, payload: bytes) -> None:
        """Send one request and wait for its acknowledgement; raises OSError."""
        with self._lock:
            self._seq += 1
            header = struct.pack("=IHHII", 16 + len(payload), kind,
                                 flags | NLM_F_REQUEST | NLM_F_ACK, self._seq, 0)
            self._socket.send(header + payload)
            reply = self._socket.recv(65536)
        kind, = struct.unpack_from("=H", reply, 4)
        error = struct.unpack_from("=i", reply, 16)[0] if kind == NLMSG_ERROR else 0
        if error:
            raise OSError(-error, os.strerror(-error))

    def add_veth(self, name: str, mac: str, peer: str, peer_mac: str, netns_fd: int) -> None:
        """
        Make a veth pair: @name with @mac here and up, @peer with @peer_mac in the namespace.
        @peer: a name, or a template like "eth%d" for the lowest one that is free
        """
        far = _ifinfo() + _attr(IFLA_IFNAME, _name(peer)) + _attr(IFLA_ADDRESS, _mac(peer_mac)) + \
            _attr(IFLA_NET_NS_FD, struct.pack("=I", netns_fd))
        info = _attr(IFLA_INFO_KIND, b"veth\0") + \
            _attr(IFLA_INFO_DATA, _attr(VETH_INFO_PEER, far))
        self._talk(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
                   _ifinfo(IFF_UP) + _attr(IFLA_IFNAME, _name(name)) +
                   _attr(IFLA_ADDRESS, _mac(mac)) + _attr(IFLA_LINKINFO, info))

    def delete(self, name: str) -> None:
        """Delete a device; a veth's other end goes with it."""
        self._talk(RTM_DELLINK, 0, _ifinfo() + _attr(IFLA_IFNAME, _name(name)))

    def up(self, name: str) -> None:
        self._talk(RTM_NEWLINK, 0, _ifinfo(IFF_UP) + _attr(IFLA_IFNAME, _name(name)))

    def set_up(self, name: str, mac: str, mtu: int) -> None:
        """Give a device its MAC address and MTU and bring it up."""
        self._talk(RTM_NEWLINK, 0, _ifinfo(IFF_UP) + _attr(IFLA_IFNAME, _name(name)) +
                   _attr(IFLA_ADDRESS, _mac(mac)) + _attr(IFLA_MTU, struct.pack("=I", mtu)))

    def add_address(self, device, address) -> None:
        """Give a device, by its name here or its index there, an IPv4 address of its own (/32)."""
        packed = _attr(IFA_LOCAL, address.packed) + _attr(IFA_ADDRESS, address.packed)
        index = device if isinstance(device, int) else socket.if_nametoindex(device)
        head = struct.pack("=BBBBi", socket.AF_INET, 32, 0, 0, index)
        self._talk(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, head + packed)

    def add_host_route(self, name: str, address) -> None:
        """Route one IPv4 address to a device."""
        head = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC,
                           RT_SCOPE_LINK, RTN_UNICAST, 0)
        self._talk(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, head +
                   _attr(RTA_DST, address.packed) +
                   _attr(RTA_OIF, struct.pack("=i", socket.if_nametoindex(name))))
