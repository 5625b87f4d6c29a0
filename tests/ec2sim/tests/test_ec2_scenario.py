# SPDX-License-Identifier: Apache-2.0
"""Worlds from JSON."""

import json
import pathlib
import re

import pytest

from ec2sim import scenario
from ec2sim.tests.ec2_client import FakeClock

CONF = pathlib.Path(__file__).parents[3] / "conf"


def test_sample_is_json_and_builds_the_same_world_each_time():
    description = json.loads(json.dumps(scenario.default_scenario()))
    first, second = (scenario.build(description, FakeClock()) for _ in range(2))
    assert first.enis == second.enis and first.instances == second.instances
    assert list(first.subnets) == list(second.subnets)


def test_all_kinds_of_entries():
    world = scenario.build({
        "region": "cn-north-1", "account": "210987654321", "seed": 7, "not_found_seconds": 3,
        "vpcs": [{"id": "vpc-0123456789abcdef0", "cidr": "10.0.0.0/16", "tags": {"a": "b"}}],
        "subnets": [{"id": "subnet-0123456789abcdef0", "az": "cn-north-1a", "cidr": "10.0.0.0/24",
                     "ipv6_cidr": "2001:db8::/64", "assign_ipv6_on_creation": True}],
        "instance_types": [{"name": "x1.test", "vcpus": 1, "memory_mib": 1, "max_enis": 4,
                            "ipv4_per_eni": 2, "ipv6_per_eni": 2, "performance": "Low",
                            "card_enis": [2, 2]}],
        "instances": [{"id": "i-0123456789abcdef0", "type": "x1.test", "role": "r",
                       "subnet": "subnet-0123456789abcdef0", "ipv6_count": 1,
                       "node": {"netns": "n"}}],
        "enis": [{"subnet": "subnet-0123456789abcdef0", "ipv4": ["10.0.0.9"], "tags": {"x": "y"},
                  "instance": "i-0123456789abcdef0", "device_index": 1, "card": 1,
                  "delete_on_termination": True},
                 {"subnet": "subnet-0123456789abcdef0"}],
    })
    node = world.instances["i-0123456789abcdef0"]
    assert world.partition == "aws-cn" and world.account_id == "210987654321"
    assert node.type.cards == (2, 2) and node.node == {"netns": "n"} and node.role_name == "r"
    primary, second = world.enis_of(node)
    assert len(primary.ipv6) == 1 and str(second.primary_ip) == "10.0.0.9"
    assert second.attachment.card == 1 and second.attachment.delete_on_termination
    assert len(world.enis) == 3 and all(world.visible(eni) for eni in world.enis.values())


def test_examples_of_the_configuration_fit_their_scenario():
    world = scenario.build(scenario.example_scenario())
    text = "".join(path.read_text() for path in CONF.rglob("*.conf"))
    subnets = set(re.findall("subnet-0[0-9a-f]{16}", text))
    groups = set(re.findall("sg-0[0-9a-f]{16}", text))
    assert len(subnets) >= 6 and subnets <= set(world.subnets)
    assert groups and groups <= set(world.groups)


@pytest.mark.parametrize("description", [
    {"regoin": "x"},
    {"vpcs": [{"cidr": "10.0.0.0/16"}]},
    {"vpcs": [{"id": "vpc-1", "cidr": "10.0.0.0/16", "tag": {}}]},
    {"vpcs": [{"id": "vpc-1", "cidr": "10.0.0.1/16"}]},
])
def test_mistakes_are_told(description):
    with pytest.raises(ValueError):
        scenario.build(description)
