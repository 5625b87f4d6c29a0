# SPDX-License-Identifier: Apache-2.0
"""Auto Scaling: the group, its hooks, and the one action that holds a node back."""

import pytest

from ec2sim import scenario
from ec2sim.tests.ec2_client import ASG, HOOK, NODE, SUBNET_EKS, Client, Refused


@pytest.fixture
def aws():
    return Client()


def complete(aws, result="CONTINUE", **arguments):
    base = {"AutoScalingGroupName": ASG, "LifecycleHookName": HOOK, "InstanceId": NODE,
            "LifecycleActionResult": result}
    return aws.scaling("CompleteLifecycleAction", **{**base, **arguments})


def beat(aws, **arguments):
    base = {"AutoScalingGroupName": ASG, "LifecycleHookName": HOOK, "InstanceId": NODE}
    return aws.scaling("RecordLifecycleActionHeartbeat", **{**base, **arguments})


def state(aws):
    groups = aws.scaling("DescribeAutoScalingGroups", AutoScalingGroupNames=[ASG])
    return groups["AutoScalingGroups"][0]["Instances"][0]["LifecycleState"]


def test_group(aws):
    group = aws.scaling("DescribeAutoScalingGroups")["AutoScalingGroups"][0]
    assert group["AutoScalingGroupName"] == ASG and group["CreatedTime"] == aws.clock.now()
    assert group["AvailabilityZones"] == ["eu-central-1a", "eu-central-1b"]
    assert group["VPCZoneIdentifier"].split(",")[0] == SUBNET_EKS
    assert group["Tags"] == [{"ResourceId": ASG, "ResourceType": "auto-scaling-group",
                              "Key": "kubernetes.io/cluster/sample", "Value": "owned",
                              "PropagateAtLaunch": True}]
    node = group["Instances"][0]
    assert node["InstanceId"] == NODE and node["LifecycleState"] == "Pending:Wait"
    assert node["HealthStatus"] == "Healthy" and node["InstanceType"] == "m5.4xlarge"
    assert aws.scaling("DescribeAutoScalingGroups",
                       AutoScalingGroupNames=["other"])["AutoScalingGroups"] == []


def test_group_pages_and_filters(aws):
    for number in range(4):
        description = {"name": f"g{number}", "tags": {"n": str(number)}}
        aws.world.add_asg(scenario.build({"asgs": [description]}, aws.clock).asgs[f"g{number}"])
    names, token = [], None
    while True:
        reply = aws.scaling("DescribeAutoScalingGroups", MaxRecords=2,
                            **({"NextToken": token} if token else {}))
        names += [g["AutoScalingGroupName"] for g in reply["AutoScalingGroups"]]
        token = reply.get("NextToken")
        if not token:
            break
    assert names == ["g0", "g1", "g2", "g3", ASG]
    for name, values, expected in (("tag:n", ["1", "3"], ["g1", "g3"]), ("tag-key", ["n*"], 4),
                                   ("tag-value", ["owned"], [ASG])):
        reply = aws.scaling("DescribeAutoScalingGroups", Filters=[{"Name": name, "Values": values}])
        got = [g["AutoScalingGroupName"] for g in reply["AutoScalingGroups"]]
        assert got == expected or len(got) == expected
    for arguments, code in (({"Filters": [{"Name": "x", "Values": ["y"]}]}, "ValidationError"),
                            ({"MaxRecords": 101}, "ValidationError"),
                            ({"NextToken": "x"}, "InvalidNextToken")):
        assert aws.refusal("DescribeAutoScalingGroups", "autoscaling", **arguments) == code


def test_hooks(aws):
    hooks = aws.scaling("DescribeLifecycleHooks", AutoScalingGroupName=ASG)["LifecycleHooks"]
    assert hooks == [{"LifecycleHookName": HOOK, "AutoScalingGroupName": ASG,
                      "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                      "HeartbeatTimeout": 300, "GlobalTimeout": 30000,
                      "DefaultResult": "ABANDON"}]
    assert aws.scaling("DescribeLifecycleHooks", AutoScalingGroupName=ASG,
                       LifecycleHookNames=["other"])["LifecycleHooks"] == []
    error = aws.refused("DescribeLifecycleHooks", "autoscaling", AutoScalingGroupName="other")
    assert error.code == "ValidationError" and "not found" in error.message


