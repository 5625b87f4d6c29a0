# SPDX-License-Identifier: Apache-2.0
"""multus-eksctl doctor --image: what is wrong with an image is found, and nothing else is."""

import json
import os
import shutil
import subprocess

import pytest
from ec2sim.node import user_namespace_needed

from harness import EKSCTL
from image import RULES_DIR as RULES
from image import UNITS, Image, libraries


GATE = "50-multus-eks.conf"
EKSD = "usr/libexec/multus-eks/multus-eksd"
RUNS = 'SUBSYSTEM=="net", ACTION=="add", RUN+="/bin/anything"\n'


def confined() -> list:
    """The words that let whoever runs this chroot, and be the owner of what is looked at."""
    return ["unshare", "-Ur"] if user_namespace_needed() else []


def doctor(image, *arguments, command=None):
    """All results of one run: name -> result, and its exit status."""
    command = command or [EKSCTL, "doctor", "--root", str(image.path)]
    result = subprocess.run([*confined(), *command, "--image", "--json", *arguments], capture_output=True,
                            text=True, timeout=60, check=False)
    assert result.stderr == "", result.stderr
    document = json.loads(result.stdout)
    assert document["mode"] == "image"
    checks = {check["name"]: check for check in document["checks"]}
    assert len(checks) == len(document["checks"])
    counts = {status: sum(c["status"] == status for c in document["checks"]) for status in document["counts"]}
    assert counts == document["counts"]
    for check in document["checks"]:
        assert check["what"] and "\n" not in check["what"]
        assert (check["advice"] is not None) == (check["status"] in ("warning", "fail")), check
    return checks, result.returncode


