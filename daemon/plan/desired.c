/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Which interfaces this node should have.
 *
 * [network] with the tags of the Auto Scaling group and then of the instance laid over it is the base.
 * Then one of three sources names the interfaces, the first that says anything:
 *  1. the [network NAME] sections: one interface each, whose `subnets` are candidates of which exactly
 *     one is in this node's zone; a section without subnets has those of [network];
 *  2. `subnets` of [network]: one interface for each that is in this zone, in order;
 *  3. the subnets of the VPC in this zone that carry the tag device-index, in that order.
 * No source at all is a node without Multus interfaces, which is for the caller to judge; unless some are
 * attached. Then something has gone that was there when they were made, and taking interfaces away from
 * pods that use them would be the worst way to say so: what is attached is what is wanted, as it is.
 * Likewise when the group's tags, which may name networks, cannot be seen.
 *
 * Security groups are paired with the list of subnets as it was configured, before the zone picks
 * from it, so that one list of pairs serves all zones.
 *
 * The tags of an interface are all that tells it from a stranger's later on. kubernetes.io/cluster/X
 * is "owned": it goes when the cluster goes. The controllers that delete available interfaces by that
 * tag want one of their own beside it (eks:eni:owner), and the VPC CNI goes by
 * node.k8s.amazonaws.com/instance_id, which we therefore never set.
 */

#include "plan/desired.h"
#include "input/tags.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define TAG_VALUE_MAX    256
#define TAG_NAME         "Name"
#define DEVICE_INDEX_MAX 99

/* What is put together on the way. */
typedef struct Draft {
    const Facts *facts;
    const char *zone;
    const char *instance_id;
    NetworkConfig base; /* [network] and the tags */
    Desired *desired;
    Buf *notes;
    Buf *errors;
} Draft;

/* A subnet named or found, and its place in the list it is from. */
typedef struct Candidate {
    const Ec2Subnet *subnet;
    size_t index;
    unsigned long order; /* the number in its tag */
} Candidate;

/* A mistake for the list, as the return value: -EINVAL or -ENOMEM. */
#define mistake(_draft, ...) (buf_printf((_draft)->errors, __VA_ARGS__) < 0 ? -ENOMEM : -EINVAL)

/* The same of a key of a network, wherever that was set. */
#define key_mistake(_draft, _network, _key, ...)                                                             \
    (begin_mistake(_draft, _network, _key) < 0 ? -ENOMEM : mistake(_draft, __VA_ARGS__))

static void desired_eni_done(DesiredEni *eni)
{
    free(eni->network);
    free(eni->subnet_id);
    strlist_done(&eni->group_ids);
    keyvalue_list_done(&eni->tags);
    free(eni->driver);
}

Desired *desired_free(Desired *desired)
{
    if (!desired)
        return NULL;
    for (size_t i = 0; i < desired->n_enis; i++)
        desired_eni_done(&desired->enis[i]);
    free(desired->enis);
    free(desired->nodegroup);
    free(desired->cluster);
    strlist_done(&desired->kept);
    return mfree(desired);
}

/* A mistake's beginning: the file or the tag that the key is from, and the key. */
static int begin_mistake(const Draft *draft, const NetworkConfig *network, const char *key)
{
    return buf_printf(draft->errors, "%s: network%s%s.%s: ", network_config_place(network, key),
                      network->name ? " " : "", network->name ?: "", key);
}

static const Ec2Subnet *find_subnet(const Facts *facts, const char *id)
{
    for (size_t i = 0; i < facts->n_subnets; i++)
        if (streq_ptr(facts->subnets[i].subnet_id, id))
            return &facts->subnets[i];
    return NULL;
}

static int check_groups(const Draft *draft, const NetworkConfig *network, size_t n_subnets)
{
    size_t n = network->security_groups.n;

    if (n <= 1 || n == n_subnets)
        return 0;
    return key_mistake(draft, network, "security_groups",
                       "%zu groups for %zu subnets; allowed: one for all, or as many as subnets\n", n,
                       n_subnets);
}

