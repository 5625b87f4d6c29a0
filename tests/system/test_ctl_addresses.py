# SPDX-License-Identifier: Apache-2.0
"""multus-eksctl register, unregister and addresses, against a daemon without EC2."""

import json
import os
import pty
import re
import shlex
import subprocess

import pytest

from fakedaemon import FakeDaemon, error

CTL = os.path.join(os.environ.get("BUILD", "build"), "multus-eksctl")


@pytest.fixture
def daemon(tmp_path):
    with FakeDaemon(tmp_path / "sock") as daemon:
        yield daemon


def ctl(daemon, command, *args):
    return subprocess.run([CTL, command, "--socket", daemon.path, *args], capture_output=True, text=True,
                          timeout=30, check=False)


def test_register_and_unregister(daemon):
    result = ctl(daemon, "register", "--interface", "eth2", "10.0.1.7", "2001:DB8::0:7")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == ("10.0.1.7 registered on eth2 (eni-0b)\n"
                             "2001:db8::7 registered on eth2 (eni-0b)\n")
    assert daemon.owners() == {"10.0.1.7": "multus-eksctl", "2001:db8::7": "multus-eksctl"}
    assert daemon.methods() == ["POST"]

    result = ctl(daemon, "unregister", "2001:db8::7", "10.0.1.7")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "2001:db8::7 given back\n10.0.1.7 given back\n"
    assert daemon.addresses == {}


def test_interface_is_left_to_the_daemon(daemon):
    ctl(daemon, "register", "10.0.1.7")
    assert daemon.requests[0][2] == {"owner": "multus-eksctl", "addresses": [{"address": "10.0.1.7"}]}


def test_owner_with_any_characters(daemon):
    owner = "a b&c=d/é?#%+"
    assert ctl(daemon, "register", "--owner", owner, "10.0.1.7").returncode == 0
    assert ctl(daemon, "unregister", "10.0.1.7").returncode == 5
    assert daemon.owners() == {"10.0.1.7": owner}
    assert ctl(daemon, "unregister", "--owner", owner, "10.0.1.7").returncode == 0
    assert daemon.addresses == {}


@pytest.mark.parametrize("owner", ["x" * 256, "é" * 128], ids=["ascii", "utf8"])
def test_longest_owner(daemon, owner):
    assert ctl(daemon, "register", "--owner", owner, "10.0.1.7").returncode == 0
    assert daemon.owners() == {"10.0.1.7": owner}


def test_one_of_two_is_refused(daemon):
    daemon.refuse["10.0.1.1"] = 409, error("reserved", "10.0.1.1 is the VPC's own")
    result = ctl(daemon, "register", "10.0.1.1", "10.0.1.7")
    assert result.returncode == 5
    assert result.stdout == "10.0.1.7 registered on eth1 (eni-0a)\n"
    assert result.stderr == "multus-eksctl: 10.0.1.1 is the VPC's own (HTTP 409)\n"


@pytest.mark.parametrize("owner, advice", [
    ("a b/ü", "It is given back with --owner 'a b/ü'\n"),
    ("it's", "It is given back with --owner 'it'\\''s'\n"),
    ("watch:4026532300/net1", "The daemon gives it back when no pod here has it any more.\n"),
])
def test_owned_by_another(daemon, owner, advice):
    """What is to be done is told, in a form that a shell takes."""
    daemon.addresses["10.0.1.7"] = {"owner": owner, "interface": "eth1"}
    result = ctl(daemon, "unregister", "10.0.1.7")
    assert (result.returncode, result.stdout) == (5, "")
    assert result.stderr == f"multus-eksctl: 10.0.1.7 belongs to {owner} (HTTP 409)\n{advice}"
    if "--owner" in advice:
        words = shlex.split(advice.partition("with ")[2])
        assert ctl(daemon, "unregister", *words, "10.0.1.7").returncode == 0
        assert daemon.addresses == {}


@pytest.mark.parametrize("status, code", [(400, 5), (404, 5), (409, 5), (422, 5), (507, 5), (429, 3),
                                          (503, 3), (504, 3), (500, 1), (502, 1), (403, 1)])
@pytest.mark.parametrize("command", ["register", "unregister"])
def test_exit_status(daemon, command, status, code):
    daemon.everything = status, error("word", "sentence", ec2_code="Code", ec2_request_id="req-1")
    result = ctl(daemon, command, "10.0.1.7")
    assert result.returncode == code
    assert f"sentence (HTTP {status}, EC2 Code, request req-1)" in result.stderr


def test_worst_of_several(daemon):
    daemon.refuse["10.0.1.1"] = 503, error("not_ready", "not ready")
    daemon.refuse["10.0.1.2"] = 409, error("reserved", "reserved")
    assert ctl(daemon, "register", "10.0.1.1", "10.0.1.7").returncode == 3
    assert ctl(daemon, "register", "10.0.1.1", "10.0.1.2").returncode == 5
    daemon.refuse["10.0.1.1"] = 502, error("ec2_error", "EC2 refused")
    assert ctl(daemon, "register", "10.0.1.1", "10.0.1.2").returncode == 1


