# SPDX-License-Identifier: Apache-2.0
"""QEMU's monitor, played by the test: replies in any order, events, errors, the end."""

import asyncio
import contextlib
import json

import pytest
from ec2sim.qmp import Qmp


class Monitor:
    """The other end of a connection."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer

    def say(self, **message) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def hear(self) -> dict:
        return json.loads(await self._reader.readline())

    def hang_up(self) -> None:
        self._writer.close()


@contextlib.asynccontextmanager
async def connected(path):
    """(the client, the monitor), after the greeting."""
    here = asyncio.get_running_loop().create_future()

    def accept(reader, writer):
        here.set_result(Monitor(reader, writer))

    async with await asyncio.start_unix_server(accept, path):
        opening = asyncio.create_task(Qmp.open(path))
        monitor = await here
        monitor.say(QMP={"version": {}})
        first = await monitor.hear()
        assert first["execute"] == "qmp_capabilities"
        monitor.say(id=first["id"], **{"return": {}})
        qmp = await opening
        yield qmp, monitor
        qmp.close()
        monitor.hang_up()


def test_replies_by_number(tmp_path):
    async def run():
        async with connected(str(tmp_path / "qmp")) as (qmp, monitor):
            one = asyncio.create_task(qmp.execute("netdev_add", id="a"))
            first = await monitor.hear()
            two = asyncio.create_task(qmp.execute("device_add", chassis_nr=2))
            second = await monitor.hear()
            assert first["arguments"] == {"id": "a"} and second["arguments"] == {"chassis-nr": 2}
            monitor.say(id=second["id"], **{"return": 2})
            monitor.say(id=first["id"], error={"class": "GenericError", "desc": "no such thing"})
            assert await two == 2
            with pytest.raises(OSError, match="no such thing"):
                await one
    asyncio.run(run())


def test_events(tmp_path):
    async def run():
        async with connected(str(tmp_path / "qmp")) as (qmp, monitor):
            gone = qmp.expect("DEVICE_DELETED", device="eni-2")
            monitor.say(event="DEVICE_DELETED", data={"device": "eni-1"})
            monitor.say(event="RESET")
            monitor.say(event="DEVICE_DELETED", data={"device": "eni-2", "path": "/x"})
            assert await gone == {"device": "eni-2", "path": "/x"}
    asyncio.run(run())


def test_the_end(tmp_path):
    """Nothing waits for a QEMU that is no more."""
    async def run():
        async with connected(str(tmp_path / "qmp")) as (qmp, monitor):
            waiting = asyncio.create_task(qmp.execute("cont"))
            gone = qmp.expect("DEVICE_DELETED")
            await monitor.hear()
            monitor.hang_up()
            for what in (waiting, gone):
                with pytest.raises(OSError, match="QEMU has ended"):
                    await what
            with pytest.raises(OSError, match="QEMU has ended"):
                await qmp.execute("cont")
    asyncio.run(run())
