# SPDX-License-Identifier: Apache-2.0
"""A world described as JSON.

build() turns a description into a World; what is left out has a default, what
is misspelt is an error. default_scenario() is the node of the sample
configuration: a VPC over two zones, two Multus subnets in each of them with
IPv6 and with a part reserved for pods, an Auto Scaling group with a launch
hook, and one node in it. example_scenario() is the same for conf/'s examples.
"""

import ipaddress
import json

from .instance_types import InstanceType
from .model import (AutoScalingGroup, CidrReservation, LifecycleHook, SecurityGroup, Subnet, Vpc,
                    World)

DEFAULT_VPC = "vpc-00000000000000e2c"


def default_scenario() -> dict:
    """The sample node and what surrounds it, as a description for build()."""
    subnets = [
        _subnet("subnet-0000000000000a000", "a", "10.0.0.0/24", "eks-a"),
        _subnet("subnet-0000000000000b000", "b", "10.0.1.0/24", "eks-b"),
    ]
    for number, name in ((1, "oam"), (2, "signalling"), (3, "media")):
        for zone, offset in (("a", 0), ("b", 1)):
            subnets.append(_subnet(f"subnet-0000000000000{zone}00{number}", zone,
                                   f"10.0.{10 * number + offset}.0/24", f"{name}-{zone}",
                                   f"2001:db8:e2c:{10 * number + offset}::/64", pods=True))
    return {
        "region": "eu-central-1",
        "account": "123456789012",
        "vpcs": [{"id": DEFAULT_VPC, "cidr": "10.0.0.0/16",
                  "default_group": "sg-00000000000000def"}],
        "subnets": subnets,
        "security_groups": [
            {"id": "sg-00000000000000e45", "name": "eks-node"},
            {"id": "sg-0000000000000a115", "name": "multus"},
        ],
        "asgs": [{
            "name": "multus-nodes",
            "subnets": ["subnet-0000000000000a000", "subnet-0000000000000b000"],
            "tags": {"kubernetes.io/cluster/sample": "owned"},
            "hooks": [{"name": "multus-launch", "heartbeat_timeout": 300}],
        }],
        "instances": [{
            "id": "i-00000000000000001", "type": "m5.4xlarge",
            "subnet": "subnet-0000000000000a000", "asg": "multus-nodes",
            "groups": ["sg-00000000000000e45"], "primary_ip": "10.0.0.10",
            "tags": {"Name": "sample-node", "kubernetes.io/cluster/sample": "owned"},
        }],
    }


def _subnet(subnet_id, zone, cidr, name, ipv6=None, pods=False) -> dict:
    subnet = {"id": subnet_id, "az": f"eu-central-1{zone}",
              "az_id": f"euc1-az{'ab'.index(zone) + 1}", "cidr": cidr, "tags": {"Name": name}}
    if ipv6:
        subnet["ipv6_cidr"] = ipv6
    if pods:
        upper = list(ipaddress.ip_network(cidr).subnets())[1]
        subnet["reservations"] = [{"cidr": str(upper), "type": "explicit", "description": "pods"}]
    return subnet


def example_scenario() -> dict:
    """The same world with the ids that the configuration files under conf/ name."""
    text = json.dumps(default_scenario())
    for zone in "ab":
        for number in "123":
            text = text.replace(f"subnet-0000000000000{zone}00{number}",
                                f"subnet-0{zone * 15}{number}")
    description = json.loads(text.replace("sg-0000000000000a115", "sg-0123456789abcdef0"))
    description["security_groups"] += [{"id": "sg-01111111111111111", "name": "multus-1"},
                                       {"id": "sg-02222222222222222", "name": "multus-2"}]
    return description


def build(description: dict = None, clock=None) -> World:
    """A World of a description; of the sample if there is none."""
    rest = _Taker(default_scenario() if description is None else description, "scenario")
    world = World(clock, rest.take("region", "eu-central-1"),
                  rest.take("account", "123456789012"), rest.take("seed", 1))
    world.not_found_seconds = rest.take("not_found_seconds", 0.0)
    for entry in rest.take("instance_types", []):
        kind = InstanceType(**{**entry, "card_enis": tuple(entry.get("card_enis", ()))})
        world.instance_types[kind.name] = kind
    for name, add in _PARTS:
        for entry in rest.take(name, []):
            part = _Taker(entry, name)
            add(world, part)
            part.finish()
    rest.finish()
    return world


