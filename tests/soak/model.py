# SPDX-License-Identifier: Apache-2.0
"""What may be true of an address after what has happened.

For each address the model keeps the set of states that are possible: where EC2
has it, and what each node's daemon remembers of it. Requests that were made at
the same time are applied in every order, an answer that never came stands for
all it may have meant, and what a daemon does by itself (a release after the
cooldown) may have happened or not. Then somebody looks: what is seen must be
one of those states, and is the only one from then on.

A daemon is not told when another node takes an address from it; it remembers
it until it looks. That is not a divergence: its memory is one part of a state,
EC2's another. What must never be is an address in EC2 that the daemon of that
interface does not know of; but for an IPv6 address that was taken from there by
a daemon that was then killed, and given back by its next run: until the daemon
there is started again nobody tells it.
"""

import itertools
from typing import NamedTuple

WANTED, RELEASED, STALE = "wanted", "released", "stale"
PUT, DELETE, SEE, UNSEE, RESTART = "PUT", "DELETE", "see", "unsee", "restart"
#: answers that did not come: the daemon was killed; nobody listened any more
LOST, UNHEARD = "lost", "unheard"
WATCH = "watch:"
#: how long a daemon may repeat what EC2 has said
TRUST_SECONDS = 5.0
#: who had an address that moved away has ended, and others may have had it, too
PASSED_ON = "(passed on)"
#: an owner whose registration another one took over before it was done
NOT_TO_BE_SEEN = "(superseded)"


class Divergence(AssertionError):
    """Something is as it must not be."""


class Memory(NamedTuple):
    """What a daemon remembers of an address; of one that was given back its owner does not matter."""

    state: str
    owner: str
    ifname: str


class State(NamedTuple):
    """@place: (node, interface name) or None; @memory: of each node, Memory or None"""

    place: tuple
    memory: tuple

    def remember(self, node, memory):
        """The same, but for what the node remembers."""
        return self._replace(memory=(*self.memory[:node], memory, *self.memory[node + 1:]))

    def __str__(self):
        place = "nowhere" if self.place is None else f"on node {self.place[0]} {self.place[1]}"
        known = [f"node {i}: {m.state} on {m.ifname}" + (f" by {m.owner}" if m.owner else "")
                 for i, m in enumerate(self.memory) if m]
        return f"EC2 has it {place}; " + ("; ".join(known) or "no node knows it")


class Event(NamedTuple):
    """
    Something that happened to an address at a node.
    @answer: a status, LOST or UNHEARD; of SEE and UNSEE nothing is answered
    @others: UNSEE, RESTART: owners of the other places at the node that show it
    @reboot, @aged: RESTART: of the node; long after everything before
    """

    kind: str
    node: int
    owner: str = ""
    ifname: str = ""
    answer: object = None
    code: str = ""
    others: tuple = ()
    reboot: bool = False
    aged: bool = False


class Circumstances(NamedTuple):
    """
    What else there was while an event happened.
    @room: Room of the addresses that may have been there; @here, @elsewhere: whether others asked for the
    same address at the same time, at that node or another; @given_back: whether one of these gave it back
    here, in the name of the same owner; @refused: EC2 refused calls, for no good reason; @last: owner who had
    the address at that node and did not give it back, "": nobody; @having: owners of the pods there that
    have it; @long_gone: for so long it has been elsewhere that no word of EC2's to the contrary is repeated;
    @origins: where several nodes, who did not get it, may have taken it from
    """

    address: str
    room: object
    here: bool
    elsewhere: bool
    given_back: bool
    refused: bool
    last: str
    having: tuple
    long_gone: bool
    origins: frozenset


class Room:
    """How many addresses of a family an interface may hold, and may have held."""

    def __init__(self, limits):
        self._limits = limits
        self._wanted, self._known = {}, {}

    def note(self, address, place, released=False) -> None:
        """The address may be there, or have been asked for."""
        for table in [self._known] if released else [self._known, self._wanted]:
            table.setdefault((place, is_ipv6(address)), set()).add(address)

    def _is_short(self, table, address, place, spare) -> bool:
        others = table.get((place, is_ipv6(address)), set()) - {address}
        return len(others) + spare >= self._limits[is_ipv6(address)]

    def may_be_full(self, address, place) -> bool:
        """Whether the interface may have no room for the address."""
        return self._is_short(self._wanted, address, place, 0)

    def may_be_needed(self, address, place) -> bool:
        """Whether the address may have had to make room for another."""
        return self._is_short(self._known, address, place, 0)


