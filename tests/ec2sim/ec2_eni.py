# SPDX-License-Identifier: Apache-2.0
"""The life of an ENI: create, attach, modify, detach, delete.

Every function checks all of the request before it changes anything, because
EC2's calls happen whole or not at all.
"""

import hashlib
import json

from .action import Action
from .addresses import parse_ipv4, parse_ipv6
from .ec2_records import eni_record
from .ec2_tags import TAGS, check_tags
from .errors import AwsError, combination, invalid_value
from .params import boolean, integer, listing, struct, text, unsupported

# An ENI that no instance holds knows no instance type's limit; this is the largest of any type
_UNATTACHED_LIMIT = 50
_TOKEN_LENGTH = 64


# -- CreateNetworkInterface ------------------------------------------------

def create_network_interface(world, caller, params) -> dict:
    """
    A repeated token gives the first reply, whatever became of the ENI since;
    the same token with other parameters is refused.
    """
    token = params["ClientToken"]
    fingerprint = _fingerprint(params)
    if token:
        _check_token(token)
        known = world.client_tokens.get((caller.account_id, token))
        if known:
            return _replay(known, fingerprint)
    eni = _create(world, caller, params)
    data = {"networkInterface": eni_record(world, eni, "pending"), "clientToken": token}
    if token:
        world.client_tokens[(caller.account_id, token)] = (fingerprint, data)
    return data


def _fingerprint(params: dict) -> str:
    relevant = {k: v for k, v in params.items() if k not in ("ClientToken", "DryRun")}
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()


def _check_token(token: str) -> None:
    if len(token) > _TOKEN_LENGTH or not token.isascii():
        raise AwsError("InvalidClientToken",
                       f"The client token must be at most {_TOKEN_LENGTH} ASCII characters")


def _replay(known: tuple, fingerprint: str) -> dict:
    if known[0] != fingerprint:
        raise AwsError("IdempotentParameterMismatch",
                       "Arguments on this idempotent request are inconsistent with "
                       "arguments used in previous request(s).")
    return known[1]


def _create(world, caller, params):
    """The ENI of a request that no token has asked for before."""
    subnet = world.subnet(params["SubnetId"])
    groups = check_groups(world, params["SecurityGroupId"], subnet.vpc_id)
    tags = _tags_of_specifications(params["TagSpecification"])
    ipv4 = _plan_ipv4(subnet, params)
    ipv6 = _plan_ipv6(subnet, params)
    if len(world.enis) >= world.max_enis:
        raise AwsError("NetworkInterfaceLimitExceeded",
                       "The maximum number of network interfaces has been reached.")
    requester = f"{caller.role_name}:{caller.instance_id}" if caller.instance_id else None
    return world.create_eni(subnet, ipv4, ipv6, groups, tags=tags, requester_id=requester,
                            description=params["Description"] or "",
                            interface_type=params["InterfaceType"] or "interface")


def check_groups(world, group_ids, vpc_id) -> list:
    """The ids of the groups asked for, all of them of the VPC; empty: its default group."""
    if not group_ids:
        return [world.default_group(vpc_id).id]
    if len(set(group_ids)) > world.max_groups_per_eni:
        raise AwsError("SecurityGroupsPerInterfaceLimitExceeded",
                       "The maximum number of security groups per interface has been reached.")
    for group_id in group_ids:
        if world.group(group_id).vpc_id != vpc_id:
            raise AwsError("InvalidGroup.NotFound",
                           f"The security group '{group_id}' does not exist in VPC '{vpc_id}'")
    return list(dict.fromkeys(group_ids))


def _tags_of_specifications(specifications) -> dict:
    tags: dict = {}
    for spec in specifications:
        if spec["ResourceType"] != "network-interface":
            raise invalid_value(f"'{spec['ResourceType']}' is not a valid taggable resource "
                                "type for this operation.")
        check_tags(spec["Tag"], tags)
        tags.update({tag["Key"]: tag["Value"] or "" for tag in spec["Tag"]})
    return tags


def check_ipv4(subnet, value: str):
    """An address of the subnet that a caller may ask for, whoever holds it now."""
    address = parse_ipv4(value)
    if address is None:
        raise invalid_value(f"Value ({value}) for parameter address is invalid. "
                            "Must be a valid IPv4 address")
    if address not in subnet.cidr:
        raise invalid_value("Address does not fall within the subnet's address range")
    if subnet.pool4.is_reserved(address):
        raise invalid_value(f"Address {address} is in subnet's reserved address range")
    return address


def check_ipv6(subnet, value: str):
    """The same for IPv6."""
    address = parse_ipv6(value)
    if address is None:
        raise invalid_value(f"Invalid IPv6 address {value}")
    require_ipv6(subnet)
    if address not in subnet.ipv6_cidr:
        raise invalid_value("Address does not fall within the subnet's address range")
    if subnet.pool6.is_reserved(address):
        raise invalid_value(f"Address {address} is in subnet's reserved address range")
    return address


