# SPDX-License-Identifier: Apache-2.0
"""The instance metadata service, version 2, of one node.

A listener belongs to one node: the address it is asked at says who asks, as
the hypervisor knows on AWS. Version 1 (no token) is refused. Sessions are
tokens with an end; every connection carries one request, as on AWS.
"""

import asyncio
import json
import secrets
import socket
import time

from . import autoscaling, wire

TOKEN_PATH = "/latest/api/token"
TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds"
MAX_TTL = 21600
_PAGE = """<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
\t"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>{status} - {text}</title>
 </head>
 <body>
  <h1>{status} - {text}</h1>
 </body>
</html>
"""
_TEXTS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
          405: "Method Not Allowed", 500: "Internal Server Error", 503: "Service Unavailable"}


class ImdsSettings:
    """
    What a test can set for a node:
    disabled: True: 403 as with HttpEndpoint=disabled; "close": no answer at all
    token_ttl: a token ends after so many seconds, whatever was asked for
    hop_limit: the IP TTL of the reply that carries the token
    http_tokens: what DescribeInstances says of version 1, which is refused here all the same
    fail: [{"path": prefix, "method", "k": 1, "n": 1, "status": 500} or "do": close|hang|garbage]
    Hop limit and tokens are the instance's: EC2 tells them in its MetadataOptions.
    """

    KEYS = ("disabled", "token_ttl", "hop_limit", "http_tokens", "fail")

    def __init__(self, instance):
        self._instance = instance
        self.disabled = False
        self.token_ttl = None
        self.fail: list = []

    def update(self, spec: dict) -> None:
        unknown = set(spec) - set(self.KEYS)
        if unknown:
            raise ValueError(f"unknown keys in imds: {sorted(unknown)}")
        for key, value in spec.items():
            setattr(self._instance if hasattr(self._instance, key) else self, key, value)
        self._instance.http_endpoint = "disabled" if self.disabled is True else "enabled"
        if "fail" in spec:
            self.fail = [{"seen": 0, **rule} for rule in spec["fail"]]

    def failure(self, method: str, path: str):
        """The rule that this request hits, or None; every matching rule counts it."""
        hit = None
        for rule in self.fail:
            if not path.startswith(rule.get("path", "/")) or rule.get("method", method) != method:
                continue
            rule["seen"] += 1
            first, count = rule.get("k", 1), rule.get("n", 1)
            if rule["seen"] >= first and (not count or rule["seen"] < first + count):
                hit = hit or rule
        return hit


def _stamp(when) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


