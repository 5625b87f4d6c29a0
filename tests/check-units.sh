#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What "make install" makes of a node, looked at without starting anything: a tree with our units and
# stand-ins for those of the EKS AMI (tests/ami-units). systemd-analyze must find nothing to say. Its exit
# status is not enough, since version 252 leaves with 0 on an unknown key; any line it prints is a failure.
# An ordering cycle between our units, nodeadm's, cloud-init's and kubelet is found the same way.
#
#   check-units.sh [MAX_EXPOSURE]     of systemd-analyze security, in tenths; default 20
set -eu

max_exposure=${1:-20}
root=$(mktemp -d)
trap 'rm -rf "$root" "$root.log"' EXIT
log=$root.log
dir=$root/usr/lib/systemd/system
service=$dir/multus-eksd.service
status=0

fail() {
    echo "check-units: $*" >&2
    status=1
}

if ! ${MAKE:-make} --no-print-directory -s install DESTDIR="$root" prefix=/usr >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
mkdir -p "$root/bin"

# What the units start must exist for systemd-analyze, not run. Ours is there.
for program in /usr/bin/touch /bin/sh /usr/bin/true /usr/bin/sleep; do
    printf '#!/bin/true\n' >"$root$program"
    chmod +x "$root$program"
done

# target NAME LINE...
target() {
    name=$1
    shift
    {
        printf '[Unit]\nDescription=stand-in\n'
        printf '%s\n' "$@"
    } >"$dir/$name.target"
}

cp tests/ami-units/*.service "$dir/"
target sysinit 'DefaultDependencies=no'
target basic 'DefaultDependencies=no' 'Requires=sysinit.target' 'After=sysinit.target sockets.target' \
    'Wants=sockets.target'
target sockets 'DefaultDependencies=no'
target shutdown 'DefaultDependencies=no'
target network-pre
target network 'After=network-pre.target'
target network-online 'After=network.target'
target multi-user 'Requires=basic.target' 'After=basic.target'

# All of them switched on, ours by their preset.
systemctl --root="$root" --quiet preset multus-eksd.service multus-eksd.socket >"$log" 2>&1 || fail "$(cat "$log")"
for wanted in multi-user.target.wants/multus-eksd.service sockets.target.wants/multus-eksd.socket; do
    [ -h "$root/etc/systemd/system/$wanted" ] || fail "the preset does not switch $wanted on"
done
(cd tests/ami-units && systemctl --root="$root" --quiet enable -- *.service) >"$log" 2>&1 || fail "$(cat "$log")"

if ! systemd-analyze verify --root="$root" --man=no multus-eksd.service multus-eksd.socket multi-user.target \
    kubelet.service nodeadm-run.service >"$log" 2>&1 || [ -s "$log" ]; then
    cat "$log" >&2
    fail "systemd-analyze finds fault"
fi

# Without the drop-in nothing holds them back. And a dependency that leads from there to the daemon and carries
# a stop would stop the node's pods with it.
for unit in kubelet nodeadm-run; do
    gate=$dir/$unit.service.d/50-multus-eks.conf
    if ! [ -f "$gate" ] || ! grep -q '^After=multus-eksd.service$' "$gate" ||
        ! grep -q '^ExecStartPre=.*/run/multus-eks/ready' "$gate"; then
        fail "$unit.service does not wait for multus-eksd"
    elif grep -nE '^(Requires|Requisite|BindsTo|PartOf|Upholds)=.*multus' "$gate" >&2; then
        fail "$unit.service must not stop together with the daemon"
    fi
done

# In tenths, as systemd-analyze takes the threshold; the table is printed only when it is passed.
if ! systemd-analyze security --offline=true --threshold="$max_exposure" --no-pager --root="$root" \
    multus-eksd.service >"$log" 2>&1; then
    grep -E '✗|exposure level|rror|ailed' "$log" >&2 || cat "$log" >&2
    fail "multus-eksd.service is exposed more than $max_exposure tenths"
fi

# Whatever is left open has a word of why: each finding, and each thing that is allowed by name.
systemd-analyze security --offline=true --threshold=0 --no-pager --root="$root" multus-eksd.service >"$log" 2>&1 || :
open=$(sed -n 's/^✗ \([A-Za-z]*\)=.*/\1=/p' "$log" | sort -u)
[ -n "$open" ] || fail "systemd-analyze security lists nothing"
allowed=$(sed -n -e 's/^CapabilityBoundingSet=//p' -e 's/^RestrictAddressFamilies=//p' \
    -e 's/^ReadWritePaths=//p' "$service" | tr ' ' '\n' | sed 's/^-//')
for word in $open $allowed; do
    sed -n '/^# What is left open/,/^[^#]/{/^#/p}' "$service" | grep -qwF -- "$word" ||
        fail "multus-eksd.service leaves $word open without a word of why"
done

# sysusers.d and tmpfiles.d are read by their own programs, which are given a root of their own.
if ! systemd-sysusers --root="$root" >"$log" 2>&1 || ! grep -q '^multus-eks:' "$root/etc/group"; then
    cat "$log" >&2
    fail "systemd-sysusers made no group"
fi
if [ "$(id -u)" -eq 0 ]; then
    if ! systemd-tmpfiles --create --root="$root" >"$log" 2>&1 || [ -s "$log" ] ||
        ! [ -d "$root/run/multus-eks/claims" ] || ! [ -d "$root/etc/pcidp" ]; then
        cat "$log" >&2
        fail "systemd-tmpfiles made no directories"
    fi
fi
exit $status
