# SPDX-License-Identifier: Apache-2.0
"""The budgets, measured: the daemon boots against the simulated AWS with EC2's latencies.

`make bench`, or PYTHONPATH=tests /usr/bin/python3 -m bench --only boot,fleet

A figure is compared with its floor, which is what the calls take when the
daemon takes nothing, and with its budget. What the simulator adds is measured
too and printed beside them, so that a ratio can be judged.
"""

import os
import sys

# the harness of the whole-daemon tests, which runs the daemon here too
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "system"))
