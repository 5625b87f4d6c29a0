# SPDX-License-Identifier: Apache-2.0
"""Of the Debian image that packer/bake-debian.sh has baked: the disk, and a copy of its base to run
ami-scripts/ in."""

import contextlib
import os
import subprocess

import pytest

IMAGE = os.path.abspath(os.environ.get("IMAGE", "build-image"))
SOURCE = "/tmp/multus-eks"


class Disk:
    """The baked root file system, read without mounting it."""

    def __init__(self, path):
        self.path = path

    def _debugfs(self, command) -> str:
        run = subprocess.run(["debugfs", "-R", command, self.path], capture_output=True, text=True,
                             check=True)
        complaints = run.stderr.partition("\n")[2]
        if "not found" in complaints:
            raise FileNotFoundError(command)
        assert not complaints, complaints
        return run.stdout

    def ls(self, path) -> set:
        """The names in a directory."""
        lines = self._debugfs(f"ls -p {path}").splitlines()
        return {line.split("/")[5] for line in lines if line} - {".", ".."}

    def cat(self, path) -> str:
        return self._debugfs(f"cat {path}")

    def exists(self, path) -> bool:
        try:
            self._debugfs(f"stat {path}")
        except FileNotFoundError:
            return False
        return True


class Chroot:
    """A directory that commands run in as their root, with /proc of their own."""

    def __init__(self, root):
        self.root = root

    def path(self, name) -> str:
        return self.root + name

    def run(self, *command) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", f"--mount-proc={self.root}/proc", "chroot", self.root,
             *command], capture_output=True, text=True, env={"PATH": "/usr/sbin:/usr/bin", "LC_ALL": "C"},
            check=False)

    def script(self, name, *arguments) -> subprocess.CompletedProcess:
        """Run one of ami-scripts/."""
        return self.run(f"{SOURCE}/ami-scripts/{name}", *arguments)

    def write(self, name, text) -> None:
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def packages(self) -> set:
        """What dpkg says is installed."""
        return set(self.run("dpkg-query", "-W", "-f", "${binary:Package}\\n").stdout.split())


@pytest.fixture(scope="session")
def image():
    """The baked image; it has to be there already."""
    return Disk(f"{IMAGE}/root.ext4")


@pytest.fixture(scope="session")
def base():
    """The root directory that the image was made from; not to be changed."""
    return Chroot(f"{IMAGE}/base/root")


@contextlib.contextmanager
def layer(directory, *lower):
    """A copy of @lower, the uppermost first, that costs nothing: an overlay on them."""
    for name in ("root", "upper", "work"):
        os.makedirs(f"{directory}/{name}")
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                    f"lowerdir={':'.join(lower)},upperdir={directory}/upper,workdir={directory}/work",
                    f"{directory}/root"], check=True)
    try:
        yield Chroot(f"{directory}/root")
    finally:
        subprocess.run(["umount", f"{directory}/root"], check=True)


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    """The directory of a layer: this source tree with its programs."""
    directory = tmp_path_factory.mktemp("source")
    os.makedirs(f"{directory}{SOURCE}")
    subprocess.run(["tar", "-xzf", f"{IMAGE}/compiled.tar.gz", "-C", f"{directory}{SOURCE}"], check=True)
    return str(directory)


@pytest.fixture(scope="session")
def built(base, source, tmp_path_factory):
    """The directory of another: what build.sh and enable.sh have changed."""
    directory = str(tmp_path_factory.mktemp("built"))
    with layer(directory, source, base.root) as machine:
        for script in ("build.sh", "enable.sh"):
            run = machine.script(script)
            assert run.returncode == 0, run.stderr
    return f"{directory}/upper"


@pytest.fixture
def machine(base, source, tmp_path):
    """A machine as it is before build.sh, with the source tree and its programs."""
    with layer(tmp_path, source, base.root) as machine:
        yield machine


@pytest.fixture
def node(base, source, built, tmp_path):
    """The same after build.sh and enable.sh."""
    with layer(tmp_path, built, source, base.root) as node:
        yield node
