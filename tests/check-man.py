#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The man pages against the code: what the code knows, the pages tell, and nothing else.

  mandoc has nothing to warn of
  multus-eks.conf(5)    every key in its section, with the default that conf/multus-eks.conf shows
  multus-eksctl(1)      every command, with its options
  multus-eksd(8)        options, requests, error codes, metrics, messages as in the catalog, environment
  multus-eks-ip(8)      keys, commands, codes of errors
  multus-eks.tags(7)    what is read of instances, groups and subnets, and what interfaces get

Prints one line for each page, and the findings under it.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def sources(pattern):
    return "".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob(pattern)))


def sections(page, macro):
    """Heading -> text, of the sections (Sh) or subsections (Ss) of a page."""
    parts = re.split(rf"^\.{macro} (.*)$", read(f"man/{page}"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def compare(what, code, page):
    """Findings where the two sets differ."""
    for name in sorted(set(code) - set(page)):
        yield f"{what} {name} is not told of"
    for name in sorted(set(page) - set(code)):
        yield f"{what} {name} is not in the code"


def lint(page):
    result = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(ROOT / "man" / page)],
                            capture_output=True, text=True, check=False)
    return [line for line in (result.stdout + result.stderr).splitlines()
            if "mandoc.db" not in line]


# -- multus-eks.conf(5) ----------------------------------------------------

def keys_of_code():
    """Section -> keys, from the tables."""
    tables = {}
    for name, text in re.findall(r"Key (\w+)_keys\[\] = \{\n(.*?)\n\};",
                                 read("daemon/input/config.c") + read("daemon/input/network-keys.c"), re.S):
        for entry in re.split(r"(?=\{FIELD)", text):
            if match := re.match(r"\{FIELD\((\w+)\)", entry):
                section = "network NAME" if ".named_only = true" in entry else name
                tables.setdefault(section, set()).add(match[1])
    return tables


def defaults():
    """Key -> value, of the file as it is shipped; a unit test holds it against the code."""
    text = read("conf/multus-eks.conf").rpartition("# A worked example.")[0]
    found = re.findall(r"^#(?:   )?([a-z0-9_]+) =(?: (\S.*?))?(?:  .*)?$", text, re.M)
    return dict(reversed(found))  # an example may follow


def check_conf():
    heads = sections("multus-eks.conf.5", "Sh")
    shown = defaults()
    for section, keys in keys_of_code().items():
        items = dict(re.findall(r"^\.It Ic (\w+) No =(?: Cm (.*))?$", heads.get(f"[{section}]", ""), re.M))
        yield from compare(f"[{section}]: key", keys, items)
        for key in keys & items.keys():
            if items[key] != shown.get(key):
                yield f"[{section}]: {key} = {items[key]}, and {shown.get(key)} in conf/multus-eks.conf"


# -- multus-eksctl(1) ------------------------------------------------------

def long_options(text):
    """Names in tables of getopt_long(), but for those that every command has."""
    return set(re.findall(r'\{"([a-z-]+)", (?:no|required)_argument', text)) - {"help"}


def flags(text):
    """Options that a text lists."""
    return set(re.findall(r"^\.It Fl Fl ([a-z-]+)", text, re.M)) - {"help"}


def check_ctl():
    commands = dict(re.findall(r'^    \{"([a-z-]+)", ".*", (ctl_\w+)\},$', read("ctl/main.c"), re.M))
    told = sections("multus-eksctl.1", "Ss")
    synopsis = sections("multus-eksctl.1", "Sh")["SYNOPSIS"]
    if not commands:
        yield "no commands found in ctl/main.c"
    for command, function in commands.items():
        if command not in told or f".Cm {command}\n" not in synopsis:
            yield f"command {command} is not told of"
            continue
        file = next(text for path in sorted(ROOT.glob("ctl/*.c"))
                    if re.search(rf"^int {function}\(", text := path.read_text(encoding="utf-8"), re.M)
                    and path.name != "main.c")
        options = long_options(file)
        if command == "unregister":
            options -= {"interface"}  # one table for both; this one refuses it
        yield from compare(f"{command}: option", options, flags(told[command]))
        used = re.search(rf"^\.Cm {command}\n(.*?)(?=^\.Nm)", synopsis, re.S | re.M)[1]
        yield from compare(f"{command}: option in the synopsis", options,
                           set(re.findall(r"^\.Op Fl Fl ([a-z-]+)", used, re.M)))


# -- multus-eksd(8) --------------------------------------------------------

def catalog():
    """Message id -> subject."""
    return {key: subject.replace("@ADDRESS@ ", "") for key, subject in
            re.findall(r"^-- (\w{32})\nSubject: (.*)$", read("units/multus-eks.catalog"), re.M)}


