#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What a runtime hands to the plugin: environment and configuration. Pure. */

#include "cni/error.h"
#include "util/inaddr.h"
#include "util/json.h"
#include "util/time.h"

#define INPUT_MAX           ((size_t)1024 * 1024) /* bytes of the configuration */
#define INPUT_ADDRESSES_MAX 64                    /* of one interface of one pod */
#define INPUT_OWNER_MAX     256                   /* bytes of an owner's name: the daemon's limit */

#define INPUT_VERSION "1.1.0" /* the newest version of the specification spoken here */

typedef enum CniCommand {
    CNI_COMMAND_ADD,
    CNI_COMMAND_DEL,
    CNI_COMMAND_CHECK,
    CNI_COMMAND_GC,
    CNI_COMMAND_STATUS,
    CNI_COMMAND_VERSION,
    _CNI_COMMAND_MAX,
} CniCommand;

/* The CNI_ variables; NULL for one that is not set. Borrowed. */
typedef struct InputEnvironment {
    const char *command;
    const char *container_id;
    const char *ifname;
    const char *netns;
} InputEnvironment;

/* Strings are borrowed from the environment and from config, which it owns. */
typedef struct Input {
    CniCommand command;
    json_t *config;
    const char *version; /* of the specification */
    const char *network;
    const char *container_id; /* NULL with GC, STATUS, VERSION; so are ifname and netns */
    const char *ifname;
    const char *netns;       /* may be NULL with DEL */
    const char *master;      /* the parent by name, where the configuration has it, or NULL */
    const char *socket_path; /* never NULL */
    usec_t timeout;
    const json_t *prev_result;             /* with ADD and CHECK; with DEL if there is one; else NULL */
    const json_t *attachments;             /* GC: cni.dev/valid-attachments, a list or null; else NULL */
    InAddr addresses[INPUT_ADDRESSES_MAX]; /* of prevResult, on CNI_IFNAME; each once */
    size_t n_addresses;
    char owner[INPUT_OWNER_MAX +
               1];       /* "cni:<network>/<container>/<interface>"; with GC only "cni:<network>/" */
    CniError overlooked; /* with DEL: what of the configuration is wrong and not used, as details */
} Input;

#define INPUT_NULL ((Input){0})

/**
 * input_parse() - decode and check everything a command needs
 * @text: the configuration as it came on stdin, n bytes
 * @environment: must outlive *ret
 * @ret: released by input_done(); written on success only
 *
 * Keys that are not ours are left alone. With DEL ours have their default where they are wrong, which
 * ret->overlooked says. Return: 0; or -EPROTO with *ret_error filled in.
 */
int input_parse(const char *text, size_t n, const InputEnvironment *environment, Input *ret,
                CniError *ret_error);

/** input_done() - release the configuration; *input is empty afterwards */
void input_done(Input *input);

/** input_version_of() - the version that an answer has: the configuration's if it is supported, else ours */
const char *input_version_of(const json_t *config);

/** input_versions() - all of them, oldest first; NULL when out of memory */
json_t *input_versions(void);

/** input_has_address() - whether that text is one of the addresses of prevResult */
bool input_has_address(const Input *input, const char *text);

/**
 * input_is_left_over() - GC: whether an owner is of this network and its attachment is gone
 *
 * Return: true for one whose registrations are to be given back; false for a valid attachment's, and for
 * whatever is not of this plugin and this network.
 */
bool input_is_left_over(const Input *input, const char *owner);

#define _cleanup_input_ _cleanup_(input_done)
