# SPDX-License-Identifier: Apache-2.0
"""Addresses of an ENI that exists: assign and unassign, IPv4 and IPv6.

IPv4 addresses move from one ENI to another when the caller allows it, but for
primary ones; an IPv6 address that another ENI holds has to be unassigned there
first. A call is carried out for all of its addresses or for none.
"""

from .action import Action
from .ec2_eni import check_ipv4, check_ipv6, choose, positive, require_ipv6
from .errors import AwsError, combination, invalid_value
from .params import boolean, integer, listing, text, unsupported

_UNATTACHED_LIMIT = 50


def _limit(world, eni, version: int) -> int:
    """Addresses of that family that the ENI may have in all."""
    if not eni.attachment:
        return _UNATTACHED_LIMIT
    kind = world.instances[eni.attachment.instance_id].type
    return kind.ipv4_per_eni if version == 4 else kind.ipv6_per_eni


def _check_limit(world, eni, added: int, version: int) -> None:
    present = len(eni.ipv4 if version == 4 else eni.ipv6)
    if present + added > _limit(world, eni, version):
        family = "private" if version == 4 else "IPv6"
        # the list of error codes has none for IPv6 alone
        raise AwsError("PrivateIpAddressLimitExceeded",
                       f"Number of {family} addresses will exceed limit.")


# -- IPv4 ------------------------------------------------------------------

def assign_private_ip_addresses(world, caller, params) -> dict:
    """Addresses the ENI has already are answered as assigned; so a repeated call succeeds."""
    eni = world.eni(params["NetworkInterfaceId"])
    subnet = world.subnets[eni.subnet_id]
    named, count = params["PrivateIpAddress"], params["SecondaryPrivateIpAddressCount"]
    if not named and count is None:
        raise AwsError("MissingParameter", "One of privateIpAddressSet or "
                       "secondaryPrivateIpAddressCount must be specified.")
    if named and count is not None:
        raise combination("You may specify one and only one of privateIpAddressSet or "
                          "secondaryPrivateIpAddressCount, but not more than one of them.")
    if named:
        wanted = [check_ipv4(subnet, value) for value in dict.fromkeys(named)]
        _check_moves(world, eni, subnet, wanted, params["AllowReassignment"])
    else:
        count = positive(count, "secondaryPrivateIpAddressCount")
        _check_limit(world, eni, count, 4)
        wanted = choose(subnet.pool4, count, (), subnet)
    new = [address for address in wanted if address not in eni.ipv4]
    _check_limit(world, eni, len(new), 4)
    for address in new:
        _move_here(world, eni, subnet.pool4, address)
    return {
        "networkInterfaceId": eni.id,
        "assignedPrivateIpAddressesSet": [{"privateIpAddress": ip} for ip in wanted],
        "assignedIpv4PrefixSet": [],
    }


def _check_moves(world, eni, subnet, wanted, allowed) -> None:
    """Whether each address is free, here already, or may be taken from its holder."""
    denied = []
    for address in wanted:
        holder = subnet.pool4.holders.get(address)
        if holder is None:
            continue
        if world.enis[holder].primary_ip == address:
            # a primary address cannot move; AWS says no more than this
            raise invalid_value("secondary-addresses")
        if holder != eni.id and not allowed:
            denied.append(str(address))
    if denied:
        raise invalid_value(f"[{', '.join(denied)}] assigned, but move is not allowed.")


def _move_here(world, eni, pool, address) -> None:
    holder = pool.holders.get(address)
    if holder is not None:
        world.take_address(world.enis[holder], address)
    world.give_address(eni, address)


def unassign_private_ip_addresses(world, caller, params) -> dict:
    eni = world.eni(params["NetworkInterfaceId"])
    if not params["PrivateIpAddress"]:
        raise AwsError("MissingParameter", "One of privateIpAddresses or ipv4Prefixes must be "
                       "specified.")
    subnet = world.subnets[eni.subnet_id]
    addresses = [check_ipv4(subnet, value) for value in dict.fromkeys(params["PrivateIpAddress"])]
    _check_held(eni, eni.ipv4, addresses)
    if eni.primary_ip in addresses:
        raise invalid_value(f"Value ({eni.primary_ip}) for parameter privateIpAddress is invalid. "
                            "The primary IP address of an interface cannot be unassigned.")
    for address in addresses:
        world.take_address(eni, address)
    return {"return": True}


