/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The keys of [network] and [network NAME], and the life of a NetworkConfig.
 *
 * Which keys a section set itself is remembered as one bit each, so that sections can be laid over
 * each other late: the tags of the instance change [network] after the file was read, and what a
 * named section says is stronger than both.
 */

#include "input/network-keys.h"
#include <errno.h>
#include <net/if.h>
#include <stdio.h>

/* The largest frame an ENA device takes; EC2 carries 9001. 1280 is the least that IPv6 works with. */
#define MTU_MIN 1280
#define MTU_MAX 9216

/* "eth" and two digits and the NUL have to fit into IFNAMSIZ. */
#define IFNAME_PREFIX_MAX (IFNAMSIZ - 3)

#define FIELD(_name) .name = #_name, .offset = offsetof(NetworkConfig, _name)

const Key network_keys[] = {
    {FIELD(subnets), .set = set_subnets, .list = true, .allowed = "a comma-separated list of subnet ids"},
    {FIELD(security_groups), .set = set_groups, .list = true,
     .allowed = "one security group id for all subnets, or as many as subnets"},
    {FIELD(ip_allocation), .set = set_ip_allocation, .allowed = "dynamic, subnet-start"},
    {FIELD(ipv6), .set = set_ipv6, .allowed = "auto, yes, no"},
    {FIELD(interface_tags), .set = set_tags, .list = true,
     .allowed = "a comma-separated list of at most 43 key=value"},
    {FIELD(source_dest_check), .set = set_bool, .allowed = "yes, no"},
    {FIELD(ifname_prefix), .set = set_ifname, .min = 1, .max = IFNAME_PREFIX_MAX,
     .allowed = "the beginning of an interface name, at most 13 characters"},
    {FIELD(mtu), .set = set_unsigned, .min = MTU_MIN, .max = MTU_MAX, .allowed = "1280 to 9216"},
    {FIELD(host_address), .set = set_bool, .allowed = "yes, no"},
    {FIELD(driver), .set = set_driver, .allowed = "kernel, vfio-pci, igb_uio, uio_pci_generic"},
    {FIELD(device_index), .set = set_auto_int, .max = 99, .named_only = true,
     .allowed = "auto, or a number from 1 (from 0 on a network card other than 0) to 99"},
    {FIELD(network_card), .set = set_unsigned, .max = 31, .named_only = true, .allowed = "0 to 31"},
    {FIELD(ifname), .set = set_ifname, .min = 1, .max = IFNAMSIZ - 1, .named_only = true,
     .allowed = "an interface name, at most 15 characters"},
};

const size_t n_network_keys = ARRAY_SIZE(network_keys);

_Static_assert(ARRAY_SIZE(network_keys) <= KEYS_MAX, "a bit of NetworkConfig.set for each key");

int network_config_init(NetworkConfig *network)
{
    *network = (NetworkConfig){.source_dest_check = true, .mtu = 9001, .device_index = -1};
    network->ifname_prefix = strdup("eth");
    network->driver = strdup("kernel");
    if (!network->ifname_prefix || !network->driver) {
        network_config_done(network);
        return -ENOMEM;
    }
    return 0;
}

void network_config_done(NetworkConfig *network)
{
    free(network->name);
    strlist_done(&network->subnets);
    strlist_done(&network->security_groups);
    keyvalue_list_done(&network->interface_tags);
    free(network->ifname_prefix);
    free(network->driver);
    free(network->ifname);
    free(network->source);
    keyvalue_list_done(&network->places);
    *network = (NetworkConfig){0};
}

/* A copy of one optional string, told apart from "out of memory". */
static int copy_string(const char *value, char **ret)
{
    return replace_string(ret, value);
}

int network_config_copy(const NetworkConfig *network, NetworkConfig *ret)
{
    NetworkConfig copy = {
        .ip_allocation = network->ip_allocation,
        .ipv6 = network->ipv6,
        .source_dest_check = network->source_dest_check,
        .mtu = network->mtu,
        .host_address = network->host_address,
        .device_index = network->device_index,
        .network_card = network->network_card,
        .set = network->set,
    };

    if (copy_string(network->name, &copy.name) < 0 || strlist_copy(&network->subnets, &copy.subnets) < 0 ||
        strlist_copy(&network->security_groups, &copy.security_groups) < 0 ||
        keyvalue_list_copy(&network->interface_tags, &copy.interface_tags) < 0 ||
        copy_string(network->ifname_prefix, &copy.ifname_prefix) < 0 ||
        copy_string(network->driver, &copy.driver) < 0 || copy_string(network->ifname, &copy.ifname) < 0 ||
        copy_string(network->source, &copy.source) < 0 ||
        keyvalue_list_copy(&network->places, &copy.places) < 0) {
        network_config_done(&copy);
        return -ENOMEM;
    }

    *ret = copy;
    return 0;
}

