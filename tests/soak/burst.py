# SPDX-License-Identifier: Apache-2.0
"""Requests that are made at once, until each is answered or its daemon is killed."""

import http.client
import select
import time

from . import steps
from .model import DELETE, LOST, PUT, UNHEARD, Divergence, Event

#: a request is answered after a minute at the latest (504), whatever happens
ANSWER_SECONDS = 75.0


class _Asked:
    """One request and what it is about: (address, Event without an answer)."""

    def __init__(self, node, request):
        verb, number = request[:2]
        self.number, self.is_unheard = number, request[-1] == "unheard"
        if verb == "POST":
            owner, items = request[2:4]
            self.items = [(address, Event(PUT, number, owner, steps.meant(address, ifname)))
                          for address, ifname in items]
            self.pending = node.send("POST", "/v1/addresses", {"owner": owner, "addresses": [
                {"address": address, **({"interface": ifname} if ifname else {})}
                for address, ifname in items]})
            return
        address, owner = request[2:4]
        ifname = request[4] if verb == "PUT" else None
        kind = PUT if verb == "PUT" else DELETE
        self.items = [(address, Event(kind, number, owner, steps.meant(address, ifname)))]
        self.pending = node.begin(verb, address, owner, ifname)

    def events(self, answers) -> list:
        """The items with their answers: (status or LOST or UNHEARD, code)."""
        return [(address, event._replace(answer=answer, code=code))
                for (address, event), (answer, code) in zip(self.items, answers)]

    def all(self, answer) -> list:
        return self.events([(answer, "")] * len(self.items))

    def collect(self) -> list:
        """What is there to be read; LOST when it is the end of the connection."""
        try:
            reply = self.pending.reply()
        except (http.client.HTTPException, OSError):
            self.pending.hang_up()
            return self.all(LOST)
        if "results" in reply.body:
            return self.events([(r["status"], r.get("error", {}).get("code", ""))
                                for r in reply.body["results"]])
        return self.events([(reply.status, "" if reply.status == 200 else reply.code)] * len(self.items))


class Burst:
    """
    @nodes: their Registering
    @end: kills a node's daemon, if one is to be killed while it works
    """

    def __init__(self, nodes, requests, end=None):
        self._end, self.events, self.ended = end, [], None
        self._waiting = []
        for request in requests:
            asked = _Asked(nodes[request[1]], request)
            if asked.is_unheard:
                asked.pending.hang_up()
                self.events += asked.all(UNHEARD)
            else:
                self._waiting.append(asked)

    def finish(self) -> list:
        """Wait for all answers. Return: (address, Event) of each."""
        deadline, n_answered = time.monotonic() + ANSWER_SECONDS, 0
        while self._waiting:
            if self._end and self._end.is_time(n_answered):
                self._kill()
            ready = self._ready(deadline)
            for asked in [a for a in self._waiting if a.pending in ready]:
                self._waiting.remove(asked)
                self._take(asked, asked.collect())
                n_answered += 1
        if self._end:
            self._kill()
        return self.events

    def _ready(self, deadline) -> list:
        end = [self._end] if self._end and self._end.is_armed() else []
        left = max(deadline - time.monotonic(), 0)
        ready = select.select([a.pending for a in self._waiting] + end, [], [], left)[0]
        if not ready:
            raise Divergence("no answer to " + ", ".join(f"{e.kind} {a} at node {e.node}"
                                                         for asked in self._waiting for a, e in asked.items))
        if self._end in ready:
            self._kill()
        return ready

    def _take(self, asked, events) -> None:
        is_ended = asked.number == self.ended
        for address, event in events:
            # a daemon that ends in an orderly manner says so
            if is_ended and event.answer == 503:
                event = event._replace(answer=LOST, code="")
            if event.answer == LOST and not is_ended:
                raise Divergence(f"node {event.node} does not answer {event.kind} {address}: "
                                 "its daemon has ended or closed the connection")
            if is_ended and event.answer == UNHEARD:
                event = event._replace(answer=LOST)
            self.events.append((address, event))

    def _kill(self) -> None:
        end, self._end = self._end, None
        end.happen()
        self.ended = end.number
        # what it was asked and nobody heard the answer to, it may have been killed at
        self.events = [(a, e._replace(answer=LOST) if e.node == end.number and e.answer == UNHEARD else e)
                       for a, e in self.events]