def require_ipv6(subnet) -> None:
    if subnet.ipv6_cidr is None:
        raise invalid_value("Subnet does not contain any IPv6 CIDR block ranges")


def positive(count, name: str) -> int:
    """A count that was sent and must be at least 1."""
    if count < 1:
        raise invalid_value(f"Value ({count}) for parameter {name} is invalid. "
                            "Value must be a positive number.")
    return count


def choose(pool, count: int, taken, subnet) -> list:
    """@count free addresses, or AWS's error that there are none."""
    chosen = pool.choose(count, taken)
    if len(chosen) < count:
        raise AwsError("InsufficientFreeAddressesInSubnet",
                       f"The specified subnet '{subnet.id}' does not have enough free addresses "
                       "to satisfy the request.")
    return chosen


def _require_free(pool, addresses) -> None:
    if len(set(addresses)) != len(addresses):
        raise invalid_value("Duplicate addresses in the request")
    for address in addresses:
        if pool.is_held(address):
            raise AwsError("InvalidIPAddress.InUse", "The specified address is already in use.")


def _plan_ipv4(subnet, params) -> list:
    """The addresses of a new ENI, the primary first, none of them taken yet."""
    primary, secondary = _named_ipv4(subnet, params)
    count = params["SecondaryPrivateIpAddressCount"]
    if count is not None and secondary:
        raise combination("You may specify secondaryPrivateIpAddressCount or several "
                          "privateIpAddresses, but not both.")
    count = positive(count, "secondaryPrivateIpAddressCount") if count is not None else 0
    if 1 + len(secondary) + count > _UNATTACHED_LIMIT:
        raise AwsError("PrivateIpAddressLimitExceeded",
                       "Number of private addresses will exceed limit.")
    named = ([primary] if primary else []) + secondary
    _require_free(subnet.pool4, named)
    chosen = choose(subnet.pool4, count + (0 if primary else 1), named, subnet)
    return [primary, *secondary, *chosen] if primary else [chosen[0], *secondary, *chosen[1:]]


def _named_ipv4(subnet, params) -> tuple:
    """(primary or None, secondaries) as the request names them."""
    primary = params["PrivateIpAddress"]
    primary = check_ipv4(subnet, primary) if primary is not None else None
    secondary = []
    for entry in params["PrivateIpAddresses"]:
        address = check_ipv4(subnet, entry["PrivateIpAddress"] or "")
        if not entry["Primary"]:
            secondary.append(address)
        elif primary is not None and primary != address:
            raise combination("Only one primary private IP address can be specified.")
        else:
            primary = address
    return primary, secondary


def _plan_ipv6(subnet, params) -> list:
    count, named = params["Ipv6AddressCount"], params["Ipv6Addresses"]
    if count is not None and named:
        raise combination("You may specify ipv6Addresses or ipv6AddressCount, but not both.")
    if named:
        addresses = [check_ipv6(subnet, entry["Ipv6Address"] or "") for entry in named]
        _require_free(subnet.pool6, addresses)
        return addresses
    if count is None:
        count = 1 if subnet.assign_ipv6_on_creation else 0
    if count < 0:
        positive(count, "ipv6AddressCount")
    if count:
        require_ipv6(subnet)
    return choose(subnet.pool6, count, (), subnet) if count else []


# -- Attach, Detach --------------------------------------------------------

def attach_network_interface(world, caller, params) -> dict:
    """The device index must be free on its card, and the type have room for one more."""
    eni = world.eni(params["NetworkInterfaceId"])
    instance = world.instance(params["InstanceId"])
    card = params["NetworkCardIndex"] or 0
    _check_attachable(eni, instance)
    _check_slot(world, instance, params["DeviceIndex"], card)
    kind = instance.type
    if len(eni.ipv4) > kind.ipv4_per_eni or len(eni.ipv6) > kind.ipv6_per_eni:
        raise AwsError("PrivateIpAddressLimitExceeded",
                       "Number of private addresses will exceed limit.")
    attachment = world.attach(eni, instance, params["DeviceIndex"], card)
    return {"attachmentId": attachment.id, "networkCardIndex": attachment.card}


def _check_attachable(eni, instance) -> None:
    if eni.attachment:
        raise AwsError("InvalidNetworkInterface.InUse", f"Interface: [{eni.id}] in use.")
    if instance.state not in ("running", "stopped"):
        raise AwsError("IncorrectInstanceState",
                       f"Instance '{instance.id}' is not 'running' or 'stopped'.")
    if eni.az != instance.az:
        raise combination("You may not attach a network interface to an instance if they are "
                          "not in the same availability zone")


def _check_slot(world, instance, device_index, card) -> None:
    kind = instance.type
    if device_index < 0:
        raise invalid_value(f"Invalid value '{device_index}' for deviceIndex.")
    if not 0 <= card < len(kind.cards):
        raise invalid_value(f"Network card index {card} exceeds the limit for {kind.name}")
    on_card = [e.attachment for e in world.enis_of(instance) if e.attachment.card == card]
    if any(other.device_index == device_index for other in on_card):
        raise invalid_value(f"Instance '{instance.id}' already has an interface attached at "
                            f"device index '{device_index}'.")
    if len(on_card) >= kind.cards[card]:
        raise AwsError("AttachmentLimitExceeded",
                       f"Interface count {len(on_card) + 1} exceeds the limit for {kind.name}")


