/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Desired against observed: adoption, device indexes, limits and removals one by one; then, over
 * random states of EC2, what has to hold in all of them.
 */

#include "lib/test.h"
#include "lib/vpc.h"
#include "plan/desired.h"
#include "plan/diff.h"
#include <errno.h>
#include <stdio.h>

#define TWO_NETWORKS "[network]\nsubnets = subnet-a1, subnet-a2\n"
#define ENIS_MAX     8

/* An interface that EC2 shows. */
typedef struct Eni {
    const char *id, *subnet, *network, *instance;
    unsigned index;
    const char *created;
    const char *attachment_status;
    bool keeps; /* not deleted on termination */
    bool unchecked;
    const char *group;
} Eni;

typedef struct Row {
    const char *name;
    const char *config;
    Eni enis[ENIS_MAX];
    const char *expected; /* see describe(); part of the error when it begins with '!' */
    unsigned limit;       /* of interfaces; 0: the type is unknown */
    bool group_unknown;
} Row;

static const Row rows[] = {
    {"nothing there", TWO_NETWORKS, {{0}}, "eth1:new@1:CAD eth2:new@2:CAD"},
    {"nothing wanted", "", {{0}}, ""},
    {"source check off",
     "[network]\nsubnets = subnet-a1\nsource_dest_check = no\n",
     {{0}},
     "eth1:new@1:CADS"},
    {"all there",
     TWO_NETWORKS,
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1}, {"eni-2", "subnet-a2", "eth2", VPC_INSTANCE, 2}},
     "eth1:eni-1@1: eth2:eni-2@2:"},
    {"all there, elsewhere",
     TWO_NETWORKS,
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 5}, {"eni-2", "subnet-a2", "eth2", VPC_INSTANCE, 1}},
     "eth1:eni-1@5: eth2:eni-2@1:"},
    {"one left over",
     TWO_NETWORKS,
     {{"eni-1", "subnet-a1", "eth1", NULL, 0}, {"eni-2", "subnet-a2", "eth2", VPC_INSTANCE, 1}},
     "eth1:eni-1@2:AD eth2:eni-2@1:"},
    {"attributes differ",
     "[network]\nsubnets = subnet-a1\nsecurity_groups = sg-1\nsource_dest_check = no\n",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1, .keeps = true, .group = "sg-2"}},
     "eth1:eni-1@1:GDS"},
    {"groups as wanted",
     "[network]\nsubnets = subnet-a1\nsecurity_groups = sg-1\nsource_dest_check = no\n",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1, .unchecked = true, .group = "sg-1"}},
     "eth1:eni-1@1:"},
    {"no groups wanted",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1, .group = "sg-1"}},
     "eth1:eni-1@1:"},
    {"source check on again",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth1", NULL, 0, .unchecked = true}},
     "eth1:eni-1@1:ADS"},
    /* adoption */
    {"attached before older",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth1", NULL, 0, .created = "2026-01-01T00:00:00.000Z"},
      {"eni-2", "subnet-a1", "eth1", VPC_INSTANCE, 1, .created = "2026-01-02T00:00:00.000Z"}},
     "eth1:eni-2@1: -eni-1(another interface serves its network already)"},
    {"older before younger",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth1", NULL, 0, .created = "2026-01-02T00:00:00.000Z"},
      {"eni-2", "subnet-a1", "eth1", NULL, 0, .created = "2026-01-01T00:00:00.000Z"},
      {"eni-0", "subnet-a1", "eth1", NULL, 0}},
     "eth1:eni-2@1:AD -eni-1(another interface serves its network already) -eni-0(another interface serves "
     "its network already)"},
    {"told twice",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth1", NULL, 0}, {"eni-1", "subnet-a1", "eth1", NULL, 0}},
     "eth1:eni-1@1:AD"},
    {"ours on another instance",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth1", "i-2", 1}},
     "eth1:new@1:CAD"},
    {"ours on nobody's instance",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth1", "", 1}},
     "eth1:new@1:CAD"},
    {"on its way out",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1, .attachment_status = "detaching"}},
     "eth1:new@2:CAD -eni-1(it was being detached)"},
    {"on its way out, of no use any more",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth2", VPC_INSTANCE, 1, .attachment_status = "detaching"}},
     "eth1:new@2:CAD -eni-1+late(it was being detached)"},
    {"on its way out, another serves already",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1, .attachment_status = "detaching"},
      {"eni-2", "subnet-a1", "eth1", VPC_INSTANCE, 2}},
     "eth1:eni-2@2: -eni-1+late(it was being detached)"},
    {"on its way out, and wanted room",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth2", VPC_INSTANCE, 1, .attachment_status = "detaching"}},
     "eth1:new@1:CAD -eni-1(it was being detached)",
     .limit = 2},
    {"on its way out, and wanted index",
     "[network a]\nsubnets = subnet-a1\ndevice_index = 1\n",
     {{"eni-1", "subnet-a1", "eth3", VPC_INSTANCE, 1, .attachment_status = "detaching"},
      {"eni-2", "subnet-a1", "eth2", VPC_INSTANCE, 2, .attachment_status = "detaching"}},
     "a:new@1:CAD -eni-1(it was being detached) -eni-2+late(it was being detached)"},
    {"a stranger's on its way out",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", NULL, VPC_INSTANCE, 1, .attachment_status = "detaching"},
      {"eni-2", "subnet-a1", "eth1", "i-2", 1, .attachment_status = "detaching"}},
     "eth1:new@2:CAD"},
    {"on its way in",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1, .attachment_status = "attaching", .keeps = true}},
     "eth1:eni-1@1:D"},
    {"just out",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1, .attachment_status = "detached"}},
     "eth1:new@1:CAD"},
    /* removal */
    {"not configured any more",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1},
      {"eni-2", "subnet-a2", "eth2", VPC_INSTANCE, 2},
      {"eni-3", "subnet-a3", "eth3", NULL, 0}},
     "eth1:eni-1@1: -eni-2+detach(its network is no longer configured) -eni-3(its network is no longer "
     "configured)"},
    {"in another subnet now",
     "[network]\nsubnets = subnet-a2\n",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1}},
     "eth1:new@2:CAD -eni-1+detach(its network is in another subnet now)"},
    {"strangers stay",
     "",
     {{"eni-1", "subnet-a1", NULL, VPC_INSTANCE, 1}, {"eni-2", "subnet-a1", NULL, NULL, 0}},
     ""},
    /* nobody asks for them, and nobody takes them from the pods */
    {"nothing named any more",
     "",
     {{"eni-2", "subnet-a2", "eth2", VPC_INSTANCE, 1, .keeps = true, .unchecked = true, .group = "sg-1"},
      {"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 2},
      {"eni-3", "subnet-a3", "eth3", NULL, 0},
      {"eni-4", "subnet-a3", "eth4", VPC_INSTANCE, 4, .attachment_status = "detaching"},
      {"eni-5", "subnet-a3", NULL, VPC_INSTANCE, 5},
      {"eni-6", "subnet-a3", "eth3", "i-2", 1}},
     "eth2:eni-2@1:D eth1:eni-1@2: -eni-3(its network is no longer configured) -eni-4+late(it was being "
     "detached)"},
    {"nothing named, groups named",
     "[network]\nsecurity_groups = sg-1\nsource_dest_check = no\nipv6 = yes\n",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1, .group = "sg-2"}},
     "eth1:eni-1@1:"},
    {"a name of its own, forgotten", "", {{"eni-1", "subnet-a1", "oam", VPC_INSTANCE, 1}}, ""},
    {"twice, of no use",
     "",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1}, {"eni-2", "subnet-a1", "eth1", VPC_INSTANCE, 2}},
     "eth1:eni-1@1:"},
    {"in a subnet that nobody knows", "", {{"eni-1", "subnet-z1", "eth1", VPC_INSTANCE, 1}}, ""},
    {"the group's tags are not known",
     "[network]\nsubnets = subnet-a3\n",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1}, {"eni-2", "subnet-a2", "eth2", VPC_INSTANCE, 2}},
     "eth1:eni-1@1: eth2:eni-2@2:",
     .group_unknown = true},
    {"nor is anything attached",
     "[network]\nsubnets = subnet-a3\n",
     {{"eni-1", "subnet-a1", "eth1", NULL, 0}},
     "eth1:new@1:CAD -eni-1(its network is in another subnet now)",
     .group_unknown = true},
    {"named sections are the whole list, group or not",
     "[network a]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "a", VPC_INSTANCE, 1}, {"eni-2", "subnet-a2", "b", VPC_INSTANCE, 2}},
     "a:eni-1@1: -eni-2+detach(its network is no longer configured)",
     .group_unknown = true},
    /* device indexes */
    {"around a stranger",
     TWO_NETWORKS,
     {{"eni-x", "subnet-a1", NULL, VPC_INSTANCE, 1}},
     "eth1:new@2:CAD eth2:new@3:CAD"},
    {"explicit before automatic",
     "[network a]\nsubnets = subnet-a1\n[network b]\nsubnets = subnet-a2\ndevice_index = 1\n",
     {{0}},
     "a:new@2:CAD b:new@1:CAD"},
    {"explicit, taken by a stranger",
     "[network a]\nsubnets = subnet-a1\ndevice_index = 1\n",
     {{"eni-x", "subnet-a1", NULL, VPC_INSTANCE, 1}},
     "!network a: device index 1 on network card 0 is taken by eni-x, which is not ours"},
    {"explicit, taken by one of ours",
     "[network a]\nsubnets = subnet-a1\n[network b]\nsubnets = subnet-a2\ndevice_index = 1\n",
     {{"eni-1", "subnet-a1", "a", VPC_INSTANCE, 1}},
     "!network b: device index 1 on network card 0 is taken by eni-1 of network a"},
    {"explicit, about to be free",
     "[network b]\nsubnets = subnet-a2\ndevice_index = 1\n",
     {{"eni-1", "subnet-a1", "a", VPC_INSTANCE, 1}},
     "b:new@1:CAD -eni-1+detach(its network is no longer configured)"},
    {"explicit, but there already",
     "[network a]\nsubnets = subnet-a1\ndevice_index = 3\n",
     {{"eni-1", "subnet-a1", "a", VPC_INSTANCE, 1}},
     "a:eni-1@1:"},
    {"another card", "[network a]\nsubnets = subnet-a1\nnetwork_card = 1\n", {{0}}, "a:new@1:CAD"},
    /* limits */
    {"just fits", TWO_NETWORKS, {{0}}, "eth1:new@1:CAD eth2:new@2:CAD", .limit = 3},
    {"one too many",
     TWO_NETWORKS,
     {{0}},
     "!instance type test.large takes 2 network interfaces: 1 are attached, 2 more are wanted",
     .limit = 2},
    {"a stranger too many",
     TWO_NETWORKS,
     {{"eni-x", "subnet-a1", NULL, VPC_INSTANCE, 1}},
     "!takes 3 network interfaces: 2 are attached, 2 more are wanted",
     .limit = 3},
    {"room after removal",
     "[network]\nsubnets = subnet-a2\n",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1}},
     "eth1:new@1:CAD -eni-1+detach(its network is in another subnet now)",
     .limit = 2},
    {"over the limit, but nothing to attach",
     "[network]\nsubnets = subnet-a1\n",
     {{"eni-1", "subnet-a1", "eth1", VPC_INSTANCE, 1}},
     "eth1:eni-1@1:",
     .limit = 1},
    {"no such card",
     "[network a]\nsubnets = subnet-a1\nnetwork_card = 1\n",
     {{0}},
     "!network a: instance type test.large has no network card 1; allowed: 0 to 0",
     .limit = 4},
};

