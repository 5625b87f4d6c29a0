# SPDX-License-Identifier: Apache-2.0
"""Devices that come in any order, by names that other links want.

The kernel hands out the lowest free ethN; the primary interface has eth0 here,
so that each of the four devices comes as eth1, eth2, eth3 or eth4, and only in
one order of 24 by its own name.
"""

import itertools

import pytest
from ec2sim.node import Topology

from fleet import PRIMARY_SUBNET, Fleet
from harness import SUBNETS

NETWORKS = f"[network]\nsubnets = {', '.join([*SUBNETS, PRIMARY_SUBNET])}\n" \
           "security_groups = sg-0000000000000a115\n"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Topology(nodes=(), name="eth0") as region:
        yield Fleet(region, tmp_path_factory.mktemp("nodes"))


def check_names(fleet, node) -> None:
    links = node.links()
    enis = fleet.interfaces(node)
    assert [e["subnet_id"] for e in enis] == [*SUBNETS, PRIMARY_SUBNET]
    for number, eni in enumerate(enis, 1):
        link = links[f"eth{number}"]
        assert (link["address"], "UP" in link["flags"]) == (eni["mac"], True)
        assert eni["id"] in link["altnames"]
    assert links["eth0"]["address"] == node.mac
    assert len(links) == 6  # and lo


@pytest.mark.parametrize("order", itertools.permutations((1, 2, 3, 4)),
                         ids=lambda order: "".join(map(str, order)))
def test_any_order(fleet, order):
    fleet.control.plug(order=order)
    node = fleet.launch()
    daemon = fleet.daemon(node, NETWORKS)
    daemon.start()
    daemon.wait_ready()

    plugged = [e for e in fleet.control.events()
               if e["event"] == "plug" and e["instance"] == node.instance_id]
    assert tuple(e["index"] for e in plugged) == order
    check_names(fleet, node)
    assert daemon.stop() == 0

    # the same after a reboot, when all devices are there before the daemon
    fleet.control.plug(order=order[::-1])
    daemon.move(fleet.region.reboot(node.instance_id))
    daemon.start()
    daemon.wait_ready()
    check_names(fleet, daemon.node)
    assert daemon.stop() == 0
    fleet.retire(daemon.node)
