#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Run every unit test program given, under $WRAPPER where set, and sum up.
set -u
failed=0 passed=0 skipped=0
for program in "$@"; do
    output=$(CMOCKA_MESSAGE_OUTPUT=stdout ${WRAPPER:-} "$program" 2>&1)
    status=$?
    case $status in
    0)
        passed=$((passed + 1))
        case $output in *SKIPPED*)
            skipped=$((skipped + 1))
            printf '%s\n' "$output" | grep SKIPPED
            ;;
        esac
        ;;
    *)
        failed=$((failed + 1))
        printf '%s\n%s: failed with status %s\n' "$output" "$program" "$status"
        ;;
    esac
done
printf 'unit test programs: %s passed, %s failed, %s with skips\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
