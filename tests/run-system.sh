#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Run test files of pytest, three at a time since most of them wait. Each one's lines are kept together, and
# which failed is said at the end.
#
#   BUILD=build run-system.sh FILE...
set -u

failed=$(mktemp)
trap 'rm -f "$failed"' EXIT

# A file without a test for this machine is none that failed (5).
# shellcheck disable=SC2016  # the inner shell's
printf '%s\0' "$@" | xargs -0 -P 3 -n 1 sh -c '
    output=$("$0" -m pytest -q -rs "$2" 2>&1)
    status=$?
    printf "%s\n%s\n" "$2" "$output"
    [ "$status" -eq 0 ] || [ "$status" -eq 5 ] || echo "$2: pytest ends with status $status" >>"$1"
' "${PYTHON:-/usr/bin/python3}" "$failed" || echo "xargs ends with status $?" >>"$failed"

cat "$failed" >&2
[ ! -s "$failed" ]
