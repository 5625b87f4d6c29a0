#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Run test files of pytest, three at a time since most of them wait, on programs built with the sanitizers.
# What those find is a failure whatever the test thinks of it: of a program that was killed or whose end
# nobody looks at, too.
#
#   BUILD=build-san run-san.sh FILE...
set -u

reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
export ASAN_OPTIONS="log_path=$reports/report:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="log_path=$reports/report:print_stacktrace=1:${UBSAN_OPTIONS:-}"
status=0

# A file without a test for this machine is none that failed (5). Each one's lines are kept together.
# shellcheck disable=SC2016  # the inner shell's
printf '%s\0' "$@" | xargs -0 -P 3 -n 1 sh -c '
    output=$("$0" -m pytest -q -rs "$1" 2>&1)
    status=$?
    printf "%s\n%s\n" "$1" "$output"
    [ "$status" -eq 0 ] || [ "$status" -eq 5 ]' "${PYTHON:-/usr/bin/python3}" || status=1

for report in "$reports"/report*; do
    [ -e "$report" ] || continue
    # It ended while strace was attached, which some tests do: then leaks cannot be looked for.
    ! grep -q 'LeakSanitizer has encountered a fatal error' "$report" || continue
    sed 's/^/  /' "$report"
    status=1
done
[ "$status" -eq 0 ] || echo "check-system-san: a test has failed, or a sanitizer has found something" >&2
exit $status
