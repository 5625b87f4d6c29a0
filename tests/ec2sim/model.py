# SPDX-License-Identifier: Apache-2.0
"""The state of the simulated region: plain objects and the World that owns them.

No input or output here and no waiting: time comes from the World's clock,
devices are handed to its plugger, both set by whoever runs the simulator. The
World's verbs (create_eni, attach, detach, ...) are what both the API's actions
and the tests' control interface use; they check nothing but programming
errors, the rules of AWS being the actions' business.

Invariants, which the tests prove after random operations: an address has one
holder; an ENI's addresses are held in its subnet's pools by it and no one
else; an attachment is known to its ENI, to its instance and to the World.
"""

import ipaddress
import hashlib
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from .addresses import AddressPool
from .errors import AwsError
from .instance_types import INSTANCE_TYPES, InstanceType

__all__ = [
    "Attachment", "AutoScalingGroup", "CidrReservation", "Instance", "InstanceType",
    "LifecycleAction", "LifecycleHook", "NetworkInterface", "NullPlugger", "SecurityGroup",
    "Subnet", "SystemClock", "Vpc", "World",
]


class SystemClock:
    """The clock of a World that was given none."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)


class NullPlugger:
    """Where no device is wanted."""

    def plug(self, instance, eni) -> None:
        """An ENI was attached to @instance."""

    def unplug(self, instance, eni) -> None:
        """An ENI was taken from @instance."""

    def detach(self, instance, eni, done) -> None:
        """An ENI is on its way off; @done is to be called when it is off."""
        self.unplug(instance, eni)
        done()


@dataclass
class Vpc:
    id: str
    cidr: ipaddress.IPv4Network
    tags: dict = field(default_factory=dict)


@dataclass
class SecurityGroup:
    id: str
    vpc_id: str
    name: str
    tags: dict = field(default_factory=dict)


@dataclass
class CidrReservation:
    """A part of a subnet that AWS does not hand out from; @kind: explicit or prefix."""

    id: str
    network: object
    kind: str
    description: str = ""
    tags: dict = field(default_factory=dict)


@dataclass
class Subnet:
    id: str
    vpc_id: str
    az: str
    az_id: str
    cidr: ipaddress.IPv4Network
    ipv6_cidr: object = None
    assign_ipv6_on_creation: bool = False
    tags: dict = field(default_factory=dict)
    reservations: list = field(default_factory=list)
    pool4: AddressPool = None
    pool6: AddressPool = None

    def pool_of(self, address) -> AddressPool:
        """The pool for addresses of this family; None: the subnet has no IPv6."""
        return self.pool4 if address.version == 4 else self.pool6


@dataclass
class Attachment:
    """
    The tie between an ENI and an instance; it is `attached` from its first moment, and
    `detaching` until the device is out.
    """

    id: str
    eni_id: str
    instance_id: str
    device_index: int
    card: int
    time: datetime
    delete_on_termination: bool = False
    status: str = "attached"


@dataclass
class NetworkInterface:
    """An ENI; the first of @ipv4 is its primary address."""

    id: str
    subnet_id: str
    vpc_id: str
    az: str
    mac: str
    ipv4: list
    ipv6: list
    groups: list
    created: datetime
    visible_from: datetime
    seq: int
    description: str = ""
    tags: dict = field(default_factory=dict)
    attachment: Attachment = None
    source_dest_check: bool = True
    interface_type: str = "interface"
    requester_id: str = None
    requester_managed: bool = False
    public_ip: str = None
    prefixes: list = field(default_factory=list)   # delegated to it

    @property
    def status(self) -> str:
        return "in-use" if self.attachment else "available"

    @property
    def primary_ip(self):
        return self.ipv4[0]


@dataclass
class LifecycleAction:
    """A hook that holds an instance until it is completed or its time is over."""

    hook_name: str
    instance_id: str
    token: str
    started: datetime
    deadline: datetime
    global_deadline: datetime
    heartbeats: list = field(default_factory=list)
    result: str = ""
    completed: datetime = None


@dataclass
class LifecycleHook:
    name: str
    transition: str = "autoscaling:EC2_INSTANCE_LAUNCHING"
    heartbeat_timeout: int = 300
    default_result: str = "ABANDON"
    notification_target_arn: str = ""
    role_arn: str = ""
    notification_metadata: str = ""

    @property
    def global_timeout(self) -> int:
        """AWS ends the wait after 100 times the heartbeat or 48 hours, whichever is less."""
        return min(100 * self.heartbeat_timeout, 172800)


@dataclass
class AutoScalingGroup:
    name: str
    subnets: list
    created: datetime
    tags: dict = field(default_factory=dict)
    hooks: list = field(default_factory=list)
    min_size: int = 0
    max_size: int = 10
    desired: int = 1
    actions: list = field(default_factory=list)
    hidden: bool = False   # deleted, or the describe is behind

    def hook(self, name: str):
        return next((hook for hook in self.hooks if hook.name == name), None)


@dataclass
class Instance:
    """A node. @node belongs to whoever runs the simulator (namespace and the like)."""

    id: str
    type: InstanceType
    subnet_id: str
    vpc_id: str
    az: str
    launch_time: datetime
    seq: int
    reservation_id: str
    image_id: str = "ami-0f00000000000e151"
    role_name: str = "multus-node"
    asg: str = ""
    lifecycle_state: str = ""
    state: str = "running"
    user_data: str = ""
    tags: dict = field(default_factory=dict)
    eni_ids: list = field(default_factory=list)
    hop_limit: int = 1
    http_tokens: str = "required"
    http_endpoint: str = "enabled"
    node: object = None

    @property
    def target_lifecycle_state(self) -> str:
        """What the metadata service tells under autoscaling/target-lifecycle-state."""
        if not self.asg:
            return ""
        return "Terminated" if self.lifecycle_state.startswith("Termina") else "InService"


class World:
    """The region: everything that exists in it, how to find it, how it changes."""

    def __init__(self, clock=None, region="eu-central-1", account_id="123456789012", seed=1):
        self.clock = clock or SystemClock()
        self.region = region
        self.account_id = account_id
        self.partition = "aws-cn" if region.startswith("cn-") else "aws"
        self.plugger = NullPlugger()
        self.rng = random.Random(seed)
        self.not_found_seconds = 0.0
        self.max_enis = 5000
        self.max_groups_per_eni = 5
        self.vpcs: dict = {}
        self.subnets: dict = {}
        self.groups: dict = {}
        self.enis: dict = {}
        self.attachments: dict = {}
        self.instances: dict = {}
        self.asgs: dict = {}
        self.instance_types: dict = dict(INSTANCE_TYPES)
        self.client_tokens: dict = {}
        self.deleted_enis: list = []
        self._seq = 0

    # -- names and numbers -------------------------------------------------

    def now(self) -> datetime:
        return self.clock.now()

    def next_seq(self) -> int:
        """Creation order, by which the describes list and page."""
        self._seq += 1
        return self._seq

    def new_id(self, prefix: str) -> str:
        """An id of today's length: 17 hex digits, the first of them 0."""
        return f"{prefix}-0{self.rng.getrandbits(64):016x}"

    def arn(self, kind: str, name: str) -> str:
        return f"arn:{self.partition}:ec2:{self.region}:{self.account_id}:{kind}/{name}"

    def private_dns(self, address) -> str:
        suffix = "ec2" if self.region == "us-east-1" else f"{self.region}.compute"
        return f"ip-{str(address).replace('.', '-')}.{suffix}.internal"

    def _mac(self, eni_id: str) -> str:
        """A locally administered unicast address that hangs on the id alone."""
        digest = hashlib.sha256(eni_id.encode()).digest()
        return ":".join(f"{byte:02x}" for byte in bytes([0x02]) + digest[:5])

    # -- lookup, in AWS's words where it fails -----------------------------

    def eni(self, eni_id: str) -> NetworkInterface:
        """The ENI of that id, if the caller may see it yet."""
        _check_id(eni_id, "eni", "InvalidNetworkInterfaceId.Malformed")
        eni = self.enis.get(eni_id)
        if eni is None or not self.visible(eni):
            raise AwsError("InvalidNetworkInterfaceID.NotFound",
                           f"The networkInterface ID '{eni_id}' does not exist")
        return eni

    def visible(self, eni: NetworkInterface) -> bool:
        """False while EC2's other parts have not heard of a new ENI."""
        return self.now() >= eni.visible_from

    def subnet(self, subnet_id: str) -> Subnet:
        _check_id(subnet_id, "subnet", "InvalidSubnetID.Malformed")
        if subnet_id not in self.subnets:
            raise AwsError("InvalidSubnetID.NotFound",
                           f"The subnet ID '{subnet_id}' does not exist")
        return self.subnets[subnet_id]

    def group(self, group_id: str) -> SecurityGroup:
        _check_id(group_id, "sg", "InvalidGroupId.Malformed")
        if group_id not in self.groups:
            raise AwsError("InvalidGroup.NotFound",
                           f"The security group '{group_id}' does not exist")
        return self.groups[group_id]

    def instance(self, instance_id: str) -> Instance:
        _check_id(instance_id, "i", "InvalidInstanceID.Malformed")
        if instance_id not in self.instances:
            raise AwsError("InvalidInstanceID.NotFound",
                           f"The instance ID '{instance_id}' does not exist")
        return self.instances[instance_id]

    def attachment(self, attachment_id: str) -> Attachment:
        _check_id(attachment_id, "eni-attach", "InvalidNetworkInterfaceAttachmentId.Malformed")
        attachment = self.attachments.get(attachment_id)
        if attachment is None:
            raise AwsError("InvalidAttachmentID.NotFound",
                           f"The attachment ID '{attachment_id}' does not exist")
        return attachment

    def default_group(self, vpc_id: str) -> SecurityGroup:
        """The group an ENI gets when none is named."""
        return next(g for g in self.groups.values() if g.vpc_id == vpc_id and g.name == "default")

    def enis_of(self, instance: Instance) -> list:
        """An instance's ENIs, by card and device index."""
        enis = [self.enis[eni_id] for eni_id in instance.eni_ids]
        return sorted(enis, key=lambda e: (e.attachment.card, e.attachment.device_index))

    # -- what there is from the start --------------------------------------

    def add_vpc(self, vpc: Vpc, default_group_id: str = "") -> Vpc:
        """Add a VPC with its default security group."""
        self.vpcs[vpc.id] = vpc
        self.add_group(SecurityGroup(default_group_id or self.new_id("sg"), vpc.id, "default"))
        return vpc

    def add_group(self, group: SecurityGroup) -> SecurityGroup:
        self.groups[group.id] = group
        return group

    def add_subnet(self, subnet: Subnet) -> Subnet:
        subnet.pool4 = AddressPool(subnet.cidr, self.rng)
        if subnet.ipv6_cidr is not None:
            subnet.pool6 = AddressPool(subnet.ipv6_cidr, self.rng)
        self.subnets[subnet.id] = subnet
        for reservation in subnet.reservations:
            self._exclude(subnet, reservation)
        return subnet

    def reserve(self, subnet: Subnet, reservation: CidrReservation) -> CidrReservation:
        """Add a CIDR reservation to a subnet that is there already."""
        subnet.reservations.append(reservation)
        self._exclude(subnet, reservation)
        return reservation

    @staticmethod
    def _exclude(subnet: Subnet, reservation: CidrReservation) -> None:
        pool = subnet.pool_of(reservation.network)
        assert pool is not None and reservation.network.subnet_of(pool.network), reservation
        pool.excluded.append(reservation.network)

    def add_asg(self, asg: AutoScalingGroup) -> AutoScalingGroup:
        self.asgs[asg.name] = asg
        return asg

    # -- ENIs --------------------------------------------------------------

    def create_eni(self, subnet: Subnet, ipv4=None, ipv6=(), groups=None, **fields):
        """
        Make an ENI and take its addresses.
        @ipv4: addresses, primary first; None: one of AWS's choice
        @groups: ids; None: the VPC's default group
        @fields: description, tags, requester_id, ... of NetworkInterface
        """
        if ipv4 is None:
            ipv4 = subnet.pool4.choose(1)
            assert ipv4, f"{subnet.id} is full"
        eni_id = self.new_id("eni")
        now = self.now()
        eni = NetworkInterface(
            id=eni_id, subnet_id=subnet.id, vpc_id=subnet.vpc_id, az=subnet.az,
            mac=self._mac(eni_id), ipv4=[], ipv6=[],
            groups=list(groups or [self.default_group(subnet.vpc_id).id]), created=now,
            visible_from=now + timedelta(seconds=self.not_found_seconds), seq=self.next_seq(),
            **fields)
        self.enis[eni_id] = eni
        for address in [*ipv4, *ipv6]:
            self.give_address(eni, address)
        return eni

    def addresses_of(self, eni: NetworkInterface, address) -> list:
        """The ENI's list of addresses of that family."""
        return eni.ipv4 if address.version == 4 else eni.ipv6

    def give_address(self, eni: NetworkInterface, address) -> None:
        self.subnets[eni.subnet_id].pool_of(address).take(address, eni.id)
        self.addresses_of(eni, address).append(address)

    def give_prefix(self, eni: NetworkInterface, prefix) -> None:
        """Delegate a prefix, of which nothing is taken, to the ENI."""
        pool = self.subnets[eni.subnet_id].pool_of(prefix)
        assert prefix.subnet_of(pool.network) and not any(a in prefix for a in pool.holders), prefix
        pool.delegated[prefix] = eni.id
        eni.prefixes.append(prefix)

    def take_address(self, eni: NetworkInterface, address) -> None:
        self.subnets[eni.subnet_id].pool_of(address).release(address)
        self.addresses_of(eni, address).remove(address)

    def attach(self, eni, instance, device_index, card=0, delete_on_termination=False):
        """Attach and have the device plugged in."""
        assert eni.attachment is None
        attachment = Attachment(self.new_id("eni-attach"), eni.id, instance.id, device_index,
                                card, self.now(), delete_on_termination)
        eni.attachment = attachment
        self.attachments[attachment.id] = attachment
        instance.eni_ids.append(eni.id)
        self.plugger.plug(instance, eni)
        return attachment

    def detach(self, eni: NetworkInterface) -> None:
        """Begin to detach; it keeps its place until the plugger has the device out."""
        attachment = eni.attachment
        attachment.status = "detaching"

        def done() -> None:
            if eni.attachment is attachment:
                self._separate(eni)
        self.plugger.detach(self.instances[attachment.instance_id], eni, done)

    def pull(self, eni: NetworkInterface) -> None:
        """Detach at once and have the device taken out."""
        instance = self._separate(eni)
        self.plugger.unplug(instance, eni)

    def _separate(self, eni: NetworkInterface) -> Instance:
        instance = self.instances[eni.attachment.instance_id]
        instance.eni_ids.remove(eni.id)
        del self.attachments[eni.attachment.id]
        eni.attachment = None
        return instance

    def delete_eni(self, eni: NetworkInterface) -> None:
        """Make an ENI vanish, be it attached or not."""
        if eni.attachment:
            self.pull(eni)
        for address in [*eni.ipv4, *eni.ipv6]:
            self.take_address(eni, address)
        for prefix in eni.prefixes:
            del self.subnets[eni.subnet_id].pool_of(prefix).delegated[prefix]
        del self.enis[eni.id]
        self.deleted_enis.append(eni.id)

    # -- instances ---------------------------------------------------------

    def launch_instance(self, type_name, subnet, instance_id="", asg="", groups=None,
                        primary_ip=None, ipv6_count=0, **fields):
        """
        Start an instance with its primary ENI; in a group, its launch hooks begin.
        @fields: tags, role_name, image_id, node of Instance
        """
        instance = Instance(
            id=instance_id or self.new_id("i"), type=self.instance_types[type_name],
            subnet_id=subnet.id, vpc_id=subnet.vpc_id, az=subnet.az, launch_time=self.now(),
            seq=self.next_seq(), reservation_id=self.new_id("r"), **fields)
        assert instance.id not in self.instances, instance.id
        self.instances[instance.id] = instance
        eni = self.create_eni(subnet, [primary_ip] if primary_ip else None,
                              subnet.pool6.choose(ipv6_count) if ipv6_count else (), groups)
        eni.visible_from = eni.created
        self.attach(eni, instance, 0, delete_on_termination=True)
        if asg:
            self._join(instance, self.asgs[asg])
        return instance

    def _join(self, instance: Instance, asg: AutoScalingGroup) -> None:
        instance.asg = asg.name
        instance.tags["aws:autoscaling:groupName"] = asg.name
        hooks = [h for h in asg.hooks if h.transition == "autoscaling:EC2_INSTANCE_LAUNCHING"]
        instance.lifecycle_state = "Pending:Wait" if hooks else "InService"
        for hook in hooks:
            asg.actions.append(self._begin(hook, instance))

    def _begin(self, hook: LifecycleHook, instance: Instance) -> LifecycleAction:
        digits = f"{self.rng.getrandbits(128):032x}"
        token = "-".join([digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]])
        now = self.now()
        return LifecycleAction(hook.name, instance.id, token, now,
                               now + timedelta(seconds=hook.heartbeat_timeout),
                               now + timedelta(seconds=hook.global_timeout))

    def terminate(self, instance: Instance) -> None:
        """End an instance: its ENIs go or stay, each by its DeleteOnTermination."""
        instance.state = "terminated"
        if instance.asg:
            instance.lifecycle_state = "Terminated"
        for eni in self.enis_of(instance):
            if eni.attachment.delete_on_termination:
                self.delete_eni(eni)
            else:
                self.pull(eni)


def _check_id(value: str, prefix: str, code: str) -> None:
    """Refuse what does not look like an id of that kind: 8 or 17 hex digits."""
    digits = value.removeprefix(prefix + "-")
    good = digits != value and len(digits) in (8, 17) and not digits.strip("0123456789abcdef")
    if not good:
        raise AwsError(code, f'Invalid id: "{value}"')
