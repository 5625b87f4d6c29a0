# SPDX-License-Identifier: Apache-2.0
"""The describes: records, every filter by value and by name, pages, dry runs."""

import pytest

from ec2sim import scenario
from ec2sim.tests.ec2_client import (DEFAULT_GROUP, GROUP, NODE, SUBNET_A, SUBNET_A2, SUBNET_B,
                                     SUBNET_EKS, Client, tag_spec)


@pytest.fixture
def aws():
    return Client()


@pytest.fixture
def enis(aws):
    """Three ENIs that differ in everything, the first attached."""
    one = aws.create(PrivateIpAddress="10.0.10.9", Description="oam *", Groups=[GROUP],
                     SecondaryPrivateIpAddressCount=1,
                     Ipv6Addresses=[{"Ipv6Address": "2001:db8:e2c:10::9"}],
                     TagSpecifications=tag_spec(net="oam", owner="me"))
    two = aws.create(SUBNET_A2, TagSpecifications=tag_spec(net="sig", owner="you"))
    three = aws.create(SUBNET_B, Description="spare")
    aws.attach(one["NetworkInterfaceId"], 1)
    aws.call("ModifyNetworkInterfaceAttribute", NetworkInterfaceId=two["NetworkInterfaceId"],
             SourceDestCheck={"Value": False})
    return [one, two, three]


def found(aws, enis, **filters):
    """Which of the three a describe gives, by number; p is the node's primary ENI."""
    ids = [e["NetworkInterfaceId"] for e in enis]
    names = {eni_id: str(n + 1) for n, eni_id in enumerate(ids)}
    reply = aws.call("DescribeNetworkInterfaces", Filters=[
        {"Name": name.replace("__", ":").replace("_", "-"), "Values": values}
        for name, values in filters.items()])
    return "".join(names.get(e["NetworkInterfaceId"], "p") for e in reply["NetworkInterfaces"])


@pytest.mark.parametrize("name, values, expected", [
    ("subnet-id", [SUBNET_A], "1"),
    ("subnet-id", [SUBNET_A, SUBNET_B], "13"),
    ("vpc-id", [scenario.DEFAULT_VPC], "p123"),
    ("availability-zone", ["eu-central-1a"], "p12"),
    ("status", ["available"], "23"),
    ("status", ["in-use"], "p1"),
    ("description", ["spare"], "3"),
    ("description", ["oam \\*"], "1"),
    ("description", ["sp?re"], "3"),
    ("description", ["*a*"], "13"),
    ("description", ["SPARE"], ""),
    ("group-id", [GROUP], "1"),
    ("group-id", [GROUP, DEFAULT_GROUP], "123"),
    ("group-name", ["multus"], "1"),
    ("private-ip-address", ["10.0.10.9"], "1"),
    ("private-ip-address", ["10.0.1*.*"], "13"),
    ("addresses.private-ip-address", ["10.0.10.9"], "1"),
    ("addresses.primary", ["false"], "1"),
    ("addresses.primary", ["true"], "p123"),
    ("ipv6-addresses.ipv6-address", ["2001:db8:e2c:10::9"], "1"),
    ("private-dns-name", ["ip-10-0-10-9.eu-central-1.compute.internal"], "1"),
    ("source-dest-check", ["false"], "2"),
    ("interface-type", ["interface"], "p123"),
    ("owner-id", ["123456789012"], "p123"),
    ("owner-id", ["000000000000"], ""),
    ("requester-managed", ["false"], "p123"),
    ("requester-id", [f"multus-node:{NODE}"], "123"),
    ("attachment.instance-id", [NODE], "p1"),
    ("attachment.instance-owner-id", ["123456789012"], "p1"),
    ("attachment.device-index", ["1"], "1"),
    ("attachment.network-card-index", ["0"], "p1"),
    ("attachment.status", ["attached"], "p1"),
    ("attachment.delete-on-termination", ["true"], "p"),
    ("attachment.attachment-id", ["eni-attach-*"], "p1"),
    ("attachment.attach-time", ["2026-05-01T12:00:00.000Z"], "p1"),
    ("mac-address", ["02:*"], "p123"),
    ("network-interface-id", ["eni-0????????????????"], "p123"),
    ("tag:net", ["oam"], "1"),
    ("tag:net", ["*"], "12"),
    ("tag:net", ["oam", "sig"], "12"),
    ("tag:Net", ["oam"], ""),
    ("tag-key", ["net"], "12"),
    ("tag-key", ["own*"], "12"),
])
def test_eni_filters(aws, enis, name, values, expected):
    assert found(aws, enis, **{name: values}) == expected


