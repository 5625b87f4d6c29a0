# SPDX-License-Identifier: Apache-2.0
"""Attach, detach, modify, delete, terminate: the ENI and its instance."""

import pytest

from ec2sim import scenario
from ec2sim.tests.ec2_client import (ASG, DEFAULT_GROUP, GROUP, NODE, SUBNET_A, SUBNET_B,
                                     SUBNET_EKS, Client)


@pytest.fixture
def aws():
    return Client()


def new_node(aws, kind, subnet=SUBNET_EKS):
    return scenario.add_instance(aws.world, {"type": kind, "subnet": subnet}).id


def test_attach(aws):
    eni_id = aws.create()["NetworkInterfaceId"]
    reply = aws.attach(eni_id, 1)
    assert reply["AttachmentId"].startswith("eni-attach-0") and reply["NetworkCardIndex"] == 0
    eni = aws.describe(eni_id)[0]
    assert eni["Status"] == "in-use"
    at = eni["Attachment"]
    assert at.pop("AttachTime") == aws.clock.now()
    assert at == {"AttachmentId": reply["AttachmentId"], "InstanceId": NODE, "DeviceIndex": 1,
                  "NetworkCardIndex": 0, "Status": "attached", "DeleteOnTermination": False,
                  "InstanceOwnerId": "123456789012"}
    assert aws.world.plugger.events == [("plug", NODE, eni["MacAddress"])]
    instance = aws.call("DescribeInstances", InstanceIds=[NODE])["Reservations"][0]["Instances"][0]
    inside = instance["NetworkInterfaces"][1]
    assert inside["NetworkInterfaceId"] == eni_id and inside["Status"] == "in-use"
    assert inside["Attachment"]["DeviceIndex"] == 1 and "InstanceId" not in inside["Attachment"]
    assert inside["MacAddress"] == eni["MacAddress"] and "TagSet" not in inside


def test_index_and_eni_taken(aws):
    first, second = (aws.create()["NetworkInterfaceId"] for _ in range(2))
    aws.attach(first, 1)
    for index in (0, 1):
        error = aws.refused("AttachNetworkInterface", NetworkInterfaceId=second, InstanceId=NODE,
                            DeviceIndex=index)
        assert error.code == "InvalidParameterValue"
        assert f"attached at device index '{index}'" in error.message
    error = aws.refused("AttachNetworkInterface", NetworkInterfaceId=first, InstanceId=NODE,
                        DeviceIndex=2)
    assert error.code == "InvalidNetworkInterface.InUse" and first in error.message
    assert aws.attach(second, 7)


@pytest.mark.parametrize("kind, limit", [("t3.medium", 3), ("m5.xlarge", 4), ("c5n.18xlarge", 15)])
def test_limit_of_the_type(aws, kind, limit):
    node = new_node(aws, kind)
    for index in range(1, limit):
        aws.attach(aws.create()["NetworkInterfaceId"], index, node)
    error = aws.refused("AttachNetworkInterface", InstanceId=node, DeviceIndex=limit,
                        NetworkInterfaceId=aws.create()["NetworkInterfaceId"])
    assert error.code == "AttachmentLimitExceeded"
    assert error.message == f"Interface count {limit + 1} exceeds the limit for {kind}"


def test_network_cards(aws):
    node = new_node(aws, "p4d.24xlarge")
    # the device index is a card's own
    for card in range(4):
        reply = aws.attach(aws.create()["NetworkInterfaceId"], 1, node, NetworkCardIndex=card)
        assert reply["NetworkCardIndex"] == card
    for index in range(2, 16):
        aws.attach(aws.create()["NetworkInterfaceId"], index, node, NetworkCardIndex=2)
    spare = aws.create()["NetworkInterfaceId"]
    for arguments, code in (
            ({"DeviceIndex": 16, "NetworkCardIndex": 2}, "AttachmentLimitExceeded"),
            ({"DeviceIndex": 1, "NetworkCardIndex": 1}, "InvalidParameterValue"),
            ({"DeviceIndex": 2, "NetworkCardIndex": 4}, "InvalidParameterValue"),
            ({"DeviceIndex": 2, "NetworkCardIndex": -1}, "InvalidParameterValue")):
        assert aws.refusal("AttachNetworkInterface", InstanceId=node, NetworkInterfaceId=spare,
                           **arguments) == code
    assert aws.refusal("AttachNetworkInterface", InstanceId=NODE, NetworkInterfaceId=spare,
                       DeviceIndex=1, NetworkCardIndex=1) == "InvalidParameterValue"
    kinds = [e["Attachment"]["NetworkCardIndex"] for e in aws.describe(
        **{"attachment.instance_id": [node], "attachment.network_card_index": ["2"]})]
    assert kinds == [2] * 15


