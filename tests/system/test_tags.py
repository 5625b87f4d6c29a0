# SPDX-License-Identifier: Apache-2.0
"""Which networks a node gets, from file, tags and subnets; their addresses, in EC2 and on the host."""

import ipaddress
import json

import pytest
from ec2sim.node import Topology
from ec2sim.scenario import default_scenario

from fleet import PRIMARY_SUBNET, Fleet
from harness import message_ids

A1, A2, A3 = (f"subnet-0000000000000a00{n}" for n in (1, 2, 3))
B1, B2, B3 = (f"subnet-0000000000000b00{n}" for n in (1, 2, 3))
ZONE_B = "subnet-0000000000000b000"
FILLERS = [f"subnet-000000000000c{n:04x}" for n in range(15)]
SG1, SG2, SG3 = "sg-0000000000000a115", "sg-00000000000000e45", "sg-00000000000000def"
PREFIX = "multus-eks:"


def tags(**keys) -> dict:
    return {PREFIX + key.replace("_", "-").replace("-part", "."): value
            for key, value in keys.items()}


def scenario() -> dict:
    world = default_scenario()
    by_id = {subnet["id"]: subnet for subnet in world["subnets"]}
    by_id[A3]["tags"].update(tags(device_index="1"))
    by_id[A1]["tags"].update(tags(device_index="2"))
    by_id[A2]["tags"].update(tags(device_index="10", nodegroup="others"))
    by_id[B1]["tags"].update(tags(device_index="1"))
    by_id[A2]["reservations"] += [
        {"cidr": "10.0.20.0/29", "type": "explicit"},
        {"cidr": "2001:db8:e2c:20::/80", "type": "explicit"}]
    # enough of another zone that a list of all needs more than one tag
    world["subnets"] += [{"id": filler, "az": "eu-central-1b", "cidr": f"10.0.{100 + n}.0/24"}
                         for n, filler in enumerate(FILLERS)]
    for name, group_tags in (
            ("plain", {}), ("others", {}),
            ("tagged", tags(subnets=f"{A2},{A1}", security_groups=f"{SG1},{SG2}", mtu="1400",
                            interface_tags="cnf=abc01,type=5g", source_dest_check="no")),
            ("long", tags(subnets=",".join([A1, *FILLERS[:8]]),
                          subnets_part2=",".join([*FILLERS[8:], A2]), subnets_part3=A3))):
        world["asgs"].append({"name": name, "hooks": [], "subnets": [PRIMARY_SUBNET, ZONE_B],
                              "tags": group_tags})
    return world


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Topology(scenario(), nodes=()) as region:
        yield Fleet(region, tmp_path_factory.mktemp("nodes"))


@pytest.fixture(autouse=True)
def _clean(fleet):
    fleet.control.plug(name="ens%d")
    yield
    fleet.control.gate_off()
    for node in list(fleet.region.nodes.values()):
        fleet.retire(node)
    for eni in fleet.control.enis():
        fleet.control.delete(f"/enis/{eni['id']}")


def boot(fleet, config, **entry) -> list:
    """Boot a node; returns its interfaces by device index. The second boot must change nothing."""
    node = fleet.launch(**{"asg": "plain", **entry})
    daemon = fleet.daemon(node, config)
    for _ in range(2):
        fleet.control.clear()
        daemon.start()
        daemon.wait_ready()
        assert daemon.stop() == 0
    assert fleet.control.calls(mutating=True) == []
    enis, links = fleet.interfaces(node), node.links()
    for number, eni in enumerate(enis, 1):
        assert links[f"eth{number}"]["address"] == eni["mac"]
    return enis


def subnets(enis) -> list:
    return [eni["subnet_id"] for eni in enis]


# -- which networks --------------------------------------------------------

