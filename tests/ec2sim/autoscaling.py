# SPDX-License-Identifier: Apache-2.0
"""The Auto Scaling actions that a node calls about itself.

A launch hook holds an instance in Pending:Wait until someone completes it, its
heartbeat ends, or 100 heartbeats or 48 hours are over. Time is looked at when
somebody asks: an action whose deadline has passed takes the hook's default
result then, which nobody can tell from it having happened in time.

ABANDON marks the instance as Terminating. On AWS the group then terminates it,
some seconds later; here that is the test's to do.
"""

from datetime import timedelta

from .action import Action
from .errors import AwsError
from .filters import matcher
from .params import integer, member_list, struct, text


def _refuse(message: str) -> AwsError:
    """Auto Scaling's one code for nearly everything."""
    return AwsError("ValidationError", message)


# -- lifecycle -------------------------------------------------------------

def settle(world) -> None:
    """Give every action whose time is over its hook's default result."""
    now = world.now()
    for asg in world.asgs.values():
        for action in asg.actions:
            if not action.result and now >= min(action.deadline, action.global_deadline):
                hook = asg.hook(action.hook_name)
                finish(world, asg, action, hook.default_result if hook else "ABANDON")


def finish(world, asg, action, result: str) -> None:
    """Record the result; the last hook's decides what becomes of the instance."""
    action.result = result
    action.completed = world.now()
    instance = world.instances[action.instance_id]
    mine = [a for a in asg.actions if a.instance_id == action.instance_id]
    if result == "ABANDON":
        # the remaining hooks have nothing to wait for any more
        for other in mine:
            other.result = other.result or "ABANDON"
        instance.lifecycle_state = "Terminating"
    elif all(a.result for a in mine):
        instance.lifecycle_state = "InService"


def _active_action(world, params):
    """(group, action) that the request names; by token, or by instance id."""
    settle(world)
    asg = world.asgs.get(params["AutoScalingGroupName"])
    if asg is None:
        raise _refuse("AutoScalingGroup name not found - AutoScalingGroup: "
                      f"{params['AutoScalingGroupName']} not found")
    token, instance_id = params["LifecycleActionToken"], params["InstanceId"]
    if not token and not instance_id:
        raise _refuse("Either LifecycleActionToken or InstanceId must be specified")
    for action in asg.actions:
        right = action.token == token if token else action.instance_id == instance_id
        if right and action.hook_name == params["LifecycleHookName"] and not action.result:
            return asg, action
    what = f"token {token}" if token else f"instance ID {instance_id}"
    raise _refuse(f"No active Lifecycle Action found with {what}")


def complete_lifecycle_action(world, caller, params) -> dict:
    result = params["LifecycleActionResult"]
    if result not in ("CONTINUE", "ABANDON"):
        raise _refuse("Lifecycle Action Result must be one of CONTINUE or ABANDON")
    asg, action = _active_action(world, params)
    finish(world, asg, action, result)
    return {}


def record_lifecycle_action_heartbeat(world, caller, params) -> dict:
    asg, action = _active_action(world, params)
    now = world.now()
    action.heartbeats.append(now)
    action.deadline = now + timedelta(seconds=asg.hook(action.hook_name).heartbeat_timeout)
    return {}


# -- describes -------------------------------------------------------------

def _instance_record(instance) -> dict:
    return {
        "InstanceId": instance.id,
        "InstanceType": instance.type.name,
        "AvailabilityZone": instance.az,
        "LifecycleState": instance.lifecycle_state,
        "HealthStatus": "Healthy",
        "LaunchTemplate": {"LaunchTemplateId": "lt-0123456789abcdef0",
                           "LaunchTemplateName": "multus-node", "Version": "1"},
        "ProtectedFromScaleIn": False,
    }


