# SPDX-License-Identifier: Apache-2.0
"""AWS refuses, or has its bad day, while a node boots."""

import contextlib
import shutil
import time

import pytest
from ec2sim.node import Topology
from ec2sim.scenario import default_scenario

from fault import IDS, NAMES, POLICIES, owned, ready, runs_out_of_time, settings, told, verdict
from harness import GIVEN_UP, INSTANCE, NETWORKS, SUBNETS, BootFailed, Daemon, fill, leaked, multus_enis

POLICY = pytest.mark.parametrize("policy", POLICIES)

# What a boot asks for, and what becomes of it when that is not permitted.
FATAL = ["ec2:DescribeInstances", "ec2:DescribeSubnets", "ec2:DescribeNetworkInterfaces",
         "autoscaling:DescribeAutoScalingGroups"]
PER_ENI = ["ec2:CreateNetworkInterface", "ec2:CreateTags", "ec2:AttachNetworkInterface",
           "ec2:ModifyNetworkInterfaceAttribute"]
WARNED = ["ec2:DescribeInstanceTypes", "autoscaling:DescribeLifecycleHooks",
          "autoscaling:CompleteLifecycleAction"]

ONE = NETWORKS.replace(f", {SUBNETS[1]}, {SUBNETS[2]}", "")
MUTATING = ["CreateNetworkInterface", "AttachNetworkInterface", "ModifyNetworkInterfaceAttribute"]
ACTIONS = [name.partition(":")[2] for name in FATAL + PER_ENI + WARNED]


# ---------------------------------------------------------------- what is done to the region

def endpoints(region, **more) -> str:
    """[aws] lines with plain endpoints and some more."""
    lines = {"ec2_endpoint": region.ec2_url, "autoscaling_endpoint": region.autoscaling_url, **more}
    return "".join(f"{key} = {value}\n" for key, value in lines.items())


def at_gate(region, deed) -> None:
    """Do something while the gate that was set holds a call."""
    region.control.gate_reached()
    deed()
    region.control.gate_release()


@contextlib.contextmanager
def held(region, daemon, action, when="before"):
    """Start the daemon; the body runs while the first call of @action is held."""
    region.control.gate(action, when=when)
    daemon.start()
    yield region.control.gate_reached()
    region.control.gate_release()


def foreign(region, index) -> str:
    """Somebody else attaches an interface to the node."""
    eni = {"subnet": SUBNETS[0], "instance": INSTANCE, "device_index": index, "delete_on_termination": True}
    return region.control.post("/foreign-eni", eni)["id"]


def remove_all(region, daemon) -> None:
    """As if the node had never had any."""
    for eni in multus_enis(region):
        region.control.delete(f"/enis/{eni['id']}")
    shutil.rmtree(f"{daemon.directory}/state")


def imds_fails(region, *rules) -> None:
    region.control.put("/imds", {"fail": list(rules)})


# ---------------------------------------------------------------- permissions

@POLICY
@pytest.mark.parametrize("action", FATAL)
def test_reading_denied(region, daemon, policy, action):
    daemon.configure(settings(on_failure=policy, lifecycle_hook="none"))
    region.control.deny(action)
    verdict(daemon, policy, [])
    told(daemon, "AWS_DENIED", action, "role")
    calls = region.control.calls(action.partition(":")[2])
    refused = {(c["action"], c["code"], c["request_id"]) for c in calls}
    entry, *_ = daemon.log(IDS["AWS_DENIED"])
    assert (entry["AWS_ACTION"], entry["AWS_ERROR_CODE"], entry["REQUEST_ID"]) in refused
    owned(region)
    region.control.deny()
    ready(region, daemon)


@POLICY
@pytest.mark.parametrize("action", PER_ENI)
def test_making_denied(region, daemon, policy, action):
    daemon.configure(settings(on_failure=policy, lifecycle_hook="none"))
    region.control.deny(action)
    verdict(daemon, policy, [])
    for subnet in SUBNETS:
        assert [e["SUBNET_ID"] for e in daemon.log(IDS["ENI_FAILED"])].count(subnet) == 1
    told(daemon, "ENI_FAILED", action, "role")
    owned(region)
    region.control.deny()
    ready(region, daemon)