def test_tags_of_the_group(fleet):
    enis = boot(fleet, "", asg="tagged")
    assert subnets(enis) == [A2, A1]
    assert [e["groups"] for e in enis] == [[SG1], [SG2]]
    for eni in enis:
        assert (eni["tags"]["cnf"], eni["tags"]["type"]) == ("abc01", "5g")
        assert not eni["source_dest_check"]
    node = fleet.region.nodes[enis[0]["attachment"]["instance_id"]]
    assert [node.links()[name]["mtu"] for name in ("eth1", "eth2")] == [1400, 1400]


def test_tags_of_the_instance_win(fleet):
    enis = boot(fleet, "", asg="tagged", tags=tags(subnets=f"{A3}", security_groups=SG3))
    assert subnets(enis) == [A3]
    assert enis[0]["groups"] == [SG3]
    assert enis[0]["tags"]["cnf"] == "abc01"  # what it does not say, the group does


def test_tags_beat_the_file(fleet):
    enis = boot(fleet, f"[network]\nsubnets = {A3}\nsecurity_groups = {SG3}\nifname_prefix = eth\n",
                asg="tagged")
    assert subnets(enis) == [A2, A1]


def test_tags_are_not_asked(fleet):
    enis = boot(fleet, f"[discovery]\ntags = no\n[network]\nsubnets = {A3}\n", asg="tagged",
                tags=tags(subnets=A1))
    assert subnets(enis) == [A3]
    assert enis[0]["groups"] == [SG3]  # of the VPC
    assert "cnf" not in enis[0]["tags"]


def test_another_prefix(fleet):
    enis = boot(fleet, "[discovery]\ntag_prefix = our/\n", tags={"our/subnets": A2,
                                                                 **tags(subnets=A1)})
    assert subnets(enis) == [A2]


def test_named_networks(fleet):
    """They are the whole list, one candidate for each zone; tags are their defaults."""
    config = f"[network oam]\nsubnets = {A3}, {B3}\nifname = eth1\n" \
             f"[network media]\nsubnets = {B1}, {A1}\nsecurity_groups = {SG2}, {SG3}\nifname = eth2\n"
    enis = boot(fleet, config, tags=tags(security_groups=SG1, subnets=A2))
    assert subnets(enis) == [A3, A1]
    assert [e["groups"] for e in enis] == [[SG1], [SG3]]
    assert [e["tags"][PREFIX + "network"] for e in enis] == ["oam", "media"]
    enis = boot(fleet, config, subnet=ZONE_B, tags=tags(security_groups=SG1))
    assert subnets(enis) == [B3, B1]
    assert [e["groups"] for e in enis] == [[SG1], [SG2]]


def test_lists_for_several_zones(fleet):
    """Groups pair with the list as it was written, whichever part of it is this zone's."""
    config = f"[network]\nsubnets = {A1}, {B1}, {A2}, {B2}\n" \
             f"security_groups = {SG1}, {SG2}, {SG3}, {SG1}\n"
    enis = boot(fleet, config)
    assert (subnets(enis), [e["groups"] for e in enis]) == ([A1, A2], [[SG1], [SG3]])
    enis = boot(fleet, config, subnet=ZONE_B)
    assert (subnets(enis), [e["groups"] for e in enis]) == ([B1, B2], [[SG2], [SG1]])


def test_list_over_several_tags(fleet):
    assert subnets(boot(fleet, "", asg="long")) == [A1, A2, A3]


def test_subnets_found_by_their_tags(fleet):
    assert subnets(boot(fleet, "")) == [A3, A1]
    assert subnets(boot(fleet, "", asg="others")) == [A3, A1, A2]
    assert subnets(boot(fleet, "", subnet=ZONE_B)) == [B1]


def test_no_network_at_all(fleet):
    """A node without Multus interfaces is a node all the same; the log says so."""
    node = fleet.launch(asg="plain")
    daemon = fleet.daemon(node, "[discovery]\ntags = no\n")
    daemon.start()
    assert daemon.wait_ready()["interfaces"] == []
    assert len(daemon.log(message_ids()["NO_NETWORKS"])) == 1
    assert daemon.stop() == 0


