# SPDX-License-Identifier: Apache-2.0
"""multus-eksctl doctor on a simulated node: each thing that is wrong is found, and nothing is changed."""

import json
import pathlib

import pytest
from ec2sim.node import Topology
from ec2sim.scenario import default_scenario

from fleet import Fleet
from harness import EKSCTL, NETWORKS, SUBNETS
from image import RULES_DIR, Image
from registering import until
from test_ctl import STATUS
from test_ctl import daemon as status_server
from test_lifecycle import configured
from test_policy import SHIPPED, actions

A1, A2 = SUBNETS[:2]
ACTIONS = sorted(actions(json.loads(SHIPPED.read_text())))
#: what this machine's clock is like is not the test's to say
NOT_OURS = {"clock.synchronized"}
#: made for this test: subnets without IPv6 and reservation of addresses, a group of another VPC
PLAIN, FULL, FEW, PREFIX = (f"subnet-0000000000000a0{n}" for n in ("10", "11", "12", "13"))
FOREIGN_GROUP = "sg-0000000000000f0e1"
GROUP = "sg-0000000000000a115"


def scenario() -> dict:
    world = default_scenario()
    world["instances"] = []
    world["vpcs"].append({"id": "vpc-0000000000000f0e1", "cidr": "10.9.0.0/16"})
    world["security_groups"].append({"id": FOREIGN_GROUP, "vpc": "vpc-0000000000000f0e1", "name": "foreign"})
    for subnet, cidr in ((PLAIN, "10.0.60.0/24"), (FULL, "10.0.61.0/28"), (FEW, "10.0.62.0/28")):
        world["subnets"].append({"id": subnet, "az": "eu-central-1a", "cidr": cidr})
    world["subnets"].append({"id": PREFIX, "az": "eu-central-1a", "cidr": "10.0.63.0/24",
                             "reservations": [{"cidr": "10.0.63.128/25", "type": "prefix"}]})
    world["enis"] = [{"subnet": FULL, "ipv4": [f"10.0.61.{n}" for n in range(4, 15)]}]
    return world


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    with Topology(scenario(), nodes=()) as region:
        yield Fleet(region, tmp_path_factory.mktemp("nodes"))


class Patient:
    """A node whose files are those of an image, and its daemon."""

    def __init__(self, fleet, path, config=NETWORKS, **launch):
        self.fleet, self.control = fleet, fleet.control
        self.node = fleet.launch(**launch)
        self.image = Image(path)
        self.daemon = fleet.daemon(self.node, config)
        self.daemon.arguments = [f"--runtime-dir={self.image.path}/run/multus-eks"]

    def start(self):
        self.daemon.start()
        self.daemon.wait_ready()
        self.image.write("run/multus-eks/ready", "")  # as the unit does
        return self

    def run(self, *arguments):
        return self.node.run([EKSCTL, "doctor", "--root", str(self.image.path), "--config",
                              self.daemon.config_path, "--socket", self.daemon.socket_path, *arguments],
                             capture_output=True, text=True, timeout=60, check=False)

    def checks(self, *arguments, status=None) -> dict:
        """Name -> result of one run, which must have changed nothing in EC2 or on the node."""
        self.control.clear()
        before = self.world()
        result = self.run("--json", *arguments)
        assert result.stderr == ""
        assert self.world() == before
        done = [c for c in self.control.calls(mutating=True) if c["status"] == 200]
        assert done == []
        document = json.loads(result.stdout)
        assert document["mode"] == "node"
        checks = {check["name"]: check for check in document["checks"]}
        assert len(checks) == len(document["checks"])
        if status is not None:
            assert result.returncode == status
        return checks

    def world(self):
        """What a question could have changed; other nodes live on meanwhile, a hook's time may end."""
        state = self.control.state()
        state["instances"] = state["instances"][self.node.instance_id]
        del state["now"], state["asgs"]
        rules = self.node.run(["ip", "rule"], capture_output=True, text=True, check=True).stdout
        return state, self.node.links(), rules

    def retire(self):
        self.daemon.kill()
        self.control.deny()
        self.control.policy(None)
        self.control.put("/clock", {"offset": 0})
        self.fleet.retire(self.node)