@pytest.mark.parametrize("action", WARNED)
def test_finishing_denied(region, daemon, action):
    """The limits and the hook are not worth a node; a boot that failed waits, and shows what it says."""
    region.control.deny(action)
    ready(region, daemon)
    remove_all(region, daemon)
    region.control.deny(action, "ec2:AttachNetworkInterface")
    daemon.fail_all_tries_but_the_last()
    verdict(daemon, "block", [], code=GIVEN_UP)
    told(daemon, "AWS_DENIED", action, "role")
    owned(region)


@POLICY
def test_reservations_denied(region, daemon, policy):
    """Without them no address can be chosen; each network says so."""
    daemon.configure(settings(NETWORKS + "ip_allocation = subnet-start\n", on_failure=policy,
                              lifecycle_hook="none"))
    region.control.deny("ec2:GetSubnetCidrReservations")
    verdict(daemon, policy, [])
    for subnet in SUBNETS:
        assert [e["SUBNET_ID"] for e in daemon.log(IDS["ENI_FAILED"])].count(subnet) == 1
    told(daemon, "ENI_FAILED", "ec2:GetSubnetCidrReservations", "role")
    assert region.control.calls(mutating=True) == []
    region.control.deny()
    ready(region, daemon)


def test_denials_are_complete(region, daemon):
    """Every action of a boot is denied somewhere above."""
    daemon.start()
    daemon.wait_ready()
    asked = {f"{c['service']}:{c['action']}" for c in region.control.calls()}
    assert asked <= set(FATAL + PER_ENI + WARNED)


def test_removing_denied(region, daemon):
    """What cannot be taken back is named, and is not made twice."""
    daemon.configure(settings(lifecycle_hook="none"))
    region.control.deny("ec2:AttachNetworkInterface", "ec2:DeleteNetworkInterface")
    verdict(daemon, "block", [])
    made = leaked(region)
    assert len(made) == 3
    for eni in made:
        told(daemon, "ENI_FAILED", eni, "left behind", "ec2:AttachNetworkInterface",
             "ec2:DeleteNetworkInterface")
    region.control.deny()
    ready(region, daemon)
    assert sorted(e["id"] for e in multus_enis(region)) == sorted(made)


def test_adopted_would_outlive_its_instance(region, daemon):
    """A killed run has attached it and got no further; now nobody may set that it goes with the instance."""
    daemon.configure(settings(ONE, on_failure="continue", lifecycle_hook="none"))
    region.control.gate("ModifyNetworkInterfaceAttribute")
    daemon.start()
    region.control.gate_reached()
    daemon.kill()
    region.control.gate_release("drop")
    region.control.deny("ec2:ModifyNetworkInterfaceAttribute")
    verdict(daemon, "continue", [])
    eni, = multus_enis(region)
    told(daemon, "ENI_FAILED", eni["id"], "outlive this instance", "DeleteOnTermination",
         "ec2:ModifyNetworkInterfaceAttribute")
    region.control.deny()
    ready(region, daemon, NAMES[:1])


def test_unwanted_stays(region, daemon):
    """What cannot be detached is named with its reason, and costs nobody the boot."""
    ready(region, daemon)
    unwanted = multus_enis(region)[2]["id"]
    daemon.configure(NETWORKS.replace(f", {SUBNETS[2]}", ""))
    region.control.deny("ec2:DetachNetworkInterface")
    daemon.start()
    assert daemon.wait_ready()["phase"] == "ready"
    told(daemon, "AWS_DENIED", unwanted, "no longer configured", "next start", "ec2:DetachNetworkInterface")
    assert daemon.stop() == 0
    region.control.deny()
    ready(region, daemon, NAMES[:2])
    assert len(multus_enis(region)) == 2


def test_boot_timeout_while_unwanted_are_detached(region, daemon):
    ready(region, daemon)
    daemon.configure(settings(NETWORKS.replace(f", {SUBNETS[2]}", ""), boot_timeout="1s", attach_timeout="1s",
                              lifecycle_hook="none"), endpoints(region, request_timeout="20s"))
    region.control.faults({"action": "DetachNetworkInterface", "n": 0, "do": "hang"})
    verdict(daemon, "block", [])
    told(daemon, "ENI_FAILED", "eth1", "boot_timeout", "unwanted interfaces")
    told(daemon, "AWS_CALL_FAILED", "no longer configured", "DetachNetworkInterface")
    assert len(multus_enis(region)) == 3
    region.control.faults()
    ready(region, daemon, NAMES[:2])


