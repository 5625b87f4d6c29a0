# SPDX-License-Identifier: Apache-2.0
"""From the daemon's 200 to the pod's first answer to a host of another subnet.

The pod has the address and a route before it is registered, and the host sends
an echo each millisecond; those before EC2 has assigned the address are lost.
"""

import contextlib

from ec2sim.node import Topology
from ec2sim.probe import Probe, hasten

from . import world
from .appear import Node
from .table import row_of

N_ADDRESSES = 10
BUDGET_MS = 10


def measure(quick: bool = False) -> list:
    addresses = world.pod_addresses(1, 2 if quick else N_ADDRESSES)
    took = []
    with Topology(world.scenario()) as region, contextlib.ExitStack() as stack:
        node = Node(stack, region, 1, watch="no", mode="passthru")
        host = region.add_host(world.subnet_id(2))
        hasten(region.pid)
        region.control.latency(world.LATENCY)
        for address in addresses:
            node.pod.add(address)
            node.pod.run("ip", "route", "replace", "default", "via", "10.0.101.1", "dev", "net1", "onlink")
            with Probe(host, address) as probe:
                begun, registered = node.put(address)
                # one more has gone the whole way before the probe ends
                host.run(["ping", "-q", "-c", "1", "-W", "1", address], check=True, capture_output=True)
            assert not probe.answered(end=begun)
            took.append((min(at for at in probe.answered() if at >= registered) - registered) / 1e6)
    return [row_of(took, "route", "200 for an address -> its pod answers another subnet", "ms",
                   budget=BUDGET_MS, note=f"{len(took)} addresses")]
