#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# What "make install" puts where, with a prefix that is not the usual one: every program that a unit
# starts as ours must be there, and "make uninstall" must leave the configuration and nothing else.
set -eu

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
status=0

install() {
    ${MAKE:-make} --no-print-directory -s "$@" DESTDIR="$root" prefix=/opt/multus >"$root.log" 2>&1 || {
        cat "$root.log" >&2
        status=1
    }
    rm -f "$root.log"
}

install install
for file in bin/multus-eksctl lib/systemd/system/multus-eksd.socket lib/systemd/catalog/multus-eks.catalog \
    lib/systemd/system-preset/80-multus-eks.preset \
    lib/systemd/system/kubelet.service.d/50-multus-eks.conf \
    lib/systemd/system/nodeadm-run.service.d/50-multus-eks.conf lib/udev/rules.d/85-multus-eks.rules \
    lib/udev/rules.d/95-multus-eks-quiet.rules lib/systemd/network/05-multus-eks.network \
    lib/sysusers.d/multus-eks.conf lib/tmpfiles.d/multus-eks.conf share/doc/multus-eks/LICENSE \
    share/man/man1/multus-eksctl.1 share/man/man5/multus-eks.conf.5 share/man/man7/multus-eks.tags.7 \
    share/man/man8/multus-eks-ip.8 share/man/man8/multus-eksd.8 \
    share/bash-completion/completions/multus-eksctl share/doc/multus-eks/examples/sidecar.yaml \
    share/multus-eks/iam-policy.json share/doc/multus-eks/nodegroup.yaml; do
    [ -f "$root/opt/multus/$file" ] || {
        echo "check-install: $file is not installed" >&2
        status=1
    }
done
program=$(sed -n 's/^ExecStart=//p' "$root/opt/multus/lib/systemd/system/multus-eksd.service")
[ -x "$root$program" ] || {
    echo "check-install: the service starts $program, which is not there" >&2
    status=1
}

[ -x "$root/opt/cni/bin/multus-eks-ip" ] || {
    echo "check-install: the CNI plugin is not where runtimes look" >&2
    status=1
}

# what the doctor looks for in an image is what is installed
${MAKE:-make} --no-print-directory -s install DESTDIR="$root/image" >/dev/null
said=$("$root/image/usr/bin/multus-eksctl" doctor --image --root "$root/image" | grep '^[^:]* files\.') || said=nothing
wrong=$(echo "$said" | grep -v '^ok') && {
    echo "check-install: the doctor says: $wrong" >&2
    status=1
}
rm -r "$root/image"

install uninstall
left=$(cd "$root" && find . -type f)
[ "$left" = ./etc/multus-eks.conf ] || {
    echo "check-install: uninstall leaves:" "$left" >&2
    status=1
}
exit $status
