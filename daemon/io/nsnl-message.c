/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The netlink messages about namespaces and what is in them. Pure, so that the parser can be tested and
 * fuzzed without a kernel.
 *
 * A request for another namespace carries that one's id as an attribute of its own: IFLA_TARGET_NETNSID,
 * IFA_TARGET_NETNSID, NETNSA_TARGET_NSID. The kernel heeds IFA_TARGET_NETNSID only on a socket with
 * NETLINK_GET_STRICT_CHK, and then insists that the rest of the header is zero.
 */

#include "io/nsnl-private.h"
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>

#define _cleanup_msg_ _cleanup_(nl_msg_freep)

/* ------------------------------------------------------------------ requests */

/* libnl's own error numbers mean one thing here: the message has no room left. */
static int put(int nl_error)
{
    return nl_error < 0 ? -ENOMEM : 0;
}

static int message_new(int type, int flags, const void *family, size_t n_family, struct nl_msg **ret)
{
    _cleanup_msg_ struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);
    int r;

    if (!msg)
        return -ENOMEM;
    r = put(nlmsg_append(msg, (void *)family, n_family, NLMSG_ALIGNTO));
    if (r < 0)
        return r;

    *ret = TAKE_PTR(msg);
    return 0;
}

/* A request of which all but the header is one number or two; type 0: none. */
static int finish(struct nl_msg *msg_take, int type, int value, int type2, int value2, struct nl_msg **ret)
{
    _cleanup_msg_ struct nl_msg *msg = msg_take;
    int r = 0;

    if (type)
        r = put(nla_put_s32(msg, type, value));
    if (r >= 0 && type2)
        r = put(nla_put_s32(msg, type2, value2));
    if (r < 0)
        return r;

    *ret = TAKE_PTR(msg);
    return 0;
}

static int rtgen_request(int type, int flags, struct nl_msg **ret)
{
    static const struct rtgenmsg rtgen = {.rtgen_family = AF_UNSPEC};

    return message_new(type, flags, &rtgen, sizeof(rtgen), ret);
}

int nsnl_message_dump_namespaces(struct nl_msg **ret)
{
    return rtgen_request(RTM_GETNSID, NLM_F_DUMP, ret);
}

int nsnl_message_dump_links(int nsid, struct nl_msg **ret)
{
    static const struct ifinfomsg ifinfo = {.ifi_family = AF_UNSPEC};
    struct nl_msg *msg = NULL;
    int r = message_new(RTM_GETLINK, NLM_F_DUMP, &ifinfo, sizeof(ifinfo), &msg);

    return r < 0 ? r : finish(msg, IFLA_TARGET_NETNSID, nsid, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS, ret);
}

int nsnl_message_dump_addresses(int nsid, struct nl_msg **ret)
{
    static const struct ifaddrmsg ifaddr = {.ifa_family = AF_UNSPEC};
    struct nl_msg *msg = NULL;
    int r = message_new(RTM_GETADDR, NLM_F_DUMP, &ifaddr, sizeof(ifaddr), &msg);

    return r < 0 ? r : finish(msg, IFA_TARGET_NETNSID, nsid, 0, 0, ret);
}

int nsnl_message_assign(int fd_netns, struct nl_msg **ret)
{
    struct nl_msg *msg = NULL;
    int r = rtgen_request(RTM_NEWNSID, NLM_F_ACK, &msg);

    return r < 0 ? r : finish(msg, NETNSA_FD, fd_netns, NETNSA_NSID, NETNSA_NSID_NOT_ASSIGNED, ret);
}

int nsnl_message_get_id(int fd_netns, int target, struct nl_msg **ret)
{
    struct nl_msg *msg = NULL;
    int r = rtgen_request(RTM_GETNSID, 0, &msg);

    return r < 0 ? r : finish(msg, NETNSA_FD, fd_netns, target >= 0 ? NETNSA_TARGET_NSID : 0, target, ret);
}

int nsnl_message_exists(int nsid, struct nl_msg **ret)
{
    struct nl_msg *msg = NULL;
    int r = rtgen_request(RTM_GETNSID, 0, &msg);

    return r < 0 ? r : finish(msg, NETNSA_NSID, nsid, 0, 0, ret);
}

/* ------------------------------------------------------------------ replies and notifications */

static int get_nsid(const struct nlattr *attr)
{
    return attr ? (int)netlink_u32(attr) : NETLINK_NSID_NONE;
}