static void add(Vpc *vpc, const Eni *eni)
{
    /* "": attached by somebody who does not show the instance. */
    const char *instance = eni->instance && eni->instance[0] == '\0' ? "i-x" : eni->instance;
    Ec2NetworkInterface *observed =
        vpc_add_eni(vpc, eni->id, eni->subnet, eni->network, instance, eni->index);

    if (eni->instance && eni->instance[0] == '\0')
        assert_int_equal(replace_string(&observed->attachment.instance_id, NULL), 0);
    if (eni->attachment_status)
        assert_int_equal(replace_string(&observed->attachment.status, eni->attachment_status), 0);
    if (eni->created)
        assert_int_equal(keyvalue_list_append(&observed->tags, TAG_CREATED, eni->created), 0);
    if (eni->group)
        assert_int_equal(strlist_append(&observed->group_ids, eni->group), 0);
    observed->attachment.delete_on_termination = !eni->keeps;
    observed->source_dest_check = !eni->unchecked;
}

/* "network:interface@index:steps …", then "-interface(reason)" for each that is to go. */
static void describe(const Plan *plan, Buf *ret)
{
    static const char steps[] = "CAGDS";

    assert_int_equal(buf_puts(ret, ""), 0);
    for (size_t i = 0; i < plan->n_enis; i++) {
        const EniPlan *eni = &plan->enis[i];

        assert_int_equal(buf_printf(ret, "%s%s:%s@%u:", ret->n > 0 ? " " : "", eni->desired->network,
                                    eni->observed ? eni->observed->network_interface_id : "new",
                                    eni->device_index),
                         0);
        for (size_t j = 0; j < strlen(steps); j++)
            if (eni->steps & (1U << j))
                assert_int_equal(buf_putc(ret, steps[j]), 0);
    }
    for (size_t i = 0; i < plan->n_removals; i++)
        assert_int_equal(buf_printf(ret, "%s-%s%s(%s)", ret->n > 0 ? " " : "",
                                    plan->removals[i].observed->network_interface_id,
                                    plan->removals[i].detach ? "+detach"
                                    : plan->removals[i].late ? "+late"
                                                             : "",
                                    plan->removals[i].reason),
                         0);
}

