# SPDX-License-Identifier: Apache-2.0
"""Assign and unassign: limits, moves, and what may never move."""

import pytest

from ec2sim import scenario
from ec2sim.tests.ec2_client import NODE, SUBNET_A, SUBNET_EKS, Client


@pytest.fixture
def aws():
    return Client()


@pytest.fixture
def eni(aws):
    return aws.create(PrivateIpAddress="10.0.10.9",
                      Ipv6Addresses=[{"Ipv6Address": "2001:db8:e2c:10::9"}])["NetworkInterfaceId"]


def assign(aws, eni_id, *addresses, **arguments):
    reply = aws.call("AssignPrivateIpAddresses", NetworkInterfaceId=eni_id,
                     PrivateIpAddresses=list(addresses), **arguments)
    assert reply["NetworkInterfaceId"] == eni_id
    return [a["PrivateIpAddress"] for a in reply["AssignedPrivateIpAddresses"]]


def held(aws, eni_id):
    return [a["PrivateIpAddress"] for a in aws.describe(eni_id)[0]["PrivateIpAddresses"]]


def held6(aws, eni_id):
    return [a["Ipv6Address"] for a in aws.describe(eni_id)[0]["Ipv6Addresses"]]


# -- IPv4 ------------------------------------------------------------------

def test_assign_named(aws, eni):
    assert assign(aws, eni, "10.0.10.21", "10.0.10.20") == ["10.0.10.21", "10.0.10.20"]
    assert held(aws, eni) == ["10.0.10.9", "10.0.10.21", "10.0.10.20"]
    # again: nothing changes, nothing is refused
    assert assign(aws, eni, "10.0.10.20") == ["10.0.10.20"]
    assert held(aws, eni) == ["10.0.10.9", "10.0.10.21", "10.0.10.20"]


def test_assign_count(aws, eni):
    reply = aws.call("AssignPrivateIpAddresses", NetworkInterfaceId=eni,
                     SecondaryPrivateIpAddressCount=3)
    given = [a["PrivateIpAddress"] for a in reply["AssignedPrivateIpAddresses"]]
    assert held(aws, eni) == ["10.0.10.9", *given] and len(set(given)) == 3
    assert all(int(ip.rpartition(".")[2]) < 128 for ip in given)


def test_reserved_for_pods_can_be_asked_for(aws, eni):
    assert assign(aws, eni, "10.0.10.200") == ["10.0.10.200"]


def test_move(aws, eni):
    other = aws.create(PrivateIpAddress="10.0.10.8")["NetworkInterfaceId"]
    assign(aws, eni, "10.0.10.20", "10.0.10.21")
    for allow in ({}, {"AllowReassignment": False}):
        error = aws.refused("AssignPrivateIpAddresses", NetworkInterfaceId=other,
                            PrivateIpAddresses=["10.0.10.22", "10.0.10.20"], **allow)
        assert error.code == "InvalidParameterValue"
        assert error.message == "[10.0.10.20] assigned, but move is not allowed."
    assert held(aws, other) == ["10.0.10.8"]
    moved = assign(aws, other, "10.0.10.22", "10.0.10.20", AllowReassignment=True)
    assert moved == ["10.0.10.22", "10.0.10.20"]
    assert held(aws, eni) == ["10.0.10.9", "10.0.10.21"]
    assert held(aws, other) == ["10.0.10.8", "10.0.10.22", "10.0.10.20"]


def test_primary_never_moves(aws, eni):
    other = aws.create()["NetworkInterfaceId"]
    for allow in (True, False):
        error = aws.refused("AssignPrivateIpAddresses", NetworkInterfaceId=other,
                            PrivateIpAddresses=["10.0.10.9"], AllowReassignment=allow)
        assert error.code == "InvalidParameterValue" and error.message == "secondary-addresses"
    error = aws.refused("UnassignPrivateIpAddresses", NetworkInterfaceId=eni,
                        PrivateIpAddresses=["10.0.10.9"])
    assert error.code == "InvalidParameterValue" and "primary" in error.message
    assert held(aws, eni) == ["10.0.10.9"]


def test_limit_of_the_type(aws, eni):
    node = scenario.add_instance(aws.world, {"type": "t3.medium", "subnet": SUBNET_EKS}).id
    aws.attach(eni, 1, node)
    assign(aws, eni, *[f"10.0.10.{n}" for n in range(20, 24)])
    for arguments in ({"PrivateIpAddresses": ["10.0.10.30", "10.0.10.31"]},
                      {"SecondaryPrivateIpAddressCount": 2}):
        assert aws.refusal("AssignPrivateIpAddresses", NetworkInterfaceId=eni,
                           **arguments) == "PrivateIpAddressLimitExceeded"
    assert len(held(aws, eni)) == 5
    # what is there already does not count twice
    assign(aws, eni, "10.0.10.20", "10.0.10.30")
    assert len(held(aws, eni)) == 6
    assert assign(aws, eni, "10.0.10.30") == ["10.0.10.30"]


