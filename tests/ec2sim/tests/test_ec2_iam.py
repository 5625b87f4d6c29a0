# SPDX-License-Identifier: Apache-2.0
"""A role's policy: actions, resources, conditions and variables, one property each."""

import pytest

from ec2sim import iam
from ec2sim.tests.ec2_client import (ASG, GROUP, HOOK, NODE, SUBNET_A, SUBNET_B, Client, Refused,
                                     tag_spec)

ENI, INSTANCE = "arn:aws:ec2:*:*:network-interface/*", "arn:aws:ec2:*:*:instance/*"
DENIED = "UnauthorizedOperation"
ANYTHING = {"Action": "*", "Resource": "*"}


@pytest.fixture
def aws():
    return Client()


def policy(*statements):
    return iam.Policy({"Version": "2012-10-17",
                       "Statement": [{"Effect": "Allow", **s} for s in statements]})


def code(aws, action, *statements, service="ec2", **arguments):
    """The code of the refusal under a policy of those statements; "" when it was carried out."""
    aws.caller.policy = policy(*statements)
    try:
        aws.call(action, service, **arguments)
    except Refused as error:
        return error.code
    finally:
        aws.caller.policy = None
    return ""


def test_nothing_is_allowed_by_itself(aws):
    aws.caller.policy = policy()
    refused = aws.refused("DescribeInstances")
    assert (refused.status, refused.code) == (403, DENIED)
    assert "ec2:DescribeInstances" in refused.message
    assert aws.refusal("DescribeLifecycleHooks", "autoscaling", AutoScalingGroupName=ASG) == \
        "AccessDenied"


@pytest.mark.parametrize("action, allowed", [
    ("ec2:DescribeInstances", True), ("ec2:Describe*", True), ("EC2:describeinstances", True),
    ("ec2:DescribeInstance?", True), ("*", True), ("ec2:DescribeInstance", False),
    ("autoscaling:DescribeInstances", False),
])
def test_actions(aws, action, allowed):
    refused = code(aws, "DescribeInstances", {"Action": ["ec2:X", action], "Resource": "*"})
    assert (refused == "") == allowed


def test_every_resource_must_be_allowed(aws):
    """A Create touches the new interface, its subnet and its groups."""
    parts = {"eni": ENI, "subnet": f"arn:aws:ec2:*:*:subnet/{SUBNET_A}",
             "group": f"arn:aws:ec2:*:*:security-group/{GROUP}"}
    arguments = {"SubnetId": SUBNET_A, "Groups": [GROUP]}
    whole = {"Action": "ec2:CreateNetworkInterface", "Resource": list(parts.values())}
    assert code(aws, "CreateNetworkInterface", whole, **arguments) == ""
    for missing in parts:
        some = [arn for name, arn in parts.items() if name != missing]
        assert code(aws, "CreateNetworkInterface", {**whole, "Resource": some}, **arguments) == \
            DENIED
    assert code(aws, "CreateNetworkInterface", whole, SubnetId=SUBNET_B, Groups=[GROUP]) == DENIED
    assert code(aws, "CreateNetworkInterface", whole, SubnetId=SUBNET_A) == DENIED  # the default group


def test_tags_of_the_request(aws):
    def create(condition, **tags):
        return code(aws, "CreateNetworkInterface",
                    {"Action": "ec2:CreateNetworkInterface", "Resource": ENI, "Condition": condition},
                    {"Action": "ec2:CreateNetworkInterface",
                     "Resource": ["arn:aws:ec2:*:*:subnet/*", "arn:aws:ec2:*:*:security-group/*"]},
                    {"Action": "ec2:CreateTags", "Resource": ENI},
                    SubnetId=SUBNET_A, TagSpecifications=tag_spec(**tags))

    assert create({"StringEquals": {"aws:RequestTag/a": "b"}}, a="b") == ""
    assert create({"StringEquals": {"aws:RequestTag/a": ["c", "b"]}}, a="b") == ""
    assert create({"StringEquals": {"aws:RequestTag/a": "b"}}, a="c") == DENIED
    assert create({"StringEquals": {"aws:RequestTag/a": "b"}}, d="b") == DENIED
    assert create({"StringEquals": {"aws:RequestTag/a": "?*"}}, a="b") == DENIED
    assert create({"StringLike": {"aws:RequestTag/a": "?*"}}, a="b") == ""
    assert create({"StringLike": {"aws:RequestTag/a": "?*"}}, d="b") == DENIED
    assert create({"StringLike": {"aws:RequestTag/a": "?*"}}, a="") == DENIED


