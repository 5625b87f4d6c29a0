# SPDX-License-Identifier: Apache-2.0
"""A node after its first boot: the daemon goes and comes, the host reboots, the instance is stopped."""

import pytest
from harness import INSTANCE, SUBNETS, leaked, multus_enis
from linkwatch import lasting

from guest import PATIENCE
from verdict import NAMES, by_network, check_calm, check_links, check_node, hooked

# Each interface in the slot whose kernel name, in a boot that finds them all there, is another's.
CROSSED = "".join(f"[network eth{n}]\nsubnets = {SUBNETS[n - 1]}\nsecurity_groups = sg-0000000000000a115\n"
                  f"device_index = {index}\nifname = eth{n}\n" for n, index in ((1, 3), (2, 1), (3, 2)))
FOREIGN_INDEX = 9


@pytest.fixture(scope="module")
def node(shared):
    """One guest for the tests of this file, each of which leaves it ready."""
    guest = shared.switch_on(config=CROSSED, keep_disk=True)
    guest.wait_boot()
    check_node(shared, guest)
    shared.control.clear()
    return guest


@pytest.fixture
def kubelet(node):
    """kubelet's process, the same afterwards."""
    before = node.property("kubelet", "MainPID", "ExecMainStartTimestampMonotonic")
    yield before
    assert node.property("kubelet", "MainPID", "ExecMainStartTimestampMonotonic") == before


@pytest.fixture
def unchanged(shared, node):
    """Nothing is changed in EC2."""
    shared.control.clear()
    before = multus_enis(shared.region)
    yield
    assert shared.control.calls(mutating=True) == []
    assert multus_enis(shared.region) == before and leaked(shared.region) == []


def watched(guest, script) -> str:
    """What the kernel tells of links while a script runs; it begins when a change of lo's is told."""
    return guest.run(f"""ip -o monitor link >/run/links &
        until [ -s /run/links ]; do ip link set lo alias watched$((n++)); sleep 0.02; done
        {script}; status=$?; kill %1; cat /run/links; exit $status""")


@pytest.mark.usefixtures("kubelet", "unchanged")
def test_daemon_is_upgraded(node):
    links = lasting(node.links())
    told = watched(node, "systemctl restart multus-eksd")
    assert [line for line in told.splitlines() if any(name in line for name in NAMES)] == []
    assert node.status()["phase"] == "ready"
    assert lasting(node.links()) == links


@pytest.mark.usefixtures("kubelet", "unchanged")
def test_daemon_is_stopped(shared, node):
    node.run("systemctl stop multus-eksd")
    assert node.property("kubelet", "ActiveState")["ActiveState"] == "active"
    check_links(node.links(), by_network(shared.region, node.instance))
    # the socket is systemd's: whoever asks has it started
    node.try_run("multus-eksctl status")
    node.wait_property("multus-eksd", ActiveState="active")
    assert node.status()["phase"] == "ready"


@pytest.mark.usefixtures("kubelet", "unchanged")
def test_daemon_crashes(node):
    before = node.property("multus-eksd", "MainPID", "NRestarts")
    node.run("systemctl kill --kill-whom=main -s KILL multus-eksd")
    node.wait_property("multus-eksd", NRestarts=str(int(before["NRestarts"]) + 1), ActiveState="active")
    assert node.status()["phase"] == "ready"
    assert node.property("multus-eksd", "MainPID")["MainPID"] != before["MainPID"]


def test_somebody_elses_interface(shared, node):
    """The VPC CNI's, say: AWS's hook is asked and ours are as they were. It shows that the hook works."""
    links = lasting(node.links())
    eni = shared.control.post("/foreign-eni", {"subnet": SUBNETS[0], "instance": INSTANCE,
                                               "device_index": FOREIGN_INDEX})["id"]
    name = f"ens{5 + FOREIGN_INDEX}"
    node.wait_property(f"udev-net-manager@{name}", ActiveState="active")
    assert hooked(node) == {"ens5", name}
    assert node.run(f"cat /etc/eks/nodeadm/udev-net-manager/{INSTANCE}/{name}") == "cni"
    shared.control.delete(f"/enis/{eni}")
    node.wait_property(f"udev-net-manager@{name}", ActiveState="inactive")
    assert lasting(node.links()) == links


@pytest.mark.usefixtures("unchanged")
def test_reboot(shared, node):
    node.reboot()
    node.wait_boot()
    check_node(shared, node)
    check_calm(node)


@pytest.mark.usefixtures("unchanged")
def test_stop_and_start(shared, node):
    node.shut_down()
    node.switch_on()
    node.wait_boot()
    check_node(shared, node)
    check_calm(node)


def test_killed_in_the_boot(machines):
    """
    Killed thrice, each time with a call on its way; in the end there is what there should be. kubelet
    starts although nodeadm, which starts it once a boot, was turned away the first time.
    """
    control = machines.control
    guest = machines.make()
    control.gate("CreateNetworkInterface", when="after")
    guest.switch_on()
    guest.wait_control()
    # each time the interface whose call is held has the next step still before it
    for action in ("AttachNetworkInterface", "ModifyNetworkInterfaceAttribute", None):
        control.gate_reached(PATIENCE)
        guest.run("systemctl kill --kill-whom=main -s KILL multus-eksd")
        if action:
            control.gate(action, when="after")
    control.gate_off()
    guest.wait_property("kubelet", ActiveState="active")
    guest.await_boot()
    assert guest.property("multus-eksd", "NRestarts")["NRestarts"] == "3"
    check_node(machines, guest)
    assert len(control.enis()) == 1 + len(NAMES)
    turned_away = guest.journal("--output-fields=UNIT,JOB_RESULT", "UNIT=nodeadm-run.service")
    assert "failed" in {entry.get("JOB_RESULT") for entry in turned_away}
