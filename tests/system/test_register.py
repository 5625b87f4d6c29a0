# SPDX-License-Identifier: Apache-2.0
"""What the node serves after READY: registering, giving back, and every refusal.

Each refusal is had from where it comes from in life: EC2 itself where it is
EC2 that says so.
"""

import json
import os
import socket
import subprocess
import time

import pytest
from harness import PATIENCE, SUBNETS, message_ids
from registering import ASSIGN, ASSIGN6, ETH1, UNASSIGN, UNASSIGN6, Registering, until

A, B, C = "10.0.10.201", "10.0.10.202", "10.0.10.203"
V6, W6 = "2001:db8:e2c:10::a1", "2001:db8:e2c:10::b2"


@pytest.fixture
def node(pods):
    """A node with one network and short times."""
    with Registering(pods, release_cooldown="200ms", stale_grace="1s") as node:
        yield node


# -- what is asked for happens ---------------------------------------------

@pytest.mark.parametrize("address, assign, unassign", [(A, ASSIGN, UNASSIGN), (V6, ASSIGN6, UNASSIGN6)])
def test_register_again_and_release(node, address, assign, unassign):
    eni = node.eni()
    reply = node.put(address, "pod-a")
    assert (reply.status, reply.body) == (200, {"address": address, "status": 200, "interface": "eth1",
                                                "eni_id": eni["id"]})
    assert address in node.in_ec2() | node.in_ec2_6()
    assert len(node.calls(assign)) == 1

    assert node.put(address, "pod-a").status == 200
    assert node.put(address, "pod-a", "eth1").status == 200
    assert node.put(address, "pod-a", eni["id"]).status == 200
    assert len(node.calls(assign)) == 1
    entry = node.addresses()[address]
    assert entry.pop("since").endswith("Z")
    assert entry == {"address": address, "interface": "eth1", "eni_id": eni["id"], "owner": "pod-a",
                     "state": "wanted", "assigned": True}

    node.control.gate(unassign)
    assert node.delete(address, "pod-a").status == 200
    assert node.addresses()[address]["state"] == "released"
    node.control.gate_reached()
    node.control.gate_release()
    until(lambda: not node.addresses(), "the release")
    assert address not in node.in_ec2() | node.in_ec2_6()
    assert node.delete(address, "pod-a").status == 200
    assert len(node.calls(unassign)) == 1


def test_metrics(node):
    assert node.put(A).status == 200
    assert [r["status"] for r in node.post([B, C])] == [200, 200]
    assert node.delete(C).status == 200
    until(lambda: C not in node.addresses())
    metrics = node.metrics()
    assert metrics["multus_eks_ready"] == 1
    assert metrics['multus_eks_interface_up{interface="eth1",network="eth1"}'] == 1
    assert metrics['multus_eks_addresses{state="wanted"}'] == 2
    assert metrics['multus_eks_addresses{state="released"}'] == 0
    assert metrics["multus_eks_registered_total"] == 3
    assert metrics["multus_eks_released_total"] == 1
    assert metrics["multus_eks_assign_calls_total"] == len(node.calls(ASSIGN)) == 2
    assert metrics["multus_eks_unassign_calls_total"] == len(node.calls(UNASSIGN)) == 1
    assert metrics["multus_eks_batched_addresses_total"] == 4
    assert metrics["multus_eks_assign_seconds_total"] > 0


def test_wanted_again_before_its_time(pods):
    """What comes back within the cooldown keeps its place: nothing is unassigned."""
    with Registering(pods, release_cooldown="1h") as node:
        assert node.put(A, "old").status == 200
        assert node.delete(A, "old").status == 200
        assert node.put(A, "new").status == 200
        assert node.owners() == {A: "new"}
        assert node.calls(UNASSIGN) == []


def test_late_delete_of_an_old_owner(node):
    assert node.put(A, "old").status == 200
    assert node.put(A, "new").status == 200
    reply = node.delete(A, "old")
    assert (reply.status, reply.code) == (409, "owned_by_another")
    assert "new" in reply.body["error"]["message"]
    assert node.owners() == {A: "new"}
    assert len(node.calls(ASSIGN)) == 1


