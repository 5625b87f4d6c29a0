# SPDX-License-Identifier: Apache-2.0
"""The units as systemd lives with them: kubelet waits for READY, and the daemon's end does not stop it."""

import subprocess

import pytest

import machine as machines
from harness import INSTANCE, NETWORKS, SUBNETS, leaked, message_ids, multus_enis

EKSD, KUBELET, NODEADM = "multus-eksd.service", "kubelet.service", "nodeadm-run.service"
CONTINUE = "[daemon]\non_failure = continue\n" + NETWORKS
NO_ADDRESS = {"action": "CreateNetworkInterface", "n": 0, "do": "error",
              "code": "InsufficientFreeAddressesInSubnet"}

pytestmark = pytest.mark.skipif(bool(machines.why_not()), reason=machines.why_not())


@pytest.fixture
def machine(region, tmp_path):
    """The sample node's system, not booted yet."""
    with machines.Machine(region.node, tmp_path, NETWORKS) as machine:
        yield machine


@pytest.fixture
def booted(machine):
    machine.boot()
    assert machine.show(EKSD, "ActiveState") == "active"
    return machine


def began(machine, unit) -> int:
    """When a unit's program was started in this boot, in microseconds; 0: never."""
    return int(machine.show(unit, "ExecMainStartTimestampMonotonic"))


def identity(machine) -> tuple:
    """What changes when kubelet is stopped or started."""
    return tuple(machine.show(KUBELET, name) for name in
                 ("ActiveState", "MainPID", "InvocationID", "NRestarts", "ActiveEnterTimestampMonotonic"))


def seen(machine, name) -> str:
    return machine.run("cat", f"/run/seen-by-{name}").stdout


# -- the boot --------------------------------------------------------------

def test_boot(booted):
    """kubelet and nodeadm after READY, and what they find is what they are to find."""
    ready = int(booted.show(EKSD, "ActiveEnterTimestampMonotonic"))
    assert ready > 0
    for unit in (KUBELET, NODEADM):
        assert began(booted, unit) > ready, unit
    assert began(booted, EKSD) > began(booted, "nodeadm-config.service")
    up = {line.split("@")[0] for line in seen(booted, "kubelet").splitlines() if ",UP," in line}
    assert up >= {"eth1", "eth2", "eth3"}
    assert "(default_enis - 3)" in seen(booted, "nodeadm")
    assert booted.status()["phase"] == "ready"
    assert [i["mtu"] for i in booted.status()["interfaces"]] == [9001] * 3
    # every job of the boot was done: none was dropped for an ordering cycle
    assert booted.show("nodeadm-reconcile.service", "Result") == "success"
    assert began(booted, "nodeadm-reconcile.service") > 0
    assert booted.run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "multus*", "node*",
                      "kube*").stdout == ""


def test_sandbox_hides_nothing_that_is_needed(booted):
    """What a sandbox refuses is not told by the program's end, but by what it complains of."""
    warnings = [e["MESSAGE"] for e in booted.journal(f"_SYSTEMD_UNIT={EKSD}") if int(e["PRIORITY"]) <= 4]
    assert warnings == []
    assert booted.run("sysctl", "-n", "net.ipv4.conf.eth1.rp_filter").stdout.strip() == "0"
    assert booted.run("stat", "-c", "%a %G", machines.SOCKET).stdout.split() == ["660", "multus-eks"]
    assert booted.run("ls", "/var/lib/multus-eks/claims").stdout.split() == sorted(
        i["mac"] for i in booted.status()["interfaces"])


def test_sandbox_lets_write_only_here(booted):
    """The mounts that the daemon sees."""
    pid = booted.show(EKSD, "MainPID")
    allowed = ["/etc/eks/nodeadm.d", "/etc/pcidp", "/proc/sys/net/ipv4/conf/eth1/rp_filter",
               "/run/multus-eks", "/var/lib/multus-eks"]
    denied = ["/etc", "/etc/multus-eks.conf", "/opt/cni/bin", "/proc/sys/kernel/domainname", "/run",
              "/usr/bin", "/var/lib", "/root"]
    for path in allowed + denied:
        writable = booted.run("nsenter", "-t", pid, "-m", "test", "-w", path, check=False).returncode == 0
        assert writable == (path in allowed), path


