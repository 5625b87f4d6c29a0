# SPDX-License-Identifier: Apache-2.0
"""The VPC between the ENIs: who may send what, and who gets it.

One packet socket hears the VPC's ends of all ENIs; each frame is judged by the
model as it is in that moment, so there is no table that could lag behind it:
an address assigned, taken away or moved is so for the next frame, before EC2's
reply has been written. The kernel here forwards nothing; it only terminates
what is meant for the endpoints, which the socket's filter keeps from us.

The VPC is no Ethernet. Nothing is flooded: ARP and neighbour solicitations are
answered from the model, other multicasts go nowhere. A frame must carry its
ENI's MAC and, while the source/destination check is on, one of its addresses;
it reaches the holder of the address it is for, and only if sent to the
holder's MAC (same subnet) or to the router's. As on AWS the router is no hop:
the TTL stays. Probes for a duplicate address are not answered, else a pod
could not take an address over before it has been reassigned. ARP and
solicitations are answered whatever address the asker claims: what an address
that is not its own may not do is send packets.

Frames travel with the kernel's offload header (PACKET_VNET_HDR), so checksums
left to the device and segments larger than the MTU arrive as on a veth.
DHCP is answered on every ENI (dhcp.py). Limits: no security groups, no route
tables, no router advertisements.
"""

import asyncio
import collections
import ctypes
import ipaddress
import socket
import struct

from . import dhcp

ROUTER_MAC = "02:00:0e:c2:00:01"
ROUTER_IPV6 = ipaddress.IPv6Address("fe80:ec2::1")

_ETH_P_ALL, _ETH_P_IP, _ETH_P_ARP, _ETH_P_IPV6 = 0x0003, 0x0800, 0x0806, 0x86dd
_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING, _SO_ATTACH_FILTER = 263, 15, 23, 26
_VNET_HEADER = 10
_ICMPV6, _NS, _NA = 58, 135, 136
_NA_ROUTER, _NA_SOLICITED, _NA_OVERRIDE = 1 << 31, 1 << 30, 1 << 29
_FRAMES_AT_ONCE = 64

_Frame = collections.namedtuple("_Frame", "to sender kind payload")