def test_requests_before_ready_wait(pods):
    node = Registering(pods)
    try:
        pods.control.gate("AttachNetworkInterface")
        node.daemon.start()
        pods.control.gate_reached()
        early = [node.begin("PUT", A, "early"), node.send("GET", "/v1/addresses"), node.begin("DELETE", B)]
        assert node.send("GET", "/v1/status").reply().body["phase"] != "ready"
        assert node.metrics()["multus_eks_ready"] == 0
        assert node.calls(ASSIGN) == []
        pods.control.gate_release()
        assert [pending.reply().status for pending in early] == [200, 200, 200]
        node.daemon.wait_ready()
        assert node.owners() == {A: "early"}
    finally:
        node.__exit__()


def test_boot_that_failed_says_so(pods):
    """503 with a time to try again, when there are no interfaces and never will be."""
    with Registering(pods, "[daemon]\non_failure = continue\n" + ETH1) as node:
        node.daemon.stop()
        pods.control.faults({"action": "DescribeInstances", "n": 0, "do": "error",
                              "code": "UnauthorizedOperation", "status": 403})
        node.start()
        reply = node.put(A)
        assert (reply.status, reply.code) == (503, "not_ready")
        assert int(reply.headers["Retry-After"]) > 0
        pods.control.faults()


def test_asked_while_it_is_replaced(node):
    """The daemon is told to stop with a request on its way: the next one is asked, and does it."""
    node.control.gate(ASSIGN)
    with node.begin_ctl("register", "--owner", "pod", A) as asking:
        node.control.gate_reached()
        raw = node.begin("PUT", B)
        node.wait_known(A, B)
        node.daemon.replace()
        reply = raw.reply()
        assert (reply.status, reply.code) == (503, "stopping")
        assert int(reply.headers["Retry-After"]) > 0
        node.control.gate_release()
        assert asking.wait(PATIENCE) == 0, asking.stderr.read()
    node.daemon.wait_ready()
    assert node.owners() == {A: "pod"}


# -- refusals --------------------------------------------------------------

@pytest.mark.parametrize("method, target, body, code", [
    ("PUT", "/v1/addresses/10.0.10.300", {"owner": "pod"}, "bad_address"),
    ("PUT", "/v1/addresses/2001:db8::g", {"owner": "pod"}, "bad_address"),
    ("PUT", f"/v1/addresses/{A}", {}, "bad_request"),
    ("PUT", f"/v1/addresses/{A}", {"owner": ""}, "bad_request"),
    ("PUT", f"/v1/addresses/{A}", {"owner": 7}, "bad_request"),
    ("PUT", f"/v1/addresses/{A}", {"owner": "pod", "interfaces": "eth1"}, "bad_request"),
    ("PUT", f"/v1/addresses/{A}", '{"owner": "pod"', "bad_request"),
    ("PUT", f"/v1/addresses/{A}", '{"owner": "pod", "owner": "other"}', "bad_request"),
    ("PUT", f"/v1/addresses/{A}", {"owner": "p" * 257}, "bad_owner"),
    ("PUT", f"/v1/addresses/{A}", {"owner": "a\nb"}, "bad_owner"),
    ("PUT", f"/v1/addresses/{A}", {"owner": "watch:pod/net1"}, "bad_owner"),
    ("POST", "/v1/addresses", {"owner": "watch:pod/net1", "addresses": [{"address": A}]}, "bad_owner"),
    ("DELETE", f"/v1/addresses/{A}?owner=watch:pod/net1", None, "bad_owner"),
    ("POST", "/v1/addresses", {"owner": "pod"}, "bad_request"),
    ("POST", "/v1/addresses", {"owner": "pod", "addresses": []}, "bad_request"),
    ("POST", "/v1/addresses", {"addresses": [{"address": A}]}, "bad_request"),
    ("DELETE", f"/v1/addresses/{A}", None, "bad_request"),
    ("DELETE", f"/v1/addresses/{A}?owner=", None, "bad_request"),
    ("DELETE", "/v1/addresses/ten?owner=pod", None, "bad_address"),
    ("PUT", "/v1/addresses/%ff", {"owner": "pod"}, "bad_address"),
    ("DELETE", "/v1/addresses/%ff?owner=pod", None, "bad_address"),
    ("PUT", f"/v1/addresses/{A}", {"owner": "pod", "x" + "é" * 100: 1}, "bad_request"),
    ("PUT", f"/v1/addresses/{A}", b'{"owner": "\xff"}', "bad_request"),
])
def test_malformed(pods, malformed_node, method, target, body, code):
    reply = malformed_node.send(method, target, body).reply()
    assert (reply.status, reply.code) == (400, code)
    assert reply.body["error"]["message"]
    assert malformed_node.addresses() == {}
    assert malformed_node.calls(ASSIGN) == []


