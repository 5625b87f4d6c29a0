#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# What can be said of the sources without running them. Every check prints one line, and what it found
# under it; all of them run, also after one failed.
#
#   lint.sh [CHECK...]      only these; default: all
#
# LINT_JOBS is how many at once (2).
set -u
cd "$(dirname "$0")/.." || exit 1

jobs=${LINT_JOBS:-2}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=0

# Of git, and what is new and not ignored: what is staged for removal is gone already.
sources() {
    git ls-files -z --cached --others --exclude-standard -- "$@" | while IFS= read -r -d '' file; do
        [ ! -e "$file" ] || printf '%s\0' "$file"
    done
}

# run NAME COMMAND...: one line, and the output when it fails
run() {
    local name=$1 begin=$SECONDS
    shift
    if "$@" >"$log" 2>&1; then
        echo "lint: $name: ok ($((SECONDS - begin)) s)"
    else
        echo "lint: $name: FAILED"
        sed 's/^/  /' "$log"
        failed=$((failed + 1))
    fi
}

check_format() {
    sources '*.c' '*.h' | xargs -0 -P "$jobs" -n 16 clang-format --dry-run -Werror
}

packages="libsystemd libcurl libcrypto libnl-3.0 libnl-route-3.0 inih expat jansson libmicrohttpd"

# A header that is wrong is told of once for each file that includes it; the lines are made unique.
check_tidy() {
    local flags
    # shellcheck disable=SC2046,SC2086,SC2207  # words
    flags=(-std=gnu17 -D_GNU_SOURCE '-DVERSION="0"' '-DSYSCONFDIR="/etc"' -I. -Idaemon -Itests $(pkg-config --cflags $packages))
    sources '*.c' | xargs -0 -P "$jobs" -I{} clang-tidy --quiet {} -- "${flags[@]}" 2>&1 |
        grep -E ': (warning|error): ' | sort -u >"$log.tidy"
    cat "$log.tidy"
    [ ! -s "$log.tidy" ]
    local status=$?
    rm -f "$log.tidy"
    return $status
}

check_cppcheck() {
    local directories=()
    for directory in daemon client ctl cni tests/lib tests/tools tests/fuzz tests/unit tests/sim tests/netns; do
        [ ! -d $directory ] || directories+=("$directory")
    done
    cppcheck -q -j "$jobs" --std=c11 --enable=warning,style,performance,portability --inline-suppr \
        --suppressions-list=tests/cppcheck-suppressions.txt -D_GNU_SOURCE '-DVERSION="0"' \
        '-DSYSCONFDIR="/etc"' -D__GNUC__=12 \
        -I. -Idaemon -Itests --template='{file}:{line}: {id}: {message}' --error-exitcode=1 "${directories[@]}"
}

# Scripts have .sh or a shell's first line.
check_shell() {
    sources | xargs -0 grep -lZE -m1 '^#!/(bin/|usr/bin/env )(ba)?sh' -- | xargs -0 shellcheck
}

# Both sources of the template. Its builders want a key to log in with, though nobody does here.
check_packer() {
    local key=$log.key template=$log.pkr.hcl variables status=0
    openssl genrsa -traditional -out "$key" 2048 2>/dev/null
    packer/template-1.6.sh >"$template"
    for variables in arch=x86_64 arch=arm64 source_ami=ami-0aaaaaaaaaaaaaaa1; do
        CHECKPOINT_DISABLE=1 packer validate -var debian_key="$key" -var "$variables" "$template" || status=1
    done
    rm -f "$key" "$template"
    return $status
}

# AWS's validator, which is fetched once. Both branches of each condition: without what is optional, and
# with it.
check_cloudformation() {
    local directory=tests/cfn
    [ $directory/node_modules/.package-lock.json -nt $directory/package-lock.json ] ||
        npm ci --prefix $directory --no-audit --no-fund || return
    node $directory/validate.js conf/nodegroup.yaml KeyName=key InterfaceTags=cnf=abc01 BootstrapArguments= \
        MultusSubnets2=subnet-0aaaaaaaaaaaaaaa1 MultusSubnets3=subnet-0aaaaaaaaaaaaaaa2 \
        MultusSecurityGroups2=sg-01111111111111111 MultusSecurityGroups3=sg-02222222222222222 AttachCniPolicy=false \
        useIPsFromStartOfSubnet=false
}

# Into directories of their own: an object that is there already would say nothing again.
check_compiler() {
    local make=(make --no-print-directory -s -j "$jobs" CC="$1" WERROR=1 B="build-lint-$1")
    "${make[@]}" all objects-all
}

# Without assertions nothing may be left over that only they used.
check_ndebug() {
    make --no-print-directory -s -j "$jobs" WERROR=1 CPPFLAGS=-DNDEBUG B=build-lint-ndebug all
}

# The list is words.
all="layers sources man format tidy cppcheck shellcheck packer cloudformation message-ids units install gcc clang ndebug"
# shellcheck disable=SC2086
[ $# -gt 0 ] || set -- $all
for check in "$@"; do
    case $check in
    layers) run layers tests/check-layers.sh ;;
    sources)
        ${PYTHON:-/usr/bin/python3} tests/check-sources.py || failed=$((failed + 1)) ;;
    man)
        ${PYTHON:-/usr/bin/python3} tests/check-man.py || failed=$((failed + 1)) ;;
    format) run clang-format check_format ;;
    tidy) run clang-tidy check_tidy ;;
    cppcheck) run cppcheck check_cppcheck ;;
    shellcheck) run shellcheck check_shell ;;
    packer) run packer check_packer ;;
    cloudformation) run cloudformation check_cloudformation ;;
    message-ids) run message-ids tests/check-message-ids.sh ;;
    units) run units tests/check-units.sh ;;
    install) run install tests/check-install.sh ;;
    ndebug) run ndebug check_ndebug ;;
    gcc | clang) run "$check without warnings" check_compiler "$check" ;;
    *)
        echo "lint: no check is called $check; there are: $all" >&2
        exit 2
        ;;
    esac
done

if [ "$failed" -gt 0 ]; then
    echo "lint: $failed checks failed"
    exit 1
fi
echo "lint: ok ($SECONDS s)"
