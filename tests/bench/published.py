# SPDX-License-Identifier: Apache-2.0
"""Side by side: 50 pods get an address each, by the daemon and as AWS's samples do it.

From the moment the addresses are in the pods until EC2 has carried out the last
call; in one simulated region, with EC2's buckets full each time. What the
samples do, and what is left out in their favour, is told in sample.py.
"""

import contextlib
import json
import os
import statistics
import subprocess

from ec2sim.node import PYTHON, Topology
from harness import multus_enis
from registering import until

from . import world
from .pods import Pod, own_run
from .run import Run
from .table import row_of

N_PODS = 50
ACTION = "AssignPrivateIpAddresses"
WAYS = (("sidecar", "a sidecar in each pod, every 0.5 s"),
        ("start", "the same in pods that start"),
        ("daemonset", "a DaemonSet, every 1 s"))


def _last_routable(region, begin: int) -> float:
    """Seconds from @begin (nanoseconds of CLOCK_MONOTONIC) until all addresses are assigned."""
    done = {value: call["ns"] / 1e9 + call["end"] - call["t"]
            for call in region.control.calls(ACTION) if call["status"] == 200
            for key, value in call["params"].items() if key.startswith("PrivateIpAddress.")}
    assert len(done) == N_PODS
    return max(done.values()) - begin / 1e9


def _by_daemon(region, node, quick: bool) -> list:
    """Runs of (seconds, calls): the addresses are seen by the watch."""
    own_run(node)
    runs = []
    with contextlib.ExitStack() as stack:
        run = stack.enter_context(Run(node, world.config(1, first=world.WIDE_SUBNET)))
        run.wait_ready()
        pods = [stack.enter_context(contextlib.closing(Pod(node, n))) for n in range(1, N_PODS + 1)]
        for turn in range(1 if quick else 3):
            region.control.put("/buckets", {})
            region.control.clear()
            addresses = world.wide_pod_addresses((turn + 1) * N_PODS)[turn * N_PODS:]
            begin = min(pod.add(a) for pod, a in zip(pods, addresses))
            until(lambda: set(addresses) <= _assigned(run), "the addresses")
            runs.append((_last_routable(region, begin), len(region.control.calls())))
    return runs


def _assigned(run) -> set:
    return {e["address"] for e in run.get("/v1/addresses")["addresses"] if e["assigned"]}


def _by_sample(region, node, eni: str, kind: str, seed: int) -> tuple:
    """(seconds, calls, of the process: seconds of CPU)"""
    task = {"kind": kind, "seed": seed, "region": region.ready["region"], "url": node.ec2_url, "eni": eni,
            "instance": node.instance_id, "addresses": world.pod_addresses(2, N_PODS)}
    region.control.put("/buckets", {})
    process = node.popen([PYTHON, "-m", "bench.sample"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         text=True, env={**os.environ, "PYTHONPATH": "tests"})
    process.stdin.write(json.dumps(task) + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"
    region.control.clear()
    process.stdin.write("go\n")
    process.stdin.flush()
    begin, cpu = json.loads(process.stdout.readline())
    assert process.wait() == 0
    return _last_routable(region, begin), len(region.control.calls()), cpu


def _rows(what: str, runs: list, note: str = "") -> list:
    return [row_of([run[0] for run in runs], "published", f"{what}: last of {N_PODS} routable", "s",
                   floor=world.ASSIGN, note=note),
            row_of([run[1] for run in runs], "published", f"{what}: calls", "", floor=1)]


def _sample_rows(region, node, ours: float, quick: bool) -> list:
    with Run(node, world.config(1, first=2)) as run:   # makes the interface
        run.wait_ready()
        eni = multus_enis(region, node.instance_id)[0]["id"]
    rows = []
    for kind, what in WAYS:
        n_runs = 3 if kind == "sidecar" and not quick else 1
        runs = [_by_sample(region, node, eni, kind, seed) for seed in range(n_runs)]
        seconds = statistics.median(run[0] for run in runs)
        rows += _rows(what, runs, f"{seconds / ours:.1f} x the daemon; {runs[0][2]:.2f} s of CPU")
    return rows


def measure(quick: bool = False) -> list:
    """The daemon on one node, the samples on another."""
    with Topology(world.scenario()) as region:
        region.control.latency(world.LATENCY)
        nodes = [region.launch(world.instance(n, 1, kind="x9.wide")) for n in (1, 2)]
        runs = _by_daemon(region, nodes[0], quick)
        ours = statistics.median(run[0] for run in runs)
        return _rows("the daemon's watch", runs) + _sample_rows(region, nodes[1], ours, quick)
