# SPDX-License-Identifier: Apache-2.0
"""What systemd sees of the daemon, and what a stop and a start in any state leave."""

import signal
import time

import pytest

from harness import NETWORKS, SUBNETS
from linkwatch import LinkWatch, lasting, states_of
from test_crash import each, finish, record, run

#: a stop that is held up by nothing; systemd would wait 90 s
PROMPT = 2.0


@pytest.fixture(autouse=True)
def _clean(fleet):
    yield
    fleet.control.gate_off()
    fleet.control.deny()
    fleet.control.plug(order=[], name="eth%d")


# -- stopped ---------------------------------------------------------------

@pytest.mark.parametrize("action", ["*", "imds", "link"])
def test_stopped_anywhere(fleet, action):
    """It ends at once and well, and the next run goes on where it was."""
    def stop(k):
        node = fleet.launch()
        daemon = fleet.daemon(node)
        fleet.control.gate(action, k, "after")
        daemon.start()
        fleet.control.gate_reached()
        begin = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - begin < PROMPT
        fleet.control.gate_release("continue" if action == "link" else "drop")
        # nothing was abandoned: a restart is no failure
        assert fleet.lifecycle(node)[0] in ("", "CONTINUE")
        finish(fleet, node, daemon)

    recorded = record(fleet, NETWORKS)
    each(recorded[action], f"by SIGTERM after {action}", stop)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_when_ready(fleet, number):
    node = fleet.launch()
    daemon = fleet.daemon(node)
    daemon.start()
    daemon.wait_ready()
    before = lasting(node.links())
    daemon.process.send_signal(number)
    assert daemon.wait_exit(PROMPT) == 0
    assert daemon.notified["STOPPING"] == "1"
    assert lasting(node.links()) == before
    fleet.retire(node)


# -- started again ---------------------------------------------------------

@pytest.mark.parametrize("more", ["", "source_dest_check = no\n", "ip_allocation = subnet-start\n",
                                  "host_address = yes\n"])
def test_second_start_touches_nothing(fleet, more):
    """Pods are using the links: not even for a moment may one be down or bear another name."""
    node = fleet.launch()
    daemon = fleet.daemon(node, NETWORKS + more)
    run(fleet, node, daemon)
    before, routing = node.links(), routes(node)
    fleet.control.clear()
    with LinkWatch(node) as watch:
        run(fleet, node, daemon)
        assert watch.states() <= states_of(before)
    assert fleet.control.calls(mutating=True) == []
    assert lasting(node.links()) == lasting(before)
    assert routes(node) == routing
    fleet.retire(node)


def routes(node) -> tuple:
    """Routes and rules, as text."""
    return tuple(node.run(["ip", family, *what], capture_output=True, text=True, check=True).stdout
                 for family in ("-4", "-6") for what in (["route", "show", "table", "all"], ["rule"]))


def test_link_watch_sees_a_flap(fleet):
    """The test above can fail."""
    node = fleet.launch()
    daemon = fleet.daemon(node)
    run(fleet, node, daemon)
    before = node.links()
    with LinkWatch(node) as watch:
        for word in ("down", "up"):
            node.run(["ip", "link", "set", "eth2", word], check=True)
        assert lasting(node.links()) == lasting(before)
        assert not watch.states() <= states_of(before)
    fleet.retire(node)


# -- notifications ---------------------------------------------------------

def test_systemd_is_told(fleet):
    node = fleet.launch()
    daemon = fleet.daemon(node, f"[daemon]\nboot_timeout = 77s\nattach_timeout = 50s\n{NETWORKS}")
    fleet.control.gate("CreateNetworkInterface", k=2)
    daemon.start()
    fleet.control.gate_reached()
    # systemd must be patient for longer than the daemon is
    assert int(daemon.wait_notified("EXTEND_TIMEOUT_USEC")) > 77_000_000
    assert daemon.wait_notified("STATUS")
    assert "READY" not in daemon.notified
    waiting = daemon.notified["STATUS"]
    fleet.control.gate_release()
    daemon.wait_ready()
    assert daemon.notified["READY"] == "1"
    assert daemon.notified["STATUS"].startswith("3 ") and daemon.notified["STATUS"] != waiting
    assert daemon.stop() == 0
    fleet.retire(node)


