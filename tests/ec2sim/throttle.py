# SPDX-License-Identifier: Apache-2.0
"""EC2's request throttling: a token bucket per action, for the whole account.

A bucket holds a burst and is refilled at a steady rate by real time. The table
is what is publicly known of EC2's figures; AWS documents the model, not every
row. Auto Scaling is throttled by the same rule and answers in its own words.
"""

import time

# action: (burst, tokens per second)
MUTATING_DEFAULT = (50.0, 5.0)
READING_DEFAULT = (100.0, 20.0)
TABLE = {
    "CreateNetworkInterface": (100.0, 5.0),
    "DeleteNetworkInterface": (100.0, 5.0),
    "AssignPrivateIpAddresses": (100.0, 5.0),
    "AssignIpv6Addresses": (100.0, 5.0),
    "UnassignPrivateIpAddresses": (100.0, 5.0),
    "UnassignIpv6Addresses": (100.0, 5.0),
}


class Bucket:
    """Tokens, refilled as time goes; the time is given by the caller."""

    def __init__(self, burst: float, rate: float, now: float):
        self.burst, self.rate = burst, rate
        self._tokens, self._time = burst, now

    def take(self, now: float) -> bool:
        """Take one token if there is one."""
        self._tokens = min(self.burst, self._tokens + (now - self._time) * self.rate)
        self._time = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class Throttle:
    """The buckets of the account. Off until enable() or configure()."""

    def __init__(self, clock=time.monotonic):
        self._clock = clock
        self.enabled = False
        self._settings: dict = {}
        self._buckets: dict = {}

    def enable(self) -> None:
        """EC2's own table."""
        self.enabled, self._settings = True, {}
        self._buckets.clear()

    def configure(self, table: dict | None) -> None:
        """
        Set buckets; every one starts full.
        @table: action or `*` -> [burst, rate], or None for no limit; None: all off.
                Actions not named keep EC2's own figures unless there is a `*`.
        """
        self._buckets.clear()
        self.enabled = table is not None
        self._settings = dict(table or {})

    def _limit(self, action: str, mutating: bool):
        if action in self._settings:
            return self._settings[action]
        if "*" in self._settings:
            return self._settings["*"]
        return TABLE.get(action, MUTATING_DEFAULT if mutating else READING_DEFAULT)

    def admit(self, action: str, mutating: bool) -> bool:
        """Whether a call of @action goes through now; if so it costs a token."""
        if not self.enabled:
            return True
        bucket = self._buckets.get(action)
        if bucket is None:
            limit = self._limit(action, mutating)
            if limit is None:
                return True
            bucket = Bucket(float(limit[0]), float(limit[1]), self._clock())
            self._buckets[action] = bucket
        return bucket.take(self._clock())
