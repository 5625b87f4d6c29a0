# SPDX-License-Identifier: Apache-2.0
"""multus-eksctl policy: enough for all that a node does, and no action that nothing does."""

import json
import pathlib
import subprocess

import botocore.session
import pytest
from ec2sim.action import Caller
from ec2sim.iam import Policy
from ec2sim.node import Topology
from ec2sim.tests.ec2_client import GROUP, NODE, SUBNET_A, Client, tag_spec

from fleet import PRIMARY_SUBNET, Fleet
from harness import EKSCTL, SUBNETS
from registering import ASSIGN6, Registering, scenario, until
from test_sweep import GONE, leak

SHIPPED = pathlib.Path("conf/iam-policy.json")
DEFAULT = "conf/multus-eks.conf"
OTHER_GROUP = "sg-00000000000000e45"
DENIED = "UnauthorizedOperation"
#: of a managed policy, white space not counted (IAM User Guide, "IAM and AWS STS quotas")
POLICY_MAX = 6144


def run(*arguments):
    return subprocess.run([EKSCTL, "policy", *arguments], capture_output=True, text=True, timeout=30,
                          check=False)


def policy(*arguments) -> dict:
    result = run(*arguments)
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


@pytest.fixture
def policy_of(tmp_path):
    """The policy for the text of a configuration."""
    def of(text, *arguments):
        path = tmp_path / "policy.conf"
        path.write_text(text)
        return policy("--config", str(path), *arguments)
    return of


def actions(document) -> set:
    return {action for statement in document["Statement"] for action in statement["Action"]}


def resources(document, sid) -> list:
    return next(s["Resource"] for s in document["Statement"] if s["Sid"] == sid)


# -- what it is ------------------------------------------------------------

def test_shipped_one_is_for_the_shipped_configuration():
    assert SHIPPED.read_text() == run("--config", DEFAULT).stdout


def test_names_are_those_of_aws():
    session = botocore.session.get_session()
    known = {f"{service}:{name}" for service in ("ec2", "autoscaling")
             for name in session.get_service_model(service).operation_names}
    document = json.loads(SHIPPED.read_text())
    assert document["Version"] == "2012-10-17"
    assert actions(document) <= known
    assert not [action for action in actions(document) if "*" in action]
    assert len("".join(json.dumps(document).split())) <= POLICY_MAX
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert all(sid.isalnum() for sid in sids) and len(set(sids)) == len(sids)


def test_all_resources_only_where_aws_allows_nothing_less():
    document = json.loads(SHIPPED.read_text())
    everything, = [s for s in document["Statement"] if "*" in s["Resource"]]
    reads = ("ec2:Describe", "ec2:Get", "autoscaling:Describe")
    assert all(action.startswith(reads) for action in everything["Action"])


CIDR = "ec2:GetSubnetCidrReservations"
HOOK = {"autoscaling:DescribeLifecycleHooks", "autoscaling:CompleteLifecycleAction",
        "autoscaling:RecordLifecycleActionHeartbeat"}
IPV6 = {"ec2:AssignIpv6Addresses", "ec2:UnassignIpv6Addresses"}
REGISTRATION = IPV6 | {"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"}
UNTAGGED = "[discovery]\ntags = no\n"


@pytest.mark.parametrize("text, arguments, left_out", [
    ("", (), set()),
    (UNTAGGED, (), {CIDR}),
    (UNTAGGED + "[network]\nip_allocation = subnet-start\n", (), set()),
    (UNTAGGED + "[network a]\nip_allocation = subnet-start\nsubnets = subnet-1\n", (), set()),
    (UNTAGGED + "[network]\nip_allocation = subnet-start\n"
                "[network a]\nip_allocation = dynamic\nsubnets = subnet-1\n", (), {CIDR}),
    # a tag may turn it on, but not where a named network decides
    ("[network]\nip_allocation = dynamic\nipv6 = no\n", (), set()),
    ("[network a]\nip_allocation = dynamic\nipv6 = no\nsubnets = subnet-1\n", (), {CIDR} | IPV6),
    ("[daemon]\nlifecycle_hook = none\n", (), HOOK),
    (UNTAGGED + "[daemon]\nlifecycle_hook = none\n", (),
     {CIDR, "autoscaling:DescribeAutoScalingGroups"} | HOOK),
    (UNTAGGED + "[network]\nipv6 = no\n", (), {CIDR} | IPV6),
    ("", ("--no-registration",), REGISTRATION),
])
def test_what_is_left_out(policy_of, text, arguments, left_out):
    assert actions(json.loads(SHIPPED.read_text())) - actions(policy_of(text, *arguments)) == left_out


