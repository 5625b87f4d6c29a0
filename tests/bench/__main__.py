# SPDX-License-Identifier: Apache-2.0
"""python3 -m bench: measure, print the table, write it as JSON. Status 1: over a budget."""

import argparse
import os
import sys
import time

from ec2sim.node import NamespacesUnavailable

from . import answers, appear, boot, fleet, idle, podfleet, published, register, route, table

GROUPS = {"boot": boot.measure, "idle": idle.measure, "fleet": fleet.measure,
          "register": register.measure, "answers": answers.measure, "watch": appear.measure,
          "route": route.measure,
          "podfleet": podfleet.measure, "published": published.measure}


def _arguments():
    parser = argparse.ArgumentParser(prog="bench", description="measure the budgets")
    parser.add_argument("--only", default=",".join(GROUPS), metavar="GROUP,...",
                        help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--quick", action="store_true",
                        help="one run of each, a small fleet: to try the bench itself")
    parser.add_argument("--report", action="store_true",
                        help="only tell what is over a budget: status 0 all the same")
    parser.add_argument("--json", default=None, metavar="FILE",
                        help="(default: bench.json in the build directory)")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    unknown = set(arguments.only) - set(GROUPS)
    if unknown:
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    return arguments


def main() -> int:
    arguments = _arguments()
    about, begin, rows = table.machine(), time.monotonic(), []
    print(f"{about['cores']} cores, {about['cpu']}, Linux {about['kernel']}, "
          f"load {about['load']:.1f}", flush=True)
    try:
        for name in arguments.only:
            print(f"measuring: {name}", flush=True)
            rows += GROUPS[name](arguments.quick)
    except NamespacesUnavailable as error:
        print(f"bench: {error}\nRun it as root, or where the kernel lets users make namespaces.",
              file=sys.stderr)
        return 1
    about["load_after"], about["seconds"] = os.getloadavg()[0], time.monotonic() - begin
    print()
    table.show(rows)
    over = [row for row in rows if row.over]
    print(f"\n{len(over)} over budget of {sum(row.budget is not None for row in rows)}, "
          f"in {about['seconds']:.0f} s; load {about['load_after']:.1f} at the end")
    path = arguments.json or os.path.join(os.environ.get("BUILD", "build"), "bench.json")
    table.write(path, rows, about)
    return 1 if over and not arguments.report else 0


if __name__ == "__main__":
    sys.exit(main())
