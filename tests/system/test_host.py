# SPDX-License-Identifier: Apache-2.0
"""What the daemon does to the host beside the links: nodeadm's files, drivers for DPDK, devices of pods."""

import json
import os

import pytest
from ec2sim.node import Topology
from ec2sim.scenario import default_scenario
from fakepci import FakePci
from harness import INSTANCE, NETWORKS, SUBNETS, Daemon, leaked, message_ids, multus_enis

DROP_IN = "etc/eks/nodeadm.d/50-multus-eks.yaml"
OWNERS = f"etc/eks/nodeadm/udev-net-manager/{INSTANCE}"
RESOURCES = "etc/pcidp/config.json"

#: one network for the kernel, two for DPDK
PCI = {"oam": "0000:00:06.0", "n6-up": "0000:00:07.0", "n6-down": "0000:00:08.0"}
DRIVERS = {"oam": "kernel", "n6-up": "vfio-pci", "n6-down": "vfio-pci"}
MIXED = "".join(f"[network {name}]\nsubnets = {subnet}\ndriver = {DRIVERS[name]}\n"
                for name, subnet in zip(PCI, SUBNETS))


@pytest.fixture
def root(tmp_path):
    """The root of an EKS AMI."""
    root = tmp_path / "root"
    (root / "etc/eks/nodeadm").mkdir(parents=True)
    return root


@pytest.fixture
def eks(region, tmp_path, root):
    """A daemon on the sample node that has an EKS AMI, not started yet."""
    daemon = Daemon(region.node, tmp_path, arguments=[f"--root={root}"])
    yield daemon
    daemon.kill()


def test_max_pods(region, eks, root):
    eks.start()
    eks.wait_ready()
    # What nodeadm-run finds when it starts, which is after READY.
    text = (root / DROP_IN).read_text()
    assert 'maxPodsExpression: "((default_enis - 3) * (ips_per_eni - 1)) + 2"' in text
    assert len(eks.log(message_ids()["MAX_PODS_SET"])) == 1
    assert {p.name: p.read_text() for p in (root / OWNERS).iterdir()} == {
        f"{prefix}{n}": "cni" for prefix in ("eth", "multus") for n in (1, 2, 3)}
    assert eks.stop() == 0

    before = {p: p.stat().st_ino for p in root.rglob("*")}
    eks.start()
    eks.wait_ready()
    assert {p: p.stat().st_ino for p in root.rglob("*")} == before
    assert eks.log(message_ids()["MAX_PODS_SET"]) == []
    assert eks.stop() == 0

    eks.configure("[daemon]\nmax_pods = none\n" + NETWORKS)
    eks.start()
    eks.wait_ready()
    assert not (root / DROP_IN).exists()


def test_max_pods_of_the_user(region, eks, root):
    users = root / "etc/eks/nodeadm.d/90-mine.yml"
    users.parent.mkdir()
    users.write_text("spec:\n  kubelet:\n    config:\n      maxPods: 20\n")
    eks.start()
    eks.wait_ready()
    assert not (root / DROP_IN).exists()
    entries = eks.log(message_ids()["MAX_PODS_LEFT"])
    assert len(entries) == 1 and str(users) in entries[0]["MESSAGE"]
    assert int(entries[0]["PRIORITY"]) == 5


def user_data(kubelet) -> str:
    """As nodeadm takes it: parts of several kinds, one of them its own."""
    return ("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"B\"\n\n--B\n"
            "Content-Type: text/x-shellscript\n\n#!/bin/sh\necho hello\n--B\n"
            "Content-Type: application/node.eks.aws\n\napiVersion: node.eks.aws/v1alpha1\nkind: NodeConfig\n"
            f"spec:\n  kubelet:\n{kubelet}\n--B--\n")


@pytest.mark.parametrize("kubelet, left", [
    ("    config:\n      maxPods: 20", True),
    ("    maxPodsExpression: \"max_pods - 10\"", True),
    ("    config:\n      registryPullQPS: 20", False),
], ids=["maxPods", "maxPodsExpression", "none"])
def test_max_pods_of_the_user_data(tmp_path, root, kubelet, left):
    """Ours would win over an expression there, and would mean nothing beside an explicit number."""
    scenario = default_scenario()
    scenario["instances"][0]["user_data"] = user_data(kubelet)
    with Topology(scenario) as region, Daemon(region.node, tmp_path,
                                              arguments=[f"--root={root}"]) as daemon:
        assert daemon.wait_ready()["phase"] == "ready"
        assert (root / DROP_IN).exists() != left
        entries = daemon.log(message_ids()["MAX_PODS_LEFT"])
        assert len(entries) == left
        assert all("user data" in e["MESSAGE"] and int(e["PRIORITY"]) == 5 for e in entries)


