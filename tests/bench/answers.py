# SPDX-License-Identifier: Apache-2.0
"""How many requests a second the daemon answers from memory, and how long each takes.

The floor is a server on the same library that does nothing (http-null.c),
asked in the same way in the same run. The load generator runs beside the
server on the same cores; how much of one each of them used is told. As fast as
it goes, 64 connections make 64 requests wait in line, so the time of one is
measured at the rate that the budget asks for; of what EC2's word stands behind,
for longer than that word is repeated.
"""

import json
import statistics

from ec2sim.node import Topology

from . import load, world
from .run import Run, cpu_seconds
from .table import row_of

N_CONNECTIONS, N_ADDRESSES = 64, 49
RATE = 20_000
BUDGET_US, P99_BUDGET_US = 1e6 / RATE, 2000


class _Asked:
    """One request of which many are made, of a server; figures of all runs."""

    def __init__(self, name: str, server, pid: int, lines: list, seconds: float = 2):
        self.name, self._socket_path, self._pid, self._lines = name, server.socket_path, pid, lines
        self._rounds_at_rate = int(seconds * RATE) // len(lines)
        self.each, self.cpu, self.client, self.p99 = [], [], [], []

    def run(self, rounds: int) -> None:
        """As fast as it goes."""
        n, before = rounds * len(self._lines), cpu_seconds(self._pid)
        result = load.ask(self._socket_path, self._lines, N_CONNECTIONS, rounds)
        self.cpu.append((cpu_seconds(self._pid) - before) / n * 1e6)
        self.client.append(result["cpu"] / n * 1e6)
        self.each.append(result["seconds"] / n * 1e6)

    def run_at_rate(self) -> None:
        result = load.ask(self._socket_path, self._lines, N_CONNECTIONS, self._rounds_at_rate, RATE)
        self.p99.append(result["p99"])

    def rows(self, floor=None, judged: bool = True) -> list:
        """@floor: the same of the least server"""
        def row(runs, what, of_floor, budget=None):
            return row_of(runs, "answers", f"{self.name}: {what}", "us", budget=budget,
                          floor=statistics.median(of_floor) if floor else None)

        rows = [row(self.each, "one of many", floor and floor.each, BUDGET_US if judged else None),
                row(self.cpu, "CPU of one", floor and floor.cpu)]
        each, client = statistics.median(self.each), statistics.median(self.client)
        rows[0].note = f"{1e6 / each:.0f}/s on {N_CONNECTIONS} connections; of a core the server had " \
            f"{100 * rows[1].value / each:.0f} %, the client {100 * client / each:.0f} %"
        if self.p99:
            rows.append(row(self.p99, f"p99 at {RATE}/s", floor and floor.p99,
                            P99_BUDGET_US if judged else None))
        return rows


def _measure(run, null, quick: bool) -> list:
    addresses = world.pod_addresses(1, N_ADDRESSES)
    load.ask(run.socket_path, [load.put(a) for a in addresses])
    lines = [load.put(addresses[i % N_ADDRESSES]) for i in range(N_CONNECTIONS)]
    pid = run.process.pid
    floor = _Asked("a server that does nothing", null, null.pid, lines)
    put = _Asked("PUT of what is registered", run, pid, lines, seconds=7)
    get = _Asked(f"GET of {N_ADDRESSES} addresses", run, pid, ["GET /v1/addresses"] * N_CONNECTIONS)
    status = _Asked("GET of the status", run, pid, ["GET /v1/status"] * N_CONNECTIONS)
    for _ in range(1 if quick else 3):
        for one, rounds in ((floor, 3000), (put, 3000), (get, 800), (status, 300)):
            one.run(rounds)
            if one is not status:
                one.run_at_rate()
    rows = floor.rows(judged=False) + put.rows(floor) + get.rows(floor)
    return rows + status.rows(floor, judged=False)


def measure(quick: bool = False) -> list:
    """One node whose interface is as full as its type allows."""
    answer = json.dumps({"address": "10.0.101.128", "status": 200, "interface": "eth1",
                         "eni_id": "eni-0123456789abcdef0"}, separators=(",", ":"))
    with Topology(world.scenario()) as region:
        node = region.launch(world.instance(1, 1, kind="c5n.18xlarge"))
        with Run(node, world.config(1)) as run, load.NullServer(len(answer)) as null:
            run.wait_ready()
            region.control.latency(world.LATENCY)
            return _measure(run, null, quick)