def wrong(checks) -> dict:
    return {name: check["status"] for name, check in checks.items()
            if check["status"] != "ok" and name not in NOT_OURS}


@pytest.fixture(scope="module")
def well(fleet, tmp_path_factory):
    """A node that is ready, to be asked only; what a test sets it takes back."""
    patient = Patient(fleet, tmp_path_factory.mktemp("well") / "root").start()
    yield patient
    patient.retire()


@pytest.fixture
def patient(fleet, tmp_path):
    """Makes nodes that a test may spoil."""
    made = []

    def make(config=NETWORKS, start=True, **launch):
        made.append(Patient(fleet, tmp_path / f"root{len(made)}", config, **launch))
        return made[-1].start() if start else made[-1]
    yield make
    for each in made:
        each.retire()


# -- a node that is well ---------------------------------------------------

def test_well(well):
    checks = well.checks()
    assert wrong(checks) == {}
    assert set(ACTIONS) <= set(checks)
    assert checks["imds"]["what"] == f"{well.node.instance_id}, m5.4xlarge in eu-central-1a"
    assert checks["role"]["what"] == "multus-node"
    assert checks["slots"]["what"] == "m5.4xlarge: 4 of 8 interfaces attached, 0 more wanted, 4 left over"
    assert checks["subnet.eth1"]["what"] == f"{A1} (10.0.10.0/24) has 250 free addresses"
    assert checks["reserved.eth1"]["what"] == f"{A1}: 10.0.10.128/25 for pods"
    assert set(checks) >= {f"link.eth{n}" for n in (1, 2, 3)}


def test_well_under_the_shipped_policy(well):
    """All that is asked is allowed to a role that has nothing else, but for the security groups."""
    well.control.policy(json.loads(SHIPPED.read_text()))
    try:
        assert wrong(well.checks()) == {"security-groups": "skipped"}
    finally:
        well.control.policy(None)


def test_table(well):
    result = well.run()
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["RESULT", "CHECK", "FOUND"]
    assert any(line.split()[:2] == ["ok", "ec2:CreateNetworkInterface"] for line in lines)
    assert result.returncode in (0, 4)


def test_before_the_first_boot(patient):
    """Nothing of its own yet to try on; everything else is known."""
    node = patient(start=False)
    checks = node.checks(status=1)
    own = {f"ec2:{action}" for action in (
        "AttachNetworkInterface", "DetachNetworkInterface", "DeleteNetworkInterface",
        "ModifyNetworkInterfaceAttribute", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses",
        "AssignIpv6Addresses", "UnassignIpv6Addresses")}
    assert wrong(checks) == {"daemon": "fail", "gate.ready": "warning", "link": "skipped",
                             **dict.fromkeys(own, "skipped")}
    assert "1 of 8 interfaces attached, 3 more wanted, 4 left over" in checks["slots"]["what"]


def test_without_a_group(patient):
    checks = patient(asg="").checks()
    assert wrong(checks) == dict.fromkeys([a for a in ACTIONS if a.startswith("autoscaling:")], "skipped")


def test_what_the_configuration_does_not_use(patient):
    """Is not asked for."""
    node = patient("[discovery]\ntags = no\n" + configured("none") + "ipv6 = no\n")
    checks = node.checks("--no-registration")
    assert {name for name in checks if name in ACTIONS} == {
        f"ec2:{action}" for action in (
            "DescribeInstances", "DescribeInstanceTypes", "DescribeNetworkInterfaces", "DescribeSubnets",
            "CreateNetworkInterface", "CreateTags", "AttachNetworkInterface", "DetachNetworkInterface",
            "DeleteNetworkInterface", "ModifyNetworkInterfaceAttribute")}
    assert not [name for name in checks if name.startswith("reserved.")]
    assert wrong(checks) == {}


# -- permissions -----------------------------------------------------------

