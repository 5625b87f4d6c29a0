# SPDX-License-Identifier: Apache-2.0
"""What exists: the describes, GetSubnetCidrReservations, and TerminateInstances.

Each describe is a table of its filters (the names of the API reference), a
lookup by id, and a record. Filters on things that the simulator does not model
but AWS documents are left out, and so refused: a test should learn of them.
"""

from .action import Action
from .ec2_records import (INSTANCE_STATES, eni_record, instance_type_record, ipv6_association_id,
                          reservation_of_cidr_record, reservation_record, security_group_record,
                          state_record, subnet_record)
from .ec2_tags import tagged_resources
from .errors import AwsError
from .filters import matcher, paginate
from .params import FILTERS, integer, listing, text, unsupported

_PAGES = {"MaxResults": integer(), "NextToken": text()}


def _at(name: str):
    """A filter on a member of an ENI's attachment."""
    return lambda world, eni: getattr(eni.attachment, name) if eni.attachment else None


def _attribute(name: str):
    return lambda world, resource: getattr(resource, name)


# -- network interfaces ----------------------------------------------------

def _primary_flags(world, eni) -> list:
    return ["true", "false"] if len(eni.ipv4) > 1 else ["true"]


_ENI_FILTERS = {
    "addresses.association.public-ip": _attribute("public_ip"),
    "addresses.primary": _primary_flags,
    "addresses.private-ip-address": _attribute("ipv4"),
    "association.public-ip": _attribute("public_ip"),
    "attachment.attach-time": _at("time"),
    "attachment.attachment-id": _at("id"),
    "attachment.delete-on-termination": _at("delete_on_termination"),
    "attachment.device-index": _at("device_index"),
    "attachment.instance-id": _at("instance_id"),
    "attachment.instance-owner-id": lambda w, e: w.account_id if e.attachment else None,
    "attachment.network-card-index": _at("card"),
    "attachment.status": _at("status"),
    "availability-zone": _attribute("az"),
    "description": _attribute("description"),
    "group-id": _attribute("groups"),
    "group-name": lambda w, e: [w.groups[g].name for g in e.groups],
    "interface-type": _attribute("interface_type"),
    "ipv6-addresses.ipv6-address": _attribute("ipv6"),
    "mac-address": _attribute("mac"),
    "network-interface-id": _attribute("id"),
    "owner-id": lambda w, e: w.account_id,
    "private-dns-name": lambda w, e: w.private_dns(e.primary_ip),
    "private-ip-address": _attribute("primary_ip"),
    "requester-id": _attribute("requester_id"),
    "requester-managed": _attribute("requester_managed"),
    "source-dest-check": _attribute("source_dest_check"),
    "status": _attribute("status"),
    "subnet-id": _attribute("subnet_id"),
    "vpc-id": _attribute("vpc_id"),
}


def _select(world, params, ids: str, lookup, everything, table) -> list:
    """Resources by the ids of the request, or all; those that its filters match."""
    matches = matcher(world, params["Filter"], table)
    if params[ids]:
        resources = [lookup(value) for value in dict.fromkeys(params[ids])]
    else:
        resources = everything
    return [resource for resource in resources if matches(resource)]


def describe_network_interfaces(world, caller, params) -> dict:
    visible = [eni for eni in world.enis.values() if world.visible(eni)]
    enis = _select(world, params, "NetworkInterfaceId", world.eni, visible, _ENI_FILTERS)
    page, token = paginate(params, enis, lambda eni: eni.seq, "NetworkInterfaceId")
    return {"networkInterfaceSet": [eni_record(world, eni) for eni in page], "nextToken": token}


# -- instances -------------------------------------------------------------

def _primary(name: str):
    """A filter on a member of the primary ENI."""
    def get(world, instance):
        enis = world.enis_of(instance)
        return getattr(enis[0], name) if enis else None
    return get


def _of_enis(name: str):
    """A filter that matches when any ENI of the instance does."""
    return lambda w, i: [_flat for e in w.enis_of(i) for _flat in _listed(getattr(e, name))]


def _of_attachments(name: str):
    return lambda w, i: [getattr(e.attachment, name) for e in w.enis_of(i)]


def _listed(value) -> list:
    return value if isinstance(value, list) else [value]


def _instance_dns(world, instance):
    enis = world.enis_of(instance)
    return world.private_dns(enis[0].primary_ip) if enis else None