def detach_network_interface(world, caller, params) -> dict:
    attachment = world.attachment(params["AttachmentId"])
    eni = world.eni(attachment.eni_id)
    if attachment.device_index == 0 and attachment.card == 0:
        raise AwsError("OperationNotPermitted",
                       "The network interface at device index 0 and networkCard index 0 "
                       "cannot be detached.")
    if attachment.status != "attached":
        raise AwsError("IncorrectState",
                       f"Network interface attachment '{attachment.id}' is not in state 'attached'.")
    world.detach(eni)
    return {"return": True}


# -- Modify, Delete --------------------------------------------------------

_ATTRIBUTES = ("Attachment", "Description", "SecurityGroupId", "SourceDestCheck")


def modify_network_interface_attribute(world, caller, params) -> dict:
    """EC2 takes exactly one attribute a call."""
    eni = world.eni(params["NetworkInterfaceId"])
    given = [name for name in _ATTRIBUTES if params[name]]
    if not given:
        raise combination("No attributes specified.")
    if len(given) > 1:
        raise combination("Fields for multiple attribute types specified: " + ", ".join(given))
    _MODIFY[given[0]](world, eni, params[given[0]])
    return {"return": True}


def _modify_attachment(world, eni, change) -> None:
    at = eni.attachment
    if at is None or at.id != world.attachment(change["AttachmentId"]).id:
        raise AwsError("InvalidAttachmentID.NotFound",
                       f"The attachment ID '{change['AttachmentId']}' does not exist")
    if change["DeleteOnTermination"] is None:
        raise AwsError("MissingParameter",
                       "The request must contain the parameter attachment.deleteOnTermination")
    at.delete_on_termination = change["DeleteOnTermination"]


def _modify_description(world, eni, change) -> None:
    eni.description = change["Value"]


def _modify_groups(world, eni, change) -> None:
    eni.groups = check_groups(world, change, eni.vpc_id)


def _modify_source_dest_check(world, eni, change) -> None:
    eni.source_dest_check = change["Value"]


_MODIFY = dict(zip(_ATTRIBUTES, (_modify_attachment, _modify_description, _modify_groups,
                                 _modify_source_dest_check)))


def delete_network_interface(world, caller, params) -> dict:
    eni = world.eni(params["NetworkInterfaceId"])
    if eni.attachment:
        raise invalid_value(f"Network interface '{eni.id}' is currently in use.")
    if eni.requester_managed:
        raise AwsError("OperationNotPermitted",
                       f"You are not allowed to manage '{eni.id}' attachments.")
    world.delete_eni(eni)
    return {"return": True}


# -- what they take --------------------------------------------------------

_PREFIXES = {name: unsupported() for name in
             ("Ipv4Prefix", "Ipv4PrefixCount", "Ipv6Prefix", "Ipv6PrefixCount")}

_CREATE = {
    "Description": text(),
    "SecurityGroupId": listing(text()),
    "Ipv6AddressCount": integer(),
    "Ipv6Addresses": listing(struct({"Ipv6Address": text()})),
    "PrivateIpAddress": text(),
    "PrivateIpAddresses": listing(struct({"Primary": boolean(), "PrivateIpAddress": text()})),
    "SecondaryPrivateIpAddressCount": integer(),
    "InterfaceType": text(),
    "SubnetId": text(required=True),
    "TagSpecification": listing(struct({"ResourceType": text(), "Tag": TAGS})),
    "ClientToken": text(),
    **_PREFIXES,
}

_ATTACH = {
    "DeviceIndex": integer(required=True),
    "InstanceId": text(required=True),
    "NetworkInterfaceId": text(required=True),
    "NetworkCardIndex": integer(),
    "EnaSrdSpecification": unsupported(),
}

_MODIFY_SCHEMA = {
    "NetworkInterfaceId": text(required=True),
    "Attachment": struct({"AttachmentId": text(required=True), "DeleteOnTermination": boolean()}),
    "Description": struct({"Value": text(required=True)}),
    "SecurityGroupId": listing(text()),
    "SourceDestCheck": struct({"Value": boolean(required=True)}),
    "EnaSrdSpecification": unsupported(),
}

ACTIONS = [
    Action("CreateNetworkInterface", _CREATE, create_network_interface, True, True),
    Action("AttachNetworkInterface", _ATTACH, attach_network_interface, True, True),
    Action("DetachNetworkInterface", {"AttachmentId": text(required=True), "Force": boolean()},
           detach_network_interface, True, True),
    Action("ModifyNetworkInterfaceAttribute", _MODIFY_SCHEMA,
           modify_network_interface_attribute, True, True),
    Action("DeleteNetworkInterface", {"NetworkInterfaceId": text(required=True)},
           delete_network_interface, True, True),
]
