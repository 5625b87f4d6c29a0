# SPDX-License-Identifier: Apache-2.0
"""Devices: what an attached ENI is to the node.

The model calls plug() and unplug() when an attachment begins and ends; both
return at once. The device comes `link` seconds later; detach() takes it out
`detach` seconds later, and then the attachment ends. A Plugger decides when
and in which order, and logs it; what a device is, is left to its two hooks:
nothing at all (NullPlugger) or a veth in the node's network namespace
(VethPlugger). The primary interface is the node's own business (index 0).

Invariant: an ENI is in at most one of the states waiting, held back, plugged.
"""

import asyncio
import concurrent.futures
import os
import time

from .fabric import ROUTER_MAC
from .rtnl import Rtnl


class Node:
    """Where an instance's devices appear; @netns None: nowhere."""

    def __init__(self, netns: str | None = None):
        self.netns = netns
        self.fd = -1
        if netns:
            path = netns if "/" in netns else f"/run/netns/{netns}"
            self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Settings:
    """
    What a test can set, for every node:
    delay: seconds, or {device index: seconds}; None: the `link` latency
    never: device indexes that never appear (or ["*"])
    order: device indexes in the order in which they appear, whatever their delays
    name: template of the kernel's name; names: {device index: name}
    linger: seconds for which a device is there all the same that was detached before it came, while
        EC2 calls the detachment done; None: such a device never comes
    """

    KEYS = ("delay", "never", "order", "name", "names", "linger")

    def __init__(self):
        self.delay = None
        self.never: list = []
        self.order: list = []
        self.name = "eth%d"
        self.names: dict = {}
        self.linger = None

    def update(self, spec: dict) -> None:
        unknown = set(spec) - set(self.KEYS)
        if unknown:
            raise ValueError(f"unknown keys in plug: {sorted(unknown)}")
        for key, value in spec.items():
            setattr(self, key, value)

    def is_never(self, index: int) -> bool:
        return "*" in self.never or index in self.never

    def name_of(self, index: int) -> str:
        return self.names.get(str(index), self.names.get(index, self.name))

    def delay_of(self, index: int, default: float) -> float:
        if isinstance(self.delay, dict):
            return float(self.delay.get(str(index), default))
        return default if self.delay is None else float(self.delay)


class _Device:
    """One ENI's way into a node, from plug() to unplug()."""

    def __init__(self, instance, eni):
        self.instance, self.eni_id, self.mac = instance, eni.id, eni.mac
        self.index = eni.attachment.device_index
        self.begun = time.monotonic()
        self.task: asyncio.Task | None = None
        self.inserting = self.plugged = False


class Plugger:
    """Timing, order and log of plugging; subclasses make and delete the devices."""

    def __init__(self, latency, gate, log):
        self.settings = Settings()
        self._latency, self._gate, self._log = latency, gate, log
        self._devices: dict = {}
        self._arrived: dict = {}
        self._tasks: set = set()

    def plug(self, instance, eni) -> None:
        """An ENI was attached: its device will come."""
        if eni.attachment.device_index == 0:
            return
        device = _Device(instance, eni)
        self._devices[eni.id] = device
        if self.settings.is_never(device.index):
            self._note("never", device)
            return
        device.task = asyncio.get_running_loop().create_task(self._arrive(device))

    def unplug(self, instance, eni) -> None:
        """An ENI was taken away: its device goes, or never comes."""
        device = self._take_device(eni)
        if device is None:
            return
        self._run(self._leave(device))

    def detach(self, instance, eni, done) -> None:
        """Detaching has begun: the device goes, then @done is called."""
        self._run(self._detach(eni, done))

    def _run(self, coroutine) -> None:
        # the loop itself keeps no task alive
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _take_device(self, eni):
        device = self._devices.pop(eni.id, None)
        if device is not None:
            self._arrived.get(device.instance.id, set()).discard(device.index)
        return device

    async def _detach(self, eni, done) -> None:
        await asyncio.sleep(self._latency.of("detach"))
        device = self._take_device(eni)
        if device is None:
            done()
        elif self.settings.linger is None or device.plugged or device.task is None:
            await self._leave(device)
            done()
        else:
            done()
            await asyncio.wait([device.task])
            await asyncio.sleep(self.settings.linger)
            await self._leave(device)

    def adopt(self, instance, eni) -> None:
        """An attached ENI's device is there already; it goes like any other."""
        if eni.attachment.device_index != 0:
            device = self._devices[eni.id] = _Device(instance, eni)
            device.plugged = True

    async def close(self) -> None:
        """Nothing is plugged any more; what exists goes with the namespaces."""
        for task in self._tasks:
            task.cancel()
        for device in self._devices.values():
            if device.task:
                device.task.cancel()

    def _note(self, what: str, device: _Device, **more) -> None:
        self._log.event(what, instance=device.instance.id, eni=device.eni_id, mac=device.mac,
                        index=device.index, **more)

    async def _arrive(self, device: _Device) -> None:
        wait = self.settings.delay_of(device.index, self._latency.of("link"))
        await asyncio.sleep(max(0.0, device.begun + wait - time.monotonic()))
        await self._await_turn(device)
        counted = self._gate.counts("link", device.instance.id)
        what = {"action": "link", "instance": device.instance.id, "eni": device.eni_id,
                "index": device.index, "mac": device.mac}
        if counted:
            await self._gate.hold("before", what)
        device.inserting = True
        try:
            name = await self._insert(device)
        except OSError as error:
            self._note("failed", device, error=str(error))
            return
        device.plugged = True
        # the time in the log is that of the device, not that of any gate
        self._note("plug", device, name=name, after=round(time.monotonic() - device.begun, 6))
        self._turn_over(device)
        if counted:
            await self._gate.hold("after", what)

    async def _await_turn(self, device: _Device) -> None:
        """Wait until every device that is to come earlier has come."""
        order = self.settings.order
        if device.index not in order:
            return
        before = set(order[:order.index(device.index)])
        arrived = self._arrived.setdefault(device.instance.id, set())
        while not before <= arrived:
            turn = asyncio.get_running_loop().create_future()
            self._waiting(device.instance.id).append(turn)
            await turn

    def _waiting(self, instance_id: str) -> list:
        return self._arrived.setdefault(("waiting", instance_id), [])

    def _turn_over(self, device: _Device) -> None:
        self._arrived.setdefault(device.instance.id, set()).add(device.index)
        waiting = self._waiting(device.instance.id)
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)
        waiting.clear()

    async def _leave(self, device: _Device) -> None:
        if device.task and not device.task.done():
            # what has begun cannot be called back: let it come, then take it away
            if not device.inserting:
                device.task.cancel()
            await asyncio.wait([device.task])
        if device.plugged:
            try:
                await self._remove(device)
            except OSError as error:
                # the node's namespace is gone, and every device in it
                self._note("gone", device, error=str(error))
                return
            self._note("unplug", device)

    async def _insert(self, device: _Device) -> str:
        """Make the device appear. Return its name, if known."""
        return ""

    async def _remove(self, device: _Device) -> None:
        """Make the device disappear."""


