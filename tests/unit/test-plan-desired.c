/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which interfaces a node gets: named, listed or discovered, with tags over the file, and every way
 * in which that cannot be answered.
 */

#include "lib/test.h"
#include "lib/vpc.h"
#include "plan/desired.h"
#include <errno.h>
#include <stdio.h>

#define TAGS_MAX 8

typedef struct Tag {
    const char *what, *key, *value;
} Tag;

typedef struct Row {
    const char *config;
    Tag tags[TAGS_MAX];
    const char *expected; /* "ifname=subnet/groups …", or part of the error when it begins with '!' */
} Row;

static const Row rows[] = {
    /* nothing configured */
    {"", {{0}}, ""},
    /* the list */
    {"[network]\nsubnets = subnet-a1, subnet-a2\n", {{0}}, "eth1=subnet-a1 eth2=subnet-a2"},
    {"[network]\nsubnets = subnet-b1, subnet-a2, subnet-b2, subnet-a1\n",
     {{0}},
     "eth1=subnet-a2 eth2=subnet-a1"},
    {"[network]\nsubnets = subnet-a1, subnet-a1\n", {{0}}, "eth1=subnet-a1 eth2=subnet-a1"},
    {"[network]\nsubnets = subnet-a1\nifname_prefix = net\n", {{0}}, "net1=subnet-a1"},
    {"[network]\nsubnets = subnet-b1, subnet-b2\n",
     {{0}},
     "!test.conf:2: network.subnets: none of them is in this node's zone eu-central-1a (subnet-b1 in "
     "eu-central-1b, subnet-b2 in eu-central-1b)"},
    {"[network]\nsubnets = subnet-a1, subnet-c1\n",
     {{0}},
     "!test.conf:2: network.subnets: subnet-c1 is not a subnet of this node's VPC vpc-1"},
    {"[network]\nsubnets = subnet-a1,subnet-a1,subnet-a1,subnet-a1,subnet-a1,subnet-a1,subnet-a1,subnet-a1\n"
     " subnet-a1,subnet-a1,subnet-a1,subnet-a1,subnet-a1,subnet-a1,subnet-a1,subnet-a1\n",
     {{0}},
     "!more than 15 interfaces"},
    /* security groups: one for all, or pairs that survive the zone */
    {"[network]\nsubnets = subnet-a1, subnet-a2\nsecurity_groups = sg-1\n",
     {{0}},
     "eth1=subnet-a1/sg-1 eth2=subnet-a2/sg-1"},
    {"[network]\nsubnets = subnet-b1, subnet-a2\nsecurity_groups = sg-1, sg-2\n",
     {{0}},
     "eth1=subnet-a2/sg-2"},
    {"[network]\nsubnets = subnet-a1, subnet-a2\n",
     {{"instance", "multus-eks:security-groups", "sg-1,sg-2,sg-3"}},
     "!tag multus-eks:security-groups of instance " VPC_INSTANCE
     ": network.security_groups: 3 groups for 2 subnets"},
    /* IPv6 */
    {"[network]\nsubnets = subnet-a1, subnet-a2\nipv6 = no\n", {{0}}, "eth1=subnet-a1 eth2=subnet-a2"},
    {"[network]\nsubnets = subnet-a2\nipv6 = yes\n", {{0}}, "eth1=subnet-a2"},
    {"[network]\nsubnets = subnet-a2, subnet-a1\nipv6 = yes\n",
     {{0}},
     "!test.conf:3: network.ipv6: subnet subnet-a1 has no IPv6 CIDR block"},
    /* precedence: file, group, instance */
    {"[network]\nsubnets = subnet-a1\n", {{"group", "multus-eks:subnets", "subnet-a2"}}, "eth1=subnet-a2"},
    {"[network]\nsubnets = subnet-a1\n",
     {{"group", "multus-eks:subnets", "subnet-a2"},
      {"instance", "multus-eks:subnets", "subnet-a3"},
      {"group", "multus-eks:security-groups", "sg-9"}},
     "eth1=subnet-a3/sg-9"},
    {"[discovery]\ntags = no\n[network]\nsubnets = subnet-a1\n",
     {{"instance", "multus-eks:subnets", "subnet-a2"}},
     "eth1=subnet-a1"},
    {"[discovery]\ntag_prefix = x/\n",
     {{"instance", "multus-eks:subnets", "subnet-a2"}, {"instance", "x/subnets", "subnet-a1"}},
     "eth1=subnet-a1"},
    {"",
     {{"instance", "multus-eks:mtu", "5"}, {"group", "multus-eks:ipv6", "perhaps"}},
     "!tag multus-eks:ipv6 of Auto Scaling group"},
    /* a mistake is where the value is from that holds, whatever else was laid under it */
    {"[network]\nsubnets = subnet-a1\n",
     {{"group", "multus-eks:subnets", "subnet-c1"}, {"instance", TAG_ASG_NAME, "workers"}},
     "!tag multus-eks:subnets of Auto Scaling group workers: network.subnets: subnet-c1 is not a subnet"},
    {"[network]\nsubnets = subnet-a1\n",
     {{"group", "multus-eks:subnets", "subnet-a2"}, {"instance", "multus-eks:subnets", "subnet-b1"}},
     "!tag multus-eks:subnets of instance " VPC_INSTANCE ": network.subnets: none of them is in"},
    {"[network oam]\nmtu = 1500\n",
     {{"group", "multus-eks:subnets", "subnet-c1"}, {"instance", TAG_ASG_NAME, "workers"}},
     "!tag multus-eks:subnets of Auto Scaling group workers: network oam.subnets: subnet-c1 is not"},
    {"[network oam]\nsubnets = subnet-b1\n",
     {{"instance", "multus-eks:subnets", "subnet-a1"}},
     "!test.conf:2: network oam.subnets: none of them is in"},
    /* named networks are the whole list; their own keys are stronger than tags */
    {"[network oam]\nsubnets = subnet-b1, subnet-a1\n[network sig]\nsubnets = subnet-a2\nifname = sig0\n",
     {{"instance", "multus-eks:subnets", "subnet-a3"}, {"instance", "multus-eks:ifname-prefix", "net"}},
     "net1=subnet-a1 sig0=subnet-a2"},
    {"[network]\nsecurity_groups = sg-1\n[network oam]\nsubnets = subnet-a1\nsecurity_groups = sg-2\n",
     {{"instance", "multus-eks:security-groups", "sg-3"}},
     "eth1=subnet-a1/sg-2"},
    {"[network]\nsubnets = subnet-a1, subnet-b1\nsecurity_groups = sg-1, sg-2\n[network x]\n[network y]\n",
     {{0}},
     "eth1=subnet-a1/sg-1 eth2=subnet-a1/sg-1"},
    {"[network oam]\nmtu = 1500\n", {{0}}, "!test.conf:1: network oam.subnets: none; name the candidates"},
    {"[network oam]\nsubnets = subnet-b1\n",
     {{0}},
     "!test.conf:2: network oam.subnets: none of them is in this node's zone eu-central-1a (subnet-b1 in "
     "eu-central-1b)"},
    {"[network oam]\nsubnets = subnet-a1, subnet-a2\n",
     {{0}},
     "!test.conf:2: network oam.subnets: more than one is in"},
    /* which the file alone does not show */
    {"[network oam]\nsubnets = subnet-a1\n[network sig]\nsubnets = subnet-a2\nifname = net1\n",
     {{"instance", "multus-eks:ifname-prefix", "net"}},
     "!test.conf:5: network sig.ifname: net1 is that of network oam too"},
    /* discovery by tags of subnets */
    {"",
     {{"subnet-a3", "multus-eks:device-index", "2"},
      {"subnet-a1", "multus-eks:device-index", "10"},
      {"subnet-b1", "multus-eks:device-index", "nonsense"}},
     "eth1=subnet-a3 eth2=subnet-a1"},
    {"[network]\nsecurity_groups = sg-1, sg-2\n",
     {{"subnet-a1", "multus-eks:device-index", "2"}, {"subnet-a2", "multus-eks:device-index", "1"}},
     "eth1=subnet-a2/sg-1 eth2=subnet-a1/sg-2"},
    {"",
     {{"subnet-a1", "multus-eks:device-index", "1"},
      {"subnet-a1", "multus-eks:nodegroup", "other, workers"},
      {"subnet-a2", "multus-eks:device-index", "1"},
      {"subnet-a2", "multus-eks:nodegroup", "other"},
      {"instance", TAG_ASG_NAME, "workers"}},
     "eth1=subnet-a1"},
    {"",
     {{"subnet-a1", "multus-eks:device-index", "1"}, {"subnet-a1", "multus-eks:nodegroup", "workers"}},
     ""},
    {"[discovery]\ntags = no\n", {{"subnet-a1", "multus-eks:device-index", "1"}}, ""},
    {"",
     {{"subnet-a1", "multus-eks:device-index", "first"}},
     "!tag multus-eks:device-index of subnet subnet-a1"},
    {"", {{"subnet-a1", "multus-eks:device-index", "0"}}, "!is not a number; allowed: 1 to 99"},
    {"",
     {{"subnet-a1", "multus-eks:device-index", "1"}, {"subnet-a2", "multus-eks:device-index", "1"}},
     "!subnets subnet-a1 and subnet-a2 both have 1"},
};

