# SPDX-License-Identifier: Apache-2.0
"""A node that cannot have its interfaces: kubelet does not start, and systemd and the journal say why."""

import pytest
from ec2sim.scenario import default_scenario
from harness import NETWORKS, SUBNETS, fill, leaked, message_ids

from verdict import NAMES, by_network, check_kubelet, check_links, check_node

IDS = message_ids()
SUBJECTS = {
    "BOOT_FAILED": "The Multus interfaces of this node could not be made",
    "ENI_FAILED": "A network interface could not be made",
    "NO_ROLE": "The instance has no IAM role",
    "LINK_FAILED": "A Multus link could not be set up",
    "BOOT_DEGRADED": "The node starts without all of its Multus interfaces",
}


@pytest.fixture
def scenario(request):
    """The sample, whose node has the role that the test names."""
    scenario = default_scenario()
    scenario["instances"][0]["role"] = getattr(request, "param", "multus-node")
    return scenario


def boot(machines):
    """A node whose daemon has tried often enough."""
    guest = machines.switch_on()
    guest.wait_control()
    guest.wait_property("multus-eksd", timeout=300, ActiveState="failed")
    assert guest.try_run("systemctl is-system-running --wait").stdout.strip() == "degraded"
    return guest


def check_blocked(guest) -> None:
    """Neither kubelet nor nodeadm's second phase was ever started, and that is how systemd sees it."""
    for unit, state in (("kubelet", "inactive"), ("nodeadm-run", "failed")):
        found = guest.property(unit, "ActiveState", "ExecMainStartTimestampMonotonic")
        assert found == {"ActiveState": state, "ExecMainStartTimestampMonotonic": "0"}, unit
    wanted = {"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "69", "NRestarts": "4"}
    assert guest.property("multus-eksd", *wanted) == wanted


def check_said(guest, name, priority="3", **fields) -> list:
    """
    An event is in the journal, at each try the same: it has these fields, and is the daemon's and the unit's.
    journalctl -x has something to say of it. Returns the texts.
    """
    entries = guest.journal("-u", "multus-eksd", f"MESSAGE_ID={IDS[name]}")
    assert entries
    fields |= {"PRIORITY": priority, "SYSLOG_IDENTIFIER": "multus-eksd",
               "_SYSTEMD_UNIT": "multus-eksd.service"}
    for entry in entries:
        assert {key: entry.get(key) for key in fields} == fields
    explained = guest.run(f"journalctl -b -x --no-pager -n 1 MESSAGE_ID={IDS[name]}")
    assert f"Subject: {SUBJECTS[name]}" in explained and "Defined-By: multus-eks" in explained
    return [entry["MESSAGE"] for entry in entries]


def check_status(guest, *words) -> None:
    """What `systemctl status` shows of the daemon."""
    text = guest.property("multus-eksd", "StatusText")["StatusText"]
    assert all(word in text for word in words), text
    shown = guest.try_run("systemctl status --no-pager --full multus-eksd")
    assert shown.returncode == 3 and text in shown.stdout


def test_subnet_full(machines):
    """Until somebody makes room, and starts the daemon again with the one command that it names."""
    strangers = fill(machines.region, SUBNETS[1])
    guest = boot(machines)
    check_blocked(guest)
    check_status(guest, "Failed", "eth2")
    causes = check_said(guest, "ENI_FAILED", SUBNET_ID=SUBNETS[1], NETWORK="eth2", INTERFACE="eth2",
                        AWS_ACTION="CreateNetworkInterface",
                        AWS_ERROR_CODE="InsufficientFreeAddressesInSubnet")
    requests = {call["request_id"] for call in machines.control.calls("CreateNetworkInterface")}
    entries = guest.journal(f"MESSAGE_ID={IDS['ENI_FAILED']}", "--output-fields=REQUEST_ID")
    assert len(causes) == 5 and {entry["REQUEST_ID"] for entry in entries} <= requests
    assert len(check_said(guest, "BOOT_FAILED")) == 5
    assert guest.try_run("multus-eksctl status").returncode == 1
    assert set(leaked(machines.region)) == set(strangers)
    assert set(by_network(machines.region, guest.instance)) == {"eth1", "eth3"}

    for eni in strangers:
        machines.control.delete(f"/enis/{eni}")
    guest.run("systemctl restart multus-eksd")
    guest.wait_property("kubelet", ActiveState="active")
    check_node(machines, guest)


@pytest.mark.parametrize("scenario", [""], indirect=True, ids=["none"])
def test_no_role(machines):
    guest = boot(machines)
    check_blocked(guest)
    check_status(guest, "Failed", "no IAM role", "instance profile")
    assert all("no IAM role" in text for text in check_said(guest, "NO_ROLE"))
    assert len(check_said(guest, "BOOT_FAILED")) == 5
    assert machines.control.calls() == []


def test_degraded(machines):
    """
    on_failure = continue: kubelet starts all the same, and the node says what it lacks. Here there is no
    IOMMU, and the kernel's vfio takes no device without one.
    """
    networks = f"[network oam]\nsubnets = {SUBNETS[0]}\nifname = eth1\n" \
               f"[network n6]\nsubnets = {SUBNETS[1]}\nifname = eth2\ndriver = vfio-pci\n"
    guest = machines.switch_on(config=f"[daemon]\non_failure = continue\n{NETWORKS}{networks}",
                               files={"etc/modules-load.d/dpdk.conf": "vfio-pci\n"})
    guest.wait_boot()
    assert guest.status()["phase"] == "degraded"
    assert guest.try_run("multus-eksctl status").returncode == 4
    check_kubelet(guest, NAMES[:1])
    # what nobody can use was given back to its driver, and taken away again
    text, = check_said(guest, "LINK_FAILED", NETWORK="n6", INTERFACE="eth2", SUBNET_ID=SUBNETS[1])
    assert "vfio-pci does not take the PCI device 0000:00:07.0" in text
    assert "enable_unsafe_noiommu_mode" in text
    enis = by_network(machines.region, guest.instance)
    assert set(enis) == {"oam"} and leaked(machines.region) == []
    check_links(guest.links(), {"eth1": enis["oam"]})
    check_said(guest, "BOOT_DEGRADED")
    assert guest.property("multus-eksd", "ActiveState")["ActiveState"] == "active"
    assert "Degraded" in guest.property("multus-eksd", "StatusText")["StatusText"]
