#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Is this image right? Run in it, as root, after enable.sh, and again after clean.sh took the build tools
# away. Every check is made, also after one failed; each that fails says so in one line.
#
#   verify.sh
#
# Exit status: 0 the image will boot as a Multus node, 1 it will not.
set -u

usage() {
    sed -n '4,/^set -u/s/^# \{0,1\}//p' "$0"
}

case ${1-} in
'') ;;
-h | --help)
    usage
    exit 0
    ;;
*)
    echo "${0##*/}: unknown argument $1; see ${0##*/} --help" >&2
    exit 2
    ;;
esac

status=0
failed() {
    echo "${0##*/}: $*" >&2
    status=1
}

# A library that went with the build tools is missed here, not at the first boot.
for program in /usr/libexec/multus-eks/multus-eksd /usr/bin/multus-eksctl /opt/cni/bin/multus-eks-ip; do
    if [ ! -x "$program" ]; then
        failed "$program is not there"
    elif ! libraries=$(ldd "$program") || echo "$libraries" | grep -F 'not found' >&2; then
        failed "$program cannot be loaded"
    fi
done

for unit in multus-eksd.service multus-eksd.socket; do
    systemctl is-enabled --quiet "$unit" || failed "$unit is not enabled"
done

# The units that wait for ours, where the image has them. What systemd-analyze has to say of others is
# not ours to judge, but an ordering cycle is, whatever it goes through.
set -- multus-eksd.service multus-eksd.socket
for unit in kubelet.service nodeadm-run.service; do
    for directory in /etc/systemd/system /usr/local/lib/systemd/system /usr/lib/systemd/system; do
        [ ! -e "$directory/$unit" ] || set -- "$@" "$unit"
    done
done
said=$(systemd-analyze verify --man=no "$@" 2>&1) || [ -n "$said" ] || said="no multus-eks unit can be read"
if said=$(echo "$said" | grep -E 'multus-eks|ordering cycle'); then
    echo "$said" >&2
    failed "systemd-analyze verify has something to say"
fi

multus-eksctl check-config >/dev/null || failed "the configuration is wrong"
# 4: warnings alone, which it prints itself.
multus-eksctl doctor --image
case $? in
0 | 4) ;;
*) failed "multus-eksctl doctor --image is not content" ;;
esac

[ "$status" -ne 0 ] || echo "${0##*/}: this image boots as a Multus node"
exit "$status"