# ---------------------------------------------------------------- credentials and clock

@POLICY
def test_no_role(region, daemon, policy):
    daemon.configure(settings(on_failure=policy, lifecycle_hook="none"))
    imds_fails(region, {"path": "/latest/meta-data/iam", "n": 0, "status": 404})
    verdict(daemon, policy, [])
    told(daemon, "NO_ROLE", "IAM role", "instance profile")
    imds_fails(region)
    ready(region, daemon)


@pytest.mark.parametrize("deed", ["expire", "rotate"])
@pytest.mark.parametrize("action", ["DescribeSubnets", "CreateNetworkInterface", "AttachNetworkInterface",
                                    "ModifyNetworkInterfaceAttribute"])
def test_credentials_end(region, daemon, action, deed):
    """In the middle of the boot; there are newer ones."""
    with held(region, daemon, action):
        region.control.post(f"/credentials/{deed}", {})
    assert daemon.wait_ready()["phase"] == "ready"
    assert daemon.stop() == 0
    ready(region, daemon)


@POLICY
def test_credentials_are_not_renewed(region, daemon, policy):
    daemon.configure(settings(on_failure=policy, lifecycle_hook="none"))
    region.control.gate("DescribeSubnets")
    verdict(daemon, policy, [], during=lambda: at_gate(
        region, lambda: region.control.post("/credentials/expire", {"renew": False})))
    told(daemon, "AWS_CALL_FAILED", "Expired", "IMDS")
    region.control.post("/credentials/rotate", {})
    ready(region, daemon)


@pytest.mark.parametrize("offset", [3600, -3600])
def test_clock(region, daemon, offset):
    region.control.put("/clock", {"offset": offset})
    ready(region, daemon)
    told(daemon, "CLOCK_SKEW", "clock", "chronyd")


# ---------------------------------------------------------------- limits and strangers

@POLICY
@pytest.mark.parametrize("allocation", ["dynamic", "subnet-start"])
def test_subnet_full(region, daemon, policy, allocation):
    daemon.configure(settings(NETWORKS + f"ip_allocation = {allocation}\n", on_failure=policy,
                              lifecycle_hook="none"))
    strangers = fill(region, SUBNETS[1])
    verdict(daemon, policy, ["eth1", "eth3"])
    assert [e["SUBNET_ID"] for e in daemon.log(IDS["ENI_FAILED"])] == [SUBNETS[1]]
    told(daemon, "ENI_FAILED", "eth2", SUBNETS[1], "free")
    assert set(leaked(region)) == set(strangers)
    for eni in strangers:
        region.control.delete(f"/enis/{eni}")
    ready(region, daemon)


@POLICY
@pytest.mark.parametrize("kind", [dict(type="m5.large")], ids=["m5.large"])
def test_instance_type_too_small(kind, policy, tmp_path):
    scenario = default_scenario()
    scenario["instances"][0].update(kind)
    with Topology(scenario) as region:
        daemon = Daemon(region.node, tmp_path, settings(on_failure=policy, lifecycle_hook="none"))
        verdict(daemon, policy, [])
        told(daemon, "PLAN_IMPOSSIBLE", "m5.large", "3 network interfaces", "3 more")
        assert region.control.calls(mutating=True) == []
        daemon.configure(NETWORKS.replace(f", {SUBNETS[2]}", ""))
        ready(region, daemon, ["eth1", "eth2"])


@POLICY
def test_attachment_limit(region, daemon, policy):
    daemon.configure(settings(on_failure=policy, lifecycle_hook="none"))
    region.control.faults({"action": "AttachNetworkInterface", "k": 3, "n": 0, "do": "error",
                           "code": "AttachmentLimitExceeded",
                           "message": "Interface count 4 exceeds the limit"})
    verdict(daemon, policy, None)
    [entry] = daemon.log(IDS["ENI_FAILED"])
    call = region.control.calls("AttachNetworkInterface")[-1]
    assert {key: entry[key] for key in ("AWS_ACTION", "AWS_ERROR_CODE", "REQUEST_ID")} == {
        "AWS_ACTION": call["action"], "AWS_ERROR_CODE": call["code"], "REQUEST_ID": call["request_id"]}
    told(daemon, "ENI_FAILED", "AttachmentLimitExceeded", "MAX_ENI")
    owned(region)
    region.control.faults()
    ready(region, daemon)


