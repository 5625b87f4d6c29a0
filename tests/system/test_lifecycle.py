# SPDX-License-Identifier: Apache-2.0
"""The launch hook of the Auto Scaling group: kept waiting, then answered, or let alone."""

import os
import signal

import pytest
from ec2sim.node import Topology
from ec2sim.scenario import default_scenario

from fleet import PRIMARY_SUBNET, Fleet
from harness import GIVEN_UP, NETWORKS, message_ids
from registering import until

IDS = message_ids()
COMPLETE, HEARTBEAT = "CompleteLifecycleAction", "RecordLifecycleActionHeartbeat"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    scenario = default_scenario()
    ending = {"name": "drain", "transition": "autoscaling:EC2_INSTANCE_TERMINATING"}
    for name, hooks in (("hookless", []), ("draining", [ending]),
                        ("impatient", [{"name": "launch", "heartbeat_timeout": 2}]),
                        ("two", [{"name": "ours"}, {"name": "theirs"}, ending])):
        scenario["asgs"].append({"name": name, "hooks": hooks, "subnets": [PRIMARY_SUBNET]})
    with Topology(scenario, nodes=()) as region:
        yield Fleet(region, tmp_path_factory.mktemp("nodes"))


@pytest.fixture(autouse=True)
def _clean(fleet):
    yield
    fleet.control.gate_off()
    fleet.control.put("/clock", {"offset": 0})
    fleet.control.plug(order=[])
    fleet.control.faults()
    fleet.control.deny()
    for node in list(fleet.region.nodes.values()):
        fleet.retire(node)
    assert fleet.available() == []


def configured(hook="auto", on_failure="block") -> str:
    return f"[daemon]\nlifecycle_hook = {hook}\non_failure = {on_failure}\n{NETWORKS}"


def boot(fleet, node, config=NETWORKS, completions=0):
    """Boot until READY=1 and so many completions of hooks are done; returns the daemon, stopped."""
    fleet.control.clear()
    daemon = fleet.daemon(node, config)
    if completions:
        fleet.control.gate(COMPLETE, k=completions, when="after")
    daemon.start()
    status = daemon.wait_ready()
    if completions:
        fleet.control.gate_reached()
        fleet.control.gate_release()
    # counted when it begins: no call was still to come when the log was read
    assert completions or status["calls"]["total"] == len(fleet.control.calls())
    assert daemon.stop() == 0
    return daemon


def state(fleet, node) -> str:
    return fleet.control.state()["instances"][node.instance_id]["lifecycle_state"]


def asked_autoscaling(fleet) -> list:
    return [c["action"] for c in fleet.control.calls() if c["service"] == "autoscaling"]


def test_continue_when_ready(fleet):
    node = fleet.launch()
    boot(fleet, node, completions=1)
    assert fleet.lifecycle(node) == ["CONTINUE"]
    assert state(fleet, node) == "InService"


def test_not_before_ready(fleet):
    """As long as a device is missing, the instance waits."""
    node = fleet.launch()
    daemon = fleet.daemon(node)
    fleet.control.gate("link", k=3)
    daemon.start()
    fleet.control.gate_reached()
    assert fleet.lifecycle(node) == [""]
    fleet.control.gate(COMPLETE, when="after")
    daemon.wait_ready()
    fleet.control.gate_reached()
    assert fleet.lifecycle(node) == ["CONTINUE"]
    fleet.control.gate_off()
    assert daemon.stop() == 0


def fail_but_once(fleet, node, daemon) -> None:
    """What failed may succeed with the next try, so the instance goes on waiting."""
    daemon.fail_all_tries_but_the_last()
    assert fleet.lifecycle(node) == [""]


@pytest.mark.parametrize("action", ["AttachNetworkInterface", "DescribeNetworkInterfaces"])
def test_abandon_with_the_last_try(fleet, action):
    """Also when nothing is known but the group."""
    node = fleet.launch()
    fleet.control.deny(f"ec2:{action}")
    daemon = fleet.daemon(node, configured())
    fail_but_once(fleet, node, daemon)
    daemon.start()
    assert daemon.wait_exit() == GIVEN_UP
    assert "READY" not in daemon.notified
    assert fleet.lifecycle(node) == ["ABANDON"]


def test_continue_with_the_last_try(fleet):
    node = fleet.launch()
    fleet.control.deny("ec2:AttachNetworkInterface")
    daemon = fleet.daemon(node, configured())
    fail_but_once(fleet, node, daemon)
    fleet.control.deny()
    fleet.control.gate(COMPLETE, when="after")
    daemon.start()
    daemon.wait_ready()
    fleet.control.gate_reached()
    assert fleet.lifecycle(node) == ["CONTINUE"]
    fleet.control.gate_release()
    assert daemon.stop() == 0