def _check_held(eni, held, addresses) -> None:
    if any(address not in held for address in addresses):
        raise invalid_value("Some of the specified addresses are not assigned to interface "
                            + eni.id)


# -- IPv6 ------------------------------------------------------------------

def assign_ipv6_addresses(world, caller, params) -> dict:
    eni = world.eni(params["NetworkInterfaceId"])
    subnet = world.subnets[eni.subnet_id]
    named, count = params["Ipv6Addresses"], params["Ipv6AddressCount"]
    if not named and count is None:
        raise AwsError("MissingParameter",
                       "Either ipv6Addresses or ipv6AddressCount must be specified.")
    if named and count is not None:
        raise combination("You may specify ipv6Addresses or ipv6AddressCount, but not both.")
    require_ipv6(subnet)
    if named:
        wanted = list(dict.fromkeys(check_ipv6(subnet, value) for value in named))
        _require_unheld(eni, subnet, wanted)
    else:
        count = positive(count, "ipv6AddressCount")
        _check_limit(world, eni, count, 6)
        wanted = choose(subnet.pool6, count, (), subnet)
    new = [address for address in wanted if address not in eni.ipv6]
    _check_limit(world, eni, len(new), 6)
    for address in new:
        world.give_address(eni, address)
    return {"networkInterfaceId": eni.id, "assignedIpv6Addresses": wanted,
            "assignedIpv6PrefixSet": []}


def _require_unheld(eni, subnet, wanted) -> None:
    """IPv6 knows no AllowReassignment: who holds it must give it up first."""
    for address in wanted:
        if subnet.pool6.holders.get(address, eni.id) != eni.id:
            raise AwsError("InvalidIPAddress.InUse", f"Address {address} is in use.")


def unassign_ipv6_addresses(world, caller, params) -> dict:
    eni = world.eni(params["NetworkInterfaceId"])
    if not params["Ipv6Addresses"]:
        raise AwsError("MissingParameter", "The request must contain the parameter ipv6Addresses")
    subnet = world.subnets[eni.subnet_id]
    addresses = list(dict.fromkeys(check_ipv6(subnet, v) for v in params["Ipv6Addresses"]))
    _check_held(eni, eni.ipv6, addresses)
    for address in addresses:
        world.take_address(eni, address)
    return {"networkInterfaceId": eni.id, "unassignedIpv6Addresses": addresses,
            "unassignedIpv6PrefixSet": []}


# -- what they take --------------------------------------------------------

_ASSIGN = {
    "NetworkInterfaceId": text(required=True),
    "AllowReassignment": boolean(),
    "PrivateIpAddress": listing(text()),
    "SecondaryPrivateIpAddressCount": integer(),
    "Ipv4Prefix": unsupported(),
    "Ipv4PrefixCount": unsupported(),
}
_UNASSIGN = {
    "NetworkInterfaceId": text(required=True),
    "PrivateIpAddress": listing(text()),
    "Ipv4Prefix": unsupported(),
}
_ASSIGN_IPV6 = {
    "NetworkInterfaceId": text(required=True),
    "Ipv6AddressCount": integer(),
    "Ipv6Addresses": listing(text()),
    "Ipv6Prefix": unsupported(),
    "Ipv6PrefixCount": unsupported(),
}
_UNASSIGN_IPV6 = {
    "NetworkInterfaceId": text(required=True),
    "Ipv6Addresses": listing(text()),
    "Ipv6Prefix": unsupported(),
}

# None of the four has a DryRun
ACTIONS = [
    Action("AssignPrivateIpAddresses", _ASSIGN, assign_private_ip_addresses, True, False),
    Action("UnassignPrivateIpAddresses", _UNASSIGN, unassign_private_ip_addresses, True, False),
    Action("AssignIpv6Addresses", _ASSIGN_IPV6, assign_ipv6_addresses, True, False),
    Action("UnassignIpv6Addresses", _UNASSIGN_IPV6, unassign_ipv6_addresses, True, False),
]
