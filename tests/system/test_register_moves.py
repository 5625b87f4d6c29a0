# SPDX-License-Identifier: Apache-2.0
"""Addresses that move from one node to another, and what is left to say on either."""

import pytest
from cnichain import PluginError, invoke
from harness import message_ids
from registering import ASSIGN, ASSIGN6, UNASSIGN, UNASSIGN6, Registering, until
from watching import TWO_IN_ONE_SUBNET

A, B = "10.0.10.201", "10.0.10.202"
V6, W6 = "2001:db8:e2c:10::a1", "2001:db8:e2c:10::b2"
IDS = message_ids()


@pytest.fixture
def old(pods):
    """The node that has it first."""
    with Registering(pods, release_cooldown="0") as node:
        yield node


@pytest.fixture
def new(pods):
    """The node that it comes to."""
    with Registering(pods, release_cooldown="0") as node:
        yield node


def have(node) -> set:
    """What EC2 shows on the node, but the interface's own."""
    return {a for a in node.in_ec2() | node.in_ec2_6() if a in (A, B, V6, W6)}


def test_ipv4(old, new):
    assert old.put(A, "pod").status == 200
    assert new.put(A, "pod").status == 200
    assert (have(old), have(new)) == (set(), {A})
    assert [c["params"]["AllowReassignment"] for c in new.calls(ASSIGN)] == ["true"]
    assert old.calls(UNASSIGN) == new.calls(UNASSIGN) == []
    assert new.owners() == {A: "pod"}


def test_ipv6(old, new):
    """Found, unassigned there, assigned here."""
    assert old.put(V6, "pod").status == 200
    assert old.put(W6, "pod").status == 200
    new.control.clear()
    assert new.put(V6, "pod").status == 200
    assert (have(old), have(new)) == ({W6}, {V6})
    calls = new.control.calls(mutating=True)
    assert [(c["action"], c["params"]["NetworkInterfaceId"]) for c in calls] == [
        (ASSIGN6, new.eni()["id"]), (UNASSIGN6, old.eni()["id"]), (ASSIGN6, new.eni()["id"])]
    assert new.metrics()["multus_eks_moved_here_total"] == 1


@pytest.mark.parametrize("address", [A, V6])
def test_moved_away_is_dropped_at_the_next_start(old, new, address):
    """Never taken back by itself: it takes a request to move it again."""
    for each in (address, B):
        assert old.put(each, "pod").status == 200
    assert new.put(address, "pod").status == 200
    old.daemon.kill()
    old.age(120)
    old.control.clear()
    old.start()
    assert old.owners() == {B: "pod"} == {a: e["owner"] for a, e in old.addresses().items()}
    assert old.control.calls(mutating=True) == []
    assert [e["ADDRESS"] for e in old.daemon.log(IDS["ADDRESS_MOVED_AWAY"])] == [address]
    assert old.metrics()["multus_eks_moved_away_total"] == 1
    assert (have(old), have(new)) == ({B}, {address})

    assert old.put(address, "pod").status == 200
    assert (have(old), have(new)) == ({address, B}, set())


@pytest.mark.parametrize("address", [A, V6])
def test_moved_away_a_moment_ago(old, new, address):
    """EC2's describes may be behind: believed for a minute, but not taken back by itself either."""
    assert old.put(address, "pod").status == 200
    assert new.put(address, "pod").status == 200
    old.control.clear()
    old.restart()
    assert old.owners() == {address: "pod"}
    assert old.control.calls(mutating=True) == []
    assert (have(old), have(new)) == (set(), {address})
    assert old.put(address, "pod").status == 200
    assert (have(old), have(new)) == ({address}, set())


@pytest.mark.parametrize("address, owner", [(A, "pod"), (V6, "another")])
def test_asked_for_again(old, new, address, owner):
    """It was answered once, and has moved away since, a moment ago: 200 is said when it is here again."""
    old.control.latency({ASSIGN: 0.2, ASSIGN6: 0.2})
    assert old.put(address, "pod").status == 200
    assert old.put(address, "pod").status == 200
    assert new.put(address, "pod").status == 200
    assert old.put(address, owner).status == 200
    assert (have(old), have(new)) == ({address}, set())
    assert old.owners() == {address: owner}
    assert old.metrics()["multus_eks_moved_here_total"] == 1


