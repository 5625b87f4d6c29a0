/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The journal of creations as a crash, a full disk or another version may have left it. It is read from
 * a file in memory, under its own path, since reading and decoding are one function.
 */

#include "eni/intent.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void fuzz_intents(const char *path)
{
    static const char *const networks[] = {"eth1", "oam", ""};
    Intents *intents = NULL;

    if (intents_load(&intents, path, "i-0123456789abcdef0") < 0)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
        const char *created = NULL, *again = NULL;
        Allocation addresses;

        if (intents_get(intents, networks[i], 1, &created) < 0 ||
            intents_get(intents, networks[i], 2, &again) < 0)
            continue;
        /* The time enters the ClientToken: it must be there, and not change from call to call. */
        assert(created[0] && streq(created, again));
        /* They go into the request: they are addresses, the first of IPv4 or IPv6, or there are none. */
        if (intents_addresses(intents, networks[i], &addresses))
            assert(in_addr_is_set(&addresses.ipv4));
        intents_drop(intents, networks[i]);
        assert(!intents_addresses(intents, networks[i], &addresses));
    }
    (void)intents_free(intents);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char path[32];
    int fd = memfd_create("intents", MFD_CLOEXEC);

    if (fd < 0)
        return 0;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (write(fd, data, n) == (ssize_t)n)
        fuzz_intents(path);
    (void)close(fd);
    return 0;
}