# -- addresses in EC2 ------------------------------------------------------

START = f"[network]\nsubnets = {A1}, {A2}\nsecurity_groups = {SG1}\nip_allocation = subnet-start\n"


def addresses(eni) -> tuple:
    return eni["ipv4"], eni["ipv6"]


def test_lowest_addresses(fleet):
    """Past the VPC's own four and past what is reserved for pods."""
    enis = boot(fleet, START)
    assert [addresses(e) for e in enis] == [
        (["10.0.10.4"], ["2001:db8:e2c:10::4"]), (["10.0.20.8"], ["2001:db8:e2c:20:1::"])]
    enis = boot(fleet, START)
    assert [addresses(e) for e in enis] == [
        (["10.0.10.5"], ["2001:db8:e2c:10::5"]), (["10.0.20.9"], ["2001:db8:e2c:20:1::1"])]


def test_gap_is_filled(fleet):
    for last in (4, 6):
        fleet.control.post("/foreign-eni", {"subnet": A1, "ipv4": [f"10.0.10.{last}"]})
    fleet.control.post("/foreign-eni", {"subnet": A1, "ipv4": ["10.0.10.9"],
                                        "ipv6": ["2001:db8:e2c:10::4"]})
    eni, _ = boot(fleet, START)
    assert addresses(eni) == (["10.0.10.5"], ["2001:db8:e2c:10::5"])


def test_delegated_prefixes(fleet):
    """Of another node: not one Create is lost on them."""
    fleet.control.post("/foreign-eni", {"subnet": A1, "ipv4": ["10.0.10.77"], "prefixes": [
        "10.0.10.0/28", "2001:db8:e2c:10::/80"]})
    fleet.control.clear()
    node = fleet.launch(asg="plain")
    daemon = fleet.daemon(node, START.replace(f", {A2}", ""))
    daemon.start()
    daemon.wait_ready()
    assert daemon.stop() == 0
    eni, = fleet.interfaces(node)
    assert addresses(eni) == (["10.0.10.16"], ["2001:db8:e2c:10:1::"])
    assert len(fleet.control.calls("CreateNetworkInterface")) == 1


@pytest.mark.parametrize("taken", [{"ipv4": ["10.0.10.4"]},
                                   {"ipv4": ["10.0.10.99"], "ipv6": ["2001:db8:e2c:10::4"]}])
def test_another_was_faster(fleet, taken):
    node = fleet.launch(asg="plain")
    daemon = fleet.daemon(node, START.replace(f", {A2}", ""))
    fleet.control.gate("CreateNetworkInterface")
    daemon.start()
    asked = fleet.control.gate_reached()["params"]
    assert asked["PrivateIpAddress"] == "10.0.10.4"
    fleet.control.post("/foreign-eni", {"subnet": A1, **taken})
    fleet.control.gate_release()
    daemon.wait_ready()
    eni, = fleet.interfaces(node)
    assert addresses(eni) == (["10.0.10.5"], ["2001:db8:e2c:10::5"])
    assert daemon.stop() == 0


def test_two_nodes_in_one_subnet(fleet):
    """Both have chosen the same address before either has it."""
    nodes = [fleet.launch(asg="plain"), fleet.launch(asg="plain")]
    daemons = [fleet.daemon(node, START.replace(f", {A2}", "")) for node in nodes]
    fleet.control.put("/gate", {"action": "CreateNetworkInterface", "node": nodes[0].instance_id})
    daemons[0].start()
    first = fleet.control.gate_reached()["params"]["PrivateIpAddress"]
    daemons[1].start()
    daemons[1].wait_ready()
    eni, = fleet.interfaces(nodes[1])
    assert eni["ipv4"] == [first]
    fleet.control.gate_release()
    daemons[0].wait_ready()
    eni, = fleet.interfaces(nodes[0])
    assert eni["ipv4"] == [str(ipaddress.ip_address(first) + 1)]
    assert fleet.available() == []
    for daemon in daemons:
        assert daemon.errors() == []
        assert daemon.stop() == 0


