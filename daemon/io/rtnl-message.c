/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The netlink messages this program sends and understands.
 *
 * libnl builds the messages and walks the attributes; nothing here owns a socket or has state, so that
 * every function can be tested (and the parser fuzzed) without a kernel.
 *
 * A device is "stacked" when another device of this namespace lies under it. Such children matter
 * because they may carry the MAC of the ENI below: an ipvlan always does, and a vlan or a macvlan in
 * passthru mode too. The kernel tells the lower device by IFLA_LINK. A veth names its peer in the same
 * attribute; if the peer is in another namespace, IFLA_LINK_NETNSID comes along, and the kind says
 * "veth", so a veth is never taken for stacked.
 */

#include "io/rtnl-private.h"
#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>

#define _cleanup_msg_ _cleanup_(nl_msg_freep)

/* ------------------------------------------------------------------ requests */

static int message_new(int type, int flags, struct nl_msg **ret)
{
    struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

    if (!msg)
        return -ENOMEM;
    *ret = msg;
    return 0;
}

/* libnl's own error numbers mean one thing here: the message has no room left. */
static int put(int nl_error)
{
    return nl_error < 0 ? -ENOMEM : 0;
}

static int put_address(struct nl_msg *msg, int type, const InAddr *address)
{
    return put(nla_put(msg, type, (int)in_addr_size(address->family), address->bytes));
}

static int append_ifinfo(struct nl_msg *msg, const struct ifinfomsg *ifinfo)
{
    return put(nlmsg_append(msg, (void *)ifinfo, sizeof(*ifinfo), NLMSG_ALIGNTO));
}

int rtnl_message_link_set(const RtnlLinkSet *set, struct nl_msg **ret)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    struct ifinfomsg ifinfo = {.ifi_family = AF_UNSPEC, .ifi_index = set->ifindex};
    int r;

    if (set->flags & (RTNL_LINK_SET_UP | RTNL_LINK_SET_DOWN)) {
        ifinfo.ifi_change = IFF_UP;
        ifinfo.ifi_flags = set->flags & RTNL_LINK_SET_UP ? IFF_UP : 0;
    }

    r = message_new(RTM_NEWLINK, NLM_F_ACK, &msg);
    if (r < 0)
        return r;
    r = append_ifinfo(msg, &ifinfo);
    if (r >= 0 && set->flags & RTNL_LINK_SET_NAME)
        r = put(nla_put_string(msg, IFLA_IFNAME, set->name));
    if (r >= 0 && set->flags & RTNL_LINK_SET_MTU)
        r = put(nla_put_u32(msg, IFLA_MTU, set->mtu));
    if (r < 0)
        return r;

    *ret = TAKE_PTR(msg);
    return 0;
}

int rtnl_message_altname(int ifindex, const char *name, bool add, struct nl_msg **ret)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    const struct ifinfomsg ifinfo = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex};
    struct nlattr *list;
    int r;

    if (!*name || strlen(name) > RTNL_ALTNAME_MAX)
        return -EINVAL;

    r = message_new(add ? RTM_NEWLINKPROP : RTM_DELLINKPROP,
                    NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND : 0), &msg);
    if (r < 0)
        return r;
    r = append_ifinfo(msg, &ifinfo);
    if (r < 0)
        return r;
    list = nla_nest_start(msg, IFLA_PROP_LIST | NLA_F_NESTED);
    if (!list || nla_put_string(msg, IFLA_ALT_IFNAME, name) < 0)
        return -ENOMEM;
    (void)nla_nest_end(msg, list);

    *ret = TAKE_PTR(msg);
    return 0;
}

int rtnl_message_altname_get(const char *name, struct nl_msg **ret)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    const struct ifinfomsg ifinfo = {.ifi_family = AF_UNSPEC};
    int r;

    r = message_new(RTM_GETLINK, 0, &msg);
    if (r < 0)
        return r;
    r = append_ifinfo(msg, &ifinfo);
    if (r >= 0)
        r = put(nla_put_string(msg, IFLA_ALT_IFNAME, name));
    if (r < 0)
        return r;

    *ret = TAKE_PTR(msg);
    return 0;
}

