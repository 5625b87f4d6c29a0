# SPDX-License-Identifier: Apache-2.0
"""Killed anywhere in the boot, and started again.

The places are not chosen: a boot without disturbance is recorded, and the
daemon of another node is killed before and after each thing it does that the
world can see: each request to the metadata service, each call, each device,
each system call that writes something. Whatever comes next must end in exactly
three interfaces, up and with the right names, and nothing left over; and the
run after that must change nothing.
"""

import os
import shutil
import time

import pytest
from harness import NETWORKS, SUBNETS
from linkwatch import LinkWatch, lasting, states_of

NAMES = ("eth1", "eth2", "eth3")

#: what a process leaves in the world besides what it asks AWS for
WRITES = "mkdir,mkdirat,write,writev,fsync,rename,renameat,renameat2,unlink,unlinkat,sendmsg,sendto"

#: more of the [network] section, with what it adds to a boot
VARIANTS = {
    "dynamic": "",
    "subnet-start": "ip_allocation = subnet-start\nsource_dest_check = no\n",
}


def check_node(fleet, node) -> None:
    """The node has what the configuration says, and nobody has anything to spare."""
    enis = fleet.interfaces(node)
    assert [e["subnet_id"] for e in sorted(enis, key=lambda e: e["tags"]["multus-eks:network"])] == SUBNETS
    links = node.links()
    for eni in enis:
        link = links[eni["tags"]["multus-eks:network"]]
        assert link["address"] == eni["mac"]
        assert "UP" in link["flags"]
        assert eni["id"] in link["altnames"]
        assert eni["attachment"]["delete_on_termination"]
    assert set(links) == {"lo", "ens5", *NAMES}
    assert fleet.available() == []


def check_idle_run(fleet, node, daemon) -> None:
    """Another run changes neither EC2 nor a link, not even for a moment."""
    before = node.links()
    fleet.control.clear()
    with LinkWatch(node) as watch:
        daemon.start()
        daemon.wait_ready()
        told = watch.states()
    assert fleet.control.calls(mutating=True) == []
    assert told <= states_of(before)
    assert lasting(node.links()) == lasting(before)
    assert daemon.stop() == 0


def run(fleet, node, daemon) -> None:
    """A boot that nothing disturbs. The hook's completion comes after READY=1: wait for it too."""
    if fleet.lifecycle(node) == [""]:
        fleet.control.gate("CompleteLifecycleAction", when="after")
    daemon.start()
    daemon.wait_ready()
    if fleet.lifecycle(node) == [""]:
        fleet.control.gate_reached()
    fleet.control.gate_off()
    assert daemon.stop() == 0


def finish(fleet, node, daemon) -> None:
    """After the crash: the next run mends everything, the one after it has nothing to do."""
    run(fleet, node, daemon)
    check_node(fleet, node)
    assert fleet.lifecycle(node) == ["CONTINUE"]
    check_idle_run(fleet, node, daemon)
    fleet.retire(node)
    assert fleet.available() == []


def record(fleet, config) -> dict:
    """What a boot without disturbance does, by kind of event: names in the order of events."""
    node = fleet.launch()
    fleet.control.clear()
    daemon = fleet.daemon(node, config)
    run(fleet, node, daemon)
    calls = fleet.control.calls()
    recorded = {"*": [call["action"] for call in calls],
                "mutating": [call["action"] for call in calls if call["mutating"]],
                "imds": [entry["path"] for entry in fleet.control.imds_log()],
                "link": [e["event"] for e in fleet.control.events() if e["event"] == "plug"]}
    assert recorded["link"] == ["plug"] * 3
    check_node(fleet, node)
    fleet.retire(node)
    assert fleet.available() == []
    return recorded


def each(names: list, what: str, crash) -> None:
    """Call crash(k) for each of the recorded events, and name the one where it goes wrong."""
    for k, name in enumerate(names, 1):
        try:
            crash(k)
        except Exception as error:
            raise AssertionError(f"killed {what} {k} of {len(names)} ({name})") from error


