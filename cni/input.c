/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From environment and standard input to an Input, checked to the last member that a command uses, so
 * that what follows has nothing left to doubt. Pure: it opens nothing and asks nobody.
 *
 * The specification lets a plugin refuse keys it does not know; this one leaves them alone, since
 * runtimes add their own (runtimeConfig, args). prevResult is kept as it came, members nobody has heard
 * of included, because ADD prints it again for the plugin that follows.
 *
 * Whose addresses: those of prevResult that say, by their index into "interfaces", that they are on
 * CNI_IFNAME in a sandbox; the bridge plugin lists host interfaces before it. An address without an
 * index is the pod's, as is every address of a result without interfaces (the index is optional).
 * IPv6 link-local addresses are the kernel's affair: EC2 assigns none.
 *
 * An owner is "cni:<network>/<container>/<interface>", which the specification calls the primary key of
 * a plugin's state. None of the three may hold a slash, so it can be taken apart again (GC).
 */

#include "cni/input.h"
#include "client/client.h"
#include "util/utf8.h"
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/un.h>

#define TIMEOUT_DEFAULT (30 * USEC_PER_SEC)
#define TIMEOUT_MAX     3600 /* s */
#define MASTER_MAX      63   /* an interface's name, a network's, or an ENI id */
#define QUOTE_MAX       64   /* bytes of what is wrong, in an error */
#define OWNER_PREFIX    "cni:"

/* Oldest first: their order is used to compare them. */
static const char *const versions[] = {"0.3.0", "0.3.1", "0.4.0", "1.0.0", INPUT_VERSION};

/* What a command needs, and since which version it is there. */
static const struct {
    const char *name;
    const char *since;
    bool attachment;  /* container ID and interface name */
    bool netns;       /* CNI_NETNS */
    bool prev_result; /* is looked at, and must be there */
} commands[_CNI_COMMAND_MAX] = {
    [CNI_COMMAND_ADD] = {"ADD", "0.3.0", true, true, true},
    [CNI_COMMAND_DEL] = {"DEL", "0.3.0", true, false, false},
    [CNI_COMMAND_CHECK] = {"CHECK", "0.4.0", true, true, true},
    [CNI_COMMAND_GC] = {"GC", "1.1.0", false, false, false},
    [CNI_COMMAND_STATUS] = {"STATUS", "1.1.0", false, false, false},
    [CNI_COMMAND_VERSION] = {"VERSION", "0.3.0", false, false, false},
};

void input_done(Input *input)
{
    json_decref(input->config);
    *input = INPUT_NULL;
}

static size_t version_index(const char *version)
{
    size_t i = 0;

    while (i < ARRAY_SIZE(versions) && !streq(versions[i], version))
        i++;
    return i;
}

const char *input_version_of(const json_t *config)
{
    const char *version = json_string_value(json_object_get(config, "cniVersion"));
    size_t i = version ? version_index(version) : ARRAY_SIZE(versions);

    return i < ARRAY_SIZE(versions) ? versions[i] : INPUT_VERSION;
}

json_t *input_versions(void)
{
    _cleanup_json_ json_t *list = json_array();

    for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
        if (json_array_append_new(list, json_string(versions[i])) < 0)
            return NULL;
    return TAKE_PTR(list);
}

/* A letter or digit, then letters, digits and "_.-": what the specification allows in names. */
static bool is_name(const char *s)
{
    for (size_t i = 0; s[i]; i++) {
        bool alnum =
            (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9');

        if (!alnum && (i == 0 || !strchr("_.-", s[i])))
            return false;
    }
    return s[0];
}

/*
 * What the kernel takes for a name (dev_valid_name()), which is what the specification says, too; but in
 * UTF-8, as it becomes part of an owner.
 */
static bool is_ifname(const char *s)
{
    return s[0] && utf8_is_clean(s) && strlen(s) < IFNAMSIZ && !streq(s, ".") && !streq(s, "..") &&
           !strpbrk(s, "/: \t\n\v\f\r");
}

static int parse_environment(const InputEnvironment *environment, Input *input, CniError *ret_error)
{
    const char *command = environment->command ?: "";
    size_t i = 0;

    while (i < _CNI_COMMAND_MAX && !streq(commands[i].name, command))
        i++;
    if (i == _CNI_COMMAND_MAX)
        return cni_error(ret_error, CNI_CODE_ENVIRONMENT, "CNI_COMMAND '%.*s' is not known",
                         (int)utf8_cut(command, QUOTE_MAX), command);
    input->command = (CniCommand)i;
    if (!commands[i].attachment)
        return 0;

    input->container_id = environment->container_id;
    input->ifname = environment->ifname;
    input->netns = environment->netns && environment->netns[0] ? environment->netns : NULL;
    if (!input->container_id || !is_name(input->container_id))
        return cni_error(ret_error, CNI_CODE_ENVIRONMENT, "CNI_CONTAINERID is missing or not a container ID");
    if (!input->ifname || !is_ifname(input->ifname))
        return cni_error(ret_error, CNI_CODE_ENVIRONMENT, "CNI_IFNAME is missing or no interface's name");
    if (commands[i].netns && !input->netns)
        return cni_error(ret_error, CNI_CODE_ENVIRONMENT, "CNI_NETNS is missing");
    return 0;
}

/*
 * A string member: 0 with NULL when it is absent (null is), and an error for another type or a NUL
 * inside, behind which the rest would be lost.
 */
static int get_text(const json_t *object, const char *key, const char **ret, CniError *ret_error)
{
    const json_t *value = json_object_get(object, key);

    if (value && !json_is_null(value)) {
        if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value))
            return cni_error(ret_error, CNI_CODE_CONFIG, "\"%s\" is not a string", key);
        *ret = json_string_value(value);
    }
    return 0;
}