int rtnl_message_address(const RtnlAddress *address, struct nl_msg **ret)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    const InAddr *local = &address->prefix.address;
    uint32_t flags = address->no_prefix_route ? IFA_F_NOPREFIXROUTE : 0;
    struct ifaddrmsg ifaddr = {
        .ifa_family = (uint8_t)local->family,
        .ifa_prefixlen = (uint8_t)address->prefix.length,
        .ifa_scope = RT_SCOPE_UNIVERSE,
        .ifa_index = (uint32_t)address->ifindex,
    };
    int r;

    if (!in_addr_is_set(local))
        return -EINVAL;
    /*
     * Nobody else can have the address: the VPC delivers it to this ENI alone. Duplicate address
     * detection would keep it tentative, thus unusable, for a second.
     */
    if (local->family == AF_INET6)
        flags |= IFA_F_NODAD;

    r = message_new(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &msg);
    if (r < 0)
        return r;
    r = put(nlmsg_append(msg, &ifaddr, sizeof(ifaddr), NLMSG_ALIGNTO));
    if (r >= 0)
        r = put_address(msg, IFA_LOCAL, local);
    if (r >= 0)
        r = put_address(msg, IFA_ADDRESS, local);
    if (r >= 0)
        r = put(nla_put_u32(msg, IFA_FLAGS, flags));
    if (r < 0)
        return r;

    *ret = TAKE_PTR(msg);
    return 0;
}

int rtnl_message_route(const RtnlRoute *route, bool replace, struct nl_msg **ret)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    const InAddr destination = in_prefix_first(&route->destination);
    const bool gateway = in_addr_is_set(&route->gateway);
    struct rtmsg rt = {
        .rtm_family = (uint8_t)route->destination.address.family,
        .rtm_dst_len = (uint8_t)route->destination.length,
        .rtm_protocol = RTPROT_STATIC,
        .rtm_scope =
            !gateway && route->destination.address.family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
        .rtm_type = RTN_UNICAST,
        /* The gateway is on the link by what the VPC promises; main has no route that would say so. */
        .rtm_flags = gateway ? RTNH_F_ONLINK : 0,
    };
    int r;

    if (!in_prefix_is_set(&route->destination))
        return -EINVAL;

    r = message_new(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL), &msg);
    if (r < 0)
        return r;
    r = put(nlmsg_append(msg, &rt, sizeof(rt), NLMSG_ALIGNTO));
    if (r >= 0 && route->destination.length > 0)
        r = put_address(msg, RTA_DST, &destination);
    if (r >= 0 && gateway)
        r = put_address(msg, RTA_GATEWAY, &route->gateway);
    if (r >= 0 && in_addr_is_set(&route->prefsrc))
        r = put_address(msg, RTA_PREFSRC, &route->prefsrc);
    if (r >= 0)
        r = put(nla_put_u32(msg, RTA_OIF, (uint32_t)route->ifindex));
    if (r >= 0)
        r = put(nla_put_u32(msg, RTA_TABLE, route->table));
    if (r < 0)
        return r;

    *ret = TAKE_PTR(msg);
    return 0;
}

