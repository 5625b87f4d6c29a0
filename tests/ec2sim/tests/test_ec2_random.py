# SPDX-License-Identifier: Apache-2.0
"""Operations at random, and after each of them what must always be true."""

import ipaddress
import random

import pytest

from ec2sim import scenario
from ec2sim.addresses import AddressPool
from ec2sim.tests.ec2_client import (NODE, SUBNET_A, SUBNET_A2, SUBNET_EKS, Client, Refused)

# errors that a valid request can meet; anything else is a fault of the test or the simulator
EXPECTED = {
    "InvalidParameterValue", "InvalidIPAddress.InUse", "InsufficientFreeAddressesInSubnet",
    "PrivateIpAddressLimitExceeded", "AttachmentLimitExceeded", "InvalidNetworkInterface.InUse",
    "InvalidNetworkInterfaceID.NotFound", "InvalidAttachmentID.NotFound", "OperationNotPermitted",
    "IncorrectInstanceState", "InvalidSubnetID.NotFound",
    "IncorrectState",
}
SUBNETS = ("subnet-0123456789abcdef0", SUBNET_A2, SUBNET_EKS)
TINY = ipaddress.ip_network("10.0.99.0/28")


class Monkey:
    """Acts on a small world, where addresses and slots run out soon."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        description = scenario.default_scenario()
        description["subnets"].append({
            "id": SUBNETS[0], "az": "eu-central-1a", "cidr": str(TINY),
            "ipv6_cidr": "2001:db8:99::/124",
            "reservations": [{"cidr": "10.0.99.12/30"}]})
        description["instances"] += [
            {"type": kind, "subnet": SUBNET_EKS} for kind in ("t3.medium", "m5.large")]
        self.aws = Client(description)
        self.aws.world.plugger.slow = True
        self.seen, self.attachments, self.gone = set(), [], set()

    def eni(self):
        pool = sorted(self.aws.world.enis) * 5 + sorted(self.gone) + ["eni-0123456789abcdef0"]
        return self.rng.choice(pool)

    def ipv4(self):
        return f"10.0.99.{self.rng.randrange(16)}"

    def ipv6(self):
        return f"2001:db8:99::{self.rng.randrange(16):x}"

    def create(self):
        arguments = {"SubnetId": self.rng.choice(SUBNETS[:2])}
        if self.rng.random() < .3:
            arguments.update(SubnetId=SUBNETS[0], PrivateIpAddress=self.ipv4())
        elif self.rng.random() < .3:
            arguments["SecondaryPrivateIpAddressCount"] = self.rng.randrange(1, 4)
        if self.rng.random() < .5:
            arguments["Ipv6AddressCount"] = 1
        if self.rng.random() < .3:
            arguments["ClientToken"] = f"token-{self.rng.random()}"
        self.aws.call("CreateNetworkInterface", **arguments)

    def attach(self):
        node = self.rng.choice(sorted(self.aws.world.instances))
        self.attachments.append(self.aws.attach(self.eni(), self.rng.randrange(6), node))

    def detach(self):
        if self.attachments:
            chosen = self.rng.choice(self.attachments)
            self.aws.call("DetachNetworkInterface", AttachmentId=chosen["AttachmentId"])

    def detached(self):
        self.aws.world.plugger.finish()

    def delete(self):
        eni_id = self.eni()
        self.aws.call("DeleteNetworkInterface", NetworkInterfaceId=eni_id)
        self.gone.add(eni_id)

    def assign(self):
        arguments = {"SecondaryPrivateIpAddressCount": self.rng.randrange(1, 4)}
        if self.rng.random() < .7:
            arguments = {"PrivateIpAddresses": [self.ipv4() for _ in range(2)],
                         "AllowReassignment": self.rng.random() < .7}
        self.aws.call("AssignPrivateIpAddresses", NetworkInterfaceId=self.eni(), **arguments)

    def unassign(self):
        eni_id = self.eni()
        eni = self.aws.world.enis.get(eni_id)
        addresses = [str(ip) for ip in eni.ipv4] if eni else [self.ipv4()]
        self.aws.call("UnassignPrivateIpAddresses", NetworkInterfaceId=eni_id,
                      PrivateIpAddresses=[self.rng.choice(addresses)])

    def assign6(self):
        arguments = ({"Ipv6AddressCount": 1} if self.rng.random() < .5
                     else {"Ipv6Addresses": [self.ipv6()]})
        self.aws.call("AssignIpv6Addresses", NetworkInterfaceId=self.eni(), **arguments)

    def unassign6(self):
        eni = self.aws.world.enis.get(self.eni())
        if eni and eni.ipv6:
            self.aws.call("UnassignIpv6Addresses", NetworkInterfaceId=eni.id,
                          Ipv6Addresses=[str(self.rng.choice(eni.ipv6))])

    def terminate(self):
        nodes = sorted(i.id for i in self.aws.world.instances.values() if i.state == "running")
        if len(nodes) > 1 and self.rng.random() < .1:
            self.aws.call("TerminateInstances", InstanceIds=[self.rng.choice(nodes)])

    def act(self):
        """One random operation; the error code it met, or ''."""
        action = self.rng.choice([self.create, self.create, self.attach, self.attach, self.detach,
                                  self.detached, self.delete, self.assign, self.assign, self.unassign,
                                  self.assign6, self.unassign6, self.terminate])
        try:
            action()
            return ""
        except Refused as error:
            return error.code


def check(world):
    """The invariants of model.py."""
    holders = {}
    for eni in world.enis.values():
        subnet = world.subnets[eni.subnet_id]
        assert eni.ipv4, "an ENI has a primary address"
        for address in [*eni.ipv4, *eni.ipv6]:
            assert address not in holders, f"{address} is held twice"
            holders[address] = eni.id
            pool = subnet.pool_of(address)
            assert address in pool.network and not pool.is_reserved(address)
        at = eni.attachment
        assert (at is None) == (eni.status == "available")
        if at:
            assert world.attachments[at.id] is at and at.eni_id == eni.id
            assert eni.id in world.instances[at.instance_id].eni_ids
    pooled = {a: e for s in world.subnets.values() for p in (s.pool4, s.pool6) if p
              for a, e in p.holders.items()}
    assert pooled == holders
    assert len({e.mac for e in world.enis.values()}) == len(world.enis)
    for instance in world.instances.values():
        check_instance(world, instance)


def check_instance(world, instance):
    enis = world.enis_of(instance)
    assert len(enis) == len(set(instance.eni_ids)) <= instance.type.max_enis
    slots = [(e.attachment.card, e.attachment.device_index) for e in enis]
    assert len(set(slots)) == len(slots)
    assert all(e.attachment.instance_id == instance.id for e in enis)
    assert all(len(e.ipv4) <= instance.type.ipv4_per_eni for e in enis)
    assert all(len(e.ipv6) <= instance.type.ipv6_per_eni for e in enis)
    assert instance.state != "terminated" or not enis


@pytest.mark.parametrize("seed", range(6))
def test_random_operations(seed):
    monkey = Monkey(seed)
    codes = {}
    for _ in range(400):
        code = monkey.act()
        assert not code or code in EXPECTED, code
        codes[code] = codes.get(code, 0) + 1
        check(monkey.aws.world)
    assert codes[""] > 100 and len(codes) >= 6, codes
    check_told(monkey)


def check_told(monkey):
    """What EC2 tells is what there is: counts, the deleted gone, both views of an attachment."""
    aws, world = monkey.aws, monkey.aws.world
    told = {e["NetworkInterfaceId"]: e for e in aws.describe()}
    assert set(told) == set(world.enis) and not monkey.gone & set(told)
    for subnet in aws.call("DescribeSubnets")["Subnets"]:
        held = sum(len(e["PrivateIpAddresses"]) for e in told.values()
                   if e["SubnetId"] == subnet["SubnetId"])
        size = ipaddress.ip_network(subnet["CidrBlock"]).num_addresses
        assert subnet["AvailableIpAddressCount"] == size - 5 - held
    for reservation in aws.call("DescribeInstances")["Reservations"]:
        for eni in reservation["Instances"][0]["NetworkInterfaces"]:
            outside = told[eni["NetworkInterfaceId"]]
            assert outside["PrivateIpAddresses"] == eni["PrivateIpAddresses"]
            assert outside["Attachment"]["AttachmentId"] == eni["Attachment"]["AttachmentId"]


@pytest.mark.parametrize("seed", range(40))
def test_pool_finds_the_last_address_wherever_it_starts(seed):
    pool = AddressPool(TINY, random.Random(seed))
    pool.excluded.append(ipaddress.ip_network("10.0.99.8/30"))
    free = {4, 5, 6, 7, 12, 13, 14}
    while free:
        address = pool.choose(1)[0]
        free.remove(int(address) & 15)
        pool.take(address, "eni-1")
    assert pool.choose(1) == [] and pool.available() == 11 - 7


def test_tiny_subnet_hands_out_all_it_may():
    monkey = Monkey(0)
    got = set()
    while True:
        try:
            got.add(monkey.aws.create(SUBNETS[0])["PrivateIpAddress"])
        except Refused as error:
            assert error.code == "InsufficientFreeAddressesInSubnet"
            break
    # 16 less five that AWS keeps, less .12, .13 and .14 of the reservation
    assert got == {f"10.0.99.{n}" for n in range(4, 12)}
    assert NODE in monkey.aws.world.instances and SUBNET_A in monkey.aws.world.subnets
