# SPDX-License-Identifier: Apache-2.0
"""Objects of the model as the records of EC2's replies.

Each function returns the nested data of one data type of the API reference,
with the member names of the wire. What AWS always sends is always here, also
where it is empty (`tagSet`, `ipv6AddressesSet`); what it leaves out when there
is nothing to say (`attachment`) is left out.
"""

INSTANCE_STATES = {
    "pending": 0, "running": 16, "shutting-down": 32,
    "terminated": 48, "stopping": 64, "stopped": 80,
}

_TERMINATED = {"code": "Client.UserInitiatedShutdown",
               "message": "Client.UserInitiatedShutdown: User initiated shutdown"}


def tag_set(tags: dict) -> list:
    return [{"key": key, "value": value} for key, value in tags.items()]


def group_set(world, group_ids) -> list:
    return [{"groupId": gid, "groupName": world.groups[gid].name} for gid in group_ids]


def state_record(name: str) -> dict:
    return {"code": INSTANCE_STATES[name], "name": name}


def _association(eni):
    """NetworkInterfaceAssociation: the public address in front of the primary one, or None."""
    if not eni.public_ip:
        return None
    dns = f"ec2-{eni.public_ip.replace('.', '-')}.compute.amazonaws.com"
    return {"publicIp": eni.public_ip, "publicDnsName": dns, "ipOwnerId": "amazon"}


def private_ip_set(world, eni) -> list:
    """Primary first, as AWS lists them."""
    return [
        {"privateIpAddress": ip, "privateDnsName": world.private_dns(ip), "primary": number == 0,
         "association": _association(eni) if number == 0 else None}
        for number, ip in enumerate(eni.ipv4)
    ]


def _attachment(world, eni):
    """NetworkInterfaceAttachment, or None."""
    at = eni.attachment
    if at is None:
        return None
    return {
        "attachmentId": at.id, "instanceId": at.instance_id, "instanceOwnerId": world.account_id,
        "deviceIndex": at.device_index, "networkCardIndex": at.card, "status": at.status,
        "attachTime": at.time, "deleteOnTermination": at.delete_on_termination,
    }


def _prefix_sets(eni) -> dict:
    """What has a set only where there is something in it."""
    return {f"ipv{v}PrefixSet": [{f"ipv{v}Prefix": p} for p in eni.prefixes if p.version == v] or None
            for v in (4, 6)}


def eni_record(world, eni, status: str = "") -> dict:
    """NetworkInterface; @status: what to say instead of the ENI's own state."""
    return {
        "networkInterfaceId": eni.id,
        "subnetId": eni.subnet_id,
        "vpcId": eni.vpc_id,
        "availabilityZone": eni.az,
        "description": eni.description,
        "ownerId": world.account_id,
        "requesterId": eni.requester_id,
        "requesterManaged": eni.requester_managed,
        "status": status or eni.status,
        "macAddress": eni.mac,
        "privateIpAddress": eni.primary_ip,
        "privateDnsName": world.private_dns(eni.primary_ip),
        "sourceDestCheck": eni.source_dest_check,
        "groupSet": group_set(world, eni.groups),
        "attachment": _attachment(world, eni),
        "association": _association(eni),
        "tagSet": tag_set(eni.tags),
        "privateIpAddressesSet": private_ip_set(world, eni),
        "ipv6AddressesSet": [{"ipv6Address": ip} for ip in eni.ipv6],
        **_prefix_sets(eni),
        "interfaceType": eni.interface_type,
        "denyAllIgwTraffic": False,
        "ipv6Native": False,
    }


def instance_eni_record(world, eni) -> dict:
    """InstanceNetworkInterface: the form inside DescribeInstances, which has no tags."""
    record = eni_record(world, eni)
    for name in ("availabilityZone", "requesterId", "requesterManaged", "tagSet",
                 "denyAllIgwTraffic", "ipv6Native"):
        del record[name]
    del record["attachment"]["instanceId"], record["attachment"]["instanceOwnerId"]
    return record


