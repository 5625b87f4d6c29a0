/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What a container runtime hands to multus-eks-ip: the first line is CNI_COMMAND, the second an owner
 * out of the daemon's list for GC to judge, the rest the configuration.
 */

#include "cni/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The line that begins at *text, and *text behind it; NULL where there is none. */
static char *take_line(const char **text, size_t *n)
{
    const char *end = *n > 0 ? memchr(*text, '\n', *n) : NULL;
    char *line;

    if (!end)
        return NULL;
    line = strndup(*text, (size_t)(end - *text));
    *n -= (size_t)(end - *text) + 1;
    *text = end + 1;
    return line;
}

static void check_input(const Input *input, const char *owner)
{
    assert(input->n_addresses <= INPUT_ADDRESSES_MAX);
    assert(strlen(input->owner) <= INPUT_OWNER_MAX);
    assert(input->version);
    for (size_t i = 0; i < input->n_addresses; i++)
        assert(in_addr_is_set(&input->addresses[i]));
    if (input->command == CNI_COMMAND_VERSION)
        return;

    assert(input->network && input->socket_path && input->timeout > 0);
    assert(!strchr(input->network, '/'));
    if (input->command == CNI_COMMAND_ADD || input->command == CNI_COMMAND_CHECK)
        assert(input->prev_result && input->netns);
    if (input->command == CNI_COMMAND_GC && input_is_left_over(input, owner))
        assert(strncmp(owner, "cni:", 4) == 0 &&
               strncmp(owner + 4, input->network, strlen(input->network)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *text = (const char *)data;
    _cleanup_(freep) char *command = take_line(&text, &n);
    _cleanup_(freep) char *owner = take_line(&text, &n);
    const InputEnvironment environment = {
        .command = command, .container_id = "c0ffee", .ifname = "net1", .netns = "/proc/self/ns/net"};
    _cleanup_input_ Input input = INPUT_NULL;
    CniError error = {0};

    if (!owner)
        return 0;
    if (input_parse(text, n, &environment, &input, &error) < 0)
        assert(error.code > 0 && error.message[0] && !input.config);
    else
        check_input(&input, owner);
    return 0;
}
