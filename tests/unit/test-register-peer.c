/* SPDX-License-Identifier: Apache-2.0 */

/* Groups by their names, as this host has them. */

#include "lib/test.h"
#include "register/peer.h"
#include <errno.h>
#include <grp.h>
#include <stdio.h>

static void test_groups_of_file(void **state)
{
    FILE *file = fopen("/etc/group", "re");
    const struct group *group;
    gid_t id;

    (void)state;
    assert_non_null(file);
    while ((group = fgetgrent(file))) {
        id = PEER_GROUP_NONE;
        assert_int_equal(peer_group_by_name(group->gr_name, &id), 0);
        assert_int_equal(id, group->gr_gid);
    }
    (void)fclose(file);
}

static void test_no_such_group(void **state)
{
    gid_t id = 4711;

    (void)state;
    assert_int_equal(peer_group_by_name("no-such-group", &id), -ESRCH);
    assert_int_equal(peer_group_by_name("roo", &id), -ESRCH);
    assert_int_equal(peer_group_by_name("root:", &id), -ESRCH);
    assert_int_equal(id, 4711);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups_of_file),
        cmocka_unit_test(test_no_such_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
