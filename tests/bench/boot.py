# SPDX-License-Identifier: Apache-2.0
"""One node: time to READY, calls, CPU, memory; then the same node again."""

import tempfile
import time

from certificates import install
from ec2sim.node import Topology

from . import world
from .run import Run, cpu_seconds, memory, parts
from .table import Row, row_of

MIB = 1024
CPU_BUDGET_MS, MEMORY_BUDGET_MIB, RATIO_BUDGET, DESCRIBES_BUDGET = 30, 12, 1.05, 5


class Bench:
    """Boots of fresh nodes in one region after another; collects what the simulator added."""

    def __init__(self, region, tls: str):
        self.region, self.tls = region, tls
        self.n_nodes = 0
        self.late: list = []   # seconds by which calls took longer than was set
        self.plugged: list = []   # the same for devices

    def boot(self, n_enis: int, n_runs: int, check=True, tls="", hook=False, more="") -> list:
        """
        Boot @n_runs nodes with @n_enis interfaces, one after another.
        @tls: "ca_file", or "system": the authority is one of the system's hundred and more
        @more: lines of [network]
        Return: a dict for each run: seconds, cpu, calls, memory, again (the second start)
        """
        return [self._boot_one(n_enis, check, tls, hook, more) for _ in range(n_runs)]

    def _boot_one(self, n_enis, check, tls, hook, more) -> dict:
        control = self.region.control
        self.n_nodes += 1
        node = self.region.launch(world.instance(self.n_nodes, n_enis, hook))
        control.put("/buckets", {})
        control.clear()
        run = Run(node, world.config(n_enis, check, more=more), {
            "ca_file": f"ca_file = {self.tls}/ca.pem\n", "system": ""}.get(tls))
        if tls == "system":
            install(node, run.directory, f"{self.tls}/ca.pem")
        with run:
            run.wait_ready()
            result = {"seconds": run.seconds, "cpu": run.cpu}
            time.sleep(2 * world.DESCRIBE)   # what follows READY: the sweep, the hook's completion
            result |= {"calls": control.calls(), "memory": memory(run.process.pid)}
            self._judge_simulator(result["calls"], control.events())
            run.stop()
            control.clear()
            result["again"] = self._start_again(run)
        control.delete(f"/instances/{node.instance_id}")
        return result

    def _start_again(self, run) -> dict:
        run.start()
        run.wait_ready()
        return {"seconds": run.seconds,
                "mutating": len(self.region.control.calls(mutating=True))}

    def _judge_simulator(self, calls: list, events: list) -> None:
        for call in calls:
            if call["end"] is not None and call["status"] == 200:
                wanted = world.LATENCY.get(call["action"], world.LATENCY["*"])
                self.late.append(call["end"] - call["t"] - wanted)
        self.plugged += [e["after"] - world.LINK for e in events if e["event"] == "plug"]


def _count(run: dict, prefix: str) -> int:
    return sum(1 for call in run["calls"] if call["action"].startswith(prefix))


def _mutating(run: dict) -> int:
    return sum(1 for call in run["calls"] if call["mutating"])


def _describes(run: dict) -> int:
    return _count(run, "Describe") + _count(run, "Get")


def _time_row(runs: list, what: str) -> Row:
    return row_of([r["seconds"] for r in runs], "start to READY", what, "s", floor=world.FLOOR,
                  budget=RATIO_BUDGET, of_ratio=True)


def _call_rows(runs: list, what: str, mutating: int, describes: int, note: str = "") -> list:
    return [row_of([_mutating(r) for r in runs], "mutating calls", what, "", floor=mutating,
                   budget=mutating, note=note),
            row_of([_describes(r) for r in runs], "describes", what, "", budget=describes)]


def _cpu_row(runs: list, what: str, budget=None) -> Row:
    return row_of([r["cpu"] * 1000 for r in runs], "CPU to READY", what, "ms", budget=budget)


