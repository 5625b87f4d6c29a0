/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Datagrams of rtnetlink: each is taken apart as the event loop does, and every message in it is read
 * as a link, as an error and as the end of a dump, whatever its type says.
 */

#include "io/rtnl-private.h"
#include <linux/rtnetlink.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define DATAGRAM_MAX ((size_t)64 * 1024)

static void fuzz_message(const struct nlmsghdr *header)
{
    RtnlLink link = {0}, copy = {0};
    const char *text;

    if (rtnl_message_parse_link(header, &link) == 0) {
        assert(link.ifindex > 0 && link.name[0]);
        assert(strlen(link.name) < sizeof(link.name));
        assert(strlen(link.parent_bus) < sizeof(link.parent_bus));
        assert(strlen(link.parent_device) < sizeof(link.parent_device));
        if (rtnl_link_copy(&link, &copy) == 0)
            assert(copy.altnames.n == link.altnames.n);
        rtnl_link_done(&copy);
        rtnl_link_done(&link);
    }
    assert(rtnl_message_parse_error(header, &text) <= 0);
    assert(strlen(text) < header->nlmsg_len);
    assert(rtnl_message_parse_done(header) <= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct nlmsghdr *datagram;
    int rest = (int)n;

    if (n == 0 || n > DATAGRAM_MAX)
        return 0;
    /* Of its own size, so that the sanitizers see a byte too far; malloc() aligns it. */
    datagram = malloc(n);
    if (!datagram)
        return 0;
    memcpy(datagram, data, n);
    for (struct nlmsghdr *header = datagram; nlmsg_ok(header, rest); header = nlmsg_next(header, &rest))
        fuzz_message(header);
    free(datagram);
    return 0;
}
