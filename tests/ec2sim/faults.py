# SPDX-License-Identifier: Apache-2.0
"""The fault script, and the gate at which a test holds a call.

Both count calls from the moment they were set, each rule its own, so that "the
second CreateNetworkInterface" means the second from here on. A rule fires for
the calls k .. k+n-1; n = 0 means for ever.
"""

import asyncio

DEEDS = ("throttle", "500", "503", "close-before", "close-after", "hang", "hang-after",
         "truncated", "garbage", "huge", "drip", "error")


class Rule:
    """One line of the script."""

    def __init__(self, spec: dict):
        unknown = set(spec) - {"action", "k", "n", "do", "node", "code", "status", "message",
                               "seconds", "size"}
        if unknown:
            raise ValueError(f"unknown keys in fault: {sorted(unknown)}")
        self.action = spec.get("action", "*")
        self.first = int(spec.get("k", 1))
        self.count = int(spec.get("n", 1))
        self.deed = str(spec["do"])
        if self.deed not in DEEDS:
            raise ValueError(f"do: {self.deed!r} is none of {', '.join(DEEDS)}")
        self.node = spec.get("node")
        self.code = spec.get("code", "InternalError")
        self.status = int(spec.get("status", 400))
        self.message = spec.get("message", "An error that the test asked for")
        self.seconds = float(spec.get("seconds", 60))
        self.size = int(spec.get("size", 100_000_000))
        self.seen = 0

    def counts(self, action: str, node) -> bool:
        """Count the call if it is of this rule's kind; tell whether it is hit."""
        if self.action not in ("*", action) or (self.node and self.node != node):
            return False
        self.seen += 1
        return self.seen >= self.first and (not self.count or self.seen < self.first + self.count)


class Faults:
    """The script: the first rule that is hit decides, all of them count."""

    def __init__(self):
        self.rules: list = []

    def configure(self, specs: list) -> None:
        self.rules = [Rule(spec) for spec in specs]

    def match(self, action: str, node):
        """The rule for this call, or None."""
        hits = [rule for rule in self.rules if rule.counts(action, node)]
        return hits[0] if hits else None


class Gate:
    """
    Hold the k-th call of an action, before it is carried out or before its reply.

    Besides actions there is `link`: a device about to appear or just appeared,
    and `imds`: a metadata request. A held call waits until released; "drop"
    closes its connection (before: undone, after: done and unanswered).
    """

    def __init__(self):
        self.spec: dict | None = None
        self._seen = 0
        self._reached: asyncio.Event | None = None
        self._release: asyncio.Future | None = None
        self.held: dict | None = None

    def set(self, spec: dict) -> None:
        """
        Set the gate, or with an empty @spec take it away; whoever is held goes on, and who waits for a
        call to be held there has waited in vain.
        """
        self.release("continue")
        if spec and spec.get("when", "before") not in ("before", "after"):
            raise ValueError("when: before or after")
        self.spec = dict(spec) if spec else None
        self._seen = 0
        self.held = None
        if self._reached is not None:
            self._reached.set()
        self._reached = asyncio.Event()

    def counts(self, action: str, node) -> bool:
        """Count a call; True if it is the one to hold. Once for each call."""
        spec = self.spec
        if spec is None or spec.get("action", "*") not in ("*", action):
            return False
        if action in ("link", "imds") and spec.get("action") != action:
            return False
        if spec.get("node") and spec["node"] != node:
            return False
        self._seen += 1
        return self._seen == int(spec.get("k", 1))

    async def hold(self, when: str, what: dict) -> bool:
        """
        Wait here if the gate is set for this side of the call.
        Return: False if the call's connection is to be dropped.
        """
        if self.spec is None or self.spec.get("when", "before") != when:
            return True
        self.held = what
        self._release = asyncio.get_running_loop().create_future()
        self._reached.set()
        verdict = await self._release
        self.held = None
        return verdict != "drop"

    async def reached(self) -> dict:
        """Wait until a call is held; tell which, or {} if another gate was set before one came."""
        if self._reached is None:
            raise ValueError("no gate is set")
        await self._reached.wait()
        return self.held or {}

    def release(self, verdict: str) -> bool:
        """Let the held call go on or drop it; the gate is then open for good."""
        if verdict not in ("continue", "drop"):
            raise ValueError("do: continue or drop")
        if self._release is None or self._release.done():
            return False
        self._release.set_result(verdict)
        self.spec = None
        return True
