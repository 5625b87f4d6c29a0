# SPDX-License-Identifier: Apache-2.0
"""Three nodes with their daemons in a simulated region: lets steps happen to them, and looks.

After each step there is a look at EC2 and at every daemon, and the model is
asked whether that may be. Nodes are numbered, interfaces have the names that
they have on their node.
"""

import contextlib
import http.client
import os
import time

from bench.run import context_switches
from ec2sim.node import Topology
from fleet import Fleet
from harness import SUBNETS
from registering import Registering, scenario, with_registration

from . import pods, steps
from .burst import Burst
from .model import RESTART, SEE, UNSEE, WANTED, Divergence, Event, Memory, Model, State, unsettled

NETWORKS = f"[network]\nsubnets = {SUBNETS[0]}, {SUBNETS[0]}, {SUBNETS[1]}\n" \
           "security_groups = sg-0000000000000a115\n"
TYPE = {"name": "x9.small", "vcpus": 16, "memory_mib": 65536, "max_enis": 15,
        "ipv4_per_eni": steps.LIMITS[0] + 1,
        "ipv6_per_eni": steps.LIMITS[1] + 1, "performance": "much"}
#: how long a stale registration waits; the cooldown is the episode's
GRACE = 1.5
#: how long what must come by itself may take besides the times configured
SETTLE_SECONDS = 15.0
#: nothing may happen for so long when nothing is left to do
REST_SECONDS = 0.5


def _world() -> dict:
    world = scenario()
    world["instance_types"].append(TYPE)
    return world


class Node(Registering):
    """A node with a number, its interfaces and its pods."""

    def __init__(self, fleet, number):
        super().__init__(fleet, NETWORKS, {"type": TYPE["name"]})
        self.number = number
        self.pods = pods.Pods(self.node)
        self.enis = {}

    def configure(self, cooldown) -> None:
        """For the next run."""
        self.daemon.configure(with_registration(NETWORKS, watch="yes",
                                                release_cooldown=f"{int(cooldown * 1000)}ms",
                                                stale_grace=f"{int(GRACE * 1000)}ms"))

    def begin_start(self) -> None:
        self.daemon.start()

    def end_start(self) -> None:
        self.daemon.wait_notified("READY")

    def end(self, how) -> None:
        """The daemon ends: kill, stop, or with its node: reboot."""
        if self.daemon.process.poll() is not None:
            raise Divergence(f"the daemon of node {self.number} has ended by itself: "
                             f"{self.daemon.process.returncode}")
        if how == "reboot":
            self.reboot()
            self.pods = pods.Pods(self.node)
        elif how == "stop":
            status = self.daemon.stop()
            if status != 0:
                raise Divergence(f"the daemon of node {self.number} ended with {status} when told to stop")
        else:
            self.daemon.kill()

    def age(self, seconds) -> None:
        """Nothing was ever written where nothing was ever registered."""
        if os.path.exists(self.store):
            super().age(seconds)

    def is_asking(self) -> bool:
        """Whether EC2 has still to say something of what is wanted; the list shows what it said before."""
        return self.metrics()["multus_eks_addresses_pending"] > 0

    def memory(self) -> dict:
        """What the daemon remembers: address -> entry of its list."""
        try:
            return self.addresses()
        except (http.client.HTTPException, OSError) as error:
            raise Divergence(f"node {self.number} does not answer: {error!r}") from error


class _End:
    """A daemon's end in the middle of its work, as a step asks for it."""

    def __init__(self, node, how, gate=None, late="drop", answers=None):
        self._node, self._how, self._late, self._answers = node, how, late, answers
        self.number = node.number
        self._held = None
        if gate:
            action, k, when = gate
            node.control.put("/gate", {"action": action, "k": k, "when": when, "node": node.node.instance_id})
            self._held = node.control.gate_waiting()

    def fileno(self) -> int:
        """Readable when the call is held."""
        return self._held.sock.fileno()

    def is_armed(self) -> bool:
        return self._held is not None

    def is_time(self, n_answered) -> bool:
        return self._answers is not None and n_answered >= self._answers

    def happen(self) -> None:
        """What was held is carried out or not after its end."""
        self._node.end(self._how)
        if self._held:
            self._held.close()
        self._node.control.gate_release(self._late)
        self._node.control.gate_off()


