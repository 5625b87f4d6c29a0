# SPDX-License-Identifier: Apache-2.0
"""The manifests of conf/examples do what they say: their shell runs, against a daemon without EC2."""

import configparser
import ipaddress
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest
import yaml

from cnichain import PluginError, Runtime, invoke, real_plugin
from fakedaemon import FakeDaemon, error
from registering import until

EXAMPLES = pathlib.Path("conf/examples")
SOCKET = "/run/multus-eks/multus-eks.sock"
SELF_REGISTERED = "oam-self-registered"

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="no curl")


@pytest.fixture
def daemon(tmp_path):
    with FakeDaemon(tmp_path / "sock") as daemon:
        yield daemon


@pytest.fixture
def runtime():
    with Runtime() as runtime:
        yield runtime


def documents(name):
    return [document for document in yaml.safe_load_all((EXAMPLES / name).read_text()) if document]


def container(name, kind, container_name):
    spec = documents(name)[0]["spec"]
    return next(one for one in spec[kind] if one["name"] == container_name)


def script_of(command, daemon):
    assert command[0] == "sh" and SOCKET in command[2]
    return ["sh", command[1], command[2].replace(SOCKET, daemon.path)]


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_is_yaml_with_kind_and_name(path):
    for document in documents(path.name):
        assert document["kind"] and document["apiVersion"] and document["metadata"]["name"]


@pytest.mark.parametrize("document", documents("networks.yaml"), ids=lambda d: d["metadata"]["name"])
def test_network(document):
    """The list is one that the plugin takes, for the interface that the plugin before it names."""
    config = json.loads(document["spec"]["config"])
    assert config["name"] == document["metadata"]["name"]
    if config["name"] == SELF_REGISTERED:
        assert [plugin["type"] for plugin in config["plugins"]] == ["ipvlan"]
        return
    first, ours = config["plugins"]
    assert (first["type"], ours["type"]) == ("ipvlan", "multus-eks-ip")
    with pytest.raises(PluginError) as raised:
        invoke("ADD", {**ours, "cniVersion": config["cniVersion"], "name": config["name"]},
               {"CNI_CONTAINERID": "a", "CNI_IFNAME": "net1", "CNI_NETNS": "/proc/self/ns/net"})
    assert "no prevResult" in raised.value.message  # everything before that was right


@pytest.mark.parametrize("name", ["init-container.yaml", "sidecar.yaml"])
def test_who_registers_himself(name):
    """His network has no plugin that registers the same address and gives it back for another owner."""
    annotations = documents(name)[0]["metadata"]["annotations"]
    network, = json.loads(annotations["k8s.v1.cni.cncf.io/networks"])
    assert network["name"] == SELF_REGISTERED
    assert SELF_REGISTERED in [document["metadata"]["name"] for document in documents("networks.yaml")]


def test_init_container(daemon):
    env = {"OWNER": "uid-1", "PATH": "/usr/bin:/bin"}
    init = script_of(container("init-container.yaml", "initContainers", "register")["command"], daemon)
    subprocess.run(init, env=env, check=True, capture_output=True)
    assert daemon.addresses == {"10.0.10.50": {"owner": "pod:uid-1", "interface": "eth1"}}

    hook = container("init-container.yaml", "containers", "main")["lifecycle"]["preStop"]["exec"]["command"]
    subprocess.run(script_of(hook, daemon), env=env, check=True, capture_output=True)
    assert daemon.addresses == {}


def test_init_container_fails_when_refused(daemon):
    daemon.refuse["10.0.10.50"] = 409, error("reserved", "it is the VPC's own")
    init = script_of(container("init-container.yaml", "initContainers", "register")["command"], daemon)
    result = subprocess.run(init, env={"OWNER": "uid-1", "PATH": "/usr/bin:/bin"}, check=False,
                            capture_output=True, text=True)
    assert result.returncode != 0
    assert "it is the VPC's own" in result.stdout


def wait_for(daemon, condition):
    while not condition():
        daemon.stopping.wait(0.01)


