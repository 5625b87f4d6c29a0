# SPDX-License-Identifier: Apache-2.0
"""A ready node at rest, with pods on it: who wakes up, who calls?"""

import contextlib
import time

from ec2sim.node import Topology
from registering import until

from . import load, world
from .pods import Pod, own_run
from .run import Run, context_switches
from .table import Row

SECONDS = 60
#: as units/multus-eksd.service has it; a sign of life is due after half of it at the earliest
WATCHDOG_USEC = "300000000"
N_ADDRESSES, N_RELEASED = 40, 5


def _use(run, pod) -> None:
    """Addresses that pods asked for, some of which were given back, and one that was seen."""
    addresses = world.pod_addresses(1, N_ADDRESSES + 1)
    load.ask(run.socket_path, [load.put(a) for a in addresses[1:]])
    load.ask(run.socket_path, [load.delete(a) for a in addresses[-N_RELEASED:]])
    pod.add(addresses[0])
    wanted = set(addresses[:-N_RELEASED])
    until(lambda: {entry["address"] for entry in run.get("/v1/addresses")["addresses"]
                   if entry["assigned"]} == wanted, "what was asked for")


def measure(quick: bool = False) -> list:
    """Wake-ups and requests in the minute after all was done."""
    seconds = 5 if quick else SECONDS
    with Topology(world.scenario()) as region, contextlib.ExitStack() as stack:
        region.control.latency(world.LATENCY)
        node = region.launch(world.instance(1, 3, hook=True, kind="c5n.18xlarge"))
        own_run(node)
        run = stack.enter_context(Run(node, world.config(3, cooldown="1s"),
                                      env={"WATCHDOG_USEC": WATCHDOG_USEC}))
        run.wait_ready()
        _use(run, stack.enter_context(contextlib.closing(Pod(node, 1))))
        time.sleep(2)   # the end of the boot: the sweep, the hook's completion
        region.control.clear()
        before = context_switches(run.process.pid)
        time.sleep(seconds)
        woken = context_switches(run.process.pid) - before
        calls, imds = len(region.control.calls()), len(region.control.imds_log())
    span = f"in {seconds} s"
    return [Row("idle", f"wake-ups {span}", "", woken, floor=0, budget=0,
                note=f"with {N_ADDRESSES - N_RELEASED + 1} addresses, one of them seen by the watch"),
            Row("idle", f"EC2 and Auto Scaling calls {span}", "", calls, floor=0, budget=0),
            Row("idle", f"metadata requests {span}", "", imds, floor=0, budget=0)]
