/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The configuration's files, and what can only be checked when all of them are read: values that
 * belong together may come from different files. What tags could still put right is no mistake, but for
 * the names of interfaces: nobody counts on a tag to tell two of them apart.
 */

#include "input/config.h"
#include "input/network-keys.h"
#include "util/fs.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>

#define FILE_SIZE_MAX ((size_t)1 << 20)
#define TIMEOUT_TEXT  48
#define IFNAME_TEXT   ((size_t)2 * IFNAMSIZ) /* a prefix and a place, which together may be too long */

/* 0 and -EINVAL both mean that the next file may be read. */
static int load_file(Config *config, const char *path, bool may_be_absent, Buf *errors)
{
    _cleanup_(freep) char *text = NULL;
    size_t n = 0;
    int r;

    r = fs_read_file(path, FILE_SIZE_MAX, &text, &n);
    if (r == -ENOENT && may_be_absent)
        return 0;
    if (r == -ENOMEM)
        return r;
    if (r < 0) {
        r = buf_printf(errors, "%s: cannot be read: %s\n", path, strerror(-r));
        return r < 0 ? r : -EINVAL;
    }
    return config_parse(config, path, text, n, errors);
}

static int is_drop_in(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);

    return entry->d_name[0] != '.' && n > 5 && streq(entry->d_name + n - 5, ".conf");
}

