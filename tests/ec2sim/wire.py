# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 as a server needs it here: requests in, replies out, no more.

Own code instead of http.server because one loop must hold thousands of
connections, and because the faults of the script happen at this level.
"""

import asyncio
from http import HTTPStatus

MAX_HEADER = 64 * 1024
MAX_BODY = 2 * 1024 * 1024


class HttpError(Exception):
    """A request that cannot be read; the connection ends with this status."""

    def __init__(self, status: int, text: str):
        super().__init__(text)
        self.status = status


class Request:
    """One request: @target as sent, header names in lower case."""

    def __init__(self, method: str, target: str, version: str, headers: dict):
        self.method, self.target, self.version, self.headers = method, target, version, headers
        self.body = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def keep_alive(self) -> bool:
        wish = self.headers.get("connection", "").lower()
        return wish == "keep-alive" if self.version == "HTTP/1.0" else wish != "close"


def _parse_head(head: bytes) -> Request:
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise HttpError(400, "malformed request line")
    headers: dict = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise HttpError(400, "malformed header")
        name, value = name.lower(), value.strip()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return Request(parts[0], parts[1], parts[2], headers)


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
    """Read one request with its body. Return None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise HttpError(400, "the request ends in its header") from None
        return None
    except asyncio.LimitOverrunError:
        raise HttpError(431, "header too large") from None
    request = _parse_head(head[:-4])
    if request.headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" in request.headers.get("transfer-encoding", "").lower():
        request.body = await _read_chunks(reader)
    else:
        request.body = await _read_exactly(reader, request.headers.get("content-length", "0"), 10)
    return request


async def _read_exactly(reader, length: str, base: int) -> bytes:
    try:
        count = int(length, base)
    except ValueError:
        raise HttpError(400, "bad length") from None
    if not 0 <= count <= MAX_BODY:
        raise HttpError(413, "body too large")
    try:
        return await reader.readexactly(count)
    except asyncio.IncompleteReadError:
        raise HttpError(400, "the request ends in its body") from None


async def _read_chunks(reader) -> bytes:
    body = b""
    while True:
        line = await reader.readline()
        chunk = await _read_exactly(reader, line.partition(b";")[0].strip().decode("latin-1"), 16)
        body += chunk
        if len(body) > MAX_BODY:
            raise HttpError(413, "body too large")
        if not chunk:
            break
        await reader.readline()
    while (await reader.readline()).strip():
        pass  # trailers
    return body


def head(status: int, headers: dict) -> bytes:
    """The status line and header of a reply."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}"] + [f"{k}: {v}" for k, v in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def reply(status: int, body: bytes, headers: dict, method: str = "GET") -> bytes:
    """A whole reply with its length."""
    whole = head(status, {**headers, "Content-Length": len(body)})
    return whole if method == "HEAD" else whole + body


def chunked(status: int, body: bytes, headers: dict, size: int = 4096) -> bytes:
    """A whole reply in chunks, as EC2 sends its longer ones."""
    parts = [head(status, {**headers, "Transfer-Encoding": "chunked"})]
    for start in range(0, len(body), size):
        piece = body[start:start + size]
        parts.append(b"%x\r\n%s\r\n" % (len(piece), piece))
    return b"".join(parts) + b"0\r\n\r\n"


async def serve(reader, writer, handler) -> None:
    """
    Serve one connection.
    @handler: async (request, writer) -> True to go on with the connection
    """
    try:
        while True:
            request = await read_request(reader, writer)
            if request is None or not await handler(request, writer):
                break
            await writer.drain()
    except HttpError as error:
        writer.write(reply(error.status, str(error).encode(), {"Connection": "close"}))
    except (ConnectionError, asyncio.CancelledError, TimeoutError):
        pass
    finally:
        writer.close()


class Connections:
    """
    Serves connections with @handler, as serve() does.

    A task that nobody else refers to may be collected while it waits, and asyncio refers to that of a
    connection only until the client is gone. What was asked before is carried out all the same.
    """

    def __init__(self, handler):
        self._handler = handler
        self._tasks: set = set()

    def accept(self, reader, writer) -> None:
        """For asyncio.start_server()."""
        task = asyncio.get_running_loop().create_task(serve(reader, writer, self._handler))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
