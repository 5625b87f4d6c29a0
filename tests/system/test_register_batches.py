# SPDX-License-Identifier: Apache-2.0
"""Many requests, few calls; and requests that come while a call is under way.

Calls are held at the simulator's gate until the daemon is seen to know of all
requests that the test is about.
"""

import os
import select
import signal
import subprocess
import time

import pytest
from harness import SUBNETS
from registering import ASSIGN, ASSIGN6, ETH1, UNASSIGN, UNASSIGN6, Registering, until

A, B, C, D = (f"10.0.10.{n}" for n in range(201, 205))
V4 = (A, ASSIGN, UNASSIGN)
V6 = ("2001:db8:e2c:10::a1", ASSIGN6, UNASSIGN6)
#: held before EC2 has carried it out, or before it has answered
HELD = [(*family, when) for family in (V4, V6) for when in ("before", "after")]


@pytest.fixture
def node(pods):
    """A node whose addresses are unassigned as soon as they are given back."""
    with Registering(pods, release_cooldown="0") as node:
        yield node


def asked(call) -> list:
    """The addresses that a call names."""
    return [value for key, value in call["params"].items() if ".".join(key.split(".")[:-1]) in
            ("PrivateIpAddress", "Ipv6Addresses")]


def statuses(pending) -> list:
    return [each.reply().status for each in pending]


# -- batches ---------------------------------------------------------------

def test_fifty_at_once(node):
    addresses = [f"10.0.10.{n}" for n in range(150, 200)]
    node.control.gate(ASSIGN)
    pending = [node.begin("PUT", address, f"pod-{address}") for address in addresses]
    node.control.gate_reached()
    node.wait_known(*addresses)
    node.control.gate_release()
    assert statuses(pending) == [200] * 50
    calls = [asked(call) for call in node.calls(ASSIGN)]
    assert len(calls) <= 2
    assert sorted(sum(calls, [])) == addresses
    assert node.in_ec2() == set(addresses)
    assert node.owners() == {address: f"pod-{address}" for address in addresses}

    node.control.gate(UNASSIGN)
    pending = [node.begin("DELETE", address, f"pod-{address}") for address in addresses]
    node.control.gate_reached()
    assert statuses(pending) == [200] * 50
    node.control.gate_release()
    until(lambda: not node.addresses(), "the release")
    assert len(node.calls(UNASSIGN)) <= 2
    assert node.in_ec2() == set()


def test_next_call_does_not_wait_for_the_disk(node):
    """The daemon is stopped when it wants to sync the file for the first answer."""
    node.control.gate(ASSIGN)
    held = node.begin("PUT", A)
    node.control.gate_reached()
    next_one = node.begin("PUT", B)
    node.wait_known(A, B)
    pid = node.daemon.process.pid
    tracer = subprocess.Popen(
        ["strace", "-p", str(pid), "-o", "/dev/null", "-e", "trace=fsync",
         "-e", "inject=fsync:signal=STOP:when=1"], stderr=subprocess.PIPE, text=True)
    try:
        assert "attached" in tracer.stderr.readline()
        node.control.gate_release()
        until(lambda: len(node.calls(ASSIGN)) == 2, "the next call")
        assert not select.select([held], [], [], 0)[0]
    finally:
        tracer.terminate()
        tracer.wait()
        tracer.stderr.close()
        os.kill(pid, signal.SIGCONT)
    assert statuses([held, next_one]) == [200, 200]


def test_interfaces_do_not_wait_for_each_other(pods):
    with Registering(pods, ETH1.replace(SUBNETS[0], f"{SUBNETS[0]}, {SUBNETS[1]}")) as node:
        node.control.gate(ASSIGN)
        held = node.begin("PUT", A)
        node.control.gate_reached()
        assert node.put("10.0.20.201").status == 200
        assert node.owners() == {"10.0.20.201": "pod"}
        node.control.gate_release()
        assert held.reply().status == 200


def test_several_in_one_request(node):
    results = node.post([A, "10.0.99.1", "ten", "10.0.10.1", V6[0], B])
    assert [r["status"] for r in results] == [200, 422, 400, 409, 200, 200]
    assert [r["error"]["code"] for r in results if "error" in r] == \
        ["not_in_subnet", "bad_address", "reserved"]
    assert [asked(call) for call in node.calls(ASSIGN)] == [[A, B]]
    assert set(node.owners()) == {A, B, V6[0]}


def held_batch(node, addresses) -> list:
    """PUTs that go out as one call after one of another address; their replies."""
    node.control.gate(ASSIGN6 if ":" in addresses[0] else ASSIGN)
    first = node.begin("PUT", "2001:db8:e2c:10::f" if ":" in addresses[0] else "10.0.10.210", "first")
    node.control.gate_reached()
    pending = [node.begin("PUT", address) for address in addresses]
    node.wait_known(*addresses)
    node.control.gate_release()
    assert first.reply().status == 200
    return [each.reply() for each in pending]


