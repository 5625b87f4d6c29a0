#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run-system.sh on programs built with the sanitizers. What those find is a failure whatever the test thinks
# of it: of a program that was killed or whose end nobody looks at, too.
#
#   BUILD=build-san run-san.sh FILE...
set -u

reports=$(mktemp -d)
trap 'rm -rf "$reports"' EXIT
export ASAN_OPTIONS="log_path=$reports/report:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="log_path=$reports/report:print_stacktrace=1:${UBSAN_OPTIONS:-}"
status=0

"$(dirname "$0")/run-system.sh" "$@" || status=1

for report in "$reports"/report*; do
    [ -e "$report" ] || continue
    # It ended while strace was attached, which some tests do: then leaks cannot be looked for.
    ! grep -q 'LeakSanitizer has encountered a fatal error' "$report" || continue
    sed 's/^/  /' "$report"
    status=1
done
[ "$status" -eq 0 ] || echo "check-system-san: a test has failed, or a sanitizer has found something" >&2
exit $status