def test_limit_stops_a_move(aws, eni):
    other = aws.create(SecondaryPrivateIpAddressCount=48)["NetworkInterfaceId"]
    assign(aws, eni, "10.0.10.220", "10.0.10.221")
    assert aws.refusal("AssignPrivateIpAddresses", NetworkInterfaceId=other, AllowReassignment=True,
                       PrivateIpAddresses=["10.0.10.220", "10.0.10.221"]
                       ) == "PrivateIpAddressLimitExceeded"
    assert held(aws, eni) == ["10.0.10.9", "10.0.10.220", "10.0.10.221"]


@pytest.mark.parametrize("arguments, code", [
    ({}, "MissingParameter"),
    ({"PrivateIpAddresses": ["10.0.10.20"], "SecondaryPrivateIpAddressCount": 1},
     "InvalidParameterCombination"),
    ({"SecondaryPrivateIpAddressCount": 0}, "InvalidParameterValue"),
    ({"SecondaryPrivateIpAddressCount": 50}, "PrivateIpAddressLimitExceeded"),
    ({"PrivateIpAddresses": ["10.0.10.20", "10.0.10.3"]}, "InvalidParameterValue"),
    ({"PrivateIpAddresses": ["10.0.10.20", "10.0.10.255"]}, "InvalidParameterValue"),
    ({"PrivateIpAddresses": ["10.0.10.20", "10.0.20.20"]}, "InvalidParameterValue"),
    ({"PrivateIpAddresses": ["2001:db8:e2c:10::1"]}, "InvalidParameterValue"),
    ({"Ipv4Prefixes": ["10.0.10.16/28"]}, "UnsupportedOperation"),
    ({"NetworkInterfaceId": "eni-0123456789abcdef0"}, "InvalidNetworkInterfaceID.NotFound"),
    ({"NetworkInterfaceId": "x"}, "InvalidNetworkInterfaceId.Malformed"),
])
def test_assign_refused(aws, eni, arguments, code):
    if "NetworkInterfaceId" in arguments:
        arguments = {"PrivateIpAddresses": ["10.0.10.20"], **arguments}
    arguments = {"NetworkInterfaceId": eni, **arguments}
    assert aws.refusal("AssignPrivateIpAddresses", **arguments) == code
    assert held(aws, eni) == ["10.0.10.9"]


def test_assign_in_a_full_subnet(aws, eni):
    for _ in range(122):
        aws.create()
    aws.call("AssignPrivateIpAddresses", NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=1)
    assert aws.refusal("AssignPrivateIpAddresses", NetworkInterfaceId=eni,
                       SecondaryPrivateIpAddressCount=1) == "InsufficientFreeAddressesInSubnet"


def test_unassign(aws, eni):
    assign(aws, eni, "10.0.10.20", "10.0.10.21")
    aws.call("UnassignPrivateIpAddresses", NetworkInterfaceId=eni,
             PrivateIpAddresses=["10.0.10.20"])
    assert held(aws, eni) == ["10.0.10.9", "10.0.10.21"]
    aws.create(PrivateIpAddress="10.0.10.20")
    error = aws.refused("UnassignPrivateIpAddresses", NetworkInterfaceId=eni,
                        PrivateIpAddresses=["10.0.10.21", "10.0.10.20"])
    assert error.code == "InvalidParameterValue"
    assert error.message == "Some of the specified addresses are not assigned to interface " + eni
    assert held(aws, eni) == ["10.0.10.9", "10.0.10.21"]
    assert aws.refusal("UnassignPrivateIpAddresses", NetworkInterfaceId=eni) == "MissingParameter"


# -- IPv6 ------------------------------------------------------------------

def test_ipv6_assign_and_unassign(aws, eni):
    reply = aws.call("AssignIpv6Addresses", NetworkInterfaceId=eni, Ipv6Addresses=[
        "2001:DB8:e2c:10:0::20", "2001:db8:e2c:10::21", "2001:db8:e2c:10::20"])
    assert reply["AssignedIpv6Addresses"] == ["2001:db8:e2c:10::20", "2001:db8:e2c:10::21"]
    assert reply["NetworkInterfaceId"] == eni
    assert held6(aws, eni) == [f"2001:db8:e2c:10::{n}" for n in (9, 20, 21)]
    assert aws.call("AssignIpv6Addresses", NetworkInterfaceId=eni, Ipv6Addresses=[
        "2001:db8:e2c:10::20"])["AssignedIpv6Addresses"] == ["2001:db8:e2c:10::20"]
    counted = aws.call("AssignIpv6Addresses", NetworkInterfaceId=eni, Ipv6AddressCount=2)
    assert len(counted["AssignedIpv6Addresses"]) == 2 and len(held6(aws, eni)) == 5
    # unlike IPv4, the only address may go
    reply = aws.call("UnassignIpv6Addresses", NetworkInterfaceId=eni,
                     Ipv6Addresses=held6(aws, eni))
    assert len(reply["UnassignedIpv6Addresses"]) == 5 and reply["NetworkInterfaceId"] == eni
    assert held6(aws, eni) == []