def is_ipv6(address) -> bool:
    return ":" in address


# -- what an event may do ---------------------------------------------------

def _may_be_refused(state, event, ifname, around) -> bool:
    """Whether a request to register may be answered as it was."""
    if event.answer == 507:
        return around.room.may_be_full(around.address, (event.node, ifname)) or around.refused
    memory = state.memory[event.node]
    if event.answer == 409 and event.code == "busy" and memory and not _is_held(memory, ifname):
        return True  # what was asked for it before has to be found out first
    if event.answer == 409 and event.code in ("superseded", "released", "busy"):
        return around.here
    if event.answer in (409, 502):
        # two nodes that take an IPv6 address from a third cannot both have their way
        return around.refused or (around.elsewhere and is_ipv6(around.address))
    return False


def _refused(state, event, here, around):
    """A request failed: what was there is there; what had been given up may not be claimed any more."""
    memory = state.memory[event.node]
    yield state
    if memory and memory.state == STALE:
        yield state.remember(event.node, Memory(RELEASED, "", memory.ifname))
    for origin in around.origins:
        # one took it there and was late; from the first one a third has taken it, before it was given back
        yield state._replace(place=origin)
    if around.refused and _is_held(memory, here[1]) and state.place is None:
        # it was assigned for the newer owner without a reply, and refused: the older one has it still
        yield state._replace(place=here)
    if around.refused and (memory is None or memory.state != WANTED or state.place != here):
        # a reply was lost before the refusal: it may have been done, so it is to be undone
        is_within = state.place is not None and state.place[0] == event.node
        for place in {here if is_within else state.place, here}:
            yield State(place, state.memory).remember(event.node, Memory(RELEASED, "", here[1]))


def _half_done(state, event, here, around):
    """The daemon was killed between the request and its answer."""
    memory = state.memory[event.node]
    places = {state.place, here}
    if is_ipv6(around.address) and state.place not in (None, here):
        places.add(None)  # taken from there and not yet given here
    memories = {memory}
    if memory and (memory.state != WANTED or memory.owner == NOT_TO_BE_SEEN):
        memories.add(None)  # it is wanted (again), and that is in no file before it is true
    elif memory and state.place != (event.node, memory.ifname):
        memories.add(None)  # it had moved away, which the request's own look has told
    if is_ipv6(around.address) and state.place != here:
        memories.add(Memory(RELEASED, "", here[1]))  # on its way back to where it was taken from
    for place in places:
        for remembered in memories:
            yield State(place, state.memory).remember(event.node, remembered)
    if is_ipv6(around.address) and state.place and state.place[0] != event.node:
        holder = state.memory[state.place[0]]
        if holder and holder.state != WANTED:
            # given back where it had been given up, which was carried out and forgotten meanwhile
            for remembered in memories:
                yield state.remember(event.node, remembered).remember(state.place[0], None)


def _given_back(state, event, here):
    """By who asks for it, before he was answered: whatever was done of it, and whoever had it before."""
    memory = state.memory[event.node]
    yield State(here, state.memory).remember(event.node, Memory(RELEASED, "", here[1]))
    yield state.remember(event.node, memory and Memory(RELEASED, "", memory.ifname))
    # a reply was lost, and who has it since is not known here: it is to be unassigned in any case
    yield state.remember(event.node, Memory(RELEASED, "", here[1]))


def _is_held(memory, ifname) -> bool:
    return memory is not None and memory.state == WANTED and memory.ifname == ifname


def _put(state, event, around):
    memory = state.memory[event.node]
    ifname = event.ifname or (memory.ifname if memory else "")
    if not ifname:
        # several interfaces are in the subnet; or another request has just chosen one, and failed as this one
        if event.answer in (400, LOST, UNHEARD) or (around.here and event.answer != 200):
            yield state
        return
    if not event.ifname and around.here and event.answer not in (200, LOST, UNHEARD):
        yield state  # it went where another request was about to bring the address, and failed as that one
    here = (event.node, ifname)
    done = State(here, state.memory).remember(event.node, Memory(WANTED, event.owner, ifname))
    if event.answer in (200, LOST, UNHEARD):
        yield done
        if _is_held(memory, ifname) and not around.long_gone:
            yield done._replace(place=state.place)  # EC2 has said so a moment ago
    if event.answer == LOST:
        yield from _half_done(state, event, here, around)
    if event.answer in (LOST, UNHEARD):
        yield from _refused(state, event, here, around)
        if around.given_back:
            yield from _given_back(state, event, here)
    elif event.answer != 200 and _may_be_refused(state, event, ifname, around):
        yield from _refused(state, event, here, around)
        if event.code == "superseded":
            # the address was on its way there already when the next one came, who is to be seen at the end
            yield done.remember(event.node, Memory(WANTED, NOT_TO_BE_SEEN, ifname))
        if event.code == "released":
            yield from _given_back(state, event, here)


