#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Install what multus-eks needs from the distribution: the one list of packages
# that the Makefile, CI and the image build share.
#
#   install-deps.sh [--list] [runtime] [build] [test] [vm]      default: runtime build
#
# With --list the names are printed, one a line, and nothing is installed.
#
# Runs on Debian and Ubuntu (apt) and on Amazon Linux 2023 and Fedora (dnf), as
# root. Installing what is already there is not an error and changes nothing.
# shellcheck disable=SC2034  # the lists are used by eval below
set -eu

usage() {
    echo "usage: ${0##*/} [--list] [runtime|build|test|vm]..." >&2
    exit 2
}

apt_runtime="libsystemd0 libcurl4 libssl3 libnl-3-200 libnl-route-3-200 libinih1 libexpat1 libjansson4 libmicrohttpd12 ca-certificates"
apt_build="gcc make libc6-dev pkg-config libsystemd-dev libcurl4-openssl-dev libssl-dev libnl-3-dev libnl-route-3-dev libinih-dev libexpat1-dev libjansson-dev libmicrohttpd-dev"
apt_test="clang clang-format clang-tidy cppcheck valgrind shellcheck libclang-rt-14-dev llvm libcmocka-dev git python3 python3-pytest python3-botocore python3-yaml awscli iproute2 iputils-ping procps curl openssl systemd systemd-container mandoc util-linux strace tcpdump containernetworking-plugins packer"
apt_vm="qemu-system-x86 qemu-utils mmdebstrap e2fsprogs openssh-client packer"

# Amazon Linux has libcurl-minimal, Fedora libcurl, and each conflicts with the other: either will do.
dnf_runtime="systemd-libs libcurl.so.4()(64bit) openssl-libs libnl3 inih expat jansson libmicrohttpd ca-certificates"
dnf_build="gcc make glibc-devel pkgconf-pkg-config systemd-devel libcurl-devel openssl-devel libnl3-devel inih-devel expat-devel jansson-devel libmicrohttpd-devel"
dnf_test="clang clang-tools-extra cppcheck valgrind ShellCheck compiler-rt llvm libcmocka-devel git python3 python3-pytest python3-botocore python3-pyyaml awscli-2 iproute iputils procps-ng curl openssl systemd systemd-container mandoc util-linux strace tcpdump containernetworking-plugins"
dnf_vm="qemu-system-x86-core e2fsprogs"

# Node.js may come from its makers instead, with npm in it, and that conflicts with the distribution's.
if ! command -v npm >/dev/null 2>&1; then
    apt_test="$apt_test nodejs npm"
    dnf_test="$dnf_test nodejs npm"
fi

list=
if [ "${1:-}" = --list ]; then
    list=1
    shift
fi
[ $# -gt 0 ] || set -- runtime build

if command -v apt-get >/dev/null 2>&1; then
    manager=apt
elif command -v dnf >/dev/null 2>&1; then
    manager=dnf
else
    echo "${0##*/}: neither apt-get nor dnf found: install the packages of your distribution that match:" >&2
    echo "  $apt_runtime $apt_build" >&2
    exit 1
fi

packages=
for set_name in "$@"; do
    case $set_name in
    runtime | build | test | vm) eval "packages=\"\$packages \$${manager}_$set_name\"" ;;
    *) usage ;;
    esac
done

if [ -n "$list" ]; then
    # shellcheck disable=SC2086  # one word a line
    printf '%s\n' $packages
    exit
fi

# Libraries have other names since Debian 13 and Ubuntu 24.04, which provide the old ones.
is_installed() {
    for name in "$1" "$1t64"; do
        if [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ]; then
            return 0
        fi
    done
    return 1
}

# apt is asked only for what is missing, so that a complete machine needs no network.
if [ "$manager" = apt ]; then
    missing=
    for package in $packages; do
        is_installed "$package" || missing="$missing $package"
    done
    [ -n "$missing" ] || exit 0
    if [ "$(id -u)" -ne 0 ]; then
        echo "${0##*/}: not root, and these packages are missing:$missing" >&2
        exit 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of words
    apt-get install -y -qq --no-install-recommends $missing
else
    # shellcheck disable=SC2086
    rpm -q --whatprovides $packages >/dev/null 2>&1 && exit 0
    if [ "$(id -u)" -ne 0 ]; then
        echo "${0##*/}: not root; run as root: dnf install$packages" >&2
        exit 1
    fi
    # shellcheck disable=SC2086
    dnf install -y --setopt=install_weak_deps=False $packages
fi