def test_ipv6_does_not_move(aws, eni):
    other = aws.create()["NetworkInterfaceId"]
    wanted = ["2001:db8:e2c:10::30", "2001:db8:e2c:10::9"]
    assert aws.refusal("AssignIpv6Addresses", NetworkInterfaceId=other,
                       Ipv6Addresses=wanted) == "InvalidIPAddress.InUse"
    assert held6(aws, other) == []
    aws.call("UnassignIpv6Addresses", NetworkInterfaceId=eni, Ipv6Addresses=wanted[1:])
    aws.call("AssignIpv6Addresses", NetworkInterfaceId=other, Ipv6Addresses=wanted)
    assert held6(aws, other) == wanted


@pytest.mark.parametrize("arguments, code", [
    ({}, "MissingParameter"),
    ({"Ipv6Addresses": ["2001:db8:e2c:10::20"], "Ipv6AddressCount": 1},
     "InvalidParameterCombination"),
    ({"Ipv6AddressCount": 0}, "InvalidParameterValue"),
    ({"Ipv6AddressCount": 50}, "PrivateIpAddressLimitExceeded"),
    ({"Ipv6Addresses": ["2001:db8:e2c:10::20", "2001:db8:e2c:10::2"]}, "InvalidParameterValue"),
    ({"Ipv6Addresses": ["2001:db8:e2c:11::20"]}, "InvalidParameterValue"),
    ({"Ipv6Addresses": ["10.0.10.20"]}, "InvalidParameterValue"),
    ({"Ipv6PrefixCount": 1}, "UnsupportedOperation"),
    ({"NetworkInterfaceId": "eni-0123456789abcdef0", "Ipv6AddressCount": 1},
     "InvalidNetworkInterfaceID.NotFound"),
])
def test_ipv6_assign_refused(aws, eni, arguments, code):
    assert aws.refusal("AssignIpv6Addresses", **{"NetworkInterfaceId": eni, **arguments}) == code
    assert held6(aws, eni) == ["2001:db8:e2c:10::9"]


def test_ipv6_limit_of_the_type(aws, eni):
    node = scenario.add_instance(aws.world, {"type": "t3.medium", "subnet": SUBNET_EKS}).id
    aws.attach(eni, 1, node)
    aws.call("AssignIpv6Addresses", NetworkInterfaceId=eni, Ipv6AddressCount=4)
    named = [f"2001:db8:e2c:10::{n}" for n in (20, 21)]
    for arguments in ({"Ipv6AddressCount": 2}, {"Ipv6Addresses": named}):
        assert aws.refusal("AssignIpv6Addresses", NetworkInterfaceId=eni,
                           **arguments) == "PrivateIpAddressLimitExceeded"
    assert len(held6(aws, eni)) == 5
    aws.call("AssignIpv6Addresses", NetworkInterfaceId=eni, Ipv6Addresses=named[:1])


def test_ipv6_unassign_refused(aws, eni):
    for arguments, code in (
            ({"Ipv6Addresses": ["2001:db8:e2c:10::9", "2001:db8:e2c:10::20"]},
             "InvalidParameterValue"),
            ({"Ipv6Addresses": []}, "MissingParameter")):
        assert aws.refusal("UnassignIpv6Addresses", NetworkInterfaceId=eni, **arguments) == code
    assert held6(aws, eni) == ["2001:db8:e2c:10::9"]


def test_ipv6_on_a_subnet_without(aws):
    eni_id = aws.create(SUBNET_EKS)["NetworkInterfaceId"]
    for arguments in ({"Ipv6AddressCount": 1}, {"Ipv6Addresses": ["2001:db8:e2c:10::20"]}):
        assert aws.refusal("AssignIpv6Addresses", NetworkInterfaceId=eni_id,
                           **arguments) == "InvalidParameterValue"


def test_subnet_counts(aws, eni):
    def available():
        subnets = aws.call("DescribeSubnets", SubnetIds=[SUBNET_A])["Subnets"]
        return subnets[0]["AvailableIpAddressCount"]

    assert available() == 250
    assign(aws, eni, "10.0.10.20", "10.0.10.200")
    assert available() == 248
    other = aws.create()["NetworkInterfaceId"]
    assign(aws, other, "10.0.10.20", AllowReassignment=True)
    assert available() == 247
    aws.call("UnassignPrivateIpAddresses", NetworkInterfaceId=other,
             PrivateIpAddresses=["10.0.10.20"])
    aws.call("DeleteNetworkInterface", NetworkInterfaceId=other)
    assert available() == 249
    aws.attach(eni, 1, NODE)
    assert available() == 249