def test_one_that_ec2_does_not_name(pods, node):
    """A primary address of another interface: EC2 says only that there is one."""
    foreign = pods.control.post("/foreign-eni", {"subnet": SUBNETS[0], "ipv4": [C]})["id"]
    replies = held_batch(node, [A, B, C, D])
    assert [r.status for r in replies] == [200, 200, 409, 200]
    assert replies[2].code == "reserved" and C in str(asked(node.calls(ASSIGN)[1]))
    assert set(node.owners()) == {A, B, D, "10.0.10.210"}
    assert node.in_ec2() == {A, B, D, "10.0.10.210"}
    pods.control.delete(f"/enis/{foreign}")


@pytest.mark.parametrize("addresses", [[A, B, C, D], [f"2001:db8:e2c:10::{n}" for n in "abcd"]])
def test_one_that_another_node_has(pods, addresses):
    """IPv4: EC2 names it. IPv6: it does not."""
    with Registering(pods) as holder, Registering(pods, allow_reassign="no") as node:
        assert holder.put(addresses[1]).status == 200
        replies = held_batch(node, addresses)
        assert [r.status for r in replies] == [200, 409, 200, 200]
        assert replies[1].code == "address_in_use"
        assert set(addresses) - node.in_ec2() - node.in_ec2_6() == {addresses[1]}
        assert addresses[1] not in node.addresses()


# -- while a call is under way ---------------------------------------------

@pytest.mark.parametrize("address, assign, unassign, when", HELD)
def test_release_then_register(node, address, assign, unassign, when):
    assert node.put(address, "old").status == 200
    node.control.gate(unassign, when=when)
    assert node.delete(address, "old").status == 200
    node.control.gate_reached()
    again = node.begin("PUT", address, "new")
    node.wait_known(address)
    node.control.gate_release()
    assert again.reply().status == 200
    assert node.owners() == {address: "new"}
    assert address in node.in_ec2() | node.in_ec2_6()
    assert len(node.calls(unassign)) == 1


@pytest.mark.parametrize("address, assign, unassign, when", HELD)
def test_register_then_release(node, address, assign, unassign, when):
    node.control.gate(assign, when=when)
    held = node.begin("PUT", address)
    node.control.gate_reached()
    node.wait_known(address)
    assert node.delete(address).status == 200
    reply = held.reply()
    assert (reply.status, reply.code) == (409, "released")
    node.control.gate_release()
    until(lambda: not node.addresses(), "the release")
    assert address not in node.in_ec2() | node.in_ec2_6()


@pytest.mark.parametrize("address, assign, unassign, when", HELD)
def test_the_last_word_counts(node, address, assign, unassign, when):
    """Register, release and register again while the first call is out; then the reverse."""
    node.control.gate(assign, when=when)
    first = node.begin("PUT", address, "a")
    node.control.gate_reached()
    node.wait_known(address)
    assert node.delete(address, "a").status == 200
    assert first.reply().status == 409
    last = node.begin("PUT", address, "b")
    node.wait_known(address)
    node.control.gate_release()
    assert last.reply().status == 200
    assert node.owners() == {address: "b"}
    assert address in node.in_ec2() | node.in_ec2_6()

    node.control.gate(unassign, when=when)
    assert node.delete(address, "b").status == 200
    node.control.gate_reached()
    between = node.begin("PUT", address, "c")
    node.wait_known(address)
    assert node.delete(address, "c").status == 200
    assert between.reply().status == 409
    node.control.gate_release()
    until(lambda: not node.addresses(), "the release")
    assert address not in node.in_ec2() | node.in_ec2_6()


def test_newest_owner_wins(node):
    node.control.gate(ASSIGN)
    old = node.begin("PUT", A, "old")
    node.control.gate_reached()
    node.wait_known(A)
    new = node.begin("PUT", A, "new")
    reply = old.reply()
    assert (reply.status, reply.code) == (409, "superseded")
    node.control.gate_release()
    assert new.reply().status == 200
    assert node.owners() == {A: "new"}
    assert len(node.calls(ASSIGN)) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_peer_that_vanishes(node, when):
    """As if the answer had been lost on the way: it is registered, and asking again costs nothing."""
    node.control.gate(ASSIGN, when=when)
    gone = node.begin("PUT", A, "impatient")
    node.control.gate_reached()
    node.wait_known(A)
    gone.hang_up()
    node.control.gate_release()
    until(lambda: node.owners() == {A: "impatient"}, "the registration")
    assert node.put(A, "impatient").status == 200
    assert len(node.calls(ASSIGN)) == 1
    assert node.daemon.errors() == []


