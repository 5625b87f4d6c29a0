# SPDX-License-Identifier: Apache-2.0
"""Pods of two nodes talk over eth1 through the VPC, which delivers what is assigned and nothing else."""

import itertools

import pytest
from ec2sim.probe import answers
from harness import INSTANCE, SUBNETS
from registering import until

from pods import Runtime, assigned, network, owners, wait_owners, wait_unassigned
from verdict import by_network, check_links

CONFIG = "".join(f"[network eth{n}]\nsubnets = {subnet}\nsecurity_groups = sg-0000000000000a115\n{more}"
                 for n, (subnet, more) in enumerate(zip(SUBNETS, ("", "host_address = yes\n", "")), 1)) + \
    "[registration]\nrelease_cooldown = 100ms\n"
PRIMARY = "subnet-0000000000000a000"
V4, V6 = [f"10.0.10.20{n}" for n in range(3)], [f"2001:db8:e2c:10::20{n}" for n in range(3)]
ROUTE = {"dst": "10.0.0.0/16", "gw": "10.0.10.1"}


@pytest.fixture(scope="module")
def guests(shared):
    """Two nodes, booted at once."""
    second = shared.control.post("/instances", {
        "type": "m5.4xlarge", "subnet": PRIMARY, "groups": ["sg-00000000000000e45"],
        "asg": "multus-nodes", "tags": {"kubernetes.io/cluster/sample": "owned"}})["id"]
    guests = [shared.switch_on(instance, CONFIG) for instance in (INSTANCE, second)]
    for guest in guests:
        guest.wait_boot()
    return guests


@pytest.fixture(scope="module")
def host(shared):
    """Neither of them, in another subnet than the pods."""
    return shared.region.add_host(SUBNETS[2])


@pytest.fixture
def runtimes(guests):
    """Of the two nodes, on which nothing is registered, before and afterwards."""
    with Runtime(guests[0]) as here, Runtime(guests[1]) as there:
        assert [owners(guest) for guest in guests] == [{}, {}]
        yield here, there
    for guest in guests:
        wait_owners(guest, {})
        assert guest.journal("-p", "warning", "-u", "multus-eksd", "--output-fields=MESSAGE") == []


def undelivered(host, address) -> bool:
    """Whether the VPC has nobody for an address: it says so, and nothing comes back."""
    def count():
        return host.control.get("/fabric").get("no holder", 0)
    before = count()
    return not answers(host, address, 1) and count() > before


def test_registered_by_the_plugin(runtimes, guests, host):
    """Two pods of one node and one of the other; all reach each other and are reached, until their DEL."""
    here, there = runtimes
    assert all(undelivered(host, address) for address in V4)
    attachments = [runtime.attach(network(f"{v4}/24", f"{v6}/64", routes=[ROUTE]))
                   for runtime, v4, v6 in zip((here, here, there), V4, V6)]
    for attachment, v4, v6 in zip(attachments, V4, V6):
        result = attachment.add()
        assert [entry["address"] for entry in result["ips"]] == [f"{v4}/24", f"{v6}/64"]
    owned = [{address: a.owner for address in pair} for a, *pair in zip(attachments, V4, V6)]
    assert [owners(guest) for guest in guests] == [owned[0] | owned[1], owned[2]]
    for attachment in attachments:
        attachment.check()
    for addresses in (V4, V6):
        for one, other in itertools.permutations(range(3), 2):
            assert attachments[one].pod.pings(addresses[other]), (one, addresses[other])
    assert all(answers(host, address, 3) for address in V4)

    attachments[2].delete()
    wait_unassigned(guests[1], V4[2], V6[2])
    assert owners(guests[1]) == {}
    assert undelivered(host, V4[2]) and not attachments[0].pod.pings(V4[2])
    assert attachments[0].pod.pings(V4[1]) and answers(host, V4[0], 3)
    for attachment in attachments[:2]:
        attachment.delete()
    wait_unassigned(guests[0], *V4, *V6)


def test_registered_by_the_watch(runtimes, guests, host):
    """By ipvlan alone: the pods' addresses are seen, and so is that their namespace goes."""
    attachments = [runtime.attach(network(f"{v4}/24", f"{v6}/64", registered=False, routes=[ROUTE]))
                   for runtime, v4, v6 in zip(runtimes, V4, V6)]
    for attachment, guest, v4, v6 in zip(attachments, guests, V4, V6):
        attachment.add()
        wait_owners(guest, dict.fromkeys((v4, v6), attachment.pod.owner()))
    here, there = attachments
    assert here.pod.pings(V4[1]) and there.pod.pings(V4[0])
    assert here.pod.pings(V6[1]) and there.pod.pings(V6[0])
    assert answers(host, V4[1], 3)
    # the runtime is late with its DEL
    there.pod.close()
    wait_unassigned(guests[1], V4[1], V6[1])
    assert undelivered(host, V4[1])


