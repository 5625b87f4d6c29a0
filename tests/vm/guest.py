# SPDX-License-Identifier: Apache-2.0
"""An instance of the simulated region as a virtual machine that boots the baked image.

    with Topology(plug="guest", nodes=()) as region:
        with Guest(region, INSTANCE, tmp_path) as guest:
            guest.wait_boot()
            guest.links()["eth1"]

QEMU runs in the simulator's namespace; the simulator, being the hypervisor, puts
the interfaces in and switches it on (ec2sim/guest.py). What a test wants of the
guest it says over the second serial port (company/usr/local/libexec/stand-in/control).

KVM is used where MULTUS_EKS_KVM=1 says so: /dev/kvm alone does not tell that it works.
"""

import base64
import gzip
import io
import json
import os
import select
import shlex
import shutil
import socket
import subprocess
import tarfile
import time

#: Without what an emulated processor pays for and nobody here needs: string instructions that store byte by
#: byte, a fifth level of page tables, checks of every access.
_PROCESSOR = "max,-erms,-fsrm,-la57,-smap,-smep,-umip,-pcid"
_KERNEL = "console=ttyS0 root=/dev/nvme0n1 rootfstype=ext4 rw panic=-1 systemd.show_status=false " \
          "mitigations=off clocksource=tsc tsc=reliable"

IMAGE = os.path.join(os.path.abspath(os.environ.get("BUILD", "build")), "vm")
MEMORY = "768"

#: how long a guest may take for a boot, and for a command, before the test gives up on it
PATIENCE = 120.0


class GuestError(AssertionError):
    """A command failed in the guest, or the guest does not answer."""


def wait_value(ask, condition, timeout=PATIENCE):
    """What @ask() returns, as soon as @condition() is true of it."""
    deadline = time.monotonic() + timeout
    while not condition(value := ask()):
        if time.monotonic() > deadline:
            raise GuestError(f"not within {timeout} s; in the end: {value}")
        time.sleep(0.2)
    return value