@pytest.mark.parametrize("target, said", [
    ("%ff.%C3%A9", '"?.é" is not an IPv4 or IPv6 address'),
    ("x" + "%C3%A9" * 40, f'"x{"é" * 31}" is not an IPv4 or IPv6 address'),
], ids=["no-utf8", "long"])
def test_what_is_quoted_can_be_read(malformed_node, target, said):
    """Bytes that are no UTF-8 do not come back, and no character is cut in two."""
    reply = malformed_node.send("PUT", f"/v1/addresses/{target}", {"owner": "pod"}).reply()
    assert (reply.status, reply.body["error"]["message"]) == (400, said)


@pytest.mark.parametrize("item, code, said", [
    ({"interface": "eth1"}, "bad_request", '"address" is missing'),
    ({"address": "foo"}, "bad_address", '"foo" is not an IPv4 or IPv6 address'),
    ({"address": "x" + "é" * 40}, "bad_address", f'"x{"é" * 31}" is not an IPv4 or IPv6 address'),
], ids=["missing", "short", "long"])
def test_address_of_one_of_several(malformed_node, item, code, said):
    """It is told as PUT tells it."""
    reply = malformed_node.send("POST", "/v1/addresses", {"owner": "pod", "addresses": [item]}).reply()
    error = reply.body["results"][0]["error"]
    assert (error["code"], error["message"]) == (code, said)


@pytest.mark.parametrize("name", ["é" * 400, "x" + "é" * 400, "é€" * 300],
                         ids=["even", "odd", "mixed"])
def test_interface_with_a_long_name(malformed_node, name):
    reply = malformed_node.put(A, interface=name)
    assert (reply.status, reply.code) == (404, "no_such_interface")
    said = reply.body["error"]["message"].removeprefix("no Multus interface of this node is called ")
    assert len(said) > 100 and name.startswith(said)
    results = malformed_node.send("POST", "/v1/addresses", {"owner": "pod", "addresses": [
        {"address": A, "interface": name}]}).reply().body["results"]
    assert [(r["address"], r["status"]) for r in results] == [(A, 404)]


def test_malformed_one_of_several(malformed_node):
    """Each result says of which address it is, as it was sent if it is none."""
    items = [{"address": "10.0.10.300"}, {"address": A, "owner": "pod"}, {"address": 7}, "ten"]
    reply = malformed_node.send("POST", "/v1/addresses", {"owner": "pod", "addresses": items}).reply()
    assert reply.status == 200
    assert [(r["address"], r["status"], r["error"]["code"]) for r in reply.body["results"]] == [
        ("10.0.10.300", 400, "bad_address"), (A, 400, "bad_request"), ("", 400, "bad_request"),
        ("", 400, "bad_request")]
    assert malformed_node.addresses() == {}


@pytest.fixture(scope="module")
def malformed_node(pods):
    with Registering(pods) as node:
        yield node


def test_too_large(malformed_node):
    reply = malformed_node.send("PUT", f"/v1/addresses/{A}", {"owner": "p" * (1 << 16)}).reply()
    assert (reply.status, reply.code) == (413, "too_large")


def curl_as_nobody(node, method, target, body) -> tuple:
    """Status and body of a request by a user who is not root, in no group but his own."""
    assert os.geteuid() == 0, "only root can ask as somebody else"
    os.chmod(node.daemon.socket_path, 0o666)
    result = subprocess.run(
        ["curl", "-sS", "-X", method, "--max-time", "10", "--unix-socket", "multus-eks.sock", "-d", body,
         "-w", "\n%{http_code}", f"http://localhost{target}"],
        cwd=node.daemon.directory, user=65534, group=65534, extra_groups=[], stdout=subprocess.PIPE,
        check=True, text=True)
    text, status = result.stdout.rsplit("\n", 1)
    return int(status), json.loads(text)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as somebody else")
