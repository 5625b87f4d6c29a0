#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Run every fuzzer given over its corpus once: build/tests/fuzz/corpus-fuzz-NAME reads tests/fuzz/corpus/NAME.
set -u
status=0
for program in "$@"; do
    name=${program##*/corpus-fuzz-}
    "$program" tests/fuzz/corpus/"$name"/* || { echo "$program: failed"; status=1; }
done
exit $status
