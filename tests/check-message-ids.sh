#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Every message id of daemon/util/message-ids.h has an entry in units/multus-eks.catalog with a subject
# and a text, every entry has an id there, and no id is given twice. journalctl must accept the catalog.
set -eu

header=daemon/util/message-ids.h
catalog=units/multus-eks.catalog
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

sed -n 's/^#define MESSAGE_[A-Z0-9_]* *"\(.*\)"$/\1/p' "$header" | sort >"$work/header"
sed -n 's/^-- \(.*\)$/\1/p' "$catalog" | sort >"$work/catalog"

for list in header catalog; do
    if [ ! -s "$work/$list" ]; then
        echo "check-message-ids: no ids found in the $list" >&2
        status=1
    fi
    if grep -vxE '[0-9a-f]{32}' "$work/$list"; then
        echo "check-message-ids: not 32 lower-case hexadecimal digits, in the $list" >&2
        status=1
    fi
    repeated=$(uniq -d "$work/$list")
    if [ -n "$repeated" ]; then
        echo "check-message-ids: given twice in the $list: $repeated" >&2
        status=1
    fi
done
if ! diff -u "$work/header" "$work/catalog" >&2; then
    echo "check-message-ids: $header and $catalog differ" >&2
    status=1
fi

# An entry is: -- ID, Subject, Defined-By, an empty line, a text.
awk '
    function finish() {
        if (id != "" && (!subject || !defined_by || text < 2)) {
            print FILENAME ": " id ": lacks a subject, Defined-By or a text of two lines"
            bad = 1
        }
    }
    /^-- / { finish(); id = $2; subject = 0; defined_by = 0; text = 0; next }
    /^#/ { next }
    /^Subject: ./ { subject = 1; next }
    /^Defined-By: multus-eks$/ { defined_by = 1; next }
    /./ { text++ }
    END { finish(); exit bad }
' "$catalog" >&2 || status=1

mkdir -p "$work/root/usr/lib/systemd/catalog" "$work/root/var/lib/systemd/catalog"
cp "$catalog" "$work/root/usr/lib/systemd/catalog/"
if ! journalctl --root="$work/root" --update-catalog >"$work/log" 2>&1 || [ -s "$work/log" ]; then
    cat "$work/log" >&2
    echo "check-message-ids: journalctl does not accept $catalog" >&2
    status=1
else
    # The database holds every entry: as many as there are ids.
    found=$(strings -n 20 "$work/root/var/lib/systemd/catalog/database" | grep -c '^Subject: ' || :)
    if [ "$found" -ne "$(wc -l <"$work/header")" ]; then
        echo "check-message-ids: journalctl took $found of $(wc -l <"$work/header") entries" >&2
        status=1
    fi
fi
exit $status
