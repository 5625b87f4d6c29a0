#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The units of units/ in a tree as installed, with stand-ins for those of the EKS AMI that they are
# ordered against: systemd-analyze must find nothing to say. Its exit status is not enough, since
# version 252 leaves with 0 on an unknown key; any line it prints is a failure. An ordering cycle
# between our units, nodeadm's, cloud-init's and kubelet is found the same way.
#
#   check-units.sh [MAX_EXPOSURE]     of systemd-analyze security, in tenths; default 20
set -eu

max_exposure=${1:-20}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
dir=$root/usr/lib/systemd/system
mkdir -p "$dir" "$root/usr/libexec/multus-eks" "$root/etc/systemd" "$root/bin" "$root/usr/bin" "$root/sbin"
status=0

# What the units start must exist for systemd-analyze, not run.
for program in /usr/libexec/multus-eks/multus-eksd /usr/bin/touch /bin/sh /usr/bin/true; do
    printf '#!/bin/true\n' >"$root$program"
    chmod +x "$root$program"
done

# stand_in NAME LINE...: the [Unit] lines that matter of a unit that is not ours
stand_in() {
    name=$1
    shift
    {
        printf '[Unit]\nDescription=stand-in\n'
        printf '%s\n' "$@"
        case $name in
        *.service) printf '[Service]\nType=oneshot\nExecStart=/usr/bin/true\n' ;;
        esac
    } >"$dir/$name"
}

# As in the EKS AMI for Amazon Linux 2023 and its cloud-init. What is in multi-user.target is listed there.
stand_in sysinit.target 'DefaultDependencies=no'
stand_in basic.target 'DefaultDependencies=no' 'Requires=sysinit.target' 'After=sysinit.target sockets.target' \
    'Wants=sockets.target'
stand_in sockets.target 'DefaultDependencies=no' 'Wants=multus-eksd.socket'
stand_in shutdown.target 'DefaultDependencies=no'
stand_in network.target
stand_in network-online.target 'After=network.target'
stand_in systemd-networkd.service 'DefaultDependencies=no' 'Before=network.target'
stand_in systemd-networkd-wait-online.service 'DefaultDependencies=no' 'After=systemd-networkd.service' \
    'Before=network-online.target'
stand_in cloud-init-local.service 'DefaultDependencies=no' 'Before=network-pre.target systemd-networkd.service'
stand_in cloud-init.service 'DefaultDependencies=no' 'After=cloud-init-local.service' \
    'After=systemd-networkd-wait-online.service' 'Before=network-online.target'
stand_in cloud-config.service 'After=network-online.target cloud-init.service' 'Wants=network-online.target'
stand_in cloud-final.service 'After=network-online.target cloud-config.service' 'Wants=network-online.target'
stand_in containerd.service 'After=network.target'
stand_in nodeadm-boot-hook.service 'Before=nodeadm-config.service systemd-networkd-wait-online.service' \
    'After=systemd-networkd.service' 'DefaultDependencies=no'
stand_in nodeadm-config.service 'Before=cloud-init.service' 'After=systemd-networkd-wait-online.service' \
    'DefaultDependencies=no'
stand_in nodeadm-run.service 'After=nodeadm-config.service cloud-final.service' 'Requires=nodeadm-config.service'
stand_in kubelet.service 'After=containerd.service' 'Wants=containerd.service'
stand_in multi-user.target 'Requires=basic.target' 'After=basic.target' \
    'Wants=multus-eksd.service nodeadm-boot-hook.service nodeadm-config.service nodeadm-run.service' \
    'Wants=kubelet.service cloud-init-local.service cloud-init.service cloud-config.service cloud-final.service'

cp units/multus-eksd.service units/multus-eksd.socket "$dir/"
for unit in kubelet nodeadm-run; do
    mkdir -p "$dir/$unit.service.d"
    cp units/50-multus-eks-gate.conf "$dir/$unit.service.d/50-multus-eks.conf"
done

verify() {
    if ! systemd-analyze verify --root="$root" --man=no "$@" >"$root/log" 2>&1 || [ -s "$root/log" ]; then
        cat "$root/log" >&2
        status=1
    fi
}
verify multus-eksd.service multus-eksd.socket multi-user.target kubelet.service nodeadm-run.service

# A dependency that leads from kubelet to the daemon and carries a stop would stop the node's pods.
if grep -nE '^(Requires|Requisite|BindsTo|PartOf|Upholds)=.*multus' units/50-multus-eks-gate.conf >&2; then
    echo "check-units: the gate must not stop kubelet together with the daemon" >&2
    status=1
fi

# In tenths, as systemd-analyze takes the threshold; it prints the table only when it fails.
if ! systemd-analyze security --offline=true --threshold="$max_exposure" --no-pager \
    --root="$root" multus-eksd.service >"$root/log" 2>&1; then
    grep -E '✗|exposure level|rror|ailed' "$root/log" >&2 || cat "$root/log" >&2
    echo "check-units: multus-eksd.service is exposed more than $max_exposure tenths" >&2
    status=1
fi

# sysusers.d and tmpfiles.d are read by their own programs, which are given a root of their own.
mkdir -p "$root/usr/lib/sysusers.d" "$root/usr/lib/tmpfiles.d"
cp units/multus-eks.sysusers "$root/usr/lib/sysusers.d/multus-eks.conf"
cp units/multus-eks.tmpfiles "$root/usr/lib/tmpfiles.d/multus-eks.conf"
if ! systemd-sysusers --root="$root" >"$root/log" 2>&1 || ! grep -q '^multus-eks:' "$root/etc/group"; then
    cat "$root/log" >&2
    echo "check-units: systemd-sysusers made no group" >&2
    status=1
fi
if [ "$(id -u)" -eq 0 ]; then
    if ! systemd-tmpfiles --create --root="$root" >"$root/log" 2>&1 || [ -s "$root/log" ] ||
        [ ! -d "$root/run/multus-eks/claims" ]; then
        cat "$root/log" >&2
        echo "check-units: systemd-tmpfiles made no directory" >&2
        status=1
    fi
fi
exit $status
