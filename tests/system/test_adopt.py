# SPDX-License-Identifier: Apache-2.0
"""What is there already: adopted when it serves, removed when it is ours and does not, else left alone."""

import itertools
import json
import os
import time

import pytest

from harness import NETWORKS, SUBNETS, message_ids
from linkwatch import LinkWatch, states_of
from registering import until

GROUPS = ["sg-0000000000000a115"]
FOREIGN = {"owner": "somebody else"}


@pytest.fixture
def node(fleet):
    """A node of its own; whatever happens to it, all that is its own ends with it."""
    before = {eni["id"] for eni in fleet.control.enis()}
    # names of their own for the devices of strangers: only eth1 to eth3 are wanted here
    fleet.control.plug(name="ens%d")
    node = fleet.launch()
    yield node
    fleet.control.gate_off()
    fleet.retire(fleet.region.nodes[node.instance_id])
    left = {eni["id"] for eni in fleet.control.enis() if "owner" not in eni["tags"]} - before
    for eni_id in left:
        fleet.control.delete(f"/enis/{eni_id}")
    assert left == set()


@pytest.fixture
def daemon(fleet, node):
    daemon = fleet.daemon(node)
    yield daemon
    daemon.kill()


def tags_of(node, network, created="2026-01-02T03:04:05Z", **more) -> dict:
    """The tags of an interface that an earlier run made for the node."""
    return {"node.k8s.amazonaws.com/no_manage": "true", "multus-eks:instance-id": node.instance_id,
            "multus-eks:network": network, "multus-eks:nodegroup": "multus-nodes",
            "multus-eks:created": created, **more}


def plant(fleet, tags, subnet, **more) -> str:
    """An interface that is there before the daemon; attached where `instance` is named."""
    return fleet.control.post("/foreign-eni", {"subnet": subnet, "groups": GROUPS, "tags": tags,
                                               **more})["id"]


def boot(fleet, daemon) -> list:
    """One run; returns the changes it made as action names."""
    fleet.control.clear()
    daemon.start()
    daemon.wait_ready()
    assert daemon.stop() == 0
    # while it is being detached Delete is refused
    return sorted(call["action"] for call in fleet.control.calls(mutating=True)
                  if call["service"] == "ec2" and (call["action"], call["code"]) !=
                  ("DeleteNetworkInterface", "InvalidParameterValue"))


def ids(fleet, node) -> dict:
    """Network -> id of the node's interfaces."""
    return {eni["tags"]["multus-eks:network"]: eni["id"] for eni in fleet.interfaces(node)
            if "multus-eks:network" in eni["tags"]}


def check(fleet, node, count=3) -> None:
    """Each network once, its link up, and the next run changes nothing."""
    links = node.links()
    mine = [e for e in fleet.interfaces(node) if "owner" not in e["tags"]]
    assert sorted(e["tags"]["multus-eks:network"] for e in mine) == ["eth1", "eth2", "eth3"][:count]
    for eni in mine:
        link = links[eni["tags"]["multus-eks:network"]]
        assert (link["address"], "UP" in link["flags"]) == (eni["mac"], True)
        assert eni["attachment"]["delete_on_termination"]
    assert [e for e in fleet.control.enis() if not e["attachment"] and "owner" not in e["tags"]] == []


def exists(fleet, eni_id) -> bool:
    return eni_id in fleet.control.state()["enis"]


def attached(fleet, eni_id) -> bool:
    return bool(fleet.control.state()["enis"][eni_id]["attachment"])


# -- leftovers -------------------------------------------------------------

def test_leftover_is_attached(fleet, node, daemon):
    left = plant(fleet, tags_of(node, "eth2"), SUBNETS[1])
    changes = boot(fleet, daemon)
    assert ids(fleet, node)["eth2"] == left
    assert changes.count("CreateNetworkInterface") == 2
    assert changes.count("AttachNetworkInterface") == 3
    check(fleet, node)
    assert boot(fleet, daemon) == []


def test_leftover_of_another_subnet_goes(fleet, node, daemon):
    left = plant(fleet, tags_of(node, "eth1"), SUBNETS[2])
    assert "DeleteNetworkInterface" in boot(fleet, daemon)
    assert not exists(fleet, left)
    check(fleet, node)


@pytest.mark.parametrize("is_attached", [False, True])
def test_network_no_longer_configured_goes(fleet, node, daemon, is_attached):
    where = {"instance": node.instance_id, "device_index": 1} if is_attached else {}
    left = plant(fleet, tags_of(node, "retired"), SUBNETS[0], **where)
    changes = boot(fleet, daemon)
    assert not exists(fleet, left)
    assert changes.count("DetachNetworkInterface") == is_attached
    check(fleet, node)


