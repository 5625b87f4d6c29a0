# SPDX-License-Identifier: Apache-2.0
"""The time of the simulated region.

AWS's time is the machine's real time plus an offset that a test may set, so
that a node's clock can be an hour off without anyone touching the machine's;
or, while it is stopped, what the machine's was then, so that what times out
does so when a test says, however slow the machine is.
Delays and buckets never use it: they run on the monotonic clock of the loop.
"""

import time
from datetime import datetime, timedelta, timezone


class Clock:
    """What the servers of the region take for the time."""

    def __init__(self):
        self.offset = 0.0
        self._stopped_at = None
        self._start_ns = time.monotonic_ns()

    def now(self) -> datetime:
        """The region's time, UTC."""
        return (self._stopped_at or datetime.now(timezone.utc)) + timedelta(seconds=self.offset)

    def stop(self, stopped: bool) -> None:
        """From now on nothing but the offset moves it; or it runs with the machine's again."""
        self._stopped_at = (self._stopped_at or datetime.now(timezone.utc)) if stopped else None

    def since_start(self) -> float:
        """Seconds since the simulator started, monotonic: the time of the logs."""
        return (time.monotonic_ns() - self._start_ns) / 1e9