static int parse_version(Input *input, CniError *ret_error)
{
    const char *version = "0.1.0"; /* what a configuration without one means */
    size_t i;

    if (get_text(input->config, "cniVersion", &version, ret_error) < 0)
        return -EPROTO;
    i = version_index(version);
    if (i == ARRAY_SIZE(versions))
        return cni_error(ret_error, CNI_CODE_VERSION, "cniVersion %.*s is not supported: %s to %s are",
                         (int)utf8_cut(version, QUOTE_MAX), version, versions[0], INPUT_VERSION);
    if (i < version_index(commands[input->command].since))
        return cni_error(ret_error, CNI_CODE_VERSION, "cniVersion %s has no %s", version,
                         commands[input->command].name);
    input->version = versions[i];
    return 0;
}

static int parse_network(Input *input, CniError *ret_error)
{
    if (get_text(input->config, "name", &input->network, ret_error) < 0)
        return -EPROTO;
    if (!input->network || !is_name(input->network))
        return cni_error(ret_error, CNI_CODE_CONFIG, "\"name\" is missing or no network's name");
    return 0;
}

static int parse_socket(Input *input, CniError *ret_error)
{
    const char *path = CLIENT_SOCKET;

    if (get_text(input->config, "socket", &path, ret_error) < 0)
        return -EPROTO;
    if (path[0] != '/' || strlen(path) >= sizeof((struct sockaddr_un){0}.sun_path))
        return cni_error(ret_error, CNI_CODE_CONFIG, "\"socket\" is not the absolute path of a socket");
    input->socket_path = path;
    return 0;
}

static int parse_master(Input *input, CniError *ret_error)
{
    const char *master = NULL;

    if (get_text(input->config, "master", &master, ret_error) < 0)
        return -EPROTO;
    if (master && (!master[0] || strlen(master) > MASTER_MAX))
        return cni_error(ret_error, CNI_CODE_CONFIG,
                         "\"master\" is not the name of an interface or network, or an ENI id");
    input->master = master;
    return 0;
}

static int parse_timeout(Input *input, CniError *ret_error)
{
    const json_t *timeout = json_object_get(input->config, "timeout");
    double seconds = json_number_value(timeout);

    if (!timeout || json_is_null(timeout))
        return 0;
    /* Said this way round a value that is not a number, which is 0, is out of range, too. */
    if (!(seconds >= 0.001 && seconds <= TIMEOUT_MAX))
        return cni_error(ret_error, CNI_CODE_CONFIG, "\"timeout\" is not a number of seconds up to %d",
                         TIMEOUT_MAX);
    input->timeout = (usec_t)(seconds * (double)USEC_PER_SEC);
    return 0;
}

/*
 * DEL takes the default for what is wrong: it must not fail where ADD did, for the runtime ends the DEL of
 * a list at the first plugin that fails, and the addresses of those before it in the list would leak.
 */
static int parse_own_keys(Input *input, CniError *ret_error)
{
    static int (*const parsers[])(Input *, CniError *) = {parse_socket, parse_master, parse_timeout};

    input->timeout = TIMEOUT_DEFAULT;
    input->socket_path = CLIENT_SOCKET;
    for (size_t i = 0; i < ARRAY_SIZE(parsers); i++) {
        CniError error;

        if (parsers[i](input, &error) == 0)
            continue;
        if (input->command != CNI_COMMAND_DEL) {
            *ret_error = error;
            return -EPROTO;
        }
        cni_error_add(&input->overlooked, "%s.", error.message);
    }
    return 0;
}

