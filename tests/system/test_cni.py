# SPDX-License-Identifier: Apache-2.0
"""multus-eks-ip: alone with results made up here, and in chains with the distribution's plugins."""

import json
import os
import socket
import subprocess
import time
from urllib.parse import quote

import pytest
from ec2sim.node import NamespacesUnavailable

from cnichain import PLUGIN, PluginError, Runtime, invoke, real_plugin
from fakedaemon import FakeDaemon, error

VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]
CONTAINER = "c0ffee"
ENVIRONMENT = {"CNI_CONTAINERID": CONTAINER, "CNI_IFNAME": "net1", "CNI_NETNS": "/proc/self/ns/net"}
OWNER = f"cni:oam/{CONTAINER}/net1"


@pytest.fixture
def daemon(tmp_path):
    with FakeDaemon(tmp_path / "sock") as daemon:
        yield daemon


@pytest.fixture
def runtime():
    try:
        with Runtime() as runtime:
            yield runtime
    except NamespacesUnavailable as unavailable:
        pytest.fail(f"cannot make network namespaces: {unavailable}")


def result_of(*addresses, **more):
    """What the plugin before prints: the pod's interface after one of the host's."""
    return {"cniVersion": "1.0.0",
            "interfaces": [{"name": "eth1", "mac": "02:00:00:00:00:01"},
                           {"name": "net1", "mac": "02:00:00:00:00:02", "sandbox": "/proc/self/ns/net"}],
            "ips": [{"address": address, "interface": 1} for address in addresses], **more}


def config_of(daemon, *addresses, version="1.0.0", **more):
    """master is given: the namespace is looked into by the tests that have a real one."""
    return {"cniVersion": version, "name": "oam", "type": "multus-eks-ip", "socket": daemon.path,
            "master": "eth1", "prevResult": result_of(*addresses, cniVersion=version), **more}


def failure(command, config, environment=None, **kw):
    with pytest.raises(PluginError) as raised:
        invoke(command, config, {**ENVIRONMENT, **(environment or {})}, **kw)
    return raised.value


# ------------------------------------------------------------------ ADD

@pytest.mark.parametrize("version", VERSIONS)
def test_add_registers_and_passes_the_result_on(daemon, version):
    previous = result_of("10.0.1.7/24", "2001:db8::7/64", cniVersion=version,
                         routes=[{"dst": "0.0.0.0/0", "gw": "10.0.1.1", "priority": 100}],
                         dns={"nameservers": ["10.0.0.2"], "search": []}, future={"a": [1, 2.5, None, "ü\0"]})
    config = {**config_of(daemon, version=version), "prevResult": previous}
    assert invoke("ADD", config, ENVIRONMENT) == previous
    assert daemon.addresses == {"10.0.1.7": {"owner": OWNER, "interface": "eth1"},
                                "2001:db8::7": {"owner": OWNER, "interface": "eth1"}}
    assert daemon.methods() == ["POST"]


def test_add_keeps_the_order_of_members(daemon):
    text = ('{"type":"multus-eks-ip","name":"oam","cniVersion":"1.0.0","master":"eth1","socket":"%s",'
            '"prevResult":{"z":1,"cniVersion":"1.0.0","a":{"y":[],"b":1e3}}}' % daemon.path)
    process = subprocess.run([PLUGIN], input=text, capture_output=True, text=True, check=True,
                             env={**ENVIRONMENT, "CNI_COMMAND": "ADD"})
    assert process.stdout == '{"z":1,"cniVersion":"1.0.0","a":{"y":[],"b":1000.0}}\n'


def test_add_takes_only_the_pods_own_addresses(daemon):
    previous = result_of("10.0.1.7/24")
    previous["ips"] += [{"address": "10.0.1.1/24", "interface": 0},       # the host's
                        {"address": "10.0.1.7/24", "interface": 1},       # twice
                        {"address": "fe80::1/64", "interface": 1},        # link-local
                        {"address": "10.0.1.9/24"}]                       # index left out
    invoke("ADD", {**config_of(daemon), "prevResult": previous}, ENVIRONMENT)
    assert set(daemon.addresses) == {"10.0.1.7", "10.0.1.9"}


