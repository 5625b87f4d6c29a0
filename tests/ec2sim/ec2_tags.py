# SPDX-License-Identifier: Apache-2.0
"""Tags: the rules that all resources share, CreateTags and DescribeTags' view of them."""

from .action import Action
from .errors import AwsError, invalid_value
from .params import listing, struct, text

TAGS = listing(struct({"Key": text(), "Value": text()}))

_MAX_TAGS = 50
_MAX_KEY = 128
_MAX_VALUE = 256
# prefix of the id, type as DescribeTags names it, attribute of World that holds them
_KINDS = (
    ("eni-", "network-interface", "enis"),
    ("i-", "instance", "instances"),
    ("subnet-", "subnet", "subnets"),
    ("sg-", "security-group", "groups"),
    ("vpc-", "vpc", "vpcs"),
)


def check_tags(wanted: list, present: dict) -> None:
    """Refuse @wanted, a list of Key and Value, where EC2 would; @present: tags already there."""
    keys = [tag["Key"] for tag in wanted]
    for tag in wanted:
        _check_tag(tag["Key"], tag["Value"] or "")
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise invalid_value(f"Duplicate tag key '{twice}' specified.")
    # the tags that AWS itself puts on a resource do not count
    total = {key for key in [*keys, *present] if not key.startswith("aws:")}
    if len(total) > _MAX_TAGS:
        raise AwsError("TagLimitExceeded", f"The maximum number of tags is {_MAX_TAGS}")


def _check_tag(key, value: str) -> None:
    if not key:
        raise AwsError("InvalidTagKey.Malformed", "Tag keys cannot be empty or null")
    if key.lower().startswith("aws:"):
        raise invalid_value("Tag keys starting with 'aws:' are reserved for internal use")
    if len(key) > _MAX_KEY:
        raise invalid_value(f"Tag key exceeds the maximum length of {_MAX_KEY} characters")
    if len(value) > _MAX_VALUE:
        raise invalid_value(f"Tag value exceeds the maximum length of {_MAX_VALUE} characters")


def tagged_resources(world):
    """Yield (id, type, tags) of everything that can bear a tag and is visible."""
    for _, kind, holder in _KINDS:
        for resource in getattr(world, holder).values():
            if kind != "network-interface" or world.visible(resource):
                yield resource.id, kind, resource.tags


def _find(world, resource_id: str):
    """The resource of an id of whatever kind."""
    if resource_id.startswith("eni-"):
        return world.eni(resource_id)
    if resource_id.startswith("i-"):
        return world.instance(resource_id)
    if resource_id.startswith("subnet-"):
        return world.subnet(resource_id)
    if resource_id.startswith("sg-"):
        return world.group(resource_id)
    if resource_id in world.vpcs:
        return world.vpcs[resource_id]
    raise AwsError("InvalidID", f"The ID '{resource_id}' is not valid")


def create_tags(world, caller, params) -> dict:
    """All resources get all tags, or none gets any."""
    resources = [_find(world, resource_id) for resource_id in params["ResourceId"]]
    for resource in resources:
        check_tags(params["Tag"], resource.tags)
    for resource in resources:
        resource.tags.update({tag["Key"]: tag["Value"] or "" for tag in params["Tag"]})
    return {"return": True}


ACTIONS = [
    Action("CreateTags", {"ResourceId": listing(text(), required=True),
                          "Tag": listing(TAGS.item, required=True)}, create_tags, True, True),
]
