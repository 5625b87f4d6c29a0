# SPDX-License-Identifier: Apache-2.0
"""A start in which an interface fails, or is not configured, forgets nothing of what is registered on it."""

import pytest

from cnichain import invoke
from harness import SUBNETS
from registering import ASSIGN, UNASSIGN, Registering, until, with_registration
from watching import Watching

ADDRESS, OTHER, ELSEWHERE = "10.0.20.201", "10.0.20.202", "10.0.10.201"
OWNER = "cni:media/c0ffee/net1"
NONE = "[discovery]\ntags = no\n"
NETWORKS = ("[daemon]\non_failure = continue\n" + NONE +
            f"[network oam]\nsubnets = {SUBNETS[0]}\nsecurity_groups = sg-0000000000000a115\n"
            f"[network media]\nsubnets = {SUBNETS[1]}\nsecurity_groups = sg-0000000000000a115\n")


def without_media(node, how, **settings):
    """The daemon runs anew, and does not have the interface of network media."""
    node.control.deny(*["ec2:ModifyNetworkInterfaceAttribute"] if how == "failed" else [])
    node.daemon.kill()
    networks = {"failed": NETWORKS + "source_dest_check = no\n", "not configured": NONE,
                "no plan": NETWORKS.replace(SUBNETS[0], "subnet-0000000000000dead")}[how]
    node.daemon.configure(with_registration(networks, **settings))
    node.daemon.start()
    until(node.daemon.is_ready, "ready")
    node.control.deny()


def with_media(node, **settings):
    """And again, with all of them."""
    node.daemon.kill()
    node.daemon.configure(with_registration(NETWORKS, **settings))
    node.start()


def media(node) -> set:
    """Addresses on its interface in EC2, but its own."""
    return set(node.eni("media")["ipv4"]) & {ADDRESS, OTHER}


@pytest.mark.parametrize("how", ["failed", "not configured", "no plan"])
def test_kept(pods, how):
    settings = {"release_cooldown": "0s"}
    with Registering(pods, NETWORKS, **settings) as node:
        assert node.put(ADDRESS, OWNER).status == 200
        assert node.put(OTHER, "cni:media/dead/net1").status == 200
        node.control.clear()
        without_media(node, how, **settings)
        entry = node.addresses()[ADDRESS]
        assert (entry["interface"], entry["assigned"], entry["owner"]) == (None, None, OWNER)
        # a pod on it ends meanwhile
        config = {"cniVersion": "1.0.0", "name": "media", "type": "multus-eks-ip", "master": "media",
                  "socket": node.daemon.socket_path}
        invoke("DEL", config, {"CNI_CONTAINERID": "dead", "CNI_IFNAME": "net1"})
        assert media(node) == {ADDRESS, OTHER}
        with_media(node, **settings)
        until(lambda: media(node) == {ADDRESS}, "the end of what was given back")
        assert node.owners() == {ADDRESS: OWNER}
        assert len(node.calls(UNASSIGN)) == 1


@pytest.mark.parametrize("noticed", [False, True])
def test_moved_away(pods, noticed):
    """A pod has it still that another node's has taken: it is not taken back."""
    settings = {"watch": "yes", "release_cooldown": "0s"}
    with Watching(pods, NETWORKS) as node, Watching(pods, NETWORKS) as other:
        old, new = node.plugged(f"{ADDRESS}/32", parent="eth2"), other.plugged(parent="eth2")
        node.wait_owners({ADDRESS: old.owner()})
        new.add(f"{ADDRESS}/32")
        other.wait_owners({ADDRESS: new.owner()})
        node.age(120)
        if noticed:
            node.restart()
            until(lambda: not node.addresses(), "the end of what has moved away")
        without_media(node, "failed", **settings)
        # the watch has seen what there is
        third = node.plugged(f"{ELSEWHERE}/32")
        until(lambda: node.owners() == {ELSEWHERE: third.owner()}, "an address of another network")
        node.control.clear()
        with_media(node, **settings)
        old.add(f"{OTHER}/32")
        until(lambda: OTHER in node.owners(), "an address of the same pod")
        assert media(node) == {OTHER}
        assert media(other) == {ADDRESS}
        assert [call["code"] for call in node.calls(ASSIGN)].count(None) == 1
