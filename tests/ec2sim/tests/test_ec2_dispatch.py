# SPDX-License-Identifier: Apache-2.0
"""What is common to all actions: parameters, errors, permissions, dry runs, XML."""

import datetime
import xml.etree.ElementTree as ElementTree

import pytest

from ec2sim import autoscaling, ec2, params, xmlout
from ec2sim.dispatch import dispatch, error_body
from ec2sim.errors import AwsError
from ec2sim.tests.ec2_client import (ASG, HOOK, NODE, SUBNET_A, Client, _MODELS, tag_spec)


@pytest.fixture
def aws():
    return Client()


def code_of(reply):
    status, body = reply
    root = ElementTree.fromstring(body)
    return status, root.find("Errors/Error/Code").text


# -- the schemas against botocore's ----------------------------------------

@pytest.mark.parametrize("service, actions", [("ec2", ec2.ACTIONS),
                                              ("autoscaling", autoscaling.ACTIONS)])
def test_schemas_are_the_models(service, actions):
    """Every parameter that botocore's model can send is declared, and no other."""
    for name, action in actions.items():
        shape = _MODELS[service].operation_model(name).input_shape
        wire = {wire_name(service, key, member): key for key, member in shape.members.items()}
        declared = set(action.schema) | ({"DryRun"} if action.dry_run else set())
        later = {"EnablePrimaryIpv6", "ConnectionTrackingSpecification", "Operator"}
        assert declared - later == set(wire), name
        for wire_key, key in wire.items():
            if wire_key != "DryRun" and key in shape.required_members:
                assert action.schema[wire_key].required, (name, key)


def wire_name(service, key, member):
    if service != "ec2":
        return key
    serialization = member.serialization
    if "queryName" in serialization:
        return serialization["queryName"]
    name = serialization.get("name", key)
    return name[0].upper() + name[1:]


# -- parameters ------------------------------------------------------------

@pytest.mark.parametrize("flat, code", [
    ([("SubnetID", SUBNET_A)], "UnknownParameter"),
    ([("SubnetId", SUBNET_A), ("SubnetId.1", "x")], "InvalidParameterValue"),
    ([("SubnetId", SUBNET_A), ("SubnetId", SUBNET_A)], "InvalidParameterValue"),
    ([("SubnetId", SUBNET_A), ("Foo", "1")], "UnknownParameter"),
    ([("SubnetId", SUBNET_A), ("TagSpecification.1.Tags.1.Key", "a")], "UnknownParameter"),
    ([("SubnetId", SUBNET_A), ("TagSpecifications.1.ResourceType", "a")], "UnknownParameter"),
    ([("SubnetId", SUBNET_A), ("SecurityGroupId.x", "sg-1")], "UnknownParameter"),
    ([("SubnetId", SUBNET_A), ("SecurityGroupId.0", "sg-1")], "UnknownParameter"),
    ([("SubnetId", SUBNET_A), ("SecurityGroupId", "sg-1")], "UnknownParameter"),
    ([("SubnetId.Id", SUBNET_A)], "UnknownParameter"),
    ([("Description", "x")], "MissingParameter"),
    ([], "MissingParameter"),
    ([("SubnetId", SUBNET_A), ("Ipv6AddressCount", "two")], "InvalidParameterValue"),
    ([("SubnetId", SUBNET_A), ("DryRun", "yes")], "InvalidParameterValue"),
    ([("SubnetId", SUBNET_A), ("PrivateIpAddresses.1.Primary", "1")], "InvalidParameterValue"),
])
def test_bad_parameters(aws, flat, code):
    assert code_of(aws.raw("CreateNetworkInterface", flat)) == (400, code)
    assert len(aws.world.enis) == 1


def test_list_order_is_by_number():
    schema = {"A": params.listing(params.text()), "B": params.member_list(params.integer()),
              "C": params.listing(params.text())}
    flat = [("A.10", "ten"), ("A.2", "two"), ("B.member.1", "7"), ("C", "")]
    assert params.parse(schema, flat) == {"A": ["two", "ten"], "B": [7], "C": []}
    with pytest.raises(AwsError):
        params.parse(schema, [("B.1", "7")])


# -- actions and versions --------------------------------------------------

@pytest.mark.parametrize("action, version, code", [
    ("NoSuchAction", "2016-11-15", "InvalidAction"), ("", "2016-11-15", "MissingAction"),
    (None, None, "MissingAction"), ("DescribeSubnets", "2010-01-01", "NoSuchVersion"),
])
def test_bad_actions(aws, action, version, code):
    reply = dispatch(aws.world, "ec2", action, version, [], aws.caller, "r")
    assert code_of(reply) == (400, code)


def test_unknown_scaling_action(aws):
    status, body = aws.raw("NoSuchAction", [], "autoscaling")
    root = ElementTree.fromstring(body)
    space = "{http://autoscaling.amazonaws.com/doc/2011-01-01/}"
    assert status == 400 and root.tag == space + "ErrorResponse"
    assert root.find(f"{space}Error/{space}Code").text == "InvalidAction"
    assert root.find(f"{space}Error/{space}Type").text == "Sender"
    assert root.find(f"{space}RequestId").text == "request-1"


def test_fault_of_our_own(aws, monkeypatch, caplog):
    monkeypatch.setattr(aws.world, "subnets", None)
    error = aws.refused("DescribeSubnets")
    assert (error.status, error.code) == (500, "InternalError")
    assert "failed inside the simulator" in caplog.text


# -- permissions and dry runs ----------------------------------------------

