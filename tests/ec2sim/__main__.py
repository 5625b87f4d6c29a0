# SPDX-License-Identifier: Apache-2.0
"""python3 -m ec2sim: run the simulated region until SIGTERM or SIGINT.

Prints one line of JSON when every socket listens: the addresses by which tests
find it. Sockets may be inherited (LISTEN_FDS), named ec2, autoscaling, control
or imds by LISTEN_FDNAMES, in that order if they have no names.
"""

import argparse
import asyncio
import contextlib
import gc
import ipaddress
import json
import os
import signal
import socket
import sys

from . import scenario, wire
from .clock import Clock
from .control import Control
from .fabric import Fabric
from .guest import GuestPlugger
from .plug import Node, NullPlugger, VethPlugger
from .region import Region
from .server import api_handler

LISTEN_FDS_START = 3
IMDS_ADDRESS = ("169.254.169.254", 80)
_PLUGGERS = {"null": NullPlugger, "veth": VethPlugger, "guest": GuestPlugger}


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="ec2sim", description="a simulated AWS region")
    add = parser.add_argument
    add("--scenario", help="what the world is: JSON, a file of it, - for stdin (default: the sample)")
    add("--control", help="path of the control socket")
    add("--ec2", default="127.0.0.1:0", help="ADDRESS:PORT of the EC2 endpoint")
    add("--autoscaling", default="127.0.0.1:0", help="the same for Auto Scaling")
    add("--port", type=int, help="port of the EC2 endpoint, 0: any")
    add("--tls", metavar="DIR", help="HTTPS too; write ca.pem and the keys to DIR")
    add("--ec2-tls", default="", help="ADDRESS:PORT of EC2's HTTPS (default: any port)")
    add("--autoscaling-tls", default="", help="the same for Auto Scaling")
    add("--tls-name", action="append", help="name in the certificate, instead of the right ones")
    add("--key", action="append", default=[], metavar="ID:SECRET", help="another operator's key")
    add("--plug", choices=tuple(_PLUGGERS), default="null", help="how an ENI becomes a device")
    add("--latency", type=json.loads, default={}, help="JSON: action -> seconds")
    add("--buckets", action="store_true", help="EC2's token buckets from the start")
    add("--no-imds", action="store_true", help="no metadata listeners but those asked for later")
    add("--unsigned-payload", action="store_true", help="accept UNSIGNED-PAYLOAD")
    add("--exit-on-eof", action="store_true", help="end when stdin ends")
    return parser.parse_args(argv)


def _inherited() -> dict:
    """The sockets passed by LISTEN_FDS, by name."""
    if os.environ.pop("LISTEN_PID", str(os.getpid())) != str(os.getpid()):
        return {}
    count = int(os.environ.pop("LISTEN_FDS", "0"))
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    if len(names) != count:
        names = ["ec2", "autoscaling", "control", "imds"][:count]
    sockets = {}
    for number, name in enumerate(names):
        sockets[name] = socket.socket(fileno=LISTEN_FDS_START + number)
        sockets[name].set_inheritable(False)
    return sockets


def _listen(address: str, device: str = "") -> socket.socket:
    """A listening TCP socket; with @device only for what comes in there."""
    host, _, port = address.rpartition(":")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if device:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0")
    listener.bind((host, int(port)))
    listener.listen(4096)
    return listener


def _url(listener: socket.socket, scheme: str = "http") -> str:
    host, port = listener.getsockname()[:2]
    default = 443 if scheme == "https" else 80
    return f"{scheme}://{host}" if port == default else f"{scheme}://{host}:{port}"