def test_hook_outlasts_the_tries(fleet):
    """Each is shorter than the time to a heartbeat, all of them are longer than the hook's timeout."""
    node = fleet.launch()
    fleet.control.deny("ec2:AttachNetworkInterface")
    daemon = fleet.daemon(node, configured())
    os.makedirs(f"{daemon.directory}/run")
    for k in range(4):
        fleet.control.put("/clock", {"offset": k * 200})
        fleet.control.clear()
        fleet.control.gate("CreateNetworkInterface")
        daemon.start()
        fleet.control.gate_reached()
        if k > 0:
            until(lambda: HEARTBEAT in asked_autoscaling(fleet), "a heartbeat")
        fleet.control.gate_release()
        assert daemon.wait_exit() == 1
        assert fleet.lifecycle(node) == [""]
    assert state(fleet, node) == "Pending:Wait"


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_abandoning(fleet, when):
    """Then somebody mends it and starts the daemon."""
    node = fleet.launch()
    fleet.control.deny("ec2:AttachNetworkInterface")
    daemon = fleet.daemon(node, configured())
    fail_but_once(fleet, node, daemon)
    fleet.control.gate(COMPLETE, when=when)
    daemon.start()
    fleet.control.gate_reached()
    daemon.kill()
    fleet.control.gate_release("drop")
    fleet.control.deny()
    if when == "before":
        fleet.control.gate(COMPLETE, when="after")
    daemon.start()
    daemon.wait_ready()
    if when == "before":
        fleet.control.gate_reached()
        fleet.control.gate_release()
    assert daemon.stop() == 0
    assert fleet.lifecycle(node) == ["ABANDON" if when == "after" else "CONTINUE"]


def test_continue_when_degraded_and_nothing_is_known_but_the_group(fleet):
    """kubelet starts, so the instance must not be left to the hook's timeout."""
    node = fleet.launch()
    fleet.control.deny("ec2:DescribeNetworkInterfaces")
    boot(fleet, node, configured(on_failure="continue"), completions=1)
    assert fleet.lifecycle(node) == ["CONTINUE"]


def test_heartbeat_denied(fleet):
    """Said before it is too late, once, and what came of it afterwards."""
    node = fleet.launch(asg="impatient")
    fleet.control.deny("autoscaling:" + HEARTBEAT)
    fleet.control.gate("link", k=3)
    daemon = fleet.daemon(node)
    daemon.start()
    fleet.control.gate_reached()
    until(lambda: len(fleet.control.calls(HEARTBEAT)) >= 3, "the end of the hook's patience")
    fleet.control.gate_off()
    daemon.wait_ready()
    until(lambda: daemon.log(IDS["LIFECYCLE_FAILED"]), "the word that the hook was not completed")
    denied = daemon.log(IDS["AWS_DENIED"])
    assert [(e["AWS_ACTION"], e["PRIORITY"]) for e in denied] == [(HEARTBEAT, "4")]
    assert daemon.stop() == 0


@pytest.mark.parametrize("action", ["DescribeLifecycleHooks", COMPLETE])
def test_stopped_while_abandoning(fleet, action):
    """The status tells the failure until the end, and SIGTERM does not wait for AWS."""
    node = fleet.launch()
    fleet.control.deny("ec2:DescribeNetworkInterfaces")
    daemon = fleet.daemon(node, configured())
    fail_but_once(fleet, node, daemon)
    fleet.control.gate(action)
    daemon.start()
    fleet.control.gate_reached()
    status = daemon.status()
    assert (status["phase"], status["ready"]) == ("failed", False)
    assert "DescribeNetworkInterfaces" in status["error"]
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.wait_exit(5) == 0
    assert "READY" not in daemon.notified
    fleet.control.gate_release()


def test_failed_run_of_a_node_in_service(fleet):
    """It has nothing to abandon, and no complaint about that."""
    node = fleet.launch()
    daemon = boot(fleet, node, configured(), completions=1)
    fleet.control.gate_off()
    fleet.control.deny("ec2:DescribeNetworkInterfaces")
    daemon.start()
    assert daemon.wait_exit() == 1
    assert state(fleet, node) == "InService" and fleet.lifecycle(node) == ["CONTINUE"]
    assert len(daemon.errors()) == 2


