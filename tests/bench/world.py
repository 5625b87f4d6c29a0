# SPDX-License-Identifier: Apache-2.0
"""The region that is measured in, its latencies, and the floors that follow from them."""

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
N_SUBNETS = 14


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
         "tags": {"Name": f"multus-{n}"}} for n in range(1, N_SUBNETS + 1)]
    hooked = {**world["asgs"][0], "subnets": [NODE_SUBNET]}
    world["asgs"] = [{**hooked, "name": "plain", "hooks": []}, {**hooked, "name": "hooked"}]
    world["instances"] = []
    return world


def instance(number: int, n_enis: int, hook: bool = False) -> dict:
    """A node to launch, of the smallest type that holds so many interfaces."""
    return {"id": f"i-{number:017x}", "type": "m5.4xlarge" if n_enis < 8 else "c5n.18xlarge",
            "subnet": NODE_SUBNET, "asg": "hooked" if hook else "plain", "groups": [NODE_GROUP],
            "tags": {"Name": f"node-{number}"}}


def config(n_enis: int, source_dest_check: bool = True, boot_timeout: str = "5min") -> str:
    """The daemon's configuration: the first @n_enis subnets."""
    # one a line: the daemon takes no line of over 198 characters
    subnets = ",\n    ".join(subnet_id(n) for n in range(1, n_enis + 1))
    check = "" if source_dest_check else "source_dest_check = no\n"
    return (f"[daemon]\nlog_level = info\nboot_timeout = {boot_timeout}\n"
            # like the installed system's own group, this one is in /etc/group
            "[registration]\nsocket_group = root\n"
            f"[network]\nsubnets = {subnets}\nsecurity_groups = {GROUP}\n{check}")


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