class Program:
    """The sockets of a region."""

    def __init__(self, args):
        self.args = args
        clock = Clock()
        world = scenario.build(_description(args.scenario), clock)
        self.region = Region(world, clock, _PLUGGERS[args.plug])
        self.region.latency.update(args.latency)
        self.region.unsigned_payload = args.unsigned_payload
        if args.buckets:
            self.region.throttle.enable()
        for key in args.key:
            self.region.credentials.add_operator(*key.split(":", 1))
        self.ready: dict = {"imds": {}}
        self._servers: list = []
        self._inherited = _inherited()

    async def _serve(self, listener, handler, context=None) -> None:
        server = await asyncio.start_server(wire.Connections(handler).accept, sock=listener, ssl=context,
                                            limit=wire.MAX_HEADER)
        self._servers.append(server)

    async def start(self) -> None:
        """Open every socket and say where they are."""
        args = self.args
        if args.plug != "null":
            own = [address.rpartition(":")[0] for address in (args.ec2, args.autoscaling)]
            self.region.plugger.fabric = Fabric(self.region.world, [IMDS_ADDRESS[0], *own],
                                                self.region.log.event)
            self.region.plugger.fabric.start()
        if args.port is not None:
            args.ec2 = f"{args.ec2.rpartition(':')[0]}:{args.port}"
        for name in ("ec2", "autoscaling"):
            listener = self._inherited.get(name) or _listen(getattr(args, name))
            await self._serve(listener, api_handler(self.region, name))
            self.ready[name] = _url(listener)
        if args.tls:
            await self._start_tls()
        await self._start_control()
        if not args.no_imds:
            for instance in self.region.world.instances.values():
                await self.connect(instance)
        self.ready["region"] = self.region.world.region
        print(json.dumps(self.ready), flush=True)

    async def _start_tls(self) -> None:
        from . import tls
        args, region = self.args, self.region.world.region
        listeners = {}
        for name in ("ec2", "autoscaling"):
            host = getattr(args, name).rpartition(":")[0]
            listeners[name] = _listen(getattr(args, f"{name}_tls") or f"{host}:0")
        names = [sock.getsockname()[0] for sock in listeners.values()]
        names += [f"{name}.{region}.amazonaws.com" for name in listeners] + ["localhost"]
        context = tls.make(args.tls, args.tls_name or names)
        for name, listener in listeners.items():
            await self._serve(listener, api_handler(self.region, name), context)
            self.ready[f"{name}_tls"] = _url(listener, "https")
        self.ready["ca_file"] = os.path.abspath(os.path.join(args.tls, "ca.pem"))

    async def _start_control(self) -> None:
        listener = self._inherited.get("control")
        if listener is None and self.args.control:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.args.control)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(self.args.control)
            listener.listen(64)
        if listener is not None:
            await self._serve(listener, Control(self.region, self.connect).handle)
            name = listener.getsockname()
            self.ready["control"] = name if isinstance(name, str) else "@" + name[1:].decode()

    async def connect(self, instance, netns=None, name=None, imds=None, qmp=None) -> dict:
        """
        Give a node its metadata listener and, with a namespace or a virtual machine, its devices.
        @netns: name or path of the namespace
        @name: of the first interface there (ens5)
        @imds: ADDRESS:PORT of the listener
        @qmp: path of the monitor of a QEMU that waits to be switched on
        """
        world, device = self.region.world, ""
        primary = world.enis_of(instance)[0]
        subnet = world.subnets[primary.subnet_id]
        gateway = subnet.cidr.network_address + 1
        if netns:
            instance.node = Node(netns)
            device = self.region.plugger.plug_primary(instance, primary, gateway, name or "ens5")
        elif qmp:
            device = await self.region.plugger.equip(instance, qmp, world.enis_of(instance), gateway)
        if netns or qmp:
            imds = imds or "%s:%d" % IMDS_ADDRESS
        listener = self._inherited.pop("imds", None) or _listen(imds or "127.0.0.1:0", device)
        await self._serve(listener, self.region.metadata_of(instance).handle)
        self.ready["imds"][instance.id] = _url(listener)
        if netns:
            for eni in world.enis_of(instance)[1:]:
                self.region.plugger.plug(instance, eni)
        elif qmp:
            await instance.node.go()
        return {"id": instance.id, "imds": _url(listener), "mac": primary.mac,
                "address": str(ipaddress.ip_interface((primary.primary_ip, subnet.cidr.prefixlen))),
                "gateway": str(gateway), "name": name or "ens5"}

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        await self.region.plugger.close()
        if self.args.control and "control" not in self._inherited:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.args.control)


def _description(path):
    if path is None:
        return None
    if path == "-":
        return json.load(sys.stdin)
    if path.startswith("{"):
        return json.loads(path)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


async def _main(args) -> None:
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end.set)
    if args.exit_on_eof:
        loop.add_reader(0, lambda: None if os.read(0, 4096) else end.set())
    program = Program(args)
    await program.start()
    # a collection in the middle of a benchmark would be taken for the client's slowness
    gc.collect()
    gc.freeze()
    await end.wait()
    await program.stop()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(_arguments(sys.argv[1:])))