def test_filters_are_anded(aws, enis):
    assert found(aws, enis, tag__owner=["*"], status=["available"]) == "2"
    assert found(aws, enis, tag__owner=["me"], status=["available"]) == ""


def test_ids_and_filters_together(aws, enis):
    ids = [e["NetworkInterfaceId"] for e in enis[:2]]
    reply = aws.call("DescribeNetworkInterfaces", NetworkInterfaceIds=ids,
                     Filters=[{"Name": "status", "Values": ["available"]}])
    assert [e["NetworkInterfaceId"] for e in reply["NetworkInterfaces"]] == ids[1:]


DESCRIBES = {
    "DescribeNetworkInterfaces": {}, "DescribeInstances": {}, "DescribeSubnets": {},
    "DescribeTags": {}, "DescribeInstanceTypes": {},
    "GetSubnetCidrReservations": {"SubnetId": SUBNET_A},
}


@pytest.mark.parametrize("action", DESCRIBES)
@pytest.mark.parametrize("filters, code", [
    ([{"Name": "no-such-filter", "Values": ["x"]}], "InvalidParameterValue"),
    ([{"Values": ["x"]}], "InvalidParameterValue"),
    ([{"Name": "tag:x", "Values": []}], "InvalidParameterValue"),
    ([{"Name": "tag:x", "Values": ["y"] * 201}], "FilterLimitExceeded"),
])
def test_bad_filters(aws, action, filters, code):
    assert aws.refusal(action, Filters=filters, **DESCRIBES[action]) == code


# -- pages -----------------------------------------------------------------

def pages(aws, action, member, size, **arguments):
    """All records of an action, page by page, each page checked for its size."""
    records, token = [], None
    while True:
        extra = {"NextToken": token} if token else {}
        reply = aws.call(action, MaxResults=size, **arguments, **extra)
        records += reply[member]
        token = reply.get("NextToken")
        if not token:
            assert len(reply[member]) <= size
            return records
        assert len(reply[member]) == size


def test_pages_of_enis(aws):
    made = [aws.create(TagSpecifications=tag_spec(a="b"))["NetworkInterfaceId"] for _ in range(15)]
    filters = [{"Name": "tag:a", "Values": ["b"]}]
    for size in (5, 6, 15, 16):
        got = pages(aws, "DescribeNetworkInterfaces", "NetworkInterfaces", size, Filters=filters)
        assert [e["NetworkInterfaceId"] for e in got] == made


def test_page_survives_a_delete(aws):
    made = [aws.create(TagSpecifications=tag_spec(a="b"))["NetworkInterfaceId"] for _ in range(8)]
    filters = [{"Name": "tag:a", "Values": ["b"]}]
    first = aws.call("DescribeNetworkInterfaces", MaxResults=5, Filters=filters)
    for eni_id in made[2:5]:
        aws.call("DeleteNetworkInterface", NetworkInterfaceId=eni_id)
    rest = aws.call("DescribeNetworkInterfaces", MaxResults=5, Filters=filters,
                    NextToken=first["NextToken"])
    assert [e["NetworkInterfaceId"] for e in rest["NetworkInterfaces"]] == made[5:]
    assert "NextToken" not in rest


def test_pages_of_the_others(aws):
    for number in range(7):
        scenario.add_instance(aws.world, {"type": "m5.large", "subnet": SUBNET_EKS,
                                          "tags": {"n": str(number)}})
    subnets = pages(aws, "DescribeSubnets", "Subnets", 5)
    assert len({s["SubnetId"] for s in subnets}) == len(subnets) == 8
    kinds = pages(aws, "DescribeInstanceTypes", "InstanceTypes", 5)
    assert len({k["InstanceType"] for k in kinds}) == len(kinds) == len(aws.world.instance_types)
    nodes = pages(aws, "DescribeInstances", "Reservations", 5)
    assert len({r["Instances"][0]["InstanceId"] for r in nodes}) == len(nodes) == 8
    tags = pages(aws, "DescribeTags", "Tags", 5)
    assert len({(t["ResourceId"], t["Key"]) for t in tags}) == len(tags) == 7 + 3 + 8