@pytest.mark.parametrize("action", ACTIONS)
def test_denied(well, action):
    well.control.deny(action)
    try:
        checks = well.checks(status=1)
    finally:
        well.control.deny()
    failed = {name for name, status in wrong(checks).items() if status == "fail"}
    # without a description the rest is not known, and is not blamed on anything else
    assert failed - {"aws"} == {action}
    assert checks[action]["what"].startswith("not allowed: ")
    assert "multus-eksctl policy" in checks[action]["advice"]
    assert f"not authorized to perform: {action} " in checks[action]["detail"]
    if action not in ("ec2:DescribeInstances", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
                      "autoscaling:DescribeAutoScalingGroups"):
        also = {"ec2:CreateNetworkInterface": {"ec2:CreateTags"}, "ec2:DescribeInstanceTypes": {"slots"},
                "ec2:GetSubnetCidrReservations": {f"reserved.eth{n}" for n in (1, 2, 3)}}
        assert set(wrong(checks)) == {action, *also.get(action, ())}


def test_forbidden_by_others(well):
    """What a ban says is not mended by another permission."""
    well.control.faults({"action": "DeleteNetworkInterface", "n": 0, "do": "error", "status": 403,
                         "code": "UnauthorizedOperation",
                         "message": "User: u is not authorized to perform: ec2:DeleteNetworkInterface "
                                    "with an explicit deny in a service control policy"})
    try:
        check = well.checks()["ec2:DeleteNetworkInterface"]
    finally:
        well.control.faults()
    assert check["status"] == "fail" and "forbidden" in check["advice"]
    assert "multus-eksctl policy" not in check["advice"]


def test_all_denied(well):
    """The advice is given once, whatever the number of actions."""
    well.control.deny(*[a for a in ACTIONS if not a.startswith(("ec2:Describe", "autoscaling:Describe"))])
    try:
        text = well.run().stdout
    finally:
        well.control.deny()
    assert text.count("      multus-eksctl policy\n") == 1
    assert text.count("FAIL: ec2:") > 8


def test_no_answer(well):
    well.control.faults({"action": "DetachNetworkInterface", "n": 0, "do": "500"})
    try:
        checks = well.checks("--timeout", "2s", status=4)
    finally:
        well.control.faults()
    assert wrong(checks) == {"ec2:DetachNetworkInterface": "warning"}


def test_objection(well):
    """Allowed, but EC2 would refuse it: that is no question of permissions."""
    well.control.faults({"action": "CreateNetworkInterface", "n": 1, "do": "error",
                         "code": "InsufficientFreeAddressesInSubnet", "message": "full"})
    try:
        checks = well.checks(status=1)
    finally:
        well.control.faults()
    assert wrong(checks) == {"ec2:CreateNetworkInterface": "fail"}
    assert checks["ec2:CreateNetworkInterface"]["what"].startswith("would fail: ")


# -- the instance, subnets, groups -----------------------------------------

@pytest.mark.parametrize("settings, expected", [
    ({"hop_limit": 2}, {"imds.hop-limit": "warning"}),
    ({"http_tokens": "optional"}, {"imds.tokens": "warning"}),
    ({"hop_limit": 1, "http_tokens": "required"}, {}),
])
def test_metadata_options(well, settings, expected):
    well.control.put("/imds", {"node": well.node.instance_id, **settings})
    try:
        checks = well.checks()
    finally:
        well.control.put("/imds", {"node": well.node.instance_id, "hop_limit": 1, "http_tokens": "required"})
    assert wrong(checks) == expected
    for name in expected:
        assert well.node.instance_id in checks[name]["advice"]


def networks(*subnets, groups=GROUP) -> str:
    return f"[network]\nsubnets = {', '.join(subnets)}\n" + \
        (f"security_groups = {groups}\n" if groups else "")


UNBORN = {"daemon", "gate.ready", "link"} | {a for a in ACTIONS if "Interface" in a or "Assign" in a or
                                             "assign" in a} - {"ec2:CreateNetworkInterface",
                                                              "ec2:DescribeNetworkInterfaces"}