def crash_at_gate(fleet, config, action, k, when) -> None:
    """Kill a node's first boot at the k-th event of a kind, and look what becomes of it."""
    node = fleet.launch()
    daemon = fleet.daemon(node, config)
    fleet.control.gate(action, k, when)
    daemon.start()
    fleet.control.gate_reached()
    daemon.kill()
    fleet.control.gate_release("continue" if action == "link" else "drop")
    finish(fleet, node, daemon)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("action", ["*", "imds", "link"])
def test_every_event(fleet, action, when):
    recorded = record(fleet, NETWORKS)
    each(recorded[action], f"{when} {action}",
         lambda k: crash_at_gate(fleet, NETWORKS, action, k, when))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_change_seen_late(fleet, variant, when):
    """EC2 denies for a while that it has what the killed run made."""
    config = NETWORKS + VARIANTS[variant]
    recorded = record(fleet, config)
    fleet.control.put("/consistency", {"not_found_seconds": 0.1})
    for action in sorted(set(recorded["mutating"])):
        each([name for name in recorded["mutating"] if name == action], f"{when} {action}",
             lambda k, action=action: crash_at_gate(fleet, config, action, k, when))


def attached_meanwhile(fleet, daemon, k, forget) -> None:
    """
    A killed run's k-th Attach is carried out between the two rounds of the next one: the instance
    shows no such interface in the first, and in the second it is not available any more.
    """
    fleet.control.gate("AttachNetworkInterface", k)
    daemon.start()
    fleet.control.gate_reached()
    daemon.kill()
    # this one ends the first round, when the instance has been asked for and the Attach is done
    fleet.control.faults({"action": "DescribeInstanceTypes", "do": "hang", "seconds": 1})
    if forget:
        shutil.rmtree(os.path.join(daemon.directory, "state"))
    fleet.control.clear()
    daemon.start()
    deadline = time.monotonic() + 10
    while not any(call["end"] for call in fleet.control.calls("DescribeInstances")):
        assert time.monotonic() < deadline, "DescribeInstances is not answered"
    fleet.control.gate_release()


@pytest.mark.parametrize("memory", ["kept", "lost"])
@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("variant", VARIANTS)
def test_attached_between_the_rounds(fleet, variant, k, memory):
    node = fleet.launch()
    daemon = fleet.daemon(node, NETWORKS + VARIANTS[variant])
    attached_meanwhile(fleet, daemon, k, memory == "lost")
    daemon.wait_ready()
    assert daemon.stop() == 0
    assert daemon.errors() == []
    check_node(fleet, node)
    check_idle_run(fleet, node, daemon)
    fleet.retire(node)
    assert fleet.available() == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_change_arrives_late(fleet, variant):
    """What the killed run sent is carried out when the next one is done."""
    config = NETWORKS + VARIANTS[variant]
    recorded = record(fleet, config)

    def crash(k):
        action = recorded["mutating"][k - 1]
        node = fleet.launch()
        daemon = fleet.daemon(node, config)
        fleet.control.gate(action, recorded["mutating"][:k].count(action), "before")
        daemon.start()
        fleet.control.gate_reached()
        daemon.kill()
        daemon.start()
        daemon.wait_ready()
        assert fleet.control.gate_release()
        assert daemon.stop() == 0
        check_node(fleet, node)
        check_idle_run(fleet, node, daemon)
        fleet.retire(node)
        assert fleet.available() == []

    each(recorded["mutating"], "while there was under way", crash)


#: one network in another subnet, one with other groups, one gone; the nodes had NETWORKS
CHANGED = f"""
[network eth1]
subnets = {SUBNETS[1]}
security_groups = sg-0000000000000a115
[network eth2]
subnets = {SUBNETS[1]}
security_groups = sg-00000000000000e45
source_dest_check = no
"""


def changing(fleet):
    """A node that has booted with NETWORKS, and its daemon, configured for what comes next."""
    node = fleet.launch()
    daemon = fleet.daemon(node)
    run(fleet, node, daemon)
    daemon.configure(CHANGED)
    fleet.control.clear()
    return node, daemon


