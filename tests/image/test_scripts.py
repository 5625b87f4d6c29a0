# SPDX-License-Identifier: Apache-2.0
"""ami-scripts/, run by hand on a machine: each twice, and with something wrong."""

import hashlib
import os

import pytest

from conftest import SOURCE

RECORD = "/var/lib/multus-eks-build/packages"


def tree(machine) -> dict:
    """Every file below the directories that an image is made of, with what is in it."""
    files = {}
    for top in ("/etc", "/usr", "/opt", "/var/lib"):
        for directory, _, names in os.walk(machine.path(top)):
            for name in names:
                path = os.path.join(directory, name)
                if os.path.islink(path):
                    files[path] = os.readlink(path)
                else:
                    with open(path, "rb") as file:
                        files[path] = (os.stat(path).st_mode, hashlib.sha256(file.read()).hexdigest())
    return files


def changed(before, after) -> set:
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}


@pytest.mark.parametrize("script", ["build.sh", "enable.sh", "verify.sh", "clean.sh"])
def test_help_changes_nothing(machine, script):
    before = tree(machine)
    run = machine.script(script, "--help")
    assert run.returncode == 0
    assert f"  {script}" in run.stdout
    assert machine.script(script, "--hepl").returncode == 2
    assert not changed(before, tree(machine))


def test_twice_is_as_once(node):
    """The journal's catalog is written anew each time, with the time in it."""
    once = tree(node)
    for script in ("build.sh", "enable.sh", "verify.sh"):
        run = node.script(script)
        assert run.returncode == 0, run.stderr
    assert changed(once, tree(node)) <= {node.path("/var/lib/systemd/catalog/database")}


def test_nothing_but_noted_packages_was_installed(machine, base):
    """The base was made by build.sh --packages; the rest of it finds nothing to install."""
    before = base.packages()
    assert machine.script("build.sh").returncode == 0
    assert machine.packages() == before


def test_vfio_only_when_asked(node):
    modules = node.path("/etc/modules-load.d/multus-eks-vfio.conf")
    assert not os.path.exists(modules)
    assert node.script("enable.sh", "--vfio").returncode == 0
    with open(modules, encoding="utf-8") as file:
        assert file.read() == "vfio-pci\n"


def disable_socket(node):
    assert node.run("systemctl", "disable", "multus-eksd.socket").returncode == 0


def lose_library(node):
    [library] = node.run("sh", "-c", "ls /usr/lib/*/libmicrohttpd.so.12").stdout.split()
    os.unlink(node.path(library))


def lose_plugin(node):
    os.unlink(node.path("/opt/cni/bin/multus-eks-ip"))


def mistype_configuration(node):
    node.write("/etc/multus-eks.conf.d/10-mine.conf", "[network]\nsubnet = subnet-0aaaaaaaaaaaaaaa1\n")


def mistype_unit(node):
    node.write("/etc/systemd/system/multus-eksd.service.d/10-mine.conf", "[Service]\nRestartSecs=5\n")


def order_in_a_circle(node):
    node.write("/etc/systemd/system/kubelet.service",
               "[Unit]\nBefore=multus-eksd.service\n[Service]\nExecStart=/bin/true\n"
               "[Install]\nWantedBy=multi-user.target\n")
    assert node.run("systemctl", "enable", "kubelet.service").returncode == 0


@pytest.mark.parametrize("breaking, said", [
    (disable_socket, "multus-eksd.socket is not enabled"),
    (lose_library, "multus-eksd cannot be loaded"),
    (lose_plugin, "/opt/cni/bin/multus-eks-ip is not there"),
    (mistype_configuration, "the configuration is wrong"),
    (mistype_unit, "Unknown key 'RestartSecs'"),
    (order_in_a_circle, "ordering cycle")])
def test_verify_sees(node, breaking, said):
    breaking(node)
    run = node.script("verify.sh")
    assert run.returncode == 1
    assert said in run.stderr


