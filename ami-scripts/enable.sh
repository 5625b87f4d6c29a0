#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Make the installed multus-eks part of every boot of this image, as root, on the machine itself or in a
# chroot. Nothing is started: the machine that the image is made on is no node.
#
#   enable.sh            units, group, directories, journal catalog
#   enable.sh --vfio     and vfio-pci at boot, for networks with driver = vfio-pci
#
# Running it twice changes nothing.
set -eu

usage() {
    sed -n '4,/^set -eu/s/^# \{0,1\}//p' "$0"
}

vfio=
for argument in "$@"; do
    case $argument in
    --vfio) vfio=1 ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        echo "${0##*/}: unknown argument $argument; see ${0##*/} --help" >&2
        exit 2
        ;;
    esac
done

systemd-sysusers multus-eks.conf
systemd-tmpfiles --create multus-eks.conf
systemctl enable multus-eksd.service multus-eksd.socket
journalctl --update-catalog

if [ -n "$vfio" ]; then
    # Of most instance types the IOMMU is the hypervisor's alone; vfio then wants to be told.
    echo vfio-pci >/etc/modules-load.d/multus-eks-vfio.conf
    echo 'options vfio enable_unsafe_noiommu_mode=1' >/etc/modprobe.d/multus-eks-vfio.conf
fi

# Neither runs in a chroot.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    udevadm control --reload
fi