def test_too_many_addresses_for_the_type(aws):
    node = new_node(aws, "t3.medium")
    eni_id = aws.create(SecondaryPrivateIpAddressCount=6)["NetworkInterfaceId"]
    assert aws.refusal("AttachNetworkInterface", NetworkInterfaceId=eni_id, InstanceId=node,
                       DeviceIndex=1) == "PrivateIpAddressLimitExceeded"
    assert aws.attach(eni_id, 1)


@pytest.mark.parametrize("arguments, code", [
    ({"NetworkInterfaceId": "eni-0123456789abcdef0"}, "InvalidNetworkInterfaceID.NotFound"),
    ({"NetworkInterfaceId": "eni-x"}, "InvalidNetworkInterfaceId.Malformed"),
    ({"NetworkInterfaceId": NODE}, "InvalidNetworkInterfaceId.Malformed"),
    ({"InstanceId": "i-0123456789abcdef0"}, "InvalidInstanceID.NotFound"),
    ({"InstanceId": "j-0123456789abcdef0"}, "InvalidInstanceID.Malformed"),
    ({"DeviceIndex": -1}, "InvalidParameterValue"),
    ({"EnaSrdSpecification": {"EnaSrdEnabled": True}}, "UnsupportedOperation"),
])
def test_attach_refused(aws, arguments, code):
    eni_id = aws.create()["NetworkInterfaceId"]
    base = {"NetworkInterfaceId": eni_id, "InstanceId": NODE, "DeviceIndex": 1}
    assert aws.refusal("AttachNetworkInterface", **{**base, **arguments}) == code
    assert aws.describe(eni_id)[0]["Status"] == "available"
    assert aws.world.plugger.events == []


def test_other_zone_and_ended_instance(aws):
    assert aws.refusal("AttachNetworkInterface", InstanceId=NODE, DeviceIndex=1,
                       NetworkInterfaceId=aws.create(SUBNET_B)["NetworkInterfaceId"]
                       ) == "InvalidParameterCombination"
    aws.call("TerminateInstances", InstanceIds=[NODE])
    assert aws.refusal("AttachNetworkInterface", InstanceId=NODE, DeviceIndex=1,
                       NetworkInterfaceId=aws.create()["NetworkInterfaceId"]
                       ) == "IncorrectInstanceState"


def test_detach(aws):
    eni = aws.create()
    attachment = aws.attach(eni["NetworkInterfaceId"], 1)["AttachmentId"]
    aws.call("DetachNetworkInterface", AttachmentId=attachment, Force=True)
    after = aws.describe(eni["NetworkInterfaceId"])[0]
    assert after["Status"] == "available" and "Attachment" not in after
    assert aws.world.plugger.events[-1] == ("unplug", NODE, eni["MacAddress"])
    assert aws.refusal("DetachNetworkInterface",
                       AttachmentId=attachment) == "InvalidAttachmentID.NotFound"
    assert aws.attach(eni["NetworkInterfaceId"], 1)["AttachmentId"] != attachment