static void describe(const Desired *desired, Buf *ret)
{
    assert_int_equal(buf_puts(ret, ""), 0);
    for (size_t i = 0; i < desired->n_enis; i++) {
        _cleanup_(freep) char *groups = strlist_join(&desired->enis[i].group_ids, "+");

        assert_int_equal(buf_printf(ret, "%s%s=%s%s%s", i == 0 ? "" : " ", desired->enis[i].ifname,
                                    desired->enis[i].subnet_id, desired->enis[i].group_ids.n ? "/" : "",
                                    desired->enis[i].group_ids.n ? groups : ""),
                         0);
    }
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(desired_freep) Desired *desired = NULL;
        _cleanup_buf_ Buf errors = BUF_NULL, text = BUF_NULL;
        Vpc vpc;
        int r;

        vpc_init(&vpc, rows[i].config);
        for (size_t j = 0; j < TAGS_MAX && rows[i].tags[j].what; j++)
            vpc_tag(&vpc, rows[i].tags[j].what, rows[i].tags[j].key, rows[i].tags[j].value);
        r = desired_compute(&vpc.facts, &desired, NULL, &errors);
        if (r == 0)
            describe(desired, &text);

        if (rows[i].expected[0] == '!') {
            if (r != -EINVAL || !strstr(errors.data, rows[i].expected + 1))
                fail_msg("row %zu: %d, %s", i, r, errors.data ? errors.data : text.data);
        } else if (r != 0 || !streq(text.data, rows[i].expected)) {
            fail_msg("row %zu: %d, %s", i, r, r < 0 ? errors.data : text.data);
        }
        vpc_done(&vpc);
    }
}

