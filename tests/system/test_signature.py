# SPDX-License-Identifier: Apache-2.0
"""The daemon's Signature Version 4 against botocore's, and against AWS's documented example."""

import datetime
import json
import os
import random
import string
import subprocess
import types

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

BUILD = os.environ.get("BUILD", "build")
SIGN = os.path.join(BUILD, "tests/tools/sigv4-sign")


def sign(requests):
    lines = "".join(json.dumps(request) + "\n" for request in requests)
    output = subprocess.run([SIGN], input=lines, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def judge(request, monkeypatch):
    """What botocore would send for the same request at the same time."""
    now = datetime.datetime.fromtimestamp(request["now"], datetime.timezone.utc).replace(tzinfo=None)
    clock = types.SimpleNamespace(utcnow=lambda: now)
    monkeypatch.setattr(botocore.auth, "datetime", types.SimpleNamespace(datetime=clock), raising=False)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: now, raising=False)

    headers = {"Host": request["host"]}
    if request.get("content_type"):
        headers["Content-Type"] = request["content_type"]
    aws_request = AWSRequest(request["method"], "https://" + request["host"] + request["path"], headers,
                             request["body"].encode())
    credentials = Credentials(request["access_key_id"], request["secret_access_key"],
                              request.get("session_token"))
    botocore.auth.SigV4Auth(credentials, request["service"], request["region"]).add_auth(aws_request)
    return aws_request.headers


def random_text(source, alphabet, shortest, longest):
    return "".join(source.choice(alphabet) for _ in range(source.randint(shortest, longest)))


def random_request(source):
    request = {
        "access_key_id": "ASIA" + random_text(source, string.ascii_uppercase + string.digits, 16, 16),
        "secret_access_key": random_text(source, string.ascii_letters + string.digits + "+/", 1, 64),
        "region": source.choice(["eu-west-1", "us-east-1", "cn-north-1", "us-gov-west-1", "local"]),
        "service": source.choice(["ec2", "autoscaling"]),
        "method": "POST",
        "host": source.choice(["ec2.eu-west-1.amazonaws.com", "127.0.0.1:8080", "[::1]:4566",
                               "ec2.cn-north-1.amazonaws.com.cn"]),
        "path": "/",
        "body": random_text(source, string.printable + "äßü€😀", 0, 300),
        "now": source.randint(0, 4102444800),
    }
    if source.random() < 0.8:
        request["session_token"] = random_text(source, string.ascii_letters + string.digits + "+/=", 1, 400)
    if source.random() < 0.8:
        request["content_type"] = source.choice(["application/x-www-form-urlencoded; charset=utf-8",
                                                 "text/plain",
                                                 "a  b   c"])
    return request


def test_random_requests(monkeypatch):
    source = random.Random(20261121)
    requests = [random_request(source) for _ in range(300)]
    for request, ours in zip(requests, sign(requests), strict=True):
        theirs = judge(request, monkeypatch)
        assert ours["Authorization"] == theirs["Authorization"], request
        assert ours["X-Amz-Date"] == theirs["X-Amz-Date"]
        assert ours.get("X-Amz-Security-Token") == theirs.get("X-Amz-Security-Token")


EXAMPLE = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
           "region": "us-east-1", "now": 1440938160, "path": "/", "body": ""}


@pytest.mark.parametrize("request_, signature", [
    # AWS General Reference, "Signature Version 4 signing process": ListUsers of IAM.
    ({"service": "iam", "method": "GET", "host": "iam.amazonaws.com",
      "query": "Action=ListUsers&Version=2010-05-08",
      "content_type": "application/x-www-form-urlencoded; charset=utf-8"},
     "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"),
    # AWS's signing test suite: get-vanilla, post-vanilla, post-x-www-form-urlencoded.
    ({"service": "service", "method": "GET", "host": "example.amazonaws.com"},
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    ({"service": "service", "method": "POST", "host": "example.amazonaws.com"},
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ({"service": "service", "method": "POST", "host": "example.amazonaws.com",
      "content_type": "application/x-www-form-urlencoded", "body": "Param1=value1"},
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
])
def test_documented_vectors(request_, signature):
    authorization = sign([EXAMPLE | request_])[0]["Authorization"]
    assert authorization.endswith("Signature=" + signature)
