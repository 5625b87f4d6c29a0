/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The file of registered addresses as a crash, a full disk or another version may have left it. What is
 * believed must come out again as it went in.
 */

#include "state/store.h"

#define INSTANCE "i-0123456789abcdef0"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void compare(const State *state, const State *again)
{
    size_t n = state ? state_n(state) : 0;

    assert((again ? state_n(again) : 0) == n);
    for (size_t i = 0; i < n; i++) {
        const Registration *a = state_get(state, i), *b = state_get(again, i);

        if (!in_addr_equal(&a->address, &b->address) || !streq(a->owner, b->owner) || a->since != b->since)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    State *state = NULL, *again = NULL;
    char *text;
    int r;

    if (store_decode((const char *)data, n, INSTANCE, &state) != 0)
        return 0;
    /* All of it was assigned, or it would not have been written. */
    for (size_t i = 0; i < state_n(state); i++)
        state_get(state, i)->assigned = true;
    text = store_encode(state, INSTANCE);
    assert(text);
    r = store_decode(text, strlen(text), INSTANCE, &again);
    assert(r == 0);
    compare(state, again);
    compare(state_moved_away(state), state_moved_away(again));
    compare(state_own(state), state_own(again));
    free(text);
    (void)state_free(again);
    (void)state_free(state);
    return 0;
}