def test_continue_when_degraded(fleet):
    node = fleet.launch()
    fleet.control.deny("ec2:AttachNetworkInterface")
    boot(fleet, node, configured(on_failure="continue"), completions=1)
    assert fleet.lifecycle(node) == ["CONTINUE"]


@pytest.mark.parametrize("deed", [None, "close-after", "close-before"])
def test_heartbeats(fleet, deed):
    """
    Two seconds is all that the group waits; the boot takes longer. What has no reply is repeated.
    The clock of AWS goes on between heartbeats only: nothing depends on how fast this machine is.
    """
    fleet.control.put("/clock", {"offset": 0, "stopped": True})
    node = fleet.launch(asg="impatient")
    daemon = fleet.daemon(node, configured())
    fleet.control.plug(order=[7, 1], name="ens%d")
    fleet.control.faults(*([{"action": HEARTBEAT, "n": 2, "do": deed}] if deed else []))
    fleet.control.gate(HEARTBEAT, k=3 if deed else 1, when="after")
    daemon.start()
    for passed in (1.5, 3.0, 4.5):
        fleet.control.gate_reached()
        assert fleet.lifecycle(node) == [""]
        fleet.control.put("/clock", {"offset": passed, "stopped": True})
        fleet.control.gate(HEARTBEAT if passed < 4 else COMPLETE, when="after")
    stranger = fleet.control.post("/foreign-eni", {
        "subnet": PRIMARY_SUBNET, "instance": node.instance_id, "device_index": 7})["id"]
    daemon.wait_ready()
    fleet.control.gate_reached()
    assert fleet.lifecycle(node) == ["CONTINUE"]
    fleet.control.gate_off()
    assert daemon.log(IDS["LIFECYCLE_FAILED"]) == []
    assert daemon.stop() == 0
    fleet.control.delete(f"/enis/{stranger}")


@pytest.mark.parametrize("group", ["hookless", "draining"])
def test_no_launch_hook(fleet, group):
    node = fleet.launch(asg=group)
    daemon = boot(fleet, node)
    assert COMPLETE not in asked_autoscaling(fleet)
    assert daemon.errors() == []
    assert state(fleet, node) == "InService"


def test_several_hooks(fleet):
    """Not ours to guess: nothing is completed, and it is said which name to configure."""
    node = fleet.launch(asg="two")
    daemon = boot(fleet, node)
    assert fleet.lifecycle(node) == ["", ""]
    assert len(daemon.log(message_ids()["LIFECYCLE_FAILED"])) == 1


def test_named_hook(fleet):
    node = fleet.launch(asg="two")
    daemon = boot(fleet, node, configured("ours"), completions=1)
    assert fleet.lifecycle(node) == ["CONTINUE", ""]
    assert daemon.errors() == []


def test_named_hook_is_absent(fleet):
    node = fleet.launch()
    daemon = boot(fleet, node, configured("misspelt"))
    assert fleet.lifecycle(node) == [""]
    assert len(daemon.log(message_ids()["LIFECYCLE_FAILED"])) == 1


def test_hooks_are_none_of_our_business(fleet):
    node = fleet.launch()
    boot(fleet, node, configured("none"))
    assert fleet.lifecycle(node) == [""]
    assert asked_autoscaling(fleet) == ["DescribeAutoScalingGroups"]  # for its tags


def test_in_service_already(fleet):
    node = fleet.launch()
    daemon = boot(fleet, node, completions=1)
    fleet.control.clear()
    daemon.start()
    daemon.wait_ready()
    assert asked_autoscaling(fleet) == ["DescribeAutoScalingGroups"]
    assert daemon.stop() == 0


def test_no_group(fleet):
    """Karpenter, or a plain instance."""
    node = fleet.launch(asg="")
    daemon = boot(fleet, node)
    assert asked_autoscaling(fleet) == []
    assert daemon.errors() == []
    assert [e["tags"].get("multus-eks:nodegroup") for e in fleet.interfaces(node)] == [None] * 3


def test_completed_by_somebody_else(fleet):
    """An answer that is lost has completed it all the same: the next try finds nothing to complete."""
    node = fleet.launch()
    fleet.control.faults({"action": COMPLETE, "do": "close-after"})
    daemon = boot(fleet, node, completions=2)
    assert [c["code"] for c in fleet.control.calls(COMPLETE)][1] == "ValidationError"
    assert fleet.lifecycle(node) == ["CONTINUE"]
    assert daemon.log(message_ids()["LIFECYCLE_FAILED"]) == []