def test_sandbox_shows_namespaces_made_later(booted):
    """They are mounts below /run/netns, which have to reach the daemon's own mounts."""
    booted.run("ip", "netns", "add", "pod")
    kind = booted.run("nsenter", "-t", booted.show(EKSD, "MainPID"), "-m", "stat", "-fc", "%T",
                      "/run/netns/pod").stdout.strip()
    assert kind == booted.run("stat", "-fc", "%T", "/run/netns/pod").stdout.strip()


# -- failure ---------------------------------------------------------------

def test_blocked(region, machine):
    region.control.faults(NO_ADDRESS)
    machine.boot()
    machine.wait_until(lambda: machine.show(EKSD, "ActiveState") == "failed")
    assert machine.show(EKSD, "NRestarts") == "4"
    assert machine.show("multus-eksd.socket", "ActiveState") == "inactive"
    # a kubelet that is tried again does not have the boot tried again
    machine.systemctl("reset-failed", KUBELET)
    assert machine.systemctl("start", KUBELET, check=False) != 0
    assert machine.show(EKSD, "ActiveState") == "failed"
    assert len(machine.journal(f"MESSAGE_ID={message_ids()['BOOT_FAILED']}")) == 5
    for unit in (KUBELET, NODEADM, "nodeadm-reconcile.service"):
        assert began(machine, unit) == 0, unit
    assert machine.show(NODEADM, "ActiveState") == "failed"
    # it is said why, with the fields that lead further, and what to do
    failed = machine.journal(f"MESSAGE_ID={message_ids()['BOOT_FAILED']}")
    assert failed and failed[0]["_SYSTEMD_UNIT"] == EKSD
    causes = machine.journal(f"MESSAGE_ID={message_ids()['ENI_FAILED']}")
    assert {e["SUBNET_ID"] for e in causes} == set(SUBNETS)
    assert "InsufficientFreeAddressesInSubnet" in causes[0]["MESSAGE"]
    machine.run("journalctl", "--update-catalog")
    explained = machine.run("journalctl", "-x", "--no-pager",
                            f"MESSAGE_ID={message_ids()['BOOT_FAILED']}").stdout
    assert "Subject: The Multus interfaces of this node could not be made" in explained

    # mended: one command lets the whole of it go
    region.control.faults()
    machine.systemctl("restart", EKSD)
    assert machine.show("multus-eksd.socket", "ActiveState") == "active"
    ready = int(machine.show(EKSD, "ActiveEnterTimestampMonotonic"))
    for unit in (NODEADM, "nodeadm-reconcile.service", KUBELET):
        machine.wait_until(lambda unit=unit: began(machine, unit) > ready)
    assert machine.show(KUBELET, "ActiveState") == "active"
    assert "(default_enis - 3)" in seen(machine, "nodeadm")


def test_continue(region, machine):
    region.control.faults({**NO_ADDRESS, "n": 1})
    machine.configure(CONTINUE)
    machine.boot()
    assert machine.show(EKSD, "ActiveState") == "active"
    assert began(machine, KUBELET) > int(machine.show(EKSD, "ActiveEnterTimestampMonotonic")) > 0
    assert "Degraded" in machine.show(EKSD, "StatusText")
    assert machine.status()["phase"] == "degraded"
    assert machine.run("multus-eksctl", "status", check=False).returncode == 4
    assert len(machine.journal(f"MESSAGE_ID={message_ids()['BOOT_DEGRADED']}")) == 1
    assert "(default_enis - 2)" in seen(machine, "nodeadm")


def looked(machine, *words) -> str:
    """What a command prints that finds no daemon, and has none started: that would make interfaces."""
    state, pid = machine.show(EKSD, "ActiveState"), machine.show(EKSD, "ExecMainPID")
    result = machine.run("multus-eksctl", *words, check=False, stderr=subprocess.STDOUT)
    assert result.returncode == 1
    assert (machine.show(EKSD, "ActiveState"), machine.show(EKSD, "ExecMainPID")) == (state, pid)
    return result.stdout