/* "nodegroup/i-…/eth1": who owns it, at a glance. */
static int add_name_tag(const Draft *draft, DesiredEni *eni)
{
    char name[1024];
    const char *nodegroup = draft->desired->nodegroup;
    int n = 0;

    if (nodegroup)
        n = snprintf(name, sizeof(name), "%s/%s/%s", nodegroup, draft->instance_id, eni->network);
    if (n == 0 || n > TAG_VALUE_MAX)
        (void)snprintf(name, sizeof(name), "%s/%s", draft->instance_id, eni->network);
    return keyvalue_list_append(&eni->tags, TAG_NAME, name);
}

static int add_tags(const Draft *draft, const NetworkConfig *network, DesiredEni *eni)
{
    const Desired *desired = draft->desired;
    char key[512];
    int r;

    r = keyvalue_list_append(&eni->tags, TAG_NO_MANAGE, "true");
    if (r == 0)
        r = add_name_tag(draft, eni);
    if (r == 0)
        r = keyvalue_list_append(&eni->tags, TAG_INSTANCE_ID, draft->instance_id);
    if (r == 0)
        r = keyvalue_list_append(&eni->tags, TAG_NETWORK, eni->network);
    if (r == 0 && desired->nodegroup)
        r = keyvalue_list_append(&eni->tags, TAG_NODEGROUP, desired->nodegroup);
    if (r == 0 && desired->cluster) {
        (void)snprintf(key, sizeof(key), TAG_CLUSTER "%s", desired->cluster);
        r = keyvalue_list_append(&eni->tags, key, "owned");
    }

    for (size_t i = 0; i < network->interface_tags.n && r == 0; i++) {
        const KeyValue *tag = &network->interface_tags.items[i];

        /* Only the name is the user's to change: by the others we know the interface again. */
        if (keyvalue_list_get(&eni->tags, tag->key) && !streq(tag->key, TAG_NAME))
            return key_mistake(draft, network, "interface_tags", "the tag %s is not free to choose\n",
                               tag->key);
        r = keyvalue_list_set(&eni->tags, tag->key, tag->value);
    }
    return r;
}

static int decide_ifname(const Draft *draft, const NetworkConfig *network, DesiredEni *eni)
{
    int n;

    if (network->ifname)
        n = snprintf(eni->ifname, sizeof(eni->ifname), "%s", network->ifname);
    else
        n = snprintf(eni->ifname, sizeof(eni->ifname), "%s%u", network->ifname_prefix, eni->position);
    if (n >= (int)sizeof(eni->ifname))
        return key_mistake(draft, network, "ifname", "longer than 15 characters\n");

    for (size_t i = 0; i < draft->desired->n_enis; i++)
        if (streq(draft->desired->enis[i].ifname, eni->ifname))
            return key_mistake(draft, network, "ifname",
                               "%s is that of network %s too; set ifname in one of them\n", eni->ifname,
                               draft->desired->enis[i].network);
    return 0;
}

static int decide_ipv6(const Draft *draft, const NetworkConfig *network, const Ec2Subnet *subnet, bool *ret)
{
    bool has = in_prefix_is_set(&subnet->ipv6_cidr_block);

    if (network->ipv6 == IPV6_YES && !has)
        return key_mistake(draft, network, "ipv6",
                           "subnet %s has no IPv6 CIDR block; associate one, or set ipv6 = auto\n",
                           subnet->subnet_id);
    *ret = has && network->ipv6 != IPV6_NO;
    return 0;
}

/* The group that is the subnet's: the one for all, or the one at its place in the list. */
static int decide_groups(const NetworkConfig *network, size_t index, DesiredEni *eni)
{
    const StrList *groups = &network->security_groups;

    if (groups->n == 0)
        return 0;
    return strlist_append(&eni->group_ids, groups->items[groups->n == 1 ? 0 : index]);
}

static int fill_eni(const Draft *draft, const NetworkConfig *network, const Candidate *candidate,
                    DesiredEni *eni)
{
    const Ec2Subnet *subnet = candidate->subnet;
    int r;

    eni->device_index = network->device_index;
    eni->network_card = network->network_card;
    eni->cidr_block = subnet->cidr_block;
    eni->ipv6_cidr_block = subnet->ipv6_cidr_block;
    eni->ip_allocation = network->ip_allocation;
    eni->source_dest_check = network->source_dest_check;
    eni->mtu = network->mtu;
    eni->host_address = network->host_address;

    r = decide_ifname(draft, network, eni);
    if (r == 0)
        r = decide_ipv6(draft, network, subnet, &eni->ipv6);
    if (r == 0)
        r = replace_string(&eni->network, network->name ? network->name : eni->ifname);
    if (r == 0)
        r = replace_string(&eni->subnet_id, subnet->subnet_id);
    if (r == 0)
        r = replace_string(&eni->driver, network->driver);
    if (r == 0)
        r = decide_groups(network, candidate->index, eni);
    return r == 0 ? add_tags(draft, network, eni) : r;
}