def _delete(state, event, around):
    memory = state.memory[event.node]
    if event.answer in (LOST, UNHEARD):
        yield state
    if memory is None or memory.state == RELEASED:
        # an owner who is there for a moment only: his request was refused afterwards
        if event.answer == 200 or (event.answer == 409 and around.here):
            yield state
    elif memory.owner == event.owner:
        # 409: somebody newer was to have it, who did not get it; now nobody wants it
        if event.answer in (200, LOST, UNHEARD) or (event.answer == 409 and around.here):
            # a pod that has it keeps it as it is
            for owner in around.having:
                yield state.remember(event.node, Memory(WANTED, owner, memory.ifname))
            if not around.having:
                yield state.remember(event.node, Memory(RELEASED, "", memory.ifname))
    elif event.answer == 409:
        yield state


def _see(state, node, owner, ifname):
    """A pod has it, which is as good as a request that succeeds; unless somebody has asked for it there."""
    if _is_held(state.memory[node], ifname) and not state.memory[node].owner.startswith(WATCH):
        yield state
        return
    seen = State((node, ifname), state.memory).remember(node, Memory(WANTED, owner, ifname))
    yield seen
    if _is_held(state.memory[node], ifname):
        yield seen._replace(place=state.place)


def _unsee(state, event):
    """The newest place has it; when that goes, another one, or nobody."""
    memory = state.memory[event.node]
    if memory is None or memory.state == RELEASED or memory.owner != event.owner:
        yield state
        if memory is not None and memory.state == WANTED:
            return
    elif not event.others:
        yield state.remember(event.node, Memory(RELEASED, "", memory.ifname))
        return
    elif state.place and state.place[0] != event.node:
        yield state.remember(event.node, None)  # the other place had it once, and does not take it back
    for owner in event.others:
        yield from _see(state, event.node, owner, event.ifname)


def _compare(state, event):
    """What a daemon makes of its file and of what EC2 shows at its start."""
    node, memory = event.node, state.memory[event.node]
    shown = state.place if state.place and state.place[0] == node else None
    if memory is not None and shown == (node, memory.ifname):
        if event.reboot and memory.state == WANTED:
            state = state.remember(node, Memory(STALE, memory.owner, memory.ifname))
        yield state
        return
    if memory is not None and shown and memory.state == WANTED and not event.reboot:
        yield state._replace(place=(node, memory.ifname))  # a move within the node is undone
        return
    forgotten = Memory(RELEASED, "", shown[1]) if shown else None
    yield state.remember(node, forgotten)
    # EC2's describes lag: what was answered a moment ago is believed
    if memory is not None and memory.state == WANTED and not event.reboot and not event.aged:
        yield state


def _kept(state, event, owner):
    """A pod has still what it had before the daemon was started: it is not taken from another node."""
    if state.place is None:
        yield from _see(state, event.node, owner, event.ifname)
    else:
        yield state


def _restart(state, event, around):
    before = state.memory[event.node]
    had = around.last if before is None else before.owner if before.state == WANTED else ""
    if event.reboot:
        had = ""
    for after in _compare(state, event):
        memory = after.memory[event.node]
        owner = memory.owner if memory and memory.state != RELEASED else ""
        if event.others:
            if memory and memory.state == WANTED and owner in event.others:
                yield from _kept(after, event, owner)
                continue
            for other in event.others:
                # what one of them had, or somebody who asked for it, none of them takes
                if memory is None and had and (had in event.others or not had.startswith(WATCH)):
                    yield from _kept(after, event, other)
                # who asked for it may have given it back meanwhile
                if memory is not None or had not in event.others:
                    yield from _see(after, event.node, other, event.ifname)
        elif owner.startswith(WATCH):
            yield after.remember(event.node, Memory(RELEASED, "", memory.ifname))
        else:
            yield after


def _apply(state, event, around):
    if event.kind == PUT:
        return _put(state, event, around)
    if event.kind == DELETE:
        return _delete(state, event, around)
    if event.kind == SEE:
        return _see(state, event.node, event.owner, event.ifname)
    if event.kind == UNSEE:
        return _unsee(state, event)
    return _restart(state, event, around)