def _memory_rows(runs: list, what: str, budget=None) -> list:
    """Rss against the budget, and what it is made of."""
    middle = sorted(runs, key=lambda r: r["memory"]["Rss"])[len(runs) // 2]["memory"]
    rows = [row_of([r["memory"][kind] / MIB for r in runs], "memory", f"{what}: {kind}", "MiB",
                   budget=budget if kind == "Rss" else None) for kind in ("Rss", "Pss")]
    rows[0].note = parts(middle)
    return rows


def _restart_rows(runs: list, what: str) -> list:
    again = [r["again"] for r in runs]
    return [row_of([a["seconds"] for a in again], "started again", what, "s",
                   floor=world.RESTART_FLOOR),
            row_of([a["mutating"] for a in again], "started again", f"{what}: mutating calls", "",
                   budget=0)]


def _plain_rows(bench, quick: bool) -> list:
    """Every N over plain HTTP; calls, CPU, memory and a second start from the same boots."""
    times, calls, rest = [], [], []
    for n in (1, 2, 4, 7, 14):
        runs = bench.boot(n, 1 if quick else 5 if n in (4, 14) else 3)
        times.append(_time_row(runs, f"N = {n}"))
        calls += _call_rows(runs, f"N = {n}", 3 * n, DESCRIBES_BUDGET)
        rest.append(_cpu_row(runs, f"N = {n}", CPU_BUDGET_MS if n == 4 else None))
        if n in (4, 14):
            rest += _restart_rows(runs, f"N = {n}")
    return times + calls + rest


def _variant_rows(bench, quick: bool) -> list:
    """TLS with AWS's names, source/destination check off, a waiting lifecycle hook."""
    few, times, calls, rest = 1 if quick else 3, [], [], []
    for n, tls in ((4, "ca_file"), (4, "system"), (14, "system")):
        runs = bench.boot(n, few if n == 14 else 1 if quick else 5, tls=tls)
        what = f"N = {n}, TLS, " + {"ca_file": "ca_file", "system": "system's CAs"}[tls]
        times.append(_time_row(runs, what))
        rest.append(_cpu_row(runs, what, CPU_BUDGET_MS if n == 4 else None))
    rest += _memory_rows(bench.boot(3, few, tls="system"), "N = 3, TLS", MEMORY_BUDGET_MIB)
    rest += _memory_rows(bench.boot(3, few), "N = 3", MEMORY_BUDGET_MIB)
    runs = bench.boot(4, few, check=False)
    times.append(_time_row(runs, "N = 4, no check"))
    calls += _call_rows(runs, "N = 4, no check", 16, DESCRIBES_BUDGET,
                        "source_dest_check = no")
    runs = bench.boot(4, few, hook=True)
    times.append(_time_row(runs, "N = 4, hook"))
    calls += _call_rows(runs, "N = 4, hook", 13, DESCRIBES_BUDGET + 1,
                        "with the hook's completion")
    for n in (1, 3, 14):
        # the lists of the subnets are asked for beside the second round: one of interfaces for all,
        # one of reservations for each
        runs = bench.boot(n, few, more="ip_allocation = subnet-start\n")
        what = f"N = {n}, subnet-start"
        times.append(_time_row(runs, what))
        calls += _call_rows(runs, what, 3 * n, DESCRIBES_BUDGET + 1 + n)
        rest += _restart_rows(runs, what)
    return times + calls + rest


def _simulator_rows(bench, cpu: float, n_requests: int) -> list:
    def late(runs, what):
        return row_of([1000 * x for x in runs], "simulator", what, "ms")

    return [late(bench.late, "beyond the latency set, per call"),
            late(bench.plugged, "beyond the latency set, per device"),
            Row("simulator", "CPU per call", "ms", cpu * 1000 / n_requests)]


def measure(quick: bool = False) -> list:
    """All rows of single nodes."""
    with tempfile.TemporaryDirectory(prefix="multus-eks-bench-") as tls, \
            Topology(world.scenario(), tls=tls) as region:
        region.control.latency(world.LATENCY)
        bench = Bench(region, tls)
        before = cpu_seconds(region.pid)
        rows = _plain_rows(bench, quick) + _variant_rows(bench, quick)
        rows += _simulator_rows(bench, cpu_seconds(region.pid) - before, len(bench.late))
    order = []
    for row in rows:
        if row.group not in order:
            order.append(row.group)
    return sorted(rows, key=lambda row: order.index(row.group))
