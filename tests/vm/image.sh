#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The image that the guests of tests/vm boot: Debian with systemd, networkd and the cloud kernel, what the
# EKS AMI has beside us (company/), and the project, installed as into any image.
#
#   image.sh DIRECTORY      makes DIRECTORY/vmlinuz and DIRECTORY/root.ext4
#
# Needs root and, for the first run, the distribution's packages. What they make is kept in DIRECTORY/base
# and made anew when the list or the kernel changes. The machine's own release is taken, since the programs
# were linked against its libraries. The kernel is unpacked, not installed: it boots without an initramfs,
# NVMe and ext4 being built in.
set -euo pipefail

directory=$(mkdir -p "${1:?usage: ${0##*/} DIRECTORY}" && realpath "$1")
here=$(dirname "$(realpath "$0")")
top=$(dirname "$(dirname "$here")")
base=$directory/base root=$directory/root
size=1G

packages() {
    local name
    for name in systemd-sysv udev dbus kmod procps iproute2 iputils-ping curl jq iptables \
        containernetworking-plugins; do
        echo "$name"
    done
    "$top/ami-scripts/install-deps.sh" --list runtime
}

# The package that the distribution's name for its newest cloud kernel stands for.
kernel_package() {
    apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" && $2 ~ /^linux-image-/ { print $2; exit }'
}

# What a guest of ours has devices for, and what pods and DPDK are made of. udev would load a good many more,
# for minutes of an emulated processor's time.
modules() {
    echo virtio_pci virtio_net ena ipvlan macvlan veth dummy bridge uio_pci_generic vfio-pci \
        vfio_iommu_type1 af_packet nf_tables nft_compat ip_tables iptable_filter iptable_nat autofs4 efi_pstore
}

# Keep those modules of a root and what they depend on.
trim_modules() {
    local -r base=$1 version=$2
    local keep file name
    keep=$(for name in $(modules); do
        chroot "$base" modprobe -S "$version" --show-depends --ignore-install "$name" 2>/dev/null || :
    done | awk '$1 == "insmod" { sub(".*/", "", $2); print $2 }' | sort -u)
    while read -r file; do
        grep -qxF "${file##*/}" <<<"$keep" || rm "$file"
    done < <(find "$base/usr/lib/modules/$version" -name '*.ko')
    chroot "$base" depmod "$version"
}

make_base() {
    local kernel=$1 include version
    local -r unpacked=$directory/kernel
    include=$(packages | paste -sd,)
    rm -rf "$base" "$unpacked"
    # shellcheck disable=SC1091
    mmdebstrap --mode=root --variant=minbase --include="$include" \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$base"

    mkdir -p "$unpacked"
    (cd "$unpacked" && apt-get download -qq -o APT::Sandbox::User=root "$kernel" && dpkg -x ./*.deb .)
    cp "$unpacked"/boot/vmlinuz-* "$directory/vmlinuz"
    cp -a "$unpacked/lib/modules" "$base/usr/lib/"
    rm -r "$unpacked"
    version=$(ls "$base/usr/lib/modules")
    chroot "$base" depmod "$version"
    trim_modules "$base" "$version"
}

# As provisioning an AMI does it.
install_project() {
    make -C "$top" --no-print-directory -s install "DESTDIR=$root" >/dev/null
    systemctl --root="$root" -q enable multus-eksd.service multus-eksd.socket
    systemd-sysusers --root="$root" 2>/dev/null
    journalctl --root="$root" --update-catalog
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

key=$(packages | cat - "$0" <(kernel_package) | sha256sum)
if [ "$(cat "$directory/base.key" 2>/dev/null)" != "$key" ]; then
    rm -f "$directory/base.key"
    make_base "$(kernel_package)"
    echo "$key" >"$directory/base.key"
fi

rm -rf "$root"
cp -a --reflink=auto "$base" "$root"
install_project
add_company
# Sparse, and complete under its name only.
rm -f "$directory/root.ext4.new"
truncate -s "$size" "$directory/root.ext4.new"
mke2fs -q -t ext4 -O ^has_journal -d "$root" "$directory/root.ext4.new"
mv "$directory/root.ext4.new" "$directory/root.ext4"
rm -rf "$root"