def _group_record(world, asg) -> dict:
    """AutoScalingGroup. Terminated instances have left it."""
    members = [i for i in world.instances.values()
               if i.asg == asg.name and i.state != "terminated"]
    zones = sorted({world.subnets[subnet_id].az for subnet_id in asg.subnets})
    tags = [{"ResourceId": asg.name, "ResourceType": "auto-scaling-group", "Key": key,
             "Value": value, "PropagateAtLaunch": True} for key, value in asg.tags.items()]
    return {
        "AutoScalingGroupName": asg.name,
        "AutoScalingGroupARN": (
            f"arn:{world.partition}:autoscaling:{world.region}:{world.account_id}:"
            f"autoScalingGroup:00000000-0000-0000-0000-000000000000:autoScalingGroupName/"
            f"{asg.name}"),
        "LaunchTemplate": {"LaunchTemplateId": "lt-0123456789abcdef0",
                           "LaunchTemplateName": "multus-node", "Version": "1"},
        "MinSize": asg.min_size,
        "MaxSize": asg.max_size,
        "DesiredCapacity": asg.desired,
        "DefaultCooldown": 300,
        "AvailabilityZones": zones,
        "LoadBalancerNames": [],
        "TargetGroupARNs": [],
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 300,
        "Instances": [_instance_record(instance) for instance in members],
        "CreatedTime": asg.created,
        "SuspendedProcesses": [],
        "VPCZoneIdentifier": ",".join(asg.subnets),
        "EnabledMetrics": [],
        "Tags": tags,
        "TerminationPolicies": ["Default"],
        "NewInstancesProtectedFromScaleIn": False,
        "ServiceLinkedRoleARN": (
            f"arn:{world.partition}:iam::{world.account_id}:role/aws-service-role/"
            "autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"),
    }


_FILTERS = {
    "tag-value": lambda world, asg: list(asg.tags.values()),
}


def describe_auto_scaling_groups(world, caller, params) -> dict:
    """Names that do not exist are left out, which is no error."""
    settle(world)
    filters = [{"Name": f["Name"], "Value": f["Values"]} for f in params["Filters"]]
    try:
        matches = matcher(world, filters, _FILTERS)
    except AwsError as error:
        raise _refuse(error.message) from None
    names = params["AutoScalingGroupNames"]
    groups = [g for name, g in sorted(world.asgs.items())
              if (not names or name in names) and not g.hidden and matches(g)]
    size = params["MaxRecords"] or 50
    if not 1 <= size <= 100:
        raise _refuse("MaxRecords must be between 1 and 100")
    if params["NextToken"]:
        after = _name_after(world, params["NextToken"])
        groups = [g for g in groups if g.name > after]
    token = "after:" + groups[size - 1].name if len(groups) > size else None
    return {"AutoScalingGroups": [_group_record(world, g) for g in groups[:size]],
            "NextToken": token}


def _name_after(world, token: str) -> str:
    name = token.removeprefix("after:")
    if name == token:
        raise AwsError("InvalidNextToken", f"The token '{token}' is invalid.")
    return name


def describe_lifecycle_hooks(world, caller, params) -> dict:
    asg = world.asgs.get(params["AutoScalingGroupName"])
    if asg is None:
        raise _refuse("AutoScalingGroup name not found - AutoScalingGroup "
                      f"'{params['AutoScalingGroupName']}' not found")
    names = params["LifecycleHookNames"]
    return {"LifecycleHooks": [_hook_record(asg, hook) for hook in asg.hooks
                               if not names or hook.name in names]}


def _hook_record(asg, hook) -> dict:
    return {
        "LifecycleHookName": hook.name,
        "AutoScalingGroupName": asg.name,
        "LifecycleTransition": hook.transition,
        "NotificationTargetARN": hook.notification_target_arn or None,
        "RoleARN": hook.role_arn or None,
        "NotificationMetadata": hook.notification_metadata or None,
        "HeartbeatTimeout": hook.heartbeat_timeout,
        "GlobalTimeout": hook.global_timeout,
        "DefaultResult": hook.default_result,
    }


# -- what they take --------------------------------------------------------

_ACTION = {
    "LifecycleHookName": text(required=True),
    "AutoScalingGroupName": text(required=True),
    "LifecycleActionToken": text(),
    "InstanceId": text(),
}
_GROUPS = {
    "AutoScalingGroupNames": member_list(text()),
    "NextToken": text(),
    "MaxRecords": integer(),
    "Filters": member_list(struct({"Name": text(), "Values": member_list(text())})),
}
_HOOKS = {
    "AutoScalingGroupName": text(required=True),
    "LifecycleHookNames": member_list(text()),
}

ACTIONS = {action.name: action for action in (
    Action("DescribeAutoScalingGroups", _GROUPS, describe_auto_scaling_groups, False, False),
    Action("DescribeLifecycleHooks", _HOOKS, describe_lifecycle_hooks, False, False),
    Action("CompleteLifecycleAction", {**_ACTION, "LifecycleActionResult": text(required=True)},
           complete_lifecycle_action, True, False),
    Action("RecordLifecycleActionHeartbeat", _ACTION, record_lifecycle_action_heartbeat, True,
           False),
)}