class MetadataService:
    """Answers for one instance of the world."""

    def __init__(self, region, instance):
        self._region, self._instance = region, instance
        self.settings = ImdsSettings(instance)
        self._tokens: dict = {}

    # -- what there is to know ---------------------------------------------

    def tree(self) -> dict:
        """Everything below /latest: dicts are directories, strings are files."""
        tree = {"dynamic": {"instance-identity": {"document": self._document()}},
                "meta-data": self._meta_data()}
        if self._instance.user_data:
            tree["user-data"] = self._instance.user_data
        return tree

    def _document(self) -> str:
        world, instance = self._region.world, self._instance
        architecture = instance.type.architecture
        return json.dumps({
            "accountId": world.account_id, "architecture": architecture,
            "availabilityZone": instance.az, "billingProducts": None,
            "devpayProductCodes": None, "marketplaceProductCodes": None,
            "imageId": instance.image_id, "instanceId": instance.id,
            "instanceType": instance.type.name, "kernelId": None,
            "pendingTime": _stamp(instance.launch_time), "privateIp": self._primary_ip(),
            "ramdiskId": None, "region": world.region, "version": "2017-09-30"}, indent=2)

    def _primary(self):
        enis = self._region.world.enis_of(self._instance)
        return enis[0] if enis else None

    def _primary_ip(self) -> str:
        eni = self._primary()
        return str(eni.primary_ip) if eni else ""

    def _meta_data(self) -> dict:
        world, instance, primary = self._region.world, self._instance, self._primary()
        subnet = world.subnets[instance.subnet_id]
        domain = "amazonaws.com.cn" if world.partition == "aws-cn" else "amazonaws.com"
        tree = {
            "ami-id": instance.image_id, "ami-launch-index": "0",
            "hostname": world.private_dns(self._primary_ip()),
            "instance-id": instance.id, "instance-life-cycle": "on-demand",
            "instance-type": instance.type.name,
            "local-hostname": world.private_dns(self._primary_ip()),
            "local-ipv4": self._primary_ip(), "mac": primary.mac if primary else "",
            "network": {"interfaces": {"macs": self._macs()}},
            "placement": {"availability-zone": instance.az, "availability-zone-id": subnet.az_id,
                          "region": world.region},
            "reservation-id": instance.reservation_id,
            "services": {"domain": domain, "partition": world.partition},
        }
        if instance.role_name and instance.state != "terminated":
            tree["iam"] = self._iam()
        autoscaling.settle(world)
        if instance.target_lifecycle_state:
            tree["autoscaling"] = {"target-lifecycle-state": instance.target_lifecycle_state}
        return tree

    def _iam(self) -> dict:
        world, role = self._region.world, self._instance.role_name
        credential = self._region.credentials.of_instance(self._instance)
        body = {"Code": "Success", "LastUpdated": _stamp(credential.issued), "Type": "AWS-HMAC",
                "AccessKeyId": credential.key_id, "SecretAccessKey": credential.secret,
                "Token": credential.token, "Expiration": _stamp(credential.expires)}
        arn = f"arn:{world.partition}:iam::{world.account_id}:instance-profile/{role}"
        info = {"Code": "Success", "LastUpdated": _stamp(credential.issued),
                "InstanceProfileArn": arn, "InstanceProfileId": "AIPAEXAMPLEPROFILEID0"}
        return {"info": json.dumps(info, indent=2),
                "security-credentials": {role: json.dumps(body, indent=2)}}

    def _macs(self) -> dict:
        world = self._region.world
        late = self._region.latency.of("imds_new_eni")
        macs = {}
        for eni in world.enis_of(self._instance):
            age = (world.now() - eni.attachment.time).total_seconds()
            if eni.attachment.device_index == 0 or age >= late:
                macs[eni.mac] = self._interface(eni)
        return macs

    def _interface(self, eni) -> dict:
        world = self._region.world
        subnet, vpc = world.subnets[eni.subnet_id], world.vpcs[eni.vpc_id]
        tree = {
            "device-number": str(eni.attachment.device_index), "interface-id": eni.id,
            "local-hostname": world.private_dns(eni.primary_ip),
            "local-ipv4s": "\n".join(map(str, eni.ipv4)), "mac": eni.mac,
            "owner-id": world.account_id, "security-group-ids": "\n".join(eni.groups),
            "security-groups": "\n".join(world.groups[g].name for g in eni.groups),
            "subnet-id": eni.subnet_id, "subnet-ipv4-cidr-block": str(subnet.cidr),
            "vpc-id": eni.vpc_id, "vpc-ipv4-cidr-block": str(vpc.cidr),
            "vpc-ipv4-cidr-blocks": str(vpc.cidr),
        }
        if eni.attachment.card or len(self._instance.type.cards) > 1:
            tree["network-card"] = str(eni.attachment.card)
        if eni.ipv6:
            tree["ipv6s"] = "\n".join(map(str, eni.ipv6))
        if subnet.ipv6_cidr is not None:
            tree["subnet-ipv6-cidr-blocks"] = str(subnet.ipv6_cidr)
        return tree

    def lookup(self, path: str):
        """The text at @path below /latest, a listing for a directory; None: absent."""
        node = self.tree()
        parts = [part for part in path.split("/") if part]
        for part in parts:
            if not isinstance(node, dict) or part not in node:
                return None
            node = node[part]
        if isinstance(node, str):
            return None if path.endswith("/") else node
        return "\n".join(self._entry(k, v, parts) for k, v in node.items())

    @staticmethod
    def _entry(name: str, value, parts: list) -> str:
        return name + "/" if isinstance(value, dict) else name

    # -- sessions ----------------------------------------------------------

    def _token(self, request, writer):
        """PUT of the token: (status, body, headers)."""
        if "x-forwarded-for" in request.headers:
            return 403, None, {}
        try:
            ttl = int(request.headers.get(TTL_HEADER, ""))
        except ValueError:
            return 400, None, {}
        if not 1 <= ttl <= MAX_TTL:
            return 400, None, {}
        token = secrets.token_urlsafe(40) + "=="
        life = ttl if self.settings.token_ttl is None else min(ttl, self.settings.token_ttl)
        self._tokens[token] = time.monotonic() + life
        peer = writer.get_extra_info("socket")
        if peer.family == socket.AF_INET:
            # a container behind the node must not get it: the packet dies on the way
            peer.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, self._instance.hop_limit)
        return 200, token, {"X-Aws-Ec2-Metadata-Token-Ttl-Seconds": str(ttl)}

    def _authorized(self, request) -> bool:
        end = self._tokens.get(request.headers.get("x-aws-ec2-metadata-token", ""))
        return end is not None and time.monotonic() < end

    def _answer(self, request, writer):
        """(status, body or None for the error page, headers) of a request."""
        if self.settings.disabled:
            return 403, None, {}
        if request.path.rstrip("/") == TOKEN_PATH:
            return self._token(request, writer) if request.method == "PUT" else (405, None, {})
        if request.method not in ("GET", "HEAD"):
            return 405, None, {}
        if not self._authorized(request):
            return 401, None, {}
        version, _, path = request.path.lstrip("/").partition("/")
        body = self.lookup(path) if version in ("latest", "2021-03-23") else None
        return (404, None, {}) if body is None else (200, body, {})

    async def handle(self, request, writer) -> bool:
        """Serve one request; the connection ends after it."""
        region = self._region
        await asyncio.sleep(region.latency.of("imds"))
        failure = self.settings.failure(request.method, request.path)
        what = {"action": "imds", "instance": self._instance.id, "path": request.path}
        counted = region.gate.counts("imds", self._instance.id)
        if counted and not await region.gate.hold("before", what):
            writer.transport.abort()
            return False
        status, body, headers = self._answer(request, writer)
        if failure is not None and "do" not in failure:
            status, body, headers = failure.get("status", 500), None, {}
        deed = failure.get("do") if failure else None
        if self.settings.disabled == "close":
            deed = "close"
        region.log.metadata(self._instance.id, request.method, request.path, deed or status)
        if deed == "hang":
            await asyncio.sleep(failure.get("seconds", 60))
        if counted and not await region.gate.hold("after", what) or deed in ("close", "hang"):
            writer.transport.abort()
            return False
        if deed == "garbage":
            body = "\x00\xff<<{" * 20
        self._send(request, writer, status, body, headers)
        return False

    def _send(self, request, writer, status: int, body, headers: dict) -> None:
        kind = "text/plain"
        if body is None:
            body, kind = _PAGE.format(status=status, text=_TEXTS.get(status, "Error")), "text/html"
        elif body.startswith("{"):
            kind = "application/json" if request.path.endswith("document") else "text/plain"
        writer.write(wire.reply(status, body.encode("latin-1", "replace"), {
            "Content-Type": kind, "Accept-Ranges": "none", "Server": "EC2ws",
            "Date": self._region.http_date(), "Connection": "close", **headers}, request.method))
