# SPDX-License-Identifier: Apache-2.0
"""Pods that do nothing for their addresses: the daemon sees them, and EC2 routes them there.

What the watch makes of each event is tested on the kernel elsewhere (tests/netns/test-watch.c); here it is
the whole: kernel, daemon, EC2, and back to a ping.
"""

import subprocess
import time

import pytest

from cnichain import Runtime, real_plugin, static_network
from harness import message_ids
from registering import ASSIGN, ASSIGN6, UNASSIGN, UNASSIGN6, until
from watching import TWO_IN_ONE_SUBNET, Watching, link_nsid, veth

A, B, C, V6 = "10.0.10.201", "10.0.10.202", "10.0.10.203", "2001:db8:e2c:10::a1"
# of an IPv4 subnet the kernel removes all addresses with the first
LENGTH = {A: 32, B: 32, C: 32, V6: 64}
IDS = message_ids()


def full(address) -> str:
    return f"{address}/{LENGTH[address]}"


@pytest.fixture
def node(pods):
    """A node with one network and a short cooldown."""
    with Watching(pods) as node:
        yield node


@pytest.fixture
def wide(pods):
    """A node with two interfaces in one subnet."""
    with Watching(pods, TWO_IN_ONE_SUBNET) as node:
        yield node


def have(node, ifname="eth1") -> set:
    """What EC2 shows on an interface, but its own."""
    return {a for a in node.in_ec2(ifname) | node.in_ec2_6(ifname) if a in LENGTH}


# -- the life of an address ------------------------------------------------

@pytest.mark.parametrize("named", [False, True])
def test_there_at_the_start(node, named):
    node.daemon.kill()
    pod = node.plugged(full(A), full(V6), name="cni-a" if named else None)
    other = node.plugged(full(B))
    node.control.clear()
    node.start()
    owners = {A: pod.owner(), V6: pod.owner(), B: other.owner()}
    node.wait_owners(owners)
    assert have(node) == {A, V6, B}
    assert (len(node.calls(ASSIGN)), len(node.calls(ASSIGN6))) == (1, 1)

    # again, and there is nothing to do but for what has gone meanwhile
    node.control.clear()
    node.restart()
    node.wait_owners(owners)
    assert node.control.calls(mutating=True) == []
    node.daemon.kill()
    pod.remove(full(A))
    other.close()
    node.start()
    node.wait_owners({V6: pod.owner()})
    until(lambda: have(node) == {V6}, "the release")


def test_added_changed_removed(node):
    pod = node.pod(name="cni-a")
    pod.plug()
    pod.add(full(A))
    node.wait_owners({A: pod.owner()})
    # duplicate detection takes its time, and is waited for
    pod.add(full(V6), more="")
    node.wait_owners({A: pod.owner(), V6: pod.owner()})
    assert have(node) == {A, V6}
    # told again with another lifetime
    pod.batch(*(f"address change {full(a)} dev net1 preferred_lft 1000 valid_lft 2000" for a in (A, V6)))
    # one for the other
    pod.add(full(B))
    pod.remove(full(A))
    node.wait_owners({B: pod.owner(), V6: pod.owner()})
    until(lambda: have(node) == {B, V6}, "the release")
    pod.batch("address flush dev net1")
    node.wait_empty()
    assert have(node) == set()
    assert (len(node.calls(ASSIGN)), len(node.calls(ASSIGN6))) == (2, 1)
    assert len(node.calls(UNASSIGN)) == 2
    assert node.daemon.log(IDS["WATCH_REFUSED"]) == []


def test_interface_and_namespace_end(node):
    first, second, third = node.plugged(full(A)), node.plugged(full(B), full(V6)), node.plugged(full(C))
    node.wait_owners({A: first.owner(), B: second.owner(), V6: second.owner(), C: third.owner()})
    first.unplug()
    second.close()
    node.wait_owners({C: third.owner()})
    until(lambda: have(node) == {C}, "the release")


def test_link_renamed_by_a_plugin(node):
    """As host-device does before it moves it: it is given two seconds for that."""
    begin = time.monotonic()
    node.node.run(["sh", "-c", "ip link set eth1 down; ip link set eth1 name temp_5"], check=True)
    until(lambda: "eth1" in node.node.links(), "its name")
    assert time.monotonic() - begin >= 2
    until(lambda: node.daemon.status()["interfaces"][0]["state"] == "up", "its being up")


def test_link_that_fails(node):
    """Somebody renames the interface again and again, until it is given up; its pods are still there."""
    pod = node.plugged(full(A))
    node.wait_owners({A: pod.owner()})

    def is_given_up():
        node.node.run(["sh", "-c", "ip link set eth1 down; ip link set eth1 name odd"], check=False,
                      stderr=subprocess.DEVNULL)
        return node.daemon.status()["interfaces"][0]["state"] == "failed"

    until(is_given_up, "the end of renaming back")
    pod.add(full(B))
    node.wait_owners({A: pod.owner(), B: pod.owner()})
    assert have(node) == {A, B}
    assert not node.calls(UNASSIGN)


