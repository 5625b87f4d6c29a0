# SPDX-License-Identifier: Apache-2.0
"""What happens: steps, as plain data that can be written to a file and read again.

    {"do": "start", "cooldown": 0.3, "latency": 0.005}
    {"do": "requests", "of": [["PUT", 0, "10.0.10.200", "a", "eth1"], ...], "end": {...}, ...}

Steps of an episode, in order; each can be done whatever was done before it, so
that some can be left out. A step of requests sends all of them at once, and may
have besides them:

    faults   rules of the simulator: [action, node or null, k, n, what]; "refuse": UnauthorizedOperation
    deny     actions that EC2 refuses
    buckets  [burst, rate] of the actions that change addresses
    end      of a daemon: how (kill, stop, reboot), and when: held at a call of its own (gate), or after
             so many answers
"""

import json
import random

N_NODES = 3
IFNAMES = ("eth1", "eth2", "eth3")
OWNERS = ("a", "b", "c")
RUNTIME = "cni:oam/c0ffee/net1"
#: eth1 and eth2 are in one subnet, eth3 in another
SHARED = [f"10.0.10.{n}" for n in range(200, 207)] + [f"2001:db8:e2c:10::a{n}" for n in range(5)]
SINGLE = ["10.0.20.200", "10.0.20.201", "2001:db8:e2c:20::a0"]
#: on eth3, registered by pods that have them and by nobody else
SEEN = [f"10.0.20.{n}" for n in range(210, 212)] + ["2001:db8:e2c:20::b0", "2001:db8:e2c:20::b1"]
POOL = SHARED + SINGLE + SEEN
PODS = ("pod0", "pod1")
#: addresses besides its own that an interface holds, IPv4 and IPv6
LIMITS = (4, 3)

ASSIGN = ("AssignPrivateIpAddresses", "AssignIpv6Addresses")
UNASSIGN = ("UnassignPrivateIpAddresses", "UnassignIpv6Addresses")
LOOK = "DescribeNetworkInterfaces"
#: what is repeated until it works, and changes nothing of how it ends
FAULTS = ("throttle", "500", "503", "close-before", "close-after", "hang")
#: what a request may fail of; a refusal that cannot be read is taken for one that is final
REFUSALS = ("truncated", "refuse")
#: of a step, how often it has each of these
DISTURBANCES = {"faults": .15, "deny": .05, "buckets": .03, "end": .15}


def meant(address, ifname) -> str:
    """The interface of a request that may not name it; "" where there are several."""
    return ifname or ("" if address in SHARED else IFNAMES[2])


