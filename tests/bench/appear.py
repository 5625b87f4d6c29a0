# SPDX-License-Identifier: Apache-2.0
"""An address appears in a pod: how long until EC2 is asked to assign it?

From before the kernel is told of the address until the simulator has read and
verified the call; what it needs for that (1 ms) is not taken off. Nothing else
is under way on the node. Beside it the same for a PUT over the socket.
"""

import contextlib
import http.client
import itertools
import json
import socket
import statistics
import time

from ec2sim.node import Topology

from . import world
from .pods import Pod, own_run
from .run import Run
from .table import Row

#: a daemon makes 50 calls of a kind at once, and then five a second: more would wait for that
N_NODES, N_EACH = 8, 25
INTERVAL = 0.02
P99_BUDGET_MS = 5


class Node:
    """A node with a pod, and a connection to its daemon. @mode: of the pod's macvlan"""

    def __init__(self, stack, region, number: int, watch: str = "yes", mode: str = "bridge"):
        node = region.launch(world.instance(number, 1, kind="x9.wide"))
        own_run(node)
        self.run = stack.enter_context(Run(node, world.config(1, first=number, watch=watch)))
        self.run.wait_ready()
        node.await_up("eth1")
        self.pod = stack.enter_context(contextlib.closing(Pod(node, 1, mode=mode)))
        self._socket = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        self._socket.connect(self.run.socket_path)
        addresses = world.pod_addresses(number, 2 * N_EACH)
        self.in_pod, self.by_put = addresses[:N_EACH], addresses[N_EACH:]

    def put(self, address: str) -> tuple:
        """Return: CLOCK_MONOTONIC of the moments before and after, in nanoseconds."""
        body = json.dumps({"owner": "pod"})
        request = f"PUT /v1/addresses/{address} HTTP/1.1\r\nHost: localhost\r\n" \
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        now = time.monotonic_ns()
        self._socket.send(request)
        reply = http.client.HTTPResponse(self._socket)
        reply.begin()
        reply.read()
        then = time.monotonic_ns()
        assert reply.status == 200
        return now, then


def _on_the_wire(region) -> dict:
    """Address -> CLOCK_MONOTONIC in nanoseconds at which EC2 was asked for it."""
    return {value: call["ns"] for call in region.control.calls("AssignPrivateIpAddresses")
            for key, value in call["params"].items() if key.startswith("PrivateIpAddress.")}


def _rows(what: str, begun: dict, wire: dict, budget=None, floor=None) -> list:
    """@budget: of the 99th percentile; @floor: of the median"""
    took = sorted((wire[address] - at) / 1e6 for address, at in begun.items())
    p99 = took[len(took) * 99 // 100]
    return [Row("watch", f"{what}: median", "ms", statistics.median(took), took[-1],
                floor=floor, runs=took, note=f"{len(took)} addresses"),
            Row("watch", f"{what}: p99", "ms", p99, budget=budget)]


def measure(quick: bool = False) -> list:
    """Several nodes in turns, so that each has its rest."""
    n_each = 5 if quick else N_EACH
    with Topology(world.scenario()) as region, contextlib.ExitStack() as stack:
        nodes = [Node(stack, region, number) for number in range(1, N_NODES + 1)]
        region.control.latency({name: 0.0 for name in world.LATENCY})
        appeared, asked = {}, {}
        for i, node in itertools.product(range(n_each), nodes):
            appeared[node.in_pod[i]] = node.pod.add(node.in_pod[i])
            time.sleep(INTERVAL)
            asked[node.by_put[i]], _ = node.put(node.by_put[i])
            time.sleep(INTERVAL)
        wire = _on_the_wire(region)
    put = _rows("PUT -> Assign on the wire", asked, wire)
    return put + _rows("address in a pod -> Assign on the wire", appeared, wire, P99_BUDGET_MS,
                       statistics.median(put[0].runs))
