# SPDX-License-Identifier: Apache-2.0
"""DHCP as a subnet of the VPC answers it: to every ENI, its own primary address.

Pure: a packet in, a packet out. That it answers on *every* interface is what
matters to a test: a network manager that takes hold of an interface that is
not its own gets an address there, and a default route.

Limits: no IPv6, no name servers; a lease is never refused and never ends.
"""

import struct

_DISCOVER, _OFFER, _REQUEST, _ACK = 1, 2, 3, 5
_COOKIE = b"\x63\x82\x53\x63"
_FIXED = 236
_MASK, _ROUTER, _MTU, _LEASE, _TYPE, _SERVER, _END = 1, 3, 26, 51, 53, 54, 255
_LEASE_SECONDS = 3600
_JUMBO = 9001
_HEADERS = 28
CLIENT_PORT, SERVER_PORT = 68, 67


def is_request(packet: bytes) -> bool:
    """Whether an IPv4 packet without options is one for a DHCP server."""
    return len(packet) >= _HEADERS + _FIXED + 4 and packet[0] == 0x45 and packet[9] == 17 and \
        packet[22:24] == struct.pack("!H", SERVER_PORT)


def _options(data: bytes) -> dict:
    """Code -> value; what is cut off is left out."""
    found, at = {}, 0
    while at + 1 < len(data) and data[at] != _END:
        if data[at] == 0:
            at += 1
            continue
        end = at + 2 + data[at + 1]
        found[data[at]] = data[at + 2:end]
        at = end
    return found


def _option(code: int, value: bytes) -> bytes:
    return bytes([code, len(value)]) + value


def _checksum(header: bytes) -> int:
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def reply(packet: bytes, address, cidr) -> bytes | None:
    """
    The IPv4 packet that answers a request.
    @address: what the ENI that asks has; @cidr: its subnet
    Return: None for what needs no answer
    """
    request = packet[_HEADERS:]
    asked = _options(request[_FIXED + 4:]).get(_TYPE)
    if request[_FIXED:_FIXED + 4] != _COOKIE or asked not in (b"\x01", b"\x03"):
        return None
    router = cidr.network_address + 1
    options = _option(_TYPE, bytes([_OFFER if asked[0] == _DISCOVER else _ACK]))
    options += _option(_SERVER, router.packed) + _option(_LEASE, struct.pack("!I", _LEASE_SECONDS))
    options += _option(_MASK, cidr.netmask.packed) + _option(_ROUTER, router.packed)
    options += _option(_MTU, struct.pack("!H", _JUMBO)) + bytes([_END])
    # the transaction, the client's hardware address and its flags as they came
    body = b"\x02" + request[1:4] + request[4:8] + b"\0\0" + request[10:12] + bytes(4) + \
        address.packed + router.packed + bytes(4) + request[28:44] + bytes(192) + _COOKIE + options
    udp = struct.pack("!HHHH", SERVER_PORT, CLIENT_PORT, 8 + len(body), 0) + body
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + \
        router.packed + address.packed
    return header[:10] + struct.pack("!H", _checksum(header)) + header[12:] + udp
