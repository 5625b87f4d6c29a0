# SPDX-License-Identifier: Apache-2.0
"""CreateNetworkInterface and the life of what it made: every good way, every refusal."""

import ipaddress
import re

import pytest

from ec2sim import scenario
from ec2sim.tests.ec2_client import (DEFAULT_GROUP, GROUP, NODE, SUBNET_A, SUBNET_B, SUBNET_EKS,
                                     Client, tag_spec)


@pytest.fixture
def aws():
    return Client()


def test_reply_tells_all_that_is_known(aws):
    eni = aws.create(Description="oam", TagSpecifications=tag_spec(Name="x", empty=""))
    assert re.fullmatch("eni-0[0-9a-f]{16}", eni["NetworkInterfaceId"])
    assert re.fullmatch("02(:[0-9a-f]{2}){5}", eni["MacAddress"])
    assert eni["Status"] == "pending" and "Attachment" not in eni
    assert eni["SubnetId"] == SUBNET_A and eni["AvailabilityZone"] == "eu-central-1a"
    assert eni["VpcId"].startswith("vpc-") and eni["OwnerId"] == "123456789012"
    assert eni["Description"] == "oam" and eni["SourceDestCheck"] is True
    assert eni["InterfaceType"] == "interface" and eni["RequesterManaged"] is False
    assert eni["TagSet"] == [{"Key": "Name", "Value": "x"}, {"Key": "empty", "Value": ""}]
    assert eni["Groups"] == [{"GroupId": DEFAULT_GROUP, "GroupName": "default"}]
    assert eni["PrivateIpAddresses"] == [{
        "Primary": True, "PrivateIpAddress": eni["PrivateIpAddress"],
        "PrivateDnsName": eni["PrivateDnsName"]}]
    assert eni["PrivateDnsName"].startswith("ip-10-0-10-")
    assert eni["Ipv6Addresses"] == []
    described = aws.describe(eni["NetworkInterfaceId"])[0]
    assert described.pop("Status") == "available"
    eni.pop("Status")
    assert described == eni


def test_named_addresses(aws):
    eni = aws.create(PrivateIpAddress="10.0.10.4", SecondaryPrivateIpAddressCount=2,
                     Ipv6Addresses=[{"Ipv6Address": "2001:DB8:e2c:10:0:0:0:9"}], Groups=[GROUP])
    assert False not in [a["PrivateIpAddress"].startswith("10.0.10.")
                         for a in eni["PrivateIpAddresses"]]
    assert eni["PrivateIpAddress"] == "10.0.10.4"
    assert [a["Primary"] for a in eni["PrivateIpAddresses"]] == [True, False, False]
    assert eni["Groups"][0]["GroupId"] == GROUP


def test_primary_among_private_ip_addresses(aws):
    eni = aws.create(PrivateIpAddresses=[
        {"PrivateIpAddress": "10.0.10.20", "Primary": False},
        {"PrivateIpAddress": "10.0.10.21", "Primary": True}])
    assert [a["PrivateIpAddress"] for a in eni["PrivateIpAddresses"]] == ["10.0.10.21",
                                                                         "10.0.10.20"]
    chosen = aws.create(PrivateIpAddresses=[{"PrivateIpAddress": "10.0.10.30"}])
    assert len(chosen["PrivateIpAddresses"]) == 2
    assert chosen["PrivateIpAddresses"][1]["PrivateIpAddress"] == "10.0.10.30"


def test_ipv6_of_aws_choice(aws):
    subnet = aws.world.subnets[SUBNET_A]
    eni = aws.create(Ipv6AddressCount=3)
    found = {ipaddress.ip_address(a["Ipv6Address"]) for a in eni["Ipv6Addresses"]}
    assert len(found) == 3 and all(a in subnet.ipv6_cidr for a in found)
    subnet.assign_ipv6_on_creation = True
    assert len(aws.create()["Ipv6Addresses"]) == 1
    assert len(aws.create(Ipv6AddressCount=0)["Ipv6Addresses"]) == 0


@pytest.mark.parametrize("address", ["10.0.10.0", "10.0.10.1", "10.0.10.2", "10.0.10.3",
                                     "10.0.10.255", "10.0.11.5", "192.0.2.1", "10.0.10", "x"])
def test_ipv4_that_cannot_be_had(aws, address):
    code = aws.refusal("CreateNetworkInterface", SubnetId=SUBNET_A, PrivateIpAddress=address)
    assert code == "InvalidParameterValue"
    assert len(aws.world.enis) == 1


