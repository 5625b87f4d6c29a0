# SPDX-License-Identifier: Apache-2.0
"""A node's own /etc/ssl/certs, with the simulator's certificate authority in it."""

import os
import shutil
import subprocess

SYSTEM = "/etc/ssl/certs"
BUNDLE = "ca-certificates.crt"


def install(node, directory: str, ca_file: str, hashed: bool = True, bundle: bool = True) -> None:
    """
    Have the node trust an authority as the system's other ones.
    @directory: where the copy of the system's is made
    @hashed: by the hash of its subject, in the directory
    @bundle: in the bundle; else that has no certificate at all
    """
    copy = os.path.join(directory, "certs")
    shutil.copytree(SYSTEM, copy, symlinks=True)
    if hashed:
        name = subprocess.run(["openssl", "x509", "-noout", "-hash", "-in", ca_file], check=True,
                              stdout=subprocess.PIPE, text=True).stdout.strip()
        shutil.copy(ca_file, f"{copy}/{name}.0")
    else:
        for name in os.listdir(copy):
            if name.endswith(".0"):
                os.unlink(f"{copy}/{name}")
    with open(ca_file, encoding="ascii") as file:
        text = file.read()
    with open(f"{copy}/{BUNDLE}", "a" if bundle else "w", encoding="ascii") as file:
        file.write(text if bundle else "")
    node.run(["mount", "--bind", copy, SYSTEM], check=True)
