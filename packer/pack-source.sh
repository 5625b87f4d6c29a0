#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The source tree as an archive to bake from, without what was built and what only tests need. The same
# tree makes the same archive, byte for byte.
#
#   pack-source.sh ARCHIVE.tar.gz
set -eu

[ $# -eq 1 ] || {
    echo "usage: ${0##*/} ARCHIVE.tar.gz" >&2
    exit 2
}
mkdir -p "$(dirname "$1")"
archive=$(realpath "$1")
cd "$(dirname "$0")/.."

tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=go-w --exclude-vcs \
    --exclude='./build*' --exclude=./tests --exclude=./.ci --exclude=__pycache__ -cf - . | gzip -n >"$archive.new"
mv "$archive.new" "$archive"