def test_sidecar(daemon, runtime):
    """Follows the pod's addresses: registers, asks again what was refused, gives back, and all at the end."""
    runtime.uplink("net1")
    runtime.host.run("ip", "address", "add", "10.0.10.130/24", "dev", "net1")
    daemon.refuse["10.0.10.131"] = 503, error("not_ready", "later")
    script = script_of(container("sidecar.yaml", "initContainers", "addresses")["command"], daemon)
    process = subprocess.Popen([*runtime.host.enter(), *script], stdout=subprocess.DEVNULL,
                               env={"OWNER": "uid-1", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    try:
        wait_for(daemon, lambda: set(daemon.addresses) == {"10.0.10.130"})
        runtime.host.run("ip", "address", "add", "10.0.10.131/24", "dev", "net1")
        wait_for(daemon, lambda: len(daemon.requests) > 1)
        daemon.refuse.clear()
        wait_for(daemon, lambda: set(daemon.addresses) == {"10.0.10.130", "10.0.10.131"})
        runtime.host.run("ip", "address", "delete", "10.0.10.131/24", "dev", "net1")
        wait_for(daemon, lambda: set(daemon.addresses) == {"10.0.10.130"})
        assert daemon.owners() == {"10.0.10.130": "pod:uid-1"}
        process.send_signal(signal.SIGTERM)
        process.wait()
        assert daemon.addresses == {}
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.fixture
def sidecar(daemon, runtime):
    """The sidecar in a pod with one address, which is registered."""
    runtime.uplink("net1")
    runtime.host.run("ip", "address", "add", "10.0.10.130/24", "dev", "net1")
    script = script_of(container("sidecar.yaml", "initContainers", "addresses")["command"], daemon)
    process = subprocess.Popen([*runtime.host.enter(), *script], stdout=subprocess.DEVNULL,
                               env={"OWNER": "uid-1", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    wait_for(daemon, lambda: set(daemon.addresses) == {"10.0.10.130"})
    yield process
    process.kill()
    process.wait()


def releases(daemon) -> int:
    return sum(request[0] == "DELETE" for request in daemon.requests)


def test_sidecar_gives_back_until_it_is_done(daemon, runtime, sidecar):
    daemon.refuse_release = 503, error("not_ready", "later")
    runtime.host.run("ip", "address", "delete", "10.0.10.130/24", "dev", "net1")
    until(lambda: releases(daemon), "the release")
    daemon.refuse_release = None
    until(lambda: not daemon.addresses, "the next try")
    n = releases(daemon)
    runtime.host.run("ip", "address", "add", "10.0.10.131/24", "dev", "net1")
    until(lambda: set(daemon.addresses) == {"10.0.10.131"}, "the next address")
    assert releases(daemon) == n and sidecar.poll() is None


def test_sidecar_leaves_what_another_has(daemon, runtime, sidecar):
    """It asks once: nothing of it is left to be given back."""
    daemon.addresses["10.0.10.130"]["owner"] = "another"
    runtime.host.run("ip", "address", "delete", "10.0.10.130/24", "dev", "net1")
    until(lambda: releases(daemon), "the release")
    for address in ("10.0.10.131", "10.0.10.132"):
        runtime.host.run("ip", "address", "add", f"{address}/24", "dev", "net1")
        until(lambda address=address: address in daemon.addresses, "the next address")
    assert releases(daemon) == 1 and daemon.owners()["10.0.10.130"] == "another"
    assert sidecar.poll() is None


@pytest.fixture
def turns(daemon, tmp_path):
    """
    The sidecar where no second passes: how many it had slept before each request. After the fifth, the pod
    has one more address.
    """
    log = tmp_path / "log"
    for name, text in (("curl", f'echo curl >>{log}\nexec {shutil.which("curl")} "$@"'),
                       ("sleep", f'echo "sleep $1" >>{log}'),
                       ("ip", "echo 2: net1 inet 10.0.10.130/24 scope global net1\n"
                              f"[ $(grep -c sleep {log}) -lt 5 ] ||"
                              " echo 2: net1 inet 10.0.10.131/24 scope global net1")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    log.touch()
    script = script_of(container("sidecar.yaml", "initContainers", "addresses")["command"], daemon)

    def run(n_sleeps):
        process = subprocess.Popen(script, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   env={"OWNER": "uid-1", "PATH": f"{tmp_path}:/usr/bin:/bin"})
        try:
            wait_for(daemon, lambda: log.read_text().count("sleep 1\n") >= n_sleeps)
        finally:
            process.kill()
            process.wait()
        lines = log.read_text().splitlines()
        return [lines[:i].count("sleep 1") for i, line in enumerate(lines) if line == "curl"]

    return run


def asked(daemon) -> list:
    """The last parts of the addresses in each request."""
    return [{item["address"].rpartition(".")[2] for item in body["addresses"]}
            for _method, _path, body in daemon.requests]


def test_sidecar_asks_once(daemon, turns):
    """What is registered is not asked for again."""
    assert turns(20) == [0, 5]
    assert asked(daemon) == [{"130"}, {"131"}]


@pytest.mark.parametrize("status, code", [(409, "reserved"), (422, "not_in_subnet"), (507, "address_limit")])
def test_sidecar_backs_off(daemon, turns, status, code):
    """From what is refused, up to a minute. What is new does not wait for that."""
    daemon.refuse["10.0.10.130"] = status, error(code, "no")
    assert turns(124)[:9] == [0, 1, 3, 5, 7, 15, 31, 63, 123]
    assert asked(daemon)[:6] == [{"130"}] * 3 + [{"131"}] + [{"130", "131"}] * 2
    assert set(daemon.addresses) == {"10.0.10.131"}


def test_sidecar_backs_off_altogether(daemon, turns):
    """From a daemon that serves it nothing, which a new address makes no better."""
    daemon.everything = 403, error("forbidden", "no")
    assert turns(70)[:6] == [0, 1, 3, 5, 13, 29]


# -- a floating address ----------------------------------------------------

def range_of(document) -> set:
    """The addresses that whereabouts gives out for a NetworkAttachmentDefinition, or none."""
    ipam = json.loads(document["spec"]["config"])["plugins"][0]["ipam"]
    if ipam["type"] != "whereabouts":
        return set()
    first, last = (int(ipaddress.ip_address(ipam[key])) for key in ("range_start", "range_end"))
    return {str(ipaddress.ip_address(n)) for n in range(first, last + 1)}


def test_floating_address():
    """The pods get the addresses that keepalived is told, and nobody else those or the floating one."""
    network, deployment, config = documents("floating-address.yaml")
    template = deployment["spec"]["template"]
    assert template["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"] == network["metadata"]["name"]
    text = config["data"]["keepalived.conf"]
    peers = set(text.partition("unicast_peer {")[2].partition("}")[0].split())
    floating = text.partition("virtual_ipaddress {")[2].split("/")[0].strip()
    assert range_of(network) == peers and len(peers) == deployment["spec"]["replicas"] == 2
    # as many addresses as pods: an update has to end one before it starts another
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
    others = set().union(*(range_of(document) for document in documents("networks.yaml")))
    assert not others & (peers | {floating}) and floating not in peers


def test_floating_address_names_the_other(runtime, tmp_path):
    """What keepalived is started with has one peer. The floating address may be left of a run before."""
    _, deployment, config = documents("floating-address.yaml")
    shell, flags, script = deployment["spec"]["template"]["spec"]["containers"][0]["command"]
    given, made, fake = tmp_path / "given", tmp_path / "made", tmp_path / "keepalived"
    given.write_text(config["data"]["keepalived.conf"])
    fake.write_text("#!/bin/sh\necho \"$@\"\n")
    fake.chmod(0o755)
    runtime.uplink("net1")
    for address in ("10.0.10.253/24", "10.0.10.254/32"):
        runtime.host.run("ip", "address", "add", address, "dev", "net1")
    script = script.replace("/etc/keepalived/keepalived.conf", str(given))
    script = script.replace("/tmp/keepalived.conf", str(made))
    result = subprocess.run([*runtime.host.enter(), shell, flags, script], check=True, capture_output=True,
                            text=True, env={"PATH": f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"})
    assert result.stdout.split()[-2:] == ["--use-file", str(made)]
    lines = given.read_text().splitlines()
    assert made.read_text().splitlines() == [line for line in lines if line.strip() != "10.0.10.253"]
    assert len(made.read_text().splitlines()) == len(lines) - 1


# -- devices for one pod ---------------------------------------------------

ADDRESS = "0000:00:07.0"
needs_host_device = pytest.mark.skipif(not real_plugin("host-device"), reason="no plugin host-device")


def networks_of(name):
    """The named networks of a configuration, with their drivers."""
    parser = configparser.ConfigParser()
    parser.read(EXAMPLES / name)
    return {section.split()[1]: parser.get(section, "driver", fallback="kernel")
            for section in parser.sections() if section.startswith("network ")}


def network_of(name):
    """The NetworkAttachmentDefinition of a manifest."""
    return next(d for d in documents(name) if d["kind"] == "NetworkAttachmentDefinition")


@pytest.fixture
def bus(runtime, tmp_path):
    """A PCI bus with one device, in place of the machine's for what runtime.host runs."""
    device = tmp_path / "bus/devices" / ADDRESS
    device.mkdir(parents=True)
    enter = runtime.host.enter()
    runtime.host.enter = lambda: [*enter, "unshare", "-m", "sh", "-ec",
                                  f'mount --bind {tmp_path}/bus /sys/bus/pci; exec "$@"', "sh"]
    return device


def bind(bus, driver):
    """As a PCI device shows who has it."""
    (bus / "../../drivers" / driver).mkdir(parents=True)
    os.symlink(f"../../drivers/{driver}", bus / "driver")


@needs_host_device
def test_host_device(runtime, bus, daemon):
    """The device goes into the pod and comes back, and what is not the ENI's own address is registered."""
    config = json.loads(network_of("host-device.yaml")["spec"]["config"])
    first, ours = config["plugins"]
    assert first["pciBusID"] == ADDRESS
    assert networks_of("named-networks.conf")[ours["master"]] == "kernel"
    ours["socket"] = daemon.path
    daemon.interfaces[ours["master"]] = "eni-1"
    runtime.uplink("sig0")
    (bus / "net/sig0").mkdir(parents=True)
    bind(bus, "ena")
    pod = runtime.attach(config)
    pod.add()
    assert "sig0" not in runtime.host.run("ip", "-br", "link").stdout.split()
    assert pod.pod.addresses("net1") == {"10.0.20.130"}
    assert daemon.addresses["10.0.20.130"]["interface"] == "signalling"
    (bus / "net/sig0").rmdir()
    pod.delete()
    assert "sig0" in runtime.host.run("ip", "-br", "link").stdout.replace("@", " ").split()
    assert daemon.addresses == {}


def test_device_plugin_resource():
    """One name from the configuration to the pod."""
    plugin, network, pod = documents("device-plugin.yaml")
    prefix = next(a for a in plugin["spec"]["template"]["spec"]["containers"][0]["args"]
                  if "prefix" in a).partition("=")[2]
    resource = network["metadata"]["annotations"]["k8s.v1.cni.cncf.io/resourceName"]
    names = [name.replace("-", "_") for name, driver in networks_of("named-networks.conf").items()
             if driver != "kernel"]
    assert [resource] == [f"{prefix}/{name}" for name in names]
    main = pod["spec"]["containers"][0]
    assert main["resources"]["limits"][resource] == main["resources"]["requests"][resource] == "1"
    assert pod["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"] == network["metadata"]["name"]
    variable = "PCIDEVICE_" + resource.upper().translate(str.maketrans("./-", "___"))
    assert f"${variable}" in main["command"][2]
    # vfio without an IOMMU opens for nobody else
    assert "SYS_RAWIO" in main["securityContext"]["capabilities"]["add"]


def test_device_plugin_file():
    """Its pod sees the file that the daemon writes, where the plugin looks for it."""
    spec = documents("device-plugin.yaml")[0]["spec"]["template"]["spec"]
    path = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"]}["config"]
    mount = {mount["name"]: mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]}["config"]
    assert path == mount == "/etc/pcidp"
    header = pathlib.Path("daemon/device-plugin.h").read_text()
    assert f'#define DEVICE_PLUGIN_FILE "{path}/config.json"' in header


@needs_host_device
def test_device_plugin_network(runtime, bus):
    """host-device as Multus calls it, with the device that the pod was given: it stays with its driver."""
    config = json.loads(network_of("device-plugin.yaml")["spec"]["config"])
    config["plugins"][0]["pciBusID"] = ADDRESS
    bind(bus, "vfio-pci")
    pod = runtime.attach(config)
    assert not pod.add().get("interfaces")
    pod.delete()