@pytest.mark.parametrize("text, sid", [
    ("[daemon]\nsweep_leaked = no\n", "DeleteLeftInterfaces"),
    ("[registration]\nallow_reassign = no\n", "MoveIpv6Addresses"),
])
def test_what_concerns_the_interfaces_of_others(policy_of, text, sid):
    def sids(document):
        return {statement["Sid"] for statement in document["Statement"]}
    assert sids(policy_of("")) - sids(policy_of(text)) == {sid}


def test_what_the_file_names(policy_of):
    """Subnets and groups by name, once nothing but the file can name others."""
    text = "[network]\nsubnets = subnet-1, subnet-2\nsecurity_groups = sg-1\n" \
           "[network a]\nsubnets = subnet-3, subnet-1\n[network b]\nsecurity_groups = sg-2\n"
    named = policy_of(UNTAGGED + text)
    ec2 = "arn:aws:ec2:*:*:"
    groups = [f"{ec2}security-group/{name}" for name in ("sg-1", "sg-2")]
    assert resources(named, "CreateInterfaceIn") == \
        [f"{ec2}subnet/{name}" for name in ("subnet-3", "subnet-1", "subnet-2")] + groups
    assert resources(named, "SetSecurityGroups") == groups
    assert resources(policy_of(text), "CreateInterfaceIn") == [f"{ec2}subnet/*", f"{ec2}security-group/*"]
    assert resources(policy_of(UNTAGGED + "[network]\nsubnets = subnet-1\n"), "CreateInterfaceIn") == \
        [f"{ec2}subnet/subnet-1", f"{ec2}security-group/*"]


@pytest.mark.parametrize("text, arguments, partition", [
    ("", (), "aws"), ("[aws]\nregion = eu-west-1\n", (), "aws"),
    ("[aws]\nregion = cn-north-1\n", (), "aws-cn"), ("[aws]\nregion = us-gov-east-1\n", (), "aws-us-gov"),
    ("", ("--partition", "aws-iso"), "aws-iso"),
])
def test_partition(policy_of, text, arguments, partition):
    arns = [arn for s in policy_of(text, *arguments)["Statement"] for arn in s["Resource"] if arn != "*"]
    assert {arn.split(":")[1] for arn in arns} == {partition}
    assert f"arn:{partition}:ec2:*:*:instance/" in json.dumps(policy_of(text, *arguments))


@pytest.mark.parametrize("arguments, status, word", [
    (["--partition", "eu-west-1"], 2, "eu-west-1"), (["--partition", "aws:*"], 2, "aws:*"),
    (["more"], 2, "more"), (["--what"], 2, "--what"), (["--config", "/nowhere"], 1, "/nowhere"),
])
def test_mistakes(arguments, status, word):
    result = run(*arguments)
    assert (result.returncode, result.stdout) == (status, "") and word in result.stderr


# -- whose interfaces ------------------------------------------------------

OWN = {"node.k8s.amazonaws.com/no_manage": "true", "multus-eks:instance-id": NODE,
       "multus-eks:nodegroup": "multus-nodes"}
STRANGER = "i-00000000000000002"


@pytest.fixture
def aws():
    return Client()


def code(aws, caller, action, **arguments) -> str:
    """What the shipped policy lets @caller do: "" or the error's code; nothing of it stays done."""
    mine, aws.caller = aws.caller, Caller(role_name="multus-node", instance_id=caller,
                                          policy=Policy(json.loads(SHIPPED.read_text())))
    try:
        return aws.refusal(action, **arguments)
    except AssertionError:
        return ""
    finally:
        aws.caller = mine


@pytest.mark.parametrize("tags, expected", [
    (OWN, ""),
    ({**OWN, "multus-eks:instance-id": STRANGER}, DENIED),
    ({**OWN, "node.k8s.amazonaws.com/no_manage": "false"}, DENIED),
    ({"Name": "mine"}, DENIED),
])
def test_create_is_for_oneself(aws, tags, expected):
    assert code(aws, NODE, "CreateNetworkInterface", SubnetId=SUBNET_A, Groups=[GROUP],
                TagSpecifications=tag_spec(**tags)) == expected