def test_without_a_veth(node):
    """No id, so nothing is told of it: the daemon gives one to what has a name."""
    later = node.pod(with_veth=False, name="later")
    until(lambda: later.nsid() is not None, "its id")
    later.plug()
    later.add(full(A), full(V6))
    owners = {A: later.owner(), V6: later.owner()}
    node.wait_owners(owners)

    node.daemon.kill()
    there = node.plugged(full(B), with_veth=False, name="there")
    assert there.nsid() is None
    node.start()
    node.wait_owners({**owners, B: there.owner()})
    there.add(full(C))
    node.wait_owners({**owners, B: there.owner(), C: there.owner()})
    there.close()
    later.close()
    node.wait_empty()


# -- floating addresses ----------------------------------------------------

@pytest.mark.parametrize("address", [A, V6])
def test_floats_on_one_node(wide, address):
    first, second = wide.plugged(parent="eth1"), wide.plugged(parent="eth2")
    first.add(full(address))
    wide.wait_owners({address: first.owner()})
    second.add(full(address))
    wide.wait_owners({address: second.owner()})
    assert (have(wide, "eth1"), have(wide, "eth2")) == (set(), {address})
    first.remove(full(address))
    first.add(full(address))
    wide.wait_owners({address: first.owner()})
    assert (have(wide, "eth1"), have(wide, "eth2")) == ({address}, set())
    # back to the one that has it still
    first.unplug()
    wide.wait_owners({address: second.owner()})
    assert wide.where() == {address: "eth2"}
    second.close()
    wide.wait_empty()


@pytest.mark.parametrize("drops", [True, False])
@pytest.mark.parametrize("address, assign", [(A, ASSIGN), (V6, ASSIGN6)])
def test_floats_during_a_call(wide, address, assign, drops):
    """On its way to the first pod's interface it cannot go to the second's, and does when it can."""
    first, second = wide.plugged(parent="eth1"), wide.plugged(parent="eth2")
    wide.control.gate(assign)
    first.add(full(address))
    wide.control.gate_reached()
    second.add(full(address))
    if drops:
        first.remove(full(address))
    # events keep their order: once this is known, so are those
    second.add(full(B))
    wide.wait_known(B)
    wide.control.gate_release()
    wide.wait_owners({address: second.owner(), B: second.owner()})
    assert wide.where() == {address: "eth2", B: "eth2"}
    until(lambda: (have(wide, "eth1"), have(wide, "eth2")) == (set(), {address, B}), "the move")


@pytest.mark.parametrize("address", [A, V6])
def test_floats_between_nodes(pods, node, address):
    with Watching(pods) as other:
        old, new = node.plugged(full(address)), other.plugged()
        node.wait_owners({address: old.owner()})
        new.add(full(address))
        other.wait_owners({address: new.owner()})
        assert (have(node), have(other)) == (set(), {address})
        old.remove(full(address))
        node.wait_empty()
        assert (have(node), have(other)) == (set(), {address})

        # and back, the other way round: given up before it comes
        new.remove(full(address))
        old.add(full(address))
        node.wait_owners({address: old.owner()})
        other.wait_empty()
        assert (have(node), have(other)) == ({address}, set())


@pytest.mark.parametrize("added_again", [False, True])
@pytest.mark.parametrize("address, assign", [(A, ASSIGN), (V6, ASSIGN6)])
def test_moved_away_and_started_again(pods, node, address, assign, added_again):
    """
    The pod has it still, and it is another node's by now: it is not taken back because the daemon looks
    anew. It comes when it is free, or added to the pod again.
    """
    with Watching(pods) as other:
        old, new = node.plugged(full(address)), other.plugged()
        node.wait_owners({address: old.owner()})
        new.add(full(address))
        other.wait_owners({address: new.owner()})
        node.control.clear()
        node.daemon.kill()
        node.age(120)
        node.start()
        until(lambda: node.metrics()["multus_eks_refused_total"] == 1, "the refusal")
        assert (have(node), have(other)) == (set(), {address})
        assert node.owners() == {}
        assert [c["action"] for c in node.control.calls(mutating=True)] == [assign]
        assert [e["ADDRESS"] for e in node.daemon.log(IDS["ADDRESS_MOVED_AWAY"])] == [address]
        assert [e["ADDRESS"] for e in node.daemon.log(IDS["WATCH_REFUSED"])] == [address]

        if added_again:
            old.remove(full(address))
            old.add(full(address))
        else:
            new.remove(full(address))
        node.wait_owners({address: old.owner()})
        assert (have(node), have(other)) == ({address}, set())


