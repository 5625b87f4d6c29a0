/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Configuration in tags: the same keys and refusals as the file, values in parts.
 */

#include "input/tags.h"
#include "lib/test.h"
#include <errno.h>

#define TAGS_MAX 6

typedef struct Pair {
    const char *key, *value;
} Pair;

static int apply(const Pair *pairs, NetworkConfig *network, Buf *errors)
{
    _cleanup_keyvalue_list_ KeyValueList tags = KEYVALUE_LIST_NULL;

    for (size_t i = 0; i < TAGS_MAX && pairs[i].key; i++)
        assert_int_equal(keyvalue_list_append(&tags, pairs[i].key, pairs[i].value), 0);
    return tags_apply(network, &tags, "multus-eks:", "instance i-1", errors);
}

static void test_values(void **state)
{
    static const Pair pairs[TAGS_MAX + 1] = {
        {"multus-eks:subnets.2", "subnet-3"},
        {"multus-eks:subnets", "subnet-1, subnet-2"},
        {"multus-eks:ip-allocation", "subnet-start"},
        {"multus-eks:instance-id", "i-9"},
        {"Name", "multus-eks:mtu"},
        {"multus-eks:security-groups", ""},
    };
    _cleanup_(config_freep) Config *config = config_new();
    _cleanup_buf_ Buf errors = BUF_NULL;

    (void)state;
    assert_int_equal(apply(pairs, &config->defaults, &errors), 0);
    assert_null(errors.data);
    assert_int_equal(config->defaults.subnets.n, 3);
    assert_string_equal(config->defaults.subnets.items[2], "subnet-3");
    assert_int_equal(config->defaults.ip_allocation, IP_ALLOCATION_SUBNET_START);
    assert_true(network_config_has(&config->defaults, "security_groups"));
    assert_int_equal(config->defaults.security_groups.n, 0);
}

static void test_mistakes(void **state)
{
    static const struct {
        Pair pairs[TAGS_MAX];
        const char *error;
    } rows[] = {
        {{{"multus-eks:mtu", "x"}},
         "tag multus-eks:mtu of instance i-1: network.mtu: \"x\" is not a number; allowed: 1280 to 9216\n"},
        {{{"multus-eks:subnet", "subnet-1"}},
         "tag multus-eks:subnet of instance i-1: network.subnet: unknown key; did you mean subnets?"},
        {{{"multus-eks:ip_allocation", "dynamic"}}, "allowed: dashes instead of underscores"},
        {{{"multus-eks:subnets", "subnet-1"}, {"multus-eks:subnets.3", "subnet-3"}}, "part 2 is missing"},
        {{{"multus-eks:subnets.2", "subnet-3"}}, "part 1 is missing"},
        {{{"multus-eks:subnets", "subnet-1"}, {"multus-eks:subnets.x", "subnet-3"}},
         "not the number of a part"},
        {{{"multus-eks:subnets", "subnet-1"}, {"multus-eks:subnets.02", "s"}}, "not the number of a part"},
        {{{"multus-eks:subnets", "subnet-1"}, {"multus-eks:subnets.1", "s"}}, "not the number of a part"},
        {{{"multus-eks:ifname", "eth7"}}, "one interface only can have it"},
        {{{"multus-eks:", "x"}}, "unknown key"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(config_freep) Config *config = config_new();
        _cleanup_buf_ Buf errors = BUF_NULL;

        if (apply(rows[i].pairs, &config->defaults, &errors) != -EINVAL ||
            !strstr(errors.data, rows[i].error))
            fail_msg("row %zu gave: %s", i, errors.data ? errors.data : "no error");
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_mistakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