def test_peer_not_allowed(node):
    status, body = curl_as_nobody(node, "PUT", f"/v1/addresses/{A}", '{"owner": "pod"}')
    assert (status, body["error"]["code"]) == (403, "forbidden")
    assert node.addresses() == {} and node.calls(ASSIGN) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as somebody else")
def test_peer_of_the_group_and_too_fast(pods):
    with Registering(pods, socket_group="nogroup") as node:
        # The file of the socket is root's group's, which the daemon cannot change.
        assert [e["GROUP"] for e in node.daemon.log(message_ids()["SOCKET_GROUP"])] == ["nogroup"]
        assert curl_as_nobody(node, "PUT", f"/v1/addresses/{A}", '{"owner": "pod"}')[0] == 200
        flood = {"owner": "pod", "addresses": [{"address": "x"}] * 1000}
        assert curl_as_nobody(node, "POST", "/v1/addresses", json.dumps(flood))[0] == 200
        status, body = curl_as_nobody(node, "PUT", f"/v1/addresses/{B}", '{"owner": "pod"}')
        assert (status, body["error"]["code"]) == (429, "too_fast")
        assert node.put(B, "root").status == 200
        assert node.owners() == {A: "pod", B: "root"}


def test_no_such_group(pods):
    """Nothing is served but root, and it is said what makes the group."""
    with Registering(pods, socket_group="no-such-group") as node:
        [said_so] = [e["MESSAGE"] for e in node.daemon.log() if "no-such-group" in e["MESSAGE"]]
        assert "systemd-sysusers" in said_so and "socket_group" in said_so
        assert node.put(A).status == 200


@pytest.mark.parametrize("address", ["10.0.10.0", "10.0.10.1", "10.0.10.2", "10.0.10.3", "10.0.10.255",
                                     "2001:db8:e2c:10::", "2001:db8:e2c:10::3",
                                     "2001:db8:e2c:10:ffff:ffff:ffff:ffff"])
def test_reserved_by_aws(malformed_node, address):
    reply = malformed_node.put(address)
    assert (reply.status, reply.code) == (409, "reserved")
    assert malformed_node.calls(ASSIGN) == [] == malformed_node.calls(ASSIGN6)


def test_own_primary(malformed_node):
    reply = malformed_node.put(malformed_node.eni()["ipv4"][0])
    assert (reply.status, reply.code) == (409, "reserved")
    assert malformed_node.calls(ASSIGN) == []


def ec2_said(node, reply, action) -> dict:
    """The refusal carries EC2's own code and the id of the request."""
    error = reply.body["error"]
    call = [c for c in node.calls(action) if c["request_id"] == error["ec2_request_id"]]
    assert [c["code"] for c in call] == [error["ec2_code"]]
    return error


def test_primary_of_another_interface(pods, node):
    """EC2 alone knows."""
    foreign = pods.control.post("/foreign-eni", {"subnet": SUBNETS[0], "ipv4": [B]})["id"]
    reply = node.put(B)
    assert (reply.status, reply.code) == (409, "reserved")
    assert ec2_said(node, reply, ASSIGN)["ec2_code"] == "InvalidParameterValue"
    assert node.addresses() == {}
    pods.control.delete(f"/enis/{foreign}")


@pytest.mark.parametrize("address, action", [(B, ASSIGN), (V6, ASSIGN6)])
def test_held_elsewhere_and_not_to_be_moved(pods, address, action):
    with Registering(pods) as holder, Registering(pods, allow_reassign="no") as node:
        assert holder.put(address).status == 200
        reply = node.put(address)
        assert (reply.status, reply.code) == (409, "address_in_use")
        ec2_said(node, reply, action)
        assert node.addresses() == {}
        assert address in holder.in_ec2() | holder.in_ec2_6()


def test_refusal_is_said_once(pods):
    """What others have is asked for until it is free; it is news again when it was free meanwhile."""
    with Registering(pods, release_cooldown="0s") as holder, Registering(pods, allow_reassign="no") as node:
        assert holder.put(B).status == 200
        assert [node.put(B).status for _ in range(3)] == [409] * 3
        assert said(node).count(4) == 1
        holder.delete(B)
        until(lambda: node.put(B).status == 200, "it is free")
        assert said(node).count(4) == 1
        assert holder.put(B).status == 200
        until(lambda: node.put(B).status == 409, "what was said is not believed any more")
        assert said(node).count(4) == 2