class _Taker:
    """A dict from which keys are taken, so that what is left over can be complained of."""

    def __init__(self, data: dict, where: str):
        self._data, self._where = dict(data), where

    def take(self, key, *default):
        """The value of @key; without a default it must be there."""
        if key not in self._data and not default:
            raise ValueError(f"{self._where}: {key} is missing")
        return self._data.pop(key, *default)

    def finish(self) -> None:
        if self._data:
            raise ValueError(f"{self._where}: unknown: {', '.join(self._data)}")


def _only_vpc(world, part) -> str:
    """The VPC of an entry; it need not be named when there is one only."""
    return part.take("vpc", next(iter(world.vpcs)))


def _add_vpc(world, part) -> None:
    vpc = Vpc(part.take("id"), ipaddress.ip_network(part.take("cidr")), part.take("tags", {}))
    world.add_vpc(vpc, part.take("default_group", ""))


def _add_group(world, part) -> None:
    world.add_group(SecurityGroup(part.take("id"), _only_vpc(world, part),
                                  part.take("name", "group"), part.take("tags", {})))


def _add_subnet(world, part) -> None:
    ipv6 = part.take("ipv6_cidr", None)
    az = part.take("az")
    subnet = Subnet(
        id=part.take("id"), vpc_id=_only_vpc(world, part), az=az,
        az_id=part.take("az_id", f"az-{az}"), cidr=ipaddress.ip_network(part.take("cidr")),
        ipv6_cidr=ipaddress.ip_network(ipv6) if ipv6 else None,
        assign_ipv6_on_creation=part.take("assign_ipv6_on_creation", False),
        tags=part.take("tags", {}))
    world.add_subnet(subnet)
    for entry in part.take("reservations", []):
        reservation = _Taker(entry, "reservations")
        world.reserve(subnet, CidrReservation(
            reservation.take("id", world.new_id("scr")),
            ipaddress.ip_network(reservation.take("cidr")), reservation.take("type", "explicit"),
            reservation.take("description", ""), reservation.take("tags", {})))
        reservation.finish()


def _add_asg(world, part) -> None:
    world.add_asg(AutoScalingGroup(
        name=part.take("name"), subnets=part.take("subnets", []), created=world.now(),
        tags=part.take("tags", {}), hooks=[LifecycleHook(**h) for h in part.take("hooks", [])],
        min_size=part.take("min_size", 0), max_size=part.take("max_size", 10),
        desired=part.take("desired", 1)))


def add_instance(world, entry: dict):
    """Launch an instance as a scenario's `instances` entry describes it; returns it."""
    part = _Taker(entry, "instances")
    instance = _add_instance(world, part)
    part.finish()
    return instance


def _add_instance(world, part):
    primary, public = part.take("primary_ip", None), part.take("public_ip", None)
    instance = world.launch_instance(
        part.take("type"), world.subnet(part.take("subnet")), part.take("id", ""),
        part.take("asg", ""), part.take("groups", None),
        ipaddress.ip_address(primary) if primary else None, part.take("ipv6_count", 0),
        role_name=part.take("role", "multus-node"), tags=dict(part.take("tags", {})),
        node=part.take("node", None))
    world.enis_of(instance)[0].public_ip = public
    instance.user_data = part.take("user_data", "")
    return instance


def add_eni(world, entry: dict):
    """Make an ENI as a scenario's `enis` entry describes it, attached or not; returns it."""
    part = _Taker(entry, "enis")
    eni = _add_eni(world, part)
    part.finish()
    return eni


def _add_eni(world, part):
    ipv4 = [ipaddress.ip_address(a) for a in part.take("ipv4", [])]
    eni = world.create_eni(
        world.subnet(part.take("subnet")), ipv4 or None,
        [ipaddress.ip_address(a) for a in part.take("ipv6", [])], part.take("groups", None),
        tags=dict(part.take("tags", {})), description=part.take("description", ""),
        requester_managed=part.take("requester_managed", False))
    eni.visible_from = eni.created
    for prefix in part.take("prefixes", []):
        world.give_prefix(eni, ipaddress.ip_network(prefix))
    holder = part.take("instance", "")
    if holder:
        world.attach(eni, world.instance(holder), part.take("device_index", 1),
                     part.take("card", 0), part.take("delete_on_termination", False))
    return eni


_PARTS = (
    ("vpcs", _add_vpc), ("security_groups", _add_group), ("subnets", _add_subnet),
    ("asgs", _add_asg), ("instances", _add_instance), ("enis", _add_eni),
)