@pytest.mark.parametrize("action, ids, value", [
    ("DescribeNetworkInterfaces", "NetworkInterfaceIds", "eni-0123456789abcdef0"),
    ("DescribeInstances", "InstanceIds", NODE),
    ("DescribeSubnets", "SubnetIds", SUBNET_A),
    ("DescribeInstanceTypes", "InstanceTypes", "m5.large"),
])
def test_max_results_and_ids(aws, action, ids, value):
    if action == "DescribeNetworkInterfaces":
        value = aws.create()["NetworkInterfaceId"]
    assert aws.refusal(action, MaxResults=5, **{ids: [value]}) == "InvalidParameterCombination"


@pytest.mark.parametrize("action", DESCRIBES)
def test_bad_pages(aws, action):
    aws.validate = False
    base = DESCRIBES[action]
    for size in (0, 4, 1001, -1):
        assert aws.refusal(action, MaxResults=size, **base) == "InvalidParameterValue"
    for token in ("x", "AAAA", "bnVsbA==", "W10="):
        assert aws.refusal(action, NextToken=token, **base) == "InvalidNextToken"


def test_token_serves_its_own_request_only(aws):
    for _ in range(7):
        aws.create()
    token = aws.call("DescribeNetworkInterfaces", MaxResults=5)["NextToken"]
    assert aws.refusal("DescribeNetworkInterfaces", MaxResults=5, NextToken=token, Filters=[
        {"Name": "status", "Values": ["in-use"]}]) == "InvalidNextToken"


@pytest.mark.parametrize("action, ids, code, malformed", [
    ("DescribeNetworkInterfaces", "NetworkInterfaceIds", "InvalidNetworkInterfaceID.NotFound",
     "InvalidNetworkInterfaceId.Malformed"),
    ("DescribeInstances", "InstanceIds", "InvalidInstanceID.NotFound",
     "InvalidInstanceID.Malformed"),
    ("DescribeSubnets", "SubnetIds", "InvalidSubnetID.NotFound", "InvalidSubnetID.Malformed"),
])
def test_wrong_ids(aws, action, ids, code, malformed):
    prefix = {"N": "eni", "I": "i", "S": "subnet"}[ids[0]]
    error = aws.refused(action, **{ids: [f"{prefix}-0123456789abcdef0"]})
    assert error.code == code and f"'{prefix}-0123456789abcdef0' does not exist" in error.message
    assert aws.refusal(action, **{ids: [f"{prefix}-12345"]}) == malformed
    assert aws.refusal(action, **{ids: ["nonsense"]}) == malformed


# -- records of the rest ---------------------------------------------------

def test_instance(aws, enis):
    reply = aws.call("DescribeInstances", InstanceIds=[NODE])
    assert len(reply["Reservations"]) == 1 and reply["Reservations"][0]["ReservationId"]
    node = reply["Reservations"][0]["Instances"][0]
    assert node["InstanceType"] == "m5.4xlarge" and node["State"] == {"Code": 16, "Name": "running"}
    assert node["Placement"]["AvailabilityZone"] == "eu-central-1a"
    assert node["SubnetId"] == SUBNET_EKS and node["VpcId"] == scenario.DEFAULT_VPC
    assert node["PrivateIpAddress"] == "10.0.0.10" and node["LaunchTime"] == aws.clock.now()
    tags = {t["Key"]: t["Value"] for t in node["Tags"]}
    assert tags["aws:autoscaling:groupName"] == "multus-nodes" and tags["Name"] == "sample-node"
    primary, other = node["NetworkInterfaces"]
    assert primary["Attachment"]["DeviceIndex"] == 0
    assert primary["Attachment"]["DeleteOnTermination"] is True
    assert other["PrivateIpAddresses"][0]["PrivateIpAddress"] == "10.0.10.9"
    assert other["Ipv6Addresses"] == [{"Ipv6Address": "2001:db8:e2c:10::9"}]
    assert other["Groups"] == [{"GroupId": GROUP, "GroupName": "multus"}]
    assert node["IamInstanceProfile"]["Arn"].endswith("instance-profile/multus-node")