# -- EC2 has a bad day -----------------------------------------------------

@pytest.mark.parametrize("do", ["throttle", "500", "503", "close-before", "close-after", "truncated",
                                "garbage"])
@pytest.mark.parametrize("address, assign", [V4[:2], V6[:2]])
def test_call_that_has_to_be_repeated(pods, node, address, assign, do):
    pods.control.faults({"action": assign, "k": 1, "n": 1, "do": do})
    assert node.put(address).status == 200
    assert node.owners() == {address: "pod"}
    assert address in node.in_ec2() | node.in_ec2_6()


@pytest.mark.parametrize("do", ["throttle", "500", "close-before", "close-after"])
@pytest.mark.parametrize("address, unassign", [V4[::2], V6[::2]])
def test_release_that_has_to_be_repeated(pods, node, address, unassign, do):
    assert node.put(address).status == 200
    pods.control.faults({"action": unassign, "k": 1, "n": 1, "do": do})
    assert node.delete(address).status == 200
    until(lambda: not node.addresses(), "the release")
    assert address not in node.in_ec2() | node.in_ec2_6()


@pytest.mark.parametrize("assign, addresses", [(ASSIGN, [A, B, C, D]),
                                               (ASSIGN6, [f"2001:db8:e2c:10::a{n}" for n in range(4)])])
def test_throttled_call_takes_others_along(node, assign, addresses):
    """What comes while a call is refused for the rate of calls goes out with it, not after it."""
    node.control.latency({assign: 1})
    node.control.faults({"action": assign, "n": 1, "do": "throttle"})
    first = node.begin("PUT", addresses[0])
    until(lambda: node.calls(assign), "the call")
    others = [node.begin("PUT", address) for address in addresses[1:]]
    assert statuses([first, *others]) == [200] * 4
    assert [len(asked(call)) for call in node.calls(assign)] == [1, 4]


def test_throttled_until_the_deadline(node):
    """504 after a minute; what was asked for later has a minute of its own, and nothing is lost by then."""
    node.control.faults({"action": ASSIGN, "n": 0, "do": "throttle"})
    first = node.begin("PUT", A)
    node.wait_known(A)
    begin = time.monotonic()
    # longer before the end than two tries are apart
    until(lambda: time.monotonic() > begin + 20, "a third of the minute")
    assert len(node.calls(ASSIGN)) > 3
    second = node.begin("PUT", B)
    reply = first.reply(timeout=90)
    assert (reply.status, reply.code) == (504, "deadline")
    assert 40 < time.monotonic() - begin < 70
    node.control.faults()
    assert second.reply(timeout=90).status == 200
    assert node.put(A).status == 200
    assert node.in_ec2() == {A, B}


def test_throttled_look_is_put_off(node):
    """Somebody registers his address again, and describes are refused for their rate; others are not."""
    assert node.put(A).status == 200
    time.sleep(0.2)
    node.control.faults({"action": "DescribeNetworkInterfaces", "n": 0, "do": "throttle"})
    again = node.begin("PUT", A)
    until(lambda: node.calls("DescribeNetworkInterfaces"), "a look at the interface")
    assert node.put(B).status == 200
    assert not select.select([again], [], [], 0)[0]
    node.control.faults()
    assert again.reply().status == 200


def test_throttled_move_goes_on_beside(pods, node):
    """Another node's IPv6 address is on its way here, and assigning such is refused for its rate."""
    with Registering(pods) as holder:
        assert holder.put(V6[0]).status == 200
        node.control.faults({"action": ASSIGN6, "k": 2, "n": 0, "do": "throttle"})
        moving = node.begin("PUT", V6[0])
        until(lambda: len(node.calls(ASSIGN6)) >= 2, "the refusal")
        assert node.put(B).status == 200
        assert not select.select([moving], [], [], 0)[0]
        node.control.faults()
        assert moving.reply().status == 200
        assert V6[0] in node.in_ec2_6() and V6[0] not in holder.in_ec2_6()


@pytest.mark.parametrize("do", ["throttle", "503", "500"])
def test_unassign_gives_way(node, do):
    """EC2 does not unassign what was given back: others are registered, and so is it, if wanted again."""
    assert node.put(A).status == 200
    node.control.faults({"action": UNASSIGN, "n": 0, "do": do})
    assert node.delete(A).status == 200
    until(lambda: node.calls(UNASSIGN), "the first refusal")
    assert node.put(B).status == 200
    assert node.put(A, "new").status == 200
    node.control.faults()
    assert node.put(C).status == 200
    assert all(call["status"] != 200 for call in node.calls(UNASSIGN))
    assert node.in_ec2() == {A, B, C}
    assert node.delete(A, "new").status == 200
    node.wait_gone(A)