@pytest.mark.parametrize("address, why", [
    ("10.0.10.3", "reserved"), ("10.0.10.255", "reserved"), ("10.0.11.5", "does not fall within"),
    ("2001:db8:e2c:10::3", "reserved"), ("2001:db8:e2c:11::9", "does not fall within")])
def test_why_it_cannot_be_had(aws, address, why):
    arguments = ({"Ipv6Addresses": [{"Ipv6Address": address}]} if ":" in address
                 else {"PrivateIpAddress": address})
    error = aws.refused("CreateNetworkInterface", SubnetId=SUBNET_A, **arguments)
    assert error.code == "InvalidParameterValue" and why in error.message


@pytest.mark.parametrize("address", ["2001:db8:e2c:10::", "2001:db8:e2c:10::3",
                                     "2001:db8:e2c:11::9",
                                     "2001:db8:e2c:10:ffff:ffff:ffff:ffff", "10.0.10.9", ""])
def test_ipv6_that_cannot_be_had(aws, address):
    code = aws.refusal("CreateNetworkInterface", SubnetId=SUBNET_A,
                       Ipv6Addresses=[{"Ipv6Address": address}])
    assert code == "InvalidParameterValue"


def test_edges_of_the_usable_range(aws):
    for address in ("10.0.10.4", "10.0.10.254"):
        assert aws.create(PrivateIpAddress=address)["PrivateIpAddress"] == address
    aws.create(Ipv6Addresses=[{"Ipv6Address": "2001:db8:e2c:10::4"},
                              {"Ipv6Address": "2001:db8:e2c:10:ffff:ffff:ffff:fffe"}])


def test_address_in_use(aws):
    aws.create(PrivateIpAddress="10.0.10.9", Ipv6Addresses=[{"Ipv6Address": "2001:db8:e2c:10::9"}])
    for arguments in ({"PrivateIpAddress": "10.0.10.9"},
                      {"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.10.9"}]},
                      {"Ipv6Addresses": [{"Ipv6Address": "2001:db8:e2c:10:0::9"}]}):
        code = aws.refusal("CreateNetworkInterface", SubnetId=SUBNET_A, **arguments)
        assert code == "InvalidIPAddress.InUse"
    assert len(aws.world.enis) == 2


def test_reservation_is_for_those_who_ask(aws):
    assert aws.create(PrivateIpAddress="10.0.10.200")["PrivateIpAddress"] == "10.0.10.200"
    for _ in range(124):
        ip = ipaddress.ip_address(aws.create()["PrivateIpAddress"])
        assert ip < ipaddress.ip_address("10.0.10.128")
    error = aws.refused("CreateNetworkInterface", SubnetId=SUBNET_A)
    assert error.code == "InsufficientFreeAddressesInSubnet" and error.status == 400
    # what is reserved counts as available all the same
    subnet = aws.call("DescribeSubnets", SubnetIds=[SUBNET_A])["Subnets"][0]
    assert subnet["AvailableIpAddressCount"] == 251 - 125


def test_full_subnet_leaves_nothing_half_done(aws):
    for _ in range(123):
        aws.create()
    before = dict(aws.world.subnets[SUBNET_A].pool4.holders)
    code = aws.refusal("CreateNetworkInterface", SubnetId=SUBNET_A,
                       SecondaryPrivateIpAddressCount=1)
    assert code == "InsufficientFreeAddressesInSubnet"
    assert aws.world.subnets[SUBNET_A].pool4.holders == before
    aws.create()


