#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Bake a Debian disk image with Packer's qemu builder and the provisioners of the AMI: what the boot
# tests boot. As root, with the packages of "ami-scripts/install-deps.sh vm"; it needs Debian's mirror,
# and neither KVM nor anything else of the Internet.
#
#   bake-debian.sh [--include=PACKAGE,...] [--fresh] OUTPUT_DIR
#
#   OUTPUT_DIR/root.ext4  the root file system, no partition table: root=/dev/nvme0n1 rootfstype=ext4
#   OUTPUT_DIR/vmlinuz    its kernel, which needs no initramfs to mount that; the modules are inside
#
# --include adds packages that stay in the image. --fresh forgets what is cached.
#
# Two things are kept in OUTPUT_DIR and made again only when what they are made from has changed: the
# base (distribution, kernel, compiler: half a minute), and the image. With nothing changed this takes
# a second. The programs are compiled in a chroot of the base, natively and not in the emulated guest,
# where it takes two minutes; make in the guest finds them up to date.
#
# What a node of EC2 has and this image has not: cloud-init, nodeadm, kubelet, and any configuration of
# a network interface. Nobody can log in: tests bring what they need on a disk of their own.
set -eu

usage() {
    sed -n '4,/^set -eu/s/^# \{0,1\}//p' "$0"
}

include='' fresh='' output=''
for argument in "$@"; do
    case $argument in
    --include=*) include=,${argument#*=} ;;
    --fresh) fresh=1 ;;
    -h | --help)
        usage
        exit 0
        ;;
    -*)
        echo "${0##*/}: unknown option $argument; see ${0##*/} --help" >&2
        exit 2
        ;;
    *) output=$argument ;;
    esac
done
[ -n "$output" ] || {
    usage >&2
    exit 2
}

suite=bookworm
packages=systemd-sysv,udev,dbus,kmod,procps,util-linux,iproute2,iputils-ping,nftables,curl,jq,ca-certificates,openssh-server,containernetworking-plugins$include
kernel_package=linux-image-cloud-$(dpkg --print-architecture)
size=1536M

mkdir -p "$output"
output=$(realpath "$output")
cd "$(dirname "$0")"
source_dir=${PWD%/*}
base=$output/base
exec 9>"$output/lock"
flock 9
[ -z "$fresh" ] || rm -rf "$base" "$output/image.key"

# has KEY FILE...: were the files made from what has this key?
has() {
    [ "$(cat "$1" 2>/dev/null)" = "$2" ] && [ -e "$3" ]
}

say() {
    echo "bake: $*" >&2
}

# step NAME COMMAND...: what it prints is kept, and shown when it fails. The output is changed and not
# redirected behind "||", where a failing command would no longer end the script.
step() {
    say "$1"
    shift
    exec 3>&1 4>&2 >"$output/step.log" 2>&1
    trap 'cat "$output/step.log" >&4' EXIT
    "$@"
    trap - EXIT
    exec >&3 2>&4 3>&- 4>&-
}

# What dpkg -x would do to the root itself: replace the link /lib by a directory.
add_kernel() {
    mkdir "$base/kernel"
    (
        cd "$base/kernel"
        package=$(apt-cache depends "$kernel_package" | sed -n 's/^ *Depends: *//p' | head -n 1)
        apt-get -q download "$package"
        dpkg -x "$package"_*.deb .
    )
    cp -a "$base/kernel/lib/modules" "$base/root/usr/lib/"
    cp "$base"/kernel/boot/vmlinuz-* "$base/vmlinuz"
    chroot "$base/root" depmod "$(ls "$base/root/usr/lib/modules")"
    rm -r "$base/kernel"
}