@pytest.mark.parametrize("command", ["register", "unregister"])
def test_timeout_means_again(daemon, command):
    daemon.silent = True
    result = ctl(daemon, command, "--timeout", "200ms", "10.0.1.7")
    assert result.returncode == 3
    assert "no answer within 0.2 s" in result.stderr
    assert "It may be done all the same: 'multus-eksctl addresses' tells.\n" in result.stderr


@pytest.mark.parametrize("command", ["register", "unregister"])
def test_lost_answer(daemon, command):
    daemon.drop = True
    result = ctl(daemon, command, "10.0.1.7")
    assert result.returncode == 1
    assert "It may be done all the same: 'multus-eksctl addresses' tells.\n" in result.stderr


@pytest.mark.parametrize("command", ["register", "unregister"])
def test_daemon_that_is_stopping_is_asked_again(daemon, command):
    daemon.stops = 2
    assert ctl(daemon, command, "10.0.1.7").returncode == 0
    assert len(daemon.requests) == 3
    daemon.stops = 1000
    result = ctl(daemon, command, "--timeout", "200ms", "10.0.1.7")
    assert result.returncode == 3
    assert "the daemon is stopping (HTTP 503)" in result.stderr


@pytest.mark.parametrize("command", ["register", "unregister", "addresses"])
def test_no_daemon(tmp_path, command):
    result = ctl(FakeDaemon(tmp_path / "absent"), command, *([] if command == "addresses" else ["10.0.1.7"]))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"multus-eksctl: there is no socket at {tmp_path / 'absent'}\n"


def test_table(daemon):
    assert ctl(daemon, "addresses").stdout == "no addresses\n"
    daemon.addresses = {"10.0.1.7": {"owner": "cni:oam/c0ffee/net1", "interface": "eth1"},
                        "10.0.2.123": {"owner": "", "interface": "eth2", "state": "released",
                                       "assigned": False}}
    result = ctl(daemon, "addresses")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "ADDRESS     INTERFACE  ENI     STATE     ASSIGNED  SINCE                     OWNER",
        "10.0.1.7    eth1       eni-0a  wanted    yes       2026-11-21T10:55:00.123Z  cni:oam/c0ffee/net1",
        "10.0.2.123  eth2       eni-0b  released  no        2026-11-21T10:55:00.123Z  -",
    ]


def test_json(daemon):
    daemon.addresses = {"10.0.1.7": {"owner": "o", "interface": "eth1"}}
    document = json.loads(ctl(daemon, "addresses", "--json").stdout)
    assert [item["address"] for item in document["addresses"]] == ["10.0.1.7"]