def _orders(events):
    """In which they may have happened: a daemon is started again after what its last run was asked."""
    for order in itertools.permutations(events):
        restarted = set()
        for event in order:
            if event.kind == RESTART:
                restarted.add(event.node)
            elif event.node in restarted and event.answer is not None:
                break
        else:
            yield order


def _origins(address, states, events) -> frozenset:
    """Where an IPv6 address was, which EC2 moves in two calls, if more than one node did not get it."""
    late = {event.node for event in events if event.kind == PUT and event.answer != 200}
    if not is_ipv6(address) or len(late) < 2:
        return frozenset()
    return frozenset(state.place for state in states if state.place)


# -- the model --------------------------------------------------------------

class Model:
    """
    The addresses of @pool, at first nowhere, and @n_nodes nodes.
    @limits: addresses that an interface holds besides its own, IPv4 and IPv6
    @cooldown, @grace: seconds, as the daemons are configured
    """

    def __init__(self, pool, n_nodes, limits, cooldown, grace):
        self._limits, self._times = limits, {RELEASED: cooldown, STALE: grace}
        self._possible = {a: {State(None, (None,) * n_nodes)} for a in pool}
        # (address, node) -> when it may first have been given up
        self._since = {}
        # (address, node) -> owners, and the interface: of the pods that have it
        self._having = {}
        # likewise -> owner who had it there, and may not know that it has moved away
        self._last = {}
        # likewise -> since when it is elsewhere, though the daemon there remembers it
        self._gone = {}
        # which a daemon that was killed may have given back where nobody knows of them any more
        self.strays = set()

    def _may_expire(self, address, node, memory, now, room) -> bool:
        since = self._since.get((address, node), now)
        if now >= since + self._times[memory.state]:
            return True
        return room.may_be_needed(address, (node, memory.ifname))

    def _by_itself(self, address, states, now, room) -> set:
        """@states, and what daemons may have made of them without being asked."""
        found, fresh = set(), set(states)
        while fresh:
            found |= fresh
            fresh = {after for state in fresh for after in self._expire(address, state, now, room)} - found
        return found

    def _expire(self, address, state, now, room):
        for node, memory in enumerate(state.memory):
            if memory is None:
                if state.place and state.place[0] == node:
                    yield state.remember(node, Memory(RELEASED, "", state.place[1]))  # a look has found it
                if state.place is None:
                    # a pod has it still that did not get it while it was elsewhere
                    owners, ifname = self._having.get((address, node), ((), ""))
                    for owner in owners:
                        yield from _see(state, node, owner, ifname)
                continue
            here = state.place == (node, memory.ifname)
            if memory.state == WANTED:
                if not here:
                    yield state.remember(node, None)  # moved away, and that was noticed
            elif not here:
                yield state.remember(node, None)
            elif self._may_expire(address, node, memory, now, room):
                yield state._replace(place=None)

    def _room(self, events) -> Room:
        room = Room(self._limits)
        for address, states in self._possible.items():
            for state in states:
                for node, memory in enumerate(state.memory):
                    if memory:
                        room.note(address, (node, memory.ifname), memory.state == RELEASED)
                    if memory and state.place and state.place[0] == node:
                        room.note(address, state.place, released=True)
        for address, event in events:
            if event.kind in (PUT, SEE):
                for ifname in [event.ifname] if event.ifname else self._ifnames(address, event.node):
                    room.note(address, (event.node, ifname))
            for _ in event.others:
                room.note(address, (event.node, event.ifname))
        return room

    def _ifnames(self, address, node) -> set:
        return {s.memory[node].ifname for s in self._possible[address] if s.memory[node]}

    def happened(self, events, begin, now, refused=False) -> None:
        """
        Something has happened.
        @events: list of (address, Event), all at the same time
        @begin, @now: monotonic seconds between which it was
        @refused: EC2 was made to refuse calls
        """
        room = self._room(events)
        for address, event in events:
            self._note_having(address, event)
        for address, states in self._possible.items():
            mine = [event for a, event in events if a == address]
            states = self._by_itself(address, states, now, room)
            if is_ipv6(address) and any(e.kind == PUT and e.answer == LOST for e in mine):
                self.strays.add(address)
            origins = _origins(address, states, mine)
            after = set() if mine else states
            for order in _orders(mine) if mine else []:
                reached = states
                for event in order:
                    reached = self._one(address, reached, event, mine, room, begin, refused, origins)
                    reached = self._by_itself(address, reached, now, room)
                after |= reached
            if not after:
                raise Divergence(f"{address}: " + ", ".join(_told(e) for e in mine) + " cannot be: before, "
                                 + " or ".join(map(str, sorted(states, key=str))))
            self._possible[address] = after
            self._age(address, begin)
            for event in mine:
                self._note_last(address, event)

    def _note_having(self, address, event) -> None:
        if event.kind in (UNSEE, RESTART):
            self._having[address, event.node] = event.others, event.ifname
        elif event.kind == SEE:
            owners, _ = self._having.get((address, event.node), ((), ""))
            self._having[address, event.node] = (*owners, event.owner), event.ifname

    def _note_last(self, address, event) -> None:
        """Who has given it up, or ended with the node, is none any more."""
        last = self._last.get((address, event.node))
        if event.kind == UNSEE and last == event.owner and event.others:
            self._last[address, event.node] = PASSED_ON
        elif (event.kind == UNSEE and last == event.owner) or \
                (event.kind == RESTART and (event.reboot or (last not in event.others and (
                    not event.others or str(last).startswith(WATCH))))):
            is_late = event.kind == RESTART and not event.reboot and last and not last.startswith(WATCH)
            self._last.pop((address, event.node), None)
            if is_late:
                # noticed, and noted, perhaps only after those who show it were looked for
                self._last[address, event.node] = PASSED_ON

    def _one(self, address, states, event, all_events, room, begin, refused, origins) -> set:
        others = list(all_events)
        others.remove(event)
        around = Circumstances(
            address, room, any(o.node == event.node and o.kind != RESTART for o in others),
            any(o.node != event.node and o.kind != RESTART for o in others),
            any((o.kind, o.node, o.owner) == (DELETE, event.node, event.owner) for o in others), refused,
            self._last.get((address, event.node), ""), self._having.get((address, event.node), ((), ""))[0],
            begin > self._gone.get((address, event.node), begin) + TRUST_SECONDS, origins)
        return {after for state in states for after in _apply(state, event, around)}

    def _age(self, address, begin) -> None:
        """Since when something is given up: since @begin at the earliest, if it was not before."""
        n_nodes = len(next(iter(self._possible[address])).memory)
        for node in range(n_nodes):
            given_up = any(s.memory[node] and s.memory[node].state != WANTED
                           for s in self._possible[address])
            if given_up:
                self._since.setdefault((address, node), begin)
            else:
                self._since.pop((address, node), None)

    def why_not(self, seen, now) -> str:
        """
        Why what was seen cannot be; "" if it can.
        @seen: address -> State
        """
        room = self._room([])
        for address, state in seen.items():
            possible = self._by_itself(address, self._possible[address], now, room)
            if state not in possible:
                return f"{address}: {state}. It should be: " + \
                    " or: ".join(map(str, sorted(possible, key=str)))
        return ""

    def saw(self, seen, now) -> None:
        """This is how it is; raises Divergence if that cannot be."""
        why = self.why_not(seen, now)
        if why:
            raise Divergence(why)
        self._possible = {address: {state} for address, state in seen.items()}
        self.strays = {a for a in self.strays if seen[a].place and seen[a].memory[seen[a].place[0]] is None}
        for address, state in seen.items():
            self._age(address, now)
            for node, memory in enumerate(state.memory):
                if memory:
                    self._last[address, node] = memory.owner if memory.state == WANTED else ""
                if memory and memory.state == WANTED and state.place != (node, memory.ifname):
                    self._gone.setdefault((address, node), now)
                else:
                    self._gone.pop((address, node), None)

    def owners(self, node) -> dict:
        """Address -> owner, of what the node should have, after a look."""
        states = {address: next(iter(states)) for address, states in self._possible.items()}
        return {a: s.memory[node].owner for a, s in states.items()
                if s.memory[node] and s.memory[node].state == WANTED}


def unsettled(seen, strays=()) -> str:
    """What must not be when there is nothing left to do, or ""."""
    for address, state in seen.items():
        if any(m and m.state != WANTED for m in state.memory):
            return f"{address} is not released: {state}"
        if state.place is None:
            continue
        memory = state.memory[state.place[0]]
        if address not in strays and (memory is None or memory.ifname != state.place[1]):
            return f"{address} is assigned and belongs to nobody: {state}"
    return ""


def _told(event) -> str:
    words = [event.kind, f"at node {event.node}"]
    words += [f"by {event.owner}"] if event.owner else []
    words += [f"on {event.ifname}"] if event.ifname else []
    words += [f"answered {event.answer} {event.code}".rstrip()] if event.answer is not None else []
    return " ".join(words)
