# SPDX-License-Identifier: Apache-2.0
"""A directory that looks like the root of an EKS node's image with multus-eks installed."""

import os
import pathlib
import re
import shutil
import subprocess

from harness import BUILD, message_ids

#: others than those that are tested where these cannot start in such a directory
PROGRAMS = os.environ.get("IMAGE_BUILD", BUILD)
UNITS = "usr/lib/systemd/system"
RULES_DIR = "usr/lib/udev/rules.d"
#: where from, where to; as "make install" has it, which tests/check-install.sh proves
INSTALLED = {
    f"{PROGRAMS}/multus-eksd": "usr/libexec/multus-eks/multus-eksd",
    f"{PROGRAMS}/multus-eksctl": "usr/bin/multus-eksctl",
    f"{PROGRAMS}/multus-eks-ip": "opt/cni/bin/multus-eks-ip",
    "conf/multus-eks.conf": "etc/multus-eks.conf",
    "units/multus-eksd.service": f"{UNITS}/multus-eksd.service",
    "units/multus-eksd.socket": f"{UNITS}/multus-eksd.socket",
    "units/50-multus-eks-gate.conf": f"{UNITS}/kubelet.service.d/50-multus-eks.conf",
    "units/multus-eks.catalog": "usr/lib/systemd/catalog/multus-eks.catalog",
    "units/multus-eks.sysusers": "usr/lib/sysusers.d/multus-eks.conf",
    "units/multus-eks.tmpfiles": "usr/lib/tmpfiles.d/multus-eks.conf",
    "units/85-multus-eks.rules": "usr/lib/udev/rules.d/85-multus-eks.rules",
    "units/95-multus-eks-quiet.rules": "usr/lib/udev/rules.d/95-multus-eks-quiet.rules",
    "units/05-multus-eks.network": "usr/lib/systemd/network/05-multus-eks.network",
}
#: of the EKS AMI for Amazon Linux 2023, as far as it matters here
AMI = {
    f"{UNITS}/kubelet.service": "[Service]\nExecStart=/usr/bin/kubelet\n",
    f"{UNITS}/nodeadm-run.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/nodeadm\n",
    f"{UNITS}/systemd-networkd.service": "[Service]\nExecStart=/lib/systemd/systemd-networkd\n",
    "usr/lib/systemd/network/80-ec2.network": "[Match]\nDriver=ena\n[Network]\nDHCP=yes\n",
    "usr/lib/systemd/network/99-default.link": "[Link]\nMACAddressPolicy=persistent\n",
    "etc/systemd/network/99-default.link.d/99-no-policy.conf": "[Link]\nMACAddressPolicy=none\n",
    "etc/systemd/networkd.conf.d/80-release.conf":
        "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n",
    "etc/udev/rules.d/90-eks.rules":
        'SUBSYSTEM=="net", ACTION=="add", ENV{ID_NET_DRIVER}=="vif|ena|ixgbevf", '
        'RUN+="/usr/bin/systemctl enable --now udev-net-manager@$name.service"\n',
    "usr/lib/udev/rules.d/99-systemd.rules":
        'ACTION=="add", SUBSYSTEM=="net", KERNEL!="lo", RUN+="/lib/systemd/systemd-sysctl"\n',
    "etc/group": "root:x:0:\nmultus-eks:x:991:\n",
}
MASKED = ["etc/udev/rules.d/99-vpc-policy-routes.rules"]


class Image:
    """@path: of a new directory; programs come with the libraries that they need."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        for source, target in INSTALLED.items():
            self._copy(source, target)
        gate = f"{UNITS}/kubelet.service.d/50-multus-eks.conf"
        self.write(gate.replace("kubelet", "nodeadm-run"), self.read(gate))
        for target, text in AMI.items():
            self.write(target, text)
        for target in MASKED:
            self.link(target, "/dev/null")
        self.write("usr/lib/udev/rules.d/99-vpc-policy-routes.rules", AMI["etc/udev/rules.d/90-eks.rules"])
        self.enable("multus-eksd.service", "multi-user.target")
        self.enable("multus-eksd.socket", "sockets.target")
        self.enable("systemd-networkd.service", "multi-user.target")
        catalog = b"RHHHKSLP" + b"".join(bytes.fromhex(i) for i in message_ids().values())
        self.write("var/lib/systemd/catalog/database", catalog)

    def _copy(self, source, target) -> None:
        file = self.path / target
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, file)
        program = os.access(source, os.X_OK)
        file.chmod(0o755 if program else 0o644)
        if program:
            for library in libraries(source):
                if not (self.path / library[1:]).exists():
                    self._copy_library(library)

    def _copy_library(self, library) -> None:
        file = self.path / library[1:]
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(library, file)

    def program(self, path, target) -> None:
        """A program of this machine, with its libraries."""
        self._copy_library(path)
        if path[1:] != target:
            (self.path / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self.path / path[1:], self.path / target)
        for library in libraries(path):
            self._copy_library(library)

    # -- changing it -------------------------------------------------------

    def read(self, name) -> str:
        return (self.path / name).read_text()

    def write(self, name, text, mode=0o644) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            file.write_bytes(text)
        else:
            file.write_text(text)
        file.chmod(mode)

    def remove(self, *names) -> None:
        for name in names:
            (self.path / name).unlink()

    def link(self, name, target) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.symlink_to(target)

    def mask(self, name) -> None:
        """A link to /dev/null in the directory of the administrator's own."""
        self.link(name, "/dev/null")

    def enable(self, unit, target) -> None:
        """As systemctl does: by a link that is right inside of the image only."""
        self.link(f"etc/systemd/system/{target}.wants/{unit}", f"/{UNITS}/{unit}")

    def disable(self, unit) -> None:
        for wants in self.path.glob("etc/systemd/system/*.wants"):
            if (wants / unit).is_symlink():
                (wants / unit).unlink()

    def listing(self) -> list:
        """Everything that is there and when it was changed."""
        return sorted((str(p), p.lstat().st_mtime_ns, p.lstat().st_mode) for p in self.path.rglob("*"))


def libraries(program) -> list:
    """What the dynamic loader opens for a program, itself among it."""
    output = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", output)
