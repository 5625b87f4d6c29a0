# SPDX-License-Identifier: Apache-2.0
"""multus-eks-ip and multus-eksctl with the real daemon: from a chain to the simulator's EC2 and back."""

import time

import pytest
from ec2sim.node import Topology

from cnichain import PluginError, Runtime, invoke, needs_ipvlan, real_plugin, static_network
from fleet import Fleet
from harness import SUBNETS
from registering import ASSIGN, ASSIGN6, Registering, scenario, until

FIRST, FIRST6 = "10.0.10.200", "2001:db8:e2c:10::aa"

pytestmark = pytest.mark.skipif(not all(map(real_plugin, ("macvlan", "static"))),
                                reason="no CNI plugins macvlan, static: containernetworking-plugins")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Topology(scenario(), nodes=()) as region:
        yield Fleet(region, tmp_path_factory.mktemp("nodes"))


@pytest.fixture
def node(fleet):
    with Registering(fleet, release_cooldown="100ms") as node:
        yield node


@pytest.fixture
def runtime(node):
    with Runtime(node.node) as runtime:
        yield runtime


def network(node, *addresses, **more):
    return static_network(node.daemon.socket_path, *addresses, **more)


@pytest.mark.parametrize("kind", ["macvlan", pytest.param("ipvlan", marks=needs_ipvlan)])
def test_a_pods_life(node, runtime, kind):
    pod = runtime.attach(network(node, f"{FIRST}/24", f"{FIRST6}/64", kind=kind))
    pod.add()
    assert FIRST in node.in_ec2() and FIRST6 in node.in_ec2_6()
    assert node.owners() == {FIRST: pod.owner, FIRST6: pod.owner}
    assert (len(node.calls(ASSIGN)), len(node.calls(ASSIGN6))) == (1, 1)
    pod.check()

    table = node.ctl("addresses").stdout
    assert FIRST in table and pod.owner in table
    pod.delete()
    pod.delete()
    node.wait_gone(FIRST)
    until(lambda: not node.addresses(), "the release")


def test_checked_while_it_is_looked_at(node, runtime):
    """Somebody registers it again, and what EC2 said of it is older than what is repeated."""
    pod = runtime.attach(network(node, f"{FIRST}/24"))
    pod.add()
    time.sleep(0.2)
    node.control.gate("DescribeNetworkInterfaces")
    again = node.begin("PUT", FIRST, pod.owner)
    node.control.gate_reached()
    pod.check()
    assert node.owners() == {FIRST: pod.owner}
    assert node.metrics()["multus_eks_addresses_pending"] == 1
    assert node.control.gate_release()
    assert again.reply().status == 200
    assert node.metrics()["multus_eks_addresses_pending"] == 0
    # its next owner has it when he is told so
    time.sleep(0.2)
    node.control.gate("DescribeNetworkInterfaces")
    other = node.begin("PUT", FIRST, "other")
    node.control.gate_reached()
    assert node.owners() == {}
    assert node.control.gate_release()
    assert other.reply().status == 200
    assert node.owners() == {FIRST: "other"}


def test_refused_address_gives_the_others_back(node, runtime):
    """The subnet's first address is the router's."""
    pod = runtime.attach(network(node, f"{FIRST}/24", "10.0.10.1/24"))
    with pytest.raises(PluginError) as raised:
        pod.add()
    assert raised.value.code == 100
    assert raised.value.message.startswith("10.0.10.1: ")
    node.wait_gone(FIRST)
    until(lambda: not node.addresses(), "the release")
    pod.delete()


def test_garbage_collection(node, runtime):
    kept = runtime.attach(network(node, f"{FIRST}/24"))
    lost = runtime.attach(network(node, "10.0.10.201/24"))
    kept.add()
    lost.add()
    runtime.garbage_collect(network(node, version="1.1.0"), [kept])
    node.wait_gone("10.0.10.201")
    assert node.owners() == {FIRST: kept.owner}


def test_newer_pod_fails_after_the_older_is_gone(node):
    """Both have one static address: the newer's while EC2 is asked, and nobody's once that is refused."""
    config = {"cniVersion": "1.0.0", "name": "oam", "type": "multus-eks-ip", "master": "eth1",
              "socket": node.daemon.socket_path, "prevResult": {"ips": [{"address": f"{FIRST}/24"}]}}
    older = {"CNI_CONTAINERID": "older", "CNI_IFNAME": "net1", "CNI_NETNS": "/proc/self/ns/net"}
    invoke("ADD", config, older)
    time.sleep(0.2)  # until EC2's last word is too old to be repeated
    node.control.gate("DescribeNetworkInterfaces")
    node.control.deny("ec2:DescribeNetworkInterfaces")
    newer = node.begin("PUT", FIRST, "cni:oam/newer/net1", "eth1")
    node.control.gate_reached()
    assert node.addresses()[FIRST]["owner"] == "cni:oam/newer/net1"
    assert invoke("DEL", config, older) is None
    node.control.gate_release()
    assert newer.reply().status == 502
    node.control.deny()
    assert node.owners() == {}
    node.wait_gone(FIRST)


def test_status_of_a_degraded_node(fleet):
    """What STATUS says of a network is what its ADD comes to."""
    networks = "[daemon]\non_failure = continue\n[discovery]\ntags = no\n" + "".join(
        f"[network {name}]\nsubnets = {subnet}\nsecurity_groups = sg-0000000000000a115\n"
        for name, subnet in zip(("oam", "media"), SUBNETS))
    with Registering(fleet, networks) as node:
        node.daemon.stop()
        node.daemon.configure(f"{networks}source_dest_check = no\n")  # of the last one
        node.control.deny("ec2:ModifyNetworkInterfaceAttribute")
        node.start()
        assert node.daemon.status()["phase"] == "degraded"
        environment = {"CNI_CONTAINERID": "c0ffee", "CNI_IFNAME": "net1", "CNI_NETNS": "/proc/self/ns/net"}
        for master, address, works in (("oam", FIRST, True), ("media", "10.0.20.200", False)):
            config = {"cniVersion": "1.1.0", "name": master, "type": "multus-eks-ip", "master": master,
                      "socket": node.daemon.socket_path}
            previous = {"prevResult": {"ips": [{"address": f"{address}/24"}]}}
            if works:
                assert invoke("STATUS", config) is None
                invoke("ADD", {**config, **previous}, environment)
                continue
            for command, more, code in (("STATUS", {}, 50), ("ADD", previous, 100)):
                with pytest.raises(PluginError) as raised:
                    invoke(command, {**config, **more}, environment)
                assert raised.value.code == code


def test_by_hand(node):
    result = node.ctl("register", FIRST, FIRST6)
    assert (result.returncode, result.stderr) == (0, "")
    eni = node.eni()["id"]
    assert result.stdout == f"{FIRST} registered on eth1 ({eni})\n{FIRST6} registered on eth1 ({eni})\n"
    assert FIRST in node.in_ec2() and FIRST6 in node.in_ec2_6()

    assert node.ctl("unregister", "--owner", "somebody", FIRST).returncode == 5
    assert node.ctl("register", "10.0.10.1").returncode == 5
    assert node.ctl("register", "192.0.2.1").returncode == 5
    assert node.ctl("register", "--interface", "eth9", FIRST).returncode == 5
    result = node.ctl("unregister", FIRST, FIRST6)
    assert (result.returncode, result.stderr) == (0, "")
    node.wait_gone(FIRST)
