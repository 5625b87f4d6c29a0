#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* /etc/multus-eks.conf and its drop-ins, checked. Constant once read. */

#include "util/buf.h"
#include "util/keyvalue.h"
#include "util/macro.h"
#include "util/strlist.h"
#include "util/time.h"

#define CONFIG_FILE        SYSCONFDIR "/multus-eks.conf"
#define CONFIG_NETWORK_MAX 15 /* the most network interfaces an instance type has beside the primary */

typedef enum OnFailure { ON_FAILURE_BLOCK, ON_FAILURE_CONTINUE } OnFailure;
typedef enum IpAllocation { IP_ALLOCATION_DYNAMIC, IP_ALLOCATION_SUBNET_START } IpAllocation;
typedef enum Ipv6Mode { IPV6_AUTO, IPV6_YES, IPV6_NO } Ipv6Mode;

/* The keys of [network] and [network NAME]. What a section does not set it has from [network]. */
typedef struct NetworkConfig {
    char *name; /* of [network NAME]; NULL for [network] */
    StrList subnets;
    StrList security_groups;
    IpAllocation ip_allocation;
    Ipv6Mode ipv6;
    KeyValueList interface_tags;
    bool source_dest_check;
    char *ifname_prefix;
    unsigned mtu;
    bool host_address;
    char *driver;          /* "kernel" or the driver's name */
    int device_index;      /* -1: auto. Named networks only */
    unsigned network_card; /* named networks only */
    char *ifname;          /* NULL: prefix and position. Named networks only */
    uint32_t set;          /* bit k: key k of the table in network-keys.c was given here */
    char *source;          /* "file:line" of the section, for messages; NULL for built-in */
    KeyValueList places;   /* key -> "file:line" or "tag … of …" where it was set last, for messages */
} NetworkConfig;

typedef struct Config {
    /* [daemon] */
    int log_level;
    OnFailure on_failure;
    usec_t attach_timeout;
    usec_t boot_timeout;
    char *lifecycle_hook; /* "auto", "none" or a name */
    bool max_pods;        /* auto: true, none: false */
    bool device_plugin;   /* auto: true, none: false */
    bool sweep_leaked;
    /* [aws]; NULL: auto or unset */
    char *region;
    char *imds_endpoint;
    char *ec2_endpoint;
    char *autoscaling_endpoint;
    char *ca_file;
    usec_t request_timeout;
    char *proxy;
    /* [discovery] */
    bool tags;
    char *tag_prefix;
    /* [network] and [network NAME], in the file's order */
    NetworkConfig defaults;
    NetworkConfig *networks;
    size_t n_networks;
    /* [registration] */
    char *socket_group;
    bool allow_reassign;
    bool watch;
    usec_t release_cooldown;
    usec_t stale_grace;
    KeyValueList places; /* of the other sections: "section.key" -> "file:line"; for config_finish() */
} Config;

/** config_new() - the built-in defaults; NULL when out of memory */
Config *config_new(void);
Config *config_free(Config *config);

/**
 * config_load() - built-in defaults, then the file, then its drop-ins
 * @path: the file; drop-ins are path.d/ * .conf sorted by name. A missing file is the defaults when
 *        path is CONFIG_FILE, else an error
 * @ret_errors: all mistakes found, one line each: "file:line: section.key: what is wrong; what is allowed"
 *
 * Return: 0 with *ret; -EINVAL with *ret_errors set; -ENOMEM.
 */
int config_load(const char *path, Config **ret, Buf *ret_errors);

/**
 * config_parse() - one file's text over what config holds already. Pure; for config_load(), tests and the
 * fuzzer.
 * @name: of the file, for messages
 *
 * Return: 0; -EINVAL with the mistakes appended to errors; -ENOMEM.
 */
int config_parse(Config *config, const char *name, const char *text, size_t n, Buf *errors);

/** config_finish() - what can only be checked when all files are read; same returns */
int config_finish(Config *config, Buf *errors);

/** config_notes() - append what no file can decide alone, one a line: networks that only tags can complete */
int config_notes(const Config *config, Buf *notes);

/**
 * network_config_set() - set one key by its name in the file; also used for tags
 * @where: "file:line" or "tag multus-eks:mtu of instance i-…", for messages; remembered in places
 *
 * Return: 0; -ENOENT for an unknown key and -EINVAL for a bad value, with a line appended to errors; -ENOMEM.
 */
int network_config_set(NetworkConfig *network, const char *key, const char *value, const char *where,
                       Buf *errors);

/** network_config_copy() - deep copy; *ret is written on success only; 0 or -ENOMEM */
int network_config_copy(const NetworkConfig *network, NetworkConfig *ret);
void network_config_done(NetworkConfig *network);

/** network_config_has() - whether the section set that key itself; an unknown key is a programming error */
bool network_config_has(const NetworkConfig *network, const char *key);

/** network_config_place() - where that key was set last, or the section itself; for messages */
const char *network_config_place(const NetworkConfig *network, const char *key);

/** network_config_merge() - upper, and from lower what upper does not set itself; 0 or -ENOMEM */
int network_config_merge(const NetworkConfig *lower, const NetworkConfig *upper, NetworkConfig *ret);

DEFINE_CLEANUP(Config, config_free)