def said(node) -> list:
    """The levels at which refusals of EC2 were logged."""
    return [int(e["PRIORITY"]) for e in node.daemon.log(message_ids()["AWS_CALL_FAILED"])]


def test_subnets(pods):
    two = ETH1.replace(SUBNETS[0], f"{SUBNETS[0]}, {SUBNETS[0]}, {SUBNETS[1]}")
    with Registering(pods, two) as node:
        reply = node.put("10.0.99.7")
        assert (reply.status, reply.code) == (422, "not_in_subnet")
        reply = node.put(A, interface="eth3")
        assert (reply.status, reply.code) == (422, "not_in_subnet")
        reply = node.put(A, interface="eth7")
        assert (reply.status, reply.code) == (404, "no_such_interface")
        reply = node.put(A)
        assert (reply.status, reply.code) == (400, "ambiguous_interface")
        assert node.put(A, interface="eth2").body["interface"] == "eth2"
        assert node.put("10.0.20.200").body["interface"] == "eth3"
        assert (node.in_ec2("eth1"), node.in_ec2("eth2"), node.in_ec2("eth3")) == \
            (set(), {A}, {"10.0.20.200"})


@pytest.mark.parametrize("address, action", [(B, ASSIGN), (V6, ASSIGN6)])
def test_denied(pods, node, address, action):
    pods.control.deny(f"ec2:{action}")
    reply = node.put(address)
    assert (reply.status, reply.code) == (502, "ec2_denied")
    assert ec2_said(node, reply, action)["ec2_code"] == "UnauthorizedOperation"
    assert node.addresses() == {}
    pods.control.deny()
    assert node.put(address).status == 200


def test_limit_known_beforehand(pods):
    """A t3.micro's interface holds two addresses of a family, one of them its own."""
    with Registering(pods, launch={"type": "t3.micro"}, release_cooldown="1h") as node:
        assert node.put(A).status == 200
        reply = node.put(B)
        assert (reply.status, reply.code) == (507, "address_limit")
        assert len(node.calls(ASSIGN)) == 1
        assert node.put(V6).status == 200
        assert node.put(W6).code == "address_limit"

        # what was given back makes room before its time
        assert node.delete(A).status == 200
        assert node.put(B).status == 200
        assert node.in_ec2() == {B}
        assert [len(node.calls(action)) for action in (ASSIGN, UNASSIGN)] == [2, 1]


def test_limit_told_by_ec2(pods, node):
    pods.control.faults({"action": ASSIGN, "n": 0, "do": "error", "code": "PrivateIpAddressLimitExceeded"})
    reply = node.put(A)
    assert (reply.status, reply.code) == (507, "address_limit")
    assert ec2_said(node, reply, ASSIGN)
    assert len(node.calls(ASSIGN)) == 1
    assert node.addresses() == {}


# -- limits of the socket --------------------------------------------------

def test_more_peers_than_are_served(node):
    """The one too many is told so; when all have gone, the next one is served."""
    peers = []
    try:
        for _ in range(512):
            peers.append(socket.socket(socket.AF_UNIX))
            peers[-1].connect(node.daemon.socket_path)
        reply = node.send("GET", "/v1/status").reply()
        assert (reply.status, reply.code, reply.headers["Retry-After"]) == (503, "too_many_connections", "1")
    finally:
        for peer in peers:
            peer.close()
    until(lambda: node.send("GET", "/v1/status").reply().status == 200, "an end of the crowd")


def test_slow_peer(node):
    """Half a request, and then a byte a second: cut off after ten, while others are served."""
    begin = time.monotonic()
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(node.daemon.socket_path)
        slow.settimeout(1)
        slow.send(b"GET /v1/status HTTP/1.1\r\nHost: ")
        while time.monotonic() - begin < 30:
            try:
                if slow.recv(1) == b"":
                    break
            except TimeoutError:
                assert node.put(A).status == 200
                try:
                    slow.send(b"x")
                except BrokenPipeError:
                    break
    assert 9 < time.monotonic() - begin < 13
