# SPDX-License-Identifier: Apache-2.0
"""Signatures: botocore signs, the simulator judges; each way of being wrong has its answer."""

import pytest
from ec2sim import sigv4
from net_support import form, get, post, running, signed, utc

BODY = form("DescribeSubnets")
ASG_BODY = form("DescribeAutoScalingGroups", "2011-01-01")


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    with running(tmp_path_factory.mktemp("sim")) as process:
        yield process


def refusal(sim, service, headers, body):
    status, reply, _ = post(getattr(sim, service), headers, body)
    text = reply.decode()
    return status, text.partition("<Code>")[2].partition("</Code>")[0], text


def test_example_of_the_specification():
    """AWS's published example: GET ListUsers of IAM, 2015-08-30."""
    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8",
               "host": "iam.amazonaws.com", "x-amz-date": "20150830T123600Z"}
    canonical = sigv4.canonical_request("GET", "/", "Action=ListUsers&Version=2010-05-08", headers,
                                        sorted(headers), sigv4._sha256(b""))
    assert sigv4._sha256(canonical.encode()) == \
        "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59"
    assert sigv4.signature("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1",
                           "iam", "20150830T123600Z", canonical) == \
        "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"


def test_right_signature(sim):
    assert post(sim.ec2, signed(sim.ec2, BODY), BODY)[0] == 200
    headers = signed(sim.autoscaling, ASG_BODY, service="autoscaling")
    assert post(sim.autoscaling, headers, ASG_BODY)[0] == 200


@pytest.mark.parametrize("change,ec2,autoscaling", [
    ({"key": "AKIANOSUCHKEY"}, (401, "AuthFailure"), (403, "InvalidClientTokenId")),
    ({"secret": "wrong"}, (403, "SignatureDoesNotMatch"), (403, "SignatureDoesNotMatch")),
    ({"region": "us-east-1"}, (401, "AuthFailure"), (403, "SignatureDoesNotMatch")),
    ({"service": "sqs"}, (401, "AuthFailure"), (403, "SignatureDoesNotMatch")),
    ({"token": "of nobody"}, (401, "AuthFailure"), (403, "InvalidClientTokenId")),
    ({"at": -301}, (400, "RequestExpired"), (403, "SignatureDoesNotMatch")),
    ({"at": +301}, (400, "RequestExpired"), (403, "SignatureDoesNotMatch")),
])
def test_wrong(sim, change, ec2, autoscaling):
    change = {k: utc(v) if k == "at" else v for k, v in change.items()}
    assert refusal(sim, "ec2", signed(sim.ec2, BODY, **change), BODY)[:2] == ec2
    headers = signed(sim.autoscaling, ASG_BODY, **{"service": "autoscaling", **change})
    assert refusal(sim, "autoscaling", headers, ASG_BODY)[:2] == autoscaling


def test_skew_within_five_minutes(sim):
    for shift in (-290, 290):
        assert post(sim.ec2, signed(sim.ec2, BODY, at=utc(shift)), BODY)[0] == 200


def test_changed_body_and_header(sim):
    headers = signed(sim.ec2, BODY)
    assert refusal(sim, "ec2", headers, BODY + "&X=1")[1] == "SignatureDoesNotMatch"
    headers["Content-Type"] = "text/plain"
    expected = "content-type" in headers["Authorization"]
    assert (refusal(sim, "ec2", headers, BODY)[0] == 403) == expected


def test_no_or_broken_authorization(sim):
    assert refusal(sim, "ec2", {}, BODY)[:2] == (403, "MissingAuthenticationToken")
    assert refusal(sim, "ec2", {"Authorization": "Basic eA=="}, BODY)[:2] == \
        (400, "IncompleteSignature")
    headers = signed(sim.ec2, BODY)
    headers["Authorization"] = headers["Authorization"].partition(", Signature=")[0]
    assert refusal(sim, "ec2", headers, BODY)[:2] == (400, "IncompleteSignature")


def test_unsigned_payload_is_refused(sim):
    headers = {**signed(sim.ec2, BODY), "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    assert refusal(sim, "ec2", headers, BODY)[1] == "SignatureDoesNotMatch"


def role_credentials(sim):
    import json
    token = get(sim.imds, "/latest/api/token", "PUT",
                x_aws_ec2_metadata_token_ttl_seconds="60")[1]
    text = get(sim.imds, "/latest/meta-data/iam/security-credentials/multus-node",
               x_aws_ec2_metadata_token=token)[1]
    return json.loads(text)


def as_role(sim, keys, token=True, **more):
    url = sim.ready[more.get("service", "ec2")]
    body = ASG_BODY if more.get("service") else BODY
    headers = signed(url, body, key=keys["AccessKeyId"], secret=keys["SecretAccessKey"],
                     token=keys["Token"] if token else None, **more)
    return refusal(sim, more.get("service", "ec2"), headers, body)[:2]


def test_role_of_the_node(sim):
    keys = role_credentials(sim)
    assert as_role(sim, keys) == (200, "")
    assert sim.control.calls()[-1]["instance"] == "i-00000000000000001"
    assert as_role(sim, keys, token=False) == (401, "AuthFailure")
    sim.control.post("/credentials/rotate")
    again = role_credentials(sim)
    assert again["AccessKeyId"] != keys["AccessKeyId"]
    assert as_role(sim, keys) == (200, "")
    sim.control.post("/credentials/expire")
    assert as_role(sim, again) == (400, "RequestExpired")
    assert as_role(sim, again, service="autoscaling") == (403, "ExpiredToken")
    assert as_role(sim, role_credentials(sim)) == (200, "")


def test_denied(sim):
    sim.control.deny("DescribeSubnets")
    assert as_role(sim, role_credentials(sim)) == (403, "UnauthorizedOperation")
    sim.control.deny("autoscaling:DescribeAutoScalingGroups")
    assert as_role(sim, role_credentials(sim)) == (200, "")
    assert as_role(sim, role_credentials(sim), service="autoscaling") == (403, "AccessDenied")
    sim.control.deny()


def test_clock_of_the_region(sim):
    sim.control.put("/clock", {"offset": 3600})
    headers = signed(sim.ec2, BODY)
    status, _, reply = post(sim.ec2, headers, BODY)
    assert status == 400 and reply["Date"] == utc(3600).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert post(sim.ec2, signed(sim.ec2, BODY, at=utc(3600)), BODY)[0] == 200
    stopped = [sim.control.put("/clock", {"offset": offset, "stopped": True})["now"] for offset in (0, 0, 1)]
    assert stopped[0] == stopped[1] != stopped[2]
    sim.control.put("/clock", {"offset": 0})
    assert post(sim.ec2, signed(sim.ec2, BODY), BODY)[0] == 200