# The key is good for the guest that Packer talks to and goes with the rest when that was cleaned; so
# does the network.
make_base() {
    rm -rf "$base"
    mkdir -p "$base"
    # Its own descriptors must have one digit, or the shell that apt calls for it does not know them.
    # shellcheck disable=SC2016  # $1 is the hook's
    mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
        --customize-hook='mkdir -p "$1/tmp/ami-scripts"' \
        --customize-hook="copy-in $source_dir/ami-scripts/build.sh $source_dir/ami-scripts/install-deps.sh /tmp/ami-scripts" \
        --customize-hook='chroot "$1" /tmp/ami-scripts/build.sh --packages' \
        --customize-hook='rm -r "$1/tmp/ami-scripts"' \
        "$suite" "$base/root" 3>&- 4>&- 9>&-
    add_kernel

    # Container runtimes look there, and an EKS AMI has them there.
    mkdir -p "$base/root/opt/cni/bin"
    for plugin in "$base"/root/usr/lib/cni/*; do
        ln -s "/usr/lib/cni/${plugin##*/}" "$base/root/opt/cni/bin/"
    done

    ssh-keygen -q -t ed25519 -N '' -C bake -f "$base/key"
    install -d -m 0700 "$base/root/root/.ssh"
    cp "$base/key.pub" "$base/root/root/.ssh/authorized_keys"
    printf '[Match]\nType=ether\n[Network]\nDHCP=ipv4\n' >"$base/root/etc/systemd/network/90-bake.network"
    systemctl --root="$base/root" --quiet enable systemd-networkd.service
    : >"$base/root/etc/machine-id"
    echo /dev/nvme0n1 / ext4 defaults 0 1 >"$base/root/etc/fstab"

    mke2fs -q -t ext4 -O ^has_journal -d "$base/root" "$base/disk.ext4" "$size"
    echo "$base_key" >"$base/key.base"
}

# The archive with build/ in it, to where the guest unpacks it.
compile() {
    tree=$base/root/tmp/multus-eks
    rm -rf "$tree"
    mkdir -p "$tree"
    tar -xzf "$output/source.tar.gz" -C "$tree"
    chroot "$base/root" make --no-print-directory -s -C /tmp/multus-eks -j "$(nproc)" all
    tar -C "$tree" -cf - . | gzip -1 >"$output/compiled.tar.gz"
    rm -rf "$tree"
}

run_packer() {
    rm -rf "$output/packer" "$output/packer.console"
    ./template-1.6.sh >"$output/template.pkr.hcl"
    CHECKPOINT_DISABLE=1 PACKER_CACHE_DIR=$output/packer_cache timeout --foreground 15m \
        packer build -color=false -only=qemu.debian \
        -var source_archive="$output/compiled.tar.gz" -var debian_output="$output/packer" \
        -var debian_disk="$base/disk.ext4" -var debian_kernel="$base/vmlinuz" -var debian_key="$base/key" \
        "$output/template.pkr.hcl" >"$output/packer.log" 2>&1 || {
        cat "$output/packer.log" >&2
        say "packer failed; the guest's console is $output/packer.console"
        exit 1
    }
}

./pack-source.sh "$output/source.tar.gz"
base_key=$(grep -E '^apt_(runtime|build)=' ../ami-scripts/install-deps.sh |
    cat - bake-debian.sh ../ami-scripts/build.sh | sha256sum)" $packages"
image_key=$(echo "$base_key" | cat - "$output/source.tar.gz" multus-eks.pkr.hcl template-1.6.sh | sha256sum)
if has "$output/image.key" "$image_key" "$output/root.ext4"; then
    say "unchanged: $output/root.ext4"
    exit 0
fi

rm -f "$output/image.key"
has "$base/key.base" "$base_key" "$base/disk.ext4" || step "the base: $suite, compiler and kernel" make_base
step "the programs" compile
say "the image"
run_packer

# A guest that was not shut down but killed would have left it unclean.
e2fsck -fn "$output/packer/root.ext4" >"$output/e2fsck.log" 2>&1 || {
    cat "$output/e2fsck.log" >&2
    exit 1
}
mv "$output/packer/root.ext4" "$output/root.ext4"
cp "$base/vmlinuz" "$output/vmlinuz"
rm -r "$output/packer"
echo "$image_key" >"$output/image.key"
say "done: $output/root.ext4"