def test_create_without_tags(aws):
    assert code(aws, NODE, "CreateNetworkInterface", SubnetId=SUBNET_A) == DENIED


def test_no_tags_afterwards(aws):
    eni = aws.create()["NetworkInterfaceId"]
    assert code(aws, NODE, "CreateTags", Resources=[eni, NODE],
                Tags=[{"Key": "multus-eks:instance-id", "Value": NODE}]) == DENIED


@pytest.mark.parametrize("action, arguments", [
    ("AttachNetworkInterface", {"InstanceId": NODE, "DeviceIndex": 1}),
    ("DeleteNetworkInterface", {}),
    ("ModifyNetworkInterfaceAttribute", {"SourceDestCheck": {"Value": False}}),
    ("ModifyNetworkInterfaceAttribute", {"Groups": [OTHER_GROUP]}),
    ("AssignPrivateIpAddresses", {"PrivateIpAddresses": ["10.0.10.77"]}),
    ("UnassignPrivateIpAddresses", {"PrivateIpAddresses": ["10.0.10.78"]}),
    ("AssignIpv6Addresses", {"Ipv6Addresses": ["2001:db8:e2c:10::77"]}),
    ("UnassignIpv6Addresses", {"Ipv6Addresses": ["2001:db8:e2c:10::78"]}),
])
def test_own_interfaces_alone(aws, action, arguments):
    def interface(**tags):
        more = {"TagSpecifications": tag_spec(**tags)} if tags else {}
        addresses = [{"PrivateIpAddress": "10.0.10.76", "Primary": True}, {"PrivateIpAddress": "10.0.10.78"}]
        return aws.create(PrivateIpAddresses=addresses, **more,
                          Ipv6Addresses=[{"Ipv6Address": "2001:db8:e2c:10::78"}])["NetworkInterfaceId"]

    # the pod network's own, and another node's: of those, what vanished nodes left may be deleted
    # and an IPv6 address be moved
    for tags, expected in (({}, DENIED), ({**OWN, "multus-eks:instance-id": STRANGER},
                                          "" if action.startswith("Delete") or "Ipv6" in action else DENIED),
                           (OWN, "")):
        eni = interface(**tags)
        assert code(aws, NODE, action, NetworkInterfaceId=eni, **arguments) == expected, tags
        if eni in aws.world.enis:
            held = aws.world.enis[eni]
            if held.attachment:
                aws.world.detach(held)
            aws.world.delete_eni(held)


def test_own_instance_alone(aws):
    """Neither to another instance, nor from it, even what bears the right tags."""
    eni = aws.create(TagSpecifications=tag_spec(**{**OWN, "multus-eks:instance-id": STRANGER}))
    arguments = {"NetworkInterfaceId": eni["NetworkInterfaceId"], "InstanceId": NODE, "DeviceIndex": 1}
    assert code(aws, STRANGER, "AttachNetworkInterface", **arguments) == DENIED
    aws.call("AttachNetworkInterface", **arguments)
    attachment = aws.describe(eni["NetworkInterfaceId"])[0]["Attachment"]["AttachmentId"]
    for caller in (NODE, STRANGER):
        assert code(aws, caller, "DetachNetworkInterface", AttachmentId=attachment) == DENIED
        assert code(aws, caller, "ModifyNetworkInterfaceAttribute",
                    NetworkInterfaceId=eni["NetworkInterfaceId"],
                    Attachment={"AttachmentId": attachment, "DeleteOnTermination": True}) == DENIED


# -- a node's life under it ------------------------------------------------

V4, V6 = "10.0.10.201", "2001:db8:e2c:10::a1"
NODES = "multus-nodes"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    world = scenario()
    world["asgs"].append({"name": "impatient", "subnets": [PRIMARY_SUBNET],
                             "hooks": [{"name": "launch", "heartbeat_timeout": 6}]})
    with Topology(world, nodes=()) as region:
        yield Fleet(region, tmp_path_factory.mktemp("nodes"))


def networks(subnets, **keys) -> str:
    settings = {"subnets": ", ".join(subnets), "security_groups": GROUP, **keys}
    return "[network]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())


def done(control) -> set:
    """The permissions that were used; none may have been lacking."""
    calls = control.calls()
    assert [(c["action"], c["code"]) for c in calls if c["code"] in (DENIED, "AccessDenied")] == []
    used = {f"{call['service']}:{call['action']}" for call in calls if call["status"] == 200}
    tagged = any(key.startswith("TagSpecification") for call in calls for key in call["params"])
    return used | ({"ec2:CreateTags"} if tagged else set())