GOOD = {
    "CreateNetworkInterface": {"SubnetId": SUBNET_A},
    "AttachNetworkInterface": {"NetworkInterfaceId": "eni-1", "InstanceId": NODE, "DeviceIndex": 1},
    "DetachNetworkInterface": {"AttachmentId": "eni-attach-1"},
    "ModifyNetworkInterfaceAttribute": {"NetworkInterfaceId": "eni-1"},
    "DeleteNetworkInterface": {"NetworkInterfaceId": "eni-1"},
    "AssignPrivateIpAddresses": {"NetworkInterfaceId": "eni-1"},
    "UnassignPrivateIpAddresses": {"NetworkInterfaceId": "eni-1"},
    "AssignIpv6Addresses": {"NetworkInterfaceId": "eni-1"},
    "UnassignIpv6Addresses": {"NetworkInterfaceId": "eni-1"},
    "CreateTags": {"Resources": [NODE], "Tags": [{"Key": "a"}]},
    "DescribeNetworkInterfaces": {}, "DescribeInstances": {}, "DescribeSubnets": {},
    "DescribeTags": {}, "DescribeInstanceTypes": {}, "DescribeSecurityGroups": {},
    "GetSubnetCidrReservations": {"SubnetId": SUBNET_A},
    "TerminateInstances": {"InstanceIds": [NODE]},
}


def test_every_action_is_listed():
    assert set(GOOD) == set(ec2.ACTIONS)
    reads = {name for name, action in ec2.ACTIONS.items() if not action.mutating}
    assert reads == {name for name in GOOD if name.startswith(("Describe", "Get"))}


@pytest.mark.parametrize("action", GOOD)
def test_denied(aws, action):
    aws.caller.denied = {f"ec2:{action}"}
    error = aws.refused(action, **GOOD[action])
    assert (error.status, error.code) == (403, "UnauthorizedOperation")
    assert f"assumed-role/multus-node/{NODE}" in error.message and f"ec2:{action}" in error.message
    aws.caller.denied = {"ec2:SomethingElse"}
    if action.startswith(("Describe", "Get")):
        aws.call(action, **GOOD[action])


@pytest.mark.parametrize("action", [n for n, a in ec2.ACTIONS.items() if a.dry_run])
def test_dry_run(aws, action):
    before = (len(aws.world.enis), aws.world.instances[NODE].state,
              dict(aws.world.instances[NODE].tags))
    error = aws.refused(action, DryRun=True, **GOOD[action])
    assert (error.status, error.code) == (412, "DryRunOperation")
    aws.caller.denied = {f"ec2:{action}"}
    error = aws.refused(action, DryRun=True, **GOOD[action])
    assert (error.status, error.code) == (403, "UnauthorizedOperation")
    assert before == (len(aws.world.enis), aws.world.instances[NODE].state,
                      dict(aws.world.instances[NODE].tags))


@pytest.mark.parametrize("action", [n for n, a in ec2.ACTIONS.items() if not a.dry_run])
def test_no_dry_run(aws, action):
    flat = [("DryRun", "true"), ("NetworkInterfaceId", "eni-1")]
    assert code_of(aws.raw(action, flat)) == (400, "UnknownParameter")


def test_dry_run_false_is_none(aws):
    aws.create(DryRun=False)
    assert len(aws.world.enis) == 2


def test_tags_at_create_need_their_own_permission(aws):
    aws.caller.denied = {"ec2:CreateTags"}
    assert aws.create()
    error = aws.refused("CreateNetworkInterface", SubnetId=SUBNET_A,
                        TagSpecifications=tag_spec(a="b"))
    assert error.code == "UnauthorizedOperation" and "ec2:CreateTags" in error.message


@pytest.mark.parametrize("action, arguments", [
    ("DescribeAutoScalingGroups", {}),
    ("DescribeLifecycleHooks", {"AutoScalingGroupName": ASG}),
    ("CompleteLifecycleAction", {"AutoScalingGroupName": ASG, "LifecycleHookName": HOOK,
                                 "LifecycleActionResult": "CONTINUE", "InstanceId": NODE}),
    ("RecordLifecycleActionHeartbeat", {"AutoScalingGroupName": ASG, "LifecycleHookName": HOOK,
                                        "InstanceId": NODE}),
])
def test_scaling_denied(aws, action, arguments):
    aws.caller.denied = {f"autoscaling:{action}"}
    error = aws.refused(action, "autoscaling", **arguments)
    assert (error.status, error.code) == (403, "AccessDenied")
    assert f"autoscaling:{action}" in error.message


# -- XML -------------------------------------------------------------------

def test_text_that_needs_escaping(aws):
    nasty = "<&>\"' ]]> é \U0001f600"
    eni = aws.create(Description=nasty, TagSpecifications=tag_spec(a=nasty))
    assert eni["Description"] == nasty and eni["TagSet"][0]["Value"] == nasty
    broken = aws.create(Description="a\x01b")
    assert broken["Description"] == "a\ufffdb"


def test_scalars():
    time = datetime.datetime(2026, 5, 1, 2, 3, 4, 56789, datetime.timezone.utc)
    assert xmlout.scalar(time) == "2026-05-01T02:03:04.056Z"
    assert [xmlout.scalar(v) for v in (True, False, 7, "x")] == ["true", "false", "7", "x"]


def test_error_bodies():
    body = error_body("ec2", "RequestLimitExceeded", "slow <down>", "r", 503)
    root = ElementTree.fromstring(body)
    assert root.tag == "Response" and root.find("RequestID").text == "r"
    assert root.find("Errors/Error/Message").text == "slow <down>"
    assert b"<Type>Receiver</Type>" in error_body("autoscaling", "X", "y", "r", 500)
    assert body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
