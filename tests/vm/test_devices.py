# SPDX-License-Identifier: Apache-2.0
"""Devices for DPDK: taken from virtio's driver and given to another, of real PCI devices by a real kernel."""

import os

import pytest
from harness import SUBNETS, leaked

from verdict import by_network, check_calm, check_kubelet, check_links, check_unmanaged

STATES = {"eth1": "up", "eth2": "bound", "eth3": "bound"}
DRIVERS = dict.fromkeys(("eth2", "eth3"), "uio_pci_generic")
PLUGIN = "/etc/pcidp/config.json"
FILES = {"etc/modules-load.d/dpdk.conf": "uio_pci_generic\n"}


def config(drivers) -> str:
    return "".join(f"[network eth{n}]\nsubnets = {subnet}\nsecurity_groups = sg-0000000000000a115\n"
                   f"driver = {drivers.get(f'eth{n}', 'kernel')}\n" for n, subnet in enumerate(SUBNETS, 1))


@pytest.fixture
def node(machines):
    guest = machines.make(config=config(DRIVERS), files=FILES, keep_disk=True)
    guest.switch_on()
    guest.wait_boot()
    return guest


def bound(guest) -> dict:
    """Interface -> the driver that holds its device, by what the daemon and by what the kernel says."""
    addresses = {i["name"]: i["pci_address"] for i in guest.status()["interfaces"]}
    return {name: os.path.basename(guest.run(f"readlink /sys/bus/pci/devices/{address}/driver").strip())
            for name, address in addresses.items()}


def states(status) -> dict:
    """Interface -> its state in the daemon's account."""
    return {i["name"]: i["state"] for i in status["interfaces"]}


def check_bound(machines, guest) -> None:
    """The two are with their drivers and no network devices, the others are as they were."""
    status = guest.status()
    assert status["phase"] == "ready"
    assert states(status) == STATES
    assert bound(guest) == {"eth1": "virtio-pci", **DRIVERS}
    # slot 5 is the primary interface's, then come those of the device indexes
    assert [i["pci_address"] for i in status["interfaces"]] == [f"0000:00:0{n}.0" for n in (6, 7, 8)]
    check_links(guest.links(), {"eth1": by_network(machines.region, guest.instance)["eth1"]})
    resources = {r["resourceName"]: r["selectors"] for r in guest.json(f"cat {PLUGIN}")["resourceList"]}
    assert set(resources) == set(DRIVERS)
    assert all(selectors["drivers"] == [DRIVERS[name]] for name, selectors in resources.items())
    assert leaked(machines.region) == []


def test_drivers(machines, node):
    """Bound at the first boot, still so when the daemon is restarted, anew after a reboot; given back."""
    check_bound(machines, node)
    check_unmanaged(node, ["eth1"])
    check_kubelet(node, ["eth1"])
    check_calm(node)
    machines.control.clear()
    node.run("systemctl restart multus-eksd")
    check_bound(machines, node)
    node.reboot()
    node.wait_boot()
    check_bound(machines, node)
    check_unmanaged(node, ["eth1"])
    check_kubelet(node, ["eth1"])
    check_calm(node)
    assert machines.control.calls(mutating=True) == []

    # another driver takes effect when the host restarts
    node.files.update(machines.files(config({"eth3": "uio_pci_generic"})))
    node.reboot()
    node.wait_boot()
    assert bound(node) == {"eth1": "virtio-pci", "eth2": "virtio-pci", "eth3": "uio_pci_generic"}
    enis = by_network(machines.region, node.instance)
    check_links(node.links(), {name: enis[name] for name in ("eth1", "eth2")})
    check_kubelet(node, ["eth1", "eth2"])
    assert [r["resourceName"] for r in node.json(f"cat {PLUGIN}")["resourceList"]] == ["eth3"]
    assert machines.control.calls(mutating=True) == []


def test_drivers_by_hand(machines, node):
    """Somebody rebinds a device to the kernel's driver and away again, while the node is ready."""
    address = next(i["pci_address"] for i in node.status()["interfaces"] if i["name"] == "eth1")
    node.run(f"echo {address} >/sys/bus/pci/drivers/virtio-pci/unbind")
    node.run("timeout 60 sh -c 'until [ ! -e /sys/class/net/eth1 ]; do sleep 0.05; done'")
    node.run(f"echo {address} >/sys/bus/pci/drivers/virtio-pci/bind")
    node.run("timeout 60 sh -c 'until ip -o link show eth1 up 2>/dev/null | grep -q UP; do sleep 0.05; done'")
    # the kernel's word comes before the daemon's
    node.wait_status(lambda status: states(status) == STATES)
    check_bound(machines, node)
    check_unmanaged(node, ["eth1"])