@pytest.mark.parametrize("ipv6, count", [("auto", 1), ("yes", 1), ("no", 0)])
def test_ipv6(fleet, ipv6, count):
    for allocation in ("dynamic", "subnet-start"):
        eni, = boot(fleet, f"[network]\nsubnets = {A1}\nipv6 = {ipv6}\nip_allocation = {allocation}\n")
        assert len(eni["ipv6"]) == count
        # what is reserved for pods is for pods
        assert ipaddress.ip_address(eni["ipv4"][0]) < ipaddress.ip_address("10.0.10.128")


# -- addresses on the host -------------------------------------------------

def ip(node, *words):
    reply = node.run(["ip", "-json", *words], capture_output=True, text=True, check=True)
    return json.loads(reply.stdout or "[]")


def test_no_host_address(fleet):
    """Pod addresses belong to pods; and the host has none of its own unless it is asked for."""
    enis = boot(fleet, START)
    node = fleet.region.nodes[enis[0]["attachment"]["instance_id"]]
    for name in ("eth1", "eth2"):
        assert node.links()[name]["addr_info"] == []
    assert {rule["priority"] for family in ("-4", "-6") for rule in ip(node, family, "rule")} == \
        {0, 32766, 32767}


def test_host_address(fleet):
    node = fleet.launch(asg="plain")
    main = {family: [route for route in ip(node, family, "route", "show", "table", "main")
                     if route["dev"] == "ens5"] for family in ("-4", "-6")}
    daemon = fleet.daemon(node, START + "host_address = yes\n")
    daemon.start()
    daemon.wait_ready()
    assert daemon.stop() == 0

    links = node.links()
    for number, eni in enumerate(fleet.interfaces(node), 1):
        name = f"eth{number}"
        have = {(a["local"], a["prefixlen"]) for a in links[name]["addr_info"] if a["scope"] == "global"}
        assert have == {(eni["ipv4"][0], 24), (eni["ipv6"][0], 64)}
        for family, address, subnet, router in (
                ("-4", eni["ipv4"][0], f"10.0.{number}0.0/24", f"10.0.{number}0.1"),
                ("-6", eni["ipv6"][0], f"2001:db8:e2c:{number}0::/64", "fe80:ec2::1")):
            rules = [r for r in ip(node, family, "rule") if r["priority"] == 31000 + number]
            assert sorted((r["src"], r.get("oif"), r["table"]) for r in rules) == \
                sorted([(address, None, str(20000 + number)), ("all", name, str(20000 + number))])
            # As the host routes what an ipvlan in L3 mode sends: by the interface, with the pod's address.
            far = "198.51.100.1" if family == "-4" else "2001:db8:ffff::1"
            [way] = ip(node, family, "route", "get", far, "oif", name)
            assert (way.get("gateway"), way["dev"]) == (router, name)
            routes = ip(node, family, "route", "show", "table", str(20000 + number))
            assert {(r["dst"], r.get("gateway"), r["dev"]) for r in routes} == \
                {(subnet, None, name), ("default", router, name)}
            # never in main: a second default route there makes the node unreachable
            assert [r for r in ip(node, family, "route", "show", "table", "main")
                    if r["dev"] == name and not r["dst"].startswith("fe80:")] == []
    for family, before in main.items():
        now = [r for r in ip(node, family, "route", "show", "table", "main") if r["dev"] == "ens5"]
        assert [(r["dst"], r.get("gateway")) for r in now] == \
            [(r["dst"], r.get("gateway")) for r in before]
    assert fleet.control.state()["instances"][node.instance_id]["state"] == "running"