class Guest:
    """
    @instance: id of an instance in the region
    @directory: where the guest's sockets, its console's log and, with @keep_disk, its disk are
    @files: path -> text (or bytes) of what it finds beside the image; executable if it begins with #!
    @keep_disk: what it writes outlives a power cycle
    """

    def __init__(self, region, instance, directory, files=None, keep_disk=False):
        self.region, self.control = region, region.control
        self.instance, self.directory = instance, str(directory)
        self.files = dict(files or {})
        self._disk = os.path.join(IMAGE, "root.ext4")
        self._snapshot = not keep_disk
        if keep_disk:
            self._disk = self._path("root.ext4")
            subprocess.run(["cp", "--sparse=always", "--reflink=auto",
                            os.path.join(IMAGE, "root.ext4"), self._disk], check=True)
        self.boots: list = []
        self._process = self._serial = None
        self._listens = False
        self._buffer, self._number = b"", 0

    def _path(self, name) -> str:
        return os.path.join(self.directory, name)

    def __enter__(self):
        self.switch_on()
        return self

    def __exit__(self, *_exception) -> None:
        self.switch_off()

    # -- power -------------------------------------------------------------

    def switch_on(self) -> None:
        """As StartInstances does it: with the interfaces that are attached."""
        assert self._process is None
        self._pack_files()
        listeners = {name: self._listen(name) for name in ("qmp", "serial")}
        with open(self._path("qemu.log"), "ab") as log:
            self._process = self.region.popen_in_vpc(self._argv(), listeners, stdin=subprocess.DEVNULL,
                                                     stdout=log, stderr=log)
        for listener in listeners.values():
            listener.close()
        self._serial = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._serial.connect(self._path("serial"))
        self._buffer, self._listens = b"", False
        self.control.post("/nodes", {"instance": self.instance, "qmp": self._path("qmp")})

    def is_on(self) -> bool:
        return self._process is not None

    def switch_off(self) -> None:
        """Power is cut. May be called twice."""
        if self._process is not None:
            self._process.kill()
            self._end()

    def shut_down(self) -> None:
        """As StopInstances does it: the guest is asked, and does."""
        self._leave("poweroff")

    def reboot(self) -> None:
        """
        As RebootInstances does it; to be followed by wait_boot(). QEMU is started anew, since one that is
        reset takes many times longer: its memory is full of code that it has translated.
        """
        self._leave("reboot")
        self.switch_on()

    def _leave(self, verb) -> None:
        assert not self._snapshot, "what it has written would be lost"
        self.run(f"systemctl --no-block {verb}")
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise GuestError(f"does not come to {verb}\n{self.console()}") from None
        self._end()

    def _end(self) -> None:
        self._process.wait()
        self._process = None
        self._serial.close()

    def _listen(self, name) -> socket.socket:
        """A socket that QEMU inherits, so that it can be connected to before QEMU runs."""
        path = self._path(name)
        if os.path.exists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(1)
        return listener

    def _pack_files(self) -> None:
        with tarfile.open(self._path("files.tar"), "w") as tar:
            for path, content in self.files.items():
                data = content.encode() if isinstance(content, str) else content
                info = tarfile.TarInfo(path.lstrip("/"))
                info.size, info.mode = len(data), 0o755 if data.startswith(b"#!") else 0o644
                tar.addfile(info, io.BytesIO(data))

    def _argv(self) -> list:
        kvm = os.environ.get("MULTUS_EKS_KVM") == "1"
        console = self._path("console.log")
        return ["qemu-system-x86_64", "-M", "pc", "-accel", "kvm" if kvm else "tcg,thread=multi",
                "-cpu", "host" if kvm else _PROCESSOR, "-smp", "2", "-m", MEMORY, "-S", "-no-reboot",
                "-nodefaults", "-no-user-config", "-display", "none",
                "-kernel", os.path.join(IMAGE, "vmlinuz"), "-append", _KERNEL,
                "-device", "nvme,id=nvme,serial=root,addr=0x2",
                "-drive", f"file={self._disk},if=none,id=d0,format=raw,cache=unsafe,"
                          f"snapshot={'on' if self._snapshot else 'off'}",
                "-device", "nvme-ns,drive=d0,bus=nvme,nsid=1",
                "-drive", f"file={self._path('files.tar')},if=none,id=d1,format=raw,read-only=on",
                "-device", "nvme-ns,drive=d1,bus=nvme,nsid=2",
                "-serial", f"file:{console}",
                "-chardev", "socket,id=qmp,fd=3,server=on,wait=off", "-mon", "chardev=qmp,mode=control",
                "-chardev", "socket,id=serial,fd=4,server=on,wait=off", "-serial", "chardev:serial"]

    # -- commands ----------------------------------------------------------

    def _line(self, timeout) -> str:
        """What the guest says next."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._serial], [], [], left)[0]:
                raise GuestError(f"no answer within {timeout} s\n{self.console()}")
            data = self._serial.recv(1 << 16)
            if not data:
                raise GuestError(f"the guest has ended\n{self.console()}")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("ascii", "replace").strip()

    def wait_control(self, timeout=PATIENCE) -> str:
        """Wait until the guest takes commands, in a boot that was not seen yet; returns its id."""
        while True:
            what, *rest = self._line(timeout).split()
            if what == "boot" and rest[0] not in self.boots:
                self.boots.append(rest[0])
                self._listens = True
                return rest[0]

    def try_run(self, script, timeout=PATIENCE) -> subprocess.CompletedProcess:
        """Run a script of bash in the guest, whatever comes of it."""
        self._number += 1
        self._serial.sendall(f"{self._number} {base64.b64encode(script.encode()).decode()}\n".encode())
        while True:
            words = self._line(timeout).split()
            if words[0] == str(self._number):
                out, err = (gzip.decompress(base64.b64decode(word)).decode() for word in words[2:])
                return subprocess.CompletedProcess(script, int(words[1]), out, err)
            if words[0] == "boot":
                raise GuestError(f"the guest has restarted meanwhile\n{self.console()}")

    def run(self, script, timeout=PATIENCE) -> str:
        """Run a script of bash in the guest; returns what it prints."""
        done = self.try_run(script, timeout)
        if done.returncode != 0:
            raise GuestError(f"{script}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def json(self, script):
        """What a command prints as JSON."""
        return json.loads(self.run(script))

    def console(self, n=30) -> str:
        """The end of what the guest's kernel and systemd have said."""
        with open(self._path("console.log"), encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-n:])

    # -- what a test wants to know -----------------------------------------

    def wait_boot(self) -> None:
        """A boot from its beginning to its end, with no unit failed."""
        self.wait_control()
        self.await_boot()

    def await_boot(self) -> None:
        """The rest of a boot that takes commands already."""
        if self.try_run("systemctl is-system-running --wait").stdout.strip() != "running":
            raise GuestError(self.run("systemctl --failed --plain; systemctl list-jobs; journalctl -b -n 40 "
                                      "--no-pager -o short-monotonic -u multus-eksd -u nodeadm-run"))

    def journal(self, *matches, since_boot=True) -> list:
        """The entries of this boot that match, as journalctl takes it."""
        boot = "-b" if since_boot else ""
        words = " ".join(map(shlex.quote, matches))
        return [json.loads(line)
                for line in self.run(f"journalctl {boot} -o json --no-pager {words}").splitlines()]

    def property(self, unit, *names) -> dict:
        """Properties of a unit: name -> text."""
        text = self.run(f"systemctl show {shlex.quote(unit)} {' '.join(f'-p {name}' for name in names)}")
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)

    def wait_property(self, unit, timeout=60, **wanted) -> None:
        """Wait until properties of a unit have these values."""
        names = " ".join(f"-p {name}" for name in sorted(wanted))
        text = "\n".join(f"{name}={value}" for name, value in sorted(wanted.items()))
        ask = f"systemctl show {shlex.quote(unit)} {names} | sort"
        done = self.try_run(f"timeout {timeout} bash -c "
                            f"'until [ \"$({ask})\" = \"{text}\" ]; do sleep 0.5; done'", timeout + PATIENCE)
        if done.returncode != 0:
            raise GuestError(f"{unit} does not come to {wanted}: {self.property(unit, *wanted)}")

    def links(self) -> dict:
        """Name -> what `ip -json address` tells."""
        return {link["ifname"]: link for link in self.json("ip -json address")}

    def status(self) -> dict:
        """The daemon's own account."""
        return json.loads(self.try_run("multus-eksctl status --json").stdout)

    def wait_status(self, condition, timeout=PATIENCE) -> dict:
        """The daemon's own account, as soon as @condition() is true of it."""
        return wait_value(self.status, condition, timeout)

    def keep_logs(self, directory) -> None:
        """Journal and console to @directory, for whoever wants to know why a test failed."""
        os.makedirs(directory, exist_ok=True)
        shutil.copy(self._path("console.log"), directory)
        try:
            # of a boot that nobody has waited for, which is no restart
            if not self._listens:
                self.wait_control(30)
            text = self.run("journalctl -b -o short-monotonic --no-pager", 30)
        except (GuestError, OSError) as error:
            text = f"no journal: {error}"
        with open(os.path.join(directory, "journal.log"), "w", encoding="utf-8") as file:
            file.write(text)