def held(fleet, daemon) -> bool:
    """
    Wait until the gate holds the daemon, or it is ready without having come there: how often it has to
    ask before a detachment is over differs from run to run.
    """
    while True:
        try:
            return bool(fleet.control.get("/gate", timeout=0.2))
        except TimeoutError:
            if daemon.is_ready():
                return False


@pytest.mark.parametrize("when", ["before", "after"])
def test_every_step_of_a_change(fleet, when):
    """Interfaces to remove, to modify and to make."""
    node, daemon = changing(fleet)
    run(fleet, node, daemon)
    names = [call["action"] for call in fleet.control.calls()]
    assert {"DetachNetworkInterface", "DeleteNetworkInterface"} < set(names)
    fleet.retire(node)

    def crash(k):
        node, daemon = changing(fleet)
        fleet.control.gate("*", k, when)
        daemon.start()
        assert held(fleet, daemon) or k > len(names) - 2
        daemon.kill()
        fleet.control.gate_release("drop")
        with LinkWatch(node) as watch:
            daemon.start()
            daemon.wait_ready()
            # what the killed run has detached is available only now, or later
            fleet.settle()
            assert daemon.stop() == 0
            watch.wait_for(lambda: set(node.links()) == {"lo", "ens5", "eth1", "eth2"})
        enis = fleet.interfaces(node)
        assert sorted((e["tags"]["multus-eks:network"], e["subnet_id"], *e["groups"],
                       e["source_dest_check"]) for e in enis) == [
            ("eth1", SUBNETS[1], "sg-0000000000000a115", True),
            ("eth2", SUBNETS[1], "sg-00000000000000e45", False)]
        links = node.links()
        for eni in enis:
            link = links[eni["tags"]["multus-eks:network"]]
            assert (link["address"], "UP" in link["flags"]) == (eni["mac"], True)
        check_idle_run(fleet, node, daemon)
        fleet.retire(node)
        assert fleet.available() == []

    each(names, when, crash)


#: the network whose interface is being detached is not wanted, or in another subnet, or wanted as before
DETACHED = {"gone": NETWORKS.replace(f", {SUBNETS[2]}", ""),
            "moved": NETWORKS.replace(SUBNETS[2], SUBNETS[1]),
            "wanted": NETWORKS}


@pytest.mark.parametrize("fate", DETACHED)
def test_killed_after_detach(fleet, fate):
    """It becomes available when the next run may long be ready, and does not stay so."""
    fleet.control.latency({"detach": 2})
    node = fleet.launch()
    daemon = fleet.daemon(node)
    run(fleet, node, daemon)
    old = fleet.interfaces(node)[2]["id"]
    daemon.configure(DETACHED["gone"])
    fleet.control.gate("DetachNetworkInterface", when="after")
    daemon.start()
    fleet.control.gate_reached()
    daemon.kill()
    fleet.control.gate_release("drop")

    daemon.configure(DETACHED[fate])
    daemon.start()
    status = daemon.wait_ready()
    assert status["phase"] == "ready"
    if fate == "gone":
        assert fleet.control.state()["enis"][old]["attachment"]["status"] == "detaching"
    fleet.settle()
    assert old not in fleet.control.state()["enis"]
    assert daemon.stop() == 0
    assert daemon.errors() == []
    enis = fleet.interfaces(node)
    assert len(enis) == (2 if fate == "gone" else 3)
    links = node.links()
    for eni in enis:
        link = links[eni["tags"]["multus-eks:network"]]
        assert (link["address"], "UP" in link["flags"]) == (eni["mac"], True)
    check_idle_run(fleet, node, daemon)
    fleet.retire(node)
    assert fleet.available() == []