def test_in_turns_by_requests(old, new):
    """Nobody gives it back first; each answer is true, and the fight is noticed."""
    old.control.latency({ASSIGN: 0.2})
    for holder, other in ((old, new), (new, old)) * 4:
        assert holder.put(A, "pod").status == 200
        assert (have(holder), have(other)) == ({A}, set())
    assert [node.metrics()["multus_eks_flapping_total"] for node in (old, new)] == [1, 1]


def test_own_addresses(old, new):
    """Those of the interfaces themselves, and of the instances' first ones, stay where they are."""
    for node in (old, new):
        own = node.eni()["ipv4"][0], *node.in_ec2_6()
        for address in own:
            assert (node.put(address).status, node.put(address).code) == (409, "reserved")
        assert {node.eni()["ipv4"][0], *node.in_ec2_6()} == set(own)


@pytest.mark.parametrize("address", [A, V6])
def test_release_of_what_moved_away(old, new, address):
    """The pod moved: it was registered there before it was given back here."""
    assert old.put(address, "pod").status == 200
    assert old.put(B, "pod").status == 200
    assert new.put(address, "pod").status == 200
    assert old.delete(address, "pod").status == 200
    until(lambda: address not in old.addresses(), "the release")
    assert (have(old), have(new)) == ({B}, {address})
    assert new.owners() == {address: "pod"}
    assert old.owners() == {B: "pod"}


@pytest.mark.parametrize("address", [A, V6])
def test_taken_while_it_was_given_back(pods, new, address):
    """What this node remembers of the cooldown is not believed: EC2 is asked again."""
    with Registering(pods, release_cooldown="1h") as old:
        assert old.put(address, "pod").status == 200
        assert old.delete(address, "pod").status == 200
        assert new.put(address, "pod").status == 200
        assert old.put(address, "pod").status == 200
        assert (have(old), have(new)) == ({address}, set())
        assert old.owners() == {address: "pod"}


def test_batch_of_moves(old, new):
    """Some are free, some are elsewhere: all of them come."""
    for address in (V6, A):
        assert old.put(address).status == 200
    assert [r["status"] for r in new.post([V6, W6, A, B])] == [200] * 4
    assert (have(old), have(new)) == (set(), {V6, W6, A, B})


def test_ipv6_is_given_back_when_it_cannot_be_assigned(pods, old, new):
    assert old.put(V6, "pod").status == 200
    pods.control.faults({"action": ASSIGN6, "node": new.node.instance_id, "k": 2, "n": 1, "do": "error",
                         "code": "PrivateIpAddressLimitExceeded"})
    reply = new.put(V6, "pod")
    assert (reply.status, reply.code) == (507, "address_limit")
    assert (have(old), have(new)) == ({V6}, set())
    assert new.addresses() == {}
    assert [c["params"]["NetworkInterfaceId"] for c in new.calls(ASSIGN6)] == \
        [new.eni()["id"], new.eni()["id"], old.eni()["id"]]
    assert new.daemon.log(IDS["ADDRESS_STRANDED"]) == []
    old.restart()
    assert old.owners() == {V6: "pod"}


def test_ipv6_that_cannot_be_given_back_is_said(pods, old, new):
    assert old.put(V6, "pod").status == 200
    pods.control.faults({"action": ASSIGN6, "node": new.node.instance_id, "k": 2, "n": 2, "do": "error",
                         "code": "PrivateIpAddressLimitExceeded"})
    assert new.put(V6, "pod").status == 507
    assert (have(old), have(new)) == (set(), set())
    entries = new.daemon.log(IDS["ADDRESS_STRANDED"])
    assert [(e["ADDRESS"], e["HOLDER_ENI_ID"]) for e in entries] == [(V6, old.eni()["id"])]
    assert new.put(V6, "pod").status == 200
    assert have(new) == {V6}