static int compute(const Vpc *vpc, Desired **ret_desired, Plan **ret, Buf *errors)
{
    int r;

    r = desired_compute(&vpc->facts, ret_desired, NULL, errors);
    return r < 0 ? r : plan_compute(&vpc->facts, *ret_desired, ret, errors);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const Ec2InstanceType type = {.instance_type = (char *)"test.large",
                                      .maximum_network_interfaces = rows[i].limit,
                                      .maximum_network_cards = 1};
        _cleanup_(desired_freep) Desired *desired = NULL;
        _cleanup_(plan_freep) Plan *plan = NULL;
        _cleanup_buf_ Buf errors = BUF_NULL, text = BUF_NULL;
        Vpc vpc;
        int r;

        vpc_init(&vpc, rows[i].config);
        for (size_t j = 0; j < ENIS_MAX && rows[i].enis[j].id; j++)
            add(&vpc, &rows[i].enis[j]);
        if (rows[i].limit > 0)
            vpc.facts.instance_type = &type;
        vpc.facts.group_unknown = rows[i].group_unknown;

        r = compute(&vpc, &desired, &plan, &errors);
        if (r == 0)
            describe(plan, &text);
        if (rows[i].expected[0] == '!') {
            if (r != -EINVAL || !strstr(errors.data, rows[i].expected + 1))
                fail_msg("%s: %d, %s", rows[i].name, r, r < 0 ? errors.data : text.data);
        } else if (r != 0 || !streq(text.data, rows[i].expected)) {
            fail_msg("%s: %d, %s", rows[i].name, r, r < 0 ? errors.data : text.data);
        }
        vpc_done(&vpc);
    }
}

