# SPDX-License-Identifier: Apache-2.0
"""What is in the baked image, and what is not."""

import glob
import os
import subprocess

import pytest

from conftest import IMAGE

ENABLED = {
    "/etc/systemd/system/multi-user.target.wants": "multus-eksd.service",
    "/etc/systemd/system/sockets.target.wants": "multus-eksd.socket",
}


@pytest.mark.parametrize("path", [
    "/usr/libexec/multus-eks/multus-eksd", "/usr/bin/multus-eksctl", "/opt/cni/bin/multus-eks-ip",
    "/opt/cni/bin/ipvlan", "/etc/multus-eks.conf", "/usr/lib/udev/rules.d/85-multus-eks.rules",
    "/usr/lib/systemd/system/kubelet.service.d/50-multus-eks.conf",
    "/usr/lib/systemd/network/05-multus-eks.network", "/var/lib/systemd/catalog/database"])
def test_has(image, path):
    assert image.exists(path)


@pytest.mark.parametrize("directory", ENABLED)
def test_enabled(image, directory):
    assert ENABLED[directory] in image.ls(directory)


@pytest.mark.parametrize("path", [
    "/tmp/multus-eks", "/tmp/multus-eks.tar.gz", "/var/lib/multus-eks-build", "/usr/bin/gcc", "/usr/bin/make",
    "/root/.ssh/authorized_keys", "/root/.bash_history", "/etc/systemd/network/90-bake.network",
    "/etc/hostname", "/var/lib/systemd/random-seed"])
def test_has_not(image, path):
    assert not image.exists(path)


def test_no_host_keys(image):
    assert not [name for name in image.ls("/etc/ssh") if name.startswith("ssh_host_")]


def test_no_identity(image):
    """Empty and there: a file that is missing would be a first boot, with everything enabled anew."""
    assert image.exists("/etc/machine-id")
    assert image.cat("/etc/machine-id") == ""


def test_no_logs(image):
    assert image.ls("/var/log/journal") == set()
    assert image.cat("/var/log/dpkg.log") == ""


def test_no_caches(image):
    assert image.ls("/var/lib/apt/lists") == set()
    assert not [name for name in image.ls("/var/cache/apt/archives") if name.endswith(".deb")]


def test_build_tools_went_and_only_those(image, base):
    def installed(status):
        for paragraph in status.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in paragraph.splitlines()
                          if ": " in line and not line.startswith(" "))
            if fields.get("Status", "").endswith(" installed"):
                yield fields["Package"]

    with open(base.path("/var/lib/dpkg/status"), encoding="utf-8") as file:
        before = set(installed(file.read()))
    with open(base.path("/var/lib/multus-eks-build/packages"), encoding="utf-8") as file:
        noted = {line.strip().split(":")[0] for line in file}
    assert {"gcc", "make", "libsystemd-dev"} <= noted
    assert set(installed(image.cat("/var/lib/dpkg/status"))) == before - noted


def test_kernel_has_its_modules(image):
    """The version stands in the kernel's header."""
    [version] = image.ls("/usr/lib/modules")
    with open(f"{IMAGE}/vmlinuz", "rb") as file:
        assert version.encode() + b" " in file.read(1 << 20)
    assert image.exists(f"/usr/lib/modules/{version}/modules.dep.bin")


def test_baking_again_changes_nothing():
    """Nor is the base made again."""
    def stamp():
        return [(name, os.stat(name).st_mtime_ns, os.stat(name).st_ino)
                for name in (f"{IMAGE}/root.ext4", f"{IMAGE}/vmlinuz", *glob.glob(f"{IMAGE}/base/*"))]

    before = stamp()
    subprocess.run(["packer/bake-debian.sh", IMAGE], check=True)
    assert stamp() == before