@pytest.mark.parametrize("config, launch, expected, words", [
    (networks(A1, A2), {"type": "t3.micro"}, {"networks": "fail", "slots": "skipped"},
     ["t3.micro takes 2 network interfaces", "1 are attached, 2 more are wanted", "see the check"]),
    (networks(PLAIN), {}, {"reserved.eth1": "warning"}, [PLAIN, "10.0.60.0/24"]),
    (networks(PREFIX), {}, {"reserved.eth1": "warning"}, [PREFIX]),
    (networks(FULL), {}, {"reserved.eth1": "warning", "subnet.eth1": "fail"}, ["0 free", "1 are needed"]),
    (networks(FEW), {}, {"reserved.eth1": "warning", "subnet.eth1": "warning"}, ["11 free"]),
    (networks(A1, groups="sg-0000000000000bad1"), {}, {"security-groups": "fail"}, ["does not exist"]),
    (networks(A1, groups=FOREIGN_GROUP), {}, {"security-groups": "fail"}, ["another VPC"]),
    (networks(A1, groups=""), {}, {"security-groups": "warning"}, ["eth1"]),
    ("", {"asg": ""}, {"networks": "warning"}, ["no Multus interface"]),
    (networks("subnet-0000000000000bad1"), {}, {"networks": "fail"}, ["subnet-0000000000000bad1"]),
    (networks(A1) + "[network twice]\nsubnets = " + A1 + "\ndevice_index = 0\n", {}, {"config": "fail"},
     ["device_index"]),
], ids=["slots", "nothing reserved", "reserved for prefixes", "full", "few", "no group", "foreign group",
        "default group", "no networks", "no subnet", "config"])
def test_unborn(patient, config, launch, expected, words):
    checks = patient(config, start=False, **launch).checks()
    found = {name: status for name, status in wrong(checks).items()
             if name not in UNBORN and status != "skipped" or name in expected}
    assert found == expected
    text = " ".join(checks[name]["what"] for name in expected)
    assert all(word in text for word in words), text


def test_no_role(patient):
    node = patient(start=False, role="")
    checks = node.checks(status=1)
    assert checks["role"]["status"] == "fail" and "multus-eksctl policy" in checks["role"]["advice"]
    assert not set(checks) & set(ACTIONS)


@pytest.mark.parametrize("settings", [{"disabled": True}, {"disabled": "close"}])
def test_no_imds(patient, settings):
    node = patient(start=False)
    node.control.put("/imds", {"node": node.node.instance_id, **settings})
    checks = node.checks("--timeout", "2s", status=1)
    assert checks["imds"]["status"] == "fail" and "169.254.169.254" in checks["imds"]["advice"]
    assert checks["imds"]["what"].startswith("PUT api/token: ") and checks["imds"]["detail"] is None
    assert not set(checks) & {"role", "aws", *ACTIONS}


def test_no_aws(patient):
    """What cannot be reached is told once, and nothing is blamed on the role."""
    node = patient(start=False)
    node.daemon.configure(NETWORKS, "ec2_endpoint = http://127.0.0.1:9\n"
                                    "autoscaling_endpoint = http://127.0.0.1:9\n")
    checks = node.checks("--timeout", "1s", status=1)
    assert checks["aws"]["status"] == "fail" and "127.0.0.1:9" in checks["aws"]["detail"]
    assert {checks[action]["status"] for action in ACTIONS} == {"skipped"}


@pytest.mark.parametrize("offset, status", [
    (0, "ok"), (20, "warning"), (-20, "warning"), (120, "fail"), (900, "fail"), (-900, "fail")])
def test_clock(patient, offset, status):
    """At 900 seconds AWS refuses every signature until they carry its own time."""
    node = patient(asg="")  # a group would give up on it meanwhile
    node.control.put("/clock", {"offset": offset})
    checks = node.checks()
    assert checks["clock.aws"]["status"] == status
    assert offset == 0 or ("behind" if offset > 0 else "ahead of") in checks["clock.aws"]["what"]
    if offset >= 0:  # before that, the region has not heard of the node's interfaces yet
        assert {name for name, s in wrong(checks).items() if s != "skipped"} <= {"clock.aws"}


# -- the host --------------------------------------------------------------

def rule(*words) -> list:
    return ["ip", "rule", "add", *words]


