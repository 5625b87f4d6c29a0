# SPDX-License-Identifier: Apache-2.0
"""multus-eksctl against a daemon that says what the test wants it to say."""

import contextlib
import http.server
import json
import os
import re
import socket
import socketserver
import subprocess
import threading

import pytest

CTL = os.path.join(os.environ.get("BUILD", "build"), "multus-eksctl")

INTERFACE = {
    "name": "eth1", "network": "oam", "state": "up", "eni_id": "eni-0a", "mac": "02:00:00:00:00:01",
    "subnet_id": "subnet-a", "device_index": 1, "network_card_index": 0,
    "addresses": ["10.0.1.5", "2001:db8::5"], "group_ids": ["sg-a"], "mtu": 9001, "ifindex": 3,
    "pci_address": None, "driver": "kernel", "error": None,
}
STATUS = {
    "version": "0.1.0", "phase": "ready", "ready": True, "error": None, "instance_id": "i-0a",
    "instance_type": "m5.xlarge", "availability_zone": "us-east-1a", "region": "us-east-1",
    "nodegroup": "ng-1", "interfaces": [INTERFACE],
    "timings": {"metadata_ms": 3.679, "ready_ms": 2140.0},
    "calls": {"total": 9, "mutating": 4, "throttled": 0, "retried": 0},
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.paths.append(self.path)
        body = self.server.body
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self):  # a unix peer has none
        return "unix"

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    paths, status, body = (), 200, b""


@contextlib.contextmanager
def daemon(path, document, status=200):
    """A server on that socket that gives the same answer to everything."""
    with Server(str(path), Handler) as server:
        server.paths = []
        server.status = status
        server.body = document if isinstance(document, bytes) else json.dumps(document).encode()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def ctl(*args, **kwargs):
    return subprocess.run([CTL, *args], capture_output=True, text=True, timeout=30, check=False, **kwargs)


def status_of(tmp_path, document, *args, status=200):
    path = tmp_path / "sock"
    with daemon(path, document, status) as server:
        result = ctl("status", "--socket", str(path), *args)
    assert server.paths == ["/v1/status"]
    return result


def test_table(tmp_path):
    other = dict(INTERFACE, name="eth10", network="n6", device_index=2, network_card_index=1,
                 addresses=[], mtu=None, eni_id=None, state="waiting")
    result = status_of(tmp_path, dict(STATUS, interfaces=[INTERFACE, other]))
    assert result.stdout.splitlines() == [
        "ready in 2.14 s  i-0a  m5.xlarge  us-east-1a  nodegroup ng-1  calls 9 (4 mutating)",
        "NAME   NETWORK  STATE    ENI     MAC                SUBNET    DEV  ADDRESSES             MTU",
        "eth1   oam      up       eni-0a  02:00:00:00:00:01  subnet-a  1    10.0.1.5,2001:db8::5  9001",
        "eth10  n6       waiting  -       02:00:00:00:00:01  subnet-a  2/1  -                     -",
    ]
    assert (result.returncode, result.stderr) == (0, "")


def test_table_with_registrations(tmp_path):
    first = dict(INTERFACE, addresses_registered=12, address_limit={"ipv4": 50, "ipv6": 50})
    second = dict(INTERFACE, name="eth2", addresses_registered=0, address_limit={"ipv4": None, "ipv6": None})
    lines = status_of(tmp_path, dict(STATUS, interfaces=[first, second])).stdout.splitlines()
    assert lines[1].endswith("  MTU   REGISTERED  LIMIT")
    assert lines[2].endswith("  9001  12          50 IPv4, 50 IPv6")
    assert lines[3].endswith("  9001  0           -")


def test_json_is_the_daemons_document(tmp_path):
    result = status_of(tmp_path, STATUS, "--json")
    assert json.loads(result.stdout) == STATUS
    assert '"metadata_ms": 3.679,' in result.stdout
    assert result.returncode == 0


@pytest.mark.parametrize("phase, ready, code", [
    ("starting", False, 3), ("facts", False, 3), ("plan", False, 3), ("reconcile", False, 3),
    ("links", False, 3), ("ready", True, 0), ("degraded", True, 4), ("failed", False, 1),
    ("stopping", False, 3),
])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_exit_status(tmp_path, phase, ready, code, form):
    document = dict(STATUS, phase=phase, ready=ready, timings={"ready_ms": None})
    assert status_of(tmp_path, document, *form).returncode == code


def test_errors_say_what_to_do(tmp_path):
    interface = dict(INTERFACE, state="failed", error="the subnet has no free address")
    result = status_of(tmp_path, dict(STATUS, phase="failed", ready=False, error="1 of 1 failed",
                                      interfaces=[interface]))
    assert "eth1: the subnet has no free address\nerror: 1 of 1 failed\n" in result.stdout
    assert "journalctl -x -u multus-eksd" in result.stdout
    assert "kubelet is held back" in result.stdout


@pytest.mark.parametrize("phase", ["starting", "facts", "plan"])
def test_early_document(tmp_path, phase):
    """Before the facts are there most of it is null."""
    result = status_of(tmp_path, {"version": "0.1.0", "phase": phase, "ready": False, "error": None,
                                  "instance_id": None, "interfaces": [], "timings": {"ready_ms": None},
                                  "calls": {"total": 0, "mutating": 0, "throttled": 0, "retried": 0}})
    assert result.stdout == f"{phase}  calls 0 (0 mutating)\ninterfaces: not known yet\n"
    assert result.returncode == 3