def instance_record(world, instance) -> dict:
    """Instance. A terminated one has lost its network."""
    enis = world.enis_of(instance)
    primary = enis[0] if enis else None
    role = f"arn:{world.partition}:iam::{world.account_id}:instance-profile/{instance.role_name}"
    placed = instance.state != "terminated"
    return {
        "instanceId": instance.id,
        "imageId": instance.image_id,
        "instanceState": state_record(instance.state),
        "privateDnsName": world.private_dns(primary.primary_ip) if primary else "",
        "dnsName": "",
        "reason": "",
        "amiLaunchIndex": 0,
        "productCodes": [],
        "instanceType": instance.type.name,
        "launchTime": instance.launch_time,
        "placement": {"availabilityZone": instance.az, "groupName": "", "tenancy": "default"},
        "monitoring": {"state": "disabled"},
        "subnetId": instance.subnet_id if placed else None,
        "vpcId": instance.vpc_id if placed else None,
        "privateIpAddress": primary.primary_ip if primary else None,
        "ipAddress": primary.public_ip if primary else None,
        "ipv6Address": primary.ipv6[0] if primary and primary.ipv6 else None,
        "sourceDestCheck": primary.source_dest_check if primary else None,
        "groupSet": group_set(world, primary.groups if primary else []),
        "architecture": instance.type.architecture,
        "rootDeviceType": "ebs",
        "rootDeviceName": "/dev/xvda",
        "blockDeviceMapping": [],
        "virtualizationType": "hvm",
        "clientToken": "",
        "tagSet": tag_set(instance.tags),
        "hypervisor": "xen",
        "networkInterfaceSet": [instance_eni_record(world, eni) for eni in enis],
        "iamInstanceProfile": {"arn": role, "id": "AIPAEXAMPLE0EC2SIM000"},
        "stateReason": None if placed else _TERMINATED,
        "ebsOptimized": True,
        "enaSupport": True,
        "cpuOptions": {"coreCount": max(1, instance.type.vcpus // 2), "threadsPerCore": 2},
        "capacityReservationSpecification": {"capacityReservationPreference": "open"},
        "hibernationOptions": {"configured": False},
        "enclaveOptions": {"enabled": False},
        "bootMode": "uefi-preferred",
        "platformDetails": "Linux/UNIX",
        "usageOperation": "RunInstances",
        "usageOperationUpdateTime": instance.launch_time,
        "privateDnsNameOptions": {
            "hostnameType": "ip-name", "enableResourceNameDnsARecord": False,
            "enableResourceNameDnsAAAARecord": False,
        },
        "maintenanceOptions": {"autoRecovery": "default"},
        "metadataOptions": {
            "state": "applied", "httpTokens": instance.http_tokens,
            "httpPutResponseHopLimit": instance.hop_limit,
            "httpEndpoint": instance.http_endpoint, "httpProtocolIpv6": "disabled",
            "instanceMetadataTags": "disabled",
        },
    }


def reservation_record(world, instance) -> dict:
    """Reservation: here each instance has one of its own."""
    return {
        "reservationId": instance.reservation_id,
        "ownerId": world.account_id,
        "groupSet": [],
        "instancesSet": [instance_record(world, instance)],
    }


def subnet_record(world, subnet) -> dict:
    """Subnet."""
    associations = []
    if subnet.ipv6_cidr is not None:
        associations.append({
            "associationId": ipv6_association_id(subnet),
            "ipv6CidrBlock": subnet.ipv6_cidr,
            "ipv6CidrBlockState": {"state": "associated"},
        })
    return {
        "subnetId": subnet.id,
        "subnetArn": world.arn("subnet", subnet.id),
        "state": "available",
        "ownerId": world.account_id,
        "vpcId": subnet.vpc_id,
        "cidrBlock": subnet.cidr,
        "ipv6CidrBlockAssociationSet": associations,
        "availableIpAddressCount": subnet.pool4.available(),
        "availabilityZone": subnet.az,
        "availabilityZoneId": subnet.az_id,
        "defaultForAz": False,
        "mapPublicIpOnLaunch": False,
        "mapCustomerOwnedIpOnLaunch": False,
        "assignIpv6AddressOnCreation": subnet.assign_ipv6_on_creation,
        "tagSet": tag_set(subnet.tags),
        "enableDns64": False,
        "ipv6Native": False,
        "privateDnsNameOptionsOnLaunch": {
            "hostnameType": "ip-name", "enableResourceNameDnsARecord": False,
            "enableResourceNameDnsAAAARecord": False,
        },
    }


def security_group_record(world, group) -> dict:
    """SecurityGroup. Here none has rules but the one that every group begins with: all may go out."""
    return {
        "groupId": group.id,
        "groupName": group.name,
        "groupDescription": group.name,
        "ownerId": world.account_id,
        "vpcId": group.vpc_id,
        "ipPermissions": [],
        "ipPermissionsEgress": [{
            "ipProtocol": "-1", "groups": [], "ipRanges": [{"cidrIp": "0.0.0.0/0"}],
            "ipv6Ranges": [], "prefixListIds": [],
        }],
        "tagSet": tag_set(group.tags),
    }


def ipv6_association_id(subnet) -> str:
    return "subnet-cidr-assoc-" + subnet.id.removeprefix("subnet-")


def reservation_of_cidr_record(world, subnet, reservation) -> dict:
    """SubnetCidrReservation."""
    return {
        "subnetCidrReservationId": reservation.id,
        "subnetId": subnet.id,
        "cidr": reservation.network,
        "reservationType": reservation.kind,
        "ownerId": world.account_id,
        "description": reservation.description,
        "tagSet": tag_set(reservation.tags),
    }


def _network_info(kind) -> dict:
    """NetworkInfo: the limits that a client plans with."""
    cards = [
        {"networkCardIndex": index, "networkPerformance": kind.performance,
         "maximumNetworkInterfaces": enis}
        for index, enis in enumerate(kind.cards)
    ]
    return {
        "networkPerformance": kind.performance,
        "maximumNetworkInterfaces": kind.max_enis,
        "maximumNetworkCards": len(cards),
        "defaultNetworkCardIndex": 0,
        "networkCards": cards,
        "ipv4AddressesPerInterface": kind.ipv4_per_eni,
        "ipv6AddressesPerInterface": kind.ipv6_per_eni,
        "ipv6Supported": True,
        "enaSupport": "required",
        "efaSupported": kind.efa,
        "efaInfo": {"maximumEfaInterfaces": len(cards)} if kind.efa else None,
        "encryptionInTransitSupported": False,
    }


def instance_type_record(kind) -> dict:
    """InstanceTypeInfo."""
    cores = max(1, kind.vcpus // 2)
    return {
        "instanceType": kind.name,
        "currentGeneration": True,
        "freeTierEligible": kind.name == "t3.micro",
        "supportedUsageClasses": ["on-demand", "spot"],
        "supportedRootDeviceTypes": ["ebs"],
        "supportedVirtualizationTypes": ["hvm"],
        "bareMetal": False,
        "hypervisor": kind.hypervisor,
        "processorInfo": {"supportedArchitectures": [kind.architecture]},
        "vCpuInfo": {"defaultVCpus": kind.vcpus, "defaultCores": cores,
                     "defaultThreadsPerCore": kind.vcpus // cores},
        "memoryInfo": {"sizeInMiB": kind.memory_mib},
        "instanceStorageSupported": False,
        "networkInfo": _network_info(kind),
        "burstablePerformanceSupported": kind.name.startswith("t"),
        "dedicatedHostsSupported": not kind.name.startswith("t"),
        "placementGroupInfo": {"supportedStrategies": ["cluster", "partition", "spread"]},
        "hibernationSupported": False,
        "autoRecoverySupported": True,
        "supportedBootModes": ["legacy-bios", "uefi"],
    }
