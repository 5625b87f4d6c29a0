/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A network namespace of the test's own.
 *
 * An unprivileged user may be root in a user namespace, and root there may create network devices. Two
 * network namespaces are made: the node's, in which the test goes on, and a far one, which holds the
 * other ends of the node's veth pairs. A device is thus alone in its namespace, like an ENI, and its
 * IFLA_LINK speaks of another namespace.
 *
 * Requests here are synchronous: they are somebody else's doing, not part of what is tested.
 */

#include "lib/netns.h"
#include "util/fs.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

/* A socket stays in the namespace it was made in. */
static int fd_far = -1, fd_near = -1, socket_far = -1, socket_near = -1;
static unsigned n_far;

static int map_id(const char *path, unsigned outside)
{
    char map[32];

    (void)snprintf(map, sizeof(map), "0 %u 1", outside);
    return fs_write_value(path, map);
}

int netns_enter(void)
{
    const unsigned uid = getuid(), gid = getgid();
    int r;

    if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) < 0)
        return -errno;
    r = fs_write_value("/proc/self/setgroups", "deny");
    if (r >= 0)
        r = map_id("/proc/self/uid_map", uid);
    if (r >= 0)
        r = map_id("/proc/self/gid_map", gid);
    if (r < 0)
        return r;
    if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
        return -errno;

    fd_far = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    socket_far = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd_far < 0 || socket_far < 0 || unshare(CLONE_NEWNET) < 0)
        return -errno;
    fd_near = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    socket_near = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return fd_near < 0 || socket_near < 0 ? -errno : 0;
}

/* Send the message, which is freed, and wait for the kernel's answer. */
static int request_at(int fd, struct nl_msg *msg_take)
{
    struct nlmsghdr *header = nlmsg_hdr(msg_take);
    union {
        struct nlmsghdr header;
        char bytes[4096];
    } reply;
    int r = 0;

    if (send(fd, header, header->nlmsg_len, 0) < 0 || recv(fd, &reply, sizeof(reply), 0) < 0)
        r = -errno;
    else if (reply.header.nlmsg_type == NLMSG_ERROR)
        r = ((struct nlmsgerr *)nlmsg_data(&reply.header))->error;
    nlmsg_free(msg_take);
    return r;
}

static int request(struct nl_msg *msg_take)
{
    return request_at(socket_near, msg_take);
}

static struct nl_msg *link_message(int type, int flags, int ifindex)
{
    struct ifinfomsg ifinfo = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex};
    struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags);

    if (!msg || nlmsg_append(msg, &ifinfo, sizeof(ifinfo), NLMSG_ALIGNTO) < 0)
        abort();
    return msg;
}

static struct nl_msg *up_message(const char *name)
{
    struct ifinfomsg ifinfo = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK);

    if (!msg || nlmsg_append(msg, &ifinfo, sizeof(ifinfo), NLMSG_ALIGNTO) < 0 ||
        nla_put_string(msg, IFLA_IFNAME, name) < 0)
        abort();
    return msg;
}

int netns_plug(const MacAddr *mac, const char *name)
{
    struct nl_msg *msg = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    struct ifinfomsg far = {.ifi_family = AF_UNSPEC};
    char far_name[IFNAMSIZ];
    struct nlattr *info, *data, *peer;
    int r;

    (void)nla_put_string(msg, IFLA_IFNAME, name ? name : "eth%d");
    (void)nla_put(msg, IFLA_ADDRESS, sizeof(mac->bytes), mac->bytes);
    info = nla_nest_start(msg, IFLA_LINKINFO);
    (void)nla_put_string(msg, IFLA_INFO_KIND, "veth");
    data = nla_nest_start(msg, IFLA_INFO_DATA);
    peer = nla_nest_start(msg, VETH_INFO_PEER);
    (void)nlmsg_append(msg, &far, sizeof(far), NLMSG_ALIGNTO);
    (void)snprintf(far_name, sizeof(far_name), "far%u", ++n_far);
    (void)nla_put_string(msg, IFLA_IFNAME, far_name);
    (void)nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)fd_far);
    (void)nla_nest_end(msg, peer);
    (void)nla_nest_end(msg, data);
    (void)nla_nest_end(msg, info);
    r = request(msg);
    /* The far end up gives the near end its carrier. */
    return r < 0 ? r : request_at(socket_far, up_message(far_name));
}

int netns_unplug(const char *name)
{
    const int ifindex = (int)if_nametoindex(name);

    return ifindex ? request(link_message(RTM_DELLINK, 0, ifindex)) : -ENODEV;
}

static struct nl_msg *move_message(const char *name, int fd_netns)
{
    struct nl_msg *msg = link_message(RTM_NEWLINK, 0, 0);

    (void)nla_put_string(msg, IFLA_IFNAME, name);
    (void)nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)fd_netns);
    return msg;
}

int netns_send_away(const char *name)
{
    return request(move_message(name, fd_far));
}

int netns_bring_back(const char *name)
{
    return request_at(socket_far, move_message(name, fd_near));
}

int netns_add_macvlan(const char *lower, const char *name, const MacAddr *mac)
{
    struct nl_msg *msg = link_message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    struct nlattr *info;

    (void)nla_put_string(msg, IFLA_IFNAME, name);
    (void)nla_put(msg, IFLA_ADDRESS, sizeof(mac->bytes), mac->bytes);
    (void)nla_put_u32(msg, IFLA_LINK, if_nametoindex(lower));
    info = nla_nest_start(msg, IFLA_LINKINFO);
    (void)nla_put_string(msg, IFLA_INFO_KIND, "macvlan");
    (void)nla_nest_end(msg, info);
    return request(msg);
}

int netns_rename(const char *from, const char *to)
{
    const int ifindex = (int)if_nametoindex(from);
    struct nl_msg *msg;

    if (!ifindex)
        return -ENODEV;
    msg = link_message(RTM_NEWLINK, 0, ifindex);
    (void)nla_put_string(msg, IFLA_IFNAME, to);
    return request(msg);
}

int netns_set_up(const char *name)
{
    return request(up_message(name));
}

int netns_add_altname(const char *name, const char *altname)
{
    struct nl_msg *msg =
        link_message(RTM_NEWLINKPROP, NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND, (int)if_nametoindex(name));
    struct nlattr *list = nla_nest_start(msg, IFLA_PROP_LIST | NLA_F_NESTED);

    (void)nla_put_string(msg, IFLA_ALT_IFNAME, altname);
    (void)nla_nest_end(msg, list);
    return request(msg);
}
