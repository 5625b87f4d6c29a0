# SPDX-License-Identifier: Apache-2.0
"""The interface's own address on the host, where pods have addresses on the interface too."""

import pytest

from registering import ETH1, Registering

CONFIG = f"{ETH1}host_address = yes\n"
V4, V6 = "10.0.10.200", ["2001:db8:e2c:10::a1", "2001:db8:e2c:10::a2"]


def on_the_host(node) -> set:
    """The addresses of its eth1."""
    return {a["local"] for a in node.node.links()["eth1"]["addr_info"] if a["scope"] == "global"}


def exchange(path, one, other) -> None:
    """What was registered for one address was registered for the other one."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    assert f'"{one}"' in text and f'"{other}"' not in text
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(f'"{one}"', f'"{other}"'))


@pytest.mark.parametrize("pods_first", [False, True])
def test_reboot(pods, pods_first):
    """EC2 does not say which IPv6 address is the interface's own, nor that it shows it first."""
    with Registering(pods, CONFIG) as node:
        eni = node.eni()
        own = eni["ipv6"][0]
        assert on_the_host(node) == {eni["ipv4"][0], own}
        for address in (V4, *V6):
            assert node.put(address).status == 200
        assert node.eni()["ipv6"] == [own, *V6]
        node.reboot()
        if pods_first:
            exchange(node.store, V6[0], own)
            own = V6[0]
        node.start()
        assert on_the_host(node) == {eni["ipv4"][0], own}
        assert node.in_ec2_6() >= {own}


def test_none_left(pods):
    """Another node has taken the interface's own: what is left are pods'."""
    with Registering(pods, CONFIG) as node, Registering(pods) as other:
        eni = node.eni()
        assert node.put(V6[0]).status == other.put(eni["ipv6"][0]).status == 200
        assert node.eni()["ipv6"] == V6[:1]
        node.reboot()
        node.start()
        assert on_the_host(node) == {eni["ipv4"][0]}
