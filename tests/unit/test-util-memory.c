/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pages that are never written to are unmapped and come back as they were; all others stay.
 */

#include "lib/test.h"
#include "util/memory.h"
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#define SIZE   ((size_t)1 << 20)
#define MIDDLE (SIZE / 2) /* in a page of its own, however large pages are */

static const char constant[SIZE] = {[0] = 'a', [MIDDLE] = 'b'};
static char writable[SIZE] = {[0] = 'c'};
/* relocated when the program starts: not writable any more, yet not what the file has */
static const char *const relocated[] = {constant, writable, constant + 1};

/* Whether the page is mapped: bit 63 of /proc/self/pagemap's entry. */
static bool is_mapped(const void *address)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uint64_t entry = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)address / page * sizeof(entry))),
                     sizeof(entry));
    (void)close(fd);
    return entry >> 63;
}

static void test_give_back(void **state)
{
    const volatile char *page = constant + MIDDLE;
    const char *const volatile *pointers = relocated;

    (void)state;
    assert_int_equal(*page, 'b');
    assert_true(is_mapped(constant + MIDDLE));
    writable[MIDDLE] = 'd';

    memory_give_back();
    assert_false(is_mapped(constant + MIDDLE));
    assert_true(is_mapped(writable + MIDDLE));
    assert_int_equal(writable[MIDDLE], 'd');
    assert_int_equal(*page, 'b');
    assert_true(pointers[0] == constant && pointers[1] == writable && pointers[2] == constant + 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_give_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