def test_no_room_before_it_is_detached(fleet):
    """The instance is full: the boot waits for the place."""
    fleet.control.latency({"detach": 1})
    node = fleet.launch(type="m5.large")
    daemon = fleet.daemon(node, DETACHED["gone"])
    run(fleet, node, daemon)
    daemon.configure(NETWORKS.replace(f"{SUBNETS[0]}, ", ""))   # both are in another subnet now
    fleet.control.gate("DetachNetworkInterface", k=2, when="after")
    daemon.start()
    fleet.control.gate_reached()
    daemon.kill()
    fleet.control.gate_release("drop")
    run(fleet, node, daemon)
    assert sorted(e["subnet_id"] for e in fleet.interfaces(node)) == SUBNETS[1:]
    check_idle_run(fleet, node, daemon)
    fleet.retire(node)
    assert fleet.available() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_every_step_of_a_failure(fleet, when):
    """Killed while it takes back what it could not use; then the reason is gone."""
    fault = {"action": "AttachNetworkInterface", "k": 2, "n": 1, "do": "error",
             "code": "AttachmentLimitExceeded"}
    node = fleet.launch()
    fleet.control.clear()
    fleet.control.faults(fault)
    daemon = fleet.daemon(node)
    daemon.start()
    assert daemon.wait_exit() == 1
    names = [call["action"] for call in fleet.control.calls()]
    assert "DeleteNetworkInterface" in names
    fleet.retire(node)

    def crash(k):
        if names[:k].count(fault["action"]) == fault["k"] and names[k - 1] == fault["action"]:
            return  # refused before it comes to the gate
        node = fleet.launch()
        fleet.control.faults(fault)
        daemon = fleet.daemon(node)
        fleet.control.gate(names[k - 1], names[:k].count(names[k - 1]), when)
        daemon.start()
        fleet.control.gate_reached()
        daemon.kill()
        fleet.control.gate_release("drop")
        fleet.control.faults()
        finish(fleet, node, daemon)

    each(names, when, crash)


@pytest.fixture(autouse=True)
def _consistent(fleet):
    yield
    fleet.control.gate_off()
    fleet.control.faults()
    fleet.control.put("/consistency", {"not_found_seconds": 0})
    fleet.control.latency({"detach": 0.1})


def trace(directory, call="", k=0) -> list:
    """strace that leaves the daemon its pid; with @k it kills it at the k-th system call so named."""
    inject = ["-e", f"inject={call}:signal=KILL:when={k}"] if k else []
    return ["strace", "-D", "-f", "-qq", "-o", os.path.join(directory, "strace"),
            "-e", f"trace={WRITES}", "-e", "signal=none", *inject]


def writes_of(daemon) -> list:
    """
    The system calls of a traced run up to READY=1, as (name, number among its
    like, text): but the calls to AWS, which have their own tests, and what was
    refused because it was so already.
    """
    writes, counts = [], {}
    with open(os.path.join(daemon.directory, "strace"), encoding="utf-8") as file:
        for text in [line.split(None, 1)[1].strip() for line in file if "(" in line]:
            name = text.partition("(")[0]
            counts[name] = counts.get(name, 0) + 1
            if not any(word in text for word in ("EEXIST", "GET /", "POST /", "PUT /")):
                writes.append((name, counts[name], text[:100]))
            if "READY=1" in text:
                break
    return writes


def test_every_write(fleet):
    """State files, claims, notifications, sysctls, netlink requests."""
    config = NETWORKS + "host_address = yes\n"
    node = fleet.launch()
    daemon = fleet.daemon(node, config, arguments=["--log-level=err"])
    daemon.start(wrapper=trace(daemon.directory))
    daemon.wait_ready()
    daemon.stop()
    writes = writes_of(daemon)
    assert {"fsync", "mkdir", "rename", "sendmsg", "sendto", "write"} <= {name for name, _, _ in writes}
    fleet.retire(node)

    def crash(k):
        node = fleet.launch()
        daemon = fleet.daemon(node, config, arguments=["--log-level=err"])
        daemon.start(wrapper=trace(daemon.directory, *writes[k - 1][:2]))
        daemon.wait_killed()
        finish(fleet, node, daemon)

    each(writes, "before write", crash)