def test_foreign_index(region, daemon):
    """Index 1 is a stranger's, index 2 becomes one's while we attach: the next one is taken."""
    daemon.configure(settings(ONE, lifecycle_hook="none"))
    region.control.plug(names={"1": "ens6", "2": "ens7"})
    foreign(region, 1)
    with held(region, daemon, "AttachNetworkInterface"):
        foreign(region, 2)
    assert daemon.wait_ready()["phase"] == "ready"
    assert daemon.stop() == 0
    assert [e["attachment"]["device_index"] for e in multus_enis(region)] == [3]
    ready(region, daemon, ["eth1"])


@POLICY
@pytest.mark.parametrize("late", [False, True], ids=["there-before", "comes-meanwhile"])
def test_foreign_index_that_is_wanted(region, daemon, policy, late):
    config = f"[network a]\nsubnets = {SUBNETS[0]}\ndevice_index = 1\n[network b]\nsubnets = {SUBNETS[1]}\n"
    daemon.configure(settings(config, on_failure=policy, lifecycle_hook="none"))
    strangers = []
    if late:
        region.control.gate("CreateNetworkInterface")
    else:
        strangers.append(foreign(region, 1))
    verdict(daemon, policy, ["eth2"] if late else [], during=lambda: late and at_gate(
        region, lambda: strangers.append(foreign(region, 1))))
    told(daemon, "ENI_FAILED" if late else "PLAN_IMPOSSIBLE", "network a", strangers[0], "device_index")
    owned(region)
    region.control.delete(f"/enis/{strangers[0]}")
    ready(region, daemon, ["eth1", "eth2"])


# ---------------------------------------------------------------- interfaces that go

def test_vanished_before_attach(region, daemon):
    """An interface of an earlier run is deleted by somebody between our look and our Attach."""
    daemon.configure(settings(lifecycle_hook="none"))
    region.control.deny("ec2:AttachNetworkInterface", "ec2:DeleteNetworkInterface")
    verdict(daemon, "block", [])
    region.control.deny()
    gone = leaked(region)[0]
    with held(region, daemon, "AttachNetworkInterface"):
        region.control.delete(f"/enis/{gone}")
    assert daemon.wait_ready()["phase"] == "ready"
    assert daemon.stop() == 0
    assert len(multus_enis(region)) == 3
    ready(region, daemon)


def device_is(region, what, eni) -> None:
    """Wait until the simulator has put the device in, or taken it out."""
    deadline = time.monotonic() + 10
    while not any(e["event"] == what and e["eni"] == eni for e in region.control.events()):
        assert time.monotonic() < deadline, f"{eni}: no {what}"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("deed", ["delete", "detach"])
def test_lost_after_attach(region, daemon, deed, when):
    """Deleted or detached behind our back, while the boot still goes on: it is made or attached anew."""
    with held(region, daemon, "ModifyNetworkInterfaceAttribute", when=when) as call:
        eni = call["params"]["NetworkInterfaceId"]
        device_is(region, "plug", eni)
        if deed == "delete":
            region.control.delete(f"/enis/{eni}")
        else:
            region.control.post(f"/enis/{eni}/detach")
        device_is(region, "unplug", eni)
    daemon.wait_ready()
    daemon.stop()
    ready(region, daemon)


def test_detached_before_its_device_came(region, daemon):
    daemon.configure(settings(attach_timeout="1s"))
    with held(region, daemon, "link") as link:
        region.control.post(f"/enis/{link['eni']}/detach")
    assert daemon.wait_ready()["phase"] == "ready"
    assert daemon.stop() == 0
    ready(region, daemon)


def appears_detached(region) -> None:
    """The device that the gate holds comes when EC2 has detached its interface, and goes again."""
    region.control.latency({"detach": 0})
    region.control.plug(linger=0.3)
    link = region.control.gate_reached()
    region.control.post(f"/enis/{link['eni']}/detach")
    while region.control.state()["enis"][link["eni"]]["attachment"]:
        pass
    region.control.gate_release()
    device_is(region, "plug", link["eni"])
    device_is(region, "unplug", link["eni"])


