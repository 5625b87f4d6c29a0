# SPDX-License-Identifier: Apache-2.0
"""What was measured: rows with their budgets, as a table and as JSON."""

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass, field


@dataclass
class Row:
    """
    One figure. A row without a budget informs only.
    @value, @worst: median and worst run, in @unit; @worst None: one run
    @floor: what no program could be below
    @budget: the most that is allowed; of the ratio to the floor if @of_ratio, else of the value
    """

    group: str
    what: str
    unit: str
    value: float
    worst: float | None = None
    floor: float | None = None
    budget: float | None = None
    of_ratio: bool = False
    runs: list = field(default_factory=list)
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.floor if self.floor else None

    @property
    def over(self) -> bool:
        """Whether the median is beyond the budget."""
        if self.budget is None:
            return False
        return (self.ratio if self.of_ratio else self.value) > self.budget


def row_of(runs: list, group: str, what: str, unit: str, **more) -> Row:
    """A row of several runs: the median, and the worst."""
    return Row(group, what, unit, statistics.median(runs), max(runs) if len(runs) > 1 else None,
               runs=runs, **more)


def _number(value) -> str:
    if value is None:
        return ""
    if value == int(value):
        return str(int(value))
    return f"{value:.1f}" if value >= 100 else f"{value:.2f}" if value >= 10 else f"{value:.3f}"


def _cells(row: Row) -> list:
    budget = _number(row.budget)
    if row.of_ratio and row.budget is not None:
        budget = f"x {row.budget:.2f}"
    return [row.group, row.what, f"{_number(row.value)} {row.unit}".strip(), _number(row.worst),
            _number(row.floor), f"{row.ratio:.3f}" if row.ratio else "", budget,
            "" if row.budget is None else "OVER" if row.over else "ok", row.note]


HEADINGS = ["group", "what", "measured", "worst", "floor", "ratio", "budget", "", "note"]


def machine() -> dict:
    """On what it was measured."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return {"cores": os.cpu_count(), "cpu": models[0] if models else platform.machine(),
            "kernel": platform.release(), "load": os.getloadavg()[0]}


def show(rows: list) -> None:
    """Print the table."""
    lines = [HEADINGS] + [_cells(row) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    previous = None
    for line in lines:
        if previous not in (None, line[0]):
            print()
        previous = line[0]
        print("  ".join(text.rjust(width) if 2 <= i <= 6 else text.ljust(width)
                        for i, (text, width) in enumerate(zip(line, widths))).rstrip())


def write(path: str, rows: list, about: dict) -> None:
    """The same as JSON."""
    document = {"machine": about, "rows": [
        {**asdict(row), "ratio": row.ratio, "over": row.over} for row in rows]}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1)
        file.write("\n")
