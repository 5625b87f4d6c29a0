#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of this tree that no compiler or formatter knows.

  sizes      no function over 100 lines, no .c file over 800
  comments   every .c opens with a module comment; every function of a header of daemon/ and ctl/ has a
             doc block of its own or of its group
  licence    every source, script and unit says SPDX-License-Identifier in its first lines
  python     it compiles, no line is longer than 110 characters, no function is defined twice

Prints one line for each rule, and the findings under it. Files of git, and new ones it does not ignore.
"""

import ast
import re
import subprocess
import sys

MAX_FUNCTION = 100
MAX_FILE = 800
MAX_LINE = 110

# Files whose format has no comments, that are data, or that become the user's own (conf/).
NO_LICENCE = re.compile(r"(^|/)(LICENSE|README\.md|\.gitignore|\.editorconfig|\.clang-format)$"
                        r"|^tests/fuzz/corpus/|^conf/|^tests/.*/data/"
                        r"|\.(json|xml|txt|pem|md|yaml|yml|csv|dict)$")


def tracked_files():
    output = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            check=True, capture_output=True).stdout
    names = sorted(name for name in output.decode().split("\0") if name)
    return {name: text for name in names if (text := read(name)) is not None}


def read(name):
    try:
        with open(name, encoding="utf-8") as file:
            return file.read()
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
        return None


def check_sizes(files):
    """The tree's format puts a function's braces alone in the first column, so lines suffice."""
    for name, text in files.items():
        if not name.endswith(".c"):
            continue
        lines = text.splitlines()
        if len(lines) > MAX_FILE:
            yield f"{name}: {len(lines)} lines, {MAX_FILE} are allowed"
        begin = None
        for number, line in enumerate(lines, 1):
            if line == "{":
                begin = number
            elif line == "}" and begin:
                if number - begin - 1 > MAX_FUNCTION:
                    n = number - begin - 1
                    yield f"{name}:{begin}: function of {n} lines, {MAX_FUNCTION} are allowed"
                begin = None


def check_comments(files):
    for name, text in files.items():
        if name.endswith(".c"):
            body = re.sub(r"\A/\* SPDX-[^*]*\*/\n", "", text).lstrip()
            if not body.startswith("/*"):
                yield f"{name}: does not open with a module comment"
        elif re.match(r"(daemon|client|ctl|cni)/.*\.h$", name):
            yield from check_header(name, text)


# A declaration at the margin, up to its semicolon: "int x_new(X **ret, sd_event *event);"
DECLARATION = re.compile(
    r"^(?!typedef\b|static\b|#|extern\b|DEFINE_)[A-Za-z_][\w\s]*[\s*](\w+)\([^;{]*\)[^;{]*;", re.M)


def check_header(name, text):
    for match in DECLARATION.finditer(text):
        above = [line for line in text[:match.start()].splitlines() if not line.startswith("#define ")]
        previous = above[-1].rstrip() if above else ""
        # Its own comment ends in the line above; or the line above is a declaration of the same group,
        # whose comment is for all of them.
        if previous.endswith("*/") or previous.endswith(";"):
            continue
        # x_free() frees x and returns NULL: the same everywhere.
        if not match.group(1).endswith("_free"):
            yield f"{name}: {match.group(1)}() has no doc block"


def check_licence(files):
    for name, text in files.items():
        if not text or NO_LICENCE.search(name):
            continue
        if "SPDX-License-Identifier: Apache-2.0" not in "\n".join(text.splitlines()[:3]):
            yield f"{name}: no SPDX-License-Identifier in the first three lines"


def check_names(name, tree):
    """Of two tests of one name only the second runs."""
    known = set()
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            if node.name in known:
                yield f"{name}:{node.lineno}: {node.name} is defined twice"
            known.add(node.name)


def check_python(files):
    for name, text in files.items():
        if not name.endswith(".py"):
            continue
        try:
            yield from check_names(name, ast.parse(text, name))
        except SyntaxError as error:
            yield f"{name}:{error.lineno}: {error.msg}"
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > MAX_LINE:
                yield f"{name}:{number}: {len(line)} characters, {MAX_LINE} are allowed"


def main():
    files = tracked_files()
    failed = False
    for rule in (check_sizes, check_comments, check_licence, check_python):
        findings = list(rule(files))
        failed = failed or bool(findings)
        title = rule.__name__.removeprefix("check_")
        print(f"lint: {title}: {'ok' if not findings else f'{len(findings)} findings'}")
        for finding in findings:
            print(f"  {finding}")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main())
