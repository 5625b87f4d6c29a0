# SPDX-License-Identifier: Apache-2.0
"""conf/nodegroup.yaml: what its parameters become, and a node of the group that it makes."""

import email
import ipaddress
import json

import pytest
import yaml
from ec2sim.node import Topology
from ec2sim.scenario import default_scenario

from fleet import PRIMARY_SUBNET, Fleet
from template import Template
from test_tags import A1, A2, A3, B1, B2, FILLERS, SG1, SG2, SG3, ZONE_B

TEMPLATE = Template("conf/nodegroup.yaml")
TAG_VALUE_MAX = 256

#: what a person has to fill in
GIVEN = {
    "ClusterName": "sample", "ClusterControlPlaneSecurityGroup": SG2,
    "ApiServerEndpoint": "https://0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com",
    "CertificateAuthorityData": "LS0tLS1CRUdJTg==", "ServiceCidr": "172.20.0.0/16",
    "NodeGroupName": "upf", "NodeImageId": "ami-0123456789abcdef0", "VpcId": "vpc-0123456789abcdef0",
    "Subnets": [PRIMARY_SUBNET, ZONE_B], "MultusSubnets": [A1, B1, A2, B2], "MultusSecurityGroups": [SG1],
}


def stack(**parameters):
    return TEMPLATE.stack(**{**GIVEN, **parameters})


def group_tags(**parameters) -> dict:
    return {tag["Key"]: tag["Value"] for tag in stack(**parameters).properties("NodeGroup")["Tags"]}


def node_config(**parameters) -> dict:
    """The NodeConfig in the user data, as nodeadm finds it."""
    data = stack(**parameters).properties("NodeLaunchTemplate")["LaunchTemplateData"]["UserData"]
    [part] = email.message_from_string(data).get_payload()
    assert part.get_content_type() == "application/node.eks.aws"
    return yaml.safe_load(part.get_payload())


# -- what it makes ---------------------------------------------------------

def test_nothing_but_a_group():
    """No function, no hook, no rule, no bucket, no custom resource."""
    assert TEMPLATE.types == {
        "AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::InstanceProfile", "AWS::EC2::SecurityGroup",
        "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress", "AWS::EC2::LaunchTemplate",
        "AWS::AutoScaling::AutoScalingGroup"}
    assert "LifecycleHookSpecificationList" not in stack().properties("NodeGroup")


def test_metadata_service():
    launch = stack().properties("NodeLaunchTemplate")["LaunchTemplateData"]
    assert launch["MetadataOptions"] == {
        "HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": 1}


def test_what_is_optional():
    launch = stack().properties("NodeLaunchTemplate")["LaunchTemplateData"]
    assert "KeyName" not in launch
    launch = stack(KeyName="mine").properties("NodeLaunchTemplate")["LaunchTemplateData"]
    assert launch["KeyName"] == "mine"
    arns = [stack(AttachCniPolicy=answer).properties("NodeInstanceRole")["ManagedPolicyArns"]
            for answer in ("true", "false")]
    assert set(arns[0]) - set(arns[1]) == {"arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy"}


def test_role_may_do_what_the_policy_says():
    """The same statements as the file that people without CloudFormation use."""
    with open("conf/iam-policy.json", encoding="utf-8") as file:
        assert stack().properties("MultusPolicy")["PolicyDocument"] == json.load(file)


# -- user data -------------------------------------------------------------

def test_node_config():
    assert node_config() == {
        "apiVersion": "node.eks.aws/v1alpha1", "kind": "NodeConfig",
        "spec": {
            "cluster": {
                "name": GIVEN["ClusterName"], "apiServerEndpoint": GIVEN["ApiServerEndpoint"],
                "certificateAuthority": GIVEN["CertificateAuthorityData"], "cidr": GIVEN["ServiceCidr"]},
            "kubelet": {"flags": ["--node-labels=cnf=xyz"]}}}


@pytest.mark.parametrize("arguments, flags", [
    ("", []),
    ("--node-labels=cnf=xyz,role=upf --register-with-taints=cnf=xyz:NoSchedule",
     ["--node-labels=cnf=xyz,role=upf", "--register-with-taints=cnf=xyz:NoSchedule"])])
def test_bootstrap_arguments(arguments, flags):
    assert node_config(BootstrapArguments=arguments)["spec"]["kubelet"]["flags"] == flags


@pytest.mark.parametrize("arguments", [
    "--kubelet-extra-args '--node-labels=cnf=xyz'", "--node-labels=a=\"b\"", "--a=b  --c=d", "cnf=xyz"])
def test_bootstrap_arguments_of_before(arguments):
    """What bootstrap.sh understood and kubelet does not is refused, not handed on."""
    with pytest.raises(ValueError, match="BootstrapArguments"):
        stack(BootstrapArguments=arguments)


# -- tags ------------------------------------------------------------------

def test_tags_fit():
    """Ten ids of subnets fill a tag, and twelve of groups; the parameters' descriptions promise so."""
    tags = group_tags(MultusSubnets=FILLERS[:10], MultusSubnets2=FILLERS[5:15])
    assert len(tags["multus-eks:subnets"]) <= TAG_VALUE_MAX
    assert tags["multus-eks:subnets.2"] == ",".join(FILLERS[5:15])
    assert "multus-eks:subnets.3" not in tags
    assert len(",".join(FILLERS[:11])) > TAG_VALUE_MAX
    tags = group_tags(MultusSecurityGroups=[SG1] * 12, MultusSecurityGroups2=[SG2] * 10)
    assert len(tags["multus-eks:security-groups"]) <= TAG_VALUE_MAX < len(",".join([SG1] * 13))
    assert tags["multus-eks:security-groups.2"] == ",".join([SG2] * 10)
    assert "multus-eks:security-groups.3" not in tags


