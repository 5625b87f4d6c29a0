# SPDX-License-Identifier: Apache-2.0
"""A tree of files that reacts to a binding as the kernel's sysfs does.

    pci = FakePci(region, root)
    pci.add("0000:00:07.0", "eth2", mac)
    ... the daemon, with --root, binds eth2's device to vfio-pci ...
    assert pci.driver("0000:00:07.0") == "vfio-pci"
    pci.close()

A write to sysfs returns when the kernel has done what it asks. Here the files
that ask are FIFOs: whoever opens one to write waits until it is opened to be
read, and that happens when the tree is as it should be. So nothing is timed.
With the driver goes the interface: out of the tree, and out of the node.
"""

import os
import threading

from harness import PATIENCE

KERNEL_DRIVER = "ena"
DRIVERS = (KERNEL_DRIVER, "vfio-pci")


class FakePci:
    """The PCI bus under @root/sys of the region's first node."""

    def __init__(self, region, root):
        self._region, self._sys = region, root / "sys"
        self._threads: dict = {}
        for directory in ("bus/pci/devices", "class/net", *(f"bus/pci/drivers/{d}" for d in DRIVERS)):
            (self._sys / directory).mkdir(parents=True)
        (self._sys / "bus/pci/drivers_probe").touch()

    def _device(self, address):
        return self._sys / "devices/pci0000:00" / address

    def add(self, address, ifname, mac) -> None:
        """The device under an interface of the node, with the kernel's driver."""
        device = self._device(address)
        net = device / "net" / ifname
        net.mkdir(parents=True)
        (net / "address").write_text(f"{mac}\n")
        (net / "device").symlink_to("../..")
        (self._sys / "bus/pci/devices" / address).symlink_to(device)
        os.mkfifo(device / "driver_override")
        os.mkfifo(device / "unbind")
        for driver in DRIVERS:  # the same file, whichever has the device at that moment
            (device / "drivers" / driver).mkdir(parents=True)
            os.link(device / "unbind", device / "drivers" / driver / "unbind")
        self._start(address, ifname)

    def _start(self, address, ifname) -> None:
        """The kernel's driver has it, until a binding comes."""
        self._give(address, KERNEL_DRIVER)
        (self._sys / "class/net" / ifname).symlink_to(self._device(address) / "net" / ifname)
        self._threads[address] = threading.Thread(target=self._serve, args=(address, ifname), daemon=True)
        self._threads[address].start()

    def _give(self, address, driver) -> None:
        link = self._device(address) / "driver"
        link.unlink(missing_ok=True)
        link.symlink_to(f"drivers/{driver}")

    def _serve(self, address, ifname) -> None:
        device = self._device(address)
        driver = (device / "driver_override").read_text().strip()
        if driver not in DRIVERS:
            return
        (self._sys / "class/net" / ifname).unlink()
        self._region.run(["ip", "link", "set", ifname, "netns", f"/proc/{self._region.pid}/ns/net",
                          "name", f"bound-{ifname}"], check=True)
        self._give(address, driver)
        (device / "unbind").read_text()

    def driver(self, address) -> str:
        """Who has the device."""
        return os.path.basename(os.readlink(self._device(address) / "driver"))

    def give_back(self, address, ifname) -> None:
        """Somebody gives a bound device back to the kernel's driver; returns when it is bound again."""
        self._await(address)
        self._start(address, ifname)
        # named first: it is to appear under its name
        self._region.run_in_vpc(["ip", "-batch", "-"], text=True, check=True, input=(
            f"link set bound-{ifname} name {ifname}\n"
            f"link set {ifname} netns {self._region.node.netns}\n"))
        self._await(address)

    def _await(self, address) -> None:
        self._threads[address].join(PATIENCE)
        assert not self._threads[address].is_alive(), f"nobody binds {address}"

    def close(self) -> None:
        """End what waits for a binding that has not come."""
        for address, thread in self._threads.items():
            if thread.is_alive():
                (self._device(address) / "driver_override").write_text("")
            thread.join()
