# SPDX-License-Identifier: Apache-2.0
"""The main job: a node gets its interfaces, and a second boot changes nothing."""

from harness import INSTANCE, SUBNETS, leaked, multus_enis


def test_three_networks(region, daemon):
    daemon.start()
    status = daemon.wait_ready()

    assert status["phase"] == "ready"
    assert [i["name"] for i in status["interfaces"]] == ["eth1", "eth2", "eth3"]
    assert [i["subnet_id"] for i in status["interfaces"]] == SUBNETS

    enis = multus_enis(region)
    assert [e["subnet_id"] for e in enis] == SUBNETS
    links = region.node.links()
    for eni, name in zip(enis, ("eth1", "eth2", "eth3")):
        assert links[name]["address"] == eni["mac"]
        assert "UP" in links[name]["flags"]
        assert eni["id"] in links[name]["altnames"]
        assert eni["attachment"]["delete_on_termination"]
        assert eni["source_dest_check"]
        assert eni["tags"]["node.k8s.amazonaws.com/no_manage"] == "true"
        assert eni["tags"]["multus-eks:instance-id"] == INSTANCE
    assert leaked(region) == []


def test_second_boot_changes_nothing(region, daemon):
    daemon.start()
    daemon.wait_ready()
    before, links = multus_enis(region), region.node.links()
    assert daemon.stop() == 0
    region.control.clear()

    daemon.start()
    daemon.wait_ready()
    # the first run may have been stopped before the hook had its answer
    assert {c["action"] for c in region.control.calls(mutating=True)} <= {"CompleteLifecycleAction"}
    assert multus_enis(region) == before
    assert region.node.links() == links


def test_calls_are_few(region, daemon):
    daemon.start()
    daemon.wait_ready()
    calls = [c["action"] for c in region.control.calls()]
    # finding the launching hook is the one call that only a waiting instance makes
    assert len([c for c in calls if c.startswith("Describe")]) <= 5 + 1
    assert calls.count("DescribeLifecycleHooks") == 1
    assert len(region.control.calls("CreateNetworkInterface")) == 3
    assert len(region.control.calls("AttachNetworkInterface")) == 3
    assert len(region.control.calls("ModifyNetworkInterfaceAttribute")) == 3


def claim(daemon, where, eni) -> dict:
    """What udev reads of a device's claim."""
    with open(f"{daemon.directory}/{where}/claims/{eni['mac']}", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file)


def test_devices_are_claimed(region, daemon):
    region.control.gate("AttachNetworkInterface")
    daemon.start()
    call = region.control.gate_reached()
    held, = [e for e in region.control.enis() if e["id"] == call["params"]["NetworkInterfaceId"]]
    for where in ("run", "state"):
        before = claim(daemon, where, held)
        assert before["MULTUS_EKS"] == "1"
        assert before["MULTUS_EKS_NAME"].startswith("multus")
    region.control.gate_release()
    daemon.wait_ready()
    for eni in multus_enis(region):
        assert claim(daemon, "run", eni)["MULTUS_EKS_NAME"] == eni["tags"]["multus-eks:network"]
        assert claim(daemon, "state", eni)["MULTUS_EKS_NAME"].startswith("multus")
