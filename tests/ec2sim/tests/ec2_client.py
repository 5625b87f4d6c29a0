# SPDX-License-Identifier: Apache-2.0
"""A client made of botocore's own models, without a network.

Requests are validated and serialised by botocore, handed to dispatch(), and
the reply is parsed by botocore's parser. Since a parser skips elements it does
not know, the reply is also walked beside the output shape: an element that the
model does not have is a failure, so a misspelt or misplaced member shows.
"""

import datetime
import xml.etree.ElementTree as ElementTree

import botocore.session
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from ec2sim import scenario
from ec2sim.action import Caller
from ec2sim.dispatch import dispatch
from ec2sim.model import NullPlugger

SUBNET_A = "subnet-0000000000000a001"
SUBNET_A2 = "subnet-0000000000000a002"
SUBNET_B = "subnet-0000000000000b001"
# without IPv6
SUBNET_EKS = "subnet-0000000000000a000"
NODE = "i-00000000000000001"
GROUP = "sg-0000000000000a115"
DEFAULT_GROUP = "sg-00000000000000def"
ASG = "multus-nodes"
HOOK = "multus-launch"

_SESSION = botocore.session.get_session()
_MODELS = {name: _SESSION.get_service_model(name) for name in ("ec2", "autoscaling")}


class Refused(Exception):
    """The reply was an error."""

    def __init__(self, status, code, message):
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message = status, code, message


class FakeClock:
    """Time that the test sets."""

    def __init__(self):
        self.time = datetime.datetime(2026, 5, 1, 12, 0, tzinfo=datetime.timezone.utc)

    def now(self):
        return self.time

    def forward(self, seconds):
        self.time += datetime.timedelta(seconds=seconds)


class RecordingPlugger(NullPlugger):
    """@slow: what is detached stays so until finish() is called."""

    def __init__(self):
        self.events, self.slow, self._detaching = [], False, []

    def detach(self, instance, eni, done):
        if self.slow:
            self._detaching.append(lambda: super(RecordingPlugger, self).detach(instance, eni, done))
        else:
            super().detach(instance, eni, done)

    def finish(self):
        while self._detaching:
            self._detaching.pop(0)()

    def plug(self, instance, eni):
        self.events.append(("plug", instance.id, eni.mac))

    def unplug(self, instance, eni):
        self.events.append(("unplug", instance.id, eni.mac))


class Client:
    """One caller in one world."""

    def __init__(self, description=None, caller=None):
        self.clock = FakeClock()
        self.world = scenario.build(description, self.clock)
        self.world.plugger = RecordingPlugger()
        self.caller = caller or Caller(role_name="multus-node", instance_id=NODE)
        self.validate = True

    def call(self, action, service="ec2", **arguments):
        """One call; returns the parsed reply or raises Refused."""
        operation = _MODELS[service].operation_model(action)
        protocol = _MODELS[service].metadata["protocol"]
        serializer = create_serializer(protocol, include_validation=self.validate)
        request = serializer.serialize_to_request(arguments, operation)
        version = request["body"].pop("Version")
        flat = [(k, str(v)) for k, v in request["body"].items()]
        status, body = self.raw(action, flat, service, version)
        reply = create_parser(protocol).parse(
            {"status_code": status, "headers": {}, "body": body}, operation.output_shape)
        if status != 200:
            error = reply["Error"]
            assert reply["ResponseMetadata"]["RequestId"] == "request-1"
            raise Refused(status, error["Code"], error["Message"])
        if operation.output_shape:
            check_names(operation.output_shape, body)
        assert reply.pop("ResponseMetadata")["RequestId"] == "request-1"
        return reply

    def raw(self, action, flat, service="ec2", version=None):
        version = version or _MODELS[service].api_version
        return dispatch(self.world, service, action, version, flat, self.caller, "request-1")

    def scaling(self, action, **arguments):
        return self.call(action, "autoscaling", **arguments)

    def refusal(self, action, service="ec2", **arguments):
        """The error code of a call that must fail."""
        return self.refused(action, service, **arguments).code

    def refused(self, action, service="ec2", **arguments):
        try:
            reply = self.call(action, service, **arguments)
        except Refused as error:
            return error
        raise AssertionError(f"{action} was not refused: {reply}")

    def create(self, subnet=SUBNET_A, **arguments):
        """An ENI's record from CreateNetworkInterface."""
        return self.call("CreateNetworkInterface", SubnetId=subnet, **arguments)["NetworkInterface"]

    def attach(self, eni_id, index, instance=NODE, **arguments):
        return self.call("AttachNetworkInterface", NetworkInterfaceId=eni_id, InstanceId=instance,
                         DeviceIndex=index, **arguments)

    def describe(self, *eni_ids, **filters):
        """The records of ENIs, by id or by filters (name=[values])."""
        arguments = {"NetworkInterfaceIds": list(eni_ids)} if eni_ids else {}
        if filters:
            arguments["Filters"] = as_filters(filters)
        return self.call("DescribeNetworkInterfaces", **arguments)["NetworkInterfaces"]


def as_filters(filters):
    return [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]


def tag_spec(**tags):
    return [{"ResourceType": "network-interface",
             "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]


def _strip(tag):
    return tag.rpartition("}")[2]


def check_names(shape, body):
    """Every element of @body is one that the output shape has, where it has it."""
    root = ElementTree.fromstring(body)
    wrapper = shape.serialization.get("resultWrapper")
    for child in root:
        name = _strip(child.tag)
        if name in ("requestId", "ResponseMetadata"):
            continue
        if wrapper:
            assert name == wrapper, name
            _check_element(shape, child, name)
        else:
            members = {_wire_name(key, m): m for key, m in shape.members.items()}
            assert name in members, f"{name} is not in {shape.name}"
            _check_element(members[name], child, name)


def _wire_name(key, member):
    return member.serialization.get("name", key)


def _check_element(shape, element, path):
    if shape.type_name == "structure":
        members = {_wire_name(key, m): m for key, m in shape.members.items()}
        for child in element:
            name = _strip(child.tag)
            assert name in members, f"{path}.{name} is not in {shape.name}"
            _check_element(members[name], child, f"{path}.{name}")
    elif shape.type_name == "list":
        item = shape.member.serialization.get("name", "member")
        for child in element:
            assert _strip(child.tag) == item, f"{path}: {child.tag} is not {item}"
            _check_element(shape.member, child, f"{path}[]")
    else:
        assert len(element) == 0, path