@pytest.mark.parametrize("action", [UNASSIGN6, "DescribeNetworkInterfaces"])
def test_ipv6_that_may_not_be_moved(pods, old, new, action):
    assert old.put(V6, "pod").status == 200
    pods.control.deny(f"ec2:{action}")
    reply = new.put(V6, "pod")
    assert (reply.status, reply.code) == (502, "ec2_denied")
    assert (have(old), have(new)) == ({V6}, set())
    assert new.addresses() == {}


def test_within_the_node(pods):
    """From one interface to another in the same subnet."""
    two = "[network]\nsubnets = {0}, {0}\nsecurity_groups = sg-0000000000000a115\n"
    with Registering(pods, two.format("subnet-0000000000000a001"), release_cooldown="0") as node:
        for address in (A, V6):
            assert node.put(address, "pod", "eth1").status == 200
            assert node.put(address, "pod", "eth2").body["interface"] == "eth2"
            assert node.addresses()[address]["interface"] == "eth2"
        assert node.in_ec2("eth2") == {A} and V6 in node.in_ec2_6("eth2")
        assert node.in_ec2("eth1") == set() and V6 not in node.in_ec2_6("eth1")
        node.restart()
        assert node.owners() == {A: "pod", V6: "pod"}


def test_while_it_is_registered_on_another_interface(pods):
    """Not yet: those who ask, by whatever means, are told to ask again; then it moves."""
    with Registering(pods, TWO_IN_ONE_SUBNET) as node:
        plugin = {"cniVersion": "1.0.0", "name": "oam", "type": "multus-eks-ip", "master": "eth2",
                  "socket": node.daemon.socket_path, "prevResult": {"ips": [{"address": f"{A}/24"}]}}
        environment = {"CNI_CONTAINERID": "c0ffee", "CNI_IFNAME": "net1", "CNI_NETNS": "/proc/self/ns/net"}
        node.control.gate(ASSIGN)
        held = node.begin("PUT", A, "pod", "eth1")
        node.control.gate_reached()
        node.wait_known(A)

        reply = node.put(A, "other", "eth2")
        assert (reply.status, reply.code) == (409, "busy")
        result = node.ctl("register", "--interface", "eth2", A)
        assert (result.returncode, result.stdout) == (3, "")
        with pytest.raises(PluginError) as raised:
            invoke("ADD", plugin, environment)
        assert (raised.value.code, raised.value.details) == (11, "code busy")

        node.control.gate_release()
        assert held.reply().status == 200
        invoke("ADD", plugin, environment)
        assert node.owners() == {A: "cni:oam/c0ffee/net1"}
        assert (node.in_ec2("eth1"), node.in_ec2("eth2")) == (set(), {A})


@pytest.mark.parametrize("address", [A, V6])
def test_in_turns(old, new, address):
    """Two nodes that want it in turns: from the third time on slower, and said once."""
    for _ in range(4):
        for node in (old, new):
            if address in node.addresses():
                assert node.delete(address, "pod").status == 200
                until(lambda node=node: address not in node.addresses(), "the end of the old registration")
            assert node.put(address, "pod").status == 200
    for node in (old, new):
        assert [e["ADDRESS"] for e in node.daemon.log(IDS["ADDRESS_FLAPPING"])] == [address]
        assert node.metrics()["multus_eks_flapping_total"] == 1
    assert (have(old), have(new)) == (set(), {address})


@pytest.mark.parametrize("do", ["500", "close-before", "throttle"])
def test_given_back_before_it_was_assigned(old, new, do):
    """No reply has come for it, and meanwhile another node has it: it is not taken for nobody."""
    old.control.faults({"action": ASSIGN, "n": 0, "do": do, "node": old.node.instance_id})
    given_up = old.begin("PUT", A)
    until(lambda: old.calls(ASSIGN), "the first try")
    assert old.delete(A).status == 200
    assert given_up.reply().status == 409
    assert new.put(A).status == 200
    old.control.faults()
    until(lambda: not old.addresses(), "its being forgotten")
    assert (have(old), have(new)) == (set(), {A})
    assert new.owners() == {A: "pod"}
