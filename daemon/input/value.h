#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* Keys of the configuration: tables of them, and the kinds of values they take. Pure. */

#include "util/buf.h"
#include "util/macro.h"

#define KEYS_MAX 32 /* in one section */

/* One key of a section: where its value goes and what is allowed. */
typedef struct Key Key;

/**
 * KeySet - read a value into the field
 * @why: what is wrong, appended on -EINVAL; the field is then as it was
 *
 * Return: 0, -EINVAL, -ENOMEM.
 */
typedef int (*KeySet)(const Key *key, const char *value, void *field, Buf *why);

struct Key {
    const char *name;
    size_t offset; /* of the field in the object */
    KeySet set;
    const char *allowed; /* for messages */
    uint64_t min, max;   /* of numbers (durations: microseconds) and of the length of names */
    bool list;           /* may go on in indented lines */
    bool named_only;     /* [network NAME] only */
};

/** key_find() - the entry of that name, or NULL */
const Key *key_find(const Key *keys, size_t n_keys, const char *name);

/** key_assign() - set the field of object; on -EINVAL a line "where: section.key: …" is appended to errors */
int key_assign(const Key *key, const char *section, const char *value, void *object, const char *where,
               Buf *errors);

/**
 * key_suggest() - append "; did you mean X?" when a name is near, and "; allowed: …"; 0 or -ENOMEM
 * @names: candidates
 */
int key_suggest(const char *wrong, const char *const *names, size_t n_names, Buf *errors);

/** set_…() - the kinds of values, for tables of Key; the type of the field is named */
int set_bool(const Key *key, const char *value, void *field, Buf *why);          /* bool: yes, no */
int set_auto_none(const Key *key, const char *value, void *field, Buf *why);     /* bool: auto, none */
int set_unsigned(const Key *key, const char *value, void *field, Buf *why);      /* unsigned, min..max */
int set_auto_int(const Key *key, const char *value, void *field, Buf *why);      /* int: auto is -1 */
int set_duration(const Key *key, const char *value, void *field, Buf *why);      /* usec_t, min..max */
int set_log_level(const Key *key, const char *value, void *field, Buf *why);     /* int */
int set_on_failure(const Key *key, const char *value, void *field, Buf *why);    /* OnFailure */
int set_ip_allocation(const Key *key, const char *value, void *field, Buf *why); /* IpAllocation */
int set_ipv6(const Key *key, const char *value, void *field, Buf *why);          /* Ipv6Mode */
int set_driver(const Key *key, const char *value, void *field, Buf *why);        /* char * */
int set_name(const Key *key, const char *value, void *field, Buf *why);          /* char *, min..max long */
int set_auto_region(const Key *key, const char *value, void *field, Buf *why);   /* char *: auto is NULL */
int set_url(const Key *key, const char *value, void *field, Buf *why);           /* char * */
int set_auto_url(const Key *key, const char *value, void *field, Buf *why);      /* char *: auto is NULL */
int set_proxy(const Key *key, const char *value, void *field, Buf *why);         /* char *: empty is NULL */
int set_empty_path(const Key *key, const char *value, void *field, Buf *why);    /* char *: empty is NULL */
int set_tag_prefix(const Key *key, const char *value, void *field, Buf *why);    /* char * */
int set_ifname(const Key *key, const char *value, void *field, Buf *why);        /* char *, min..max long */
int set_subnets(const Key *key, const char *value, void *field, Buf *why);       /* StrList */
int set_groups(const Key *key, const char *value, void *field, Buf *why);        /* StrList */
int set_tags(const Key *key, const char *value, void *field, Buf *why);          /* KeyValueList */

/** network_name_is_valid() - letters, digits, '-', '_', '.', at most 63: it becomes a tag and an altname */
bool network_name_is_valid(const char *name);
