# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for one run, made with the openssl command."""

import os
import ssl
import subprocess

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]


def _openssl(directory: str, *argv: str) -> None:
    subprocess.run(["openssl", *argv], cwd=directory, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def make(directory: str, names: list) -> ssl.SSLContext:
    """
    Write ca.pem, server.pem and server.key.
    @names: DNS names and IPv4 addresses that the server's certificate is for
    Return: the server's context.
    """
    os.makedirs(directory, exist_ok=True)
    kinds = [f"IP:{n}" if n.replace(".", "").isdigit() else f"DNS:{n}" for n in names]
    _openssl(directory, "req", "-x509", *EC, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
             "-subj", "/CN=ec2sim test CA", "-addext", "basicConstraints=critical,CA:TRUE",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    _openssl(directory, "req", *EC, "-keyout", "server.key", "-out", "server.csr",
             "-subj", "/CN=ec2sim")
    with open(os.path.join(directory, "server.ext"), "w", encoding="ascii") as file:
        file.write(f"subjectAltName={','.join(kinds)}\nextendedKeyUsage=serverAuth\n")
    _openssl(directory, "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
             "-CAcreateserial", "-days", "2", "-extfile", "server.ext", "-out", "server.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(directory, "server.pem"),
                            os.path.join(directory, "server.key"))
    return context