@pytest.mark.parametrize("arguments, code", [
    ({"PrivateIpAddress": "10.0.10.9", "PrivateIpAddresses":
      [{"PrivateIpAddress": "10.0.10.8", "Primary": True}]}, "InvalidParameterCombination"),
    ({"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.10.8", "Primary": True},
                             {"PrivateIpAddress": "10.0.10.9", "Primary": True}]},
     "InvalidParameterCombination"),
    ({"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.10.8"}],
      "SecondaryPrivateIpAddressCount": 2}, "InvalidParameterCombination"),
    ({"PrivateIpAddress": "10.0.10.8", "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.10.8"}]},
     "InvalidParameterValue"),
    ({"SecondaryPrivateIpAddressCount": 0}, "InvalidParameterValue"),
    ({"SecondaryPrivateIpAddressCount": 50}, "PrivateIpAddressLimitExceeded"),
    ({"Ipv6AddressCount": 1, "Ipv6Addresses": [{"Ipv6Address": "2001:db8:e2c:10::9"}]},
     "InvalidParameterCombination"),
    ({"Ipv6AddressCount": -1}, "InvalidParameterValue"),
    ({"Groups": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
    ({"Groups": ["default"]}, "InvalidGroupId.Malformed"),
    ({"Groups": [f"sg-{n:017x}" for n in range(6)]}, "SecurityGroupsPerInterfaceLimitExceeded"),
    ({"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a"}]}]},
     "InvalidParameterValue"),
    ({"TagSpecifications": tag_spec(**{"aws:x": "y"})}, "InvalidParameterValue"),
    ({"TagSpecifications": tag_spec(**{"k" * 129: "y"})}, "InvalidParameterValue"),
    ({"TagSpecifications": tag_spec(k="v" * 257)}, "InvalidParameterValue"),
    ({"TagSpecifications": tag_spec(**{"": "v"})}, "InvalidTagKey.Malformed"),
    ({"TagSpecifications": [{"ResourceType": "network-interface", "Tags":
                             [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}]},
     "InvalidParameterValue"),
    ({"TagSpecifications": tag_spec(**{f"k{n}": "v" for n in range(51)})}, "TagLimitExceeded"),
    ({"ClientToken": "x" * 65}, "InvalidClientToken"),
    ({"Ipv4PrefixCount": 1}, "UnsupportedOperation"),
])
def test_refused(aws, arguments, code):
    assert aws.refusal("CreateNetworkInterface", SubnetId=SUBNET_A, **arguments) == code
    assert len(aws.world.enis) == 1


def test_group_of_another_vpc(aws):
    from ec2sim.model import SecurityGroup, Vpc
    vpc = Vpc("vpc-0123456789abcdef0", ipaddress.ip_network("10.9.0.0/16"))
    aws.world.add_vpc(vpc)
    aws.world.add_group(SecurityGroup("sg-0123456789abcdef0", vpc.id, "x"))
    code = aws.refusal("CreateNetworkInterface", SubnetId=SUBNET_A, Groups=["sg-0123456789abcdef0"])
    assert code == "InvalidGroup.NotFound"


@pytest.mark.parametrize("subnet, code", [
    ("subnet-0123456789abcdef0", "InvalidSubnetID.NotFound"),
    ("subnet-xyz", "InvalidSubnetID.Malformed"), ("", "InvalidSubnetID.Malformed"),
])
def test_wrong_subnet(aws, subnet, code):
    assert aws.refusal("CreateNetworkInterface", SubnetId=subnet) == code


@pytest.mark.parametrize("arguments", [
    {"Ipv6AddressCount": 1}, {"Ipv6Addresses": [{"Ipv6Address": "2001:db8::9"}]}])
def test_ipv6_where_there_is_none(aws, arguments):
    error = aws.refused("CreateNetworkInterface", SubnetId=SUBNET_EKS, **arguments)
    assert error.code == "InvalidParameterValue" and "IPv6 CIDR" in error.message


def test_region_is_full(aws):
    aws.world.max_enis = 2
    aws.create()
    code = aws.refusal("CreateNetworkInterface", SubnetId=SUBNET_A)
    assert code == "NetworkInterfaceLimitExceeded"


# -- client tokens ---------------------------------------------------------

def test_token_gives_the_same_eni(aws):
    arguments = {"ClientToken": "t", "Description": "d", "TagSpecifications": tag_spec(a="b")}
    first, again = aws.create(**arguments), aws.create(**arguments)
    assert first == again and len(aws.world.enis) == 2
    assert aws.call("CreateNetworkInterface", SubnetId=SUBNET_A, **arguments)["ClientToken"] == "t"
    assert aws.create()["NetworkInterfaceId"] != aws.create()["NetworkInterfaceId"]


@pytest.mark.parametrize("other", [
    {"Description": "other"}, {"SubnetId": SUBNET_B}, {"PrivateIpAddress": "10.0.10.9"},
    {"TagSpecifications": tag_spec(a="c")}, {"Groups": [GROUP]}])
