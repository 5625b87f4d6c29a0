# SPDX-License-Identifier: Apache-2.0
"""Pods of many nodes come at once and share the account's token buckets.

First with EC2's bucket full. Each node has one call under way at a time: the
first pod's goes out at once, the others' together after it. So the floor is two
calls one after the other. Then with what is left in the bucket when others use
the account too: there the floor is one call a node with all its pods, made when
there is a token for it (world.calls_floor).
"""

import contextlib
import tempfile

from ec2sim.node import Topology
from ec2sim.throttle import TABLE

from . import load, world
from .run import Run, cpu_seconds
from .table import Row

N_NODES, N_PODS = 20, 40
RATIO_BUDGET = 1.15
ACTION = "AssignPrivateIpAddresses"
USED_UP = (5.0, 5.0)


class _Fleet:
    """Nodes that are ready, with one interface each; three of them share a subnet."""

    def __init__(self, stack, region, n_nodes: int):
        self.region, self.runs, self._lines = region, [], []
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="multus-eks-bench-"))
        for i in range(n_nodes):
            subnet, place = 1 + i // 3, i % 3
            node = region.launch(world.instance(i + 1, 1, kind="c5n.18xlarge"))
            run = Run(node, world.config(1, first=subnet, cooldown="0"), directory=f"{directory}/{i}")
            self.runs.append(stack.enter_context(run))
            addresses = world.pod_addresses(subnet, N_PODS, place * N_PODS)
            self._lines += [load.put(a) for a in addresses]
        for run in self.runs:
            run.wait_ready()

    def register(self, bucket) -> tuple:
        """All pods at once. Return: seconds to the last answer, the calls, the simulator's share."""
        self.region.control.put("/buckets", {ACTION: bucket})
        self.region.control.clear()
        cpu = cpu_seconds(self.region.pid)
        seconds = load.ask([run.socket_path for run in self.runs], self._lines)["seconds"]
        return (seconds, self.region.control.calls(ACTION),
                (cpu_seconds(self.region.pid) - cpu) / seconds)


def _rows(fleet, what: str, bucket, n_calls: int, budget) -> list:
    n = len(fleet.runs)
    seconds, calls, share = fleet.register(bucket)
    refused = [call for call in calls if call["status"] == 503]
    what = f"{n} nodes x {N_PODS} pods at once{what}"
    return [Row("pod fleet", f"{what}: last answer", "s", seconds, of_ratio=True, budget=budget,
                floor=world.calls_floor(n, n_calls, world.ASSIGN, bucket),
                note=f"{len(refused)} of {len(calls)} calls throttled; "
                f"simulator {100 * share:.0f} % of a core"),
            Row("pod fleet", f"{what}: Assign calls", "", len(calls) - len(refused),
                floor=n_calls * n, budget=2 * n)]


def measure(quick: bool = False) -> list:
    """One fleet for each bucket."""
    n_nodes, rows = 4 if quick else N_NODES, []
    for what, bucket, n_calls, budget in (("", TABLE[ACTION], 2, RATIO_BUDGET),
                                          (", the account's rate used up", USED_UP, 1, None)):
        with Topology(world.scenario()) as region, contextlib.ExitStack() as stack:
            fleet = _Fleet(stack, region, n_nodes)
            region.control.latency(world.LATENCY)
            rows += _rows(fleet, what, bucket, n_calls, budget)
    return rows