class World:
    """A context manager. @directory: of the daemons' files; @with_pods: the kernel can have them"""

    def __init__(self, directory, with_pods=True):
        self._directory, self._with_pods = directory, with_pods
        self._stack = contextlib.ExitStack()
        self.nodes, self.model, self._cooldown = [], None, 0.0

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            # each has a /run of its own, with the names of its pods' namespaces
            region = stack.enter_context(Topology(_world(), nodes=(), tmpfs=["/run"]))
            self.control = region.control
            fleet = Fleet(region, self._directory)
            for number in range(steps.N_NODES):
                node = Node(fleet, number)
                node.configure(self._cooldown)
                self.nodes.append(stack.enter_context(node))
            self._remember_interfaces()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception) -> None:
        self._stack.__exit__(*exception)

    def _remember_interfaces(self) -> None:
        for node in self.nodes:
            node.enis = {e["id"]: (e["tags"]["multus-eks:network"], e["ipv4"][0], e["ipv6"][0])
                         for e in node.fleet.interfaces(node.node)}

    # -- one episode -------------------------------------------------------

    def run(self, sequence) -> None:
        """
        From nothing registered to nothing registered. Raises AssertionError, with what is not as it must
        be; the world is good for nothing after that.
        """
        self._start({"cooldown": 0.2, "latency": 0})
        for number, step in enumerate(sequence):
            self.at = f"step {number + 1} of {len(sequence)}"
            getattr(self, "_" + step["do"].replace("-", "_"))(step)
        self.at = "the end"
        self._check_agreement()
        self._clean()

    def _start(self, step) -> None:
        self._cooldown = step["cooldown"]
        self.control.latency({"*": step["latency"]})
        for node in self.nodes:
            node.end("kill")
            node.configure(self._cooldown)
        self._start_all()
        self.model = Model(steps.POOL, len(self.nodes), steps.LIMITS, self._cooldown, GRACE)
        self._look()

    def _start_all(self) -> None:
        for node in self.nodes:
            node.begin_start()
        for node in self.nodes:
            node.end_start()

    # -- steps -------------------------------------------------------------

    def _requests(self, step) -> None:
        begin, end = time.monotonic(), step.get("end")
        n_given_up = sum(m.state != WANTED for state in self.seen.values() for m in state.memory if m)
        self._disturb(step)
        if end:
            end = _End(self.nodes[end["node"]], **{k: v for k, v in end.items() if k != "node"})
        burst = Burst(self.nodes, step["of"], end)
        events = burst.finish()
        if burst.ended is not None:
            self._await_calls()
        self._disturb({})
        if burst.ended is not None:
            events += self._start_again(burst.ended, step["end"]["how"] == "reboot")
        self._happened(events, begin, refused=steps.may_be_refused(step))
        # a daemon may hear later of a pod than of a request
        self._look(wait=any(address in steps.SEEN for address, _ in events))
        self._check_calls(begin, len(events), n_given_up)

    def _check_calls(self, begin, n_events, n_given_up) -> None:
        """
        What is asked for is not fought for. To bring an IPv6 address here takes three calls, and one more if
        it is refused; what was given up before is unassigned meanwhile. Whatever is asked for twice because
        it was not answered does not count.
        """
        calls = [c for c in self.control.calls(mutating=True)
                 if c["ns"] >= begin * 1e9 and not c["fault"] and c["code"] != "RequestLimitExceeded"]
        if len(calls) > 10 + 4 * n_events + n_given_up:
            raise Divergence(f"{n_events} requests led to {len(calls)} calls: {_told(calls)}")

    def _disturb(self, step) -> None:
        """What EC2 does to calls from now on."""
        self.control.faults(*[
            {"action": action, "k": k, "n": n, "do": "error" if what == "refuse" else what, "seconds": 0.2,
             "code": "UnauthorizedOperation", "status": 403,
             **({} if node is None else {"node": self.nodes[node].node.instance_id})}
            for action, node, k, n, what in step.get("faults", [])])
        self.control.deny(*[f"ec2:{action}" for action in step.get("deny", [])])
        buckets = step.get("buckets")
        self.control.put("/buckets", buckets and {action: buckets
                                                  for action in (*steps.ASSIGN, *steps.UNASSIGN)})

    def _await_calls(self) -> None:
        """What a daemon has sent is carried out though it was killed: until it was."""
        self._until(lambda: "" if all(call["end"] is not None for call in self.control.calls())
                    else "a call is still under way")

    def _start_again(self, number, is_reboot) -> list:
        """The daemon of a node; what that does to every address."""
        node = self.nodes[number]
        node.begin_start()
        node.end_start()
        return self._restarts(node, reboot=is_reboot)

    def _restarts(self, node, **what) -> list:
        return [(address, Event(RESTART, node.number, ifname=pods.PARENT,
                                others=tuple(node.pods.having(address)),
                                **what)) for address in steps.POOL]

    def _end(self, step) -> None:
        begin, node = time.monotonic(), self.nodes[step["node"]]
        node.end(step["how"])
        self._await_calls()
        for change in step["meanwhile"] if step["how"] != "reboot" else []:
            self._change_pod(node, change)
        self._happened(self._start_again(node.number, step["how"] == "reboot"), begin)
        self._look()

    def _change_pod(self, node, step) -> bool:
        """Whether there was something to change."""
        has = step["address"] in node.pods.of(step["pod"])
        if not self._with_pods or has == (step["do"] == "see"):
            return False
        if has:
            node.pods.remove(step["pod"], step["address"])
        else:
            node.pods.add(step["pod"], step["address"])
        return True

    def _see(self, step) -> None:
        begin, node = time.monotonic(), self.nodes[step["node"]]
        if self._change_pod(node, step):
            event = Event(SEE, node.number, pods.owner_of(step["pod"]), pods.PARENT)
            self._happened([(step["address"], event)], begin)
            self._look(wait=True)

    def _unsee(self, step) -> None:
        begin, node = time.monotonic(), self.nodes[step["node"]]
        if self._change_pod(node, step):
            self._happened([self._unseen(node, step["pod"], step["address"])], begin)
            self._look(wait=True)

    def _end_pod(self, step) -> None:
        begin, node = time.monotonic(), self.nodes[step["node"]]
        if step["pod"] in node.pods.names():
            addresses = node.pods.of(step["pod"])
            node.pods.end(step["pod"])
            self._happened([self._unseen(node, step["pod"], a) for a in addresses], begin)
            self._look(wait=True)

    @staticmethod
    def _unseen(node, pod, address) -> tuple:
        others = tuple(node.pods.having(address))
        return address, Event(UNSEE, node.number, pods.owner_of(pod), pods.PARENT, others=others)

    def _happened(self, events, begin, refused=False) -> None:
        self.model.happened(events, begin, time.monotonic(), refused)

    # -- looking -----------------------------------------------------------

    def _places(self) -> dict:
        """Where EC2 has addresses: (node, interface name); all else of the interfaces is as it was."""
        places, enis = {}, {eni["id"]: eni for eni in self.control.enis()}
        expected = {e for node in self.nodes for e in node.enis}
        others = [e["id"] for e in enis.values() if not e["attachment"] or e["attachment"]["device_index"]]
        if set(others) != expected:
            raise Divergence(f"there are interfaces {sorted(others)}, there were {sorted(expected)}")
        for node in self.nodes:
            for eni_id, (ifname, primary, own) in node.enis.items():
                eni = enis[eni_id]
                if eni["ipv4"][0] != primary or own not in eni["ipv6"]:
                    raise Divergence(f"node {node.number} {ifname} had {primary} and {own} and has "
                                     f"{eni['ipv4']} and {eni['ipv6']}")
                for address in {*eni["ipv4"], *eni["ipv6"]} - {primary, own}:
                    places[address] = (node.number, ifname)
        return places

    def _seen(self):
        """Address -> State, or a text: what is still under way."""
        before = [node.memory() for node in self.nodes]
        places = self._places()
        if any(node.is_asking() for node in self.nodes):
            return "EC2 is being asked"
        if [node.memory() for node in self.nodes] != before:
            return "what the daemons remember changes"
        strangers = {a for entries in [places, *before] for a in entries} - set(steps.POOL)
        if strangers:
            raise Divergence(f"nobody asked for {strangers}")
        for node, entries in zip(self.nodes, before):
            for address, entry in entries.items():
                # wanted, or given back before it was there: a call is or will be under way
                if not entry["assigned"]:
                    return f"{address} is {entry['state']} on node {node.number} and not assigned"
        return {a: State(places.get(a), tuple(_memory(entries.get(a)) for entries in before))
                for a in steps.POOL}

    def _until(self, why_not, seconds=SETTLE_SECONDS) -> None:
        """Wait until @why_not() is empty; raises Divergence with what it was at last."""
        deadline = time.monotonic() + seconds
        while True:
            why = why_not()
            if not why:
                return
            if time.monotonic() > deadline:
                raise Divergence(f"{why}, and that after {seconds:.0f} s")
            time.sleep(0.005)

    def _look(self, wait=False, rest=False) -> None:
        """
        Whether all is as it may be.
        @wait: for what is seen in pods, which nobody is told the end of
        @rest: until nothing is left to do
        """
        def why_not():
            self.seen = self._seen()
            if isinstance(self.seen, str):
                return self.seen
            if rest:
                return unsettled(self.seen, self.model.strays)
            return self.model.why_not(self.seen, time.monotonic()) if wait else ""

        # a request that fights for an address is slowed down by up to half a minute
        self._until(why_not, SETTLE_SECONDS + (max(self._cooldown * 1.125, GRACE) if rest else 45.0))
        self.model.saw(self.seen, time.monotonic())

    def _rest(self, _step=None) -> None:
        """Everything that daemons do by themselves is done."""
        self._look(rest=True)
        self._await_calls()
        self.control.clear()

    # -- the end of an episode ---------------------------------------------

    def _check_agreement(self) -> None:
        """
        Daemons that were started long after all this agree with EC2, have nothing to do, and do nothing.
        """
        self._rest()
        begin, before, strays = time.monotonic(), self.seen, self.model.strays
        for node in self.nodes:
            node.end("kill")
            node.age(3600)
        self._start_all()
        self._happened([e for node in self.nodes for e in self._restarts(node, aged=True)], begin)
        self._look(wait=True)
        self._look(rest=True)
        # a pod has what is elsewhere: the daemon there asks for it, and for what is nobody's it is answered
        contested = {a for a in steps.SEEN for node in self.nodes
                     if node.pods.having(a) and before[a].place != (node.number, pods.PARENT)}
        for address, state in self.seen.items():
            holders = [n for n, m in enumerate(state.memory) if m]
            if holders != ([state.place[0]] if state.place else []) and address not in contested:
                raise Divergence(f"{address}: the daemons do not agree with EC2 after a restart: {state}")
        calls = self.control.calls(mutating=True)
        calls = [c for c in calls if not (contested | strays) & set(c["params"].values())]
        if calls:
            raise Divergence(f"a restart with nothing to do changed something: {_told(calls)}")
        self._check_idle()

    def _check_idle(self) -> None:
        """What ends may need another moment, such as our own connections; what has no end is seen then."""
        self._until(lambda: "".join(node.pods.tentative() for node in self.nodes), SETTLE_SECONDS)

        def why_not():
            self.control.clear()
            before = [context_switches(node.daemon.process.pid) for node in self.nodes]
            time.sleep(REST_SECONDS)
            woken = [context_switches(node.daemon.process.pid) - n for node, n in zip(self.nodes, before)]
            calls = self.control.calls()
            return f"with nothing to do, the daemons woke up {woken} times and called {_told(calls)}" \
                if calls or any(woken) else ""

        self._until(why_not, 4 * REST_SECONDS)

    def _clean(self) -> None:
        """Everything is given back."""
        for node in self.nodes:
            for pod in node.pods.names():
                self._end_pod({"node": node.number, "pod": pod})
        self._requests({"of": [["DELETE", node.number, address, owner] for node in self.nodes
                               for address, owner in self.model.owners(node.number).items()]})
        self._rest()
        left = [f"{address}: {state}" for address, state in self.seen.items()
                if state.place or any(state.memory)]
        if left:
            raise Divergence(f"all was given back, and there is still {left}")

    def report(self) -> str:
        """For somebody who looks for the reason: the calls and what the daemons say."""
        lines = [f"{c['t']:.3f} {c['instance']} {c['action']} {c['status']} {c['code']} {c['fault']} "
                 f"{c['params']}"
                 for c in self.control.calls()]
        for node in self.nodes:
            told = [line for line in node.daemon.tail(20000).splitlines() if "request GET " not in line]
            lines += [f"-- node {node.number} {node.node.instance_id} {node.enis}", *told[-400:]]
        return "\n".join(lines)


def _memory(entry):
    if entry is None:
        return None
    owner = "" if entry["state"] == "released" else entry["owner"]
    return Memory(entry["state"], owner, entry["interface"])


def _told(calls) -> str:
    return ", ".join(f"{c['action']} of {c['instance']}" for c in calls) or "nothing"