def test_tags_of_multus_stay_with_the_group():
    for tag in stack(InterfaceTags="a=b").properties("NodeGroup")["Tags"]:
        assert tag["PropagateAtLaunch"] == (not tag["Key"].startswith("multus-eks:"))


# -- nodes -----------------------------------------------------------------

with open("conf/examples/eksctl.yaml", encoding="utf-8") as _file:
    EKSCTL = yaml.safe_load(_file)
with open("conf/examples/karpenter.yaml", encoding="utf-8") as _file:
    KARPENTER = next(yaml.safe_load_all(_file))["spec"]

GROUPS = {
    "plain": {},
    "any-address": {"useIPsFromStartOfSubnet": "false", "InterfaceTags": "cnf=abc01,type=5g"},
    "pairwise": {"MultusSubnets": [A3, A1], "MultusSecurityGroups": [SG2, SG1]},
    "many": {"MultusSubnets": [A1, *FILLERS[:9]], "MultusSubnets2": [*FILLERS[9:], A2],
             "MultusSubnets3": [A3]},
    "many-pairs": {"MultusSubnets": [A1, *FILLERS[:9]], "MultusSubnets2": [*FILLERS[9:], A2],
                   "MultusSubnets3": [A3], "MultusSecurityGroups": [SG1, *[SG2] * 9],
                   "MultusSecurityGroups2": [*[SG1] * 6, SG2], "MultusSecurityGroups3": [SG3]},
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    world = default_scenario()
    world["subnets"] += [{"id": filler, "az": "eu-central-1b", "cidr": f"10.0.{100 + n}.0/24"}
                         for n, filler in enumerate(FILLERS)]
    world["subnets"] += [{"id": f"subnet-0{15 * zone}{n}", "az": f"eu-central-1{zone}", "cidr": cidr}
                         for zone, n, cidr in (("a", 1, "10.0.201.0/24"), ("a", 2, "10.0.202.0/24"),
                                               ("b", 1, "10.0.203.0/24"), ("b", 2, "10.0.204.0/24"))]
    world["security_groups"] += [{"id": "sg-01111111111111111", "name": "of-examples"}]
    world["asgs"] += [{"name": name, "hooks": [], "subnets": GIVEN["Subnets"], "tags": tags}
                      for name, tags in {**{name: group_tags(**parameters)
                                            for name, parameters in GROUPS.items()},
                                         "eksctl": EKSCTL["nodeGroups"][0]["tags"]}.items()]
    with Topology(world, nodes=()) as region:
        yield Fleet(region, tmp_path_factory.mktemp("nodes"))


def boot(fleet, group, **tags) -> list:
    """The interfaces of a node of that group, whose image says nothing of networks."""
    fleet.control.clear()
    node = fleet.launch(asg=group, tags={"kubernetes.io/cluster/sample": "owned", **tags})
    daemon = fleet.daemon(node, "")
    daemon.start()
    daemon.wait_ready()
    assert daemon.errors() == []
    assert daemon.stop() == 0
    return fleet.interfaces(node)


def test_node(fleet):
    enis = boot(fleet, "plain")
    assert [eni["subnet_id"] for eni in enis] == [A1, A2]  # of its own zone
    assert [eni["groups"] for eni in enis] == [[SG1], [SG1]]
    assert [eni["tags"]["multus-eks:nodegroup"] for eni in enis] == ["plain"] * 2


def test_node_at_the_start_of_subnets(fleet):
    """The next free ones of each subnet."""
    for eni, later in zip(boot(fleet, "plain"), boot(fleet, "plain"), strict=True):
        [before], [after] = eni["ipv4"], later["ipv4"]
        assert ipaddress.ip_address(after) == ipaddress.ip_address(before) + 1


def test_node_at_any_address(fleet):
    enis = boot(fleet, "any-address")
    assert fleet.control.calls("GetSubnetCidrReservations") == []  # nobody asks what is free
    assert [(eni["tags"]["cnf"], eni["tags"]["type"]) for eni in enis] == [("abc01", "5g")] * 2


def test_node_with_paired_groups(fleet):
    enis = boot(fleet, "pairwise")
    assert [(eni["subnet_id"], eni["groups"]) for eni in enis] == [(A3, [SG2]), (A1, [SG1])]


def test_node_of_many_subnets(fleet):
    assert [eni["subnet_id"] for eni in boot(fleet, "many")] == [A1, A2, A3]


def test_node_of_many_pairs(fleet):
    """More groups than a tag holds, each with its subnet."""
    enis = boot(fleet, "many-pairs")
    assert [(eni["subnet_id"], eni["groups"]) for eni in enis] == [(A1, [SG1]), (A2, [SG2]), (A3, [SG3])]


# -- other ways to make nodes ----------------------------------------------

IN_EXAMPLES = ["subnet-0aaaaaaaaaaaaaaa1", "subnet-0aaaaaaaaaaaaaaa2"]


def test_node_of_eksctl(fleet):
    assert [eni["subnet_id"] for eni in boot(fleet, "eksctl")] == IN_EXAMPLES


def test_node_of_karpenter(fleet):
    """Without a group: the tags are the instance's."""
    assert [eni["subnet_id"] for eni in boot(fleet, "", **KARPENTER["tags"])] == IN_EXAMPLES


@pytest.mark.parametrize("tags", [EKSCTL["nodeGroups"][0]["tags"], KARPENTER["tags"]],
                         ids=["eksctl", "karpenter"])
def test_examples_have_tags_that_fit(tags):
    assert all(len(value) <= TAG_VALUE_MAX for value in tags.values())
