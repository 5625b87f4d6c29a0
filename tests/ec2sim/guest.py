# SPDX-License-Identifier: Apache-2.0
"""Instances that are virtual machines: an ENI is a PCI device that comes by hot-plug.

The hypervisor's part of EC2. QEMU waits, its processors stopped, until the
devices of the ENIs that the instance has already are in their slots: those a
machine finds when it is switched on. Later ones come and go while it runs.

An ENI of card 0 with device index n is in PCI slot 5 + n, which is what makes
ens5, ens6 … of them, as on EC2. Its other end is a tap in the simulator's
namespace, a port of the VPC as a veth is. QEMU is in that namespace too, and is
not ours: who starts it says where its monitor is.

A device counts as plugged once the guest's driver has it, so that devices come
in the order that a test has set: QEMU alone would be too fast for that.
"""

import asyncio
import contextlib

from .fabric import ROUTER_MAC
from .plug import VethPlugger
from .qmp import Qmp
from .rtnl import Rtnl, add_tap

FIRST_SLOT = 5
_JUMBO = 9001
_DRIVER_TIMEOUT = 10.0
_UNPLUG_TIMEOUT = 30.0


class Guest:
    """Where the devices of an instance appear: its QEMU."""

    #: no namespace to put a veth into
    fd = -1

    def __init__(self, qmp: Qmp):
        self.qmp = qmp

    async def go(self) -> None:
        """Its processors start."""
        await self.qmp.execute("cont")

    def close(self) -> None:
        self.qmp.close()


class GuestPlugger(VethPlugger):
    """Devices in namespaces and in virtual machines, by what the instance's node is."""

    def __init__(self, latency, gate, log):
        super().__init__(latency, gate, log)
        self._tap_rtnl = Rtnl()

    async def _insert(self, device) -> str:
        guest = device.instance.node
        if not isinstance(guest, Guest):
            return await super()._insert(device)
        await self._add(guest, device.eni_id, device.mac, device.index)
        await self._await_driver(guest, device.eni_id)
        return ""

    async def _remove(self, device) -> None:
        guest = device.instance.node
        if not isinstance(guest, Guest):
            await super()._remove(device)
            return
        gone = guest.qmp.expect("DEVICE_DELETED", device=device.eni_id)
        await guest.qmp.execute("device_del", id=device.eni_id)
        # the guest has to let go; one that has none left to do so is no reason to wait for ever
        try:
            await asyncio.wait_for(gone, _UNPLUG_TIMEOUT)
        except asyncio.TimeoutError:
            raise OSError("the guest does not let go of the device") from None
        await guest.qmp.execute("netdev_del", id=device.eni_id)
        self.fabric.remove_port(device.eni_id)
        self._tap_rtnl.delete(self.port_name(device.eni_id))

    async def equip(self, instance, path: str, enis: list, gateway) -> str:
        """
        An instance's QEMU waits, with its monitor at @path: give it its devices.
        @enis: what is attached, the primary interface first
        @gateway: the primary subnet's router, an address on the VPC's end
        Return: the name of the VPC's end of the primary interface
        """
        if instance.node is not None:
            instance.node.close()
        guest = instance.node = Guest(await Qmp.open(path))
        for eni in enis:
            self._drop_port(eni.id)
            await self._add(guest, eni.id, eni.mac, eni.attachment.device_index)
            self.adopt(instance, eni)
        port = self.port_name(enis[0].id)
        self._tap_rtnl.add_address(port, gateway)
        self._tap_rtnl.add_host_route(port, enis[0].primary_ip)
        return port

    def _drop_port(self, eni_id: str) -> None:
        """The tap that an earlier QEMU of this instance has left."""
        self.fabric.remove_port(eni_id)
        with contextlib.suppress(OSError):
            self._tap_rtnl.delete(self.port_name(eni_id))

    async def _add(self, guest: Guest, eni_id: str, mac: str, index: int) -> None:
        port = self.port_name(eni_id)
        add_tap(port)
        self._tap_rtnl.set_up(port, ROUTER_MAC, _JUMBO)
        await guest.qmp.execute("netdev_add", type="tap", id=eni_id, ifname=port, script="no",
                                downscript="no")
        # without the network card's own boot program, which a reboot would spend seconds on
        await guest.qmp.execute("device_add", driver="virtio-net-pci", id=eni_id, netdev=eni_id,
                                mac=mac, addr=hex(FIRST_SLOT + index), romfile="")
        self.port_ready(eni_id, port)

    @staticmethod
    async def _await_driver(guest: Guest, eni_id: str) -> None:
        """QEMU tells nobody when a driver takes a device; it has to be asked."""
        loop = asyncio.get_running_loop()
        end = loop.time() + _DRIVER_TIMEOUT
        while loop.time() < end:
            status = await guest.qmp.execute(
                "x-query-virtio-status", path=f"/machine/peripheral/{eni_id}/virtio-backend")
            if any(word.startswith("VIRTIO_CONFIG_S_DRIVER_OK")
                   for word in status["status"]["statuses"]):
                return
            await asyncio.sleep(0.005)
        raise OSError("no driver of the guest takes the device")