def test_its_device_comes_though_it_is_detached(region, daemon):
    """The boot goes on for another device: the interface is attached anew."""
    region.control.plug(delay={"1": 0, "2": 0, "3": 2})
    region.control.gate("link", k=1)
    daemon.start()
    appears_detached(region)
    assert daemon.wait_ready()["phase"] == "ready"
    assert daemon.stop() == 0
    assert len(multus_enis(region)) == 3
    ready(region, daemon)


def test_its_device_was_there_though_it_is_detached(region, daemon):
    """The boot is over when it goes: that is said, and the next start mends it."""
    daemon.configure(settings(ONE, lifecycle_hook="none"))
    region.control.gate("link")
    daemon.start()
    appears_detached(region)
    assert daemon.wait_ready()["phase"] == "ready"
    deadline = time.monotonic() + 10
    while not daemon.log(IDS["LINK_GONE"]):
        assert time.monotonic() < deadline
    assert [e["INTERFACE"] for e in daemon.log(IDS["LINK_GONE"])] == ["eth1"]
    assert daemon.stop() == 0
    ready(region, daemon, NAMES[:1])


@POLICY
def test_device_never_appears(region, daemon, policy):
    daemon.configure(settings(on_failure=policy, attach_timeout="1s", lifecycle_hook="none"))
    region.control.plug(never=[2])
    verdict(daemon, policy, ["eth1", "eth3"])
    *_, entry = daemon.log(IDS["LINK_FAILED"])
    told(daemon, "LINK_FAILED", "eth2", entry["ENI_ID"], "index 2", "attach_timeout")
    told(daemon, "LINK_FAILED", entry["MAC_ADDRESS"])
    assert daemon.log(IDS["ENI_FAILED"]) == []
    owned(region)
    region.control.plug(never=[])
    ready(region, daemon)


def test_device_never_appears_and_is_looked_for(region, daemon):
    """After 15 s EC2 is asked, and says that it is attached: that does not begin attach_timeout anew."""
    daemon.configure(settings(on_failure="block", attach_timeout="17s", lifecycle_hook="none"))
    region.control.plug(never=[2])
    daemon.start()
    begin = time.monotonic()
    assert daemon.wait_exit(40) == 1
    assert 17 < time.monotonic() - begin < 30
    assert [e["INTERFACE"] for e in daemon.log(IDS["LINK_SLOW"])] == ["eth2"]
    told(daemon, "LINK_FAILED", "eth2", "attach_timeout")
    owned(region)
    region.control.plug(never=[])


# ---------------------------------------------------------------- the metadata service

@POLICY
@pytest.mark.parametrize("imds, word", [
    ({"disabled": "close"}, "IMDS"), ({"disabled": True}, "403"),
    ({"fail": [{"path": "/latest/meta-data", "n": 0, "status": 401}]}, "401"),
    ({"fail": [{"path": "/latest/meta-data/mac", "n": 0, "do": "garbage"}]}, "meta-data/mac"),
    ({"fail": [{"path": "/latest", "n": 0, "status": 500}]}, "500"),
], ids=["absent", "disabled", "no-token-is-good", "garbage", "500"])
def test_imds_is_no_use(region, daemon, policy, imds, word):
    region.control.put("/imds", imds)
    runs_out_of_time(daemon, policy, "imds: ")
    told(daemon, "IMDS_FAILED", "IMDS", word, "enabled")
    assert region.control.calls() == []
    region.control.put("/imds", {"disabled": False, "fail": []})
    daemon.configure(NETWORKS)
    ready(region, daemon)


@POLICY
def test_imds_hangs(region, daemon, policy):
    daemon.configure(settings(on_failure=policy, boot_timeout="1s", attach_timeout="1s"))
    imds_fails(region, {"n": 0, "do": "hang"})
    verdict(daemon, policy, [])
    assert any("IMDS" in text for text in daemon.errors())
    imds_fails(region)
    daemon.configure(NETWORKS)
    ready(region, daemon)


@pytest.mark.parametrize("rule", [
    {"path": "/latest/meta-data", "k": 2, "status": 401}, {"path": "/latest/meta-data/iam", "status": 401},
    {"path": "/", "n": 4, "status": 500}, {"path": "/latest/meta-data/iam", "n": 3, "status": 500},
    {"path": "/latest/api", "n": 2, "do": "close"}, {"path": "/latest/meta-data", "k": 3, "do": "close"},
], ids=["401", "401-credentials", "500", "500-credentials", "token-lost", "answer-lost"])
def test_imds_recovers(region, daemon, rule):
    imds_fails(region, rule)
    ready(region, daemon)