int rtnl_message_rule(const RtnlRule *rule, struct nl_msg **ret)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    struct fib_rule_hdr hdr = {
        .family = (uint8_t)rule->from.address.family,
        .src_len = (uint8_t)rule->from.length,
        .action = FR_ACT_TO_TBL,
    };
    int r;

    if (!in_prefix_is_set(&rule->from))
        return -EINVAL;

    /* Without NLM_F_EXCL the kernel adds the same rule a second time. */
    r = message_new(RTM_NEWRULE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, &msg);
    if (r < 0)
        return r;
    r = put(nlmsg_append(msg, &hdr, sizeof(hdr), NLMSG_ALIGNTO));
    if (r >= 0 && rule->from.length > 0)
        r = put_address(msg, FRA_SRC, &rule->from.address);
    if (r >= 0 && rule->oifname[0])
        r = put(nla_put_string(msg, FRA_OIFNAME, rule->oifname));
    if (r >= 0)
        r = put(nla_put_u32(msg, FRA_TABLE, rule->table));
    if (r >= 0)
        r = put(nla_put_u32(msg, FRA_PRIORITY, rule->priority));
    if (r >= 0)
        r = put(nla_put_u8(msg, FRA_PROTOCOL, RTPROT_STATIC));
    if (r < 0)
        return r;

    *ret = TAKE_PTR(msg);
    return 0;
}

int rtnl_message_link_dump(struct nl_msg **ret)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    const struct ifinfomsg ifinfo = {.ifi_family = AF_UNSPEC};
    int r;

    r = message_new(RTM_GETLINK, NLM_F_DUMP, &msg);
    if (r < 0)
        return r;
    r = append_ifinfo(msg, &ifinfo);
    if (r >= 0)
        r = put(nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS));
    if (r < 0)
        return r;

    *ret = TAKE_PTR(msg);
    return 0;
}

/* ------------------------------------------------------------------ replies */

static void get_mac(const struct nlattr *attr, MacAddr *mac)
{
    if (attr && nla_len(attr) == (int)sizeof(mac->bytes))
        memcpy(mac->bytes, nla_data(attr), sizeof(mac->bytes));
}

static int get_altnames(struct nlattr *list, StrList *ret)
{
    struct nlattr *attr;
    int rest;

    if (!list)
        return 0;
    nla_for_each_nested(attr, list, rest)
    {
        const char *name = nla_type(attr) == IFLA_ALT_IFNAME ? netlink_string(attr) : NULL;
        int r = name ? strlist_append(ret, name) : 0;

        if (r < 0)
            return r;
    }
    return 0;
}

static const char *get_kind(struct nlattr *info)
{
    struct nlattr *attr;
    int rest;

    if (!info)
        return NULL;
    nla_for_each_nested(attr, info, rest)
    {
        if (nla_type(attr) == IFLA_INFO_KIND)
            return netlink_string(attr);
    }
    return NULL;
}

static bool is_stacked(const struct ifinfomsg *ifinfo, struct nlattr *tb[])
{
    static const char *const kinds[] = {"ipvlan", "ipvtap", "macvlan", "macvtap", "vlan", "bridge", "bond",
                                        "team",   "vrf",    "macsec",  "dsa",     "hsr",  "batadv"};
    const char *kind = get_kind(tb[IFLA_LINKINFO]);

    if (ifinfo->ifi_flags & IFF_LOOPBACK || ifinfo->ifi_type != ARPHRD_ETHER)
        return true;
    for (size_t i = 0; kind && i < ARRAY_SIZE(kinds); i++)
        if (streq(kind, kinds[i]))
            return true;
    if (kind && streq(kind, "veth"))
        return false;
    return tb[IFLA_LINK] && !tb[IFLA_LINK_NETNSID] && netlink_u32(tb[IFLA_LINK]) != 0 &&
           netlink_u32(tb[IFLA_LINK]) != (uint32_t)ifinfo->ifi_index;
}

/* One without the other is of no use. */
static void get_parent(struct nlattr *bus_attr, struct nlattr *device_attr, RtnlLink *link)
{
    const char *bus = netlink_string(bus_attr), *device = netlink_string(device_attr);

    if (!bus || !device || strlen(bus) >= sizeof(link->parent_bus) ||
        strlen(device) >= sizeof(link->parent_device))
        return;
    strcpy(link->parent_bus, bus);
    strcpy(link->parent_device, device);
}

