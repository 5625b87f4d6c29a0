# SPDX-License-Identifier: Apache-2.0
"""Many nodes that boot at once share the account's token buckets.

Each node has its namespaces, its daemon and real devices, as a single one has.
All wait at a gate and start in the same moment; the time ends when the last
one is ready. The floor is the schedule in which every call is made when the
buckets have a token for it, never earlier or later (world.fleet_floor).
"""

import contextlib
import selectors
import shutil
import tempfile
import time

from ec2sim.node import Topology

from . import world
from .run import Run, cpu_seconds
from .table import Row, row_of

N_NODES, N_ENIS = 100, 3
RATIO_BUDGET = 1.15
PATIENCE = 200.0


def _wait_all(runs: list) -> list:
    """Wait until all are ready. Return those that are not: they ended, or took too long."""
    deadline = time.monotonic() + PATIENCE
    with selectors.DefaultSelector() as selector:
        for run in runs:
            selector.register(run, selectors.EVENT_READ)
        while selector.get_map() and time.monotonic() < deadline:
            for key, _ in selector.select(1.0):
                if key.fileobj.read():
                    selector.unregister(key.fileobj)
            for run in [key.fileobj for key in selector.get_map().values()]:
                if run.process.poll() is not None:
                    selector.unregister(run)
    return [run for run in runs if run.ready_at == 0]


def _start(stack, region, directory: str, n_nodes: int) -> list:
    """Nodes with a daemon each that waits at its gate."""
    runs = []
    for number in range(1, n_nodes + 1):
        node = region.launch(world.instance(number, N_ENIS))
        home = f"{directory}/{number}"
        run = Run(node, world.config(N_ENIS, boot_timeout="10min"), directory=home, gated=True)
        stack.callback(run.kill)
        run.start()
        runs.append(run)
    return runs


def _rows(region, runs: list, failed: list, n_nodes: int) -> list:
    begin = min(run.started_at for run in runs)
    calls = region.control.calls()
    refused = [call for call in calls if call["status"] == 503]
    enis = region.control.enis()
    attached = [eni for eni in enis if eni["attachment"]]
    ready = [run for run in runs if run not in failed]
    what = f"{n_nodes} nodes x {N_ENIS}"
    return [
        Row("fleet", f"{what}, start to last READY", "s",
            max((run.ready_at for run in ready), default=0) - begin,
            floor=world.fleet_floor(n_nodes, N_ENIS), of_ratio=True,
            budget=RATIO_BUDGET if n_nodes == N_NODES else None,
            note=f"{len(refused)} of {len(calls)} calls throttled"),
        row_of([run.seconds for run in ready] or [0.0], "fleet", "one node, start to READY", "s"),
        Row("fleet", "nodes failed", "", len(failed), budget=0),
        Row("fleet", "ENIs leaked", "", len(enis) - len(attached), budget=0),
        Row("fleet", "ENIs missing", "", n_nodes * (N_ENIS + 1) - len(attached), budget=0),
        row_of([run.cpu * 1000 for run in ready] or [0.0], "fleet", "CPU of one node", "ms"),
    ]


def measure(quick: bool = False) -> list:
    """Boot the fleet once."""
    n_nodes = 20 if quick else N_NODES
    directory = tempfile.mkdtemp(prefix="multus-eks-bench-")
    try:
        with Topology(world.scenario()) as region, contextlib.ExitStack() as stack:
            region.control.latency(world.LATENCY)
            runs = _start(stack, region, directory, n_nodes)
            region.control.put("/buckets", {})
            region.control.clear()
            before, begin = cpu_seconds(region.pid), time.monotonic()
            for run in runs:
                run.release()
            failed = _wait_all(runs)
            busy = (cpu_seconds(region.pid) - before) / (time.monotonic() - begin)
            rows = _rows(region, runs, failed, n_nodes)
            rows.append(Row("fleet", "simulator's share of a core", "%", busy * 100))
            return rows
    finally:
        shutil.rmtree(directory, ignore_errors=True)