/* A generator of our own, so that a seed gives the same states everywhere. */
static uint32_t random_below(uint64_t *seed, uint32_t n)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*seed >> 33) % n;
}

/* Any configuration of up to four interfaces, listed or named, some with an explicit index. */
static void random_config(uint64_t *seed, Buf *ret)
{
    unsigned n = random_below(seed, 5);
    bool named = random_below(seed, 2);

    assert_int_equal(buf_puts(ret, "[network]\n"), 0);
    if (random_below(seed, 2))
        assert_int_equal(buf_puts(ret, "source_dest_check = no\n"), 0);
    if (random_below(seed, 2))
        assert_int_equal(buf_puts(ret, "security_groups = sg-1\n"), 0);
    if (!named && n > 0)
        assert_int_equal(buf_puts(ret, "subnets ="), 0);
    for (unsigned i = 0; i < n; i++) {
        unsigned subnet = random_below(seed, 3) + 1;

        if (!named) {
            assert_int_equal(buf_printf(ret, " subnet-a%u", subnet), 0);
            continue;
        }
        assert_int_equal(buf_printf(ret, "[network eth%u]\nsubnets = subnet-a%u\n", i + 1, subnet), 0);
        if (random_below(seed, 4) == 0)
            assert_int_equal(buf_printf(ret, "device_index = %u\n", i + 1), 0);
    }
    assert_int_equal(buf_putc(ret, '\n'), 0);
}

