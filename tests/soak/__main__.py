# SPDX-License-Identifier: Apache-2.0
"""python3 -m soak: episodes until the time is over, or a divergence. Status 1: one was found."""

import argparse
import os
import sys
import time

from ec2sim.node import NamespacesUnavailable

from . import steps
from .pods import is_macvlan_there
from .run import Soak


def _arguments():
    parser = argparse.ArgumentParser(prog="soak", description="random operations against a model")
    parser.add_argument("--seconds", type=float, default=60, help="0: one episode")
    parser.add_argument("--seed", type=int, default=None, help="of the first episode; the next has the next")
    parser.add_argument("--steps", metavar="FILE", help="run these steps instead")
    parser.add_argument("--minimise-seconds", type=float, default=300,
                        help="how long to look for a shorter sequence")
    parser.add_argument("--report", action="store_true",
                        help="only tell of a divergence: status 0 all the same")
    return parser.parse_args()


def _tell(text) -> None:
    print(text, flush=True)


def _episodes(soak, seed, seconds) -> tuple:
    """Episodes until the time is over or one fails; how many passed, how many failed."""
    begin, n = time.monotonic(), 0
    while n == 0 or time.monotonic() < begin + seconds:
        if not soak.episode(seed + n):
            return n, 1
        n += 1
        if n % 20 == 0:
            print(f"soak: {n} episodes, {soak.n_steps} steps, {time.monotonic() - begin:.0f} s", flush=True)
    return n, 0


def main() -> int:
    arguments, begin = _arguments(), time.monotonic()
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    with_pods = is_macvlan_there()
    if not with_pods:
        print("soak: this kernel has no macvlan: nothing is seen in pods")
    output = os.environ.get("BUILD", "build")
    try:
        with Soak(output, with_pods, _tell, arguments.minimise_seconds) as soak:
            if arguments.steps:
                with open(arguments.steps, encoding="utf-8") as file:
                    sequence = steps.read(file.read())
                again = f"make soak SOAK_OPS={arguments.steps}"
                failed = int(not soak.sequence(sequence, "soak-steps", again))
                passed = 1 - failed
            else:
                print(f"soak: seed {seed}", flush=True)
                passed, failed = _episodes(soak, seed, arguments.seconds)
            n_steps = soak.n_steps
    except NamespacesUnavailable as error:
        print(f"soak: {error}\nRun it as root, or where the kernel lets users make namespaces.",
              file=sys.stderr)
        return 1
    print(f"soak: {n_steps} steps in {time.monotonic() - begin:.0f} s")
    if arguments.report:
        print(f"soak: {passed} episodes as they must be, {failed} not")
        return 0
    print(f"soak episodes: {passed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