def test_create_action(aws):
    """Tags at the creation, and not afterwards."""
    create = {"Action": "ec2:CreateNetworkInterface", "Resource": "*"}
    tag = {"Action": "ec2:CreateTags", "Resource": ENI,
           "Condition": {"StringEquals": {"ec2:CreateAction": "CreateNetworkInterface"}}}
    arguments = {"SubnetId": SUBNET_A, "TagSpecifications": tag_spec(a="b")}
    assert code(aws, "CreateNetworkInterface", create, **arguments) == DENIED
    assert code(aws, "CreateNetworkInterface", create, tag, **arguments) == ""
    eni = aws.create()["NetworkInterfaceId"]
    assert code(aws, "CreateTags", tag, Resources=[eni], Tags=[{"Key": "a", "Value": "b"}]) == DENIED


def test_tags_and_variables_of_the_resource(aws):
    """An interface is a node's own when its tag names the instance that asks."""
    own = {"Action": "ec2:DeleteNetworkInterface", "Resource": ENI, "Condition": {"ArnLike": {
        "ec2:SourceInstanceARN": "arn:aws:ec2:*:*:instance/${aws:ResourceTag/a:b}"}}}

    def delete(**tags):
        eni = aws.create(TagSpecifications=tag_spec(**tags)) if tags else aws.create()
        return code(aws, "DeleteNetworkInterface", own, NetworkInterfaceId=eni["NetworkInterfaceId"])

    assert delete(**{"a:b": NODE}) == ""
    assert delete(**{"a:b": "i-00000000000000002"}) == DENIED
    assert delete(**{"a:b": "*"}) == DENIED
    assert delete() == DENIED
    aws.caller.instance_id = None
    assert delete(**{"a:b": NODE}) == DENIED


def test_own_instance(aws):
    own = {"Action": "ec2:AttachNetworkInterface", "Resource": INSTANCE, "Condition": {"ArnEquals": {
        "ec2:SourceInstanceARN": "arn:aws:ec2:*:*:instance/${ec2:InstanceID}"}}}
    eni = {"Action": "ec2:AttachNetworkInterface", "Resource": ENI}
    arguments = {"NetworkInterfaceId": aws.create()["NetworkInterfaceId"], "DeviceIndex": 1,
                 "InstanceId": NODE}
    aws.caller.instance_id = "i-00000000000000002"
    assert code(aws, "AttachNetworkInterface", own, eni, **arguments) == DENIED
    aws.caller.instance_id = NODE
    assert code(aws, "AttachNetworkInterface", own, **arguments) == DENIED
    assert code(aws, "AttachNetworkInterface", own, eni, **arguments) == ""
    attachment = aws.describe(arguments["NetworkInterfaceId"])[0]["Attachment"]["AttachmentId"]
    assert code(aws, "DetachNetworkInterface", {**eni, "Action": "ec2:Detach*"},
                AttachmentId=attachment) == DENIED
    assert code(aws, "DetachNetworkInterface", {**eni, "Action": "ec2:Detach*"},
                {**own, "Action": "ec2:Detach*"}, AttachmentId=attachment) == ""


def test_groups_of_auto_scaling(aws):
    arguments = {"LifecycleHookName": HOOK, "AutoScalingGroupName": ASG, "InstanceId": NODE}
    group = "arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/"
    action = {"Action": "autoscaling:RecordLifecycleActionHeartbeat"}
    assert code(aws, "RecordLifecycleActionHeartbeat", {**action, "Resource": group + "other"},
                service="autoscaling", **arguments) == "AccessDenied"
    assert code(aws, "RecordLifecycleActionHeartbeat", {**action, "Resource": group + "*"},
                service="autoscaling", **arguments) == ""


def test_denial_is_stronger(aws):
    aws.caller.denied = {"ec2:DescribeInstances"}
    assert code(aws, "DescribeInstances", ANYTHING) == DENIED


def test_what_is_not_there_is_not_found(aws):
    """Its tags cannot be looked at: EC2 says so whatever the policy."""
    assert code(aws, "DeleteNetworkInterface", ANYTHING,
                NetworkInterfaceId="eni-00000000000000bad") == "InvalidNetworkInterfaceID.NotFound"


@pytest.mark.parametrize("entry", [
    {"Effect": "Deny"}, {"NotAction": "*"},
    {"Condition": {"StringEqualsIgnoreCase": {"aws:RequestTag/a": "b"}}},
    {"Resource": "arn:aws:ec2:*:${aws:x}:instance/*"},
])
def test_what_is_not_evaluated_is_refused(entry):
    with pytest.raises(ValueError):
        policy({**ANYTHING, **entry})