def test_watch_shows_changes_only(daemon):
    with subprocess.Popen([CTL, "addresses", "--watch", "--json", "--socket", daemon.path],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert json.loads(process.stdout.readline()) == {"addresses": []}
        while len(daemon.requests) < 2:  # asked again, and nothing has changed
            daemon.stopping.wait(0.01)
        daemon.addresses = {"10.0.1.7": {"owner": "o", "interface": "eth1"}}
        assert json.loads(process.stdout.readline())["addresses"][0]["address"] == "10.0.1.7"
        daemon.everything = 500, error("internal", "stumbled")
        assert process.wait() == 1
        assert "stumbled" in process.stderr.read()


def test_watch_ends_with_its_reader(daemon):
    """As with "| head -1", although nothing changes any more."""
    with subprocess.Popen([CTL, "addresses", "--watch", "--socket", daemon.path], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "no addresses\n"
            process.stdout.close()
            assert process.wait(timeout=20) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()


COMPLETION = os.path.abspath("conf/multus-eksctl.bash")


@pytest.mark.parametrize("words, wanted", [
    (["multus-eksctl", "re"], {"register"}),
    (["multus-eksctl", "policy", "--partition", "aws-c"], {"aws-cn"}),
    (["multus-eksctl", "addresses", "--"], {"--json", "--watch", "--socket", "--help"}),
    (["multus-eksctl", "register", "--o"], {"--owner"}),
    (["multus-eksctl", "unregister", "--i"], set()),
])
def test_completion(words, wanted):
    assert complete(*words) == wanted


def complete(*words) -> set:
    script = f"""source {COMPLETION}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
                 _multus_eksctl; printf '%s\\n' "${{COMPREPLY[@]}}" """
    result = subprocess.run(["bash", "-c", script, "bash", *words], capture_output=True, text=True,
                            check=True)
    return set(result.stdout.split())


def offered(*arguments, first) -> set:
    """What a --help lists, by the pattern of a line's first word."""
    text = subprocess.run([CTL, *arguments, "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(rf"^  (?:-\w, )?({first})", text, re.M))


def test_completion_knows_all_that_help_does():
    commands = offered(first=r"[a-z][a-z-]*")
    assert complete("multus-eksctl", "") == commands | {"--help", "--version"}
    for command in commands:
        assert complete("multus-eksctl", command, "--") == offered(command, first=r"--[a-z-]+"), command


def complete_asking(*words) -> set:
    """With the programs of the build; the word to complete is the last."""
    script = f"""source {COMPLETION}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
                 _multus_eksctl; printf '%s\\n' "${{COMPREPLY[@]}}" """
    env = {**os.environ, "PATH": os.path.abspath(os.path.dirname(CTL)) + ":" + os.environ["PATH"]}
    result = subprocess.run(["bash", "-c", script, "bash", "multus-eksctl", *words], capture_output=True,
                            text=True, check=True, env=env)
    return set(result.stdout.split())


def test_completion_of_registered_addresses(daemon):
    """unregister offers what is registered; the daemon is asked at the socket of the command line."""
    daemon.addresses = {"10.0.1.7": {"owner": "o", "interface": "eth1"},
                        "2001:db8::7": {"owner": "o", "interface": "eth1"}}
    assert complete_asking("unregister", "--socket", daemon.path, "1") == {"10.0.1.7"}


def test_completion_of_interfaces(daemon):
    """--interface offers those of the daemon at that socket."""
    daemon.status["interfaces"] = [{"name": name, "state": "up"} for name in ("eth1", "eth2")]
    daemon.status["error"] = "eth3 is missing"
    assert complete_asking("register", "--socket", daemon.path, "--interface", "") == {"eth1", "eth2"}
    assert complete_asking("register", "--socket", "/nonexistent", "--interface", "") == set()


def typed(text, cwd, breaks=None) -> str:
    """The line of an interactive bash after @text, whose last key is a tab; @breaks: its COMP_WORDBREAKS."""
    env = {"PATH": os.path.abspath(os.path.dirname(CTL)) + ":" + os.environ["PATH"], "TERM": "dumb",
           "PS1": "", "HISTFILE": "", "INPUTRC": "/dev/null"}
    setup = [f"source {COMPLETION}", "bind 'set bell-style none'",
             r"""bind -x '"\C-x\C-y": printf "<%s>" "$READLINE_LINE"'"""]
    if breaks is not None:
        setup.append(f"COMP_WORDBREAKS={breaks}")
    master, slave = pty.openpty()
    with open(master, "r+b", buffering=0) as terminal, \
            subprocess.Popen(["bash", "--noprofile", "--norc", "-i"], stdin=slave, stdout=slave, stderr=slave,
                             env=env, cwd=cwd, start_new_session=True) as process:
        os.close(slave)  # so that reading ends with the shell
        terminal.write(("; ".join(setup) + "; printf '%s%s' rea dy\n").encode())
        output = ""
        while "ready" not in output:
            output += terminal.read(4096).decode()
        terminal.write((text + "\x18\x19").encode())
        output = ""
        while not (found := re.search(r"<(.*)>", output)):
            output += terminal.read(4096).decode()
        process.kill()
        return found[1]


@pytest.mark.parametrize("text, wanted", [
    ("check-config exa", "check-config examples/"),
    ("doctor --root exa", "doctor --root examples/"),
    ("policy --config exa", "policy --config examples/"),
    ("policy --config=exa", "policy --config=examples/"),
    ("policy --config=examples/n", "policy --config=examples/node.conf "),
    ("policy --partition=aws-c", "policy --partition=aws-cn "),
    ("check-config --", "check-config --help "),
    ("status --j", "status --json "),
])
def test_completion_at_a_terminal(tmp_path, text, wanted):
    """With the breaks that bash makes in words, and with its opinion of what ends one."""
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "node.conf").touch()
    assert typed(f"multus-eksctl {text}\t", tmp_path) == f"multus-eksctl {wanted}"


@pytest.mark.parametrize("socket", ["--socket {}", "--socket={}"])
@pytest.mark.parametrize("breaks", [None, r"$' \t\n'"])
@pytest.mark.parametrize("text, wanted", [("2", "2001:db8::7 "), ("2001:", "2001:db8::7 "),
                                          ("2001:d", "2001:db8::7 "), ("2001:db8::", "2001:db8::7 "),
                                          ("fd00: 2001:", "fd00: 2001:db8::7 ")])
def test_completion_of_what_has_colons(daemon, tmp_path, socket, breaks, text, wanted):
    daemon.addresses = {address: {"owner": "o", "interface": "eth1"}
                        for address in ("10.0.1.7", "2001:db8::7")}
    line = f"multus-eksctl unregister {socket.format(daemon.path)} "
    assert typed(f"{line}{text}\t", tmp_path, breaks) == line + wanted


def test_completion_of_a_value(daemon, tmp_path):
    daemon.status["interfaces"] = [{"name": "eth1", "state": "up"}]
    line = f"multus-eksctl register --socket {daemon.path} --interface=e"
    assert typed(f"{line}\t", tmp_path) == line + "th1 "
