# SPDX-License-Identifier: Apache-2.0
"""Killed anywhere, rebooted, with a bad file or a bad disk: what was answered holds, nothing is left over."""

import json
import os
import time

import pytest
from harness import message_ids
from registering import ASSIGN, ASSIGN6, ETH1, UNASSIGN, UNASSIGN6, Registering, until

A, B, C = "10.0.10.201", "10.0.10.202", "10.0.10.203"
V4 = (A, ASSIGN, UNASSIGN)
V6 = ("2001:db8:e2c:10::a1", ASSIGN6, UNASSIGN6)
HELD = [(*family, when) for family in (V4, V6) for when in ("before", "after")]
IDS = message_ids()


@pytest.fixture
def node(pods):
    with Registering(pods, release_cooldown="200ms", stale_grace="500ms") as node:
        yield node


def shown(node) -> set:
    """What EC2 shows on the interface, but its own addresses, which are in no test."""
    return {a for a in node.in_ec2() | node.in_ec2_6() if a in (A, B, C, V6[0])}


def settled(node, owners) -> None:
    """In the end the daemon and EC2 agree on @owners, and another run changes nothing."""
    until(lambda: set(node.addresses()) == set(owners) == shown(node), f"{set(owners)}")
    assert node.owners() == owners
    node.control.clear()
    node.restart()
    assert node.owners() == owners
    assert node.control.calls(mutating=True) == []


# -- SIGKILL ---------------------------------------------------------------

@pytest.mark.parametrize("address, assign, unassign, when", HELD)
def test_killed_while_registering(node, address, assign, unassign, when):
    """Not answered: what EC2 has done of it belongs to nobody, and is undone."""
    assert node.put(B, "there").status == 200
    node.control.gate(assign, when=when)
    held = node.begin("PUT", address, "pod")
    node.control.gate_reached()
    node.daemon.kill()
    held.cut_off()
    node.control.gate_release("drop")
    node.start()
    assert node.owners() == {B: "there"}
    settled(node, {B: "there"})


@pytest.mark.parametrize("address, assign, unassign, when", HELD)
def test_killed_while_registering_and_asked_again(pods, address, assign, unassign, when):
    """As the CNI plugin's runtime does: within the cooldown, the address is the pod's again."""
    with Registering(pods, release_cooldown="1h") as node:
        node.control.gate(assign, when=when)
        held = node.begin("PUT", address, "pod")
        node.control.gate_reached()
        node.daemon.kill()
        held.cut_off()
        node.control.gate_release("drop")
        node.start()
        assert node.put(address, "pod").status == 200
        settled(node, {address: "pod"})
        assert node.calls(unassign) == []


@pytest.mark.parametrize("address", [A, V6[0]])
def test_killed_after_the_answer(node, address):
    assert node.put(address, "pod").status == 200
    node.restart()
    assert node.owners() == {address: "pod"}
    assert node.put(address, "other").status == 200
    node.restart()
    assert node.owners() == {address: "other"}
    assert node.delete(address, "other").status == 200
    node.restart()
    assert node.owners() == {}
    settled(node, {})


@pytest.mark.parametrize("address, assign, unassign, when", HELD)
def test_killed_while_releasing(node, address, assign, unassign, when):
    for each in (address, B):
        assert node.put(each, "pod").status == 200
    node.control.gate(unassign, when=when)
    assert node.delete(address, "pod").status == 200
    node.control.gate_reached()
    node.daemon.kill()
    node.control.gate_release("drop")
    node.start()
    assert node.owners() == {B: "pod"}
    settled(node, {B: "pod"})


@pytest.mark.parametrize("address, assign, unassign, when", HELD)
def test_late_call_of_a_killed_run(node, address, assign, unassign, when):
    """What the killed run sent is carried out, or was, when the next one is up; the pod asks again."""
    node.control.gate(assign, when=when)
    held = node.begin("PUT", address, "pod")
    node.control.gate_reached()
    node.restart()
    held.cut_off()
    assert node.control.gate_release()
    assert node.put(address, "pod").status == 200
    settled(node, {address: "pod"})