def test_wrong_configuration(machine):
    """It does not come right by trying again, so it is not tried again."""
    machine.configure("[daemon]\nlog_lvl = info\n")
    machine.boot()
    assert machine.show(EKSD, "ActiveState") == "failed"
    assert machine.show(EKSD, "NRestarts") == "0"
    assert began(machine, KUBELET) == 0
    assert machine.systemctl("start", KUBELET, check=False) != 0
    for command in ("status", "addresses", "doctor"):
        assert "multus-eksd.service is failed" in looked(machine, command)


# -- whatever befalls the daemon -------------------------------------------

@pytest.mark.parametrize("words", [("stop",), ("restart",), ("try-restart",), ("kill", "--signal=KILL"),
                                   ("kill", "--signal=ABRT"), ("stop", "multus-eksd.socket")], ids=" ".join)
def test_kubelet_goes_on(region, booted, words):
    before, enis = identity(booted), [eni["id"] for eni in multus_enis(region)]
    calls = region.control.calls()
    booted.systemctl(*words, EKSD)
    if words[0] == "kill":
        booted.wait_until(lambda: booted.show(EKSD, "NRestarts") == "1")
    assert identity(booted) == before
    booted.systemctl("start", "multus-eksd.socket", EKSD)
    assert booted.status()["phase"] == "ready"
    assert identity(booted) == before
    assert [eni["id"] for eni in multus_enis(region)] == enis and leaked(region) == []
    made = region.control.calls()[len(calls):]
    assert [c for c in made if not c["action"].startswith(("Describe", "Get"))] == []


def test_kubelet_starts_without_a_daemon_that_was_ready(booted):
    """In this boot the interfaces were made: a daemon that is stopped is no reason to keep a node out."""
    booted.systemctl("stop", EKSD)
    assert "multus-eksd.service is inactive" in looked(booted, "doctor")
    booted.systemctl("restart", KUBELET)
    assert booted.show(KUBELET, "ActiveState") == "active"
    # whoever asks has it started
    booted.run("multus-eksctl", "status", check=False)
    booted.wait_until(lambda: booted.show(EKSD, "ActiveState") == "active")


def test_kubelet_is_not_said_to_wait_when_it_runs(region, booted):
    """AWS refuses when the daemon is started once more."""
    before = identity(booted)
    region.control.deny("ec2:DescribeInstances")
    booted.systemctl("restart", EKSD, check=False)
    text = booted.journal(f"MESSAGE_ID={message_ids()['BOOT_FAILED']}")[0]["MESSAGE"]
    assert "kubelet was started before and goes on" in text and "not started" not in text
    assert identity(booted) == before
    region.control.deny()
    booted.systemctl("restart", EKSD)
    assert booted.status()["phase"] == "ready" and identity(booted) == before


def test_upgrade(region, booted):
    """As a package would do it: files, then what systemd is to know of them, then the daemon."""
    before = identity(booted)
    old = booted.run("stat", "-Lc", "%i", "/usr/libexec/multus-eks/multus-eksd").stdout
    booted.configure(CONTINUE)
    booted.install()
    assert booted.run("stat", "-Lc", "%i", "/usr/libexec/multus-eks/multus-eksd").stdout != old
    assert (booted.root / "etc/multus-eks.conf").read_text() == CONTINUE
    for argv in (["systemctl", "daemon-reload"], ["systemd-sysusers"], ["systemd-tmpfiles", "--create"],
                 ["journalctl", "--update-catalog"], ["systemctl", "try-restart", EKSD]):
        booted.run(*argv, check=argv[0] != "systemd-tmpfiles")
    assert identity(booted) == before
    assert booted.status()["phase"] == "ready"
    assert len(multus_enis(region, INSTANCE)) == 3


def test_stopped_node_boots_again(region, machine, tmp_path):
    """A reboot: /run is empty, so kubelet waits anew."""
    machine.boot()
    before = multus_enis(region)
    machine.off()
    region.control.deny("ec2:DescribeInstances")
    again = machines.Machine(region.reboot(INSTANCE), tmp_path / "again", NETWORKS)
    with again:
        again.boot()
        assert began(again, KUBELET) == 0
        region.control.deny()
        again.systemctl("restart", EKSD)
        again.wait_until(lambda: began(again, KUBELET) > 0)
        assert again.status()["phase"] == "ready"
    assert [eni["id"] for eni in multus_enis(region)] == [eni["id"] for eni in before]
