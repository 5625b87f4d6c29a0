# SPDX-License-Identifier: Apache-2.0
"""What the tests of the running simulator share: it, signed requests, raw sockets."""

import contextlib
import datetime
import http.client
import json
import os
import subprocess
import urllib.parse

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.session
from botocore.config import Config

from ec2sim.client import ControlClient
from ec2sim.credentials import OPERATOR_KEY, OPERATOR_SECRET

TESTS = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
INSTANCE = "i-00000000000000001"
SUBNET = "subnet-0000000000000a001"
REGION = "eu-central-1"


class Running:
    """The simulator as a process, on loopback."""

    def __init__(self, process, ready: dict):
        self.process, self.ready = process, ready
        self.control = ControlClient(ready["control"])
        self.ec2, self.autoscaling = ready["ec2"], ready["autoscaling"]

    @property
    def imds(self) -> str:
        return self.ready["imds"][INSTANCE]

    def client(self, service: str = "ec2", **more):
        """A botocore client with the operator's key that never retries."""
        session = botocore.session.get_session()
        config = Config(retries={"max_attempts": 0}, read_timeout=20,
                        parameter_validation=more.pop("validate", True))
        arguments = {"region_name": REGION, "endpoint_url": self.ready[service],
                     "aws_access_key_id": OPERATOR_KEY, "aws_secret_access_key": OPERATOR_SECRET,
                     "config": config, **more}
        return session.create_client(service, **arguments)


@contextlib.contextmanager
def running(tmp_path, *arguments: str):
    """Start the simulator and wait until it is ready."""
    argv = ["/usr/bin/python3", "-m", "ec2sim", "--exit-on-eof", "--control",
            str(tmp_path / "control"), *arguments]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env={**os.environ, "PYTHONPATH": TESTS}) as process:
        try:
            yield Running(process, json.loads(process.stdout.readline()))
        finally:
            process.stdin.close()
            assert process.wait(10) == 0


def signed(url: str, body: str, key=OPERATOR_KEY, secret=OPERATOR_SECRET, token=None,
           service="ec2", region=REGION, at=None) -> dict:
    """The headers with which botocore signs a POST, @at a time of the test's choice."""
    request = botocore.awsrequest.AWSRequest(
        "POST", url, data=body,
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
    signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(key, secret, token),
                                     service, region)
    if at is None:
        signer.add_auth(request)
    else:
        # what add_auth() does, but for the time
        stamp = at.strftime("%Y%m%dT%H%M%SZ")
        request.context["timestamp"] = stamp
        signer._modify_request_before_signing(request)
        request.headers.replace_header("X-Amz-Date", stamp)
        signer._inject_signature_to_request(
            request, signer.signature(signer.string_to_sign(
                request, signer.canonical_request(request)), request))
    return dict(request.headers.items())


def form(action: str, version: str = "2016-11-15", **params) -> str:
    return urllib.parse.urlencode({"Action": action, "Version": version, **params})


def post(url: str, headers: dict, body: str, timeout: float = 10):
    """POST over a fresh connection. Return (status, body, headers)."""
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=timeout)
    try:
        connection.request("POST", "/", body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read(), dict(reply.getheaders())
    finally:
        connection.close()


def get(url: str, path: str, method: str = "GET", **headers):
    """A metadata request. Return (status, text, headers)."""
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    try:
        connection.request(method, path, headers={k.replace("_", "-"): v
                                                  for k, v in headers.items()})
        reply = connection.getresponse()
        return reply.status, reply.read().decode(), dict(reply.getheaders())
    finally:
        connection.close()


def utc(seconds: float = 0.0) -> datetime.datetime:
    """Now, shifted."""
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