def test_late_call_not_asked_again(node):
    """Likewise, and nobody asks for that address any more: the next look at the interface finds it."""
    node.control.gate(ASSIGN)
    held = node.begin("PUT", A, "pod")
    node.control.gate_reached()
    node.restart()
    held.cut_off()
    assert node.control.gate_release()
    assert node.put(B, "there").status == 200
    assert shown(node) == {A, B}
    time.sleep(0.2)
    node.control.clear()
    assert node.put(B, "there").status == 200
    assert len(node.calls("DescribeNetworkInterfaces")) == 1
    settled(node, {B: "there"})


def test_without_an_ipv6_address_of_its_own(pods):
    """What is found on it is nobody's, and not the interface's."""
    with Registering(pods, ETH1 + "ipv6 = no\n", release_cooldown="0s") as node:
        assert node.eni()["ipv6"] == []
        node.control.gate(ASSIGN6, when="after")
        held = node.begin("PUT", V6[0], "pod")
        node.control.gate_reached()
        node.daemon.kill()
        held.cut_off()
        node.control.gate_release("drop")
        node.start()
        settled(node, {})
        assert node.put(V6[0], "pod").status == 200


def test_status_after_a_restart(node):
    """An interface's addresses are its own, not pods' that EC2 showed on it."""
    own = node.daemon.status()["interfaces"][0]["addresses"]
    assert own == [node.eni()["ipv4"][0], node.eni()["ipv6"][0]]
    for address in (A, V6[0]):
        assert node.put(address).status == 200
    node.restart()
    assert node.daemon.status()["interfaces"][0]["addresses"] == own


@pytest.mark.parametrize("k", [1, 2])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_moving_ipv6(pods, when, k):
    """Between the call that is refused and the one that ends it: asked again, it comes."""
    with Registering(pods) as old, Registering(pods) as new:
        assert old.put(V6[0], "pod").status == 200
        new.control.gate(ASSIGN6 if k == 2 else UNASSIGN6, k, when)
        held = new.begin("PUT", V6[0], "pod")
        new.control.gate_reached()
        new.daemon.kill()
        held.cut_off()
        new.control.gate_release("drop")
        new.start()
        assert new.put(V6[0], "pod").status == 200
        settled(new, {V6[0]: "pod"})
        assert V6[0] not in old.in_ec2_6()


@pytest.mark.parametrize("action, when", [(UNASSIGN6, "before"), (UNASSIGN6, "after"), (ASSIGN6, "before"),
                                          (ASSIGN6, "after")])
def test_killed_while_moving_ipv6_and_not_asked_again(pods, action, when):
    """What was answered there holds: it goes back, unless it had come here already."""
    address = V6[0]
    with Registering(pods) as old, Registering(pods) as new:
        assert old.put(address, "pod").status == 200
        new.control.gate(action, 2 if action == ASSIGN6 else 1, when)
        held = new.begin("PUT", address, "pod")
        new.control.gate_reached()
        new.daemon.kill()
        held.cut_off()
        new.control.gate_release("drop")
        new.start()
        until(lambda: address in old.in_ec2_6() | new.in_ec2_6(), "an end of the move")
        come = (action, when) == (ASSIGN6, "after")
        assert (address in new.in_ec2_6(), address in old.in_ec2_6()) == (come, not come)
        until(lambda: set(new.addresses()) == ({address} if come else set()), "the memory of it")
        new.restart()
        assert new.owners() == ({address: "pod"} if come else {})
        assert (address in new.in_ec2_6(), address in old.in_ec2_6()) == (come, not come)


# -- reboot ----------------------------------------------------------------