bool network_config_has(const NetworkConfig *network, const char *key)
{
    const Key *k = key_find(network_keys, n_network_keys, key);

    assert(k);
    return network->set & (UINT32_C(1) << (k - network_keys));
}

const char *network_config_place(const NetworkConfig *network, const char *key)
{
    return keyvalue_list_get(&network->places, key) ?: network->source ?: "[network]";
}

/* With a value goes the word where it was set. */
static int inherit_places(NetworkConfig *upper, const NetworkConfig *lower)
{
    int r = 0;

    for (size_t i = 0; i < lower->places.n && r == 0; i++) {
        const KeyValue *place = &lower->places.items[i];

        if (!network_config_has(upper, place->key))
            r = keyvalue_list_set(&upper->places, place->key, place->value);
    }
    return r;
}

/* What the upper section did not set itself it gets from the lower one. */
static int inherit(NetworkConfig *upper, const NetworkConfig *lower)
{
    int r;

    r = inherit_places(upper, lower);
    if (r == 0 && !network_config_has(upper, "subnets"))
        r = strlist_copy(&lower->subnets, &upper->subnets);
    if (r == 0 && !network_config_has(upper, "security_groups"))
        r = strlist_copy(&lower->security_groups, &upper->security_groups);
    if (r == 0 && !network_config_has(upper, "interface_tags"))
        r = keyvalue_list_copy(&lower->interface_tags, &upper->interface_tags);
    if (r == 0 && !network_config_has(upper, "ifname_prefix"))
        r = replace_string(&upper->ifname_prefix, lower->ifname_prefix);
    if (r == 0 && !network_config_has(upper, "driver"))
        r = replace_string(&upper->driver, lower->driver);
    if (!network_config_has(upper, "ip_allocation"))
        upper->ip_allocation = lower->ip_allocation;
    if (!network_config_has(upper, "ipv6"))
        upper->ipv6 = lower->ipv6;
    if (!network_config_has(upper, "source_dest_check"))
        upper->source_dest_check = lower->source_dest_check;
    if (!network_config_has(upper, "mtu"))
        upper->mtu = lower->mtu;
    if (!network_config_has(upper, "host_address"))
        upper->host_address = lower->host_address;
    return r;
}

int network_config_merge(const NetworkConfig *lower, const NetworkConfig *upper, NetworkConfig *ret)
{
    NetworkConfig merged;
    int r;

    r = network_config_copy(upper, &merged);
    if (r < 0)
        return r;
    r = inherit(&merged, lower);
    if (r < 0) {
        network_config_done(&merged);
        return r;
    }

    *ret = merged;
    return 0;
}

int network_config_section(const NetworkConfig *network, char ret[static NETWORK_SECTION_MAX])
{
    return snprintf(ret, NETWORK_SECTION_MAX, network->name ? "network %s" : "network", network->name);
}

/* The names of the keys that this section knows, for a message. */
static int report_unknown(const NetworkConfig *network, const char *section, const char *key,
                          const char *where, Buf *errors)
{
    const char *names[KEYS_MAX];
    size_t n = 0;
    int r;

    for (size_t i = 0; i < n_network_keys; i++)
        if (network->name || !network_keys[i].named_only)
            names[n++] = network_keys[i].name;

    r = buf_printf(errors, "%s: %s.%.64s: unknown key", where, section, key);
    if (r == 0)
        r = key_suggest(key, names, n, errors);
    return r < 0 ? r : buf_putc(errors, '\n');
}

int network_config_set(NetworkConfig *network, const char *key, const char *value, const char *where,
                       Buf *errors)
{
    const Key *k = key_find(network_keys, n_network_keys, key);
    char section[NETWORK_SECTION_MAX];
    int r;

    (void)network_config_section(network, section);
    if (!k) {
        r = report_unknown(network, section, key, where, errors);
        return r < 0 ? r : -ENOENT;
    }
    if (k->named_only && !network->name) {
        r = buf_printf(errors, "%s: %s.%s: one interface only can have it; allowed: in [network NAME]\n",
                       where, section, key);
        return r < 0 ? r : -ENOENT;
    }

    r = key_assign(k, section, value, network, where, errors);
    if (r == 0)
        r = keyvalue_list_set(&network->places, k->name, where);
    if (r < 0)
        return r;
    network->set |= UINT32_C(1) << (k - network_keys);
    return 0;
}