def late_boot(fleet, node):
    """So late that the group's hook wants a heartbeat."""
    fleet.control.gate("RecordLifecycleActionHeartbeat", when="after")
    fleet.control.plug(order=[7, 1], name="ens%d")
    node.daemon.start()
    fleet.control.gate_reached()
    fleet.control.gate_off()
    # the one that was held may have been given up; the next one is answered
    wait_called(fleet.control, "RecordLifecycleActionHeartbeat")
    stranger = fleet.control.post("/foreign-eni", {
        "subnet": PRIMARY_SUBNET, "instance": node.node.instance_id, "device_index": 7})["id"]
    node.daemon.wait_ready()
    fleet.control.plug(order=[])
    fleet.control.delete(f"/enis/{stranger}")


def wait_called(control, action, n=1):
    until(lambda: sum(call["status"] == 200 for call in control.calls(action)) >= n, action)


def register(node, other, addresses):
    """Here, then there, then given back."""
    for address in addresses:
        assert node.put(address).status == 200
        assert other.put(address).status == 200
        assert other.delete(address).status == 200
        until(lambda: address not in other.in_ec2() | other.in_ec2_6(), "the release")


FULL = {"head": "", "keys": {"ip_allocation": "subnet-start"}}
LEAST = {"head": "[daemon]\nlifecycle_hook = none\nsweep_leaked = no\n" + UNTAGGED, "keys": {"ipv6": "no"}}


@pytest.mark.parametrize("setting, has", [
    (FULL, {"hook", "sweep", "ipv6"}), (LEAST, set()),
], ids=["everything", "least"])
def test_life(fleet, policy_of, setting, has):
    """
    Boot, one network less and other groups at the next start, addresses that come and move and go:
    everything that the policy allows is used, and it allows everything that is used.
    """
    control, registration = fleet.control, {"release_cooldown": "0"}
    first = setting["head"] + networks(SUBNETS[:2], **setting["keys"])
    later = setting["head"] + networks(SUBNETS[:1], **{**setting["keys"], "security_groups": OTHER_GROUP})
    left = leak(fleet, GONE, 60, "impatient") if "sweep" in has else None
    node = Registering(fleet, first, {"asg": "impatient" if "hook" in has else NODES}, **registration)
    other = Registering(fleet, first, {"asg": NODES}, **registration)
    document = policy_of(first + "[registration]\nrelease_cooldown = 0\n")
    if setting is LEAST:  # both groups are named in it, for the second start is under it as well
        document = policy_of(first.replace(GROUP, f"{GROUP}, {OTHER_GROUP}"))
    control.clear()
    control.policy(document)
    try:
        if "hook" in has:
            late_boot(fleet, node)
        else:
            node.start()
        other.start()
        if left:
            until(lambda: left not in control.state()["enis"], "the sweep")
        node.daemon.kill()
        node.daemon.configure(later + "[registration]\nrelease_cooldown = 0\n")
        node.start()
        wait_called(control, "DeleteNetworkInterface")
        assert [eni["groups"] for eni in fleet.interfaces(node.node)] == [[OTHER_GROUP]]
        register(node, other, [V4, V6] if "ipv6" in has else [V4])
        if "hook" in has:
            wait_called(control, "CompleteLifecycleAction")
        assert done(control) == actions(document)
    finally:
        control.policy(None)
        node.__exit__(True)
        other.__exit__(True)
        for eni in fleet.available():
            control.delete(f"/enis/{eni}")


def test_rollback_of_a_move(fleet):
    """An IPv6 address that cannot be had here goes back to the interface of the other node."""
    with Registering(fleet, networks(SUBNETS[:1])) as old, Registering(fleet, networks(SUBNETS[:1])) as new:
        assert old.put(V6).status == 200
        fleet.control.policy(json.loads(SHIPPED.read_text()))
        try:
            fleet.control.faults({"action": ASSIGN6, "node": new.node.instance_id, "k": 2, "n": 1,
                                  "do": "error", "code": "PrivateIpAddressLimitExceeded"})
            assert new.put(V6).code == "address_limit"
            assert V6 in old.in_ec2_6() and V6 not in new.in_ec2_6()
        finally:
            fleet.control.policy(None)
