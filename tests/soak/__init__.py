# SPDX-License-Identifier: Apache-2.0
"""Three nodes that register addresses at random, against a model that knows what must be true.

`make soak`, or PYTHONPATH=tests /usr/bin/python3 -m soak --seconds 60 --seed 7

    steps.py      what happens, drawn from a seed: requests, kills, reboots, pods, faults
    world.py      lets it happen to real daemons in a simulated region, and looks
    model.py      what may be seen then
    minimise.py   the shortest sequence that still shows something else

A run is episodes of some dozens of steps, each from a seed of its own and from
an empty state to an empty state, so that whatever an episode shows can be shown
again without those before it.
"""

import os
import sys

# the harness of the whole-daemon tests, which runs the daemons here too
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "system"))