def check_daemon():
    heads = sections("multus-eksd.8", "Sh")
    yield from compare("option", long_options(read("daemon/main.c")), flags(heads["OPTIONS"]))

    routes = re.findall(r'^(?:    |static const Route status_route = )\{"([A-Z]+)", "(/[^"{]*)',
                        read("daemon/serve.c") + read("daemon/register/server.c"), re.M)
    told = re.findall(r"^\.It Cm ([A-Z]+) Pa (\S+)", heads["THE SOCKET"], re.M)
    yield from compare("request", map(" ".join, routes), map(" ".join, told))

    code = sources("daemon/register/*.c")
    codes = set(re.findall(r'\{?\b[45][0-9][0-9], "([a-z0-9_]+)"', code)) | \
        set(re.findall(r'\.code = "([a-z_]+)"', code)) | \
        set(re.findall(r'refuse_text\(\w+, "([a-z_]+)"', code)) | {"internal"}
    listed = set()
    for line in re.findall(r"^\.Cm ([a-z0-9_ ,]+?) ?:?$", heads["THE SOCKET"], re.M):
        listed |= set(re.findall(r"[a-z0-9_]+", line))
    yield from compare("error code", codes, listed)

    yield from compare("metric", set(re.findall(r"\bmultus_eks_\w+", read("daemon/metrics.c"))),
                       re.findall(r"^\.It Va (\w+)", heads["METRICS"], re.M))

    messages = dict(re.findall(r"^\.It (\w{32})\n(.*)$", heads["MESSAGES"], re.M))
    yield from compare("message", catalog(), messages)
    for key, subject in catalog().items():
        if messages.get(key, subject) != subject:
            yield f"message {key}: \"{messages[key]}\", and \"{subject}\" in the catalog"

    for name in re.findall(r'getenv\("(\w+)"\)', sources("daemon/**/*.c")):
        if name not in heads["ENVIRONMENT"]:
            yield f"variable {name} is not told of"


# -- multus-eks-ip(8) ------------------------------------------------------

def check_plugin():
    heads = sections("multus-eks-ip.8", "Sh")
    source = read("cni/input.c")
    own = re.search(r"^static int parse_own_keys.*? parsers\[\].*?{(.*?)};", source, re.S | re.M)[1]
    keys = {key for name in own.split(", ")
            for key in re.findall(r'input->config, "(\w+)"',
                                  re.search(rf"^static int {name}\(.*?^}}", source, re.S | re.M)[0])}
    yield from compare("key", keys, re.findall(r"^\.It Ic (\w+)$", heads["CONFIGURATION"], re.M))
    yield from compare("command", set(re.findall(r'= \{"([A-Z]+)"', read("cni/input.c"))),
                       re.findall(r"^\.It Cm ([A-Z]+)$", heads["COMMANDS"], re.M))
    yield from compare("code", re.findall(r"CNI_CODE_\w+ = (\d+)", read("cni/error.h")),
                       re.findall(r"^\.It Er (\d+)$", heads["EXIT STATUS"], re.M))
    for name in re.findall(r'getenv\("(\w+)"\)', sources("cni/*.c")):
        if name not in heads["ENVIRONMENT"]:
            yield f"variable {name} is not told of"


# -- multus-eks.tags(7) ----------------------------------------------------

def check_tags():
    heads = sections("multus-eks.tags.7", "Sh")

    def tags(heading):
        return {re.sub(r" Ns Ar NAME$", "NAME", tag)
                for tag in re.findall(r"^\.It Sy (.*)$", heads[heading], re.M)}

    keys = {f"multus-eks:{key.replace('_', '-')}" for key in keys_of_code()["network"]}
    yield from compare("tag of an instance", keys, tags("TAGS OF THE INSTANCE AND ITS AUTO SCALING GROUP"))

    read_of_subnets = set(re.findall(r'"%s([a-z-]+)", facts->config->tag_prefix|"%s([a-z-]+)", draft->facts',
                                     read("daemon/plan/desired.c")))
    yield from compare("tag of a subnet", {f"multus-eks:{a or b}" for a, b in read_of_subnets},
                       tags("TAGS OF SUBNETS"))

    model = dict(re.findall(r'^#define TAG_(\w+) +"([^"]+)"', read("daemon/plan/model.h"), re.M))
    model.pop("ASG_NAME", None)  # read, not set
    model["CLUSTER"] += "NAME"
    yield from compare("tag of an interface", {*model.values(), "Name"},
                       tags("TAGS OF THE NETWORK INTERFACES"))


def main():
    checks = {"multus-eks.conf.5": check_conf, "multus-eksctl.1": check_ctl, "multus-eksd.8": check_daemon,
              "multus-eks-ip.8": check_plugin, "multus-eks.tags.7": check_tags}
    failed = False
    for page in sorted({path.name for path in (ROOT / "man").iterdir()} | checks.keys()):
        findings = lint(page) + (list(checks[page]()) if page in checks else ["nothing checks this page"])
        failed = failed or bool(findings)
        title = page[:-2].replace(".", " ")
        print(f"lint: man {title}: {'ok' if not findings else f'{len(findings)} findings'}")
        for finding in findings:
            print(f"  {finding}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