def test_a_network_less(fleet, node, daemon):
    boot(fleet, daemon)
    before = ids(fleet, node)
    daemon.configure(f"[network]\nsubnets = {SUBNETS[0]}\nsecurity_groups = {GROUPS[0]}\n")
    assert boot(fleet, daemon) == ["DeleteNetworkInterface"] * 2 + ["DetachNetworkInterface"] * 2
    assert ids(fleet, node) == {"eth1": before["eth1"]}
    check(fleet, node, 1)


def test_moved_to_another_subnet_and_back(fleet, node, daemon):
    """The interface of the first time is gone for good: the third run must not ask for it again."""
    groups = f"security_groups = {GROUPS[0]}\n"
    seen = []
    for subnet in (SUBNETS[0], SUBNETS[1], SUBNETS[0], SUBNETS[1]):
        daemon.configure(f"[network]\nsubnets = {subnet}\n{groups}")
        changes = boot(fleet, daemon)
        assert changes.count("CreateNetworkInterface") == 1
        assert changes.count("AttachNetworkInterface") == 1
        assert [e["subnet_id"] for e in fleet.interfaces(node)] == [subnet]
        seen.append(ids(fleet, node)["eth1"])
        check(fleet, node, 1)
    assert len(set(seen)) == 4


def test_plugin_renames_while_a_daemon_starts(fleet, node, daemon):
    """On a node that was ready there are pods, whose plugins have two seconds: also before it is ready."""
    daemon.configure(f"[network]\nsubnets = {SUBNETS[0]}\nsecurity_groups = {GROUPS[0]}\n")
    boot(fleet, daemon)
    # as the unit does
    with open(f"{daemon.directory}/run/ready", "w", encoding="utf-8"):
        pass
    daemon.configure(f"[network]\nsubnets = {SUBNETS[0]} {SUBNETS[1]}\nsecurity_groups = {GROUPS[0]}\n")
    fleet.control.gate("CreateNetworkInterface")
    daemon.start()
    fleet.control.gate_reached()
    until(lambda: daemon.status()["interfaces"][0]["state"] == "up", "the interface that is there")
    begin = time.monotonic()
    node.run(["sh", "-c", "ip link set eth1 down; ip link set eth1 name temp_5"], check=True)
    until(lambda: "eth1" in node.links(), "its name")
    assert time.monotonic() - begin >= 2
    assert not daemon.is_ready()
    fleet.control.gate_release()
    daemon.wait_ready()
    check(fleet, node, 2)


# -- when nobody names a network any more ----------------------------------

def kept(fleet, node, daemon, count=3) -> None:
    """A restart changes nothing, neither in EC2 nor on a link, and says that something is missing."""
    before, links = fleet.interfaces(node), node.links()
    fleet.control.clear()
    with LinkWatch(node) as watch:
        daemon.start()
        status = daemon.wait_ready()
        told = watch.states()
    assert status["phase"] == "ready"
    assert [i["name"] for i in status["interfaces"] if i["state"] == "up"] == \
        ["eth1", "eth2", "eth3"][:count]
    warning, = daemon.log(message_ids()["ENIS_KEPT"])
    assert all(eni["id"] in warning["MESSAGE"] for eni in before)
    assert daemon.stop() == 0
    assert fleet.control.calls(mutating=True) == []
    assert fleet.interfaces(node) == before
    assert told <= states_of(links)


def test_networks_forgotten(fleet, node, daemon):
    boot(fleet, daemon)
    daemon.configure("[network]\nsecurity_groups = sg-00000000000000e45\nsource_dest_check = no\n")
    kept(fleet, node, daemon)
    # a network that had a section of its own: what its interface was called, nobody knows
    daemon.configure(f"[network oam]\nsubnets = {SUBNETS[0]}\n")
    boot(fleet, daemon)
    daemon.configure("")
    kept(fleet, node, daemon, 0)


def test_tags_of_the_group_are_gone(fleet, node, daemon):
    """Deleted by somebody; or the group is, or is not shown."""
    group = {"name": "multus-nodes", "tags": {"kubernetes.io/cluster/sample": "owned"}}
    tagged = {**group, "tags": {**group["tags"], "multus-eks:subnets": ",".join(SUBNETS)}}
    fleet.control.put("/group", tagged)
    daemon.configure(f"[network]\nsubnets = {SUBNETS[2]}\n")   # the tags are stronger
    boot(fleet, daemon)
    check(fleet, node)
    try:
        fleet.control.put("/group", {**tagged, "hidden": True})
        kept(fleet, node, daemon)
        fleet.control.put("/group", {**group, "hidden": False})
        daemon.configure("")
        kept(fleet, node, daemon)
        fleet.control.put("/group", tagged)
        assert boot(fleet, daemon) == []
        assert daemon.log(message_ids()["ENIS_KEPT"]) == []
    finally:
        fleet.control.put("/group", {**group, "hidden": False})


