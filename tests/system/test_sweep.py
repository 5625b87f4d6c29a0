# SPDX-License-Identifier: Apache-2.0
"""Interfaces that instances left behind: deleted by the nodes of their group, and nothing else is."""

from datetime import datetime, timedelta, timezone

import pytest

from fleet import PRIMARY_SUBNET
from harness import NETWORKS, SUBNETS

GONE = "i-0deadbeefdeadbeef"


def leak(fleet, owner, age, group="multus-nodes", **more) -> str:
    """An available interface that a daemon made for @owner so many minutes ago."""
    created = datetime.now(timezone.utc) - timedelta(minutes=age)
    return fleet.control.post("/foreign-eni", {"subnet": SUBNETS[0], "tags": {
        "multus-eks:instance-id": owner, "multus-eks:network": "eth1", "multus-eks:nodegroup": group,
        "multus-eks:created": created.strftime("%Y-%m-%dT%H:%M:%SZ")}, **more})["id"]


@pytest.fixture(autouse=True)
def _clean(fleet):
    yield
    fleet.control.gate_off()
    fleet.control.faults()
    fleet.control.plug(order=[])
    for node in list(fleet.region.nodes.values()):
        fleet.retire(node)
    for eni in fleet.control.enis():
        fleet.control.delete(f"/enis/{eni['id']}")


def test_only_the_leaked(fleet):
    node, living, dead = fleet.launch(), fleet.launch(), fleet.launch()
    fleet.retire(dead)
    kept = {
        "young": leak(fleet, GONE, 8),
        "another group's": leak(fleet, GONE, 60, "other-nodes"),
        "a living instance's": leak(fleet, living.instance_id, 60),
        "attached": leak(fleet, GONE, 60, instance=living.instance_id, device_index=1),
        "without an owner": fleet.control.post("/foreign-eni", {"subnet": SUBNETS[0], "tags": {
            "multus-eks:nodegroup": "multus-nodes",
            "multus-eks:created": "2026-01-02T03:04:05Z"}})["id"],
        "without a date": fleet.control.post("/foreign-eni", {"subnet": SUBNETS[0], "tags": {
            "multus-eks:nodegroup": "multus-nodes", "multus-eks:instance-id": GONE}})["id"],
    }
    leaked = [leak(fleet, GONE, 12), leak(fleet, dead.instance_id, 60), leak(fleet, GONE, 6000)]

    daemon = fleet.daemon(node)
    # one after the other in the order in which EC2 lists them, which is that of their making
    fleet.control.gate("DeleteNetworkInterface", k=3, when="after")
    daemon.start()
    daemon.wait_ready()
    fleet.control.gate_reached()
    enis = fleet.control.state()["enis"]
    assert [eni for eni in leaked if eni in enis] == []
    assert {why: eni in enis for why, eni in kept.items()} == dict.fromkeys(kept, True)
    fleet.control.gate_release()
    assert daemon.stop() == 0


def test_leaked_ones_fill_the_subnet(fleet):
    """The node is degraded for want of an address, and sees to it that the next start has one."""
    node = fleet.launch()
    leaked = leak(fleet, GONE, 60)
    fleet.control.faults({"action": "CreateNetworkInterface", "n": 0, "do": "error",
                          "code": "InsufficientFreeAddressesInSubnet", "message": "full"})
    daemon = fleet.daemon(node, f"[daemon]\non_failure = continue\n{NETWORKS}")
    fleet.control.gate("DeleteNetworkInterface", when="after")
    daemon.start()
    assert daemon.wait_ready()["phase"] == "degraded"
    fleet.control.gate_reached()
    assert leaked not in fleet.control.state()["enis"]
    fleet.control.gate_release()
    assert daemon.stop() == 0


@pytest.mark.parametrize("sweep", ["yes", "no"])
def test_asked_for(fleet, sweep):
    leaked = leak(fleet, GONE, 60)
    node = fleet.launch()
    daemon = fleet.daemon(node, f"[daemon]\nsweep_leaked = {sweep}\n{NETWORKS}")
    if sweep == "yes":
        fleet.control.gate("DeleteNetworkInterface", when="after")
    daemon.start()
    status = daemon.wait_ready()
    # 3 interfaces, 6 describes, the hook completed; then the sweep asks who is alive, and deletes
    assert status["calls"]["total"] - 9 - 6 - 1 in ((1, 2) if sweep == "yes" else (0,))
    if sweep == "yes":
        fleet.control.gate_reached()
    assert daemon.stop() == 0
    assert (leaked in fleet.control.state()["enis"]) == (sweep == "no")


def test_two_nodes_at_once(fleet):
    """Both have seen the same leftovers; each succeeds in deleting what the other has deleted."""
    leaked = [leak(fleet, GONE, 60) for _ in range(2)]
    first, second = fleet.launch(), fleet.launch()
    daemons = [fleet.daemon(first), fleet.daemon(second)]

    # the first has looked around, and waits for a device that comes after one at index 7
    fleet.control.plug(order=[7, 1], name="ens%d")
    fleet.control.gate("AttachNetworkInterface", k=3, when="after")
    daemons[0].start()
    fleet.control.gate_reached()
    fleet.control.plug(order=[])
    fleet.control.gate("DeleteNetworkInterface", k=2 * len(leaked), when="after")
    daemons[1].start()
    daemons[1].wait_ready()
    fleet.control.post("/foreign-eni", {"subnet": PRIMARY_SUBNET, "instance": first.instance_id,
                                        "device_index": 7})
    daemons[0].wait_ready()
    fleet.control.gate_reached()
    fleet.control.gate_release()

    assert [eni for eni in leaked if eni in fleet.control.state()["enis"]] == []
    codes = [call["code"] for call in fleet.control.calls("DeleteNetworkInterface")]
    assert codes.count("InvalidNetworkInterfaceID.NotFound") in (1, 2)
    for daemon, node in zip(daemons, (first, second)):
        assert daemon.stop() == 0
        assert daemon.errors() == []
        assert len([e for e in fleet.interfaces(node) if "multus-eks:network" in e["tags"]]) == 3