static int add_eni(const Draft *draft, const NetworkConfig *network, const Candidate *candidate,
                   unsigned position)
{
    Desired *desired = draft->desired;
    DesiredEni eni = {.position = position}, *enis;
    int r;

    if (desired->n_enis == CONFIG_NETWORK_MAX)
        return key_mistake(draft, network, "subnets",
                           "more than %d interfaces; no instance type has as many\n", CONFIG_NETWORK_MAX);
    enis = reallocarray(desired->enis, desired->n_enis + 1, sizeof(*enis));
    if (!enis)
        return -ENOMEM;
    desired->enis = enis;

    r = fill_eni(draft, network, candidate, &eni);
    if (r < 0) {
        desired_eni_done(&eni);
        return r;
    }
    enis[desired->n_enis++] = eni;
    return 0;
}

/* The subnet of that id; NULL with a mistake when the VPC has none. */
static int require_subnet(const Draft *draft, const NetworkConfig *network, const char *id,
                          const Ec2Subnet **ret)
{
    const char *vpc = draft->facts->metadata->vpc_id;

    *ret = find_subnet(draft->facts, id);
    if (*ret)
        return 0;
    return key_mistake(draft, network, "subnets", "%s is not a subnet of this node's VPC%s%s\n", id,
                       vpc ? " " : "", vpc ?: "");
}

/* "subnet-a in eu-central-1a, subnet-b in eu-central-1b" */
static int list_zones(const Draft *draft, const StrList *subnets, Buf *ret)
{
    int r = 0;

    for (size_t i = 0; i < subnets->n && r == 0; i++)
        r = buf_printf(ret, "%s%s in %s", i == 0 ? "" : ", ", subnets->items[i],
                       find_subnet(draft->facts, subnets->items[i])->availability_zone);
    return r;
}

static int complain_of_zone(const Draft *draft, const NetworkConfig *network, const char *problem)
{
    _cleanup_buf_ Buf zones = BUF_NULL;

    if (list_zones(draft, &network->subnets, &zones) < 0)
        return -ENOMEM;
    return key_mistake(draft, network, "subnets", "%s in this node's zone %s (%s)\n", problem, draft->zone,
                       zones.data);
}

static int note_other_zone(const Draft *draft, const Ec2Subnet *subnet)
{
    if (!draft->notes)
        return 0;
    return buf_printf(draft->notes, "subnet %s is in %s, this node in %s: passed over\n", subnet->subnet_id,
                      subnet->availability_zone, draft->zone);
}

static bool in_zone(const Draft *draft, const Ec2Subnet *subnet)
{
    return streq_ptr(subnet->availability_zone, draft->zone);
}

/* One [network NAME]: exactly one of its candidates is in this zone. */
static int add_named(const Draft *draft, const NetworkConfig *network, unsigned position)
{
    Candidate chosen = {0};
    size_t n = 0;
    int r;

    if (network->subnets.n == 0)
        return key_mistake(draft, network, "subnets",
                           "none; name the candidates here or in [network], one for each zone\n");
    r = check_groups(draft, network, network->subnets.n);
    if (r < 0)
        return r;

    for (size_t i = 0; i < network->subnets.n; i++) {
        const Ec2Subnet *subnet;

        r = require_subnet(draft, network, network->subnets.items[i], &subnet);
        if (r < 0)
            return r;
        if (in_zone(draft, subnet)) {
            chosen = (Candidate){.subnet = subnet, .index = i};
            n++;
        }
    }
    if (n != 1)
        return complain_of_zone(draft, network, n == 0 ? "none of them is" : "more than one is");
    return add_eni(draft, network, &chosen, position);
}

static int compute_named(const Draft *draft)
{
    const Config *config = draft->facts->config;
    bool bad = false;

    for (size_t i = 0; i < config->n_networks; i++) {
        NetworkConfig network;
        int r;

        r = network_config_merge(&draft->base, &config->networks[i], &network);
        if (r < 0)
            return r;
        r = add_named(draft, &network, (unsigned)i + 1);
        network_config_done(&network);
        if (r == -ENOMEM)
            return r;
        bad |= r < 0;
    }
    return bad ? -EINVAL : 0;
}

