/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Pods without a container runtime. netns_enter() comes first: the test is root in a user namespace.
 *
 * Not every kernel has ipvlan, so a pod's interface is one end of a veth pair whose other end is the
 * parent. To a reader of netlink it looks the same: IFLA_LINK is the parent's index and
 * IFLA_LINK_NETNSID says in which namespace that is. What differs: a veth has a MAC of its own and one
 * parent each, so that two pods above one of ours need two ends here; it takes its parent with it when
 * it goes; and it gives the pod's namespace an id, which an ipvlan alone does not.
 */

#include "lib/pod.h"
#include "io/nsnl-private.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

struct Pod {
    int fd;     /* the namespace */
    int socket; /* rtnetlink in it */
    char *file;
};

/* ------------------------------------------------------------------ requests, synchronous */

static int home_socket(void)
{
    static int fd = -1;

    if (fd < 0)
        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return fd;
}

/* Send the message, which is freed, and wait for the kernel's answer; *ret_event of it, if wanted. */
static int request(int fd, struct nl_msg *msg_take, NsnlEvent *ret_event)
{
    struct nlmsghdr *header = nlmsg_hdr(msg_take);
    char buffer[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
    const struct nlmsghdr *reply = (const struct nlmsghdr *)(const void *)buffer;
    int r = 0;

    if (send(fd, header, header->nlmsg_len, 0) < 0 || recv(fd, buffer, sizeof(buffer), 0) < 0)
        r = -errno;
    else if (reply->nlmsg_type == NLMSG_ERROR)
        r = ((struct nlmsgerr *)nlmsg_data(reply))->error;
    else if (ret_event)
        r = nsnl_message_parse(reply, ret_event);
    nlmsg_free(msg_take);
    return r;
}

static struct nl_msg *message(int type, int flags, const void *family, size_t n)
{
    struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_ACK | flags);

    if (!msg || nlmsg_append(msg, (void *)family, n, NLMSG_ALIGNTO) < 0)
        abort();
    return msg;
}

static int ifindex_at(int fd, const char *name)
{
    const struct ifinfomsg ifinfo = {0};
    struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, NLM_F_REQUEST);
    NsnlEvent event;
    int r;

    if (!msg || nlmsg_append(msg, (void *)&ifinfo, sizeof(ifinfo), NLMSG_ALIGNTO) < 0)
        abort();
    (void)nla_put_string(msg, IFLA_IFNAME, name);
    r = request(fd, msg, &event);
    return r < 0 ? r : event.link.ifindex;
}

static int set_up(int fd, const char *name)
{
    const struct ifinfomsg ifinfo = {.ifi_flags = IFF_UP, .ifi_change = IFF_UP};
    struct nl_msg *msg = message(RTM_NEWLINK, 0, &ifinfo, sizeof(ifinfo));

    (void)nla_put_string(msg, IFLA_IFNAME, name);
    return request(fd, msg, NULL);
}

/* A veth pair: lower at the socket's place, upper in the pod. */
static int plug(int fd, const char *lower, int lower_ifindex, const Pod *pod, const char *name)
{
    const struct ifinfomsg ifinfo = {.ifi_index = lower_ifindex}, none = {0};
    struct nl_msg *msg = message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &ifinfo, sizeof(ifinfo));
    struct nlattr *info, *data, *peer;
    int r;

    (void)nla_put_string(msg, IFLA_IFNAME, lower);
    info = nla_nest_start(msg, IFLA_LINKINFO);
    (void)nla_put_string(msg, IFLA_INFO_KIND, "veth");
    data = nla_nest_start(msg, IFLA_INFO_DATA);
    peer = nla_nest_start(msg, VETH_INFO_PEER);
    (void)nlmsg_append(msg, (void *)&none, sizeof(none), NLMSG_ALIGNTO);
    (void)nla_put_string(msg, IFLA_IFNAME, name);
    (void)nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)pod->fd);
    (void)nla_nest_end(msg, peer);
    (void)nla_nest_end(msg, data);
    (void)nla_nest_end(msg, info);
    r = request(fd, msg, NULL);
    if (r >= 0)
        r = set_up(fd, lower);
    if (r >= 0)
        r = set_up(pod->socket, name);
    return r;
}

int pod_plug(Pod *pod, const char *parent, const char *name, int *ret_ifindex)
{
    int r = plug(home_socket(), parent, 0, pod, name);

    if (r >= 0)
        r = ifindex_at(home_socket(), parent);
    if (r < 0)
        return r;

    *ret_ifindex = r;
    return 0;
}