def test_watchdog(fleet):
    """While it waits, and when it has nothing to do."""
    node = fleet.launch()
    daemon = fleet.daemon(node)
    fleet.control.gate("link", k=3)
    daemon.start(env={"WATCHDOG_USEC": "200000"})
    fleet.control.gate_reached()
    for _ in range(2):
        daemon.notified.pop("WATCHDOG", None)
        assert daemon.wait_notified("WATCHDOG", PROMPT) == "1"
    fleet.control.gate_release()
    daemon.wait_ready()
    for _ in range(2):
        daemon.notified.pop("WATCHDOG", None)
        assert daemon.wait_notified("WATCHDOG", PROMPT) == "1"
    assert daemon.stop() == 0
    fleet.retire(node)


# -- the status document ---------------------------------------------------

@pytest.mark.parametrize("gate, phase, states", [
    (("imds", 1, "before"), "facts", []),
    (("DescribeInstances", 1, "after"), "facts", []),
    (("CreateNetworkInterface", 3, "before"), "reconcile", None),
    (("AttachNetworkInterface", 3, "after"), "reconcile", None),
])
def test_status_before_ready(fleet, gate, phase, states):
    node = fleet.launch()
    daemon = fleet.daemon(node)
    fleet.control.gate(*gate)
    daemon.start()
    fleet.control.gate_reached()
    status = daemon.status()
    assert (status["phase"], status["ready"], status["error"]) == (phase, False, None)
    assert status["instance_id"] == (None if gate[0] == "imds" else node.instance_id)
    assert status["timings"]["ready_ms"] is None
    if states is not None:
        assert status["interfaces"] == states
    else:
        assert [i["name"] for i in status["interfaces"]] == ["eth1", "eth2", "eth3"]
        assert [i["subnet_id"] for i in status["interfaces"]] == SUBNETS
        assert not all(i["state"] == "up" for i in status["interfaces"])
    fleet.control.gate_release()
    status = daemon.wait_ready()
    assert (status["phase"], status["ready"]) == ("ready", True)
    assert [i["state"] for i in status["interfaces"]] == ["up"] * 3
    assert daemon.stop() == 0
    fleet.retire(node)


def test_status_while_a_device_is_due(fleet):
    node = fleet.launch()
    daemon = fleet.daemon(node)
    # the device comes when nothing but it is missing: the last call is answered by then
    fleet.control.gate("ModifyNetworkInterfaceAttribute", k=3, when="after")
    fleet.control.plug(order=[7, 2], name="ens%d")
    daemon.start()
    fleet.control.gate_reached()
    fleet.control.gate_release()
    stranger = fleet.control.post("/foreign-eni", {
        "subnet": "subnet-0000000000000a000", "instance": node.instance_id, "device_index": 7})["id"]
    status = daemon.wait_ready()
    assert [i["device_index"] for i in status["interfaces"]] == [1, 2, 3]
    assert status["timings"]["attached_ms"] <= status["timings"]["links_ms"] \
        <= status["timings"]["ready_ms"]
    assert daemon.stop() == 0
    fleet.retire(node)
    fleet.control.delete(f"/enis/{stranger}")


# -- failure ---------------------------------------------------------------

def test_failure_that_does_not_block(fleet):
    """on_failure = continue: kubelet starts, and the node says what it lacks."""
    node = fleet.launch()
    daemon = fleet.daemon(node, f"[daemon]\non_failure = continue\n{NETWORKS}")
    fleet.control.faults({"action": "AttachNetworkInterface", "k": 2, "do": "error",
                          "code": "AttachmentLimitExceeded"})
    daemon.start()
    status = daemon.wait_ready()
    assert (status["phase"], status["ready"]) == ("degraded", True)
    assert status["error"]
    states = [i["state"] for i in status["interfaces"]]
    assert sorted(states) == ["failed", "up", "up"]
    failed, = [i for i in status["interfaces"] if i["state"] == "failed"]
    assert "AttachmentLimitExceeded" in failed["error"]
    assert fleet.available() == []
    assert len(fleet.interfaces(node)) == 2
    assert daemon.stop() == 0

    # mended, it is a node like any other
    fleet.control.faults()
    finish(fleet, node, daemon)


def test_failure_that_blocks(fleet):
    node = fleet.launch()
    daemon = fleet.daemon(node)
    fleet.control.deny("ec2:CreateNetworkInterface")
    daemon.start()
    assert daemon.wait_exit() == 1
    assert "READY" not in daemon.notified
    assert daemon.notified["STATUS"].startswith("Failed")
    assert fleet.available() == [] and fleet.interfaces(node) == []
    fleet.retire(node)