/* Interfaces of ours and of others, attached here, elsewhere or nowhere; no two at one place. */
static void random_enis(uint64_t *seed, Vpc *vpc)
{
    static const char *const statuses[] = {"attached", "attached", "attached", "attaching", "detaching"};
    unsigned n = random_below(seed, 10);

    for (unsigned i = 0; i < n; i++) {
        char id[16], subnet[16], network[8];
        unsigned where = random_below(seed, 4);
        Eni eni = {.id = id,
                   .subnet = subnet,
                   .network = random_below(seed, 4) ? network : NULL,
                   .instance = where == 0   ? NULL
                               : where == 1 ? "i-2"
                                            : VPC_INSTANCE,
                   .index = i + 1,
                   .attachment_status = where == 0 ? NULL : statuses[random_below(seed, 5)],
                   .keeps = random_below(seed, 2),
                   .unchecked = random_below(seed, 2),
                   .group = random_below(seed, 2) ? "sg-1" : "sg-2"};

        (void)snprintf(id, sizeof(id), "eni-%u", i);
        (void)snprintf(subnet, sizeof(subnet), "subnet-a%u", random_below(seed, 3) + 1);
        (void)snprintf(network, sizeof(network), "eth%u", random_below(seed, 5) + 1);
        add(vpc, &eni);
    }
}

static bool is_here(const Ec2NetworkInterface *eni)
{
    return streq_ptr(eni->attachment.instance_id, VPC_INSTANCE);
}

/* Ours to touch: our tag, and attached here or to nobody. */
static bool is_touchable(const Ec2NetworkInterface *eni)
{
    return keyvalue_list_get(&eni->tags, TAG_INSTANCE_ID) && (!eni->attachment.attachment_id || is_here(eni));
}

static void assert_sound(const Plan *plan)
{
    for (size_t i = 0; i < plan->n_enis; i++) {
        assert_true(!plan->enis[i].observed == !!(plan->enis[i].steps & STEP_CREATE));
        if (plan->enis[i].observed) {
            assert_true(is_touchable(plan->enis[i].observed));
            assert_false(streq_ptr(plan->enis[i].observed->attachment.status, "detaching"));
        }
    }
    for (size_t i = 0; i < plan->n_removals; i++) {
        assert_true(is_touchable(plan->removals[i].observed));
        for (size_t j = 0; j < plan->n_enis; j++)
            assert_ptr_not_equal(plan->removals[i].observed, plan->enis[j].observed);
    }
}