def test_public_address_and_primary_ipv6():
    description = scenario.default_scenario()
    description["instances"][0].update(subnet=SUBNET_A, primary_ip="10.0.10.10", ipv6_count=1,
                                       public_ip="198.51.100.7")
    aws = Client(description)
    node = aws.call("DescribeInstances")["Reservations"][0]["Instances"][0]
    association = {"PublicIp": "198.51.100.7", "IpOwnerId": "amazon",
                   "PublicDnsName": "ec2-198-51-100-7.compute.amazonaws.com"}
    eni = node["NetworkInterfaces"][0]
    assert node["PublicIpAddress"] == "198.51.100.7" and eni["Association"] == association
    assert node["Ipv6Address"] == eni["Ipv6Addresses"][0]["Ipv6Address"]
    assert eni["PrivateIpAddresses"][0]["Association"] == association
    for name in ("association.public-ip", "addresses.association.public-ip"):
        assert len(aws.call("DescribeNetworkInterfaces", Filters=[
            {"Name": name, "Values": ["198.51.*"]}])["NetworkInterfaces"]) == 1
    assert aws.call("DescribeInstances", Filters=[
        {"Name": "ip-address", "Values": ["198.51.100.7"]}])["Reservations"]


@pytest.mark.parametrize("name, values, hit", [
    ("instance-id", [NODE], True), ("instance-type", ["m5.*"], True),
    ("instance-state-name", ["running"], True), ("instance-state-name", ["stopped"], False),
    ("instance-state-code", ["16"], True), ("vpc-id", [scenario.DEFAULT_VPC], True),
    ("subnet-id", [SUBNET_A], False), ("subnet-id", [SUBNET_EKS], True),
    ("availability-zone", ["eu-central-1b"], False), ("architecture", ["x86_64"], True),
    ("private-ip-address", ["10.0.0.10"], True), ("private-ip-address", ["10.0.10.9"], False),
    ("private-dns-name", ["ip-10-0-0-10.*"], True), ("image-id", ["ami-*"], True),
    ("instance.group-id", [GROUP], False), ("network-interface.group-id", [GROUP], True),
    ("network-interface.subnet-id", [SUBNET_A], True), ("ip-address", ["*"], False),
    ("network-interface.addresses.private-ip-address", ["10.0.10.9"], True),
    ("network-interface.ipv6-addresses.ipv6-address", ["2001:db8:e2c:10::9"], True),
    ("network-interface.attachment.device-index", ["1"], True),
    ("network-interface.attachment.status", ["attaching"], False),
    ("network-interface.attachment.attachment-id", ["eni-attach-*"], True),
    ("network-interface.mac-address", ["02:*"], True),
    ("network-interface.vpc-id", [scenario.DEFAULT_VPC], True),
    ("network-interface.network-interface-id", ["eni-*"], True),
    ("owner-id", ["123456789012"], True), ("reservation-id", ["r-*"], True),
    ("launch-time", ["2026-05-01T*"], True),
    ("tag:aws:autoscaling:groupName", ["multus-nodes"], True), ("tag-key", ["nope"], False),
])
def test_instance_filters(aws, enis, name, values, hit):
    reply = aws.call("DescribeInstances", Filters=[{"Name": name, "Values": values}])
    assert len(reply["Reservations"]) == hit


def test_subnet(aws):
    subnet = aws.call("DescribeSubnets", SubnetIds=[SUBNET_A])["Subnets"][0]
    assert subnet["CidrBlock"] == "10.0.10.0/24" and subnet["AvailableIpAddressCount"] == 251
    assert subnet["AvailabilityZone"] == "eu-central-1a"
    assert subnet["AvailabilityZoneId"] == "euc1-az1" and subnet["State"] == "available"
    association = subnet["Ipv6CidrBlockAssociationSet"][0]
    assert association["Ipv6CidrBlock"] == "2001:db8:e2c:10::/64"
    assert association["Ipv6CidrBlockState"] == {"State": "associated"}
    assert subnet["SubnetArn"].endswith(f":subnet/{SUBNET_A}")
    assert subnet["Tags"] == [{"Key": "Name", "Value": "oam-a"}]
    plain = aws.call("DescribeSubnets", SubnetIds=[SUBNET_EKS])["Subnets"][0]
    assert plain["Ipv6CidrBlockAssociationSet"] == [] and plain["AvailableIpAddressCount"] == 250


