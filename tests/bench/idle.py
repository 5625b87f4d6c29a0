# SPDX-License-Identifier: Apache-2.0
"""A ready node at rest: who wakes up, who calls?"""

import time

from ec2sim.node import Topology

from . import world
from .run import Run, context_switches
from .table import Row

SECONDS = 30
#: as units/multus-eksd.service has it; a sign of life is due after half of it at the earliest
WATCHDOG_USEC = "300000000"


def measure(quick: bool = False) -> list:
    """Wake-ups and requests in the half minute after the boot."""
    seconds = 5 if quick else SECONDS
    with Topology(world.scenario()) as region:
        region.control.latency(world.LATENCY)
        node = region.launch(world.instance(1, 3, hook=True))
        run = Run(node, world.config(3), env={"WATCHDOG_USEC": WATCHDOG_USEC})
        with run:
            run.wait_ready()
            time.sleep(2)   # the end of the boot: the sweep, the hook's completion
            region.control.clear()
            before = context_switches(run.process.pid)
            time.sleep(seconds)
            woken = context_switches(run.process.pid) - before
            calls, imds = len(region.control.calls()), len(region.control.imds_log())
    span = f"in {seconds} s"
    return [Row("idle", f"wake-ups {span}", "", woken, floor=0, budget=0),
            Row("idle", f"EC2 and Auto Scaling calls {span}", "", calls, floor=0, budget=0),
            Row("idle", f"metadata requests {span}", "", imds, floor=0, budget=0)]