def test_detaching_takes_its_time(aws):
    """Until it is over the interface has its place, is in use, and nothing can be done with it."""
    plugger = aws.world.plugger
    plugger.slow = True
    eni = aws.create()["NetworkInterfaceId"]
    attachment = aws.attach(eni, 1)["AttachmentId"]
    aws.call("DetachNetworkInterface", AttachmentId=attachment)
    during = aws.describe(eni)[0]
    assert during["Status"] == "in-use" and during["Attachment"]["Status"] == "detaching"
    instance = aws.call("DescribeInstances")["Reservations"][0]["Instances"][0]
    assert [e["Attachment"]["Status"] for e in instance["NetworkInterfaces"]] == ["attached", "detaching"]
    assert aws.refusal("DetachNetworkInterface", AttachmentId=attachment) == "IncorrectState"
    assert aws.refusal("DeleteNetworkInterface", NetworkInterfaceId=eni) == "InvalidParameterValue"
    assert aws.refusal("AttachNetworkInterface", NetworkInterfaceId=eni, InstanceId=NODE,
                       DeviceIndex=2) == "InvalidNetworkInterface.InUse"
    assert aws.refusal("AttachNetworkInterface", InstanceId=NODE, DeviceIndex=1,
                       NetworkInterfaceId=aws.create()["NetworkInterfaceId"]) == "InvalidParameterValue"
    assert plugger.events[-1][0] == "plug"
    plugger.finish()
    assert plugger.events[-1][0] == "unplug"
    assert aws.describe(eni)[0]["Status"] == "available"
    aws.call("DeleteNetworkInterface", NetworkInterfaceId=eni)


def test_terminated_while_detaching(aws):
    aws.world.plugger.slow = True
    eni = aws.create()["NetworkInterfaceId"]
    aws.call("DetachNetworkInterface", AttachmentId=aws.attach(eni, 1)["AttachmentId"])
    aws.call("TerminateInstances", InstanceIds=[NODE])
    assert aws.describe(eni)[0]["Status"] == "available"
    aws.world.plugger.finish()
    assert aws.describe(eni)[0]["Status"] == "available"


def test_detach_refused(aws):
    primary = aws.describe(**{"attachment.device_index": ["0"]})[0]["Attachment"]["AttachmentId"]
    for attachment, code in ((primary, "OperationNotPermitted"),
                             ("eni-attach-0123456789abcdef0", "InvalidAttachmentID.NotFound"),
                             ("eni-0123456789abcdef0",
                              "InvalidNetworkInterfaceAttachmentId.Malformed")):
        assert aws.refusal("DetachNetworkInterface", AttachmentId=attachment) == code


# -- modify ----------------------------------------------------------------

def modify(aws, eni_id, **arguments):
    aws.call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=eni_id, **arguments)
    return aws.describe(eni_id)[0]


def test_modify_each_attribute(aws):
    eni_id = aws.create()["NetworkInterfaceId"]
    attachment = aws.attach(eni_id, 1)["AttachmentId"]
    for wanted in (True, False):
        change = {"AttachmentId": attachment, "DeleteOnTermination": wanted}
        assert modify(aws, eni_id, Attachment=change)["Attachment"]["DeleteOnTermination"] is wanted
        eni = modify(aws, eni_id, SourceDestCheck={"Value": wanted})
        assert eni["SourceDestCheck"] is wanted
    assert modify(aws, eni_id, Description={"Value": "x"})["Description"] == "x"
    assert modify(aws, eni_id, Description={"Value": ""})["Description"] == ""
    groups = modify(aws, eni_id, Groups=[GROUP, DEFAULT_GROUP])["Groups"]
    assert [g["GroupId"] for g in groups] == [GROUP, DEFAULT_GROUP]