/* Whether the list names the i-th before, too. */
static bool is_repeated(const StrList *list, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (streq(list->items[j], list->items[i]))
            return true;
    return false;
}

/* `subnets` of [network]: those in this zone, in order. What is to say of one that is not is said once. */
static int compute_list(const Draft *draft)
{
    const StrList *subnets = &draft->base.subnets;
    bool bad = false;
    int r;

    r = check_groups(draft, &draft->base, subnets->n);
    if (r == -ENOMEM)
        return r;
    bad |= r < 0;

    for (size_t i = 0; i < subnets->n; i++) {
        Candidate candidate = {.index = i, .subnet = find_subnet(draft->facts, subnets->items[i])};

        if (is_repeated(subnets, i) && (!candidate.subnet || !in_zone(draft, candidate.subnet)))
            continue;
        r = require_subnet(draft, &draft->base, subnets->items[i], &candidate.subnet);
        if (r == 0 && !in_zone(draft, candidate.subnet))
            r = note_other_zone(draft, candidate.subnet);
        else if (r == 0 && !bad)
            r = add_eni(draft, &draft->base, &candidate, (unsigned)draft->desired->n_enis + 1);
        if (r == -ENOMEM)
            return r;
        bad |= r < 0;
    }
    if (!bad && draft->desired->n_enis == 0)
        return complain_of_zone(draft, &draft->base, "none of them is");
    return bad ? -EINVAL : 0;
}

/* Whether a subnet that names node groups names this one; one that names none is for all. */
static int serves_nodegroup(const Draft *draft, const Ec2Subnet *subnet, bool *ret)
{
    _cleanup_strlist_ StrList names = STRLIST_NULL;
    char key[256];
    const char *value;
    int r;

    (void)snprintf(key, sizeof(key), "%snodegroup", draft->facts->config->tag_prefix);
    value = keyvalue_list_get(&subnet->tags, key);
    *ret = !value;
    if (!value || !draft->desired->nodegroup)
        return 0;

    /* The name of a group may hold spaces: split at commas alone. */
    for (const char *p = value; *p;) {
        size_t n = strcspn(p, ","), skip = MIN(strspn(p, " "), n), length = n - skip;

        while (length > 0 && p[skip + length - 1] == ' ')
            length--;
        r = strlist_append_n(&names, p + skip, length);
        if (r < 0)
            return r;
        p += n + (p[n] == ',');
    }
    *ret = strlist_contains(&names, draft->desired->nodegroup);
    return 0;
}

static int parse_order(const Draft *draft, const Ec2Subnet *subnet, const char *key, const char *value,
                       unsigned long *ret)
{
    char *end = NULL;

    if (isdigit((unsigned char)value[0]) && strlen(value) <= 3)
        *ret = strtoul(value, &end, 10);
    if (!end || *end || *ret == 0 || *ret > DEVICE_INDEX_MAX)
        return mistake(draft, "tag %s of subnet %s: \"%.64s\" is not a number; allowed: 1 to %d\n", key,
                       subnet->subnet_id, value, DEVICE_INDEX_MAX);
    return 0;
}

static int compare_candidates(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;

    return (x->order > y->order) - (x->order < y->order);
}

/* Subnets of this zone that carry the tag, by its number. */
static int discover(const Draft *draft, Candidate *candidates, size_t *ret_n)
{
    const Facts *facts = draft->facts;
    bool bad = false, serves;
    char key[256];
    size_t n = 0;

    (void)snprintf(key, sizeof(key), "%sdevice-index", facts->config->tag_prefix);
    for (size_t i = 0; i < facts->n_subnets; i++) {
        const Ec2Subnet *subnet = &facts->subnets[i];
        const char *value = keyvalue_list_get(&subnet->tags, key);
        int r;

        if (!value || !in_zone(draft, subnet))
            continue;
        r = serves_nodegroup(draft, subnet, &serves);
        if (r < 0)
            return r;
        if (!serves)
            continue;
        r = parse_order(draft, subnet, key, value, &candidates[n].order);
        if (r == -ENOMEM)
            return r;
        bad |= r < 0;
        candidates[n++].subnet = subnet;
    }
    if (bad)
        return -EINVAL;

    qsort(candidates, n, sizeof(*candidates), compare_candidates);
    for (size_t i = 1; i < n; i++)
        if (candidates[i].order == candidates[i - 1].order)
            return mistake(draft, "tag %s: subnets %s and %s both have %lu; allowed: a number of its own\n",
                           key, candidates[i - 1].subnet->subnet_id, candidates[i].subnet->subnet_id,
                           candidates[i].order);
    *ret_n = n;
    return 0;
}

