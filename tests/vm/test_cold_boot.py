# SPDX-License-Identifier: Apache-2.0
"""A node's first boot: its interfaces come by hot-plug, in any order, while udev does what it likes."""

import itertools

import pytest

from guest import PATIENCE
from timeline import timeline
from verdict import NAMES, by_network, check_calm, check_node

ORDERS = list(itertools.permutations((1, 2, 3)))


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "".join(map(str, order)))
def test_arrival(machines, report, order):
    """Device indexes 1, 2 and 3 are eth1, eth2 and eth3 in whichever order they come."""
    machines.control.plug(order=list(order))
    guest = machines.switch_on()
    guest.wait_boot()
    links = check_node(machines, guest)
    check_calm(guest)
    came = sorted(NAMES, key=lambda name: links[name]["ifindex"])
    assert came == [f"eth{index}" for index in order]
    if order == ORDERS[0]:
        report(timeline(guest, "A cold boot"))


def test_udev_is_slow(machines):
    """
    udev looks at nothing until all devices are there, under the kernel's names: eth0 and eth1, of which
    the second is another's in the end, and eth2. The daemon waits for it, and then they get their own.
    """
    machines.control.plug(order=[2, 3, 1])
    machines.control.gate("link")
    guest = machines.switch_on()
    guest.wait_control()
    machines.control.gate_reached(PATIENCE)
    guest.run("udevadm control --stop-exec-queue")
    machines.control.gate_release()
    # in one go, since the daemon waits for udev for so long and no longer
    links = guest.json("timeout 60 sh -c 'until [ -e /sys/class/net/eth2 ]; do sleep 0.05; done' && "
                       "ip -json address && udevadm control --start-exec-queue")
    addresses, enis = {i["ifname"]: i["address"] for i in links}, by_network(machines.region, guest.instance)
    assert [addresses[f"eth{n}"] for n in range(3)] == \
        [enis[name]["mac"] for name in ("eth2", "eth3", "eth1")]
    guest.await_boot()
    check_node(machines, guest)
