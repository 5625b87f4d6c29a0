# SPDX-License-Identifier: Apache-2.0
"""Filters and pages of EC2's describes.

A filter matches when any of its values does, a describe's filters must all
match; values may hold `*` and `?`, a backslash takes their meaning away. Each
describe declares its filters as a table name -> function(world, resource) that
gives one value or several; a name that is not in the table is refused.

A page token says after which record the next page starts, not at which
number: records that come or go between two pages shift nothing.
"""

import base64
import hashlib
import json
import re

from .errors import AwsError, combination, invalid_value
from .xmlout import scalar

_MAX_VALUES = 200


def _pattern(value: str):
    """A filter value as a regular expression for the whole of a text."""
    parts, chars = [], iter(value)
    for char in chars:
        if char == "\\":
            parts.append(re.escape(next(chars, "\\")))
        elif char == "*":
            parts.append(".*")
        elif char == "?":
            parts.append(".")
        else:
            parts.append(re.escape(char))
    return re.compile("".join(parts), re.DOTALL)


def _as_texts(value) -> list:
    """What a filter function gave, as the texts that values are compared with."""
    if value is None:
        return []
    if isinstance(value, (list, tuple, set)):
        return [scalar(entry) for entry in value]
    return [value if isinstance(value, str) else scalar(value)]


def _getter(name: str, table: dict):
    if name and name.startswith("tag:"):
        return lambda world, resource: resource.tags.get(name[len("tag:"):])
    if name == "tag-key":
        return lambda world, resource: list(resource.tags)
    if name not in table:
        raise invalid_value(f"The filter '{name or 'null'}' is invalid")
    return table[name]


def matcher(world, filters: list, table: dict):
    """
    @filters: list of {"Name", "Value": [...]} of a request
    Return: a function that says of a resource whether all of them match
    """
    tests = []
    for entry in filters:
        getter = _getter(entry["Name"], table)
        if not entry["Value"]:
            raise invalid_value(f"The filter '{entry['Name']}' has no values")
        if len(entry["Value"]) > _MAX_VALUES:
            raise AwsError("FilterLimitExceeded", "The maximum number of filter values specified "
                           f"on a single call is {_MAX_VALUES}")
        tests.append((getter, [_pattern(value) for value in entry["Value"]]))

    def matches(resource) -> bool:
        return all(
            any(p.fullmatch(t) for t in _as_texts(getter(world, resource)) for p in patterns)
            for getter, patterns in tests)

    return matches


def _digest(params: dict) -> str:
    relevant = {k: v for k, v in params.items() if k not in ("NextToken", "MaxResults", "DryRun")}
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()[:16]


def _decode(token: str, digest: str):
    """The key after which the page starts; a token serves the request it was given for."""
    try:
        owner, key = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError):
        owner, key = None, None
    if owner != digest:
        raise AwsError("InvalidNextToken", "The specified NextToken is not valid.")
    return key


def paginate(params: dict, resources: list, key, ids: str = "", low=5, high=1000) -> tuple:
    """
    Cut a page out of @resources.
    @key: gives the key they are listed by, a number or a text
    @ids: the parameter with ids, which MaxResults cannot go with; "" if there is none
    @low, @high: what MaxResults may be
    Return: (the page, NextToken or None)
    """
    size = params["MaxResults"]
    if size is not None and ids and params[ids]:
        raise combination(f"The parameter {ids} cannot be used with the parameter maxResults")
    if size is not None and not low <= size <= high:
        raise invalid_value(f"Value ( {size} ) for parameter maxResults is invalid. "
                            f"Expecting a value between {low} and {high}.")
    size = size or high
    digest = _digest(params)
    rest = sorted(resources, key=key)
    if params["NextToken"]:
        after = _decode(params["NextToken"], digest)
        rest = [resource for resource in rest if key(resource) > after]
    page = rest[:size]
    if len(rest) <= size:
        return page, None
    token = json.dumps([digest, key(page[-1])]).encode()
    return page, base64.urlsafe_b64encode(token).decode()
