#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run-fuzzers.sh SECONDS FUZZER...: run each for so long, two at a time; findings stay in build-fuzz/.
set -u
seconds=$1
shift
export seconds
# shellcheck disable=SC2016  # expanded by the inner shell
printf '%s\n' "$@" | xargs -P 2 -I{} sh -c '
    name=$(basename {}); name=${name#fuzz-}
    mkdir -p build-fuzz/corpus/$name
    {} -max_total_time=$seconds -timeout=10 -rss_limit_mb=2048 -artifact_prefix=build-fuzz/$name- -print_final_stats=1 \
        build-fuzz/corpus/$name tests/fuzz/corpus/$name >build-fuzz/$name.log 2>&1
    status=$?
    runs=$(sed -n "s/^stat::number_of_executed_units: *//p" build-fuzz/$name.log)
    echo "fuzz $name: ${runs:-0} runs in $seconds s, status $status"
    exit $status'
