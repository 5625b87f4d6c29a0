#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The directories of daemon/ are ranked; a file includes its own directory and lower ranks only.
# Directories of one rank do not include each other.
set -eu

rank() {
    case $1 in
    util) echo 0 ;; io) echo 1 ;; aws) echo 2 ;; input) echo 3 ;; plan) echo 4 ;;
    eni | link | state) echo 5 ;; register) echo 6 ;; .) echo 7 ;;
    *) echo "check-layers: daemon/$1 has no rank" >&2; exit 1 ;;
    esac
}

status=0
for file in daemon/*.[ch] daemon/*/*.[ch]; do
    [ -e "$file" ] || continue
    own=$(dirname "${file#daemon/}")
    own_rank=$(rank "$own")
    # shellcheck disable=SC2013  # an include has no white space
    for include in $(sed -n 's/^#include "\(.*\)"/\1/p' "$file"); do
        other=$(dirname "$include")
        [ "$other" != "$own" ] || continue
        if [ "$(rank "$other")" -ge "$own_rank" ]; then
            echo "$file: includes $include, which is not below it" >&2
            status=1
        fi
    done
done
exit $status
