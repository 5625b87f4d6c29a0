# SPDX-License-Identifier: Apache-2.0
"""The metadata service of a node, on loopback."""

import json
import time

import pytest
from net_support import INSTANCE, SUBNET, get, running

TTL = "x_aws_ec2_metadata_token_ttl_seconds"


@pytest.fixture
def sim(tmp_path):
    with running(tmp_path) as process:
        yield process


def token(sim, ttl=60):
    status, text, headers = get(sim.imds, "/latest/api/token", "PUT", **{TTL: str(ttl)})
    assert status == 200 and headers["X-Aws-Ec2-Metadata-Token-Ttl-Seconds"] == str(ttl)
    return text


def read(sim, path, session=None):
    session = token(sim) if session is None else session
    status, text, _ = get(sim.imds, "/latest/" + path, x_aws_ec2_metadata_token=session)
    return text if status == 200 else status


def test_token(sim):
    for ttl in ("", "0", "21601", "x"):
        assert get(sim.imds, "/latest/api/token", "PUT", **{TTL: ttl})[0] == 400
    assert get(sim.imds, "/latest/api/token", "PUT")[0] == 400
    assert get(sim.imds, "/latest/api/token", "PUT", x_forwarded_for="10.0.0.1",
               **{TTL: "60"})[0] == 403
    assert get(sim.imds, "/latest/api/token")[0] == 405


def test_no_answer_without_token(sim):
    status, text, _ = get(sim.imds, "/latest/meta-data/instance-id")
    assert status == 401 and "401 - Unauthorized" in text
    assert read(sim, "meta-data/instance-id", "guess") == 401
    sim.control.put("/imds", {"node": INSTANCE, "token_ttl": 0.2})
    session = token(sim)
    assert read(sim, "meta-data/instance-id", session) == INSTANCE
    deadline = time.monotonic() + 5
    while read(sim, "meta-data/instance-id", session) != 401:
        assert time.monotonic() < deadline


def test_what_is_there(sim):
    document = json.loads(read(sim, "dynamic/instance-identity/document"))
    assert document["instanceId"] == INSTANCE and document["region"] == "eu-central-1"
    for path, expected in {
            "instance-type": "m5.4xlarge", "local-ipv4": "10.0.0.10",
            "placement/availability-zone": "eu-central-1a", "placement/region": "eu-central-1",
            "placement/availability-zone-id": "euc1-az1", "services/domain": "amazonaws.com",
            "services/partition": "aws", "autoscaling/target-lifecycle-state": "InService",
            "iam/security-credentials/": "multus-node"}.items():
        assert read(sim, "meta-data/" + path) == expected, path
    mac = read(sim, "meta-data/mac")
    assert read(sim, "meta-data/network/interfaces/macs/") == mac + "/"
    below = f"meta-data/network/interfaces/macs/{mac}/"
    assert read(sim, below + "device-number") == "0"
    assert read(sim, below + "subnet-ipv4-cidr-block") == "10.0.0.0/24"
    assert "subnet-id" in read(sim, below).split("\n")
    assert read(sim, below + "ipv6s") == 404
    status, text, _ = get(sim.imds, "/latest/meta-data/no", x_aws_ec2_metadata_token=token(sim))
    assert status == 404 and text.startswith("<?xml") and "404 - Not Found" in text


def test_new_interface_is_late(sim):
    sim.control.latency({"imds_new_eni": 3600})
    eni = sim.control.post("/foreign-eni", {"subnet": SUBNET, "instance": INSTANCE})["id"]
    mac = sim.control.state()["enis"][eni]["mac"]
    assert mac not in read(sim, "meta-data/network/interfaces/macs/")
    sim.control.latency({"imds_new_eni": 0})
    assert mac in read(sim, "meta-data/network/interfaces/macs/")
    assert read(sim, f"meta-data/network/interfaces/macs/{mac}/interface-id") == eni
    sim.control.latency({"detach": 0})
    sim.control.post(f"/enis/{eni}/detach")
    deadline = time.monotonic() + 10
    while mac in read(sim, "meta-data/network/interfaces/macs/"):
        assert time.monotonic() < deadline


def test_no_group_no_role(sim):
    wiring = sim.control.post("/instances", {"type": "m5.large", "role": "",
                                             "subnet": "subnet-0000000000000a000"})
    session = get(wiring["imds"], "/latest/api/token", "PUT", **{TTL: "60"})[1]
    for path in ("iam/security-credentials/", "autoscaling/target-lifecycle-state"):
        assert get(wiring["imds"], "/latest/meta-data/" + path,
                   x_aws_ec2_metadata_token=session)[0] == 404
    # a session of one node is nothing to another
    assert read(sim, "meta-data/mac", session) == 401


def test_terminated(sim):
    session = token(sim)
    sim.control.delete(f"/instances/{INSTANCE}")
    assert read(sim, "meta-data/iam/security-credentials/", session) == 404
    assert read(sim, "meta-data/instance-id", session) == INSTANCE


def test_launch_hook_ran_out(sim):
    assert read(sim, "meta-data/autoscaling/target-lifecycle-state") == "InService"
    sim.control.put("/clock", {"offset": 301})
    assert read(sim, "meta-data/autoscaling/target-lifecycle-state") == "Terminated"


def test_failures(sim):
    sim.control.put("/imds", {"fail": [
        {"path": "/latest/meta-data/mac", "k": 2, "status": 500},
        {"path": "/latest/meta-data/ami-id", "do": "close"}]})
    assert read(sim, "meta-data/mac").startswith("02:")
    assert read(sim, "meta-data/mac") == 500
    assert read(sim, "meta-data/mac").startswith("02:")
    with pytest.raises(ConnectionError):
        read(sim, "meta-data/ami-id")
    sim.control.put("/imds", {"disabled": True})
    assert get(sim.imds, "/latest/api/token", "PUT", **{TTL: "60"})[0] == 403


def test_options_are_the_instances(sim):
    sim.control.put("/imds", {"hop_limit": 3, "http_tokens": "optional"})
    instance, = sim.control.state()["instances"].values()
    assert (instance["hop_limit"], instance["http_tokens"], instance["http_endpoint"]) == \
        (3, "optional", "enabled")
    sim.control.put("/imds", {"disabled": True})
    instance, = sim.control.state()["instances"].values()
    assert instance["http_endpoint"] == "disabled"


def test_log(sim):
    read(sim, "meta-data/mac")
    assert [(e["method"], e["path"], e["status"]) for e in sim.control.imds_log()] == [
        ("PUT", "/latest/api/token", 200), ("GET", "/latest/meta-data/mac", 200)]
