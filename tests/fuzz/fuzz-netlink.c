/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Datagrams about other network namespaces: each is taken apart as the event loop does, and every message
 * in it is read as every kind that is understood, whatever its type says.
 */

#include "io/nsnl-private.h"
#include <linux/rtnetlink.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define DATAGRAM_MAX ((size_t)64 * 1024)

static void check_event(const NsnlEvent *event)
{
    switch (event->type) {
    case NSNL_EVENT_NAMESPACE_NEW:
    case NSNL_EVENT_NAMESPACE_REMOVED: assert(event->nsid >= 0); break;
    case NSNL_EVENT_LINK_NEW:
    case NSNL_EVENT_LINK_REMOVED:
        assert(event->nsid == NETLINK_NSID_NONE && event->link.ifindex > 0);
        assert(event->link.name[0] && strnlen(event->link.name, IFNAMSIZ) < IFNAMSIZ);
        break;
    case NSNL_EVENT_ADDRESS_NEW:
    case NSNL_EVENT_ADDRESS_REMOVED:
        assert(event->nsid == NETLINK_NSID_NONE && event->address.ifindex > 0);
        assert(in_addr_size(event->address.address.family) > 0);
        break;
    case NSNL_EVENT_OVERRUN: assert(false);
    }
}

static void fuzz_message(struct nlmsghdr *header)
{
    static const uint16_t types[] = {RTM_NEWNSID, RTM_DELNSID, RTM_NEWLINK,
                                     RTM_DELLINK, RTM_NEWADDR, RTM_DELADDR};
    NsnlEvent event;

    for (size_t i = 0; i <= ARRAY_SIZE(types); i++) {
        if (nsnl_message_parse(header, &event) == 0)
            check_event(&event);
        if (i < ARRAY_SIZE(types))
            header->nlmsg_type = types[i];
    }
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