def wrong(checks) -> dict:
    return {name: check["status"] for name, check in checks.items() if check["status"] != "ok"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An image that is right; not to be changed."""
    return Image(tmp_path_factory.mktemp("image") / "root")


@pytest.fixture
def image(whole, tmp_path):
    """A copy that a test may spoil."""
    copy = Image.__new__(Image)
    copy.path = tmp_path / "root"
    shutil.copytree(whole.path, copy.path, symlinks=True)
    return copy


def test_whole_image(whole):
    before = whole.listing()
    checks, status = doctor(whole)
    assert (wrong(checks), status) == ({}, 0)
    assert whole.listing() == before
    assert "90-eks.rules" in checks["manager.udev"]["what"]


def test_table(whole):
    result = subprocess.run([*confined(), EKSCTL, "doctor", "--image", f"--root={whole.path}"],
                            capture_output=True, text=True, timeout=60, check=True)
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["RESULT", "CHECK", "FOUND"]
    assert lines[-1] == "Nothing wrong was found; 0 checks were skipped."


def library_gone(image):
    """One that the daemon alone needs: the CNI plugin still starts."""
    mine = set(libraries(image.path / EKSD)) - set(libraries(image.path / "opt/cni/bin/multus-eks-ip"))
    image.remove(next(lib for lib in sorted(mine) if "microhttpd" in lib)[1:])


def loader_gone(image):
    image.remove(next(lib for lib in libraries(image.path / EKSD) if "ld-linux" in lib)[1:])


def other_version(image):
    image.write("opt/cni/bin/multus-eks-ip", "", 0o755)
    image.program("/bin/sh", "bin/sh")
    image.write("opt/cni/bin/multus-eks-ip", "#!/bin/sh\necho multus-eks-ip 0.0.1: a CNI plugin >&2\n", 0o755)


SPOILED = {
    # files
    "no service": (lambda i: i.remove(f"{UNITS}/multus-eksd.service"),
                   {"files.units": "fail", "program.daemon": "skipped", "units.enabled": "fail"}),
    "service masked": (lambda i: i.mask("etc/systemd/system/multus-eksd.service"),
                       {"files.units": "fail", "program.daemon": "skipped"}),
    "claim rules masked": (lambda i: i.mask("etc/udev/rules.d/85-multus-eks.rules"), {"files.udev": "fail"}),
    "quiet rules gone": (lambda i: i.remove(f"{RULES}/95-multus-eks-quiet.rules"),
                         {"files.udev": "fail", "manager.udev": "fail"}),
    "no networkd file": (lambda i: i.remove("usr/lib/systemd/network/05-multus-eks.network"),
                         {"files.networkd": "fail", "manager.networkd": "fail"}),
    "anybody may write": (lambda i: (i.path / f"{RULES}/85-multus-eks.rules").chmod(0o646),
                          {"files.udev": "fail"}),
    "a group may write": (lambda i: (i.path / f"{UNITS}/multus-eksd.service").chmod(0o664),
                          {"files.units": "fail"}),
    "root alone may read": (lambda i: (i.path / "etc/multus-eks.conf").chmod(0o600),
                            {"files.config": "fail"}),
    "no executable": (lambda i: (i.path / "opt/cni/bin/multus-eks-ip").chmod(0o644),
                      {"files.cni-plugin": "fail", "program.cni-plugin": "fail"}),
    "no plugin": (lambda i: i.remove("opt/cni/bin/multus-eks-ip"),
                  {"files.cni-plugin": "fail", "program.cni-plugin": "skipped"}),
    "no sysusers": (lambda i: i.remove("usr/lib/sysusers.d/multus-eks.conf"), {"files.sysusers": "fail"}),
    "no tmpfiles": (lambda i: i.remove("usr/lib/tmpfiles.d/multus-eks.conf"), {"files.tmpfiles": "fail"}),
    "no catalog": (lambda i: i.remove("usr/lib/systemd/catalog/multus-eks.catalog"),
                   {"files.catalog": "fail"}),
    "no ctl": (lambda i: i.remove("usr/bin/multus-eksctl"), {"files.ctl": "fail"}),
    # programs
    "library gone": (library_gone, {"program.daemon": "fail"}),
    "loader gone": (loader_gone, {"program.daemon": "fail", "program.cni-plugin": "fail"}),
    "other version": (other_version, {"program.cni-plugin": "warning"}),
    # units
    "daemon not enabled": (lambda i: i.disable("multus-eksd.service"), {"units.enabled": "fail"}),
    "socket not enabled": (lambda i: i.disable("multus-eksd.socket"), {"units.enabled": "fail"}),
    "no gate": (lambda i: i.remove(f"{UNITS}/kubelet.service.d/{GATE}"), {"gate.kubelet": "fail"}),
    "gate masked": (lambda i: i.mask(f"etc/systemd/system/kubelet.service.d/{GATE}"),
                    {"gate.kubelet": "fail"}),
    "gate emptied": (lambda i: i.write(f"etc/systemd/system/kubelet.service.d/{GATE}", ""),
                     {"gate.kubelet": "fail"}),
    "gate undone": (lambda i: i.write("etc/systemd/system/nodeadm-run.service.d/90-mine.conf",
                                      "[Service]\nExecStartPre=\nExecStartPre=/bin/true\n"),
                    {"gate.nodeadm-run": "fail"}),
    "undone before": (lambda i: i.write("etc/systemd/system/kubelet.service.d/10-mine.conf",
                                        "[Service]\nExecStartPre=\n"), {}),
    "another command": (lambda i: i.write("etc/systemd/system/kubelet.service.d/90-mine.conf",
                                          "[Service]\nExecStartPre=/bin/true\n"), {}),
    "no kubelet": (lambda i: i.remove(f"{UNITS}/kubelet.service"), {"gate.kubelet": "warning"}),
    "no group": (lambda i: i.write("etc/group", "root:x:0:\nmultus-eksx:x:1:\n"), {"group": "fail"}),
    "catalog not compiled": (lambda i: i.write("var/lib/systemd/catalog/database", "RHHHKSLP"),
                             {"catalog": "warning"}),
    # others
    "networkd file before": (lambda i: i.write("etc/systemd/network/00-all.network", "[Match]\nName=*\n"),
                             {"manager.networkd": "warning"}),
    "masked file before": (lambda i: i.mask("etc/systemd/network/00-all.network"), {}),
    "foreign routes": (lambda i: i.write("etc/systemd/networkd.conf.d/90-mine.conf",
                                         "[Network]\nManageForeignRoutingPolicyRules=yes\n"),
                       {"manager.foreign-routes": "warning"}),
    "no networkd": (lambda i: (i.disable("systemd-networkd.service"), i.remove(
        "etc/systemd/networkd.conf.d/80-release.conf")), {}),
    "MAC addresses": (lambda i: i.remove("etc/systemd/network/99-default.link.d/99-no-policy.conf"),
                      {"manager.mac-policy": "warning"}),
    "NetworkManager": (lambda i: i.enable("NetworkManager.service", "multi-user.target") or i.write(
        f"{UNITS}/NetworkManager.service", ""), {}),
    "NetworkManager, no claim rules": (lambda i: i.enable("NetworkManager.service", "multi-user.target")
                                       or i.write(f"{UNITS}/NetworkManager.service", "")
                                       or i.mask("etc/udev/rules.d/85-multus-eks.rules"),
                                       {"manager.network-manager": "fail", "files.udev": "fail"}),
    "nm-cloud-setup": (lambda i: i.enable("nm-cloud-setup.timer", "timers.target") or i.write(
        f"{UNITS}/nm-cloud-setup.timer", ""), {"manager.nm-cloud-setup": "fail"}),
    "net-utils": (lambda i: i.remove("etc/udev/rules.d/99-vpc-policy-routes.rules"),
                  {"manager.udev": "fail"}),
    "cloud-init hotplug": (lambda i: i.write("etc/udev/rules.d/90-cloud-init-hook-hotplug.rules", RUNS), {}),
    "rules behind ours": (lambda i: i.write("etc/udev/rules.d/99-mine.rules", RUNS),
                          {"manager.udev": "fail"}),
    "a comment behind ours": (lambda i: i.write("etc/udev/rules.d/99-mine.rules", "#" + RUNS), {}),
    "no_manage in a NodeConfig": (lambda i: i.write(
        "etc/eks/nodeadm.d/10-mine.yaml", "spec:\n  featureGates:\n    OSManagedNoManageENIs: true\n"),
        {"manager.no-manage-enis": "fail"}),
    "no_manage switched off": (lambda i: i.write(
        "etc/eks/nodeadm.d/10-mine.yaml", "spec:\n  featureGates:\n    OSManagedNoManageENIs: false\n"), {}),
    "no_manage marker": (lambda i: i.write("run/nodeadm/os-managed-no-manage-enis", ""),
                         {"manager.no-manage-enis": "fail"}),
    # configuration
    "no configuration": (lambda i: i.remove("etc/multus-eks.conf"), {}),
    "bad configuration": (lambda i: i.write("etc/multus-eks.conf", "[network]\nmtu = 1\nmtux = 2\n"),
                          {"config": "fail"}),
    "bad drop-in": (lambda i: i.write("etc/multus-eks.conf.d/10.conf", "[daemon]\nmax_pods = 3\n"),
                    {"config": "fail"}),
    "another group": (lambda i: i.write("etc/multus-eks.conf", "[registration]\nsocket_group = mine\n"),
                      {"group": "fail"}),
}


@pytest.mark.parametrize("spoil, expected", SPOILED.values(), ids=SPOILED)
def test_spoiled(image, spoil, expected):
    spoil(image)
    checks, status = doctor(image)
    assert wrong(checks) == expected
    bad = {check for check in expected.values() if check != "skipped"}
    assert status == (1 if "fail" in bad else 4 if bad else 0)


def test_what_is_told(image):
    """A mistake by file and line, a file by its path, a library by its name, and what to type."""
    image.write("etc/multus-eks.conf", "[network]\nmtu = 1\nmtux = 2\n")
    image.write("etc/udev/rules.d/99-mine.rules", RUNS)
    library_gone(image)
    checks, _ = doctor(image)
    assert "multus-eks.conf:2" in checks["config"]["what"] and "(and 1 more)" in checks["config"]["what"]
    assert "multus-eks.conf:3" in checks["config"]["detail"]
    assert "libmicrohttpd" in checks["program.daemon"]["what"]
    loader_gone(image)
    checks, _ = doctor(image)
    assert "loader" in checks["program.daemon"]["what"] and "library" in checks["program.daemon"]["advice"]
    assert checks["manager.udev"]["what"] == "/etc/udev/rules.d/99-mine.rules"
    assert "\n  ln -s /dev/null /etc/udev/rules.d/99-mine.rules\n" in checks["manager.udev"]["advice"]
    image.write("etc/udev/rules.d/98-more.rules", RUNS)
    checks, _ = doctor(image)
    assert checks["manager.udev"]["what"] == \
        "/etc/udev/rules.d/98-more.rules, /etc/udev/rules.d/99-mine.rules"


def test_advice_is_printed_once(image):
    """Below the table, each piece with all checks that it mends, and commands in lines of their own."""
    image.remove(f"{RULES}/85-multus-eks.rules", "usr/lib/tmpfiles.d/multus-eks.conf")
    image.disable("multus-eksd.socket")
    result = subprocess.run([*confined(), EKSCTL, "doctor", "--image", f"--root={image.path}"],
                            capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 1
    _, *parts = result.stdout.split("\n\n")
    assert parts == [
        "FAIL: files.udev: 85-multus-eks.rules is not installed\n"
        "FAIL: files.tmpfiles: multus-eks.conf is not installed\n"
        "    Install multus-eks again (make install, or the package).",
        "FAIL: units.enabled: multus-eksd.socket is not enabled\n"
        "      systemctl enable multus-eksd.service multus-eksd.socket",
        "3 failed, 0 warnings, 0 skipped, 21 ok.\n"]


def chrooted(image) -> list:
    """A doctor whose root directory is the image."""
    return ["/usr/bin/env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "chroot", str(image.path),
            "/usr/bin/multus-eksctl", "doctor"]


@pytest.mark.parametrize("reply, expected", [
    ("DropInPaths=/usr/lib/systemd/system/x.service.d/50-multus-eks.conf\nNeedDaemonReload=no", {}),
    ("DropInPaths=\nNeedDaemonReload=no", {"gate.kubelet": "fail", "gate.nodeadm-run": "fail"}),
    ("DropInPaths=/usr/lib/systemd/system/x.service.d/50-multus-eks.conf\nNeedDaemonReload=yes",
     {"gate.kubelet": "fail", "gate.nodeadm-run": "fail"}),
])
def test_inside_of_the_image(image, reply, expected):
    """In a chroot it is the host's own root, and a systemd that runs is asked what it has read."""
    image.program(shutil.which("sh"), "bin/sh")
    image.write("usr/bin/systemctl", f"#!/bin/sh\nprintf '{reply}\\n'\n", 0o755)
    (image.path / "run/systemd/system").mkdir(parents=True)
    (image.path / "dev").mkdir()
    checks, _ = doctor(image, command=chrooted(image))
    assert wrong(checks) == expected


@pytest.mark.parametrize("drop_in, expected", [(None, {}), ("[daemon]\nmax_pods = 3\n", {"config": "fail"})],
                         ids=["nothing", "drop-in"])
def test_no_configuration(image, drop_in, expected):
    """What holds is what the daemon would read."""
    image.remove("etc/multus-eks.conf")
    if drop_in:
        image.write("etc/multus-eks.conf.d/10.conf", drop_in)
    checks, _ = doctor(image, command=chrooted(image))
    assert {name: status for name, status in wrong(checks).items() if name == "config"} == expected
    if not drop_in:
        assert checks["config"]["what"] == "no /etc/multus-eks.conf: the built-in defaults hold"
    assert checks["files.config"]["what"].startswith("no /etc/multus-eks.conf: ")


@pytest.mark.parametrize("arguments, status, word", [
    (["--root", "/nowhere"], 1, "/nowhere"), (["--root", "/etc/hostname"], 1, "/etc/hostname"),
    (["more"], 2, "more"), (["--what"], 2, "--what"), (["--timeout", "soon"], 2, "soon"),
    (["--timeout", "0"], 2, "0"),
])
def test_mistakes(arguments, status, word):
    result = subprocess.run([EKSCTL, "doctor", "--image", *arguments], capture_output=True, text=True,
                            timeout=60, check=False)
    assert (result.returncode, result.stdout) == (status, "") and word in result.stderr


def test_output_that_does_not_arrive(whole):
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = subprocess.run([*confined(), EKSCTL, "doctor", "--image", f"--root={whole.path}"],
                                stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert result.returncode == 1 and "cannot write" in result.stderr
    assert os.path.exists(whole.path)