def test_max_pods_unwritable(region, eks, root):
    (root / "etc/eks/nodeadm.d").write_text("")
    eks.start()
    assert eks.wait_ready()["phase"] == "ready"
    entries = eks.log(message_ids()["MAX_PODS_FAILED"])
    assert len(entries) == 1 and "maxPods" in entries[0]["MESSAGE"]
    assert int(entries[0]["PRIORITY"]) == 4


def test_max_pods_counts_what_is_attached(region, eks, root):
    region.control.faults({"action": "AttachNetworkInterface", "k": 2, "do": "error",
                           "code": "AttachmentLimitExceeded"})
    eks.configure("[daemon]\non_failure = continue\n" + NETWORKS)
    eks.start()
    assert eks.wait_ready()["phase"] == "degraded"
    assert "(default_enis - 2)" in (root / DROP_IN).read_text()


def test_max_pods_of_the_first_card(tmp_path, root):
    """nodeadm's default_enis are those of network card 0."""
    scenario = default_scenario()
    scenario["instances"][0]["type"] = "p4d.24xlarge"
    networks = "".join(f"[network n{card}]\nsubnets = {subnet}\nnetwork_card = {card}\n"
                       for card, subnet in enumerate(SUBNETS))
    with Topology(scenario) as region, Daemon(region.node, tmp_path, networks,
                                              arguments=[f"--root={root}"]) as daemon:
        assert len(daemon.wait_ready()["interfaces"]) == 3
        assert "(default_enis - 1)" in (root / DROP_IN).read_text()


def test_nothing_is_known_nothing_is_changed(region, eks, root):
    """The interfaces of an earlier boot may well be attached."""
    eks.start()
    eks.wait_ready()
    assert eks.stop() == 0
    region.control.deny("ec2:DescribeInstances")
    eks.configure("[daemon]\non_failure = continue\n" + NETWORKS)
    eks.start()
    assert eks.wait_ready()["phase"] == "degraded"
    assert "(default_enis - 3)" in (root / DROP_IN).read_text()


def test_no_eks_ami(region, eks, root):
    os.rename(root / "etc/eks", root / "etc/other")
    eks.start()
    eks.wait_ready()
    assert not (root / "etc/eks").exists()
    assert eks.errors() == []


def test_driver_needs_a_pci_device(region, daemon):
    daemon.configure(NETWORKS + "driver = vfio-pci\n")
    daemon.start()
    assert daemon.wait_exit() == 1
    failures = [e["MESSAGE"] for e in daemon.log(message_ids()["LINK_FAILED"])]
    assert len(failures) == 3
    assert all("is no PCI device" in m and "driver = kernel" in m for m in failures)
    # Each is told once to whoever reads warnings and errors, and the boot's end after them.
    assert sorted(daemon.errors()[:-1]) == sorted(failures)
    # What this run made is given back, and nobody looked for the devices until attach_timeout.
    assert multus_enis(region) == [] and leaked(region) == []


def test_no_pci_address_of_a_veth(region, daemon):
    daemon.start()
    for interface in daemon.wait_ready()["interfaces"]:
        assert interface["driver"] == "kernel" and interface["pci_address"] is None


@pytest.fixture
def bound(region, eks, root):
    """A node whose interfaces are PCI devices, as the next run of the daemon will find."""
    eks.configure(MIXED.replace("vfio-pci", "kernel"))
    eks.start()
    interfaces = eks.wait_ready()["interfaces"]
    assert eks.stop() == 0
    assert not (root / RESOURCES).parent.exists()
    pci = FakePci(region, root)
    for interface in interfaces:
        pci.add(PCI[interface["network"]], interface["name"], interface["mac"])
    eks.configure(MIXED)
    yield pci
    pci.close()


def resources(root) -> dict:
    """What the device plugin takes from its file: name of the resource -> selectors."""
    entries = json.loads((root / RESOURCES).read_text())["resourceList"]
    return {entry["resourceName"]: entry["selectors"] for entry in entries}


def test_device_plugin(eks, root, bound):
    eks.start()
    states = {i["network"]: (i["state"], i["pci_address"]) for i in eks.wait_ready()["interfaces"]}
    assert states == {"oam": ("up", PCI["oam"]), "n6-up": ("bound", PCI["n6-up"]),
                      "n6-down": ("bound", PCI["n6-down"])}
    assert {name: bound.driver(pci) for name, pci in PCI.items()} == {**DRIVERS, "oam": "ena"}
    assert resources(root) == {
        name: {"pciAddresses": [PCI[name.replace("_", "-")]], "drivers": ["vfio-pci"]}
        for name in ("n6_up", "n6_down")}
    assert len(eks.log(message_ids()["DEVICES_SET"])) == 1
    assert eks.stop() == 0

    before = (root / RESOURCES).stat()
    eks.start()
    eks.wait_ready()
    assert (root / RESOURCES).stat() == before
    assert eks.log(message_ids()["DEVICES_SET"]) == []
    assert eks.stop() == 0

    eks.configure("[daemon]\ndevice_plugin = none\n" + MIXED)
    eks.start()
    eks.wait_ready()
    assert not (root / RESOURCES).exists()