def test_token_with_other_parameters(aws, other):
    base = {"SubnetId": SUBNET_A, "ClientToken": "t", "TagSpecifications": tag_spec(a="b")}
    aws.call("CreateNetworkInterface", **base)
    code = aws.refusal("CreateNetworkInterface", **{**base, **other})
    assert code == "IdempotentParameterMismatch"
    assert len(aws.world.enis) == 2


def test_token_outlives_its_eni(aws):
    first = aws.create(ClientToken="t")
    aws.call("DeleteNetworkInterface", NetworkInterfaceId=first["NetworkInterfaceId"])
    assert aws.create(ClientToken="t") == first
    assert aws.refusal("DescribeNetworkInterfaces", NetworkInterfaceIds=[
        first["NetworkInterfaceId"]]) == "InvalidNetworkInterfaceID.NotFound"


def test_token_of_a_refused_call_is_not_spent(aws):
    aws.create(PrivateIpAddress="10.0.10.9")
    assert aws.refusal("CreateNetworkInterface", SubnetId=SUBNET_A, ClientToken="t",
                       PrivateIpAddress="10.0.10.9") == "InvalidIPAddress.InUse"
    assert aws.create(ClientToken="t", PrivateIpAddress="10.0.10.10")


# -- eventual consistency --------------------------------------------------

def test_new_eni_is_not_known_everywhere_at_once(aws):
    aws.world.not_found_seconds = 2
    eni = aws.create(ClientToken="t", TagSpecifications=tag_spec(a="b"))
    eni_id = eni["NetworkInterfaceId"]
    calls = [
        ("AttachNetworkInterface", {"InstanceId": NODE, "DeviceIndex": 1}),
        ("ModifyNetworkInterfaceAttribute", {"SourceDestCheck": {"Value": False}}),
        ("AssignPrivateIpAddresses", {"SecondaryPrivateIpAddressCount": 1}),
        ("UnassignPrivateIpAddresses", {"PrivateIpAddresses": ["10.0.10.9"]}),
        ("AssignIpv6Addresses", {"Ipv6AddressCount": 1}),
        ("UnassignIpv6Addresses", {"Ipv6Addresses": ["2001:db8:e2c:10::9"]}),
        ("DeleteNetworkInterface", {}),
    ]
    for action, arguments in calls:
        code = aws.refusal(action, NetworkInterfaceId=eni_id, **arguments)
        assert code == "InvalidNetworkInterfaceID.NotFound", action
    assert eni_id not in [e["NetworkInterfaceId"] for e in aws.describe()]
    assert aws.refusal("CreateTags", Resources=[eni_id],
                       Tags=[{"Key": "a"}]) == "InvalidNetworkInterfaceID.NotFound"
    assert aws.call("DescribeTags", Filters=[
        {"Name": "resource-id", "Values": [eni_id]}])["Tags"] == []
    assert aws.create(ClientToken="t", TagSpecifications=tag_spec(a="b")) == eni
    aws.clock.forward(2)
    assert aws.describe(eni_id) and aws.attach(eni_id, 1)["AttachmentId"]


def test_delegated_prefixes(aws):
    """They are the interface's whole: nobody gets an address of them, asked for or chosen."""
    before = aws.call("DescribeSubnets", SubnetIds=[SUBNET_A])["Subnets"][0]["AvailableIpAddressCount"]
    eni = scenario.add_eni(aws.world, {"subnet": SUBNET_A, "ipv4": ["10.0.10.4"], "prefixes": [
        "10.0.10.16/28", "2001:db8:e2c:10:1::/80"]})
    told, = aws.describe(eni.id)
    assert told["Ipv4Prefixes"] == [{"Ipv4Prefix": "10.0.10.16/28"}]
    assert told["Ipv6Prefixes"] == [{"Ipv6Prefix": "2001:db8:e2c:10:1::/80"}]
    after = aws.call("DescribeSubnets", SubnetIds=[SUBNET_A])["Subnets"][0]["AvailableIpAddressCount"]
    assert before - after >= 1 + 16
    for arguments in ({"PrivateIpAddress": "10.0.10.20"},
                      {"Ipv6Addresses": [{"Ipv6Address": "2001:db8:e2c:10:1::5"}]}):
        assert aws.refusal("CreateNetworkInterface", SubnetId=SUBNET_A, **arguments) == \
            "InvalidIPAddress.InUse"
    aws.call("DeleteNetworkInterface", NetworkInterfaceId=eni.id)
    aws.create(PrivateIpAddress="10.0.10.20")
