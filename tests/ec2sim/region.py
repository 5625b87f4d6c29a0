# SPDX-License-Identifier: Apache-2.0
"""One running region: the world and everything around it that can be set.

The parts know each other through this object alone. It holds no sockets.
"""

from email.utils import format_datetime

from .calllog import CallLog
from .credentials import Credentials
from .faults import Faults, Gate
from .imds import MetadataService
from .latency import Latency
from .plug import NullPlugger
from .throttle import Throttle


class Region:
    """The simulator's parts, each one's default being that nothing goes wrong."""

    def __init__(self, world, clock, plugger=NullPlugger):
        self.world, self.clock = world, clock
        self.log = CallLog(clock)
        self.latency = Latency()
        self.throttle = Throttle()
        self.faults = Faults()
        self.gate = Gate()
        self.credentials = Credentials(clock)
        self.denied: dict = {}
        self.policies: dict = {}
        self.metadata: dict = {}
        self.unsigned_payload = False
        self.plugger = plugger(self.latency, self.gate, self.log)
        world.plugger = self.plugger

    def metadata_of(self, instance) -> MetadataService:
        """The metadata service of an instance, made when first asked for."""
        return self.metadata.setdefault(instance.id, MetadataService(self, instance))

    def deny(self, role: str, actions: list) -> None:
        """Set the denied actions of a role: "ec2:X", "autoscaling:X", or X for both."""
        full = set()
        for action in actions:
            full |= {action} if ":" in action else {f"ec2:{action}", f"autoscaling:{action}"}
        self.denied[role] = full

    def http_date(self) -> str:
        """The Date header: the region's time, by which a client finds its own wrong."""
        return format_datetime(self.clock.now().replace(microsecond=0), usegmt=True)
