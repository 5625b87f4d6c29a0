# SPDX-License-Identifier: Apache-2.0
"""From a verified request to the body of its reply.

The order is AWS's: does the action exist, are its parameters well formed, may
the caller do it, was it only a dry run, and then the action itself with all
that can be wrong about the world. Nothing here raises: a fault of the
simulator's own is logged and answered as AWS answers its own, with 500.
"""

import hashlib
import logging

from . import autoscaling, ec2, iam, params, xmlout
from .errors import AwsError

_LOG = logging.getLogger("ec2sim")
_ACTIONS = {"ec2": ec2.ACTIONS, "autoscaling": autoscaling.ACTIONS}
_VERSIONS = {"ec2": xmlout.EC2_VERSION, "autoscaling": xmlout.AUTOSCALING_VERSION}


def dispatch(world, service, action_name, version, flat_params, caller, request_id):
    """
    Carry out one call.
    @flat_params: list of (name, value); Action and Version may be among them
    Return: (HTTP status, body)
    """
    try:
        action = _find(service, action_name, version)
        flat = [pair for pair in flat_params if pair[0] not in ("Action", "Version")]
        arguments = _parse(service, action, flat)
        _authorize(world, service, action, arguments, caller)
        if action.dry_run and arguments["DryRun"]:
            raise AwsError("DryRunOperation",
                           "Request would have succeeded, but DryRun flag is set.", 412)
        data = action.handler(world, caller, arguments)
        return 200, xmlout.reply(service, action_name, data, request_id)
    except AwsError as error:
        return error.status, error_body(service, error.code, error.message, request_id,
                                        error.status)
    except Exception:  # a bug of ours must not end the region
        _LOG.exception("%s %s failed inside the simulator", service, action_name)
        return 500, error_body(service, "InternalError", "An internal error has occurred",
                               request_id, 500)


def error_body(service, code, message, request_id, status=400) -> bytes:
    """The body for an error found before or outside of an action."""
    return xmlout.error(service, code, message, request_id, status)


def _find(service, action_name, version):
    if not action_name:
        raise AwsError("MissingAction", "The request must contain the parameter Action")
    action = _ACTIONS[service].get(action_name)
    if action is None and service == "ec2":
        raise AwsError("InvalidAction",
                       f"The action {action_name} is not valid for this web service.")
    if action is None:
        raise AwsError("InvalidAction",
                       f"Could not find operation {action_name} for version {version}")
    if version != _VERSIONS[service]:
        raise AwsError("NoSuchVersion" if service == "ec2" else "InvalidAction",
                       f"The requested version ({version}) of {service} does not exist")
    return action


def _parse(service, action, flat) -> dict:
    schema = dict(action.schema)
    if action.dry_run:
        schema["DryRun"] = params.boolean()
    try:
        return params.parse(schema, flat)
    except AwsError as error:
        if service != "autoscaling" or error.code == "UnknownParameter":
            raise
        # Auto Scaling has one code for everything that its model forbids
        raise AwsError("ValidationError", f"1 validation error detected: {error.message}") from None


def _authorize(world, service, action, arguments, caller) -> None:
    """
    Refuse what the caller's role was denied, or what its policy does not
    allow. Tags in a Create need ec2:CreateTags besides, as on AWS.
    """
    wanted = [f"{service}:{action.name}"]
    if arguments.get("TagSpecification"):
        wanted.append("ec2:CreateTags")
    for name in wanted:
        if name in caller.denied:
            raise _refusal(world, service, name, caller)
    if caller.policy is not None:
        refused = iam.refused(caller.policy, world, caller, wanted[0], arguments)
        if refused:
            raise _refusal(world, service, refused[0], caller, refused[1])


def _refusal(world, service, permission, caller, arn="") -> AwsError:
    who = (f"arn:{world.partition}:sts::{caller.account_id}:assumed-role/"
           f"{caller.role_name}/{caller.instance_id or caller.role_name}")
    resource = f" on resource: {arn}" if arn not in ("", "*") else ""
    text = (f"User: {who} is not authorized to perform: {permission}{resource} because no "
            f"identity-based policy allows the {permission} action")
    if service == "autoscaling":
        return AwsError("AccessDenied", text, 403)
    encoded = hashlib.sha256(f"{who} {permission}".encode()).hexdigest() * 2
    return AwsError("UnauthorizedOperation",
                    f"You are not authorized to perform this operation. {text}. "
                    f"Encoded authorization failure message: {encoded}", 403)
