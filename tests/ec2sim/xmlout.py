# SPDX-License-Identifier: Apache-2.0
"""Nested python data to the XML that AWS answers with.

A dict becomes elements in its order, a list becomes `<item>` (EC2) or
`<member>` (Auto Scaling) elements, None is left out, an empty list is an empty
element. Names are the wire's, so that an action's data reads like the API
reference. Replies are indented, as EC2's are: a client whose parser takes the
white space between elements for content must fail here, not in production.
"""

import re
from datetime import datetime
from xml.sax.saxutils import escape

_HEADER = '<?xml version="1.0" encoding="UTF-8"?>\n'
# XML 1.0 has no way to write these, not even as references
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

EC2_VERSION = "2016-11-15"
AUTOSCALING_VERSION = "2011-01-01"


def _namespace(service: str) -> str:
    if service == "autoscaling":
        return f"http://autoscaling.amazonaws.com/doc/{AUTOSCALING_VERSION}/"
    return f"http://ec2.amazonaws.com/doc/{EC2_VERSION}/"


def scalar(value) -> str:
    """The text of a value that is neither dict nor list."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}Z"
    return escape(_FORBIDDEN.sub("\ufffd", str(value)))


def _element(name: str, value, item: str, depth: int, attributes: str = "") -> str:
    pad = "    " * depth
    if value is None:
        return ""
    if isinstance(value, dict):
        inner = "".join(_element(k, v, item, depth + 1) for k, v in value.items())
    elif isinstance(value, (list, tuple)):
        inner = "".join(_element(item, v, item, depth + 1) for v in value)
    else:
        return f"{pad}<{name}{attributes}>{scalar(value)}</{name}>\n"
    if not inner:
        return f"{pad}<{name}{attributes}/>\n"
    return f"{pad}<{name}{attributes}>\n{inner}{pad}</{name}>\n"


def _document(name: str, value: dict, item: str, namespace: str = "") -> bytes:
    attributes = f' xmlns="{namespace}"' if namespace else ""
    return (_HEADER + _element(name, value, item, 0, attributes)).encode()


def reply(service: str, action: str, data, request_id: str) -> bytes:
    """The body of a successful call; @data may be None where there is nothing to say."""
    if service == "autoscaling":
        value = {f"{action}Result": data or {}, "ResponseMetadata": {"RequestId": request_id}}
        return _document(f"{action}Response", value, "member", _namespace(service))
    value = {"requestId": request_id, **(data or {})}
    return _document(f"{action}Response", value, "item", _namespace(service))


def error(service: str, code: str, message: str, request_id: str, status: int = 400) -> bytes:
    """The body of a refused call."""
    detail = {"Code": code, "Message": message}
    if service == "autoscaling":
        kind = "Sender" if status < 500 else "Receiver"
        value = {"Error": {"Type": kind, **detail}, "RequestId": request_id}
        return _document("ErrorResponse", value, "member", _namespace(service))
    # EC2 spells RequestID differently in an error and gives it no namespace
    value = {"Errors": {"Error": detail}, "RequestID": request_id}
    return _document("Response", value, "item")
