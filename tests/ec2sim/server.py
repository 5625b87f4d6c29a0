# SPDX-License-Identifier: Apache-2.0
"""The EC2 and Auto Scaling endpoints.

A call goes through the stages in AWS's order: read, signature, throttle, the
time it takes, the fault script, the action, the reply. Every stage that ends
it answers in the words of its service. The gate holds a call before or after
the action. What the client is made to wait is the latency that was set and
nothing else: all else happens within a few milliseconds.
"""

import asyncio
import uuid
from urllib.parse import parse_qsl

from . import autoscaling, dispatch, ec2, sigv4, wire
from .action import Caller
from .errors import AwsError

_ACTIONS = {"ec2": ec2.ACTIONS, "autoscaling": autoscaling.ACTIONS}
_THROTTLED = {"ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
              "autoscaling": ("Throttling", "Rate exceeded", 400)}
# EC2 sends short replies with their length and longer ones in chunks
_CHUNK_ABOVE = 2048


class Call:
    """One API call on its way through the stages."""

    def __init__(self, region, request, writer, service: str):
        self.region, self.request, self.writer, self.service = region, request, writer, service
        self.id = str(uuid.uuid4())
        text = request.body.decode("utf-8", "replace")
        if request.method == "GET":
            text = request.target.partition("?")[2]
        self.params = parse_qsl(text, keep_blank_values=True)
        names = dict(self.params)
        self.action, self.version = names.get("Action", ""), names.get("Version", "")
        known = _ACTIONS[service].get(self.action)
        self.mutating = known.mutating if known else False
        self.entry: dict = {}

    def error(self, code: str, message: str, status: int):
        return status, dispatch.error_body(self.service, code, message, self.id, status)

    def authenticate(self):
        """The caller; raises AwsError. The call is in the log either way."""
        region, instance_id = self.region, None
        try:
            credential = sigv4.verify(
                self.request.method, self.request.target, self.request.headers, self.request.body,
                self.service, region.world.region, region.clock.now(), region.credentials.lookup,
                region.unsigned_payload)
            instance_id = credential.instance_id
        finally:
            self.entry = region.log.call(self.service, self.action, self.params, instance_id,
                                         self.mutating)
            self.entry["request_id"] = self.id
        return Caller(region.world.account_id, credential.role, instance_id,
                      region.denied.get(credential.role, set()),
                      region.policies.get(credential.role))

    def carry_out(self, caller):
        return dispatch.dispatch(self.region.world, self.service, self.action, self.version,
                                 self.params, caller, self.id)

    # -- stages ------------------------------------------------------------

    async def run(self) -> bool:
        """All stages. Return: whether the connection goes on."""
        start = asyncio.get_running_loop().time()
        try:
            caller = self.authenticate()
        except AwsError as error:
            return self.send(*self.error(error.code, error.message, error.status))
        if not self.region.throttle.admit(self.action, self.mutating):
            return self.send(*self.error(*_THROTTLED[self.service]))
        node = caller.instance_id
        rule = self.region.faults.match(self.action, node)
        counted = self.region.gate.counts(self.action, node)
        await self._take_time(start)
        if rule:
            self.entry["fault"] = rule.deed
            early = await self._fail_early(rule)
            if early is not None:
                return early
        if counted and not await self._hold("before"):
            return False
        status, body = self.carry_out(caller)
        if counted and not await self._hold("after"):
            return False
        if rule:
            return await self._fail_late(rule, status, body)
        return self.send(status, body)

    async def _take_time(self, start: float) -> None:
        wait = start + self.region.latency.of(self.action) - asyncio.get_running_loop().time()
        if wait > 0:
            await asyncio.sleep(wait)

    async def _hold(self, when: str) -> bool:
        what = {"action": self.action, "service": self.service, "request_id": self.id,
                "instance": self.entry["instance"], "params": dict(self.params)}
        return await self.region.gate.hold(when, what) or self.close()

    async def _fail_early(self, rule):
        """The faults in which nothing is done. Return None if the rule is not one."""
        if rule.deed == "close-before":
            return self.close()
        if rule.deed == "hang":
            await asyncio.sleep(rule.seconds)
            return self.close()
        if rule.deed == "throttle":
            return self.send(*self.error(*_THROTTLED[self.service]))
        if rule.deed == "500":
            return self.send(*self.error("InternalError" if self.service == "ec2" else
                                         "InternalFailure", "An internal error has occurred", 500))
        if rule.deed == "503":
            return self.send(*self.error("Unavailable" if self.service == "ec2" else
                                         "ServiceUnavailable", "The server is overloaded and "
                                         "can't handle the request.", 503))
        if rule.deed == "error":
            return self.send(*self.error(rule.code, rule.message, rule.status))
        return None

    async def _fail_late(self, rule, status: int, body: bytes) -> bool:
        """The faults in which the call is done and its reply suffers."""
        if rule.deed == "close-after":
            return self.close()
        if rule.deed == "hang-after":
            await asyncio.sleep(rule.seconds)
            return self.close()
        if rule.deed == "truncated":
            return self.send(status, body[:len(body) // 2])
        if rule.deed == "garbage":
            return self.send(status, b"<?xml version='1.0'?><\x00\xff&&;<a><b></a>" + body[:40][::-1])
        if rule.deed == "huge":
            return await self._send_huge(status, rule.size)
        return await self._send_slowly(status, body, rule.seconds)

    # -- replies -----------------------------------------------------------

    def _headers(self) -> dict:
        return {"x-amzn-RequestId": self.id, "Date": self.region.http_date(),
                "Content-Type": "text/xml;charset=UTF-8", "Server": "AmazonEC2",
                **({} if self.request.keep_alive else {"Connection": "close"})}

    def send(self, status: int, body: bytes) -> bool:
        pack = wire.chunked if len(body) > _CHUNK_ABOVE and self.request.version == "HTTP/1.1" \
            else wire.reply
        self.writer.write(pack(status, body, self._headers()))
        self.region.log.answered(self.entry, status, body)
        return self.request.keep_alive

    def close(self) -> bool:
        """End the connection without a reply."""
        self.region.log.answered(self.entry, None)
        self.writer.transport.abort()
        return False

    async def _send_huge(self, status: int, size: int) -> bool:
        """Well-formed as far as it goes: only a ceiling on the size helps."""
        self.writer.write(wire.head(status, {**self._headers(), "Content-Length": size}))
        self.region.log.answered(self.entry, status)
        start = f"<?xml version=\"1.0\"?>\n<{self.action}Response><pad>".encode()
        self.writer.write(start)
        sent, block = len(start), b"x" * 65536
        while sent < size:
            piece = block[:size - sent]
            self.writer.write(piece)
            await self.writer.drain()
            sent += len(piece)
        return self.request.keep_alive

    async def _send_slowly(self, status: int, body: bytes, seconds: float) -> bool:
        """The whole reply, a few bytes at a time over @seconds."""
        whole = wire.reply(status, body, self._headers())
        steps = 50
        size = -(-len(whole) // steps)
        for start in range(0, len(whole), size):
            self.writer.write(whole[start:start + size])
            await self.writer.drain()
            await asyncio.sleep(seconds / steps)
        self.region.log.answered(self.entry, status, body)
        return self.request.keep_alive


def api_handler(region, service: str | None):
    """
    The handler of an endpoint's connections.
    @service: ec2, autoscaling; None: by the scope of each signature
    """
    async def handle(request, writer) -> bool:
        wanted = service or sigv4.service_of(request.headers)
        call = Call(region, request, writer, wanted if wanted in _ACTIONS else "ec2")
        return await call.run()
    return handle
