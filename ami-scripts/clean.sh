#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Leave in the image only what a node needs: take away what the making of it needed or left. Run it as
# root and as the last step; on the machine that was cleaned nobody can log in again.
#
#   clean.sh             everything below
#   clean.sh --tools     only what build.sh installed for building, and package caches
#
# Goes: the packages that build.sh noted (nothing that was there before), package caches, this source
# tree if it lies under /tmp, ssh host keys and authorized keys, host name, machine id, random seed,
# cloud-init's state, logs and journal, shell history, and what the daemon and nodeadm wrote if they ran here.
# Running it twice changes nothing.
set -eu

usage() {
    sed -n '4,/^set -eu/s/^# \{0,1\}//p' "$0"
}

only_tools=
case ${1-} in
'') ;;
--tools) only_tools=1 ;;
-h | --help)
    usage
    exit 0
    ;;
*)
    echo "${0##*/}: unknown argument $1; see ${0##*/} --help" >&2
    exit 2
    ;;
esac

record=/var/lib/multus-eks-build

# dpkg and rpm take exactly these, and refuse if anything else needs one of them; apt-get and dnf would
# take that too.
remove_tools() {
    [ -e "$record/packages" ] || return 0
    if command -v dpkg >/dev/null 2>&1; then
        set -- dpkg --purge
    else
        set -- rpm -e
    fi
    if [ -s "$record/packages" ]; then
        xargs "$@" <"$record/packages" >"$record/log" 2>&1 || {
            cat "$record/log" >&2
            exit 1
        }
    fi
    rm -r "$record"
}

remove_caches() {
    if command -v apt-get >/dev/null 2>&1; then
        apt-get clean
        rm -rf /var/lib/apt/lists/*
    else
        dnf -q clean all
    fi
}

remove_keys() {
    rm -f /etc/ssh/ssh_host_*
    # Of root and of whoever the image's distribution logs in as.
    for home in /root /home/*; do
        rm -f "$home/.ssh/authorized_keys" "$home/.bash_history" "$home/.lesshst" "$home/.viminfo" "$home/.wget-hsts"
    done
}

# The way down must not write again what is removed here: the seed is saved when its service stops, and
# the journal goes to /run from now on.
stop_writers() {
    if [ -d /run/systemd/system ]; then
        systemctl stop systemd-random-seed.service
        journalctl --relinquish-var
    fi
}

remove_identity() {
    # Empty and not absent: an absent one is a first boot, which would reset what is enabled.
    : >/etc/machine-id
    rm -f /etc/hostname /var/lib/dbus/machine-id /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
    rm -rf /var/lib/multus-eks/* /etc/eks/nodeadm/udev-net-manager/* /var/lib/dhcp/*
    # Of this machine's interfaces. A list of devices that the daemon has not written is somebody's own.
    rm -f /etc/eks/nodeadm.d/50-multus-eks.yaml
    ! grep -qs '"writtenBy": "multus-eksd' /etc/pcidp/config.json || rm /etc/pcidp/config.json
    if command -v cloud-init >/dev/null 2>&1; then
        cloud-init clean --logs
    fi
    rm -rf /var/lib/cloud/*
}

# Files that belong to a package stay, empty: their owner and mode are right only once.
remove_logs() {
    rm -rf /var/log/journal/*
    find /var/log -type f \( -name '*.gz' -o -name '*.[0-9]' -o -name '*-[0-9]*' \) -delete
    find /var/log -type f -exec truncate -s 0 {} +
}

remove_tools
remove_caches
[ -z "$only_tools" ] || exit 0

stop_writers
remove_keys
remove_identity
remove_logs
source=$(cd "$(dirname "$0")/.." && pwd)
cd /
case $source in
/tmp/?* | /var/tmp/?*) rm -rf "$source" ;;
esac
sync