class NullPlugger(Plugger):
    """Only the log tells of the devices."""


class VethPlugger(Plugger):
    """
    A veth pair for each ENI: the end with the ENI's MAC in the node's
    namespace, the other one in the simulator's, named after the ENI. All of those have the
    router's MAC, as each of them is the router to its node. @fabric: what connects them
    """

    def __init__(self, latency, gate, log):
        super().__init__(latency, gate, log)
        self.fabric = None
        self._rtnl = Rtnl()
        self._pool = concurrent.futures.ThreadPoolExecutor(1, "plug")
        self._unplug_pool = concurrent.futures.ThreadPoolExecutor(1, "unplug")
        self._unplug_rtnl = Rtnl()
        # created before it is needed: a thread's start is not the device's delay
        self._pool.submit(int).result()

    @staticmethod
    def port_name(eni_id: str) -> str:
        """The name of the VPC's end; names have 15 characters at most."""
        return "v" + eni_id.removeprefix("eni-")[-12:]

    async def _insert(self, device: _Device) -> str:
        node = device.instance.node
        if node is None or node.fd < 0:
            return ""
        port, name = self.port_name(device.eni_id), self.settings.name_of(device.index)
        await asyncio.get_running_loop().run_in_executor(
            self._pool, self._rtnl.add_veth, port, ROUTER_MAC, name, device.mac, node.fd)
        self.port_ready(device.eni_id, port)
        return name

    async def _remove(self, device: _Device) -> None:
        if device.instance.node is None or device.instance.node.fd < 0:
            return
        if self.fabric:
            self.fabric.remove_port(device.eni_id)
        await asyncio.get_running_loop().run_in_executor(
            self._unplug_pool, self._unplug_rtnl.delete, self.port_name(device.eni_id))

    def port_ready(self, eni_id: str, port: str) -> None:
        """The VPC's end of an ENI exists: the fabric, if there is one, serves it from now on."""
        if self.fabric:
            self.fabric.add_port(eni_id, port)

    def plug_primary(self, instance, eni, gateway, name: str) -> str:
        """
        Give a node its first interface, at once and blocking; only used at its start.
        @gateway: the subnet's router, an address on the VPC's end
        Return: the name of the VPC's end
        """
        port = self.port_name(eni.id)
        self._rtnl.add_veth(port, ROUTER_MAC, name, eni.mac, instance.node.fd)
        self._rtnl.add_address(port, gateway)
        self._rtnl.add_host_route(port, eni.primary_ip)
        self.port_ready(eni.id, port)
        return port

    async def close(self) -> None:
        await super().close()
        if self.fabric:
            self.fabric.close()
        self._pool.shutdown(wait=False)
        self._unplug_pool.shutdown(wait=False)