# ---------------------------------------------------------------- calls that fail, and come through

@pytest.mark.parametrize("deed", ["500", "503", "close-before", "close-after", "truncated", "garbage"])
def test_burst(region, daemon, deed):
    """The first two calls of every action fail."""
    region.control.faults(*({"action": action, "n": 2, "do": deed} for action in ACTIONS))
    ready(region, daemon)
    assert len(multus_enis(region)) == 3


def test_every_action_hangs_once(region, daemon):
    daemon.configure(NETWORKS, endpoints(region, request_timeout="1s"))
    region.control.faults(*({"action": action, "do": "hang-after"} for action in ACTIONS))
    ready(region, daemon)
    assert len(multus_enis(region)) == 3


@pytest.mark.parametrize("action", ["DescribeSubnets", "CreateNetworkInterface", "AttachNetworkInterface"])
@pytest.mark.parametrize("deed", ["huge", "drip"])
def test_reply_without_end(region, daemon, deed, action):
    daemon.configure(NETWORKS, endpoints(region, request_timeout="1s"))
    region.control.faults({"action": action, "do": deed, "seconds": 10})
    ready(region, daemon)
    assert len(multus_enis(region)) == 3


@pytest.mark.parametrize("deed", ["close-after", "close-before"])
@pytest.mark.parametrize("action, k", [(a, k) for a in MUTATING for k in (1, 2, 3)])
def test_reply_lost(region, daemon, action, k, deed):
    """Nothing is made twice, and the run after it has nothing to do."""
    region.control.faults({"action": action, "k": k, "do": deed})
    ready(region, daemon)
    made = multus_enis(region)
    assert len(made) == 3
    region.control.clear()
    ready(region, daemon)
    assert region.control.calls(mutating=True) == []
    assert multus_enis(region) == made


@pytest.mark.parametrize("deed", ["close-after", "close-before"])
@pytest.mark.parametrize("action", ["DetachNetworkInterface", "DeleteNetworkInterface"])
def test_reply_lost_when_removing(region, daemon, action, deed):
    ready(region, daemon)
    unwanted = multus_enis(region)[2]["id"]
    daemon.configure(NETWORKS.replace(f", {SUBNETS[2]}", ""))
    # for Delete that is the first, while it is detaching, and the one that does it
    region.control.faults({"action": action, "n": 2, "do": deed})
    ready(region, daemon, NAMES[:2])
    assert unwanted not in region.control.state()["enis"]
    region.control.clear()
    ready(region, daemon, NAMES[:2])
    assert region.control.calls(mutating=True) == []


@pytest.mark.parametrize("deed", ["close-after", "close-before"])
@pytest.mark.parametrize("action", ["DetachNetworkInterface", "DeleteNetworkInterface"])
def test_reply_lost_when_taking_back(region, daemon, action, deed):
    """The same of what this run has made: its device does not come."""
    daemon.configure(settings(ONE, attach_timeout="1s", lifecycle_hook="none"))
    region.control.plug(never=[1])
    region.control.faults({"action": action, "n": 2, "do": deed})
    verdict(daemon, "block", [])
    assert multus_enis(region) == []
    owned(region)
    region.control.plug(never=[])
    ready(region, daemon, NAMES[:1])


def test_throttled(region, daemon):
    """With buckets of EC2's kind, far too small: slow, but it comes through, and does not hammer."""
    region.control.put("/buckets", {"CreateNetworkInterface": [1, 0.4], "AttachNetworkInterface": [1, 0.4],
                                    "ModifyNetworkInterfaceAttribute": [1, 0.4]})
    ready(region, daemon)
    refused = [c for c in region.control.calls() if c["code"] == "RequestLimitExceeded"]
    assert refused and len(refused) <= 30