# -- duplicates ------------------------------------------------------------

def test_of_two_leftovers_the_older_stays(fleet, node, daemon):
    young = plant(fleet, tags_of(node, "eth1", "2026-01-02T03:04:06Z"), SUBNETS[0])
    old = plant(fleet, tags_of(node, "eth1", "2026-01-02T03:04:05Z"), SUBNETS[0])
    boot(fleet, daemon)
    assert ids(fleet, node)["eth1"] == old
    assert not exists(fleet, young)
    check(fleet, node)


def test_of_two_the_attached_one_stays(fleet, node, daemon):
    old = plant(fleet, tags_of(node, "eth1", "2026-01-02T03:04:05Z"), SUBNETS[0])
    young = plant(fleet, tags_of(node, "eth1", "2026-01-02T03:04:06Z"), SUBNETS[0],
                  instance=node.instance_id, device_index=3)
    boot(fleet, daemon)
    assert ids(fleet, node)["eth1"] == young
    assert not exists(fleet, old)
    check(fleet, node)
    assert boot(fleet, daemon) == []


# -- attributes ------------------------------------------------------------

def test_changed_security_groups(fleet, node, daemon):
    boot(fleet, daemon)
    before = ids(fleet, node)
    daemon.configure(NETWORKS.replace(GROUPS[0], "sg-00000000000000e45"))
    assert boot(fleet, daemon) == ["ModifyNetworkInterfaceAttribute"] * 3
    assert ids(fleet, node) == before
    assert [e["groups"] for e in fleet.interfaces(node)] == [["sg-00000000000000e45"]] * 3
    assert boot(fleet, daemon) == []


def test_changed_source_dest_check(fleet, node, daemon):
    boot(fleet, daemon)
    before = ids(fleet, node)
    daemon.configure(NETWORKS + "source_dest_check = no\n")
    assert boot(fleet, daemon) == ["ModifyNetworkInterfaceAttribute"] * 3
    assert ids(fleet, node) == before
    assert [e["source_dest_check"] for e in fleet.interfaces(node)] == [False] * 3
    daemon.configure(NETWORKS)
    assert boot(fleet, daemon) == ["ModifyNetworkInterfaceAttribute"] * 3
    assert [e["source_dest_check"] for e in fleet.interfaces(node)] == [True] * 3


# -- what is not ours ------------------------------------------------------

def test_strangers_are_left_alone(fleet, node, daemon):
    """Attached ones of others, and ones that bear another instance's id."""
    other = fleet.launch()
    strangers = [
        plant(fleet, FOREIGN, SUBNETS[0], instance=node.instance_id, device_index=1),
        plant(fleet, FOREIGN, SUBNETS[0]),
        plant(fleet, tags_of(other, "eth1", **FOREIGN), SUBNETS[0]),
        plant(fleet, tags_of(other, "eth1", **FOREIGN), SUBNETS[0], instance=node.instance_id,
              device_index=3),
        # copied tags on what another instance has
        plant(fleet, tags_of(node, "eth2", **FOREIGN), SUBNETS[1], instance=other.instance_id,
              device_index=1),
    ]
    before = [fleet.control.state()["enis"][eni] for eni in strangers]
    boot(fleet, daemon)
    assert [fleet.control.state()["enis"][eni] for eni in strangers] == before
    indexes = [e["attachment"]["device_index"] for e in fleet.interfaces(node) if e["id"] not in strangers]
    assert indexes == [2, 4, 5]
    check(fleet, node)
    assert boot(fleet, daemon) == []
    fleet.retire(other)
    for eni in strangers:
        fleet.control.delete(f"/enis/{eni}")


def test_copied_tags_without_a_group(fleet):
    """Outside a group a node looks for interfaces by its own id, wherever they are attached."""
    fleet.control.plug(name="ens%d")
    node, other = fleet.launch(asg=""), fleet.launch()
    stranger = plant(fleet, tags_of(node, "eth1", **FOREIGN), SUBNETS[0], instance=other.instance_id,
                     device_index=1)
    before = fleet.control.state()["enis"][stranger]
    daemon = fleet.daemon(node)
    boot(fleet, daemon)
    assert fleet.control.state()["enis"][stranger] == before
    check(fleet, node)
    assert boot(fleet, daemon) == []
    fleet.retire(node)
    fleet.retire(other)
    fleet.control.delete(f"/enis/{stranger}")


def test_index_taken_before_attach(fleet, node, daemon):
    """aws-node, say, was faster: the next index, and nothing is made twice."""
    fleet.control.clear()
    fleet.control.gate("AttachNetworkInterface")
    daemon.start()
    index = int(fleet.control.gate_reached()["params"]["DeviceIndex"])
    stranger = plant(fleet, FOREIGN, SUBNETS[0], instance=node.instance_id, device_index=index)
    fleet.control.gate_release()
    daemon.wait_ready()
    assert daemon.stop() == 0
    assert len(fleet.control.calls("CreateNetworkInterface")) == 3
    assert {e["attachment"]["device_index"] for e in fleet.interfaces(node)} == {1, 2, 3, 4}
    check(fleet, node)
    assert boot(fleet, daemon) == []
    fleet.control.delete(f"/enis/{stranger}")


