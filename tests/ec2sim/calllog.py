# SPDX-License-Identifier: Apache-2.0
"""What happened: API calls, metadata requests, devices plugged and unplugged.

Entries are plain dicts, ready for JSON. `t` is in seconds since the simulator
started, on the monotonic clock; `ns` is CLOCK_MONOTONIC itself, by which a
test compares with times of another process of the same machine.
"""

import re
import time

_CODE = re.compile(rb"<Code>([^<]*)</Code>")


class CallLog:
    """The three logs, in the order of arrival."""

    def __init__(self, clock):
        self._clock = clock
        self.calls: list = []
        self.imds: list = []
        self.events: list = []

    def _stamp(self) -> dict:
        return {"t": round(self._clock.since_start(), 6), "ns": time.monotonic_ns()}

    def call(self, service: str, action: str, params: list, instance, mutating: bool) -> dict:
        """Note an API call at its arrival; answered() completes the entry."""
        entry = {**self._stamp(), "service": service, "action": action, "params": dict(params),
                 "instance": instance, "mutating": mutating, "status": None, "code": None,
                 "request_id": None, "fault": None, "end": None}
        self.calls.append(entry)
        return entry

    def answered(self, entry: dict, status, body: bytes = b"") -> None:
        """The reply is on its way; @status None: the connection was closed instead."""
        entry["end"] = round(self._clock.since_start(), 6)
        entry["status"] = status
        if status is not None and status >= 400:
            match = _CODE.search(body[:2000])
            entry["code"] = match.group(1).decode() if match else None

    def metadata(self, instance, method: str, path: str, status) -> None:
        self.imds.append({**self._stamp(), "instance": instance, "method": method,
                          "path": path, "status": status})

    def event(self, what: str, **fields) -> None:
        """A device came or went, or was told its address; @what: plug, unplug, never, failed, gone, dhcp."""
        self.events.append({**self._stamp(), "event": what, **fields})

    def clear(self) -> None:
        self.calls.clear()
        self.imds.clear()
        self.events.clear()
