# SPDX-License-Identifier: Apache-2.0
"""A role's policy, evaluated as IAM does for the actions that are simulated.

A request is allowed when, for every resource that it touches, some statement
of the policy matches action, resource and conditions. Which resources those
are, and which condition keys each of them brings, is the Service Authorization
Reference's. Only what a policy for a node needs is here: Allow, the string and
ARN operators, policy variables. A document with anything else is refused when
it is set, so that nothing is taken for checked that was not.
"""

import re

_OPERATORS = ("StringEquals", "StringLike", "ArnEquals", "ArnLike")
_VARIABLE = re.compile(r"\$\{([^}]*)\}")


class Policy:
    """A parsed document. Raises ValueError for what this evaluator does not know."""

    def __init__(self, document: dict):
        if document["Version"] != "2012-10-17":
            raise ValueError("variables need Version 2012-10-17")
        self._statements = [_Statement(entry) for entry in document["Statement"]]

    def allows(self, permission: str, arn: str, context: dict) -> bool:
        """Whether @permission may be used on @arn; @context: lower-case key -> value."""
        return any(s.matches(permission, arn, context) for s in self._statements)


class _Statement:
    def __init__(self, entry: dict):
        unknown = set(entry) - {"Sid", "Effect", "Action", "Resource", "Condition"}
        if unknown or entry["Effect"] != "Allow":
            raise ValueError(f"not evaluated here: {unknown or entry['Effect']}")
        self._actions, self._resources = _listed(entry["Action"]), _listed(entry["Resource"])
        for arn in self._resources:
            # IAM allows variables only behind the fifth colon
            if arn != "*" and "${" in ":".join(arn.split(":", 5)[:5]):
                raise ValueError(f"a variable before the fifth colon: {arn}")
        self._conditions = [
            (operator, key.lower(), _listed(values))
            for operator, keys in entry.get("Condition", {}).items() for key, values in keys.items()]
        for operator, _, _ in self._conditions:
            if operator not in _OPERATORS:
                raise ValueError(f"not evaluated here: {operator}")

    def matches(self, permission, arn, context) -> bool:
        return (any(_like(action.lower(), permission.lower()) for action in self._actions)
                and any(_like(_resolve(resource, context), arn) for resource in self._resources)
                and all(self._holds(*condition, context) for condition in self._conditions))

    @staticmethod
    def _holds(operator, key, values, context) -> bool:
        have = context.get(key)
        if have is None:
            return False
        wanted = [_resolve(value, context) for value in values]
        if operator == "StringEquals":
            return have in wanted
        match = _like if operator == "StringLike" else _arn_like
        return any(match(value, have) for value in wanted)


def _listed(value) -> list:
    return value if isinstance(value, list) else [value]


def _resolve(text: str, context: dict):
    """@text with its variables replaced; None: one of them has no value, so nothing matches."""
    values = [context.get(name.lower()) for name in _VARIABLE.findall(text)]
    if None in values:
        return None
    # a wildcard in a value stands for itself
    quoted = iter([re.sub(r"([*?])", "\0\\1", value) for value in values])
    return _VARIABLE.sub(lambda _: next(quoted), text)


def _like(pattern, text: str) -> bool:
    if pattern is None:
        return False
    parts = re.split(r"(\0?[*?])", pattern)
    wild = {"*": ".*", "?": "."}
    expression = "".join(wild.get(part, re.escape(part.lstrip("\0"))) for part in parts)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _arn_like(pattern, arn: str) -> bool:
    """Each of the six parts by itself: a wildcard does not reach over a colon."""
    if pattern is None:
        return False
    wanted, have = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(have) and all(map(_like, wanted, have))


# -- what a request touches ------------------------------------------------

class _Resource:
    """One resource of a request with the condition keys it brings."""

    def __init__(self, arn: str, tags=None, **keys):
        self.arn, self.keys = arn, {key.lower(): value for key, value in keys.items()}
        for name, value in (tags or {}).items():
            self.keys[f"aws:resourcetag/{name}".lower()] = value
            self.keys[f"ec2:resourcetag/{name}".lower()] = value


