# SPDX-License-Identifier: Apache-2.0
"""Flat query parameters to nested data, by a schema declared per action.

Both EC2 and Auto Scaling are called with a form of flat names
(`TagSpecification.1.Tag.2.Key=a`). An action declares what it takes with the
constructors below; parse() returns a dict with every declared name: lists that
were not sent are [], everything else that was not sent is None. EC2 refuses
names it does not know, and so do we: a misspelt parameter that is silently
ignored is the error that a simulator is there to find. Auto Scaling on AWS is
more lenient; here it is not.
"""

from dataclasses import dataclass, field

from .errors import AwsError, invalid_value


@dataclass(frozen=True)
class Field:
    """One parameter: its kind, and for lists and structures what is in it."""

    kind: str
    required: bool = False
    item: "Field | None" = None
    members: dict = field(default_factory=dict)
    wrapper: str = ""


def text(required: bool = False) -> Field:
    return Field("text", required)


def integer(required: bool = False) -> Field:
    return Field("integer", required)


def boolean(required: bool = False) -> Field:
    return Field("boolean", required)


def struct(members: dict, required: bool = False) -> Field:
    return Field("struct", required, members=members)


def listing(item: Field, required: bool = False) -> Field:
    """EC2's form of a list: `Name.1`, `Name.2`."""
    return Field("list", required, item=item)


def member_list(item: Field, required: bool = False) -> Field:
    """The query protocol's form of a list: `Name.member.1`."""
    return Field("list", required, item=item, wrapper="member")


def unsupported() -> Field:
    """A parameter that AWS knows and this simulator does not act on."""
    return Field("unsupported")


FILTERS = listing(struct({"Name": text(), "Value": listing(text())}))


def parse(schema: dict, flat: list) -> dict:
    """Return the nested parameters of @flat, a list of (name, value)."""
    tree: dict = {}
    for name, value in flat:
        _insert(tree, name, value)
    return _struct_value(struct(schema), tree, "")


def _unknown(name: str) -> AwsError:
    return AwsError("UnknownParameter", f"The parameter {name} is not recognized")


def _missing(name: str) -> AwsError:
    return AwsError("MissingParameter", f"The request must contain the parameter {name}")


def _insert(tree: dict, name: str, value: str) -> None:
    """Put one flat parameter into the tree of dicts and strings."""
    *path, leaf = name.split(".")
    node = tree
    for part in path:
        node = node.setdefault(part, {})
        if not isinstance(node, dict):
            raise invalid_value(f"The parameter {name} conflicts with another parameter")
    if leaf in node:
        raise invalid_value(f"The parameter {name} was given more than once")
    node[leaf] = value


def _convert(spec: Field, raw, name: str):
    """One node of the tree to the value that its schema calls for."""
    if spec.kind == "unsupported":
        raise AwsError("UnsupportedOperation", f"{name} is not simulated")
    if spec.kind == "struct":
        return _struct_value(spec, raw, name + ".")
    if spec.kind == "list":
        return _list_value(spec, raw, name)
    if not isinstance(raw, str):
        raise _unknown(name + "." + next(iter(raw)))
    if spec.kind == "integer":
        return _integer_value(raw, name)
    if spec.kind == "boolean":
        return _boolean_value(raw, name)
    return raw


def _struct_value(spec: Field, raw, prefix: str) -> dict:
    if not isinstance(raw, dict):
        raise _unknown(prefix.rstrip("."))
    for name in raw:
        if name not in spec.members:
            raise _unknown(prefix + name)
    result = {}
    for name, member in spec.members.items():
        if name in raw:
            result[name] = _convert(member, raw[name], prefix + name)
        elif member.required:
            raise _missing(prefix + name)
        else:
            result[name] = [] if member.kind == "list" else None
    return result


def _list_value(spec: Field, raw, name: str) -> list:
    """Items in the order of their numbers; gaps are allowed, as on AWS."""
    if isinstance(raw, dict) and spec.wrapper:
        extra = set(raw) - {spec.wrapper}
        if extra:
            raise _unknown(f"{name}.{extra.pop()}")
        raw, name = raw[spec.wrapper], f"{name}.{spec.wrapper}"
    if not isinstance(raw, dict):
        # `Name=` with nothing: how the protocol writes an empty list
        if raw == "":
            return []
        raise _unknown(name)
    for index in raw:
        if not index.isdecimal() or int(index) < 1:
            raise _unknown(f"{name}.{index}")
    order = sorted(raw, key=int)
    return [_convert(spec.item, raw[index], f"{name}.{index}") for index in order]


def _integer_value(raw: str, name: str) -> int:
    try:
        return int(raw, 10)
    except ValueError:
        raise invalid_value(f"Invalid integer value {raw} for parameter {name}") from None


def _boolean_value(raw: str, name: str) -> bool:
    if raw.lower() not in ("true", "false"):
        raise invalid_value(f"Invalid boolean value {raw} for parameter {name}")
    return raw.lower() == "true"