_INSTANCE_FILTERS = {
    "architecture": lambda w, i: i.type.architecture,
    "availability-zone": _attribute("az"),
    "image-id": _attribute("image_id"),
    "instance-id": _attribute("id"),
    "instance-state-code": lambda w, i: INSTANCE_STATES[i.state],
    "instance-state-name": _attribute("state"),
    "instance-type": lambda w, i: i.type.name,
    "instance.group-id": _primary("groups"),
    "ip-address": _primary("public_ip"),
    "launch-time": _attribute("launch_time"),
    "network-interface.addresses.private-ip-address": _of_enis("ipv4"),
    "network-interface.attachment.attachment-id": _of_attachments("id"),
    "network-interface.attachment.device-index": _of_attachments("device_index"),
    "network-interface.attachment.status": _of_attachments("status"),
    "network-interface.group-id": _of_enis("groups"),
    "network-interface.ipv6-addresses.ipv6-address": _of_enis("ipv6"),
    "network-interface.mac-address": _of_enis("mac"),
    "network-interface.network-interface-id": _of_enis("id"),
    "network-interface.subnet-id": _of_enis("subnet_id"),
    "network-interface.vpc-id": _of_enis("vpc_id"),
    "owner-id": lambda w, i: w.account_id,
    "private-dns-name": _instance_dns,
    "private-ip-address": _primary("primary_ip"),
    "reservation-id": _attribute("reservation_id"),
    "subnet-id": _attribute("subnet_id"),
    "vpc-id": _attribute("vpc_id"),
}


def describe_instances(world, caller, params) -> dict:
    instances = _select(world, params, "InstanceId", world.instance, world.instances.values(),
                        _INSTANCE_FILTERS)
    page, token = paginate(params, instances, lambda instance: instance.seq, "InstanceId")
    return {"reservationSet": [reservation_record(world, instance) for instance in page],
            "nextToken": token}


def terminate_instances(world, caller, params) -> dict:
    """An instance that is terminated already is answered as it is."""
    instances = [world.instance(value) for value in dict.fromkeys(params["InstanceId"])]
    changes = []
    for instance in instances:
        before = instance.state
        if before != "terminated":
            world.terminate(instance)
        after = "terminated" if before == "terminated" else "shutting-down"
        changes.append({"instanceId": instance.id, "currentState": state_record(after),
                        "previousState": state_record(before)})
    return {"instancesSet": changes}


# -- subnets ---------------------------------------------------------------

def _ipv6_block(world, subnet):
    return subnet.ipv6_cidr


_SUBNET_FILTERS = {
    "availability-zone": _attribute("az"),
    "availabilityZone": _attribute("az"),
    "availability-zone-id": _attribute("az_id"),
    "availabilityZoneId": _attribute("az_id"),
    "available-ip-address-count": lambda w, s: s.pool4.available(),
    "cidr": _attribute("cidr"),
    "cidr-block": _attribute("cidr"),
    "cidrBlock": _attribute("cidr"),
    "default-for-az": lambda w, s: False,
    "defaultForAz": lambda w, s: False,
    "ipv6-cidr-block-association.association-id":
        lambda w, s: ipv6_association_id(s) if s.ipv6_cidr else None,
    "ipv6-cidr-block-association.ipv6-cidr-block": _ipv6_block,
    "ipv6-cidr-block-association.state": lambda w, s: "associated" if s.ipv6_cidr else None,
    "ipv6-native": lambda w, s: False,
    "map-public-ip-on-launch": lambda w, s: False,
    "owner-id": lambda w, s: w.account_id,
    "state": lambda w, s: "available",
    "subnet-arn": lambda w, s: w.arn("subnet", s.id),
    "subnet-id": _attribute("id"),
    "vpc-id": _attribute("vpc_id"),
}


def describe_subnets(world, caller, params) -> dict:
    subnets = _select(world, params, "SubnetId", world.subnet, world.subnets.values(),
                      _SUBNET_FILTERS)
    page, token = paginate(params, subnets, lambda subnet: subnet.id, "SubnetId")
    return {"subnetSet": [subnet_record(world, subnet) for subnet in page], "nextToken": token}


_RESERVATION_FILTERS = {
    "reservationType": _attribute("kind"),
    "subnet-id": lambda w, r: None,
}


def get_subnet_cidr_reservations(world, caller, params) -> dict:
    subnet = world.subnet(params["SubnetId"])
    table = {**_RESERVATION_FILTERS, "subnet-id": lambda w, r: subnet.id}
    matches = matcher(world, params["Filter"], table)
    found = [r for r in subnet.reservations if matches(r)]
    page, token = paginate(params, found, lambda r: r.id)
    by_family = {4: [], 6: []}
    for reservation in page:
        by_family[reservation.network.version].append(
            reservation_of_cidr_record(world, subnet, reservation))
    return {"subnetIpv4CidrReservationSet": by_family[4],
            "subnetIpv6CidrReservationSet": by_family[6], "nextToken": token}


# -- security groups -------------------------------------------------------

