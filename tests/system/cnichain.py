# SPDX-License-Identifier: Apache-2.0
"""A container runtime, as far as the CNI goes: runs the plugins of a list as the specification says.

The host and every pod are network namespaces of their own; the plugins run in the host's.
"""

import contextlib
import json
import os
import subprocess
import uuid

import pytest
from ec2sim.node import user_namespace_needed

PLUGIN = os.path.abspath(os.path.join(os.environ.get("BUILD", "build"), "multus-eks-ip"))
PLUGIN_DIRECTORIES = ("/usr/lib/cni", "/usr/libexec/cni", "/opt/cni/bin")
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class PluginError(Exception):
    """A plugin's error result."""

    def __init__(self, result, stderr=""):
        super().__init__(f"{result} {stderr}")
        self.result = result
        self.code, self.message = result["code"], result["msg"]
        self.details = result.get("details", "")


def real_plugin(name):
    """The path of a plugin of the distribution, or None."""
    paths = [os.path.join(directory, name) for directory in PLUGIN_DIRECTORIES]
    return next((path for path in paths if os.access(path, os.X_OK)), None)


def kernel_has(kind) -> bool:
    """Whether the kernel has links of a kind that lie on another one."""
    flags = "-Urn" if user_namespace_needed() else "-n"
    script = "ip link add lower0 type veth peer name other0; " \
             f"ip link add link lower0 name upper0 type {kind}"
    return subprocess.run(["/usr/bin/unshare", flags, "sh", "-ec", script], check=False, capture_output=True,
                          env={**os.environ, "PATH": PATH}).returncode == 0


#: a test with the plugin that most networks use; not every kernel has what it needs
needs_ipvlan = pytest.mark.skipif(not real_plugin("ipvlan") or not kernel_has("ipvlan"),
                                  reason="NOT TESTED with ipvlan: no CNI plugin, or a kernel without it")


def static_network(socket_path, *addresses, version="1.0.0", kind="macvlan", master="eth1") -> dict:
    """A list of an interface above an ENI, with these addresses, and ours."""
    return {"cniVersion": version, "name": "oam",
            "plugins": [{"type": kind, "master": master,
                         "ipam": {"type": "static", "addresses": [{"address": a} for a in addresses]}},
                        {"type": "multus-eks-ip", "socket": socket_path}]}


class Namespace:
    """A network namespace that lives as long as its keeper, inside @host's user namespace if it has one."""

    def __init__(self, host=None):
        self._userns = user_namespace_needed()
        words = host.enter() if host else []
        flags = "-Urn" if self._userns and not host else "-n"
        self._process = subprocess.Popen(
            [*words, "/usr/bin/unshare", flags, "sh", "-c", "ip link set lo up; echo ok; read -r _"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PATH": PATH})
        assert self._process.stdout.readline() == "ok\n"
        self.path = f"/proc/{self._process.pid}/ns/net"

    def enter(self):
        user = ["-U", "--preserve-credentials"] if self._userns else []
        return ["/usr/bin/nsenter", "-t", str(self._process.pid), *user, "-n", "--"]

    def run(self, *argv, **kw):
        return subprocess.run([*self.enter(), *argv], check=True, capture_output=True, text=True,
                              env={**os.environ, "PATH": PATH}, **kw)

    def addresses(self, ifname):
        links = json.loads(self.run("ip", "-json", "address", "show", "dev", ifname).stdout)
        return {a["local"] for link in links for a in link["addr_info"] if a["scope"] == "global"}

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def invoke(command, config, environment=None, enter=(), plugin=PLUGIN, text=None):
    """One run of a plugin: its result (None: nothing printed), or PluginError."""
    env = {"PATH": PATH, "CNI_COMMAND": command, "CNI_PATH": ":".join(PLUGIN_DIRECTORIES)}
    env.update(environment or {})
    return result_of(subprocess.run([*enter, plugin], input=json.dumps(config) if text is None else text,
                                    capture_output=True, text=True, env=env, timeout=60, check=False))


def result_of(process):
    """What a plugin that has ended says: its result, or PluginError."""
    result = json.loads(process.stdout) if process.stdout.strip() else None
    if process.returncode != 0:
        assert result is not None, process.stderr
        raise PluginError(result, process.stderr)
    return result


class Attachment:
    """One pod on one network: what a runtime remembers between ADD and DEL."""

    def __init__(self, runtime, config, ifname="net1"):
        self._runtime, self._config, self.ifname = runtime, config, ifname
        self.pod = runtime.namespace()
        self.container_id = uuid.uuid4().hex + uuid.uuid4().hex
        self.result = None

    @property
    def owner(self):
        return f"cni:{self._config['name']}/{self.container_id}/{self.ifname}"

    def environment(self):
        return {"CNI_CONTAINERID": self.container_id, "CNI_NETNS": self.pod.path, "CNI_IFNAME": self.ifname}

    def _run(self, command, plugin, previous):
        config = {**plugin, "cniVersion": self._config["cniVersion"], "name": self._config["name"]}
        if previous is not None:
            config["prevResult"] = previous
        return self._runtime.invoke(command, config, self.environment())

    def add(self):
        """Each in order, each given the result of the one before."""
        result = None
        for plugin in self._config["plugins"]:
            result = self._run("ADD", plugin, result)
        self.result = result
        return result

    def check(self):
        for plugin in self._config["plugins"]:
            self._run("CHECK", plugin, self.result)

    def delete(self):
        """In reverse; since 0.4.0 with the result of the ADD."""
        previous = self.result if self._config["cniVersion"] not in ("0.3.0", "0.3.1") else None
        for plugin in reversed(self._config["plugins"]):
            self._run("DEL", plugin, previous)

    def close(self):
        self.pod.close()


class Runtime(contextlib.ExitStack):
    """Attaches pods to networks, on @host or one of its own."""

    def __init__(self, host=None):
        super().__init__()
        self.host = host

    def __enter__(self):
        super().__enter__()
        if self.host is None:
            self.host = Namespace()
            self.callback(self.host.close)
        return self

    def namespace(self):
        """A pod's."""
        return Namespace(self.host)

    def invoke(self, command, config, environment):
        """Run the plugin that @config names, as invoke() does."""
        kind = config["type"]
        path = PLUGIN if kind == "multus-eks-ip" else real_plugin(kind)
        return invoke(command, config, environment, self.host.enter(), path)

    def uplink(self, name):
        """An interface that stands for an ENI. Both ends are up: IPv6 addresses settle only then."""
        self.host.run("ip", "link", "add", name, "up", "type", "veth", "peer", "name", f"{name}-vpc")
        self.host.run("ip", "link", "set", f"{name}-vpc", "up")

    def attach(self, config, ifname="net1"):
        attachment = Attachment(self, config, ifname)
        self.callback(attachment.close)
        return attachment

    def garbage_collect(self, config, valid):
        """GC of our plugin alone: those of the distribution may be older than it."""
        for plugin in config["plugins"]:
            if plugin["type"] == "multus-eks-ip":
                invoke("GC", {**plugin, "cniVersion": config["cniVersion"], "name": config["name"],
                              "cni.dev/valid-attachments": [
                                  {"containerID": a.container_id, "ifname": a.ifname} for a in valid]},
                       enter=self.host.enter())