/* Whether an address with that index is on CNI_IFNAME. */
static int is_ours(const Input *input, const json_t *index, bool *ret, CniError *ret_error)
{
    const json_t *interfaces = json_object_get(input->prev_result, "interfaces");
    const char *name = NULL, *sandbox = NULL;
    const json_t *interface;

    *ret = true;
    if (!index || json_is_null(index) || json_array_size(interfaces) == 0)
        return 0;

    interface = json_is_integer(index) && json_integer_value(index) >= 0
                    ? json_array_get(interfaces, (size_t)json_integer_value(index))
                    : NULL;
    if (!json_is_object(interface))
        return cni_error(ret_error, CNI_CODE_CONFIG,
                         "prevResult: \"interface\" of an address is not an index of \"interfaces\"");
    if (get_text(interface, "name", &name, ret_error) < 0 ||
        get_text(interface, "sandbox", &sandbox, ret_error) < 0)
        return -EPROTO;
    *ret = streq_ptr(name, input->ifname) && sandbox && sandbox[0];
    return 0;
}

static bool is_link_local(const InAddr *address)
{
    return address->family == AF_INET6 && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

static int add_address(Input *input, const InAddr *address, CniError *ret_error)
{
    for (size_t i = 0; i < input->n_addresses; i++)
        if (in_addr_equal(&input->addresses[i], address))
            return 0;
    if (input->n_addresses == INPUT_ADDRESSES_MAX)
        return cni_error(ret_error, CNI_CODE_CONFIG, "prevResult: more than %d addresses",
                         INPUT_ADDRESSES_MAX);
    input->addresses[input->n_addresses++] = *address;
    return 0;
}

static int parse_ip(Input *input, const json_t *ip, CniError *ret_error)
{
    const char *text = NULL;
    InPrefix prefix;
    bool ours;

    if (!json_is_object(ip))
        return cni_error(ret_error, CNI_CODE_CONFIG, "prevResult: an item of \"ips\" is not an object");
    if (is_ours(input, json_object_get(ip, "interface"), &ours, ret_error) < 0 ||
        get_text(ip, "address", &text, ret_error) < 0)
        return -EPROTO;
    if (!ours)
        return 0;
    if (!text || in_prefix_parse(text, &prefix) < 0)
        return cni_error(ret_error, CNI_CODE_CONFIG,
                         "prevResult: '%.*s' is no address with its prefix length",
                         text ? (int)utf8_cut(text, QUOTE_MAX) : 0, text ?: "");
    return is_link_local(&prefix.address) ? 0 : add_address(input, &prefix.address, ret_error);
}

/* For DEL, which must not fail where ADD did: as far as it is understood. */
static void glean_prev_result(Input *input)
{
    const json_t *result = json_object_get(input->config, "prevResult"), *ip;
    CniError ignored;
    size_t i;

    if (!json_is_object(result))
        return;
    input->prev_result = result;
    json_array_foreach(json_object_get(result, "ips"), i, ip)
    {
        (void)parse_ip(input, ip, &ignored);
    }
}

static int parse_prev_result(Input *input, CniError *ret_error)
{
    const json_t *ips, *ip;
    size_t i;

    if (input->command == CNI_COMMAND_DEL)
        glean_prev_result(input);
    if (!commands[input->command].prev_result)
        return 0;
    input->prev_result = json_object_get(input->config, "prevResult");
    if (!input->prev_result || json_is_null(input->prev_result))
        return cni_error(
            ret_error, CNI_CODE_CONFIG,
            "no prevResult: multus-eks-ip comes after the plugin that makes the interface, in the "
            "list \"plugins\"");
    if (!json_is_object(input->prev_result))
        return cni_error(ret_error, CNI_CODE_CONFIG, "prevResult is not an object");

    ips = json_object_get(input->prev_result, "ips");
    if (ips && !json_is_null(ips) && !json_is_array(ips))
        return cni_error(ret_error, CNI_CODE_CONFIG, "prevResult: \"ips\" is not a list");
    json_array_foreach(ips, i, ip)
    {
        if (parse_ip(input, ip, ret_error) < 0)
            return -EPROTO;
    }
    return 0;
}

/*
 * Every item is looked at before one is used: what is not understood must not be taken for absent. A list
 * that is null has no items: libcni writes it so when no attachment is valid.
 */
static int parse_attachments(Input *input, CniError *ret_error)
{
    const json_t *list = json_object_get(input->config, "cni.dev/valid-attachments");
    const json_t *item;
    size_t i;

    if (!json_is_array(list) && !json_is_null(list))
        return cni_error(ret_error, CNI_CODE_CONFIG, "GC without the list \"cni.dev/valid-attachments\"");
    json_array_foreach(list, i, item)
    {
        const char *container_id = NULL, *ifname = NULL;

        if (get_text(item, "containerID", &container_id, ret_error) < 0 ||
            get_text(item, "ifname", &ifname, ret_error) < 0)
            return -EPROTO;
        if (!container_id || !ifname)
            return cni_error(ret_error, CNI_CODE_CONFIG,
                             "an item of \"cni.dev/valid-attachments\" lacks containerID or ifname");
    }
    input->attachments = list;
    return 0;
}

static int set_owner(Input *input, CniError *ret_error)
{
    int n = snprintf(input->owner, sizeof(input->owner), OWNER_PREFIX "%s/%s%s%s", input->network,
                     input->container_id ?: "", input->container_id ? "/" : "", input->ifname ?: "");

    if (n < 0 || (size_t)n >= sizeof(input->owner))
        return cni_error(ret_error, CNI_CODE_CONFIG,
                         "network name and container ID are longer than %d together", INPUT_OWNER_MAX);
    return 0;
}

static int parse_config(const char *text, size_t n, Input *input, CniError *ret_error)
{
    json_error_t error;

    /* A NUL in a string of somebody else's is passed on like everything of theirs. */
    input->config = json_loadb(text ? text : "", n, JSON_ALLOW_NUL, &error);
    /* DEL hands nothing on: to it an integer beyond 63 bits may be the double that is next to it. */
    if (!input->config && input->command == CNI_COMMAND_DEL &&
        json_error_code(&error) == json_error_numeric_overflow) {
        cni_error_add(&input->overlooked, "line %d: %s.", error.line, error.text);
        input->config = json_loadb(text, n, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    }
    if (!input->config)
        return cni_error(ret_error, CNI_CODE_DECODE, "the configuration is not JSON: line %d: %s", error.line,
                         error.text);
    if (!json_is_object(input->config))
        return cni_error(ret_error, CNI_CODE_DECODE, "the configuration is not a JSON object");
    return 0;
}

/* VERSION asks what is supported: whatever version the asker has is fine, and so is none. */
static void parse_asker(const char *text, size_t n, Input *input)
{
    input->config = json_loadb(text ? text : "", n, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    input->version = input_version_of(input->config);
}

int input_parse(const char *text, size_t n, const InputEnvironment *environment, Input *ret,
                CniError *ret_error)
{
    _cleanup_input_ Input input = INPUT_NULL;

    if (n > INPUT_MAX)
        return cni_error(ret_error, CNI_CODE_IO, "the configuration is longer than %zu KiB",
                         INPUT_MAX / 1024);
    if (parse_environment(environment, &input, ret_error) < 0)
        return -EPROTO;

    if (input.command == CNI_COMMAND_VERSION)
        parse_asker(text, n, &input);
    else if (parse_config(text, n, &input, ret_error) < 0 || parse_version(&input, ret_error) < 0 ||
             parse_network(&input, ret_error) < 0 || parse_own_keys(&input, ret_error) < 0 ||
             parse_prev_result(&input, ret_error) < 0 || set_owner(&input, ret_error) < 0)
        return -EPROTO;
    if (input.command == CNI_COMMAND_GC && parse_attachments(&input, ret_error) < 0)
        return -EPROTO;

    *ret = input;
    input = INPUT_NULL;
    return 0;
}

bool input_has_address(const Input *input, const char *text)
{
    InAddr address;

    if (in_addr_parse(text, &address) < 0)
        return false;
    for (size_t i = 0; i < input->n_addresses; i++)
        if (in_addr_equal(&input->addresses[i], &address))
            return true;
    return false;
}

bool input_is_left_over(const Input *input, const char *owner)
{
    size_t n_prefix = strlen(input->owner); /* "cni:<network>/" */
    const char *container_id = owner + n_prefix, *slash;
    const json_t *item;
    size_t i;

    if (strncmp(owner, input->owner, n_prefix) != 0)
        return false;
    slash = strchr(container_id, '/');
    if (!slash)
        return false; /* not of our making */

    json_array_foreach(input->attachments, i, item)
    {
        const char *valid = json_string_value(json_object_get(item, "containerID"));
        const char *ifname = json_string_value(json_object_get(item, "ifname"));

        if (strlen(valid) == (size_t)(slash - container_id) &&
            strncmp(valid, container_id, (size_t)(slash - container_id)) == 0 && streq(ifname, slash + 1))
            return false;
    }
    return true;
}
