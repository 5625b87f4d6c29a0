# SPDX-License-Identifier: Apache-2.0
"""botocore and the aws command against the running simulator, parsed by their own models."""

import json
import os
import subprocess

import botocore.exceptions
import pytest
from ec2sim.credentials import OPERATOR_KEY, OPERATOR_SECRET
from net_support import INSTANCE, REGION, SUBNET, running

TAGS = [{"ResourceType": "network-interface", "Tags": [{"Key": "team", "Value": "a & b <c>"}]}]


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    path = tmp_path_factory.mktemp("sim")
    with running(path, "--tls", str(path / "tls")) as process:
        yield process


def test_life_of_an_interface_by_botocore(sim):
    ec2 = sim.client()
    eni = ec2.create_network_interface(SubnetId=SUBNET, TagSpecifications=TAGS,
                                       Ipv6AddressCount=1)["NetworkInterface"]
    assert eni["TagSet"] == TAGS[0]["Tags"] and len(eni["Ipv6Addresses"]) == 1
    name = eni["NetworkInterfaceId"]
    attachment = ec2.attach_network_interface(NetworkInterfaceId=name, InstanceId=INSTANCE,
                                              DeviceIndex=1)["AttachmentId"]
    ec2.modify_network_interface_attribute(
        NetworkInterfaceId=name,
        Attachment={"AttachmentId": attachment, "DeleteOnTermination": True})
    found = ec2.describe_network_interfaces(Filters=[
        {"Name": "attachment.instance-id", "Values": [INSTANCE]},
        {"Name": "tag:team", "Values": ["a & b <c>"]}])["NetworkInterfaces"]
    assert [e["NetworkInterfaceId"] for e in found] == [name]
    assert found[0]["Attachment"]["DeleteOnTermination"] is True
    reply = ec2.assign_private_ip_addresses(NetworkInterfaceId=name,
                                            PrivateIpAddresses=["10.0.10.200", "10.0.10.201"])
    assert len(reply["AssignedPrivateIpAddresses"]) == 2
    other = ec2.create_network_interface(SubnetId=SUBNET)["NetworkInterface"]["NetworkInterfaceId"]
    with pytest.raises(botocore.exceptions.ClientError):
        ec2.assign_private_ip_addresses(NetworkInterfaceId=other,
                                        PrivateIpAddresses=["10.0.10.200"])
    ec2.assign_private_ip_addresses(NetworkInterfaceId=other, AllowReassignment=True,
                                    PrivateIpAddresses=["10.0.10.200"])
    ec2.unassign_private_ip_addresses(NetworkInterfaceId=name, PrivateIpAddresses=["10.0.10.201"])
    enis = sim.control.state()["enis"]
    assert len(enis[name]["ipv4"]) == 1 and "10.0.10.200" in enis[other]["ipv4"]
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        ec2.delete_network_interface(NetworkInterfaceId=name)
    assert refusal.value.response["Error"]["Code"] == "InvalidParameterValue" or \
        refusal.value.response["Error"]["Code"] == "InvalidNetworkInterface.InUse"
    ec2.detach_network_interface(AttachmentId=attachment)
    ec2.get_waiter("network_interface_available").wait(
        NetworkInterfaceIds=[name], WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})
    for eni_id in (name, other):
        ec2.delete_network_interface(NetworkInterfaceId=eni_id)
    assert [e["event"] for e in sim.control.events() if e["eni"] == name] == ["plug", "unplug"]


def test_pages_by_botocore(sim):
    ec2 = sim.client()
    made = {ec2.create_network_interface(SubnetId=SUBNET)["NetworkInterface"]["NetworkInterfaceId"]
            for _ in range(12)}
    pages = list(ec2.get_paginator("describe_network_interfaces").paginate(
        Filters=[{"Name": "status", "Values": ["available"]}], PaginationConfig={"PageSize": 5}))
    assert [len(page["NetworkInterfaces"]) for page in pages] == [5, 5, 2]
    assert {e["NetworkInterfaceId"] for p in pages for e in p["NetworkInterfaces"]} == made
    for eni_id in made:
        ec2.delete_network_interface(NetworkInterfaceId=eni_id)


def test_autoscaling_by_botocore(sim):
    group, = sim.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert group["Instances"][0]["LifecycleState"] == "Pending:Wait"


def test_errors_are_parsed(sim):
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        sim.client().delete_network_interface(NetworkInterfaceId="eni-0000000000000dead")
    assert refusal.value.response["Error"]["Code"] == "InvalidNetworkInterfaceID.NotFound"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        sim.client(aws_secret_access_key="wrong").describe_subnets()
    assert refusal.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


def aws(sim, *words: str, tls: bool = False):
    """The distribution's aws command; returns its JSON."""
    endpoint = sim.ready["ec2_tls"] if tls else sim.ec2
    argv = ["/usr/bin/aws", "--endpoint-url", endpoint, "--output", "json", "ec2", *words]
    env = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "AWS_MAX_ATTEMPTS": "1",
           "AWS_ACCESS_KEY_ID": OPERATOR_KEY, "AWS_SECRET_ACCESS_KEY": OPERATOR_SECRET,
           "AWS_DEFAULT_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
           **({"AWS_CA_BUNDLE": sim.ready["ca_file"]} if tls else {})}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else {}


@pytest.mark.skipif(not os.path.exists("/usr/bin/aws"), reason="no aws command")
def test_life_of_an_interface_by_the_aws_command(sim):
    eni = aws(sim, "create-network-interface", "--subnet-id", SUBNET, "--tag-specifications",
              "ResourceType=network-interface,Tags=[{Key=a,Value=b}]")["NetworkInterface"]
    name = eni["NetworkInterfaceId"]
    attachment = aws(sim, "attach-network-interface", "--network-interface-id", name,
                     "--instance-id", INSTANCE, "--device-index", "1")["AttachmentId"]
    found = aws(sim, "describe-network-interfaces", "--filters", "Name=tag:a,Values=b",
                "--page-size", "5", tls=True)["NetworkInterfaces"]
    assert found[0]["Attachment"]["AttachmentId"] == attachment
    aws(sim, "assign-private-ip-addresses", "--network-interface-id", name,
        "--private-ip-addresses", "10.0.10.210")
    aws(sim, "unassign-private-ip-addresses", "--network-interface-id", name,
        "--private-ip-addresses", "10.0.10.210")
    sim.control.latency({"detach": 0})
    aws(sim, "detach-network-interface", "--attachment-id", attachment)
    aws(sim, "wait", "network-interface-available", "--network-interface-ids", name)
    aws(sim, "delete-network-interface", "--network-interface-id", name)
    assert name not in sim.control.state()["enis"]


def test_wrong_certificate(tmp_path):
    with running(tmp_path, "--tls", str(tmp_path / "tls"), "--tls-name", "wrong.example") as sim:
        client = sim.client(endpoint_url=sim.ready["ec2_tls"], verify=sim.ready["ca_file"])
        with pytest.raises(botocore.exceptions.SSLError):
            client.describe_subnets()


def test_unknown_authority(sim):
    with pytest.raises(botocore.exceptions.SSLError):
        sim.client(endpoint_url=sim.ready["ec2_tls"]).describe_subnets()