/* A subnet may be listed several times, for as many interfaces; a word about it is said once. */
static void test_said_once(void **state)
{
    static const struct {
        const char *config;
        int r;
        const char *said;
    } list[] = {
        {"[network]\nsubnets = subnet-c1, subnet-a1, subnet-c1, subnet-c1\n", -EINVAL,
         "test.conf:2: network.subnets: subnet-c1 is not a subnet of this node's VPC vpc-1\n"},
        {"[network]\nsubnets = subnet-b1, subnet-a1, subnet-b1, subnet-a1\n", 0,
         "subnet subnet-b1 is in eu-central-1b, this node in eu-central-1a: passed over\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        _cleanup_(desired_freep) Desired *desired = NULL;
        _cleanup_buf_ Buf said = BUF_NULL;
        Vpc vpc;

        vpc_init(&vpc, list[i].config);
        assert_int_equal(desired_compute(&vpc.facts, &desired, &said, &said), list[i].r);
        assert_string_equal(said.data, list[i].said);
        assert_int_equal(desired ? desired->n_enis : 2, 2);
        vpc_done(&vpc);
    }
}

static void test_fields(void **state)
{
    _cleanup_(desired_freep) Desired *desired = NULL;
    _cleanup_buf_ Buf errors = BUF_NULL, notes = BUF_NULL;
    const DesiredEni *eni;
    Vpc vpc;

    (void)state;
    vpc_init(&vpc,
             "[network]\nsubnets = subnet-a1, subnet-b1, subnet-a2\nip_allocation = subnet-start\n"
             "source_dest_check = no\nmtu = 1500\nhost_address = yes\ndriver = vfio-pci\n");
    assert_int_equal(desired_compute(&vpc.facts, &desired, &notes, &errors), 0);
    assert_int_equal(desired->n_enis, 2);
    assert_string_equal(notes.data,
                        "subnet subnet-b1 is in eu-central-1b, this node in eu-central-1a: passed over\n");
    assert_false(desired->enis[0].ipv6);
    eni = &desired->enis[1];
    assert_string_equal(eni->network, "eth2");
    assert_int_equal(eni->position, 2);
    assert_int_equal(eni->device_index, -1);
    assert_int_equal(eni->ip_allocation, IP_ALLOCATION_SUBNET_START);
    assert_true(eni->ipv6);
    assert_true(in_prefix_is_set(&eni->ipv6_cidr_block));
    assert_false(eni->source_dest_check);
    assert_int_equal(eni->mtu, 1500);
    assert_true(eni->host_address);
    assert_string_equal(eni->driver, "vfio-pci");
    vpc_done(&vpc);
}

static void assert_tags(const Desired *desired, const char *expected)
{
    _cleanup_buf_ Buf text = BUF_NULL;
    const KeyValueList *tags = &desired->enis[0].tags;

    for (size_t i = 0; i < tags->n; i++)
        assert_int_equal(buf_printf(&text, "%s=%s\n", tags->items[i].key, tags->items[i].value), 0);
    assert_string_equal(text.data, expected);
}

static void test_tags(void **state)
{
    _cleanup_(desired_freep) Desired *alone = NULL, *grouped = NULL;
    _cleanup_buf_ Buf errors = BUF_NULL;
    Vpc vpc;

    (void)state;
    vpc_init(&vpc, "[network]\nsubnets = subnet-a1\ninterface_tags = cnf=abc01, type=5g\n");
    assert_int_equal(desired_compute(&vpc.facts, &alone, NULL, &errors), 0);
    assert_tags(alone,
                "node.k8s.amazonaws.com/no_manage=true\n"
                "Name=" VPC_INSTANCE
                "/eth1\n"
                "multus-eks:instance-id=" VPC_INSTANCE
                "\n"
                "multus-eks:network=eth1\n"
                "cnf=abc01\n"
                "type=5g\n");

    vpc_tag(&vpc, "instance", TAG_ASG_NAME, "workers");
    vpc_tag(&vpc, "instance", "kubernetes.io/cluster/prod", "owned");
    vpc_tag(&vpc, "instance", "multus-eks:interface-tags", "Name=mine");
    assert_int_equal(desired_compute(&vpc.facts, &grouped, NULL, &errors), 0);
    assert_string_equal(grouped->nodegroup, "workers");
    assert_string_equal(grouped->cluster, "prod");
    assert_tags(grouped,
                "node.k8s.amazonaws.com/no_manage=true\n"
                "Name=mine\n"
                "multus-eks:instance-id=" VPC_INSTANCE
                "\n"
                "multus-eks:network=eth1\n"
                "multus-eks:nodegroup=workers\n"
                "kubernetes.io/cluster/prod=owned\n");
    vpc_done(&vpc);
}

static void test_cluster_of_managed_group(void **state)
{
    static const char *const keys[] = {"eks:cluster-name", "aws:eks:cluster-name"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        _cleanup_(desired_freep) Desired *desired = NULL;
        _cleanup_buf_ Buf errors = BUF_NULL;
        Vpc vpc;

        vpc_init(&vpc, "");
        vpc_tag(&vpc, "instance", keys[i], "prod");
        assert_int_equal(desired_compute(&vpc.facts, &desired, NULL, &errors), 0);
        assert_string_equal(desired->cluster, "prod");
        vpc_done(&vpc);
    }
}

static void test_kept(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        _cleanup_(desired_freep) Desired *desired = NULL;
        _cleanup_buf_ Buf errors = BUF_NULL, text = BUF_NULL;
        Vpc vpc;

        vpc_init(&vpc, i == 2 ? "[network]\nsubnets = subnet-a1\n" : "");
        vpc_tag(&vpc, "instance", TAG_ASG_NAME, "workers");
        (void)vpc_add_eni(&vpc, "eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1);
        (void)vpc_add_eni(&vpc, "eni-2", "subnet-a1", "oam", VPC_INSTANCE, 2);
        (void)vpc_add_eni(&vpc, "eni-3", "subnet-a1", "eth3", NULL, 0);
        vpc.facts.group_unknown = i == 1;
        assert_int_equal(desired_compute(&vpc.facts, &desired, NULL, &errors), 0);
        assert_int_equal(desired_describe_kept(&vpc.facts, desired, &text), 0);
        if (i == 2) {
            assert_null(text.data);
        } else {
            assert_non_null(strstr(text.data, " eni-1 (eth1) eni-2 (oam): "));
            assert_int_equal(strstr(text.data, "workers") != NULL, i == 1);
        }
        assert_int_equal(desired->n_enis, 1);
        vpc_done(&vpc);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),      cmocka_unit_test(test_rows),
        cmocka_unit_test(test_said_once), cmocka_unit_test(test_fields),
        cmocka_unit_test(test_tags),      cmocka_unit_test(test_cluster_of_managed_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