static int parse_namespace(const struct nlmsghdr *header, NsnlEvent *ret)
{
    struct nlattr *tb[NETNSA_MAX + 1];
    NsnlEvent event = {
        .type = header->nlmsg_type == RTM_NEWNSID ? NSNL_EVENT_NAMESPACE_NEW : NSNL_EVENT_NAMESPACE_REMOVED,
    };

    /* The notifications say rtgenmsg and are as long as one, aligned. */
    if (nlmsg_parse((struct nlmsghdr *)header, sizeof(struct rtgenmsg), tb, NETNSA_MAX, NULL) < 0)
        return -EBADMSG;
    /* RTM_GETNSID answers "has none" with -1. */
    event.nsid = get_nsid(tb[NETNSA_NSID]);
    if (event.nsid < 0)
        return -ENOENT;

    *ret = event;
    return 0;
}

static int parse_link(const struct nlmsghdr *header, NsnlEvent *ret)
{
    const struct ifinfomsg *ifinfo = nlmsg_data(header);
    struct nlattr *tb[IFLA_MAX + 1];
    NsnlEvent event = {
        .type = header->nlmsg_type == RTM_NEWLINK ? NSNL_EVENT_LINK_NEW : NSNL_EVENT_LINK_REMOVED,
        .nsid = NETLINK_NSID_NONE,
    };
    const char *name;

    if (!nlmsg_valid_hdr(header, sizeof(*ifinfo)))
        return -EBADMSG;
    /* A bridge tells of its ports as RTM_NEWLINK and RTM_DELLINK of family AF_BRIDGE. */
    if (ifinfo->ifi_family != AF_UNSPEC)
        return -ENOENT;
    if (nlmsg_parse((struct nlmsghdr *)header, sizeof(*ifinfo), tb, IFLA_MAX, NULL) < 0)
        return -EBADMSG;
    name = netlink_string(tb[IFLA_IFNAME]);
    if (!name || !*name || strlen(name) >= sizeof(event.link.name) || ifinfo->ifi_index <= 0)
        return -EBADMSG;

    event.link.ifindex = ifinfo->ifi_index;
    strcpy(event.link.name, name);
    event.link.parent = (int)netlink_u32(tb[IFLA_LINK]);
    event.link.parent_nsid = get_nsid(tb[IFLA_LINK_NETNSID]);

    *ret = event;
    return 0;
}

static int get_address(const struct nlattr *attr, int family, InAddr *ret)
{
    InAddr address = {.family = family};

    if (!attr || nla_len(attr) != (int)in_addr_size(family))
        return -EBADMSG;
    memcpy(address.bytes, nla_data(attr), in_addr_size(family));

    *ret = address;
    return 0;
}

static int parse_address(const struct nlmsghdr *header, NsnlEvent *ret)
{
    const struct ifaddrmsg *ifaddr = nlmsg_data(header);
    struct nlattr *tb[IFA_MAX + 1];
    NsnlEvent event = {
        .type = header->nlmsg_type == RTM_NEWADDR ? NSNL_EVENT_ADDRESS_NEW : NSNL_EVENT_ADDRESS_REMOVED,
        .nsid = NETLINK_NSID_NONE,
    };
    int r;

    if (!nlmsg_valid_hdr(header, sizeof(*ifaddr)))
        return -EBADMSG;
    if (ifaddr->ifa_family != AF_INET && ifaddr->ifa_family != AF_INET6)
        return -ENOENT;
    if (nlmsg_parse((struct nlmsghdr *)header, sizeof(*ifaddr), tb, IFA_MAX, NULL) < 0 ||
        ifaddr->ifa_index == 0 || ifaddr->ifa_index > INT32_MAX)
        return -EBADMSG;
    /* On a point-to-point link IFA_ADDRESS is the other side's; IPv6 leaves IFA_LOCAL out elsewhere. */
    r = get_address(tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS], ifaddr->ifa_family,
                    &event.address.address);
    if (r < 0)
        return r;

    event.address.ifindex = (int)ifaddr->ifa_index;
    event.address.scope = ifaddr->ifa_scope;
    event.address.flags = tb[IFA_FLAGS] ? netlink_u32(tb[IFA_FLAGS]) : ifaddr->ifa_flags;

    *ret = event;
    return 0;
}

int nsnl_message_parse(const struct nlmsghdr *header, NsnlEvent *ret)
{
    switch (header->nlmsg_type) {
    case RTM_NEWNSID:
    case RTM_DELNSID: return parse_namespace(header, ret);
    case RTM_NEWLINK:
    case RTM_DELLINK: return parse_link(header, ret);
    case RTM_NEWADDR:
    case RTM_DELADDR: return parse_address(header, ret);
    default: return -ENOENT;
    }
}
