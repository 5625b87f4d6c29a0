/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The request of CreateNetworkInterface: exactly what is in it, and a token that follows from it.
 */

#include "eni/create.h"
#include "lib/fake-aws/cloud.h"
#include "lib/test.h"
#include <stdio.h>

static DesiredEni desired;
static InAddr ipv4, ipv6;

static int setup(void **state _unused_)
{
    desired_init(&desired, "oam");
    assert_int_equal(in_addr_parse("10.0.1.4", &ipv4), 0);
    assert_int_equal(in_addr_parse("2001:db8::4", &ipv6), 0);
    return 0;
}

static int teardown(void **state _unused_)
{
    desired_eni_done(&desired);
    return 0;
}

static CreateArgs default_args(void)
{
    return (CreateArgs){
        .desired = &desired, .instance_id = CLOUD_INSTANCE, .created = "2026-09-21T14:13:20.000Z"};
}

/* As "key=value" lines, without the token, which goes to ret. */
static char *request(const CreateArgs *args, char ret_token[static 80])
{
    _cleanup_aws_query_ AwsQuery query = {0};
    _cleanup_buf_ Buf text = BUF_NULL;

    assert_int_equal(create_query(args, &query), 0);
    for (size_t i = 0; i < query.parameters.n; i++) {
        const KeyValue *pair = &query.parameters.items[i];

        if (streq(pair->key, "ClientToken"))
            (void)snprintf(ret_token, 80, "%s", pair->value);
        else
            assert_int_equal(buf_printf(&text, "%s=%s\n", pair->key, pair->value), 0);
    }
    return buf_take(&text);
}

#define HEAD                                                                                                 \
    "Action=CreateNetworkInterface\nVersion=2016-11-15\nSubnetId=subnet-1\n"                                 \
    "Description=multus-eks oam of i-1\nSecurityGroupId.1=sg-1\n"
#define TAGS                                                                                                 \
    "TagSpecification.1.ResourceType=network-interface\n"                                                    \
    "TagSpecification.1.Tag.1.Key=multus-eks:instance-id\nTagSpecification.1.Tag.1.Value=i-1\n"              \
    "TagSpecification.1.Tag.2.Key=multus-eks:network\nTagSpecification.1.Tag.2.Value=oam\n"                  \
    "TagSpecification.1.Tag.3.Key=multus-eks:created\n"                                                      \
    "TagSpecification.1.Tag.3.Value=2026-09-21T14:13:20.000Z\n"

static void test_parameters(void **state _unused_)
{
    static const struct {
        bool ipv6;
        const InAddr *private_ip, *ipv6_address;
        const char *expected;
    } rows[] = {
        {false, NULL, NULL, HEAD TAGS},
        {true, NULL, NULL, HEAD "Ipv6AddressCount=1\n" TAGS},
        {true, &ipv4, &ipv6,
         HEAD "PrivateIpAddress=10.0.1.4\nIpv6Addresses.1.Ipv6Address=2001:db8::4\n" TAGS},
        {false, &ipv4, NULL, HEAD "PrivateIpAddress=10.0.1.4\n" TAGS},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CreateArgs args = default_args();
        _cleanup_(freep) char *text = NULL;
        char token[80] = "";

        desired.ipv6 = rows[i].ipv6;
        args.private_ip = rows[i].private_ip;
        args.ipv6_address = rows[i].ipv6_address;
        text = request(&args, token);
        assert_string_equal(text, rows[i].expected);
        assert_int_equal(strlen(token), 64); /* the most that EC2 takes */
        assert_int_equal(strspn(token, "0123456789abcdef"), 64);
    }
}

/* Each step changes another thing; what is changed in the desired interface stays so. */
static void change(unsigned step, CreateArgs *args)
{
    char letter[] = {(char)('a' + (char)step), '\0'};

    switch (step) {
    case 0: break;
    case 1: args->instance_id = "i-2"; break;
    case 2: args->created = "2026-09-21T14:13:20.001Z"; break;
    case 3: args->private_ip = &ipv4; break;
    case 4: args->ipv6_address = &ipv6; break;
    case 5: desired.ipv6 = true; break;
    case 6: assert_int_equal(replace_string(&desired.subnet_id, "subnet-2"), 0); break;
    case 7: assert_int_equal(replace_string(&desired.network, "media"), 0); break;
    case 8: assert_int_equal(strlist_append(&desired.group_ids, "sg-2"), 0); break;
    default: assert_int_equal(keyvalue_list_append(&desired.tags, letter, "x"), 0); break;
    }
}

static void test_token(void **state _unused_)
{
    char tokens[11][80];

    for (unsigned step = 0; step < ARRAY_SIZE(tokens); step++) {
        CreateArgs args = default_args();
        char again[80] = "";

        change(step, &args);
        free(request(&args, tokens[step]));
        free(request(&args, again));
        assert_string_equal(tokens[step], again);
        for (unsigned before = 0; before < step; before++)
            assert_string_not_equal(tokens[step], tokens[before]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parameters, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
