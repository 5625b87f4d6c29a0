# SPDX-License-Identifier: Apache-2.0
"""Every request the daemon can send against the EC2 and Auto Scaling models of botocore."""

import json
import os
import re
import subprocess
from urllib.parse import parse_qsl

import botocore.loaders
import botocore.model
import pytest

BUILD = os.environ.get("BUILD", "build")
ENCODE = os.path.join(BUILD, "tests/tools/query-encode")


def cases():
    output = subprocess.run([ENCODE], capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def service_model(name):
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(name, "service-2"), name)


MODELS = {name: service_model(name) for name in ("ec2", "autoscaling")}


def wire_name(service, member, shape):
    """Name of a structure's member as the protocol writes it."""
    serialization = shape.serialization
    if service == "ec2":
        if "queryName" in serialization:
            return serialization["queryName"]
        if "name" in serialization:
            return serialization["name"][0].upper() + serialization["name"][1:]
        return member
    return serialization.get("name", member)


def check_scalar(shape, value):
    if shape.type_name in ("integer", "long"):
        assert re.fullmatch(r"-?\d+", value)
        if "min" in shape.metadata:
            assert shape.metadata["min"] <= int(value) <= shape.metadata.get("max", int(value))
    elif shape.type_name == "boolean":
        assert value in ("true", "false")
    else:
        assert shape.type_name == "string", shape.type_name
        if shape.enum:
            assert value in shape.enum
        pattern = shape.metadata.get("pattern")
        if pattern is not None and "\\p{" not in pattern and "\\u" not in pattern:
            assert re.fullmatch(pattern, value)


def group(parameters):
    """{"A.1.B": v} -> {"A": {"1.B": v}}"""
    result = {}
    for key, value in parameters.items():
        head, _, rest = key.partition(".")
        result.setdefault(head, {})[rest] = value
    return result


def check(service, shape, parameters):
    if shape.type_name == "structure":
        members = {wire_name(service, name, member): name for name, member in shape.members.items()}
        groups = group(parameters)
        assert set(groups) <= set(members), f"{shape.name} has no {set(groups) - set(members)}"
        for name in shape.required_members:
            assert wire_name(service, name, shape.members[name]) in groups, f"{shape.name} needs {name}"
        for name, inner in groups.items():
            check(service, shape.members[members[name]], inner)
    elif shape.type_name == "list":
        if service != "ec2" and not shape.serialization.get("flattened"):
            groups = group(parameters)
            assert list(groups) == [shape.member.serialization.get("name", "member")]
            parameters = groups[list(groups)[0]]
        groups = group(parameters)
        assert list(groups) == [str(i + 1) for i in range(len(groups))]
        for inner in groups.values():
            check(service, shape.member, inner)
    else:
        assert list(parameters) == [""]
        check_scalar(shape, parameters[""])


@pytest.mark.parametrize("case", cases(), ids=lambda case: case["name"])
def test_request(case):
    model = MODELS[case["service"]]
    pairs = parse_qsl(case["body"], keep_blank_values=True, strict_parsing=True)
    parameters = dict(pairs)
    assert len(parameters) == len(pairs)
    assert parameters.pop("Action") == case["action"]
    assert parameters.pop("Version") == model.api_version
    check(case["service"], model.operation_model(case["action"]).input_shape, parameters)


def test_escapes():
    """Nothing is lost between a tag's value and the wire, and a space is %20, never '+'."""
    body = cases()[0]["body"]
    assert ("TagSpecification.1.Tag.2.Value", "a b&c=d+e ü~") in parse_qsl(body)
    assert "+" not in body


def test_every_encoder_is_judged():
    header = open("daemon/aws/codec.h", encoding="utf-8").read()
    names = set(re.findall(r"\b((?:ec2|autoscaling)_query_\w+)\(", header))
    judged = {case["name"].partition("(")[0] for case in cases()}
    assert names <= judged