def test_device_plugin_after_a_reboot(region, eks, root, bound):
    """The binding has ended with the host; so has what the list said."""
    eks.start()
    eks.wait_ready()
    assert eks.stop() == 0
    assert len(resources(root)) == 2
    eks.move(region.reboot(INSTANCE))
    eks.configure(MIXED.replace("vfio-pci", "kernel"))
    eks.start()
    assert {i["state"] for i in eks.wait_ready()["interfaces"]} == {"up"}
    assert not (root / RESOURCES).exists()
    assert len(eks.log(message_ids()["DEVICES_SET"])) == 1


def test_device_plugin_of_a_device_bound_anew(eks, root, bound):
    eks.start()
    name = next(i["name"] for i in eks.wait_ready()["interfaces"] if i["network"] == "n6-up")
    before = resources(root)
    (root / RESOURCES).unlink()
    bound.give_back(PCI["n6-up"], name)
    eks.status()  # what it does with the device it does before it answers
    assert resources(root) == before


def test_device_plugin_of_the_user(eks, root, bound):
    users = root / RESOURCES
    users.parent.mkdir()
    users.write_text('{"resourceList": []}')
    eks.start()
    assert eks.wait_ready()["phase"] == "ready"
    assert users.read_text() == '{"resourceList": []}'
    entries = eks.log(message_ids()["DEVICES_LEFT"])
    assert len(entries) == 1 and str(users) in entries[0]["MESSAGE"]
    assert int(entries[0]["PRIORITY"]) == 5


def test_device_plugin_unwritable(eks, root, bound):
    (root / RESOURCES).mkdir(parents=True)
    eks.start()
    assert eks.wait_ready()["phase"] == "ready"
    entries = eks.log(message_ids()["DEVICES_FAILED"])
    assert len(entries) == 1 and str(root / RESOURCES) in entries[0]["MESSAGE"]
    assert int(entries[0]["PRIORITY"]) == 4


# -- host-device -----------------------------------------------------------

def into_a_pod(region, ifname) -> None:
    """As the plugin host-device does it, but that the VPC's namespace is no pod's."""
    region.run(["ip", "link", "set", ifname, "netns", f"/proc/{region.pid}/ns/net", "name", f"pod-{ifname}"],
               check=True)


def out_of_the_pod(region, ifname) -> None:
    region.run_in_vpc(["ip", "-batch", "-"], text=True, check=True, input=(
        f"link set pod-{ifname} down\nlink set pod-{ifname} name {ifname}\n"
        f"link set {ifname} netns {region.node.netns}\n"))


def states(status) -> dict:
    return {interface["name"]: interface["state"] for interface in status["interfaces"]}


@pytest.mark.parametrize("moved", ["before", "between"])
def test_restarted_while_a_pod_has_a_device(region, daemon, moved):
    """That is no failure, nor is it waited for; and the device is taken again when it comes back."""
    daemon.start()
    daemon.wait_ready()
    if moved == "before":
        into_a_pod(region, "eth3")
        assert states(daemon.status()) == {"eth1": "up", "eth2": "up", "eth3": "away"}
        assert daemon.errors() == []
    assert daemon.stop() == 0
    if moved == "between":
        into_a_pod(region, "eth3")

    for _ in range(2):  # what was known of it outlasts a start without it
        calls = len(region.control.calls())
        daemon.start()
        status = daemon.wait_ready()
        assert status["phase"] == "ready" and states(status)["eth3"] == "away"
        assert daemon.errors() == []
        assert all(c["action"].startswith("Describe") for c in region.control.calls()[calls:])
        assert daemon.stop() == 0
    daemon.start()
    daemon.wait_ready()
    out_of_the_pod(region, "eth3")
    region.node.await_up("eth3")
    assert states(daemon.status()) == {"eth1": "up", "eth2": "up", "eth3": "up"}
    assert len(multus_enis(region)) == 3 and leaked(region) == []


def test_a_device_that_has_not_been_up_is_waited_for(region, daemon):
    """Attached in EC2, by a daemon that was killed before the device came: no pod has it."""
    region.control.gate("link", 3)
    daemon.configure("[daemon]\nattach_timeout = 1s\n" + NETWORKS)
    daemon.start()
    region.control.gate_reached()
    daemon.kill()
    daemon.start()
    assert daemon.wait_exit() == 1
    failed = [e for e in daemon.log(message_ids()["LINK_FAILED"]) if e["PRIORITY"] == "3"]
    assert {e["INTERFACE"] for e in failed} == {"eth3"}
    region.control.gate_off()
