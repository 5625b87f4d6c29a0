# SPDX-License-Identifier: Apache-2.0
"""The interface's own address on the host, where pods have addresses on the interface too."""

import json

import pytest

from registering import ETH1, Registering

CONFIG = f"{ETH1}host_address = yes\n"
V4, V6 = "10.0.10.200", ["2001:db8:e2c:10::a1", "2001:db8:e2c:10::a2"]


def on_the_host(node) -> set:
    """The addresses of its eth1."""
    return {a["local"] for a in node.node.links()["eth1"]["addr_info"] if a["scope"] == "global"}


def change(path, deed) -> None:
    """Something else is in the file."""
    with open(path, encoding="utf-8") as file:
        memory = json.load(file)
    deed(memory)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(memory, file)


@pytest.mark.parametrize("how", ["as it was", "pods first", "not in the file"])
def test_reboot(pods, how):
    """EC2 does not say which IPv6 address is the interface's own, nor that it shows it first."""
    def pods_first(memory):
        """What EC2 shows first is a pod's, and which is the own one was never noted."""
        del memory["own"]
        for entry in memory["addresses"]:
            entry["address"] = own if entry["address"] == V6[0] else entry["address"]

    def not_in_the_file(memory):
        """What EC2 shows first was left by a daemon that was killed; the own one is noted."""
        memory["addresses"] = []
        memory["own"][0]["address"] = V6[0]

    with Registering(pods, CONFIG) as node:
        eni = node.eni()
        own = eni["ipv6"][0]
        assert on_the_host(node) == {eni["ipv4"][0], own}
        for address in (V4, *V6):
            assert node.put(address).status == 200
        assert node.eni()["ipv6"] == [own, *V6]
        node.reboot()
        if how != "as it was":
            change(node.store, pods_first if how == "pods first" else not_in_the_file)
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