#: what a machine has that people and other programs were on, as paths with contents
LEFT = {
    "/etc/ssh/ssh_host_ed25519_key": "secret", "/etc/ssh/ssh_host_ed25519_key.pub": "ssh-ed25519 AAAA",
    "/root/.ssh/authorized_keys": "ssh-ed25519 AAAA",
    "/home/ec2-user/.ssh/authorized_keys": "ssh-ed25519 AAAA",
    "/root/.bash_history": "aws configure", "/home/ec2-user/.bash_history": "aws configure",
    "/etc/hostname": "builder", "/var/lib/cloud/instance/user-data.txt": "#!/bin/sh",
    "/var/lib/systemd/random-seed": "seed", "/var/log/journal/1/system.journal": "entries",
    "/var/log/cloud-init.log.1.gz": "old", "/var/lib/multus-eks/state.json": "{}",
    "/etc/eks/nodeadm/udev-net-manager/i-0123456789abcdef0/ens5": "cni",
    "/etc/eks/nodeadm.d/50-multus-eks.yaml": "spec: {}",
    "/etc/pcidp/config.json": '{\n  "writtenBy": "multus-eksd, see there",\n  "resourceList": []\n}\n',
}
#: and what has to stay
KEPT = {
    "/root/.ssh/config": "Host *", "/home/ec2-user/.profile": "umask 022", "/etc/ssh/sshd_config": None,
    "/etc/eks/nodeadm.d/20-mine.yaml": "spec: {}", "/var/log/dpkg.log": None, "/etc/multus-eks.conf": None,
    "/tmp/other": "somebody's", "/etc/machine-id": None, "/usr/libexec/multus-eks/multus-eksd": None,
}


def test_clean(node):
    for path, text in {**LEFT, **KEPT, "/etc/machine-id": "0123456789abcdef0123456789abcdef\n"}.items():
        if text is not None:
            node.write(path, text)
    before = node.packages()
    with open(node.path(RECORD), encoding="utf-8") as file:
        noted = set(file.read().split())
    assert len(noted) > 10

    run = node.script("clean.sh")
    assert run.returncode == 0, run.stderr
    assert node.packages() == before - noted
    assert [path for path in LEFT if os.path.exists(node.path(path))] == []
    assert [path for path in KEPT if not os.path.exists(node.path(path))] == []
    assert not os.path.exists(node.path(SOURCE))
    assert not os.path.exists(node.path(RECORD))
    assert os.stat(node.path("/etc/machine-id")).st_size == 0
    assert os.stat(node.path("/var/log/dpkg.log")).st_size == 0


def test_clean_twice_and_verify_after(node):
    """From a place that it does not remove."""
    node.run("cp", "-a", SOURCE, "/opt/multus-eks-source")
    scripts = "/opt/multus-eks-source/ami-scripts"
    assert node.run(f"{scripts}/clean.sh", "--tools").returncode == 0
    assert os.path.exists(node.path("/root/.ssh/authorized_keys"))
    assert node.run(f"{scripts}/verify.sh").returncode == 0
    assert node.run(f"{scripts}/clean.sh").returncode == 0
    once = tree(node)
    assert node.run(f"{scripts}/clean.sh").returncode == 0
    assert not changed(once, tree(node))
    assert os.path.exists(node.path(scripts))


def test_clean_leaves_somebodys_list_of_devices(node):
    node.write("/etc/pcidp/config.json", '{"resourceList": []}')
    assert node.script("clean.sh").returncode == 0
    assert os.path.exists(node.path("/etc/pcidp/config.json"))


def test_clean_refuses_what_others_need(node):
    """Somebody installed a package that needs one of ours meanwhile: it is not torn away."""
    with open(node.path(RECORD), "a", encoding="utf-8") as file:
        file.write("libsystemd0\n")
    run = node.script("clean.sh", "--tools")
    assert run.returncode == 1
    assert "systemd" in run.stderr
    assert "libsystemd0:amd64" in node.packages()
    assert os.path.exists(node.path(RECORD))