/* By bytes, whatever the locale: the order decides which file wins. */
static int compare_entries(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int load_drop_ins(Config *config, const char *path, Buf *errors)
{
    char directory[PATH_MAX], file[PATH_MAX + NAME_MAX + 2];
    struct dirent **entries;
    int n, r = 0;

    if (snprintf(directory, sizeof(directory), "%s.d", path) >= (int)sizeof(directory))
        return 0; /* open() has refused path itself already */
    n = scandir(directory, &entries, is_drop_in, compare_entries);
    if (n < 0 && (errno == ENOENT || errno == ENOTDIR))
        return 0;
    if (n < 0) {
        r = buf_printf(errors, "%s: cannot be read: %m\n", directory);
        return r < 0 ? r : -EINVAL;
    }

    for (int i = 0; i < n; i++) {
        int one = 0;

        (void)snprintf(file, sizeof(file), "%s/%s", directory, entries[i]->d_name);
        if (r != -ENOMEM)
            one = load_file(config, file, false, errors);
        if (one < 0)
            r = one;
        free(entries[i]);
    }
    free(entries);
    return r;
}

/* How the interface of the i-th network is called, as far as the files say. */
static const char *ifname_of(const Config *config, size_t i, char ret[static IFNAME_TEXT])
{
    const NetworkConfig *network = &config->networks[i];
    const NetworkConfig *prefix = network_config_has(network, "ifname_prefix") ? network : &config->defaults;

    if (network->ifname)
        (void)snprintf(ret, IFNAME_TEXT, "%s", network->ifname);
    else
        (void)snprintf(ret, IFNAME_TEXT, "%s%zu", prefix->ifname_prefix, i + 1);
    return ret;
}

/* An interface's name on the host has to be its own, be it given or made of prefix and place. */
static int check_names(const Config *config, size_t i, size_t j, Buf *errors)
{
    const NetworkConfig *a = &config->networks[i], *b = &config->networks[j];
    char name[IFNAME_TEXT], other[IFNAME_TEXT];
    int r;

    if (!streq(ifname_of(config, i, other), ifname_of(config, j, name)))
        return 0;
    if (b->ifname && a->ifname)
        r = buf_printf(errors, "%s: network %s.ifname: %s is that of network %s too; allowed: one network\n",
                       network_config_place(b, "ifname"), b->name, name, a->name);
    else if (b->ifname)
        r = buf_printf(errors,
                       "%s: network %s.ifname: %s is what network %s is called without an ifname of its own; "
                       "allowed: another name, or ifname in both\n",
                       network_config_place(b, "ifname"), b->name, name, a->name);
    else
        r = buf_printf(
            errors,
            "%s: network %s: without an ifname it is called %s, as network %s is; allowed: ifname in "
            "both\n",
            b->source, b->name, name, a->name);
    return r < 0 ? r : -EINVAL;
}

/* Likewise its place on the instance: card and index. */
static int check_indexes(const Config *config, size_t i, size_t j, Buf *errors)
{
    const NetworkConfig *a = &config->networks[i], *b = &config->networks[j];
    int r;

    if (a->device_index < 0 || a->device_index != b->device_index || a->network_card != b->network_card)
        return 0;
    r = buf_printf(
        errors,
        "%s: network %s.device_index: %d on network card %u is that of network %s too; allowed: one "
        "network, or auto\n",
        network_config_place(b, "device_index"), b->name, b->device_index, b->network_card, a->name);
    return r < 0 ? r : -EINVAL;
}

static int check_network(const NetworkConfig *network, Buf *errors)
{
    int r;

    if (network->device_index != 0 || network->network_card != 0)
        return 0;
    r = buf_printf(errors,
                   "%s: network %s.device_index: 0 on network card 0 is the primary interface; allowed: "
                   "auto, or 1 and more\n",
                   network_config_place(network, "device_index"), network->name);
    return r < 0 ? r : -EINVAL;
}

/*
 * Security groups and subnets of one section are paired by their place in the lists, so that the pair
 * survives when only some of the subnets are in the node's zone.
 */
static int check_groups(const NetworkConfig *network, Buf *errors)
{
    char section[NETWORK_SECTION_MAX];
    size_t groups = network->security_groups.n, subnets = network->subnets.n;
    int r;

    if (groups <= 1 || subnets == 0 || groups == subnets)
        return 0;
    (void)network_config_section(network, section);
    r = buf_printf(errors,
                   "%s: %s.security_groups: %zu groups for %zu subnets; allowed: one for all, or as many as "
                   "subnets\n",
                   network_config_place(network, "security_groups"), section, groups, subnets);
    return r < 0 ? r : -EINVAL;
}

static bool has_no_subnets(const Config *config, const NetworkConfig *network)
{
    return network->subnets.n == 0 && config->defaults.subnets.n == 0;
}

/* Without tags nothing can name them later. */
static int check_subnets(const Config *config, const NetworkConfig *network, Buf *errors)
{
    int r;

    if (config->tags || !has_no_subnets(config, network))
        return 0;
    r = buf_printf(errors,
                   "%s: network %s.subnets: none, and tags are not asked; allowed: one for each zone, here "
                   "or in [network]\n",
                   network->source, network->name);
    return r < 0 ? r : -EINVAL;
}

/* "150s, the default": nobody finds in the file what is not there. */
static const char *tell_timeout(usec_t timeout, const char *place, char ret[static TIMEOUT_TEXT])
{
    (void)snprintf(ret, TIMEOUT_TEXT, "%.12gs%s", (double)timeout / USEC_PER_SEC,
                   place ? "" : ", the default");
    return ret;
}

/* One of them at least was set: the defaults go together. */
static int check_timeouts(const Config *config, Buf *errors)
{
    const char *boot = keyvalue_list_get(&config->places, "daemon.boot_timeout");
    const char *attach = keyvalue_list_get(&config->places, "daemon.attach_timeout");
    char other[TIMEOUT_TEXT];
    int r;

    if (config->boot_timeout >= config->attach_timeout)
        return 0;
    if (boot)
        r = buf_printf(errors,
                       "%s: daemon.boot_timeout: shorter than daemon.attach_timeout (%s), which could then "
                       "never pass; allowed: at least attach_timeout\n",
                       boot, tell_timeout(config->attach_timeout, attach, other));
    else
        r = buf_printf(
            errors,
            "%s: daemon.attach_timeout: longer than daemon.boot_timeout (%s), so that it could never pass; "
            "allowed: at most boot_timeout\n",
            attach ?: "[daemon]", tell_timeout(config->boot_timeout, boot, other));
    return r < 0 ? r : -EINVAL;
}

/* One named network, by itself and with those before it. */
static int check_named(const Config *config, size_t j, Buf *errors)
{
    const NetworkConfig *network = &config->networks[j];
    bool bad = false;
    int r;

    r = check_network(network, errors);
    bad |= r == -EINVAL;
    if (r != -ENOMEM)
        r = check_groups(network, errors);
    bad |= r == -EINVAL;
    if (r != -ENOMEM)
        r = check_subnets(config, network, errors);
    bad |= r == -EINVAL;
    for (size_t i = 0; i < j && r != -ENOMEM; i++) {
        r = check_names(config, i, j, errors);
        bad |= r == -EINVAL;
        if (r != -ENOMEM)
            r = check_indexes(config, i, j, errors);
        bad |= r == -EINVAL;
    }
    return r == -ENOMEM ? r : bad ? -EINVAL : 0;
}

int config_finish(Config *config, Buf *errors)
{
    bool bad = false;
    int r;

    r = check_timeouts(config, errors);
    bad |= r == -EINVAL;
    if (r != -ENOMEM)
        r = check_groups(&config->defaults, errors);
    bad |= r == -EINVAL;
    for (size_t i = 0; i < config->n_networks && r != -ENOMEM; i++) {
        r = check_named(config, i, errors);
        bad |= r == -EINVAL;
    }
    return r == -ENOMEM ? r : bad ? -EINVAL : 0;
}

int config_notes(const Config *config, Buf *notes)
{
    int r = 0;

    for (size_t i = 0; i < config->n_networks && r == 0; i++) {
        const NetworkConfig *network = &config->networks[i];

        if (has_no_subnets(config, network))
            r = buf_printf(notes,
                           "%s: network %s names no subnets, nor does [network]: only a tag %ssubnets of the "
                           "instance or its Auto Scaling group can\n",
                           network->source, network->name, config->tag_prefix);
    }
    return r;
}

int config_load(const char *path, Config **ret, Buf *ret_errors)
{
    _cleanup_(config_freep) Config *config = config_new();
    _cleanup_buf_ Buf errors = BUF_NULL;
    int r, drop_ins, finish = 0;

    if (!config)
        return -ENOMEM;

    r = load_file(config, path, streq(path, CONFIG_FILE), &errors);
    if (r == -ENOMEM)
        return r;
    drop_ins = load_drop_ins(config, path, &errors);
    if (drop_ins == -ENOMEM)
        return drop_ins;
    /* Half of a configuration only has mistakes that the whole may not have. */
    if (r == 0 && drop_ins == 0)
        finish = config_finish(config, &errors);
    if (finish == -ENOMEM)
        return finish;

    if (r < 0 || drop_ins < 0 || finish < 0) {
        *ret_errors = errors;
        errors = BUF_NULL;
        return -EINVAL;
    }
    *ret = TAKE_PTR(config);
    return 0;
}