@pytest.mark.parametrize("actions", [ACTIONS, MUTATING], ids=["from-the-beginning", "when-making"])
def test_throttled_for_a_minute(region, daemon, actions):
    """It waits, does not hammer, and is ready soon after; nothing is made twice."""
    region.control.faults(*({"action": action, "n": 0, "do": "throttle"} for action in actions))
    daemon.start()
    with pytest.raises(BootFailed, match="no READY"):
        daemon.wait_ready(60)
    assert len(region.control.calls()) <= 120  # of three actions or three interfaces
    region.control.faults()
    assert daemon.wait_ready()["phase"] == "ready"
    assert daemon.errors() == []
    assert daemon.stop() == 0
    assert len(multus_enis(region)) == 3
    ready(region, daemon)


# ---------------------------------------------------------------- calls that never come through

@POLICY
@pytest.mark.parametrize("action, deed, word", [
    *((a, "500", "InternalError") for a in ["DescribeSubnets", *MUTATING]),
    *((a, "hang-after", "no reply") for a in ["DescribeSubnets", *MUTATING]),
    *((a, "throttle", "RequestLimitExceeded") for a in ["DescribeSubnets", "CreateNetworkInterface"]),
    *((a, "garbage", "reply") for a in ["DescribeSubnets", "CreateNetworkInterface"]),
    ("DescribeSubnets", "close-before", "no reply"),
])
def test_boot_timeout(region, daemon, policy, action, deed, word):
    """Its time passes in each phase. What may have been done without a reply is found and undone."""
    daemon.configure(settings(on_failure=policy, boot_timeout="1s", attach_timeout="1s",
                              lifecycle_hook="none"),
                     endpoints(region, request_timeout="1s"))
    region.control.faults({"action": action, "n": 0, "do": deed})
    verdict(daemon, policy, [])
    entries = [e["MESSAGE"] for e in daemon.log() if int(e["PRIORITY"]) <= 3]
    assert any(action in e and word in e for e in entries), daemon.tail()
    owned(region)
    region.control.faults()
    daemon.configure(NETWORKS)
    ready(region, daemon)


@pytest.mark.parametrize("seconds, made", [(3, 0), (120, 1)], ids=["soon", "not-soon"])
def test_created_without_a_word(region, daemon, seconds, made):
    """No reply of Create arrives, and EC2 is late to show what it made: deleted, or at least mentioned."""
    daemon.configure(settings(ONE, boot_timeout="2s", attach_timeout="1s", lifecycle_hook="none"),
                     endpoints(region, request_timeout="1s"))
    region.control.put("/consistency", {"not_found_seconds": seconds})
    region.control.faults({"action": "CreateNetworkInterface", "n": 0, "do": "close-after"})
    verdict(daemon, "block", [])
    assert len(leaked(region)) == made
    if made:
        told(daemon, "ENI_FAILED", "may be left behind", "next start")
    region.control.faults()
    region.control.put("/consistency", {"not_found_seconds": 0})
    region.control.put("/clock", {"offset": seconds})
    daemon.configure(ONE)
    ready(region, daemon, NAMES[:1])


@POLICY
def test_taken_back_before_it_is_known(region, daemon, policy):
    """Attach is refused while EC2 has not heard of the interface everywhere: its NotFound is no "gone"."""
    daemon.configure(settings(on_failure=policy, lifecycle_hook="none"))
    region.control.put("/consistency", {"not_found_seconds": 1})
    region.control.deny("ec2:AttachNetworkInterface")
    verdict(daemon, policy, [])
    owned(region)
    region.control.deny()
    ready(region, daemon)


@POLICY
def test_boot_timeout_before_the_device(region, daemon, policy):
    daemon.configure(settings(on_failure=policy, boot_timeout="1s", attach_timeout="1s",
                              lifecycle_hook="none"))
    region.control.plug(never=[2])
    verdict(daemon, policy, ["eth1", "eth3"])
    # whichever of the two is first
    failed = daemon.log(IDS["ENI_FAILED"]) + daemon.log(IDS["LINK_FAILED"])
    assert [e["INTERFACE"] for e in failed if e["PRIORITY"] == "3"] == ["eth2"]
    owned(region)
    region.control.plug(never=[])
    ready(region, daemon)


def test_words_of_aws_are_one_line(region, daemon):
    """Nobody outside writes another line into what systemd is told."""
    region.control.faults({"action": "DescribeSubnets", "k": 1, "n": 0, "do": "error", "code": "Blocked",
                           "message": "no\nREADY=1"})
    verdict(daemon, "block", [])
    assert "READY" not in daemon.notified
    assert "no READY=1" in daemon.notified["STATUS"]