class Generator:
    """Steps of one episode; the same seed gives the same ones."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        # a few addresses are asked for more often, so that requests meet
        self._hot = self._random.sample(SHARED + SINGLE, 3)
        # (node, address, owner) of what was asked for, most of which is there to be given back
        self._asked = []
        # (node, address) of what a runtime asked for
        self._attached = []

    def steps(self, n) -> list:
        rng = self._random
        steps = [{"do": "start", "cooldown": rng.choice((0, .2, .2, 1)),
                  "latency": rng.choice((0, .005, .03))}]
        kinds = {self._requests: 57, self._see: 12, self._runtime: 14, self._unsee: 6, self._end_pod: 2,
                 self._end: 6, self._rest: 3}
        while len(steps) < n:
            steps.append(rng.choices(list(kinds), kinds.values())[0]())
        return steps

    def _node(self) -> int:
        """The first two nodes meet more often."""
        return self._random.choices(range(N_NODES), (4, 4, 2))[0]

    def _address(self) -> str:
        return self._random.choice(self._hot if self._random.random() < .4 else SHARED + SINGLE)

    def _seen(self) -> str:
        return self._random.choice(SEEN[::2] if self._random.random() < .6 else SEEN)

    def _ifname(self, address):
        """Mostly named; where it is in one subnet only, it need not be."""
        rng = self._random
        if address in SINGLE:
            return rng.choice(("eth3", None))
        return rng.choices(("eth1", "eth2", None), (6, 3, 1))[0]

    # -- requests ----------------------------------------------------------

    def _requests(self) -> dict:
        rng = self._random
        n = 1 if rng.random() < .5 else rng.randint(2, 8)
        step = {"do": "requests", "of": [self._request() for _ in range(n)]}
        for name, share in DISTURBANCES.items():
            if rng.random() < share:
                step[name] = getattr(self, f"_some_{name}")()
        return _thinned(step)

    def _request(self) -> list:
        rng = self._random
        verb = rng.choices(("PUT", "DELETE", "POST"), (6, 4, 1))[0]
        request = getattr(self, f"_{verb.lower()}")()
        return request + (["unheard"] if verb != "POST" and rng.random() < .04 else [])

    def _put(self) -> list:
        node, address, owner = self._node(), self._address(), self._random.choice(OWNERS)
        self._asked.append((node, address, owner))
        return ["PUT", node, address, owner, self._ifname(address)]

    def _post(self) -> list:
        """Half of them are more than an interface may have room for."""
        rng, node, owner = self._random, self._node(), self._random.choice(OWNERS)
        ifname = rng.choice((None, *IFNAMES[:2]))
        pool = SHARED if ifname else SHARED + SINGLE
        several = rng.sample(pool, rng.randint(4, 8) if ifname else rng.randint(2, 6))
        self._asked += [(node, address, owner) for address in several]
        return ["POST", node, owner, [[a, ifname or self._ifname(a)] for a in several]]

    def _delete(self) -> list:
        """Mostly of what was asked for there, by whom."""
        rng = self._random
        if self._asked and rng.random() < .7:
            return ["DELETE", *self._asked.pop(rng.randrange(len(self._asked)))]
        return ["DELETE", self._node(), self._address(), rng.choice(OWNERS)]

    def _some_faults(self) -> list:
        rng = self._random
        if rng.random() < .3:
            # done and not answered, and refused when it is asked for again
            action, n = rng.choice(ASSIGN), rng.randint(1, 2)
            return [[action, None, 1, n, "close-after"], [action, None, n + 1, 2, rng.choice(REFUSALS)]]
        return [[rng.choice((*ASSIGN, *UNASSIGN, LOOK)), rng.choice((None, self._node())), rng.randint(1, 2),
                 rng.randint(1, 2), rng.choice(FAULTS)] for _ in range(rng.randint(1, 2))]

    def _some_deny(self) -> list:
        return self._random.sample(ASSIGN, self._random.randint(1, 2))

    def _some_buckets(self) -> list:
        return [self._random.randint(1, 3), self._random.choice((2, 5))]

    def _some_end(self) -> dict:
        rng = self._random
        end = {"node": self._node(), "how": rng.choices(("kill", "reboot", "stop"), (8, 2, 1))[0]}
        if rng.random() < .7:
            action = rng.choices((*ASSIGN, *UNASSIGN, LOOK), (4, 4, 1, 3, 1))[0]
            end["gate"] = [action, rng.choice((1, 1, 1, 2)), rng.choice(("before", "after"))]
            end["late"] = rng.choice(("drop", "continue"))
        else:
            end["answers"] = rng.randint(0, 2)
        return end

    # -- the rest ----------------------------------------------------------

    def _see(self) -> dict:
        rng = self._random
        return {"do": "see", "node": self._node(), "pod": rng.choice(PODS), "address": self._seen()}

    def _runtime(self) -> dict:
        """A CNI plugin asks for what a pod has or will have, or gives it back; nothing else happens then."""
        place = self._node(), self._seen()
        if self._attached and self._random.random() < .4:
            place = self._attached.pop(self._random.randrange(len(self._attached)))
            return {"do": "requests", "of": [["DELETE", *place, RUNTIME]]}
        self._attached.append(place)
        return {"do": "requests", "of": [["PUT", *place, RUNTIME, "eth3"]]}

    def _unsee(self) -> dict:
        return {**self._see(), "do": "unsee"}

    def _end_pod(self) -> dict:
        return {"do": "end-pod", "node": self._node(), "pod": self._random.choice(PODS)}

    def _end(self) -> dict:
        """Of a daemon with nothing to do; pods change while it does not run."""
        rng = self._random
        how = rng.choices(("kill", "reboot", "stop"), (4, 3, 2))[0]
        meanwhile = [rng.choice((self._see, self._unsee))() for _ in range(rng.choice((0, 0, 1, 2)))]
        return {"do": "end", "node": self._node(), "how": how, "meanwhile": meanwhile}

    def _rest(self) -> dict:
        return {"do": "rest"}


def may_be_refused(step) -> bool:
    """Whether EC2 is made to refuse what is right."""
    return "deny" in step or any(what in REFUSALS for *_, what in step.get("faults", []))


def _thinned(step) -> dict:
    """At most three requests for an address, for the model tries every order of them."""
    n, kept = {}, []
    for request in step["of"]:
        addresses = [a for a, _ in request[3]] if request[0] == "POST" else [request[2]]
        if all(n.get(a, 0) < 3 for a in addresses):
            kept.append(request)
            for address in addresses:
                n[address] = n.get(address, 0) + 1
    return {**step, "of": kept}


def smaller(step):
    """The step with one thing less, in every way."""
    for name in DISTURBANCES:
        if name in step:
            yield {key: value for key, value in step.items() if key != name}
    for name in ("of", "faults", "deny", "meanwhile"):
        for i in range(len(step.get(name, []))):
            yield {**step, name: step[name][:i] + step[name][i + 1:]}
    for i, request in enumerate(step.get("of", [])):
        if request[0] == "POST":
            for j in range(len(request[3])):
                less = [*request[:3], request[3][:j] + request[3][j + 1:]]
                if less[3]:
                    yield {**step, "of": [*step["of"][:i], less, *step["of"][i + 1:]]}
    if step.get("latency"):
        yield {**step, "latency": 0}


def write(steps) -> str:
    """One step a line."""
    return "".join(json.dumps(step) + "\n" for step in steps)


def read(text) -> list:
    return [json.loads(line) for line in text.splitlines() if line.strip() and not line.startswith("#")]