EXPLICIT = f"[network]\nsecurity_groups = {GROUPS[0]}\n" \
           f"[network oam]\nsubnets = {SUBNETS[0]}\ndevice_index = 2\n" \
           f"[network media]\nsubnets = {SUBNETS[1]}\n"


def test_explicit_index_is_taken(fleet, node, daemon):
    stranger = plant(fleet, FOREIGN, SUBNETS[0], instance=node.instance_id, device_index=2)
    daemon.configure(EXPLICIT)
    fleet.control.clear()
    daemon.start()
    assert daemon.wait_exit() == 1
    assert fleet.control.calls(mutating=True) == []
    error, = daemon.log(message_ids()["PLAN_IMPOSSIBLE"])
    assert stranger in error["MESSAGE"]
    fleet.control.delete(f"/enis/{stranger}")


def test_explicit_index_taken_before_attach(fleet, node, daemon):
    """What was made is taken away again: nothing is left that nobody owns."""
    daemon.configure(EXPLICIT)
    fleet.control.gate("CreateNetworkInterface", k=2, when="after")
    daemon.start()
    fleet.control.gate_reached()
    stranger = plant(fleet, FOREIGN, SUBNETS[0], instance=node.instance_id, device_index=2)
    fleet.control.gate_release()
    # whichever came first, the explicit one or the stranger, the node must not keep a half
    assert daemon.wait_exit() == 1
    failed, = daemon.log(message_ids()["ENI_FAILED"])
    assert failed["NETWORK"] == "oam" and stranger in failed["MESSAGE"]
    assert [e for e in fleet.control.enis() if not e["attachment"] and "owner" not in e["tags"]] == []
    fleet.control.delete(f"/enis/{stranger}")


# -- what the node remembers -----------------------------------------------

def test_reboot(fleet, node, daemon):
    boot(fleet, daemon)
    before = fleet.interfaces(node)
    daemon.move(fleet.region.reboot(node.instance_id))
    assert boot(fleet, daemon) == []
    assert fleet.interfaces(node) == before
    check(fleet, daemon.node)
    before = daemon.node.links()
    with LinkWatch(daemon.node) as watch:
        assert boot(fleet, daemon) == []
        assert watch.states() <= states_of(before)


def intents(daemon) -> str:
    return os.path.join(daemon.directory, "state", "intents.json")


def write_intents(daemon, text) -> None:
    os.makedirs(os.path.dirname(intents(daemon)), exist_ok=True)
    with open(intents(daemon), "w", encoding="utf-8") as file:
        file.write(text)


def test_state_of_another_instance(fleet, node, daemon):
    """An image that was made of a running node."""
    baked = "2026-01-02T03:04:05Z"
    write_intents(daemon, json.dumps({
        "version": 1, "instance_id": "i-0123456789abcdef0",
        "created": {"eth1": baked, "eth2": baked, "eth3": baked}}))
    boot(fleet, daemon)
    check(fleet, node)
    assert baked not in {e["tags"]["multus-eks:created"] for e in fleet.interfaces(node)}
    with open(intents(daemon), encoding="utf-8") as file:
        assert json.load(file)["instance_id"] == node.instance_id


@pytest.mark.parametrize("text", [
    "", "{", "null", "[]", '{"version": 2}', '{"version": 1, "instance_id": 7, "created": {}}',
    '{"version": 1, "instance_id": "NODE", "created": []}',
    '{"version": 1, "instance_id": "NODE", "created": {"eth1": 5, "eth2": "never", "eth3": null}}',
    '{"version": 1, "instance_id": "NODE", "created": {"eth1": "", "eth2": "' + "x" * 300 + '"}}',
    "x" * 70000, "\0" * 100, '{"version": 1, "instance_id": "NODE", "created": {"eth1": "2026-'],
    ids=itertools.count())
def test_broken_state(fleet, node, daemon, text):
    write_intents(daemon, text.replace("NODE", node.instance_id))
    boot(fleet, daemon)
    check(fleet, node)
    assert boot(fleet, daemon) == []


def test_unwritable_state(fleet, node, daemon):
    """Even root cannot replace a directory by a file."""
    os.makedirs(os.path.join(intents(daemon), "in the way"))
    boot(fleet, daemon)
    assert len(daemon.log(message_ids()["STATE_UNWRITABLE"])) == 1
    check(fleet, node)
    assert boot(fleet, daemon) == []
