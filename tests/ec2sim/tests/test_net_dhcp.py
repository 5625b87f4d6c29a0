# SPDX-License-Identifier: Apache-2.0
"""DHCP: what a client that asks for anything gets, and what is not answered."""

import ipaddress
import struct

import pytest
from ec2sim import dhcp

ADDRESS, CIDR = ipaddress.ip_address("10.0.10.7"), ipaddress.ip_network("10.0.10.0/24")
XID, MAC = b"\x12\x34\x56\x78", bytes.fromhex("0214aa0b0c0d")
DISCOVER, OFFER, REQUEST, ACK, RELEASE = 1, 2, 3, 5, 7


def asked(kind: int, port: int = 67, cookie: bytes = b"\x63\x82\x53\x63", more: bytes = b"") -> bytes:
    """A client's packet; @more: options before the message type."""
    body = b"\x01\x01\x06\0" + XID + bytes(4) + bytes(16) + MAC + bytes(10 + 192) + cookie + \
        more + bytes([53, 1, kind, 255])
    udp = struct.pack("!HHHH", 68, port, 8 + len(body), 0) + body
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4),
                       b"\xff" * 4) + udp


def options(packet: bytes) -> dict:
    found, rest = {}, packet[28 + 240:]
    while rest[0] != 255:
        found[rest[0]], rest = rest[2:2 + rest[1]], rest[2 + rest[1]:]
    return found


@pytest.mark.parametrize("kind, answer", [(DISCOVER, OFFER), (REQUEST, ACK)])
@pytest.mark.parametrize("more", [b"", b"\0\0\x37\x02\x01\x03"], ids=["alone", "padded"])
def test_the_primary_address(kind, answer, more):
    request = asked(kind, more=more)
    assert dhcp.is_request(request)
    reply = dhcp.reply(request, ADDRESS, CIDR)
    assert reply[12:20] == ipaddress.ip_address("10.0.10.1").packed + ADDRESS.packed
    assert sum(struct.unpack("!10H", reply[:20])) % 0xffff == 0
    assert struct.unpack("!HHH", reply[20:26]) == (67, 68, len(reply) - 20)
    assert (reply[28], reply[32:36], reply[44:48], reply[56:62]) == (2, XID, ADDRESS.packed, MAC)
    got = options(reply)
    assert got[53] == bytes([answer]) and got[1] == CIDR.netmask.packed
    assert got[3] == got[54] == ipaddress.ip_address("10.0.10.1").packed


def test_what_is_not_answered():
    assert dhcp.reply(asked(RELEASE), ADDRESS, CIDR) is None
    assert dhcp.reply(asked(DISCOVER, cookie=bytes(4)), ADDRESS, CIDR) is None
    cut = asked(DISCOVER)[:-2]
    assert dhcp.is_request(cut) and dhcp.reply(cut, ADDRESS, CIDR) is None
    assert not dhcp.is_request(asked(DISCOVER, port=68))
    assert not dhcp.is_request(asked(DISCOVER)[:100])