@pytest.mark.parametrize("what, commands", [
    ("rule 31005 (table 20005)", [rule("priority", "31005", "from", "10.0.0.0/8", "table", "20005")]),
    ("rule 31005 (table 20006)", [rule("priority", "31005", "from", "10.0.10.9", "table", "20006")]),
    ("rule 31005 (table 20005)", [rule("priority", "31005", "fwmark", "1", "table", "20005")]),
    ("rule 31999 (table 7)", [rule("priority", "31999", "from", "10.0.10.9", "table", "7")]),
    ("a route in table 20015", [["ip", "route", "add", "unreachable", "192.0.2.0/24", "table", "20015"]]),
    ("a route in table 20002", [["ip", "route", "add", "192.0.2.0/24", "dev", "eth1", "table", "20002"],
                                ["ip", "route", "add", "198.51.100.0/24", "dev", "eth2", "table", "20002"]]),
    ("a route in table 20001",
     [["ip", "-6", "route", "add", "unreachable", "2001:db8::/64", "table", "20001"]]),
    ("rule 31001 (table 20001)",
     [["ip", "-6", "rule", "add", "priority", "31001", "from", "2001:db8::/64", "table", "20001"]]),
])
def test_routing(patient, what, commands):
    node = patient()
    for command in commands:
        node.node.run(command, check=True)
    checks = node.checks(status=1)
    assert wrong(checks) == {"routing": "fail"}
    assert checks["routing"]["what"] == f"not ours: {what}"


def test_routing_where_it_does_not_matter(patient):
    node = patient("[discovery]\ntags = no\n" + NETWORKS)
    node.node.run(rule("priority", "31005", "from", "10.0.0.0/8", "table", "20005"), check=True)
    assert wrong(node.checks(status=4)) == {"routing": "warning"}


def test_routing_of_our_own(patient):
    node = patient(NETWORKS + "host_address = yes\n")
    for command in (rule("priority", "31000", "from", "10.0.0.0/8", "table", "20000"),
                    rule("priority", "32000", "from", "10.0.0.0/8", "table", "20005")):
        node.node.run(command, check=True)  # beside the range
    assert wrong(node.checks()) == {}


def test_rp_filter(patient):
    node = patient()
    for value, expected in (("1", {"rp_filter": "warning"}), ("2", {})):
        node.node.run(["sh", "-c", f"echo {value} >/proc/sys/net/ipv4/conf/all/rp_filter"], check=True)
        assert wrong(node.checks()) == expected


@pytest.mark.parametrize("named", [False, True], ids=["all", "named"])
def test_drivers(patient, named):
    """Those for DPDK; vfio needs an IOMMU, or to be told that it need not."""
    node = patient()
    config = node.image.path / "dpdk.conf"
    node.image.write("dpdk.conf", NETWORKS + ("driver = igb_uio\n" if not named else
                                              "[network n6]\nsubnets = {A1}\ndriver = igb_uio\n"
                                              "[network n3]\nsubnets = {A2}\ndriver = vfio-pci\n"
                                              "[network oam]\nsubnets = {A2}\n".format(A1=A1, A2=A2)))

    def drivers() -> dict:
        checks = node.checks("--config", str(config))
        return {name: check["status"] for name, check in checks.items() if name.startswith("driver.")}

    if not named:
        assert drivers() == {"driver.igb_uio": "fail"}
        node.image.write("sys/bus/pci/drivers/igb_uio/bind", "")
        assert drivers() == {"driver.igb_uio": "ok"}
        return
    assert drivers() == {"driver.igb_uio": "fail", "driver.vfio-pci": "fail"}
    node.image.write("sys/bus/pci/drivers/vfio-pci/bind", "")
    assert drivers()["driver.vfio-pci"] == "fail"
    node.image.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N\n")
    assert drivers()["driver.vfio-pci"] == "fail"
    node.image.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "Y\n")
    assert drivers() == {"driver.igb_uio": "fail", "driver.vfio-pci": "ok"}
    node.image.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N\n")
    node.image.write("sys/kernel/iommu_groups/0/type", "DMA\n")
    assert drivers()["driver.vfio-pci"] == "ok"