/* What EC2 makes of one planned interface. */
static void carry_out(Vpc *vpc, const EniPlan *plan, unsigned serial)
{
    Ec2NetworkInterface *eni = NULL;
    char id[32];

    if (plan->observed) {
        eni = &vpc->enis[plan->observed - vpc->enis];
    } else {
        (void)snprintf(id, sizeof(id), "eni-new-%u", serial);
        eni = vpc_add_eni(vpc, id, plan->desired->subnet_id, plan->desired->network, NULL, 0);
        assert_int_equal(strlist_copy(&plan->desired->group_ids, &eni->group_ids), 0);
    }
    if (plan->steps & STEP_ATTACH) {
        assert_int_equal(replace_string(&eni->attachment.attachment_id, "eni-attach-2"), 0);
        assert_int_equal(replace_string(&eni->attachment.instance_id, VPC_INSTANCE), 0);
        assert_int_equal(replace_string(&eni->attachment.status, "attached"), 0);
        assert_int_equal(replace_string(&eni->status, "in-use"), 0);
        eni->attachment.device_index = plan->device_index;
        eni->attachment.network_card_index = plan->desired->network_card;
        eni->attachment.delete_on_termination = false;
    }
    if (plan->steps & STEP_MODIFY_GROUPS) {
        strlist_done(&eni->group_ids);
        assert_int_equal(strlist_copy(&plan->desired->group_ids, &eni->group_ids), 0);
    }
    if (plan->steps & STEP_MODIFY_DELETE_ON_TERMINATION)
        eni->attachment.delete_on_termination = true;
    if (plan->steps & STEP_MODIFY_SOURCE_DEST_CHECK)
        eni->source_dest_check = plan->desired->source_dest_check;
}

/* A deleted interface is one that nobody is shown: here one of a stranger, on another instance. */
static void carry_out_removal(Vpc *vpc, const EniRemoval *removal)
{
    Ec2NetworkInterface *eni = &vpc->enis[removal->observed - vpc->enis];

    assert_true(removal->detach == (eni->attachment.attachment_id && !removal->late &&
                                    !streq_ptr(eni->attachment.status, "detaching")));
    assert_int_equal(replace_string(&eni->attachment.attachment_id, "eni-attach-3"), 0);
    assert_int_equal(replace_string(&eni->attachment.instance_id, "i-3"), 0);
    keyvalue_list_done(&eni->tags);
}

static void assert_places_differ(const Vpc *vpc)
{
    for (size_t i = 0; i < vpc->n_enis; i++)
        for (size_t j = 0; j < i; j++)
            if (is_here(&vpc->enis[i]) && is_here(&vpc->enis[j]))
                assert_int_not_equal(vpc->enis[i].attachment.device_index,
                                     vpc->enis[j].attachment.device_index);
}

/* Plan, carry the plan out, plan again: the second plan is empty. True unless the first is impossible. */
static bool run_twice(Vpc *vpc)
{
    _cleanup_(desired_freep) Desired *desired = NULL, *again = NULL;
    _cleanup_(plan_freep) Plan *plan = NULL, *second = NULL;
    _cleanup_buf_ Buf errors = BUF_NULL;

    if (compute(vpc, &desired, &plan, &errors) < 0) {
        assert_non_null(strstr(errors.data, "is taken by"));
        return false;
    }
    assert_sound(plan);
    assert_int_equal(plan->n_enis, desired->n_enis);
    for (size_t i = 0; i < plan->n_removals; i++)
        carry_out_removal(vpc, &plan->removals[i]);
    for (size_t i = 0; i < plan->n_enis; i++)
        carry_out(vpc, &plan->enis[i], (unsigned)i);
    assert_places_differ(vpc);

    assert_int_equal(compute(vpc, &again, &second, &errors), 0);
    if (!plan_is_empty(second)) {
        _cleanup_buf_ Buf text = BUF_NULL;

        describe(second, &text);
        fail_msg("the second plan is %s", text.data);
    }
    return true;
}

static void test_random(void **state)
{
    unsigned possible = 0;

    (void)state;
    for (uint64_t i = 0; i < 3000; i++) {
        _cleanup_buf_ Buf config = BUF_NULL;
        uint64_t seed = i;
        Vpc vpc;

        random_config(&seed, &config);
        vpc_init(&vpc, config.data);
        random_enis(&seed, &vpc);
        possible += run_twice(&vpc);
        vpc_done(&vpc);
    }
    assert_in_range(possible, 2000, 3000); /* or the generator makes nothing that can be planned */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