static int compute_discovered(const Draft *draft)
{
    _cleanup_(freep) Candidate *candidates = calloc(draft->facts->n_subnets + 1, sizeof(*candidates));
    size_t n = 0;
    int r;

    if (!candidates)
        return -ENOMEM;
    r = discover(draft, candidates, &n);
    if (r < 0 || n == 0)
        return r;
    r = check_groups(draft, &draft->base, n);

    for (size_t i = 0; i < n && r == 0; i++) {
        candidates[i].index = i;
        r = add_eni(draft, &draft->base, &candidates[i], (unsigned)i + 1);
    }
    return r;
}

/* Weakest first: the file, the group's tags, the instance's own. */
static int apply_tags(const Draft *draft, NetworkConfig *base)
{
    const Facts *facts = draft->facts;
    const char *prefix = facts->config->tag_prefix, *nodegroup = draft->desired->nodegroup;
    char owner[512];
    int asg = 0, own = 0;

    if (!facts->config->tags)
        return 0;
    if (facts->asg_tags) {
        (void)snprintf(owner, sizeof(owner), "Auto Scaling group %s", nodegroup ? nodegroup : "");
        asg = tags_apply(base, facts->asg_tags, prefix, owner, draft->errors);
    }
    if (facts->instance && asg != -ENOMEM) {
        (void)snprintf(owner, sizeof(owner), "instance %s", draft->instance_id);
        own = tags_apply(base, &facts->instance->tags, prefix, owner, draft->errors);
    }
    return asg == -ENOMEM || own == -ENOMEM ? -ENOMEM : MIN(asg, own);
}

/* kubernetes.io/cluster/NAME, or what managed node groups and their Auto Scaling groups set. */
static const char *find_cluster(const KeyValueList *tags)
{
    static const char *const keys[] = {"aws:eks:cluster-name", "eks:cluster-name"};

    for (size_t i = 0; i < tags->n; i++)
        if (strncmp(tags->items[i].key, TAG_CLUSTER, strlen(TAG_CLUSTER)) == 0 &&
            tags->items[i].key[strlen(TAG_CLUSTER)])
            return tags->items[i].key + strlen(TAG_CLUSTER);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (keyvalue_list_get(tags, keys[i]))
            return keyvalue_list_get(tags, keys[i]);
    return NULL;
}

static int identify(Desired *desired, const Ec2Instance *instance)
{
    const char *cluster;

    if (!instance)
        return 0;
    cluster = find_cluster(&instance->tags);
    if (replace_string(&desired->nodegroup, keyvalue_list_get(&instance->tags, TAG_ASG_NAME)) < 0 ||
        replace_string(&desired->cluster, cluster) < 0)
        return -ENOMEM;
    return 0;
}

/* ------------------------------------------------------------ what is attached, as it is */

static bool is_attached_and_ours(const Draft *draft, const Ec2NetworkInterface *eni)
{
    return ec2_attachment_holds(&eni->attachment) &&
           streq_ptr(eni->attachment.instance_id, draft->instance_id) &&
           streq_ptr(keyvalue_list_get(&eni->tags, TAG_INSTANCE_ID), draft->instance_id);
}

static bool has_attached(const Draft *draft)
{
    for (size_t i = 0; i < draft->facts->n_enis; i++)
        if (is_attached_and_ours(draft, &draft->facts->enis[i]))
            return true;
    return false;
}

/*
 * The position of an interface whose network was named after it, "eth2"; 0 when it was not: how the
 * interface of a network with a section of its own was called is not known.
 */
