# SPDX-License-Identifier: Apache-2.0
"""Instance types: what EC2 documents about the network of each.

The figures are those of AWS's table "Maximum IP addresses per network
interface". The list is short on purpose: one of each shape that a node's boot
can meet (2 to 15 interfaces, 6 to 50 addresses, arm64, several network cards).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class InstanceType:
    """Limits of one type; @card_enis holds the interfaces of each network card."""

    name: str
    vcpus: int
    memory_mib: int
    max_enis: int
    ipv4_per_eni: int
    ipv6_per_eni: int
    performance: str
    card_enis: tuple = ()
    architecture: str = "x86_64"
    hypervisor: str = "nitro"
    efa: bool = False

    @property
    def cards(self) -> tuple:
        """Interfaces per network card; most types have one card."""
        return self.card_enis or (self.max_enis,)


_TABLE = [
    InstanceType("t3.micro", 2, 1024, 2, 2, 2, "Up to 5 Gigabit"),
    InstanceType("t3.medium", 2, 4096, 3, 6, 6, "Up to 5 Gigabit"),
    InstanceType("m5.large", 2, 8192, 3, 10, 10, "Up to 10 Gigabit"),
    InstanceType("m5.xlarge", 4, 16384, 4, 15, 15, "Up to 10 Gigabit"),
    InstanceType("m5.2xlarge", 8, 32768, 4, 15, 15, "Up to 10 Gigabit"),
    InstanceType("m5.4xlarge", 16, 65536, 8, 30, 30, "Up to 10 Gigabit"),
    InstanceType("m5.8xlarge", 32, 131072, 8, 30, 30, "10 Gigabit"),
    InstanceType("m5.16xlarge", 64, 262144, 15, 50, 50, "20 Gigabit"),
    InstanceType("c5.xlarge", 4, 8192, 4, 15, 15, "Up to 10 Gigabit"),
    InstanceType("c5n.18xlarge", 72, 196608, 15, 50, 50, "100 Gigabit", efa=True),
    InstanceType("m6i.large", 2, 8192, 3, 10, 10, "Up to 12.5 Gigabit"),
    InstanceType("m6g.large", 2, 8192, 3, 10, 10, "Up to 10 Gigabit", architecture="arm64"),
    InstanceType("r5.2xlarge", 8, 65536, 4, 15, 15, "Up to 10 Gigabit"),
    InstanceType("p4d.24xlarge", 96, 1179648, 60, 50, 50, "4x 100 Gigabit", (15,) * 4, efa=True),
]

INSTANCE_TYPES = {entry.name: entry for entry in _TABLE}