def take(pod, address) -> None:
    """Have an address, with which the way to other subnets comes and goes."""
    pod.add(address)
    pod.batch(f"route replace default via {'fe80:ec2::1' if ':' in address else '10.0.10.1'} dev net1 onlink")


@pytest.mark.parametrize("address", [f"{V4[0]}/24", f"{V6[0]}/64"], ids=["4", "6"])
def test_floating_address(runtimes, guests, host, address):
    """Taken from one pod and added to the next, it reaches who has it now: within a node, and over there."""
    plain = address.partition("/")[0]
    pods = [runtimes[n].namespace() for n in (0, 0, 1)]
    for pod in pods:
        pod.plug()
    last = None
    for pod, node in ((pods[0], 0), (pods[1], 0), (pods[2], 1), (pods[0], 0)):
        if last:
            last.remove(address)
        take(pod, address)
        wait_owners(guests[node], {plain: pod.owner()})
        assert plain in assigned(guests[node]) and plain not in assigned(guests[1 - node])
        before = pod.echoes()
        assert answers(host, plain, 3)
        assert pod.echoes() > before
        last = pod


def test_floating_address_that_nobody_removes(runtimes, guests, host):
    """The first pod still has it: it moves away all the same, and is not fought for."""
    guests[0].control.clear()
    for runtime, guest in zip(runtimes, guests):
        pod = runtime.namespace()
        pod.plug()
        take(pod, f"{V4[0]}/24")
        wait_owners(guest, {V4[0]: pod.owner()})
        before = pod.echoes()
        assert answers(host, V4[0], 3)
        assert pod.echoes() > before
    calls = guests[0].control.calls("AssignPrivateIpAddresses")
    assert len(calls) == 2 and {call["code"] for call in calls} == {None}
    assert V4[0] not in assigned(guests[0])


def test_ipvlan_in_l3_mode(runtimes, guests, host):
    """The host routes what such a pod sends: by eth2, where the interface has an address of its own."""
    address = "10.0.20.200"
    plugin = {"type": "ipvlan", "master": "eth2", "mode": "l3"}
    attachment = runtimes[0].attach(network(f"{address}/32", plugin=plugin, routes=[{"dst": "0.0.0.0/0"}]))
    attachment.add()
    assert owners(guests[0]) == {address: attachment.owner}
    assert answers(host, address, 3)
    other = runtimes[1].attach(network(f"{V4[0]}/24", routes=[ROUTE]))
    other.add()
    assert other.pod.pings(address) and attachment.pod.pings(V4[0])
    for each in (attachment, other):
        each.delete()
    wait_unassigned(guests[0], address)
    assert undelivered(host, address)


def test_host_device(runtimes, guests, host, shared):
    """A pod has eth3's device for itself, by PCI address, while the daemon is restarted; then it is back."""
    guest, runtime = guests[0], runtimes[0]
    eni = by_network(shared.region, guest.instance)["eth3"]
    device = next(i for i in guest.status()["interfaces"] if i["name"] == "eth3")
    address = "10.0.30.200"
    config = network(f"{address}/24", plugin={"type": "host-device", "pciBusID": device["pci_address"]},
                     routes=[{"dst": "10.0.0.0/16", "gw": "10.0.30.1"}])
    config["plugins"][1]["master"] = "eth3"
    attachment = runtime.attach(config)
    attachment.add()
    assert "eth3" not in guest.links()
    assert owners(guest) == {address: attachment.owner}
    assert answers(host, address, 3)
    guest.run("systemctl restart multus-eksd")
    status = guest.status()
    assert status["phase"] == "ready"
    states = {i["name"]: i["state"] for i in status["interfaces"]}
    assert states == {"eth1": "up", "eth2": "up", "eth3": "away"}
    assert owners(guest) == {address: attachment.owner}
    attachment.delete()
    wait_unassigned(guest, address)
    until(lambda: {i["state"] for i in guest.status()["interfaces"]} == {"up"}, "eth3 up again")
    check_links(guest.links(), {"eth3": eni})