def test_reboot(pods):
    """Stale: claimed again by whom they belong to, or by another, or released."""
    with Registering(pods, release_cooldown="0", stale_grace="1h") as node:
        for address in (A, B, C):
            assert node.put(address, f"old-{address}").status == 200
        node.reboot()
        node.start()
        assert {a: (e["state"], e["owner"]) for a, e in node.addresses().items()} == \
            {a: ("stale", f"old-{a}") for a in (A, B, C)}
        assert node.put(A, f"old-{A}").status == 200
        assert node.put(B, "new").status == 200
        assert node.owners() == {A: f"old-{A}", B: "new"}
        assert shown(node) == {A, B, C}
        assert node.calls(UNASSIGN) == []

        node.daemon.kill()
        node.age(7200)
        node.start()
        until(lambda: C not in node.addresses(), "the release of what nobody claimed")
        assert node.owners() == {A: f"old-{A}", B: "new"}
        assert shown(node) == {A, B}


def test_reboot_and_a_pod_that_is_gone(pods):
    """A stale one may be given back by its owner, and by nobody else."""
    with Registering(pods, release_cooldown="0", stale_grace="1h") as node:
        assert node.put(A, "pod").status == 200
        node.reboot()
        node.start()
        assert node.delete(A, "other").status == 409
        assert node.delete(A, "pod").status == 200
        settled(node, {})


# -- the file --------------------------------------------------------------

def rewrite(node, change) -> str:
    """Kill it and change its file; what the file was."""
    node.daemon.kill()
    with open(node.store, encoding="utf-8") as file:
        text = file.read()
    with open(node.store, "w", encoding="utf-8") as file:
        file.write(change(text))
    return text


@pytest.mark.parametrize("suffix, change", [
    ("damaged", lambda text: text[:len(text) // 2]),
    ("damaged", lambda text: ""),
    ("damaged", lambda text: text.replace("10.0.10", "10.0.999")),
    ("newer", lambda text: text.replace('"version":1', '"version":99')),
    ("foreign", lambda text: text.replace('"instance_id":"i-f', '"instance_id":"i-0')),
], ids=["truncated", "empty", "absurd", "newer", "foreign"])
def test_file_that_cannot_be_used(pods, suffix, change):
    """Said, kept, and what can be had from EC2 is had: addresses wait a while for their owners."""
    # Another instance's says nothing of this node's pods; what is lost of this one's may be in use.
    foreign = suffix == "foreign"
    with Registering(pods, release_cooldown="1h" if foreign else "0", stale_grace="1h") as node:
        for address in (A, B):
            assert node.put(address, "pod").status == 200
        text = rewrite(node, change)
        node.start()
        assert len(node.daemon.log(IDS["STATE_DAMAGED"])) == 1
        with open(f"{node.store}.{suffix}", encoding="utf-8") as file:
            assert file.read() == change(text)
        assert {a: (e["state"], e["owner"]) for a, e in node.addresses().items()} == \
            dict.fromkeys((A, B), ("released" if foreign else "stale", ""))
        assert node.put(A, "pod").status == 200
        node.daemon.kill()
        node.age(7200)
        node.start()
        until(lambda: B not in node.addresses(), "the release of what nobody claimed")
        assert node.owners() == {A: "pod"}
        assert shown(node) == {A}
        assert node.daemon.log(IDS["STATE_DAMAGED"]) == []


@pytest.mark.parametrize("options", ["ro", "size=16k"], ids=["read-only", "full"])
def test_disk_that_cannot_be_written(node, options):
    """The pod gets its address; that its owner may be forgotten is said once; and made good."""
    assert node.put(A, "pod").status == 200
    directory = os.path.dirname(node.store)
    node.node.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory], check=True)
    node.node.run(["sh", "-c", f"cat /dev/zero >{directory}/filler 2>/dev/null"], check=False)
    for address in (B, C):
        assert node.put(address, "pod").status == 200
    assert len(node.daemon.log(IDS["STATE_UNWRITABLE"])) == 1
    assert node.owners() == {A: "pod", B: "pod", C: "pod"}

    node.node.run(["umount", directory], check=True)
    assert node.put(A, "other").status == 200
    with open(node.store, encoding="utf-8") as file:
        assert {e["address"]: e["owner"] for e in json.load(file)["addresses"]} == \
            {A: "other", B: "pod", C: "pod"}
    settled(node, {A: "other", B: "pod", C: "pod"})
