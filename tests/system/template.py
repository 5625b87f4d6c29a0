# SPDX-License-Identifier: Apache-2.0
"""A CloudFormation template as a stack with given parameters would have it.

    stack = Template("conf/nodegroup.yaml").stack(ClusterName="sample", MultusSubnets=[A1, B1])
    stack.properties("NodeGroup")["Tags"]

Only what can be known without making anything: a resource is its logical id,
its attributes are LOGICAL_ID.ATTRIBUTE. What the template says that is not
here is an error, not a guess.
"""

import re

import yaml

PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": "123456789012",
          "AWS::URLSuffix": "amazonaws.com", "AWS::StackName": "sample"}
NO_VALUE = object()


class Loader(yaml.SafeLoader):
    """YAML with the short forms of CloudFormation's functions: !Ref X is {"Ref": X}."""


def _short_form(loader, suffix, node):
    if isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    else:
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _short_form)


class Template:
    """One that was read from a file."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.document = yaml.load(file, Loader)  # a SafeLoader

    @property
    def types(self) -> set:
        return {resource["Type"] for resource in self.document["Resources"].values()}

    def stack(self, **parameters) -> "Stack":
        return Stack(self.document, parameters)


class Stack:
    """A template with values for its parameters, checked as CloudFormation checks them."""

    def __init__(self, document, given):
        self.document = document
        unknown = given.keys() - document["Parameters"].keys()
        if unknown:
            raise KeyError(f"no such parameters: {sorted(unknown)}")
        self.parameters = {name: self._parameter(name, about, given)
                           for name, about in document["Parameters"].items()}

    @staticmethod
    def _parameter(name, about, given):
        value = given.get(name, about.get("Default"))
        if value is None:
            raise ValueError(f"{name}: has no default and was not given")
        if about["Type"].startswith("List<") or about["Type"] == "CommaDelimitedList":
            return value if isinstance(value, list) else value.split(",")
        value = str(value)
        if "AllowedPattern" in about and not re.fullmatch(about["AllowedPattern"], value):
            raise ValueError(f"{name}: {value} is not {about['AllowedPattern']}")
        if "AllowedValues" in about and value not in about["AllowedValues"]:
            raise ValueError(f"{name}: {value} is not one of {about['AllowedValues']}")
        return value

    def properties(self, name) -> dict:
        """The properties of a resource."""
        return self.value(self.document["Resources"][name]["Properties"])

    def condition(self, name) -> bool:
        return self.value(self.document["Conditions"][name])

    # -- values ------------------------------------------------------------

    def value(self, node):
        """What a part of the template comes to."""
        if isinstance(node, list):
            return [v for v in map(self.value, node) if v is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            [(function, argument)] = node.items()
            if function == "Ref":
                return self._ref(argument)
            if function.startswith("Fn::"):
                return getattr(self, f"_{function[4:].lower()}")(argument)
        values = {key: self.value(v) for key, v in node.items()}
        return {key: v for key, v in values.items() if v is not NO_VALUE}

    def _ref(self, name):
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.document["Resources"]:
            return name
        return self.parameters[name] if name in self.parameters else PSEUDO[name]

    def _getatt(self, argument):
        name, attribute = argument
        assert name in self.document["Resources"], name
        return f"{name}.{attribute}"

    def _if(self, argument):
        condition, yes, no = argument
        return self.value(yes if self.condition(condition) else no)

    def _equals(self, argument):
        left, right = map(self.value, argument)
        return left == right

    def _not(self, argument):
        [condition] = argument
        return not self.value(condition)

    def _join(self, argument):
        separator, parts = argument
        return separator.join(self.value(parts))

    def _split(self, argument):
        separator, text = argument
        return self.value(text).split(separator)

    def _base64(self, argument):
        """As it is: nobody here needs it encoded."""
        return self.value(argument)

    def _sub(self, argument):
        text, names = argument if isinstance(argument, list) else (argument, {})

        def replaced(match):
            name = match.group(1)
            if name.startswith("!"):
                return f"${{{name[1:]}}}"
            if name in names:
                return self.value(names[name])
            return self._ref(name)

        return re.sub(r"\$\{([^}]+)\}", replaced, text)