@pytest.mark.parametrize("name, values, count", [
    ("availability-zone", ["eu-central-1a"], 4), ("availabilityZone", ["eu-central-1b"], 4),
    ("availability-zone-id", ["euc1-az2"], 4), ("vpc-id", [scenario.DEFAULT_VPC], 8),
    ("subnet-id", [SUBNET_A, SUBNET_B], 2), ("cidr-block", ["10.0.10.0/24"], 1),
    ("cidr", ["10.0.1*"], 3), ("state", ["pending"], 0), ("tag:Name", ["*-a"], 4),
    ("tag-key", ["Name"], 8), ("available-ip-address-count", ["250"], 1),
    ("ipv6-cidr-block-association.ipv6-cidr-block", ["2001:db8:e2c:10::/64"], 1),
    ("ipv6-cidr-block-association.state", ["associated"], 6),
    ("ipv6-cidr-block-association.association-id", ["subnet-cidr-assoc-*"], 6),
    ("owner-id", ["123456789012"], 8), ("default-for-az", ["false"], 8),
    ("map-public-ip-on-launch", ["true"], 0), ("ipv6-native", ["false"], 8),
    ("subnet-arn", [f"*{SUBNET_A}"], 1),
])
def test_subnet_filters(aws, name, values, count):
    reply = aws.call("DescribeSubnets", Filters=[{"Name": name, "Values": values}])
    assert len(reply["Subnets"]) == count


def test_security_groups(aws):
    every = aws.call("DescribeSecurityGroups")["SecurityGroups"]
    assert {g["GroupId"] for g in every} == {GROUP, DEFAULT_GROUP, "sg-00000000000000e45"}
    group, = aws.call("DescribeSecurityGroups", GroupIds=[GROUP])["SecurityGroups"]
    assert (group["GroupName"], group["VpcId"]) == ("multus", scenario.DEFAULT_VPC)
    named = aws.call("DescribeSecurityGroups", Filters=[{"Name": "group-name", "Values": ["mult*"]}])
    assert [g["GroupId"] for g in named["SecurityGroups"]] == [GROUP]
    assert aws.refusal("DescribeSecurityGroups", GroupIds=[GROUP, "sg-00000000000000bad"]) == \
        "InvalidGroup.NotFound"


def test_metadata_options(aws):
    def told():
        options = aws.call("DescribeInstances")["Reservations"][0]["Instances"][0]["MetadataOptions"]
        return [options[key] for key in ("HttpEndpoint", "HttpTokens", "HttpPutResponseHopLimit")]

    assert told() == ["enabled", "required", 1]
    aws.world.instances[NODE].hop_limit = 2
    aws.world.instances[NODE].http_tokens = "optional"
    assert told() == ["enabled", "optional", 2]


def test_cidr_reservations(aws):
    import ipaddress
    from ec2sim.model import CidrReservation
    aws.world.reserve(aws.world.subnets[SUBNET_A], CidrReservation(
        "scr-0123456789abcdef0", ipaddress.ip_network("2001:db8:e2c:10:8000::/65"), "prefix"))
    reply = aws.call("GetSubnetCidrReservations", SubnetId=SUBNET_A)
    explicit = reply["SubnetIpv4CidrReservations"][0]
    assert explicit.pop("SubnetCidrReservationId").startswith("scr-")
    assert explicit == {"SubnetId": SUBNET_A, "Cidr": "10.0.10.128/25", "Tags": [],
                        "ReservationType": "explicit", "OwnerId": "123456789012",
                        "Description": "pods"}
    assert [r["Cidr"] for r in reply["SubnetIpv6CidrReservations"]] == ["2001:db8:e2c:10:8000::/65"]
    only = aws.call("GetSubnetCidrReservations", SubnetId=SUBNET_A, Filters=[
        {"Name": "reservationType", "Values": ["prefix"]}])
    assert only["SubnetIpv4CidrReservations"] == [] and only["SubnetIpv6CidrReservations"]
    for _ in range(20):
        address = aws.create(Ipv6AddressCount=1)["Ipv6Addresses"][0]["Ipv6Address"]
        assert ipaddress.ip_address(address) < ipaddress.ip_address("2001:db8:e2c:10:8000::")
    assert aws.refusal("GetSubnetCidrReservations",
                       SubnetId="subnet-0123456789abcdef0") == "InvalidSubnetID.NotFound"


def test_instance_types(aws):
    reply = aws.call("DescribeInstanceTypes", InstanceTypes=["c5n.18xlarge", "p4d.24xlarge"])
    one, many = (kind["NetworkInfo"] for kind in reply["InstanceTypes"])
    assert one["MaximumNetworkInterfaces"] == 15 and one["MaximumNetworkCards"] == 1
    assert one["Ipv4AddressesPerInterface"] == one["Ipv6AddressesPerInterface"] == 50
    assert many["MaximumNetworkCards"] == 4 and many["MaximumNetworkInterfaces"] == 60
    assert [c["NetworkCardIndex"] for c in many["NetworkCards"]] == [0, 1, 2, 3]
    assert {c["MaximumNetworkInterfaces"] for c in many["NetworkCards"]} == {15}
    assert len(aws.call("DescribeInstanceTypes")["InstanceTypes"]) >= 12
    error = aws.refused("DescribeInstanceTypes", InstanceTypes=["m5.large", "x9.nano"])
    assert error.code == "InvalidInstanceType" and "[x9.nano]" in error.message