int pod_plug_into(Pod *pod, Pod *lower, const char *name, int lower_ifindex)
{
    return plug(lower->socket, "lower0", lower_ifindex, pod, name);
}

int pod_unplug(Pod *pod, const char *name)
{
    const int ifindex = ifindex_at(pod->socket, name);
    const struct ifinfomsg ifinfo = {.ifi_index = ifindex};

    return ifindex < 0 ? ifindex
                       : request(pod->socket, message(RTM_DELLINK, 0, &ifinfo, sizeof(ifinfo)), NULL);
}

static int address_at(int fd, bool add, const char *name, const char *address, unsigned scope, uint32_t flags)
{
    const int ifindex = ifindex_at(fd, name);
    struct ifaddrmsg ifaddr = {.ifa_scope = (uint8_t)scope, .ifa_index = (uint32_t)ifindex};
    struct nl_msg *msg;
    InPrefix prefix;
    size_t size;

    if (ifindex < 0 || in_prefix_parse(address, &prefix) < 0)
        return ifindex < 0 ? ifindex : -EINVAL;
    size = in_addr_size(prefix.address.family);
    ifaddr.ifa_family = (uint8_t)prefix.address.family;
    ifaddr.ifa_prefixlen = (uint8_t)prefix.length;
    msg = message(add ? RTM_NEWADDR : RTM_DELADDR, add ? NLM_F_CREATE | NLM_F_EXCL : 0, &ifaddr,
                  sizeof(ifaddr));
    (void)nla_put(msg, IFA_LOCAL, (int)size, prefix.address.bytes);
    (void)nla_put(msg, IFA_ADDRESS, (int)size, prefix.address.bytes);
    (void)nla_put_u32(msg, IFA_FLAGS, flags);
    return request(fd, msg, NULL);
}

int pod_address(Pod *pod, bool add, const char *name, const char *address, unsigned scope, uint32_t flags)
{
    return address_at(pod->socket, add, name, address, scope, flags);
}

int home_address(bool add, const char *name, const char *address, unsigned scope, uint32_t flags)
{
    return address_at(home_socket(), add, name, address, scope, flags);
}

static int nsid_at(int fd, const Pod *pod)
{
    struct nl_msg *msg = NULL;
    NsnlEvent event;
    int r = nsnl_message_get_id(pod->fd, NETLINK_NSID_NONE, &msg);

    if (r >= 0)
        r = request(fd, msg, &event);
    return r < 0 ? r : event.nsid;
}

int pod_nsid(const Pod *pod)
{
    return nsid_at(home_socket(), pod);
}

int pod_nsid_in(const Pod *pod, const Pod *other)
{
    return nsid_at(other->socket, pod);
}

int pod_ifindex(const Pod *pod, const char *name)
{
    return ifindex_at(pod->socket, name);
}

/* ------------------------------------------------------------------ namespaces */

/* Two steps, as a runtime does it: the file first, the mount later. */
static int touch(const char *file)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);

    if (fd < 0)
        return -errno;
    (void)close(fd);
    return 0;
}

int pod_mount(Pod *pod, const char *file)
{
    char self[32];

    (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", pod->fd);
    if (mount(self, file, "none", MS_BIND, NULL) < 0)
        return -errno;
    pod->file = strdup(file);
    return pod->file ? 0 : -ENOMEM;
}

/* In the new namespace. */
static int open_here(Pod *pod)
{
    pod->fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    pod->socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (pod->fd < 0 || pod->socket < 0)
        return -errno;
    return 0;
}

int pod_new(Pod **ret, const char *file)
{
    _cleanup_(pod_freep) Pod *pod = calloc(1, sizeof(*pod));
    int fd_home, r;

    if (!pod || home_socket() < 0)
        return -ENOMEM;
    pod->fd = pod->socket = -1;
    fd_home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (fd_home < 0)
        return -errno;
    r = unshare(CLONE_NEWNET) < 0 ? -errno : 0;
    if (r >= 0)
        r = open_here(pod);
    if (setns(fd_home, CLONE_NEWNET) < 0)
        abort();
    (void)close(fd_home);
    if (r >= 0 && file)
        r = touch(file);
    if (r >= 0 && file)
        r = pod_mount(pod, file);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(pod);
    return 0;
}

Pod *pod_free(Pod *pod)
{
    if (!pod)
        return NULL;
    if (pod->file) {
        (void)umount2(pod->file, MNT_DETACH);
        (void)unlink(pod->file);
    }
    if (pod->fd >= 0)
        (void)close(pod->fd);
    if (pod->socket >= 0)
        (void)close(pod->socket);
    free(pod->file);
    return mfree(pod);
}