def test_not_taken_from_another_node(pods):
    """allow_reassign = no: it comes once the other node has given it back."""
    with Watching(pods, allow_reassign="no") as node, Watching(pods, allow_reassign="no") as other:
        old, new = node.plugged(full(A)), other.plugged()
        node.wait_owners({A: old.owner()})
        new.add(full(A))
        until(lambda: other.metrics()["multus_eks_refused_total"] == 1, "the refusal")
        assert have(node) == {A}
        old.remove(full(A))
        other.wait_owners({A: new.owner()})
        assert (have(node), have(other)) == (set(), {A})


# -- others who ask for what a pod has -------------------------------------

@pytest.fixture
def runtime(node):
    missing = [kind for kind in ("macvlan", "static") if not real_plugin(kind)]
    if missing:
        pytest.skip(f"no CNI plugins {missing}: containernetworking-plugins")
    with Runtime(node.node) as runtime:
        yield runtime


def test_with_the_cni_plugin(node, runtime):
    """Both see the pod. It is the plugin's, from ADD to DEL and over a restart, and costs what one costs."""
    node.control.latency({ASSIGN: 0.1, ASSIGN6: 0.1})
    attachment = runtime.attach(static_network(node.daemon.socket_path, f"{A}/24", f"{V6}/64"))
    watched = f"watch:nsid{link_nsid(node, veth(node, attachment.pod))}/net1"
    attachment.add()
    owners = {A: attachment.owner, V6: attachment.owner}
    assert node.owners() == owners
    assert node.daemon.log(IDS["WATCH_REFUSED"]) == []
    attachment.check()

    node.restart()
    assert node.owners() == owners
    attachment.check()
    # given back before the pod has given it up: it is the watch's, and was all the time
    assert node.delete(A, attachment.owner).status == 200
    assert node.owners() == {A: watched, V6: attachment.owner}
    assert have(node) == {A, V6}
    attachment.delete()
    node.wait_empty()
    assert have(node) == set()
    assert [len(node.calls(action)) for action in (ASSIGN, ASSIGN6, UNASSIGN, UNASSIGN6)] == [1, 1, 1, 1]
    assert node.daemon.log(IDS["WATCH_REFUSED"]) == []


def test_a_pod_that_is_deleted(node, runtime):
    """DEL runs in reverse, so for a moment the pod has what was given back: one call all the same."""
    attachment = runtime.attach(static_network(node.daemon.socket_path, f"{A}/24"))
    veth(node, attachment.pod)
    attachment.add()
    attachment.delete()
    node.wait_empty()
    assert (len(node.calls(ASSIGN)), len(node.calls(UNASSIGN))) == (1, 1)


def test_by_hand(node):
    """Registered and unregistered, a pod's address ends where it began, for nothing."""
    pod = node.plugged(full(A), full(V6))
    owners = {A: pod.owner(), V6: pod.owner()}
    node.wait_owners(owners)
    for _ in range(3):
        assert node.ctl("register", "--owner", "me", A, V6).returncode == 0
        assert node.owners() == {A: "me", V6: "me"}
        assert node.ctl("unregister", "--owner", "me", A, V6).returncode == 0
        assert node.owners() == owners
    assert node.ctl("unregister", "--owner", pod.owner(), A).returncode == 5
    node.restart()
    assert node.owners() == owners
    assert (len(node.calls(ASSIGN)), len(node.calls(ASSIGN6))) == (1, 1)
    pod.close()
    node.wait_empty()
    assert (len(node.calls(UNASSIGN)), len(node.calls(UNASSIGN6))) == (1, 1)


def test_by_the_pod_itself(node):
    """It registers first and configures its interface then: it stays its own, also over a restart."""
    pod = node.plugged()
    assert node.put(A, "me").status == 200
    pod.add(full(A), full(B))
    # events keep their order
    node.wait_owners({A: "me", B: pod.owner()})
    node.restart()
    assert node.owners() == {A: "me", B: pod.owner()}
    pod.remove(full(A), full(B))
    node.wait_owners({A: "me"})
    assert node.delete(A, "me").status == 200
    node.wait_empty()


def test_events_are_lost(node):
    """More happens than the socket holds. It looks anew, and takes from nobody what it was refused."""
    node.control.deny(ASSIGN)
    pod = node.plugged(full(A), name="cni-a")
    until(lambda: node.metrics()["multus_eks_refused_total"] == 1, "the refusal")
    node.control.deny()
    assert node.put(A, "me").status == 200

    with node.frozen():
        flood = [f"address {verb} {full(C)} dev net1" for verb in ("add", "del")] * 1000
        for _ in range(100):
            if node.lost_events():
                break
            pod.batch(*flood)
        assert node.lost_events()
        other = node.plugged(full(B), name="cni-b")
        pod.add(full(V6))
    node.wait_owners({A: "me", B: other.owner(), V6: pod.owner()})
    assert (len(node.calls(ASSIGN)), len(node.calls(ASSIGN6))) == (3, 1)