def test_add_without_addresses_needs_no_daemon(tmp_path):
    config = {"cniVersion": "1.0.0", "name": "oam", "socket": str(tmp_path / "none"),
              "prevResult": {"interfaces": []}}
    assert invoke("ADD", config, ENVIRONMENT) == {"interfaces": [], "cniVersion": "1.0.0"}


def test_refused_address_gives_the_others_back(daemon):
    daemon.refuse["10.0.1.1"] = 409, error("reserved", "10.0.1.1 is the VPC's own")
    daemon.addresses["10.0.1.50"] = {"owner": OWNER, "interface": "eth1"}
    raised = failure("ADD", config_of(daemon, "10.0.1.7/24", "10.0.1.1/24", "10.0.1.8/24"))
    assert raised.code == 100
    assert raised.message == "10.0.1.1: 10.0.1.1 is the VPC's own (HTTP 409)"
    assert raised.details == "code reserved"
    assert raised.result["cniVersion"] == "1.0.0"
    assert set(daemon.addresses) == {"10.0.1.50"}, "only what this ADD registered is given back"


def test_ec2s_reason_is_told(daemon):
    daemon.refuse["10.0.1.7"] = 502, error("ec2_error", "EC2 refused", ec2_code="UnauthorizedOperation",
                                           ec2_request_id="req-1")
    raised = failure("ADD", config_of(daemon, "10.0.1.7/24"))
    assert raised.code == 100
    assert raised.details == "code ec2_error EC2 UnauthorizedOperation request req-1"


@pytest.mark.parametrize("status, code", [(429, 11), (503, 11), (504, 11), (500, 11), (502, 100), (507, 100),
                                          (422, 100), (400, 100)])
@pytest.mark.parametrize("whole", [False, True])
def test_codes(daemon, status, code, whole):
    refusal = status, error("word", "sentence")
    if whole:
        daemon.everything = refusal
    else:
        daemon.refuse["10.0.1.7"] = refusal
    raised = failure("ADD", config_of(daemon, "10.0.1.7/24"))
    assert (raised.code, daemon.addresses) == (code, {})
    assert f"sentence (HTTP {status})" in raised.message


