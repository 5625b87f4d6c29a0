# SPDX-License-Identifier: Apache-2.0
"""Mistakes in the files, in drop-ins and in tags: named with their place, and nothing is begun."""

import subprocess

import pytest

from fault import IDS, POLICIES, owned, ready, settings, told, verdict
from harness import EKSCTL, INSTANCE, NETWORKS, SUBNETS

POLICY = pytest.mark.parametrize("policy", POLICIES)
EX_CONFIG = 78

#: lines of a file, the line that is wrong, and what the message names
FILES = {
    "unknown-key": ("[daemon]\nretries = 3\n", 2, "retries"),
    "unknown-section": ("[deamon]\n", 1, "deamon"),
    "bad-number": ("[network]\nmtu = many\n", 2, "mtu"),
    "unknown-unit": ("[daemon]\nboot_timeout = 5 fortnights\n", 2, "boot_timeout"),
    "bad-word": ("[daemon]\non_failure = hope\n", 2, "block"),
    "long-line": ("[network]\ninterface_tags = a=" + "x" * 4000 + "\n", 2, "line"),
    "timeouts": ("[daemon]\nboot_timeout = 10s\n", 2, "attach_timeout"),
    "group-count": (f"[network]\nsubnets = {', '.join(SUBNETS)}\nsecurity_groups = sg-a1, sg-b2\n", 3, "2"),
    "index-0": (f"[network a]\nsubnets = {SUBNETS[0]}\ndevice_index = 0\n", 3, "primary"),
    "names": (f"[network a]\nsubnets = {SUBNETS[0]}\nifname = eth2\n[network b]\n", 4, "eth2"),
    "duplicate-network": (f"[network a]\nsubnets = {SUBNETS[0]}\n[network a]\n", 3, "a"),
}


def ctl(region, *arguments) -> subprocess.CompletedProcess:
    return region.node.run([EKSCTL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           check=False)


@pytest.mark.parametrize("drop_in", [False, True], ids=["file", "drop-in"])
@pytest.mark.parametrize("name", FILES)
def test_file(region, daemon, name, drop_in):
    text, line, word = FILES[name]
    path = daemon.config_path
    if drop_in:
        path = f"{daemon.config_path}.d/50-more.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    daemon.start()
    assert daemon.wait_exit() == EX_CONFIG
    told(daemon, "CONFIG_INVALID", f"{path}:{line}:", word)
    assert region.control.imds_log() == []
    complaints = [e["MESSAGE"] for e in daemon.log(IDS["CONFIG_INVALID"])]
    for arguments in (["check-config", daemon.config_path], ["plan", "--config", daemon.config_path]):
        reply = ctl(region, *arguments)
        assert reply.returncode == 1
        assert all(complaint in reply.stderr for complaint in complaints)
    with open(path, "w", encoding="utf-8") as file:
        file.write("" if drop_in else NETWORKS)
    ready(region, daemon)


@POLICY
@pytest.mark.parametrize("config, words", [
    ("[network]\nsubnets = subnet-0000000000000b001\n", ["subnet-0000000000000b001", "eu-central-1a"]),
    (f"[network]\nsubnets = {SUBNETS[0]}, subnet-0123456789abcdef0\n", ["subnet-0123456789abcdef0", "VPC"]),
    (f"[network a]\nsubnets = {SUBNETS[0]}\n[network b]\n", ["network b", "subnets"]),
], ids=["other-zone", "no-such-subnet", "empty-network"])
def test_plan_is_impossible(region, daemon, policy, config, words):
    daemon.configure(settings(config, on_failure=policy, lifecycle_hook="none"))
    verdict(daemon, policy, [])
    told(daemon, "PLAN_IMPOSSIBLE", *words)
    reply = ctl(region, "plan", "--config", daemon.config_path)
    assert reply.returncode == 1 and all(word in reply.stderr for word in words)
    assert region.control.calls(mutating=True) == []
    daemon.configure(NETWORKS)
    ready(region, daemon)


@POLICY
def test_no_such_security_group(region, daemon, policy):
    config = NETWORKS.replace("sg-0000000000000a115", "sg-0123456789abcdef0")
    daemon.configure(settings(config, on_failure=policy, lifecycle_hook="none"))
    verdict(daemon, policy, [])
    told(daemon, "ENI_FAILED", "sg-0123456789abcdef0", "security_groups", SUBNETS[0])
    owned(region)
    daemon.configure(NETWORKS)
    ready(region, daemon)


def test_only_tags_can_say(region, daemon):
    """The daemon would start with it: whether it gets anywhere, the tags decide."""
    daemon.configure("[network oam]\n")
    reply = ctl(region, "check-config", daemon.config_path)
    assert reply.returncode == 0
    assert f"{daemon.config_path}:1: network oam names no subnets" in reply.stdout
    tag(region, "multus-eks:subnets", SUBNETS[0])
    ready(region, daemon, ["eth1"])


@POLICY
def test_name_of_the_primary(region, daemon, policy):
    daemon.configure(settings(f"[network a]\nsubnets = {SUBNETS[0]}\nifname = ens5\n", on_failure=policy,
                              attach_timeout="1s", boot_timeout="4s", lifecycle_hook="none"))
    verdict(daemon, policy, [])
    assert any("ens5" in text and "ifname" in text for text in daemon.errors()), daemon.errors()
    owned(region)
    daemon.configure(NETWORKS)
    ready(region, daemon)


@POLICY
@pytest.mark.parametrize("key, value", [("multus-eks:mtu", "many"),
                                        ("multus-eks:subnets", "subnet-0123456789abcdef0"),
                                        ("multus-eks:nonsense", "1")])
def test_tag(region, daemon, policy, key, value):
    daemon.configure(settings(on_failure=policy, lifecycle_hook="none"))
    tag(region, key, value)
    verdict(daemon, policy, [])
    told(daemon, "PLAN_IMPOSSIBLE", f"tag {key} of instance {INSTANCE}", value)
    assert region.control.calls("CreateNetworkInterface") == []
    reply = ctl(region, "plan", "--config", daemon.config_path)
    assert reply.returncode == 1 and f"tag {key} of instance {INSTANCE}" in reply.stderr


def tag(region, key, value) -> None:
    """Tag the instance."""
    region.control.put("/tags", {"id": INSTANCE, "tags": {key: value}})
