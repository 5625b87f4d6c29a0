# SPDX-License-Identifier: Apache-2.0
"""The control interface: what a test asks and sets, as JSON on a unix socket.

None of this exists on AWS. Paths and bodies are listed in the README.
"""

import dataclasses
import ipaddress
import json
from datetime import datetime, timedelta

from . import iam, scenario, wire
from .errors import AwsError

_SKIPPED = ("pool4", "pool6", "node")


def plain(value):
    """Any of the model's objects as JSON data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)
                if f.name not in _SKIPPED}
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(plain(v) for v in value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (ipaddress._BaseNetwork, ipaddress._BaseAddress)):
        return str(value)
    return value


class Control:
    """The routes. @connect: async (instance, netns, name, imds, qmp) -> dict, wires up a node."""

    def __init__(self, region, connect):
        self._region, self._world, self._connect = region, region.world, connect

    async def handle(self, request, writer) -> bool:
        """Serve one request of the control socket."""
        try:
            body = json.loads(request.body) if request.body else {}
            status, result = 200, await self._route(request.method, request.path, body)
        except AwsError as error:
            status, result = 404, {"error": str(error)}
        except (ValueError, KeyError, TypeError, AssertionError, OSError) as error:
            status, result = 400, {"error": f"{type(error).__name__}: {error}"}
        data = json.dumps(result).encode()
        writer.write(wire.reply(status, data, {"Content-Type": "application/json"}))
        return request.keep_alive

    async def _route(self, method: str, path: str, body):
        first, *rest = [part for part in path.split("/") if part] or [""]
        handler = getattr(self, f"_{method.lower()}_{first.replace('-', '_')}", None)
        if handler is None:
            raise ValueError(f"no such thing: {method} {path}")
        result = handler(body, *rest)
        return await result if hasattr(result, "__await__") else result

    # -- reading -----------------------------------------------------------

    def _get_state(self, _body) -> dict:
        world = self._world
        enis = {eni.id: {**plain(eni), "status": eni.status} for eni in world.enis.values()}
        return {"now": world.now().isoformat(), "region": world.region,
                "account": world.account_id, "enis": enis,
                **{name: plain(getattr(world, name)) for name in
                   ("vpcs", "subnets", "groups", "instances", "asgs", "deleted_enis")}}

    def _get_calls(self, _body) -> list:
        return self._region.log.calls

    def _get_events(self, _body) -> list:
        return self._region.log.events

    def _get_fabric(self, _body) -> dict:
        """What the VPC did not deliver: reason -> frames."""
        return dict(self._region.plugger.fabric.dropped)

    def _get_imds(self, _body) -> list:
        return self._region.log.imds

    def _delete_calls(self, _body) -> dict:
        self._region.log.clear()
        return {}

    # -- setting -----------------------------------------------------------

    def _put_latency(self, body) -> dict:
        self._region.latency.update(body)
        return self._region.latency.table

    def _put_buckets(self, body) -> dict:
        self._region.throttle.configure(body)
        return {}

    def _put_faults(self, body) -> dict:
        self._region.faults.configure(body or [])
        return {}

    def _put_denied(self, body) -> dict:
        self._region.deny(body.get("role", "multus-node"), body["actions"])
        return plain(self._region.denied)

    def _put_policy(self, body) -> dict:
        role, document = body.get("role", "multus-node"), body["document"]
        self._region.policies.pop(role, None)
        if document is not None:
            self._region.policies[role] = iam.Policy(document)
        return {}

    def _put_consistency(self, body) -> dict:
        self._world.not_found_seconds = float(body["not_found_seconds"])
        return {}

    def _put_clock(self, body) -> dict:
        self._region.clock.offset = float(body["offset"])
        self._region.clock.stop(bool(body.get("stopped")))
        return {"now": self._world.now().isoformat()}

    def _put_imds(self, body) -> dict:
        node = body.pop("node", None)
        chosen = [self._world.instance(node)] if node else self._world.instances.values()
        for instance in chosen:
            self._region.metadata_of(instance).settings.update(body)
        return {}

    def _put_tags(self, body) -> dict:
        """Tags of an instance as somebody with a console sets them."""
        tags = self._world.instance(body["id"]).tags
        tags.update(body["tags"])
        return tags

    def _put_group(self, body) -> dict:
        """The same for an Auto Scaling group; `hidden`: the describe does not show it."""
        group = self._world.asgs[body["name"]]
        group.tags = body.get("tags", group.tags)
        group.hidden = body.get("hidden", group.hidden)
        return plain(group)

    def _put_plug(self, body) -> dict:
        self._region.plugger.settings.update(body)
        return {}

    def _post_credentials(self, body, what: str) -> dict:
        credentials, node = self._region.credentials, body.get("node")
        if "lifetime" in body:
            credentials.lifetime = timedelta(seconds=float(body["lifetime"]))
        if what == "rotate":
            credentials.rotate(node)
        elif what == "expire":
            credentials.expire(node, body.get("renew", True))
        else:
            raise ValueError("rotate or expire")
        return {}

    # -- the gate ----------------------------------------------------------

    def _put_gate(self, body) -> dict:
        self._region.gate.set(body)
        return {}

    async def _get_gate(self, _body) -> dict:
        return await self._region.gate.reached()

    def _post_gate(self, body, _release: str) -> dict:
        return {"released": self._region.gate.release(body.get("do", "continue"))}

    # -- events of the world -----------------------------------------------

    async def _post_instances(self, body) -> dict:
        wiring = {key: body.pop(key, None) for key in ("netns", "name", "imds", "qmp")}
        return await self._connect(scenario.add_instance(self._world, body), **wiring)

    async def _post_nodes(self, body) -> dict:
        """An instance that is there already gets its namespace or machine, and metadata listener."""
        wiring = {key: body.get(key) for key in ("netns", "name", "imds", "qmp")}
        return await self._connect(self._world.instance(body["instance"]), **wiring)

    def _delete_instances(self, _body, instance_id: str) -> dict:
        self._world.terminate(self._world.instance(instance_id))
        return {}

    def _post_foreign_eni(self, body) -> dict:
        """An ENI that somebody else made; attached when `instance` is named."""
        return {"id": scenario.add_eni(self._world, body).id}

    def _delete_enis(self, _body, eni_id: str) -> dict:
        self._world.delete_eni(self._world.enis[eni_id])
        return {}

    def _post_enis(self, _body, eni_id: str, what: str) -> dict:
        if what != "detach":
            raise ValueError("detach")
        self._world.detach(self._world.enis[eni_id])
        return {}