def test_complete(aws):
    complete(aws)
    assert state(aws) == "InService"
    error = None
    for call in (complete, beat):
        with pytest.raises(Refused) as caught:
            call(aws)
        error = caught.value
        assert error.code == "ValidationError" and error.status == 400
        assert error.message == f"No active Lifecycle Action found with instance ID {NODE}"


def test_abandon(aws):
    complete(aws, "ABANDON")
    assert state(aws) == "Terminating"
    assert aws.world.asgs[ASG].actions[0].result == "ABANDON"
    assert aws.world.instances[NODE].target_lifecycle_state == "Terminated"
    assert aws.world.instances[NODE].state == "running"


def test_by_token(aws):
    token = aws.world.asgs[ASG].actions[0].token
    beat(aws, LifecycleActionToken=token)
    complete(aws, LifecycleActionToken=token)
    error = aws.refused("RecordLifecycleActionHeartbeat", "autoscaling", LifecycleHookName=HOOK,
                        AutoScalingGroupName=ASG, LifecycleActionToken=token)
    assert error.message == f"No active Lifecycle Action found with token {token}"


def test_heartbeats_and_timeout(aws):
    aws.clock.forward(299)
    beat(aws)
    aws.clock.forward(299)
    assert state(aws) == "Pending:Wait"
    aws.clock.forward(1)
    assert state(aws) == "Terminating"
    with pytest.raises(Refused) as caught:
        complete(aws)
    assert caught.value.code == "ValidationError"
    assert len(aws.world.asgs[ASG].actions[0].heartbeats) == 1


def test_no_heartbeat_goes_beyond_the_global_timeout(aws):
    aws.world.asgs[ASG].hooks[0].default_result = "CONTINUE"
    for _ in range(100):
        aws.clock.forward(299)
        beat(aws)
    aws.clock.forward(101)
    assert state(aws) == "InService"


def test_two_hooks(aws):
    description = scenario.default_scenario()
    description["asgs"][0]["hooks"].append({"name": "second", "heartbeat_timeout": 60})
    aws = Client(description)
    complete(aws)
    assert state(aws) == "Pending:Wait"
    complete(aws, LifecycleHookName="second")
    assert state(aws) == "InService"
    other = Client(description)
    complete(other, "ABANDON")
    assert state(other) == "Terminating"
    with pytest.raises(Refused) as caught:
        complete(other, LifecycleHookName="second")
    assert "No active" in caught.value.message


@pytest.mark.parametrize("arguments, message", [
    ({"AutoScalingGroupName": "other"}, "not found"),
    ({"LifecycleHookName": "other"}, "No active Lifecycle Action found with instance ID"),
    ({"InstanceId": "i-0123456789abcdef0"}, "No active Lifecycle Action found with instance ID"),
    ({"LifecycleActionToken": "0" * 36}, "No active Lifecycle Action found with token"),
    ({"LifecycleActionResult": "MAYBE"}, "CONTINUE or ABANDON"),
    ({"InstanceId": ""}, ""),
])
def test_refused(aws, arguments, message):
    aws.validate = False
    with pytest.raises(Refused) as caught:
        complete(aws, **arguments)
    assert caught.value.code == "ValidationError" and message in caught.value.message
    assert state(aws) == "Pending:Wait"


def test_node_without_a_hook():
    description = scenario.default_scenario()
    description["asgs"][0]["hooks"] = [
        {"name": "end", "transition": "autoscaling:EC2_INSTANCE_TERMINATING"}]
    aws = Client(description)
    assert state(aws) == "InService"
    assert aws.world.instances[NODE].target_lifecycle_state == "InService"


def test_missing_parameter(aws):
    status, body = aws.raw("CompleteLifecycleAction", [("AutoScalingGroupName", ASG)],
                           "autoscaling")
    assert status == 400 and b"<Code>ValidationError</Code>" in body
