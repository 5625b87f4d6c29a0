#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Build multus-eks on the machine whose image is to be made, and install it there. Run it from a source
# tree, as root, on Amazon Linux 2023 (dnf) or on Debian and Ubuntu (apt).
#
#   build.sh             packages, make, make install
#   build.sh --packages  only the packages
#
# What it had to install only for building is noted in /var/lib/multus-eks-build/packages, one name a
# line, so that clean.sh can take exactly that away again. Running it twice changes nothing.
#
# All of the libraries are in Amazon Linux 2023's own repository (release 2023.12: inih 58, jansson 2.14,
# libmicrohttpd 0.9.73, libnl3 3.5.0, each with its -devel package), so that no other one is needed.
set -eu

usage() {
    sed -n '4,/^set -eu/s/^# \{0,1\}//p' "$0"
}

only_packages=
case ${1-} in
'') ;;
--packages) only_packages=1 ;;
-h | --help)
    usage
    exit 0
    ;;
*)
    echo "${0##*/}: unknown argument $1; see ${0##*/} --help" >&2
    exit 2
    ;;
esac

cd "$(dirname "$0")/.."
record=/var/lib/multus-eks-build

installed() {
    if command -v dpkg-query >/dev/null 2>&1; then
        dpkg-query -W -f '${db:Status-Status} ${binary:Package}\n' | sed -n 's/^installed //p'
    else
        # Signing keys are listed as packages too.
        rpm -qa --qf '%{NAME}\n' | grep -vx gpg-pubkey
    fi | LC_ALL=C sort -u
}

# What stays in the image comes first, and is no build tool.
ami-scripts/install-deps.sh runtime

# Noted also when the installation broke off half way.
mkdir -p "$record"
installed >"$record/before"
status=0
ami-scripts/install-deps.sh build || status=$?
installed | LC_ALL=C comm -13 "$record/before" - >"$record/new"
touch "$record/packages"
LC_ALL=C sort -u -o "$record/packages" "$record/packages" "$record/new"
rm "$record/before" "$record/new"
[ "$status" -eq 0 ] || exit "$status"

[ -z "$only_packages" ] || exit 0
make -j "$(getconf _NPROCESSORS_ONLN)" all
make install
