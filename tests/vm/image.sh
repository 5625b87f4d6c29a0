#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The image that the guests of tests/vm boot: the one that packer/bake-debian.sh has baked, and what the EKS
# AMI has beside us (company/). Nothing of the project itself is changed or added here.
#
#   image.sh BAKED DIRECTORY      from BAKED/root.ext4 and BAKED/vmlinuz to the same in DIRECTORY
#
# Needs root. The file system is copied out and made anew, since there may be no loop devices.
set -euo pipefail

baked=$(realpath "${1:?usage: ${0##*/} BAKED DIRECTORY}")
directory=$(mkdir -p "${2:?usage: ${0##*/} BAKED DIRECTORY}" && realpath "$2")
here=$(dirname "$(realpath "$0")")
root=$directory/root
size=1536M

# What a guest of ours has devices for, and what pods and DPDK are made of. udev would load a good many more,
# for minutes of an emulated processor's time.
modules() {
    echo virtio_pci virtio_net ena ipvlan macvlan veth dummy bridge uio_pci_generic vfio-pci \
        vfio_iommu_type1 af_packet nf_tables nft_compat ip_tables iptable_filter iptable_nat autofs4 efi_pstore
}

# Keep those modules and what they depend on.
trim_modules() {
    local keep version file name
    version=$(ls "$root/usr/lib/modules")
    keep=$(for name in $(modules); do
        chroot "$root" modprobe -S "$version" --show-depends --ignore-install "$name" 2>/dev/null || :
    done | awk '$1 == "insmod" { sub(".*/", "", $2); print $2 }' | sort -u)
    while read -r file; do
        grep -qxF "${file##*/}" <<<"$keep" || rm "$file"
    done < <(find "$root/usr/lib/modules/$version" -name '*.ko')
    chroot "$root" depmod "$version"
}

# What the EKS AMI has, or stand-ins for it; and how a test gets at the guest.
add_company() {
    local unit
    cp -a --no-preserve=ownership "$here/company/." "$root/"
    for unit in "$here"/company/etc/systemd/system/*.service; do
        if grep -q '^WantedBy=' "$unit"; then
            systemctl --root="$root" -q enable "$(basename "$unit")"
        fi
    done
    systemctl --root="$root" -q enable systemd-networkd.service systemd-networkd-wait-online.service
    # Nobody logs in, nothing is upgraded, and an emulated processor has no time to lose.
    systemctl --root="$root" -q mask getty@tty1.service serial-getty@ttyS0.service apt-daily.timer \
        apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
        systemd-logind.service systemd-update-utmp.service systemd-update-utmp-runlevel.service \
        dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
        modprobe@configfs.service modprobe@dm_mod.service modprobe@drm.service modprobe@fuse.service \
        modprobe@loop.service
    # Empty, and not missing: each boot makes its own, and none is taken for the first.
    : >"$root/etc/machine-id"
    echo guest >"$root/etc/hostname"
}

key=$(find "$here/company" "$0" "$baked/image.key" -type f -exec sha256sum {} + | sort | sha256sum)
if [ "$(cat "$directory/key" 2>/dev/null)" = "$key" ]; then
    exit 0
fi
rm -rf "$root" "$directory/key"
mkdir -p "$root"
# What it says is its version.
debugfs -R "rdump / $root" "$baked/root.ext4" >"$directory/debugfs.log" 2>&1
[ -x "$root/usr/libexec/multus-eks/multus-eksd" ] || {
    cat "$directory/debugfs.log" >&2
    echo "${0##*/}: $baked/root.ext4 cannot be copied out, or has no multus-eksd" >&2
    exit 1
}
trim_modules
add_company
cp "$baked/vmlinuz" "$directory/vmlinuz"
truncate -s "$size" "$directory/root.ext4.new"
mke2fs -q -t ext4 -O ^has_journal -d "$root" "$directory/root.ext4.new"
mv "$directory/root.ext4.new" "$directory/root.ext4"
rm -rf "$root"
echo "$key" >"$directory/key"