def test_links(patient):
    """Whose an interface is in the eyes of udev and of networkd, by its index."""
    node = patient()
    links = node.node.links()
    eth1, eth2, eth3 = (links[f"eth{n}"]["ifindex"] for n in (1, 2, 3))
    udev, networkd = "run/udev/data/n{}", "run/systemd/netif/links/{}"
    for index in (eth1, eth2, eth3):
        node.image.write(udev.format(index), "I:1\nE:MULTUS_EKS=1\n")
        node.image.write(networkd.format(index), "ADMIN_STATE=unmanaged\nOPER_STATE=carrier\n")
    assert wrong(node.checks()) == {}
    node.image.write(networkd.format(eth1), "ADMIN_STATE=configured\n")
    node.image.write(udev.format(eth2), "I:1\nE:ID_NET_NAME=x\n")
    node.image.write("run/systemd/network/70-eks-eth3.network", "[Match]\nName=eth3\n")
    assert wrong(node.checks(status=1)) == {"link.eth1": "fail", "link.eth2": "warning", "link.eth3": "fail"}


def test_link_that_went(patient):
    node = patient()
    eni = node.fleet.interfaces(node.node)[0]
    node.daemon.kill()
    node.control.post(f"/enis/{eni['id']}/detach")
    until(lambda: not node.control.state()["enis"][eni["id"]]["attachment"], "its end")
    checks = node.checks()
    assert checks[f"link.{eni['mac']}"]["status"] == "skipped"
    node.control.delete(f"/enis/{eni['id']}")


def test_stacked_links_are_not_ours(patient):
    """A macvlan may have the address of an ENI, which may be elsewhere."""
    node = patient()
    mac = node.node.links()["eth1"]["address"]
    node.node.run(["ip", "link", "set", "eth1", "address", "02:00:00:00:00:01"], check=True)
    node.node.run(["ip", "link", "add", "mv0", "link", "eth2", "address", mac, "type", "macvlan"],
                  check=True)
    checks = node.checks()
    assert "link.mv0" not in checks and checks[f"link.{mac}"]["status"] == "skipped"


@pytest.mark.parametrize("phase, error, status, word", [
    ("ready", None, "ok", "ready"), ("degraded", "eth2 is missing", "fail", "eth2 is missing"),
    ("failed", "no subnet", "fail", "no subnet"), ("links", None, "warning", "links"),
])
def test_daemon(well, tmp_path, phase, error, status, word):
    path = str(tmp_path / "sock")
    with status_server(path, dict(STATUS, phase=phase, error=error)):
        check = well.checks("--socket", path)["daemon"]
    assert check["status"] == status and word in check["what"]


def test_files_and_node_together(patient):
    """What an image can have wrong a node can as well; warnings alone have a status of their own."""
    node = patient()
    node.image.write("etc/systemd/network/00-all.network", "[Match]\nName=*\n")
    assert wrong(node.checks()) == {"manager.networkd": "warning"}
    node.image.remove(f"{RULES_DIR}/85-multus-eks.rules")
    assert wrong(node.checks(status=1)) == {"manager.networkd": "warning", "files.udev": "fail"}


def test_default_paths(patient):
    """Configuration and socket are those below the root."""
    node = patient(start=False)
    node.image.write("etc/multus-eks.conf", pathlib.Path(node.daemon.config_path).read_text())
    node.image.write("etc/multus-eks.conf.d/10.conf",
                     pathlib.Path(f"{node.daemon.config_path}.d/10-endpoints.conf").read_text())
    (node.image.path / "run/multus-eks").mkdir(parents=True)
    with status_server(str(node.image.path / "run/multus-eks/multus-eks.sock"), STATUS):
        result = node.node.run([EKSCTL, "doctor", "--json", "--root", str(node.image.path)],
                               capture_output=True, text=True, timeout=60, check=False)
    checks = {check["name"]: check["status"] for check in json.loads(result.stdout)["checks"]}
    assert (checks["config"], checks["daemon"], checks["networks"]) == ("ok", "ok", "ok")


def test_one_that_boots_badly(patient):
    """The boot fails for want of a permission; the doctor, asked then, names it."""
    node = patient(configured(on_failure="continue"), start=False)
    node.control.deny("ec2:CreateTags")
    node.daemon.start()
    node.daemon.wait_ready()
    checks = node.checks(status=1)
    assert checks["daemon"]["status"] == "fail" and "degraded" in checks["daemon"]["what"]
    assert checks["ec2:CreateTags"]["status"] == "fail"