def test_timeout_gives_back(daemon):
    """The daemon has it, but its answer never came."""
    daemon.silent = True
    begin = time.monotonic()
    process = subprocess.Popen([PLUGIN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                               env={**ENVIRONMENT, "CNI_COMMAND": "ADD"})
    process.stdin.write(json.dumps(config_of(daemon, "10.0.1.7/24", timeout=0.3)))
    process.stdin.close()
    while not daemon.requests:
        time.sleep(0.005)
    daemon.silent = False
    text = process.stdout.read()
    process.stdout.close()
    assert process.wait() == 1
    assert '"code":11' in text and "no answer within 0.3 s" in text
    assert 0.3 <= time.monotonic() - begin < 3
    assert daemon.methods() == ["POST", "DELETE"]
    assert daemon.addresses == {}


def test_lost_answer_gives_back(daemon):
    daemon.drop = True
    raised = failure("ADD", config_of(daemon, "10.0.1.7/24"))
    assert raised.code == 11
    assert "POST" in daemon.methods() and "DELETE" in daemon.methods()
    assert daemon.addresses == {}


def test_add_while_the_daemon_is_stopping(daemon):
    """The next one is asked, and has it."""
    daemon.stops = 2
    invoke("ADD", config_of(daemon, "10.0.1.7/24"), ENVIRONMENT)
    assert daemon.owners() == {"10.0.1.7": OWNER}
    assert daemon.methods() == ["POST"] * 3


def test_add_until_its_time_is_up(daemon):
    """What the daemon had registered when it was told to stop is given back."""
    daemon.addresses["10.0.1.7"] = {"owner": OWNER, "interface": "eth1"}
    daemon.stops = 3
    raised = failure("ADD", config_of(daemon, "10.0.1.7/24", timeout=0.15))
    assert (raised.code, raised.details) == (11, "code stopping")
    assert daemon.methods() == ["POST", "POST", "DELETE", "DELETE"]
    assert daemon.addresses == {}


def test_no_daemon(tmp_path):
    config = config_of(FakeDaemon(tmp_path / "absent"), "10.0.1.7/24")
    raised = failure("ADD", config)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(config["socket"])  # nobody listens
        refused = failure("ADD", config)
    assert (raised.code, raised.message) == (11, f"there is no socket at {config['socket']}")
    assert (refused.code, refused.message) == (11, f"{config['socket']}: the daemon is not running")


# ------------------------------------------------------------------ DEL, CHECK, GC, STATUS, VERSION

def fill(daemon):
    daemon.addresses.update({
        "10.0.1.7": {"owner": OWNER, "interface": "eth1"},
        "10.0.1.8": {"owner": OWNER, "interface": "eth1"},
        "10.0.1.9": {"owner": f"cni:oam/{CONTAINER}/net2", "interface": "eth1"},
        "10.0.1.10": {"owner": "cni:oam/beef/net1", "interface": "eth1"},
        "10.0.1.11": {"owner": f"cni:oam2/{CONTAINER}/net1", "interface": "eth1"},
        "10.0.1.12": {"owner": "watch:1:5", "interface": "eth1"},
        "10.0.1.13": {"owner": "cni:oam/other", "interface": "eth1"},
    })


@pytest.mark.parametrize("previous", [True, False])
@pytest.mark.parametrize("netns", ["/proc/self/ns/net", "", "/nonexistent"])
def test_del_gives_back_what_is_of_this_attachment(daemon, previous, netns):
    fill(daemon)
    config = config_of(daemon, "10.0.1.7/24")
    if not previous:
        del config["prevResult"]
    for _ in range(2):  # the second has nothing to do
        assert invoke("DEL", config, {**ENVIRONMENT, "CNI_NETNS": netns}) is None
        assert set(daemon.addresses) == {f"10.0.1.{i}" for i in (9, 10, 11, 12, 13)}
    assert daemon.methods() == ["GET", "DELETE", "DELETE", "GET"]


@pytest.mark.parametrize("previous", [[], "x", {"ips": {}}, {"ips": [{"address": "10.0.0.1"}]},
                                      {**result_of(), "ips": [{"address": "10.0.1.7/24", "interface": 2}]}],
                         ids=str)
def test_del_with_a_result_that_add_refuses(daemon, previous):
    """What the daemon has is given back: the runtime repeats a DEL that fails, and the pod stays."""
    fill(daemon)
    assert invoke("DEL", {**config_of(daemon), "prevResult": previous}, ENVIRONMENT) is None
    assert "10.0.1.7" not in daemon.addresses
    assert daemon.methods() == ["GET", "DELETE", "DELETE"]


@pytest.mark.parametrize("change", [{"timeout": "30"}, {"timeout": 0}, {"master": 1}, {"master": ""}],
                         ids=str)
def test_del_with_keys_that_add_refuses(daemon, change):
    """A runtime ends with the first plugin of a list that fails: those before would leak their addresses."""
    fill(daemon)
    config = {**config_of(daemon), **change}
    assert failure("ADD", config).code == 7
    process = subprocess.run([PLUGIN], input=json.dumps(config), capture_output=True, text=True, check=True,
                             env={**ENVIRONMENT, "CNI_COMMAND": "DEL"})
    assert process.stdout == ""
    assert next(iter(change)) in process.stderr
    assert OWNER not in daemon.owners().values()


def test_del_leaves_what_another_pod_took_over(daemon):
    """It is told that this pod would not have it again; whose it is, is its affair."""
    for i in (7, 8):
        daemon.addresses[f"10.0.1.{i}"] = {"owner": "cni:oam/newer/net1", "interface": "eth1"}
    before = daemon.owners()
    assert invoke("DEL", config_of(daemon, "10.0.1.7/24"), ENVIRONMENT) is None
    assert daemon.owners() == before
    assert [(method, path) for method, path, _body in daemon.requests] == [
        ("GET", "/v1/addresses"), ("DELETE", f"/v1/addresses/10.0.1.7?owner={quote(OWNER, safe='')}")]


def test_del_that_comes_late_succeeds(daemon):
    """Another pod takes the address over between the list and the DELETE."""
    newer = {"owner": "cni:oam/newer/net1", "interface": "eth1"}
    daemon.addresses["10.0.1.7"] = {"owner": OWNER, "interface": "eth1"}
    daemon.before_release = lambda address: daemon.addresses.update({address: newer})
    assert invoke("DEL", config_of(daemon, "10.0.1.7/24"), ENVIRONMENT) is None
    assert daemon.methods() == ["GET", "DELETE"]
    assert daemon.addresses == {"10.0.1.7": newer}


def test_del_of_what_is_given_back_already(daemon):
    daemon.addresses["10.0.1.7"] = {"owner": OWNER, "interface": "eth1", "state": "released"}
    assert invoke("DEL", config_of(daemon, "10.0.1.7/24"), ENVIRONMENT) is None
    assert daemon.methods() == ["GET"]


@pytest.mark.parametrize("status, code", [(500, 11), (503, 11), (502, 100)])
def test_del_that_is_refused_is_not_done(daemon, status, code):
    daemon.addresses["10.0.1.7"] = {"owner": OWNER, "interface": "eth1"}
    daemon.refuse_release = status, error("word", "sentence")
    assert failure("DEL", config_of(daemon)).code == code
    assert daemon.methods() == ["GET", "DELETE"]


def test_del_without_daemon_succeeds(tmp_path):
    config = config_of(FakeDaemon(tmp_path / "absent"), "10.0.1.7/24")
    process = subprocess.run([PLUGIN], input=json.dumps(config), capture_output=True, text=True, check=True,
                             env={**ENVIRONMENT, "CNI_COMMAND": "DEL"})
    assert process.stdout == ""
    assert f"addresses of {OWNER} are not given back" in process.stderr


def test_del_on_a_node_whose_boot_failed_succeeds(daemon):
    """kubelet runs there under on_failure = continue, and has pods to delete."""
    daemon.everything = 503, error("not_ready", "this node's interfaces are not ready")
    assert invoke("DEL", config_of(daemon, "10.0.1.7/24"), ENVIRONMENT) is None
    assert failure("ADD", config_of(daemon, "10.0.1.7/24")).code == 11


def test_del_while_the_daemon_is_stopping(daemon):
    """As opposed to one whose boot failed it knows of addresses, and so does the next one."""
    fill(daemon)
    daemon.stops = 2
    assert invoke("DEL", config_of(daemon, "10.0.1.7/24"), ENVIRONMENT) is None
    assert daemon.methods() == ["GET", "GET", "GET", "DELETE", "DELETE"]
    assert OWNER not in daemon.owners().values()


def test_del_until_its_time_is_up(daemon):
    fill(daemon)
    daemon.stops = 1000
    begin = time.monotonic()
    raised = failure("DEL", config_of(daemon, "10.0.1.7/24", timeout=0.5))
    assert (raised.code, raised.details) == (11, "code stopping")
    assert time.monotonic() - begin < 5
    assert 2 <= len(daemon.requests) < 10


def test_del_asks_again_when_the_daemon_is_there_but_silent(daemon):
    daemon.silent = True
    raised = failure("DEL", config_of(daemon, timeout=0.2))
    assert (raised.code, daemon.methods()) == (11, ["GET"])


@pytest.mark.parametrize("change, code", [
    ({}, None),
    ({"owner": "cni:oam/newer/net1"}, 101),
    ({"state": "released"}, 101),
    ({"assigned": False}, 101),
])
def test_check(daemon, change, code):
    daemon.addresses["10.0.1.7"] = {"owner": OWNER, "interface": "eth1", **change}
    config = config_of(daemon, "10.0.1.7/24")
    if code is None:
        assert invoke("CHECK", config, ENVIRONMENT) is None
        return
    raised = failure("CHECK", config)
    assert raised.code == code
    assert raised.message == "10.0.1.7 is not registered for this pod"


def test_gc_releases_what_is_not_valid(daemon):
    fill(daemon)
    daemon.addresses["10.0.1.14"] = {"owner": "cni:oam/beef/net1x", "interface": "eth1"}
    config = config_of(daemon, version="1.1.0", **{"cni.dev/valid-attachments": [
        {"containerID": CONTAINER, "ifname": "net1"}, {"containerID": "beef", "ifname": "net1"},
        {"containerID": "bee", "ifname": "f/net1x"}]})
    del config["prevResult"]
    assert invoke("GC", config) is None
    assert set(daemon.addresses) == {f"10.0.1.{i}" for i in (7, 8, 10, 11, 12, 13)}


@pytest.mark.parametrize("valid", [None, []])
def test_gc_without_valid_attachments(daemon, valid):
    """libcni writes an empty list as null."""
    fill(daemon)
    config = config_of(daemon, version="1.1.0", **{"cni.dev/valid-attachments": valid})
    assert invoke("GC", config) is None
    assert set(daemon.addresses) == {f"10.0.1.{i}" for i in (11, 12, 13)}


def test_gc_without_the_list(daemon):
    fill(daemon)
    before = dict(daemon.addresses)
    assert failure("GC", config_of(daemon, version="1.1.0")).code == 7
    assert daemon.addresses == before


@pytest.mark.parametrize("valid", [False, {}, "", [{"containerID": "a"}], [1],
                                   [{"containerID": 1, "ifname": "a"}]])
def test_gc_releases_nothing_on_a_list_it_does_not_understand(daemon, valid):
    fill(daemon)
    before = dict(daemon.addresses)
    raised = failure("GC", config_of(daemon, version="1.1.0", **{"cni.dev/valid-attachments": valid}))
    assert (raised.code, daemon.addresses) == (7, before)


def test_status(daemon, tmp_path):
    config = {"cniVersion": "1.1.0", "name": "oam", "socket": daemon.path}
    assert invoke("STATUS", config) is None
    daemon.status = {"phase": "links", "ready": False}
    assert failure("STATUS", config).code == 50
    assert failure("STATUS", {**config, "socket": str(tmp_path / "absent")}).code == 50


def test_status_that_is_refused(daemon):
    """The daemon's reason is told, not what a status would have said."""
    daemon.everything = 403, error("forbidden", "only root may")
    raised = failure("STATUS", {"cniVersion": "1.1.0", "name": "oam", "socket": daemon.path})
    assert (raised.code, raised.message) == (50, f"{daemon.path}: only root may (HTTP 403)")
    assert raised.details == "code forbidden"


@pytest.mark.parametrize("master, works", [
    ("eth1", True), ("oam", True), ("eni-0a", True),         # up
    ("eth2", False), ("eni-0b", False), ("media", True),     # failed; another one of its network is up
    ("eth4", True), ("eth5", True),                          # bound to a driver, away in a pod
    ("eth6", False), ("core", False), ("eth9", False),       # failed, alone; not there
])
def test_status_of_a_degraded_node(daemon, master, works):
    interfaces = [("eth1", "oam", "up"), ("eth2", "media", "failed"), ("eth3", "media", "up"),
                  ("eth4", "dpdk", "bound"), ("eth5", "dpdk", "away"), ("eth6", "core", "failed")]
    daemon.status = {"phase": "degraded", "ready": True, "interfaces": [
        {"name": name, "network": network, "state": state, "eni_id": f"eni-0{'abcdef'[i]}",
         "error": "no such subnet" if state == "failed" else None}
        for i, (name, network, state) in enumerate(interfaces)]}
    config = {"cniVersion": "1.1.0", "name": "oam", "socket": daemon.path, "master": master}
    if works:
        assert invoke("STATUS", config) is None
        return
    raised = failure("STATUS", config)
    assert raised.code == 50
    assert master in raised.message
    assert raised.details == ("" if master == "eth9" else "no such subnet")


@pytest.mark.parametrize("version", VERSIONS)
def test_version(version):
    assert invoke("VERSION", {"cniVersion": version}) == {"cniVersion": version,
                                                          "supportedVersions": VERSIONS}


@pytest.mark.parametrize("text", ['{"cniVersion": "0.2.0"}', '{"cniVersion": "9.9.9"}', '{"cniVersion": 1}',
                                  "[]", ""])
def test_version_of_an_unknown_asker(text):
    assert invoke("VERSION", None, text=text) == {"cniVersion": "1.1.0", "supportedVersions": VERSIONS}


# ------------------------------------------------------------------ what is wrong with the input

@pytest.mark.parametrize("change, code, text", [
    ({"cniVersion": "0.2.0"}, 1, "0.2.0"),
    ({"cniVersion": "2.0.0"}, 1, "2.0.0"),
    ({"cniVersion": None}, 1, "0.1.0"),
    ({"cniVersion": 1}, 7, "cniVersion"),
    ({"name": None}, 7, "name"),
    ({"name": "a/b"}, 7, "name"),
    ({"name": "n" * 300}, 7, "longer"),
    ({"socket": "relative"}, 7, "socket"),
    ({"socket": "/" + "x" * 120}, 7, "socket"),
    ({"timeout": "30s"}, 7, "timeout"),
    ({"timeout": 0}, 7, "timeout"),
    ({"timeout": -1}, 7, "timeout"),
    ({"timeout": 1e300}, 7, "timeout"),
    ({"master": ""}, 7, "master"),
    ({"master": ["eth1"]}, 7, "master"),
    ({"prevResult": None}, 7, "no prevResult"),
    ({"prevResult": []}, 7, "prevResult"),
    ({"prevResult": {"ips": {}}}, 7, "ips"),
    ({"prevResult": {"ips": ["10.0.0.1/24"]}}, 7, "ips"),
    ({"prevResult": {"ips": [{"address": "10.0.0.1"}]}}, 7, "10.0.0.1"),
    ({"prevResult": {"ips": [{}]}}, 7, "address"),
    ({"prevResult": {"ips": [{"address": f"10.0.{i}.1/24"} for i in range(65)]}}, 7, "more than 64"),
    ({"prevResult": {**result_of(), "ips": [{"address": "10.0.0.1/24", "interface": 2}]}}, 7, "index"),
    ({"prevResult": {**result_of(), "ips": [{"address": "10.0.0.1/24", "interface": -1}]}}, 7, "index"),
], ids=lambda value: str(value)[:40])
def test_wrong_configuration(daemon, change, code, text):
    raised = failure("ADD", {**config_of(daemon, "10.0.1.7/24"), **change})
    assert raised.code == code
    assert text in raised.message
    assert daemon.requests == []


@pytest.mark.parametrize("text, code", [("", 6), ("{", 6), ("[]", 6), ("{} {}", 6), (" " * (1 << 20), 6),
                                        (" " * ((1 << 20) + 1), 5), ("[" * 5000, 6)],
                         ids=["empty", "half", "list", "two", "blanks", "too-long", "deep"])
def test_wrong_json(text, code):
    raised = failure("ADD", None, text=text)
    assert (raised.code, raised.result["cniVersion"]) == (code, "1.1.0")


def test_long_number(daemon):
    """It cannot be handed on as it came; the error is in the version of the configuration."""
    config = {**config_of(daemon, "10.0.1.7/24"), "future": [1 << 64, "\0"]}
    raised = failure("ADD", config)
    assert (raised.code, raised.result["cniVersion"], daemon.requests) == (6, "1.0.0", [])
    daemon.addresses["10.0.1.7"] = {"owner": OWNER, "interface": "eth1"}
    assert invoke("DEL", config, ENVIRONMENT) is None
    assert daemon.addresses == {}


@pytest.mark.parametrize("environment", [
    {"CNI_COMMAND": "UPDATE"}, {"CNI_COMMAND": ""}, {"CNI_CONTAINERID": ""}, {"CNI_CONTAINERID": "a/b"},
    {"CNI_IFNAME": ""}, {"CNI_IFNAME": "x" * 16}, {"CNI_IFNAME": "a b"}, {"CNI_IFNAME": ".."},
    {"CNI_NETNS": ""},
])
def test_wrong_environment(daemon, environment):
    raised = failure("ADD", config_of(daemon, "10.0.1.7/24"), environment)
    assert raised.code == 4
    assert next(iter(environment)) in raised.message
    assert daemon.requests == []


@pytest.mark.parametrize("name, code", [("CNI_COMMAND", 4), ("CNI_CONTAINERID", 4), ("CNI_IFNAME", 4),
                                        ("CNI_NETNS", 5)])
@pytest.mark.parametrize("value", ["\udcff", "a" * 31 + "é" * 300], ids=["no-utf8", "long"])
def test_environment_that_is_not_ascii(daemon, name, code, value):
    """The error is JSON, whatever it quotes."""
    config = config_of(daemon, "10.0.1.7/24")
    del config["master"]
    raised = failure("ADD", config, {name: value})
    assert (raised.code, daemon.requests) == (code, [])
    assert name in raised.message


@pytest.mark.parametrize("change", [
    {"cniVersion": "a" + "é" * 100},
    {"prevResult": {"ips": [{"address": "a" + "é" * 100}]}},
], ids=["version", "address"])
def test_wrong_text_is_quoted_in_whole_characters(daemon, change):
    message = failure("ADD", {**config_of(daemon), **change}).message
    assert "a" + "é" * 31 in message and "?" not in message


def test_refusal_is_quoted_in_whole_characters(daemon):
    for i in (7, 8):
        daemon.refuse[f"10.0.1.{i}"] = 409, error("reserved", "a" + "é" * 400)
    raised = failure("ADD", config_of(daemon, "10.0.1.7/24", "10.0.1.8/24"))
    assert raised.message == f"10.0.1.7: a{'é' * 149} (HTTP 409)"
    assert raised.details == f"code reserved 10.0.1.8: a{'é' * 49}."


@pytest.mark.parametrize("command, version", [("CHECK", "0.3.1"), ("GC", "1.0.0"), ("STATUS", "0.4.0")])
def test_commands_of_later_versions(daemon, command, version):
    raised = failure(command, config_of(daemon, version=version))
    assert (raised.code, raised.result["cniVersion"]) == (1, version)


def test_namespace_that_is_not_there(daemon):
    config = config_of(daemon, "10.0.1.7/24")
    del config["master"]
    raised = failure("ADD", config, {"CNI_NETNS": "/nonexistent"})
    assert raised.code == 5
    assert "No such file" in raised.message
    raised = failure("ADD", config)  # there is no net1 here
    assert raised.code == 5
    assert raised.message.startswith("net1 in /proc/self/ns/net: ")
    assert daemon.requests == []


def test_run_by_hand():
    env = {key: value for key, value in os.environ.items() if not key.startswith("CNI_")}
    process = subprocess.run([PLUGIN], capture_output=True, text=True, check=False, env=env,
                             stdin=subprocess.DEVNULL)
    assert (process.returncode, process.stdout) == (1, "")
    assert "supported: " + ", ".join(VERSIONS) in process.stderr


# ------------------------------------------------------------------ in a chain

def needs(*plugins):
    missing = [name for name in plugins if not real_plugin(name)]
    return pytest.mark.skipif(bool(missing), reason=f"no CNI plugin {missing}: containernetworking-plugins")


def network(daemon, tmp_path, main, ipam="host-local", version="1.0.0", **more):
    """A list of @main with @ipam and ours, with two subnets."""
    ranges = {"host-local": {"dataDir": str(tmp_path / "ipam"),
                             "ranges": [[{"subnet": "10.0.1.0/24", "rangeStart": "10.0.1.100"}],
                                        [{"subnet": "2001:db8:1::/64"}]]},
              "static": {"addresses": [{"address": "10.0.1.77/24", "gateway": "10.0.1.1"},
                                       {"address": "2001:db8:1::77/64", "gateway": "2001:db8:1::1"}]}}
    return {"cniVersion": version, "name": "oam",
            "plugins": [{**main, "ipam": {"type": ipam, **ranges[ipam]}},
                        {"type": "multus-eks-ip", "socket": daemon.path, **more}]}


BRIDGE = {"type": "bridge", "bridge": "cni0"}
PTP = {"type": "ptp"}
MACVLAN = {"type": "macvlan", "master": "eth2", "mode": "bridge"}


@needs("bridge", "ptp", "macvlan", "host-local", "static")
@pytest.mark.parametrize("main, ipam, version", [
    (BRIDGE, "host-local", "1.0.0"), (BRIDGE, "static", "0.4.0"), (PTP, "host-local", "1.0.0"),
    (PTP, "static", "0.3.1"), (MACVLAN, "host-local", "0.3.0"), (MACVLAN, "host-local", "0.4.0"),
    (MACVLAN, "static", "1.0.0"),
], ids=lambda value: value["type"] if isinstance(value, dict) else value)
def test_chain(daemon, runtime, tmp_path, main, ipam, version):
    """From the first ADD to the second DEL, as a runtime does it."""
    runtime.uplink("eth2")
    config = network(daemon, tmp_path, main, ipam, version)
    pod = runtime.attach(config)

    result = pod.add()
    addresses = pod.pod.addresses("net1")
    assert len(addresses) == 2
    assert daemon.owners() == {address: pod.owner for address in addresses}
    assert {ip["address"].split("/")[0] for ip in result["ips"]} == addresses
    # A veth pair says nothing of where it leads; what lies on an interface names it.
    wanted = "eth2" if main is MACVLAN else None
    assert {item.get("interface") for item in daemon.requests[0][2]["addresses"]} == {wanted}

    if version in ("0.4.0", "1.0.0"):
        pod.check()
        entry = daemon.addresses.pop(sorted(addresses)[0])
        with pytest.raises(PluginError) as raised:
            pod.check()
        assert raised.value.code == 101
        daemon.addresses[sorted(addresses)[0]] = entry

    pod.delete()
    assert daemon.addresses == {}
    pod.delete()


@needs("macvlan", "host-local")
def test_chain_result_is_what_the_plugin_before_printed(daemon, runtime, tmp_path):
    runtime.uplink("eth2")
    config = network(daemon, tmp_path, MACVLAN)
    alone = {**config, "plugins": config["plugins"][:1]}
    pod = runtime.attach(alone)
    before = pod.add()
    ours = invoke("ADD", {**config["plugins"][1], "cniVersion": "1.0.0", "name": "oam", "prevResult": before},
                  pod.environment(), runtime.host.enter())
    assert ours == before


@needs("macvlan", "host-local")
def test_chain_that_fails_leaves_nothing(daemon, runtime, tmp_path):
    """The second address is refused; the runtime runs DEL for all plugins."""
    runtime.uplink("eth2")
    daemon.refuse["2001:db8:1::2"] = 507, error("limit", "eth2 has no room for more addresses")
    pod = runtime.attach(network(daemon, tmp_path, MACVLAN))
    with pytest.raises(PluginError) as raised:
        pod.add()
    assert "eth2 has no room" in raised.value.message
    assert daemon.addresses == {}
    pod.delete()
    assert [name for name in os.listdir(tmp_path / "ipam" / "oam") if name.startswith(("10.", "2001"))] == []


@needs("macvlan", "host-local")
def test_chain_garbage_collection(daemon, runtime, tmp_path):
    runtime.uplink("eth2")
    config = network(daemon, tmp_path, MACVLAN)
    kept, lost = runtime.attach(config), runtime.attach(config)
    kept.add()
    lost.add()
    assert len(daemon.addresses) == 4
    runtime.garbage_collect({**config, "cniVersion": "1.1.0"}, [kept])
    assert set(daemon.owners().values()) == {kept.owner}
    assert len(daemon.addresses) == 2


@needs("macvlan", "host-local")
def test_chain_two_interfaces_of_one_pod(daemon, runtime, tmp_path):
    """Two ENIs in one subnet are told apart by what the pod's interfaces lie on."""
    for name in ("eth1", "eth2"):
        runtime.uplink(name)
    first = runtime.attach(network(daemon, tmp_path, {**MACVLAN, "master": "eth1"}))
    second = runtime.attach(network(daemon, tmp_path, MACVLAN), ifname="net2")
    second.pod.close()
    second.pod, second.container_id = first.pod, first.container_id
    first.add()
    second.add()
    where = {entry["owner"]: entry["interface"] for entry in daemon.addresses.values()}
    assert where == {first.owner: "eth1", second.owner: "eth2"}
    first.delete()
    assert set(daemon.owners().values()) == {second.owner}