def _eni(world, eni_id) -> _Resource:
    return _Resource(world.arn("network-interface", eni_id), world.eni(eni_id).tags)


def _instance(world, instance_id) -> _Resource:
    return _Resource(world.arn("instance", instance_id), world.instance(instance_id).tags,
                     **{"ec2:InstanceID": instance_id})


def _group(world, group_id) -> _Resource:
    return _Resource(world.arn("security-group", group_id), world.group(group_id).tags)


def _of_create(world, arguments) -> list:
    subnet = world.subnet(arguments["SubnetId"])
    groups = arguments["SecurityGroupId"] or [world.default_group(subnet.vpc_id).id]
    return [_Resource(world.arn("network-interface", "*")),
            _Resource(world.arn("subnet", subnet.id), subnet.tags),
            *[_group(world, group_id) for group_id in groups]]


def _of_attach(world, arguments) -> list:
    return [_eni(world, arguments["NetworkInterfaceId"]), _instance(world, arguments["InstanceId"])]


def _of_detach(world, arguments) -> list:
    attachment = world.attachment(arguments["AttachmentId"])
    return [_eni(world, attachment.eni_id), _instance(world, attachment.instance_id)]


def _of_modify(world, arguments) -> list:
    eni = world.eni(arguments["NetworkInterfaceId"])
    resources = [_eni(world, eni.id)]
    if eni.attachment:
        resources.append(_instance(world, eni.attachment.instance_id))
    return resources + [_group(world, group_id) for group_id in arguments["SecurityGroupId"]]


def _of_one(world, arguments) -> list:
    return [_eni(world, arguments["NetworkInterfaceId"])]


def _of_group(world, arguments) -> list:
    name = arguments["AutoScalingGroupName"]
    group = world.asgs.get(name)
    return [_Resource(f"arn:{world.partition}:autoscaling:{world.region}:{world.account_id}:"
                      f"autoScalingGroup:00000000-0000-0000-0000-000000000000:"
                      f"autoScalingGroupName/{name}", group.tags if group else {})]


_RESOURCES = {
    "ec2:CreateNetworkInterface": _of_create,
    "ec2:AttachNetworkInterface": _of_attach,
    "ec2:DetachNetworkInterface": _of_detach,
    "ec2:DeleteNetworkInterface": _of_one,
    "ec2:ModifyNetworkInterfaceAttribute": _of_modify,
    "ec2:AssignPrivateIpAddresses": _of_one,
    "ec2:UnassignPrivateIpAddresses": _of_one,
    "ec2:AssignIpv6Addresses": _of_one,
    "ec2:UnassignIpv6Addresses": _of_one,
    "autoscaling:CompleteLifecycleAction": _of_group,
    "autoscaling:RecordLifecycleActionHeartbeat": _of_group,
}


def _request_context(world, caller, arguments) -> dict:
    """The keys that every resource of a request is judged with."""
    context = {"aws:userid": f"AROAEXAMPLE0EC2SIM000:{caller.instance_id or caller.role_name}"}
    if caller.instance_id:
        context["ec2:sourceinstancearn"] = world.arn("instance", caller.instance_id)
    for specification in arguments.get("TagSpecification") or []:
        for tag in specification["Tag"]:
            context[f"aws:requesttag/{tag['Key']}".lower()] = tag["Value"] or ""
    return context


def refused(policy, world, caller, permission: str, arguments: dict):
    """The first (permission, arn) of a request that @policy does not allow, or None."""
    context = _request_context(world, caller, arguments)
    find = _RESOURCES.get(permission)
    resources = find(world, arguments) if find else [_Resource("*")]
    wanted = [(permission, resource.arn, resource.keys) for resource in resources]
    if arguments.get("TagSpecification"):
        action = permission.partition(":")[2]
        wanted.append(("ec2:CreateTags", world.arn("network-interface", "*"),
                       {"ec2:createaction": action}))
    for name, arn, keys in wanted:
        if not policy.allows(name, arn, {**context, **keys}):
            return name, arn
    return None