def test_modify_refused(aws):
    eni_id, other = (aws.create()["NetworkInterfaceId"] for _ in range(2))
    attachment = aws.attach(eni_id, 1)["AttachmentId"]
    foreign = aws.attach(other, 2)["AttachmentId"]
    for arguments, code in (
            ({}, "InvalidParameterCombination"),
            ({"SourceDestCheck": {"Value": False}, "Description": {"Value": "x"}},
             "InvalidParameterCombination"),
            ({"SourceDestCheck": {"Value": False}, "Attachment":
              {"AttachmentId": attachment, "DeleteOnTermination": True}},
             "InvalidParameterCombination"),
            ({"Attachment": {"AttachmentId": foreign, "DeleteOnTermination": True}},
             "InvalidAttachmentID.NotFound"),
            ({"Attachment": {"AttachmentId": attachment}}, "MissingParameter"),
            ({"Attachment": {"DeleteOnTermination": True}}, "MissingParameter"),
            ({"SourceDestCheck": {}}, "InvalidParameterCombination"),
            ({"Groups": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
            ({"NetworkInterfaceId": "eni-0123456789abcdef0", "SourceDestCheck": {"Value": True}},
             "InvalidNetworkInterfaceID.NotFound")):
        code_found = aws.refusal("ModifyNetworkInterfaceAttribute",
                                 **{"NetworkInterfaceId": eni_id, **arguments})
        assert code_found == code, arguments
    eni = aws.describe(eni_id)[0]
    assert eni["SourceDestCheck"] is True and not eni["Attachment"]["DeleteOnTermination"]


# -- delete ----------------------------------------------------------------

def test_delete(aws):
    eni_id = aws.create(PrivateIpAddress="10.0.10.9",
                        Ipv6AddressCount=2)["NetworkInterfaceId"]
    attachment = aws.attach(eni_id, 1)["AttachmentId"]
    error = aws.refused("DeleteNetworkInterface", NetworkInterfaceId=eni_id)
    assert error.code == "InvalidParameterValue"
    assert error.message == f"Network interface '{eni_id}' is currently in use."
    aws.call("DetachNetworkInterface", AttachmentId=attachment)
    aws.call("DeleteNetworkInterface", NetworkInterfaceId=eni_id)
    for action in ("DeleteNetworkInterface", "AssignIpv6Addresses"):
        extra = {"Ipv6AddressCount": 1} if action == "AssignIpv6Addresses" else {}
        assert aws.refusal(action, NetworkInterfaceId=eni_id,
                           **extra) == "InvalidNetworkInterfaceID.NotFound"
    assert aws.world.deleted_enis == [eni_id]
    assert aws.world.subnets[SUBNET_A].pool6.holders == {}
    aws.create(PrivateIpAddress="10.0.10.9")


def test_delete_what_a_service_manages(aws):
    eni = scenario.add_eni(aws.world, {"subnet": SUBNET_A, "requester_managed": True})
    assert aws.refusal("DeleteNetworkInterface",
                       NetworkInterfaceId=eni.id) == "OperationNotPermitted"


# -- terminate -------------------------------------------------------------

def test_terminate(aws):
    goes, stays = (aws.create()["NetworkInterfaceId"] for _ in range(2))
    attachment = aws.attach(goes, 1)["AttachmentId"]
    aws.attach(stays, 2)
    modify(aws, goes, Attachment={"AttachmentId": attachment, "DeleteOnTermination": True})
    reply = aws.call("TerminateInstances", InstanceIds=[NODE])["TerminatingInstances"]
    assert reply == [{"InstanceId": NODE, "CurrentState": {"Code": 32, "Name": "shutting-down"},
                      "PreviousState": {"Code": 16, "Name": "running"}}]
    left = aws.describe()
    assert [e["NetworkInterfaceId"] for e in left] == [stays]
    assert left[0]["Status"] == "available" and "Attachment" not in left[0]
    assert [e[0] for e in aws.world.plugger.events] == ["plug"] * 2 + ["unplug"] * 3
    instance = aws.call("DescribeInstances")["Reservations"][0]["Instances"][0]
    assert instance["State"] == {"Code": 48, "Name": "terminated"}
    assert instance["NetworkInterfaces"] == [] and "VpcId" not in instance
    again = aws.call("TerminateInstances", InstanceIds=[NODE])["TerminatingInstances"][0]
    assert again["CurrentState"] == again["PreviousState"] == {"Code": 48, "Name": "terminated"}
    groups = aws.scaling("DescribeAutoScalingGroups", AutoScalingGroupNames=[ASG])
    assert groups["AutoScalingGroups"][0]["Instances"] == []


def test_terminate_all_or_none(aws):
    assert aws.refusal("TerminateInstances", InstanceIds=[
        NODE, "i-0123456789abcdef0"]) == "InvalidInstanceID.NotFound"
    assert aws.world.instances[NODE].state == "running"
