# SPDX-License-Identifier: Apache-2.0
"""The region that is measured in, its latencies, and the floors that follow from them."""

import heapq

from ec2sim.scenario import default_scenario
from ec2sim.throttle import MUTATING_DEFAULT, TABLE

CREATE, ATTACH, LINK, MODIFY, DESCRIBE, ASSIGN = 0.6, 0.7, 0.5, 0.3, 0.15, 0.4
LATENCY = {
    "CreateNetworkInterface": CREATE, "AttachNetworkInterface": ATTACH, "link": LINK,
    "ModifyNetworkInterfaceAttribute": MODIFY, "*": DESCRIBE,
    **{f"{verb}{what}": ASSIGN for verb in ("Assign", "Unassign")
       for what in ("PrivateIpAddresses", "Ipv6Addresses")},
}
#: the two rounds of describes, then what EC2 and the host need one after the other
FLOOR = 2 * DESCRIBE + CREATE + ATTACH + LINK
#: a node that has its interfaces asks, and finds that nothing is to be done
RESTART_FLOOR = 2 * DESCRIBE

GROUP = "sg-0000000000000a115"
NODE_SUBNET, NODE_GROUP = "subnet-0000000000000a000", "sg-00000000000000e45"
N_SUBNETS = 15
#: last byte of the addresses that EC2 gives to no interface by itself
POD_HOSTS = range(128, 255)
#: a type that EC2 does not have, for what needs more than 50 addresses on an interface
WIDE = {"name": "x9.wide", "vcpus": 16, "memory_mib": 65536, "max_enis": 15, "ipv4_per_eni": 4000,
        "ipv6_per_eni": 4000, "performance": "much"}
#: the number of a subnet of 4096 addresses
WIDE_SUBNET = 16


def subnet_id(number: int) -> str:
    """The Multus subnet of a number from 1."""
    return f"subnet-0000000000000be{number:02x}"


def scenario() -> dict:
    """The sample region with N_SUBNETS Multus subnets, a group without hook, one with, no node."""
    world = default_scenario()
    nodes = [s for s in world["subnets"] if s["id"] == NODE_SUBNET]
    world["subnets"] = nodes + [
        {"id": subnet_id(n), "az": "eu-central-1a", "az_id": "euc1-az1",
         "cidr": f"10.0.{100 + n}.0/24", "ipv6_cidr": f"2001:db8:e2c:{100 + n}::/64",
         "reservations": [{"cidr": f"10.0.{100 + n}.{POD_HOSTS.start}/25", "type": "explicit",
                           "description": "pods"}],
         "tags": {"Name": f"multus-{n}"}} for n in range(1, N_SUBNETS + 1)]
    world["subnets"].append(
        {"id": subnet_id(WIDE_SUBNET), "az": "eu-central-1a", "az_id": "euc1-az1",
         "cidr": "10.0.128.0/20", "ipv6_cidr": f"2001:db8:e2c:{100 + WIDE_SUBNET}::/64",
         "reservations": [{"cidr": "10.0.136.0/21", "type": "explicit", "description": "pods"}]})
    hooked = {**world["asgs"][0], "subnets": [NODE_SUBNET]}
    world["asgs"] = [{**hooked, "name": "plain", "hooks": []}, {**hooked, "name": "hooked"}]
    world["instances"] = []
    world["instance_types"] = [WIDE]
    return world


def pod_addresses(subnet: int, n: int, first: int = 0) -> list:
    """@n IPv4 addresses for pods in the subnet of that number."""
    return [f"10.0.{100 + subnet}.{host}" for host in POD_HOSTS[first:first + n]]


def wide_pod_addresses(n: int) -> list:
    """The same in the wide subnet."""
    return [f"10.0.{136 + i // 256}.{i % 256}" for i in range(1, n + 1)]


def pod_addresses6(subnet: int, n: int) -> list:
    return [f"2001:db8:e2c:{100 + subnet}::ffff:{host:x}" for host in range(1, n + 1)]


def instance(number: int, n_enis: int, hook: bool = False, kind: str | None = None) -> dict:
    """A node to launch, of @kind or of the smallest type that holds so many interfaces."""
    kind = kind or ("m5.4xlarge" if n_enis < 8 else "c5n.18xlarge" if n_enis < 15 else "p4d.24xlarge")
    return {"id": f"i-{number:017x}", "type": kind,
            "subnet": NODE_SUBNET, "asg": "hooked" if hook else "plain", "groups": [NODE_GROUP],
            "tags": {"Name": f"node-{number}"}}


def _networks(numbers: range) -> str:
    """
    Subnets by number. A network card holds 15 interfaces with the primary one; what is on another
    card needs a section of its own.
    """
    if len(numbers) < 15:
        # one a line: the daemon takes no line of over 198 characters
        return "subnets = " + ",\n    ".join(subnet_id(n) for n in numbers) + "\n"
    return "".join(f"[network n{n}]\nsubnets = {subnet_id(n)}\nnetwork_card = {n // 15}\n"
                   for n in numbers)


def config(n_enis: int, source_dest_check: bool = True, boot_timeout: str = "5min",
           first: int = 1, cooldown: str = "30s", more: str = "", watch: str = "yes") -> str:
    """The daemon's configuration: @n_enis subnets from number @first on; @more lines of [network]."""
    return (f"[daemon]\nlog_level = info\nboot_timeout = {boot_timeout}\n"
            # like the installed system's own group, this one is in /etc/group
            f"[registration]\nsocket_group = root\nrelease_cooldown = {cooldown}\nwatch = {watch}\n"
            f"[network]\nsecurity_groups = {GROUP}\n"
            + ("" if source_dest_check else "source_dest_check = no\n") + more
            + _networks(range(first, first + n_enis)))


def _admitted(wishes: list, bucket: tuple) -> list:
    """When a token bucket lets calls through that are made at these times, in order."""
    burst, rate = bucket
    tokens, now, times = burst, wishes[0], []
    for wish in wishes:
        at = max(wish, now)
        tokens, now = min(burst, tokens + (at - now) * rate), at
        if tokens < 1:
            now += (1 - tokens) / rate
            tokens = 1.0
        tokens -= 1
        times.append(now)
    return times


def fleet_floor(n_nodes: int, n_enis: int) -> float:
    """
    Seconds until the last of all nodes has all interfaces, if they start at once and
    every call is made in the very moment in which EC2's buckets have a token for it.
    """
    def bucket(action):
        return TABLE.get(action, MUTATING_DEFAULT)

    planned = [2 * DESCRIBE] * (n_nodes * n_enis)
    created = [t + CREATE for t in _admitted(planned, bucket("CreateNetworkInterface"))]
    attached = [t + ATTACH for t in _admitted(created, bucket("AttachNetworkInterface"))]
    modified = [t + MODIFY
                for t in _admitted(attached, bucket("ModifyNetworkInterfaceAttribute"))]
    return max(attached[-1] + LINK, modified[-1])


def calls_floor(n_nodes: int, n_calls: int, latency: float, bucket: tuple) -> float:
    """
    Seconds until all nodes have made so many calls of one kind, each node one after the other,
    if they start at once and every call is made when the bucket has a token for it.
    """
    ended = [0.0] * n_nodes
    waiting = [(0.0, node, n_calls) for node in range(n_nodes)]
    admitted: list = []
    while waiting:
        at, node, left = heapq.heappop(waiting)
        admitted.append(at)
        ended[node] = _admitted(admitted, bucket)[-1] + latency
        if left > 1:
            heapq.heappush(waiting, (ended[node], node, left - 1))
    return max(ended)
