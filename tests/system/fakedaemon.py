# SPDX-License-Identifier: Apache-2.0
"""A daemon that keeps addresses in memory and speaks the socket's language, without EC2 behind it.

It does what DELETE, GET, POST and PUT promise and writes down every request, so that its clients can be
tested on their own, and can be made to refuse (`refuse`), to drop connections (`drop`) or to keep silent
(`silent`).
"""

import http.server
import ipaddress
import json
import socketserver
import threading
import urllib.parse


def error(code, message, **more):
    return {"error": {"code": code, "message": message, **more}}


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):  # a unix peer has none
        return "unix"

    def log_message(self, *args):
        pass

    def _handle(self):
        daemon = self.server.daemon
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        with daemon.lock:
            daemon.requests.append((self.command, self.path, body))
            silent, drop = daemon.silent, daemon.drop
            status, document = daemon.answer(self.command, self.path, body)
        if silent:
            daemon.stopping.wait()
        if silent or drop:
            self.close_connection = True
            return
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = _handle


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class FakeDaemon:
    """A context manager that serves @path. @interfaces: name to ENI id; the first one is the default."""

    def __init__(self, path, interfaces=None):
        self.path = str(path)
        self.interfaces = interfaces or {"eth1": "eni-0a", "eth2": "eni-0b"}
        self.addresses = {}       # address to {"owner", "interface"}
        self.refuse = {}          # address to (status, document)
        self.everything = None    # (status, document) for every request
        self.refuse_release = None  # (status, document) for every DELETE
        self.before_release = None  # called with the address that a DELETE is about to release
        self.stops = 0  # so many requests find it stopping
        self.requests = []
        self.silent = self.drop = False
        self.status = {"phase": "ready", "ready": True, "interfaces": []}
        self.lock = threading.Lock()
        self.stopping = threading.Event()

    def __enter__(self):
        self._server = _Server(self.path, _Handler)
        self._server.daemon = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_exception):
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def owners(self):
        """Address to owner."""
        return {address: entry["owner"] for address, entry in self.addresses.items()}

    def methods(self):
        return [method for method, _path, _body in self.requests]

    def answer(self, method, path, body):
        url = urllib.parse.urlsplit(path)
        parts = [urllib.parse.unquote(part) for part in url.path.strip("/").split("/")]
        query = dict(urllib.parse.parse_qsl(url.query))
        if self.stops > 0:
            self.stops -= 1
            return 503, error("stopping", "the daemon is stopping")
        if self.everything:
            return self.everything
        if parts == ["v1", "status"] and method == "GET":
            return 200, self.status
        if parts[:2] == ["v1", "addresses"]:
            if method == "GET" and len(parts) == 2:
                return 200, {"addresses": [self._item(a) for a in sorted(self.addresses)]}
            if method == "POST" and len(parts) == 2:
                return 200, {"results": [self._register(item["address"], body["owner"], item.get("interface"))
                                         for item in body["addresses"]]}
            if method == "PUT" and len(parts) == 3:
                result = self._register(parts[2], body["owner"], body.get("interface"))
                return result["status"], result
            if method == "DELETE" and len(parts) == 3:
                return self._release(parts[2], query.get("owner"))
        return 404, error("not_found", "no such resource")

    def _item(self, address):
        entry = self.addresses[address]
        return {"address": address, "interface": entry["interface"], "owner": entry["owner"],
                "eni_id": self.interfaces[entry["interface"]], "state": entry.get("state", "wanted"),
                "assigned": entry.get("assigned", True), "since": "2026-11-21T10:55:00.123Z"}

    def _register(self, address, owner, interface):
        address = str(ipaddress.ip_address(address))
        if address in self.refuse:
            status, document = self.refuse[address]
            return {"address": address, "status": status, **document}
        interface = interface or next(iter(self.interfaces))
        if interface not in self.interfaces:
            return {"address": address, "status": 404, **error("no_interface", f"no interface {interface}")}
        self.addresses[address] = {"owner": owner, "interface": interface}
        return {"address": address, "status": 200, "interface": interface,
                "eni_id": self.interfaces[interface]}

    def _release(self, address, owner):
        address = str(ipaddress.ip_address(address))
        if self.refuse_release:
            return self.refuse_release
        if self.before_release:
            self.before_release(address)
        entry = self.addresses.get(address)
        if entry and entry["owner"] != owner:
            return 409, error("owned_by_another", f"{address} belongs to {entry['owner']}")
        self.addresses.pop(address, None)
        return 200, {"address": address, "status": 200}