@pytest.mark.parametrize("phase", ["reconcile", "ready", "failed"])
def test_no_interfaces(tmp_path, phase):
    result = status_of(tmp_path, dict(STATUS, phase=phase, interfaces=[]))
    assert result.stdout.splitlines()[1] == "no interfaces"


@pytest.mark.parametrize("document, status, text", [
    (b"<html>", 200, "the answer is not JSON"),
    (b"", 200, "the answer is not JSON"),
    ({"error": {"code": "forbidden", "message": "only root"}}, 403, "only root (HTTP 403)"),
    (b"oops", 500, "refused (HTTP 500)"),
    (b"[]" + b" " * (5 << 20), 200, "the answer is too long"),
], ids=["html", "empty", "refused", "refused-without-reason", "endless"])
def test_bad_answers(tmp_path, document, status, text):
    result = status_of(tmp_path, document, status=status)
    assert result.returncode == 1
    assert result.stdout == ""
    assert text in result.stderr


def test_no_daemon(tmp_path):
    path = tmp_path / "sock"
    absent = ctl("status", "--socket", str(path))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))  # nobody listens
        refused = ctl("status", "--socket", str(path))
    assert (absent.returncode, absent.stderr) == (1, f"multus-eksctl: there is no socket at {path}\n")
    assert (refused.returncode, refused.stderr) == (1, f"multus-eksctl: {path}: the daemon is not running\n")


def test_long_path():
    result = ctl("status", "--socket", "/tmp/" + "x" * 200)
    assert result.returncode == 1
    assert result.stderr == ("multus-eksctl: there is no socket at a path of 205 characters: "
                             "at most 107 are allowed\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become someone else")
def test_permission_denied_names_the_group(tmp_path):
    """As nobody, at a socket of root and the group 'daemon': the message says whom to ask."""
    path = f"/tmp/multus-eksctl-test-{os.getpid()}"
    try:
        with daemon(path, STATUS):
            os.chmod(path, 0o660)
            os.chown(path, 0, 1)
            result = ctl("status", "--socket", path, user=65534, group=65534, extra_groups=[])
    finally:
        os.unlink(path)
    assert result.returncode == 1
    assert "permission denied" in result.stderr
    assert "member of the group 'daemon'" in result.stderr


def test_proxy_of_the_environment_is_not_used(tmp_path):
    path = tmp_path / "sock"
    with daemon(path, STATUS):
        result = ctl("status", "--socket", str(path),
                     env=dict(os.environ, http_proxy="http://127.0.0.1:9", ALL_PROXY="http://127.0.0.1:9"))
    assert result.returncode == 0


@pytest.mark.parametrize("args", [
    [], ["nonsense"], ["status", "--nonsense"], ["status", "--socket"], ["status", "argument"],
    ["addresses", "argument"], ["register"], ["unregister"], ["register", "10.0.1.7/24"],
    ["register", "nonsense"],
    ["unregister", "--interface", "eth1", "10.0.1.7"], ["register", "--timeout", "soon", "10.0.1.7"],
    ["register", "--timeout", "0", "10.0.1.7"], ["unregister", "--timeout", "2d", "10.0.1.7"],
    ["plan", "argument"], ["policy", "argument"], ["policy", "--partition", "a b"],
    ["register", "--owner", "", "10.0.1.7"], ["unregister", "--owner", "", "10.0.1.7"],
    ["register", "--owner", "x" * 257, "10.0.1.7"], ["unregister", "--owner", "é" * 129, "10.0.1.7"],
    ["register", "--owner", "a\nb", "10.0.1.7"], ["register", "--owner", "\udcff", "10.0.1.7"],
    ["register", "--interface", "", "10.0.1.7"],
    ["check-config", "a", "b"], ["doctor", "argument"], ["doctor", "--timeout", "2d"], ["plan", "--nonsense"],
])
def test_wrong_usage(args):
    """Every line of it names the program and the command."""
    result = ctl(*args)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "--help" in result.stderr
    if args and args != ["nonsense"]:
        *mistake, hint = result.stderr.splitlines()
        assert mistake and all(line.startswith(f"multus-eksctl {args[0]}: ") for line in mistake)
        assert hint == f"Try 'multus-eksctl {args[0]} --help'."
    assert "argument" not in args or "unexpected argument 'argument'" in result.stderr
    assert "--timeout" not in args or "up to 1d" in result.stderr


@pytest.mark.parametrize("args", [["--help"], ["status", "--help"], ["addresses", "--help"],
                                  ["register", "--help"],
                                  ["unregister", "--help"], ["--version"]])
def test_help(args):
    result = ctl(*args)
    assert (result.returncode, result.stderr) == (0, "")
    assert "multus-eksctl" in result.stdout


def test_help_names_all_commands_with_more_exit_statuses():
    overview = ctl("--help").stdout
    commands = re.findall(r"^  ([a-z][a-z-]*) ", overview, re.M)
    more = [name for name in commands
            if set(re.findall(r"\b([3-9])  ?[a-z]", ctl(name, "--help").stdout.partition("Exit status")[2]))]
    told = re.search(r"wrong usage; (.*) have more", overview)[1]
    assert re.split(", | and ", told) == more


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_output_that_is_lost_is_a_failure():
    with open("/dev/full", "w", encoding="ascii") as full:
        result = subprocess.run([CTL, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 1
    assert "cannot write" in result.stderr