def _packed(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


_ROUTER = _packed(ROUTER_MAC)


def _filter(addresses) -> bytes:
    """A classic BPF program: everything but IPv4 to one of @addresses."""
    count = len(addresses)
    code = [(0x28, 0, 0, 12), (0x15, 0, count + 1, _ETH_P_IP), (0x20, 0, 0, 30)]
    code += [(0x15, count - i, 0, int(ipaddress.IPv4Address(a))) for i, a in enumerate(addresses)]
    code += [(0x06, 0, 0, 0x40000), (0x06, 0, 0, 0)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def _advertisement(target, to, mac: bytes, flags: int) -> bytes:
    """An IPv6 packet with a neighbour advertisement of @target."""
    body = struct.pack("!BBHI", _NA, 0, 0, flags) + target.packed + b"\x02\x01" + mac
    pseudo = target.packed + to.packed + struct.pack("!II", len(body), _ICMPV6)
    body = body[:2] + struct.pack("!H", _checksum(pseudo + body)) + body[4:]
    return struct.pack("!IHBB", 6 << 28, len(body), _ICMPV6, 255) + \
        target.packed + to.packed + body


class Fabric:
    """
    The frames between the ports of one namespace, that of the thread which makes it.
    @own: IPv4 addresses that the namespace itself serves
    @note: called with "dhcp", eni and mac for each lease given
    `dropped` counts what was not delivered, by reason.
    """

    def __init__(self, world, own=(), note=lambda what, **fields: None):
        self._world, self._note = world, note
        self._ports: dict = {}
        self._names: dict = {}
        self.dropped: collections.Counter = collections.Counter()
        # what is heard before the filter is in place comes from no port yet
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK,
                                     socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        program = _filter(sorted(set(own)))
        buffer = ctypes.create_string_buffer(program, len(program))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack(
            "@HP", len(program) // 8, ctypes.addressof(buffer)))

    def start(self) -> None:
        """Begin to deliver, on the running loop."""
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._on_readable)

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()

    def add_port(self, eni_id: str, port: str) -> None:
        """The VPC's end of an ENI is there, named @port."""
        self._ports[port] = eni_id
        self._names[eni_id] = port

    def remove_port(self, eni_id: str) -> None:
        """The ENI's device goes, or never came."""
        self._ports.pop(self._names.pop(eni_id, None), None)

    # -- a frame -----------------------------------------------------------

    def _on_readable(self) -> None:
        for _ in range(_FRAMES_AT_ONCE):
            try:
                data, where = self._socket.recvfrom(0x20000)
            except BlockingIOError:
                return
            except OSError:
                # a device went down: one notice, then the next frames
                continue
            eni = self._world.enis.get(self._ports.get(where[0]))
            if eni is not None and eni.attachment and len(data) >= _VNET_HEADER + 14:
                reason = self._judge(eni, data)
                if reason:
                    self.dropped[reason] += 1

    def _judge(self, eni, data: bytes) -> str:
        """Answer or deliver what @eni sent. Return "" or why it was dropped."""
        at = _VNET_HEADER
        frame = _Frame(data[at:at + 6], data[at + 6:at + 12],
                       int.from_bytes(data[at + 12:at + 14], "big"), data[at + 14:])
        if frame.sender != _packed(eni.mac):
            return "foreign MAC"
        if frame.kind == _ETH_P_ARP:
            return self._answer_arp(eni, frame.payload)
        if frame.kind == _ETH_P_IP and dhcp.is_request(frame.payload):
            return self._answer_dhcp(eni, frame.payload)
        if frame.kind == _ETH_P_IP and len(frame.payload) >= 20:
            return self._deliver(eni, frame, data, ipaddress.IPv4Address(frame.payload[12:16]),
                                 ipaddress.IPv4Address(frame.payload[16:20]))
        if frame.kind == _ETH_P_IPV6 and len(frame.payload) >= 40:
            if frame.payload[6] == _ICMPV6 and len(frame.payload) >= 64 and \
                    frame.payload[40] in (_NS, _NA):
                return self._answer_nd(eni, frame.payload)
            return self._deliver(eni, frame, data, ipaddress.IPv6Address(frame.payload[8:24]),
                                 ipaddress.IPv6Address(frame.payload[24:40]))
        return "not IP"

    def _holder(self, subnet, address):
        """The ENI of @subnet to which an address is assigned, or None."""
        pool = subnet.pool_of(address)
        return self._world.enis.get(pool.holders.get(address)) if pool else None

    def _deliver(self, eni, frame: _Frame, data: bytes, source, destination) -> str:
        if frame.to[0] & 1:
            return "multicast"
        if eni.source_dest_check and source not in self._world.addresses_of(eni, source):
            return "foreign source"
        routed = frame.to == _ROUTER
        target = self._find(eni, frame.to, routed, destination)
        if target is None:
            return "no holder"
        sender = _ROUTER if routed else frame.sender
        return self._send(target, data[:_VNET_HEADER] + _packed(target.mac) + sender +
                          data[_VNET_HEADER + 12:], frame.kind)

    def _find(self, eni, to: bytes, routed: bool, destination):
        """The ENI that is to get a packet for @destination sent to the MAC @to, or None."""
        world = self._world
        if routed:
            subnets = [s for s in world.subnets.values() if s.vpc_id == eni.vpc_id]
            holders = (self._holder(subnet, destination) for subnet in subnets)
            return next((holder for holder in holders if holder is not None), None)
        target = self._holder(world.subnets[eni.subnet_id], destination)
        if target is not None:
            return target if _packed(target.mac) == to else None
        # one whose check is off gets whatever is sent to its MAC
        return next((e for e in world.enis.values() if not e.source_dest_check and
                     e.subnet_id == eni.subnet_id and _packed(e.mac) == to), None)

    def _send(self, target, data: bytes, kind: int) -> str:
        port = self._names.get(target.id)
        if port is None or target.attachment is None:
            return "no device"
        # the device may go in this very moment, or its queue be full: a network loses frames
        try:
            self._socket.sendto(data, (port, kind))
        except OSError as error:
            return f"not sent: {error.strerror}"
        return ""

    def _answer_dhcp(self, eni, request: bytes) -> str:
        answer = dhcp.reply(request, eni.primary_ip, self._world.subnets[eni.subnet_id].cidr)
        if answer is None:
            return "no DHCP request to answer"
        self._note("dhcp", eni=eni.id, mac=eni.mac)
        return self._send(eni, bytes(_VNET_HEADER) + _packed(eni.mac) + _ROUTER + b"\x08\0" + answer,
                          _ETH_P_IP)

    # -- who has an address ------------------------------------------------

    def _mac_of(self, eni, address):
        """What the VPC tells @eni of an address of its subnet: a MAC, or None."""
        subnet = self._world.subnets[eni.subnet_id]
        if address in (subnet.cidr.network_address + 1, ROUTER_IPV6):
            return _ROUTER
        holder = self._holder(subnet, address)
        return None if holder is None or holder is eni else _packed(holder.mac)

    def _answer_arp(self, eni, arp: bytes) -> str:
        if len(arp) < 28 or arp[:8] != b"\0\x01\x08\0\x06\x04\0\x01":
            return "not an ARP request"
        sender, target = arp[14:18], arp[24:28]
        if sender == target or sender == b"\0\0\0\0":
            return "announcement or probe"
        mac = self._mac_of(eni, ipaddress.IPv4Address(target))
        if mac is None:
            return "nobody to answer"
        to = _packed(eni.mac)
        reply = to + mac + b"\x08\x06" + arp[:6] + b"\0\x02" + mac + target + to + sender
        return self._send(eni, bytes(_VNET_HEADER) + reply, _ETH_P_ARP)

    def _answer_nd(self, eni, packet: bytes) -> str:
        sender = ipaddress.IPv6Address(packet[8:24])
        target = ipaddress.IPv6Address(packet[48:64])
        if packet[40] != _NS or sender.is_unspecified:
            return "announcement or probe"
        mac = self._mac_of(eni, target)
        if mac is None:
            return "nobody to answer"
        flags = _NA_SOLICITED | _NA_OVERRIDE | (_NA_ROUTER if mac == _ROUTER else 0)
        reply = _packed(eni.mac) + mac + b"\x86\xdd" + _advertisement(target, sender, mac, flags)
        return self._send(eni, bytes(_VNET_HEADER) + reply, _ETH_P_IPV6)