static unsigned position_of(const Draft *draft, const Ec2NetworkInterface *eni)
{
    const char *network = keyvalue_list_get(&eni->tags, TAG_NETWORK), *prefix = draft->base.ifname_prefix;
    char name[IFNAMSIZ];

    for (unsigned position = 1; network && position <= CONFIG_NETWORK_MAX; position++) {
        (void)snprintf(name, sizeof(name), "%s%u", prefix, position);
        if (streq(name, network))
            return position;
    }
    return 0;
}

/* Its attributes are wanted as they are; what is not an attribute is of the file and the defaults. */
static int want_as_it_is(const Draft *draft, const Ec2NetworkInterface *eni, unsigned position)
{
    NetworkConfig network = draft->base;
    Candidate candidate = {.subnet = find_subnet(draft->facts, eni->subnet_id)};
    DesiredEni *desired;
    int r;

    if (!candidate.subnet)
        return 0;
    network.network_card = eni->attachment.network_card_index;
    network.source_dest_check = eni->source_dest_check;
    network.ipv6 = IPV6_AUTO;
    network.security_groups = STRLIST_NULL;
    r = add_eni(draft, &network, &candidate, position);
    if (r < 0)
        return r;
    desired = &draft->desired->enis[draft->desired->n_enis - 1];
    return strlist_copy(&eni->group_ids, &desired->group_ids);
}

static int compute_kept(const Draft *draft)
{
    const Facts *facts = draft->facts;
    uint64_t taken = 0;

    for (size_t i = 0; i < facts->n_enis; i++) {
        const Ec2NetworkInterface *eni = &facts->enis[i];
        unsigned position = position_of(draft, eni);
        int r;

        if (!is_attached_and_ours(draft, eni) ||
            strlist_contains(&draft->desired->kept, eni->network_interface_id))
            continue;
        r = strlist_append(&draft->desired->kept, eni->network_interface_id);
        if (r == 0 && position > 0 && !(taken & UINT64_C(1) << position))
            r = want_as_it_is(draft, eni, position);
        if (r < 0)
            return r;
        taken |= UINT64_C(1) << position;
    }
    return 0;
}

int desired_describe_kept(const Facts *facts, const Desired *desired, Buf *text)
{
    int r;

    if (desired->kept.n == 0)
        return 0;
    if (facts->group_unknown)
        r = buf_printf(
            text, "Auto Scaling does not show %s, the group of this instance, whose tags may name networks",
            desired->nodegroup);
    else
        r = buf_puts(text,
                     "Nothing names a network for this node any more: neither the configuration nor a tag");
    if (r == 0)
        r = buf_printf(text, ". But attached are");
    for (size_t i = 0; i < facts->n_enis && r == 0; i++) {
        const char *id = facts->enis[i].network_interface_id;
        const char *network = keyvalue_list_get(&facts->enis[i].tags, TAG_NETWORK);

        if (strlist_contains(&desired->kept, id))
            r = buf_printf(text, " %s (%s)", id, network ?: "no network");
    }
    if (r == 0)
        r = buf_puts(text,
                     ": they stay as they are, since pods may be using them. See what has become of the "
                     "configuration and the tags; to be rid of the interfaces, replace the node");
    return r;
}

/* ------------------------------------------------------------ all sources */

static int compute(const Draft *draft)
{
    const Config *config = draft->facts->config;

    if (config->n_networks > 0)
        return compute_named(draft);
    if (draft->facts->group_unknown && has_attached(draft))
        return 0;
    if (draft->base.subnets.n > 0)
        return compute_list(draft);
    if (config->tags)
        return compute_discovered(draft);
    return 0;
}

int desired_compute(const Facts *facts, Desired **ret, Buf *notes, Buf *errors)
{
    _cleanup_(desired_freep) Desired *desired = calloc(1, sizeof(*desired));
    Draft draft = {.facts = facts,
                   .zone = facts->metadata->availability_zone,
                   .instance_id = facts->metadata->instance_id,
                   .desired = desired,
                   .notes = notes,
                   .errors = errors};
    int r;

    if (!desired)
        return -ENOMEM;
    r = identify(desired, facts->instance);
    if (r == 0)
        r = network_config_copy(&facts->config->defaults, &draft.base);
    if (r < 0)
        return r;

    r = apply_tags(&draft, &draft.base);
    if (r == 0)
        r = compute(&draft);
    if (r == 0 && desired->n_enis == 0)
        r = compute_kept(&draft);
    network_config_done(&draft.base);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(desired);
    return 0;
}
