# SPDX-License-Identifier: Apache-2.0
"""What must be so on every node that came up, whatever the way.

Asked of those whom it concerns: the kernel, networkd, udev, systemd, EC2; not of the daemon's log.
"""

from harness import leaked, multus_enis

from guest import wait_value

NAMES = ("eth1", "eth2", "eth3")
HOOK = "udev-net-manager@"


def by_network(region, instance) -> dict:
    """The node's interfaces: network -> ENI."""
    enis = {eni["tags"]["multus-eks:network"]: eni for eni in multus_enis(region, instance)}
    return dict(sorted(enis.items()))


def hooked(guest) -> set:
    """The interfaces for which AWS's hook has been started in this boot."""
    entries = guest.journal("--output-fields=UNIT", "_PID=1")
    units = {entry.get("UNIT", "") for entry in entries}
    return {unit[len(HOOK):].removesuffix(".service") for unit in units if unit.startswith(HOOK)}


def check_links(links, enis) -> None:
    """Each ENI has its name and is up; the host has no address there."""
    for name, eni in enis.items():
        link = links[name]
        assert link["address"] == eni["mac"], name
        assert "UP" in link["flags"] and link["mtu"] == 9001, link
        assert link["addr_info"] == [], link
        assert eni["id"] in link["altnames"], link


def check_unmanaged(guest, names) -> None:
    """
    networkd leaves them alone, and at no time asked for an address there; udev knows whose they are; AWS's
    hook was not started for them.
    """
    def managers():
        links = guest.json("networkctl list --json=short")["Interfaces"]
        return {link["Name"]: link["AdministrativeState"] for link in links}
    # of a device that has just come networkd may not have decided yet
    wanted = {**dict.fromkeys(names, "unmanaged"), "ens5": "configured"}
    wait_value(managers, lambda found: wanted.items() <= found.items())
    leases = {event["mac"] for event in guest.control.events() if event["event"] == "dhcp"}
    primary, *ours = (eni["mac"] for eni in guest.control.enis(guest.instance))
    assert primary in leases and leases.isdisjoint(ours)
    for name in names:
        properties = guest.run(f"udevadm info -q property /sys/class/net/{name}").splitlines()
        assert {"MULTUS_EKS=1", "ID_NET_MANAGED_BY=multus-eks", "NM_UNMANAGED=1"} <= set(properties)
    assert hooked(guest) == {"ens5"}
    assert {route["dev"] for route in guest.json("ip -json route")} == {"ens5"}


def check_kubelet(guest, names) -> None:
    """It runs, it started after READY, and it found the interfaces up."""
    daemon = guest.property("multus-eksd", "ActiveState", "ActiveEnterTimestampMonotonic")
    kubelet = guest.property("kubelet", "ActiveState", "ExecMainStartTimestampMonotonic")
    assert (daemon["ActiveState"], kubelet["ActiveState"]) == ("active", "active")
    assert int(daemon["ActiveEnterTimestampMonotonic"]) < int(kubelet["ExecMainStartTimestampMonotonic"])
    found = {link["ifname"]: link["flags"] for link in guest.json("cat /run/stand-in/kubelet.json")}
    assert all("UP" in found[name] for name in names), found


def check_node(machines, guest, names=NAMES) -> dict:
    """All of it, of a node that has finished its boot; returns its links."""
    enis = by_network(machines.region, guest.instance)
    assert tuple(enis) == tuple(names)
    status = guest.status()
    assert status["phase"] == "ready", status
    links = guest.links()
    check_links(links, enis)
    check_unmanaged(guest, names)
    check_kubelet(guest, names)
    assert f"(default_enis - {len(names)})" in guest.run("cat /run/stand-in/nodeadm.yaml")
    assert leaked(machines.region) == []
    return links


def check_calm(guest) -> None:
    """systemd had nothing to complain of in this boot: no unit failed, no ordering cycle."""
    assert [entry["MESSAGE"] for entry in guest.journal("-p", "warning", "_PID=1")] == []