_GROUP_FILTERS = {
    "description": _attribute("name"),
    "group-id": _attribute("id"),
    "group-name": _attribute("name"),
    "owner-id": lambda w, g: w.account_id,
    "vpc-id": _attribute("vpc_id"),
}


def describe_security_groups(world, caller, params) -> dict:
    """Without a default VPC, which nobody here has, a group cannot be asked for by its name."""
    groups = _select(world, params, "GroupId", world.group, world.groups.values(), _GROUP_FILTERS)
    page, token = paginate(params, groups, lambda group: group.id, "GroupId")
    return {"securityGroupInfo": [security_group_record(world, group) for group in page],
            "nextToken": token}


# -- tags ------------------------------------------------------------------

class _Tag:
    """One tag of one resource, as DescribeTags lists and filters them."""

    def __init__(self, resource_id, kind, key, value):
        self.resource_id, self.kind, self.key, self.value = resource_id, kind, key, value
        # what a filter `tag:KEY` looks into
        self.tags = {key: value}


_TAG_FILTERS = {
    "key": _attribute("key"),
    "resource-id": _attribute("resource_id"),
    "resource-type": _attribute("kind"),
    "value": _attribute("value"),
}


def describe_tags(world, caller, params) -> dict:
    matches = matcher(world, params["Filter"], _TAG_FILTERS)
    tags = [_Tag(rid, kind, key, value) for rid, kind, pairs in tagged_resources(world)
            for key, value in pairs.items()]
    page, token = paginate(params, [tag for tag in tags if matches(tag)],
                           lambda tag: [tag.resource_id, tag.key])
    records = [{"resourceId": t.resource_id, "resourceType": t.kind, "key": t.key,
                "value": t.value} for t in page]
    return {"tagSet": records, "nextToken": token}


# -- instance types --------------------------------------------------------

_TYPE_FILTERS = {
    "bare-metal": lambda w, t: False,
    "burstable-performance-supported": lambda w, t: t.name.startswith("t"),
    "current-generation": lambda w, t: True,
    "hypervisor": _attribute("hypervisor"),
    "instance-type": _attribute("name"),
    "memory-info.size-in-mib": _attribute("memory_mib"),
    "network-info.efa-supported": _attribute("efa"),
    "network-info.ena-support": lambda w, t: "required",
    "network-info.ipv4-addresses-per-interface": _attribute("ipv4_per_eni"),
    "network-info.ipv6-addresses-per-interface": _attribute("ipv6_per_eni"),
    "network-info.ipv6-supported": lambda w, t: True,
    "network-info.maximum-network-cards": lambda w, t: len(t.cards),
    "network-info.maximum-network-interfaces": _attribute("max_enis"),
    "network-info.network-performance": _attribute("performance"),
    "processor-info.supported-architecture": _attribute("architecture"),
    "supported-root-device-type": lambda w, t: "ebs",
    "supported-virtualization-type": lambda w, t: "hvm",
    "vcpu-info.default-vcpus": _attribute("vcpus"),
}


def describe_instance_types(world, caller, params) -> dict:
    unknown = [t for t in params["InstanceType"] if t not in world.instance_types]
    if unknown:
        raise AwsError("InvalidInstanceType", "The following supplied instance types do not "
                       f"exist: [{', '.join(unknown)}]")
    kinds = _select(world, params, "InstanceType", world.instance_types.get,
                    world.instance_types.values(), _TYPE_FILTERS)
    page, token = paginate(params, kinds, lambda kind: kind.name, "InstanceType", 5, 100)
    return {"instanceTypeSet": [instance_type_record(kind) for kind in page],
            "nextToken": token}


# -- what they take --------------------------------------------------------

def _describe(name, handler, ids: str = "", extra=None) -> Action:
    schema = {"Filter": FILTERS, **_PAGES, **(extra or {})}
    if ids:
        schema[ids] = listing(text())
    return Action(name, schema, handler, False, True)


ACTIONS = [
    _describe("DescribeNetworkInterfaces", describe_network_interfaces, "NetworkInterfaceId"),
    _describe("DescribeInstances", describe_instances, "InstanceId"),
    _describe("DescribeSubnets", describe_subnets, "SubnetId"),
    _describe("DescribeSecurityGroups", describe_security_groups, "GroupId",
              {"GroupName": unsupported()}),
    _describe("DescribeTags", describe_tags),
    _describe("DescribeInstanceTypes", describe_instance_types, "InstanceType"),
    _describe("GetSubnetCidrReservations", get_subnet_cidr_reservations,
              extra={"SubnetId": text(required=True)}),
    Action("TerminateInstances", {"InstanceId": listing(text(), required=True)},
           terminate_instances, True, True),
]