int rtnl_message_parse_link(const struct nlmsghdr *header, RtnlLink *ret)
{
    struct nlattr *tb[IFLA_MAX + 1];
    const struct ifinfomsg *ifinfo = nlmsg_data(header);
    RtnlLink link = {0};
    const char *name;
    int r;

    if (!nlmsg_valid_hdr(header, sizeof(*ifinfo)))
        return -EBADMSG;
    /*
     * A bridge port that leaves its bridge is told as RTM_DELLINK with family AF_BRIDGE, though the
     * device itself stays.
     */
    if (ifinfo->ifi_family != AF_UNSPEC)
        return -ENOENT;
    if (nlmsg_parse((struct nlmsghdr *)header, sizeof(*ifinfo), tb, IFLA_MAX, NULL) < 0)
        return -EBADMSG;
    name = netlink_string(tb[IFLA_IFNAME]);
    if (!name || !*name || strlen(name) >= sizeof(link.name) || ifinfo->ifi_index <= 0)
        return -EBADMSG;

    link.ifindex = ifinfo->ifi_index;
    link.flags = ifinfo->ifi_flags;
    strcpy(link.name, name);
    get_mac(tb[IFLA_ADDRESS], &link.mac);
    get_mac(tb[IFLA_PERM_ADDRESS], &link.permanent_mac);
    link.mtu = netlink_u32(tb[IFLA_MTU]);
    link.max_mtu = netlink_u32(tb[IFLA_MAX_MTU]);
    link.carrier = ifinfo->ifi_flags & IFF_LOWER_UP;
    link.stacked = is_stacked(ifinfo, tb);
    link.moved = tb[IFLA_NEW_NETNSID];
    get_parent(tb[IFLA_PARENT_DEV_BUS_NAME], tb[IFLA_PARENT_DEV_NAME], &link);
    r = get_altnames(tb[IFLA_PROP_LIST], &link.altnames);
    if (r < 0) {
        rtnl_link_done(&link);
        return r;
    }

    *ret = link;
    return 0;
}

int rtnl_message_parse_error(const struct nlmsghdr *header, const char **ret_text)
{
    const struct nlmsgerr *error = nlmsg_data(header);
    struct nlattr *attr;
    size_t skip = sizeof(*error);
    int rest;

    *ret_text = "";
    if (!nlmsg_valid_hdr(header, sizeof(*error)) || error->error > 0)
        return -EBADMSG;
    if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
        return error->error;
    /* The request is quoted before the attributes, unless NETLINK_CAP_ACK cut it to its header. */
    if (!(header->nlmsg_flags & NLM_F_CAPPED) && error->msg.nlmsg_len > sizeof(error->msg))
        skip += NLMSG_ALIGN((size_t)error->msg.nlmsg_len) - sizeof(error->msg);
    if (skip > header->nlmsg_len - NLMSG_HDRLEN)
        return error->error;
    nla_for_each_attr(attr, nlmsg_attrdata(header, (int)skip), nlmsg_attrlen(header, (int)skip), rest)
    {
        if (nla_type(attr) == NLMSGERR_ATTR_MSG && netlink_string(attr))
            *ret_text = netlink_string(attr);
    }
    return error->error;
}

int rtnl_message_parse_done(const struct nlmsghdr *header)
{
    int error;

    if (!nlmsg_valid_hdr(header, sizeof(error)))
        return -EBADMSG;
    memcpy(&error, nlmsg_data(header), sizeof(error));
    return error > 0 ? -EBADMSG : error;
}

/* ------------------------------------------------------------------ the plain struct */

void rtnl_link_done(RtnlLink *link)
{
    strlist_done(&link->altnames);
    *link = (RtnlLink){0};
}

int rtnl_link_copy(const RtnlLink *link, RtnlLink *ret)
{
    RtnlLink copy = *link;
    int r;

    copy.altnames = STRLIST_NULL;
    r = strlist_copy(&link->altnames, &copy.altnames);
    if (r < 0)
        return r;

    *ret = copy;
    return 0;
}