@pytest.mark.parametrize("name, values, expected", [
    ("instance-type", ["m5.1*"], {"m5.16xlarge"}),
    ("processor-info.supported-architecture", ["arm64"], {"m6g.large"}),
    ("network-info.maximum-network-cards", ["4"], {"p4d.24xlarge"}),
    ("network-info.maximum-network-interfaces", ["2"], {"t3.micro"}),
    ("network-info.efa-supported", ["true"], {"c5n.18xlarge", "p4d.24xlarge"}),
    ("network-info.ipv4-addresses-per-interface", ["6"], {"t3.medium"}),
    ("network-info.ipv6-addresses-per-interface", ["2"], {"t3.micro"}),
    ("network-info.network-performance", ["20 *"], {"m5.16xlarge"}),
    ("burstable-performance-supported", ["true"], {"t3.micro", "t3.medium"}),
    ("memory-info.size-in-mib", ["1024"], {"t3.micro"}), ("vcpu-info.default-vcpus", ["72"],
                                                          {"c5n.18xlarge"}),
    ("bare-metal", ["true"], set()), ("hypervisor", ["xen"], set()),
    ("current-generation", ["false"], set()), ("network-info.ena-support", ["no"], set()),
    ("network-info.ipv6-supported", ["false"], set()),
    ("supported-root-device-type", ["x"], set()), ("supported-virtualization-type", ["x"], set()),
])
def test_instance_type_filters(aws, name, values, expected):
    reply = aws.call("DescribeInstanceTypes", Filters=[{"Name": name, "Values": values}])
    assert {kind["InstanceType"] for kind in reply["InstanceTypes"]} == expected


# -- tags ------------------------------------------------------------------

def test_tags(aws):
    eni_id = aws.create(TagSpecifications=tag_spec(a="1"))["NetworkInterfaceId"]
    aws.call("CreateTags", Resources=[eni_id, NODE, SUBNET_A, GROUP, scenario.DEFAULT_VPC],
             Tags=[{"Key": "a", "Value": "2"}, {"Key": "b"}])
    assert aws.describe(eni_id)[0]["TagSet"] == [{"Key": "a", "Value": "2"},
                                                 {"Key": "b", "Value": ""}]
    reply = aws.call("DescribeTags", Filters=[{"Name": "key", "Values": ["a"]}])["Tags"]
    assert sorted((t["ResourceId"], t["ResourceType"], t["Value"]) for t in reply) == sorted([
        (eni_id, "network-interface", "2"), (NODE, "instance", "2"), (SUBNET_A, "subnet", "2"),
        (GROUP, "security-group", "2"), (scenario.DEFAULT_VPC, "vpc", "2")])
    for name, values, count in (("resource-id", [NODE], 5), ("resource-type", ["subnet"], 10),
                                ("value", ["sample-*"], 1), ("tag:a", ["2"], 5)):
        reply = aws.call("DescribeTags", Filters=[{"Name": name, "Values": values}])["Tags"]
        assert len(reply) == count, name


@pytest.mark.parametrize("resources, tags, code", [
    (["eni-0123456789abcdef0"], {"a": "b"}, "InvalidNetworkInterfaceID.NotFound"),
    ([NODE, "i-0123456789abcdef0"], {"a": "b"}, "InvalidInstanceID.NotFound"),
    (["nonsense"], {"a": "b"}, "InvalidID"),
    ([NODE], {"aws:a": "b"}, "InvalidParameterValue"),
    ([NODE], {f"k{n}": "" for n in range(49)}, "TagLimitExceeded"),
    ([], {"a": "b"}, "MissingParameter"),
    ([NODE], {}, "MissingParameter"),
])
def test_create_tags_refused(aws, resources, tags, code):
    before = dict(aws.world.instances[NODE].tags)
    assert aws.refusal("CreateTags", Resources=resources, Tags=[
        {"Key": k, "Value": v} for k, v in tags.items()]) == code
    assert aws.world.instances[NODE].tags == before
