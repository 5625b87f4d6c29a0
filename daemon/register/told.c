/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An address that another interface has and that may not be moved is asked for until it is free: by the watch
 * as long as a pod has it, by kubelet as long as the pod is to start. A refused registration is forgotten, so
 * each time looks like the first. It is said once; then not until it has been assigned, or nobody has asked
 * for an hour.
 *
 * The table is of fixed size, for memory must not grow with the number of addresses ever seen.
 */

#include "register/told.h"
#include "util/macro.h"

static ToldEntry *told_find(Told *told, const InAddr *address)
{
    for (size_t i = 0; i < ARRAY_SIZE(told->entries); i++)
        if (in_addr_is_set(&told->entries[i].address) && in_addr_equal(&told->entries[i].address, address))
            return &told->entries[i];
    return NULL;
}

bool told_refused(Told *told, const InAddr *address, usec_t now)
{
    ToldEntry *entry = told_find(told, address);
    bool known = entry && time_add(entry->at, TOLD_WINDOW) > now;

    if (!entry) {
        entry = &told->entries[0]; /* an unused one is as old as can be */
        for (size_t i = 1; i < ARRAY_SIZE(told->entries); i++)
            if (told->entries[i].at < entry->at)
                entry = &told->entries[i];
    }
    *entry = (ToldEntry){.address = *address, .at = now};
    return known;
}

void told_forget(Told *told, const InAddr *address)
{
    ToldEntry *entry = told_find(told, address);

    if (entry)
        *entry = (ToldEntry){0};
}
