# SPDX-License-Identifier: Apache-2.0
"""Many addresses on one node: how long, with how many calls, in how much memory.

All requests are sent in one moment, each on a connection of its own that is
there already. The floor of the time is two calls of EC2 one after the other:
the first request goes out at once, since nobody knows what will come, and
what came meanwhile goes out together.
"""

import json
import tempfile
import time

from ec2sim.node import Topology
from registering import until

from . import load, world
from .run import Run, cpu_seconds, memory, parts
from .table import Row, row_of

N_PODS = 50
FLOOR = 2 * world.ASSIGN
SLACK = 0.020
RATIO_BUDGET = 1.15
#: the interface's own address counts against the instance type's limit
N_ENIS, PER_ENI = 15, 49
N_MEMORY, MEMORY_BUDGET_MIB = 1000, 12
#: five bytes a round: the allocator finds its level, a leak of the smallest piece is thirty-two
N_ROUNDS, GROWTH_BUDGET_KIB = 100_000, 512
ROUND_CONNECTIONS = 250


def _registered(run) -> int:
    return len(run.get("/v1/addresses")["addresses"])


def _assigned(region) -> list:
    return [call for call in region.control.calls() if call["action"].startswith("Assign")]


def _pods_rows(region, quick: bool) -> list:
    """One interface. The addresses are given back between the runs."""
    node = region.launch(world.instance(1, 1, kind="x9.wide"))
    addresses = world.pod_addresses(1, N_PODS)
    runs, calls = [], []
    with Run(node, world.config(1, cooldown="0")) as run:
        run.wait_ready()
        for _ in range(1 if quick else 5):
            region.control.put("/buckets", {})
            region.control.clear()
            runs.append(load.ask(run.socket_path, [load.put(a) for a in addresses])["seconds"])
            calls.append(len(_assigned(region)))
            load.ask(run.socket_path, [load.delete(a) for a in addresses])
            until(lambda: _registered(run) == 0, "the release")
    region.control.delete(f"/instances/{node.instance_id}")
    what = f"{N_PODS} pods at once on one ENI"
    return [row_of(runs, "pods", f"{what}: last answer", "s", floor=FLOOR, budget=FLOOR + SLACK,
                   note="PUT on 50 connections; a type with more than 50 addresses an interface"),
            row_of(calls, "pods", f"{what}: Assign calls", "", floor=2, budget=2)]


def _post(pod: int) -> str:
    """A pod's addresses, one on each interface, in one request."""
    body = {"owner": f"pod-{pod}", "addresses": [
        {"address": world.pod_addresses(n, 1, pod)[0]} for n in range(1, N_ENIS + 1)]}
    return f"POST /v1/addresses {json.dumps(body)}"


def _full_node_rows(region, run) -> list:
    """Every interface as full as its type allows."""
    region.control.put("/buckets", {})
    region.control.clear()
    seconds = load.ask(run.socket_path, [_post(pod) for pod in range(PER_ENI)])["seconds"]
    calls = len(_assigned(region))
    assert _registered(run) == N_ENIS * PER_ENI
    what = f"{N_ENIS * (PER_ENI + 1)} addresses on {N_ENIS} ENIs"
    return [Row("pods", f"{what}: last answer", "s", seconds, floor=FLOOR, of_ratio=True,
                budget=RATIO_BUDGET, note=f"{PER_ENI} POSTs of {N_ENIS}; p4d.24xlarge, 50 an ENI "
                "with its own, 2 network cards"),
            Row("pods", f"{what}: Assign calls", "", calls, floor=2 * N_ENIS, budget=2 * N_ENIS)]


def _memory_row(run) -> Row:
    """The same node, with IPv6 addresses up to N_MEMORY in all."""
    missing = N_MEMORY - _registered(run)
    lines = [load.put(a) for n in range(1, N_ENIS + 1)
             for a in world.pod_addresses6(n, missing // N_ENIS + 1)]
    load.ask(run.socket_path, lines[:missing])
    assert _registered(run) == N_MEMORY
    usage = memory(run.process.pid)
    return Row("memory", f"resident with {N_MEMORY} registrations", "MiB", usage["Rss"] / 1024,
               budget=MEMORY_BUDGET_MIB, note=parts(usage))


def _full_node(region) -> list:
    node = region.launch(world.instance(2, N_ENIS))
    with Run(node, world.config(N_ENIS)) as run:
        run.wait_ready()
        rows = [*_full_node_rows(region, run), _memory_row(run)]
    region.control.delete(f"/instances/{node.instance_id}")
    return rows


def _rounds(run, n_rounds: int) -> None:
    """
    Pods of two IPv4 and two IPv6 addresses come, and go when they have them; then come again with
    others, so that an address has left EC2 before its turn comes again.
    """
    n_pods = 2 * ROUND_CONNECTIONS
    addresses = [*world.wide_pod_addresses(2 * n_pods),
                 *world.pod_addresses6(world.WIDE_SUBNET, 2 * n_pods)]
    lines = []
    for pod in range(n_pods):
        own, owner = addresses[pod::n_pods], f"pod-{pod}"
        body = {"owner": owner, "addresses": [{"address": a} for a in own]}
        lines.append(f"POST /v1/addresses {json.dumps(body)}")
        lines += [load.delete(a, owner) for a in own]
    load.ask(run.socket_path, lines, ROUND_CONNECTIONS, n_rounds // len(addresses))
    until(lambda: _registered(run) == 0, "the last release")


def _growth_rows(region, quick: bool) -> list:
    """
    Memory after the rounds, when nothing is registered, against that after a fifth of them: what
    connections and calls need at a time is had once and kept, and it takes as long until the allocator
    has met the worst of it.
    """
    n_rounds = N_ROUNDS // 20 if quick else N_ROUNDS
    node = region.launch(world.instance(3, 1, kind="x9.wide"))
    config = world.config(1, first=world.WIDE_SUBNET, cooldown="0")
    # each answer waits for the disk, which is not what is measured
    with tempfile.TemporaryDirectory(prefix="multus-eks-bench-", dir="/dev/shm") as directory, \
            Run(node, config, directory=directory) as run:
        run.wait_ready()
        _rounds(run, n_rounds if quick else n_rounds // 5)
        before, cpu, begin = memory(run.process.pid), cpu_seconds(run.process.pid), time.monotonic()
        region.control.clear()
        _rounds(run, n_rounds)
        after, cpu = memory(run.process.pid), cpu_seconds(run.process.pid) - cpu
    calls = len(region.control.calls(mutating=True))
    return [Row("memory", f"more after {n_rounds} register/release rounds", "KiB",
                after["Rss"] - before["Rss"], budget=GROWTH_BUDGET_KIB,
                note=f"{calls} calls in {time.monotonic() - begin:.0f} s; {parts(after)}"),
            Row("memory", "CPU of a round", "us", cpu / n_rounds * 1e6)]


def measure(quick: bool = False) -> list:
    """Nodes with one interface, with fifteen, with a wide one."""
    with Topology(world.scenario()) as region:
        region.control.latency(world.LATENCY)
        rows = _pods_rows(region, quick) + _full_node(region)
        region.control.put("/buckets", None)
        region.control.latency({name: 0.0 for name in world.LATENCY})
        return rows + _growth_rows(region, quick)
