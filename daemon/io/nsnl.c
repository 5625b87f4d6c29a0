/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The network namespaces around this one, on the event loop.
 *
 * Two sockets. One listens: with NETLINK_LISTEN_ALL_NSID the kernel delivers to it the notifications of
 * every namespace that has an id here, and says in a control message which it was. The other asks. The
 * kernel works on a rtnetlink request inside sendmsg() and fills each further part of a dump inside the
 * recvmsg() that makes room for it, so that the answer is always there when it is read: asking is a
 * plain function call and keeps no state.
 *
 * Order: a dump shows the present, while events that are older may still be queued. Whoever keeps a
 * picture and takes each event as "this is so now" ends with the right one, since the last event about a
 * thing is either older than the dump and says the same, or newer.
 *
 * Overruns: when the listening socket is full the kernel says ENOBUFS once and drops everything until the
 * queue is empty. The overrun is therefore told when the queue has been read, not when the error is
 * seen: a dump made before would miss what happens until then.
 *
 * Ids: one that this namespace has for itself comes into being as soon as a dump must name it as the place
 * of a link's parent. From then on this namespace's own notifications carry a control message like
 * everybody's, so the id is fixed at the start rather than guessed later. Ids stay as long as both
 * namespaces do; a namespace that ended leaves its number to the next one.
 */

#include "io/nsnl.h"
#include "io/nsnl-private.h"
#include "io/rtnl-private.h"
#include "util/log.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for a burst of a few thousand messages; the memory is taken only while they queue. */
#define RECEIVE_BUFFER_SIZE (8 * 1024 * 1024)
/* Datagrams read before other event sources get their turn. */
#define READ_BATCH 64

#define _cleanup_msg_ _cleanup_(nl_msg_freep)

struct Nsnl {
    int fd_netns; /* this namespace */
    int fd_events;
    int fd_requests;
    sd_event_source *source;
    NsnlHandler handler;
    void *userdata;
    int own_id;
    uint32_t seq;
    bool overrun; /* events were lost: tell when the queue is empty */

    char events[NETLINK_MESSAGE_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
    char answers[NETLINK_MESSAGE_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* ------------------------------------------------------------------ requests */

/* What reading the answers has come to. */
typedef struct Answer {
    NsnlHandler handler;
    void *userdata;
    uint32_t seq;
    int nsid; /* of whom the messages tell; NETLINK_NSID_NONE: it is in the message */
    bool done;
    bool interrupted;
    int error;
} Answer;

static void answer_on_message(Answer *answer, const struct nlmsghdr *header)
{
    const char *text;
    NsnlEvent event;

    if (header->nlmsg_seq != answer->seq)
        return;
    if (header->nlmsg_flags & NLM_F_DUMP_INTR)
        answer->interrupted = true;
    if (header->nlmsg_type == NLMSG_ERROR) {
        answer->error = rtnl_message_parse_error(header, &text);
        answer->done = true;
        return;
    }
    if (header->nlmsg_type == NLMSG_DONE) {
        answer->error = rtnl_message_parse_done(header);
        answer->done = true;
        return;
    }
    if (nsnl_message_parse(header, &event) >= 0) {
        if (answer->nsid != NETLINK_NSID_NONE)
            event.nsid = answer->nsid;
        answer->handler(&event, answer->userdata);
    }
    /* Without NLM_F_MULTI it is the whole answer. */
    if (!(header->nlmsg_flags & NLM_F_MULTI))
        answer->done = true;
}

/* Return: 0, NSNL_E_INTERRUPTED, or negative errno. */
static int request(Nsnl *nsnl, struct nl_msg *msg_take, int nsid, NsnlHandler handler, void *userdata)
{
    _cleanup_msg_ struct nl_msg *msg = msg_take;
    Answer answer = {.handler = handler, .userdata = userdata, .seq = ++nsnl->seq, .nsid = nsid};
    int r = netlink_send(nsnl->fd_requests, msg, answer.seq);

    while (r >= 0 && !answer.done) {
        size_t n = 0;
        int rest;

        r = netlink_receive(nsnl->fd_requests, nsnl->answers, sizeof(nsnl->answers), &n, NULL);
        /* Nothing there: what the kernel promises is not so. */
        if (r == 0)
            return -EPROTO;
        if (r < 0)
            return r;
        rest = (int)n;
        for (struct nlmsghdr *header = (struct nlmsghdr *)(void *)nsnl->answers; nlmsg_ok(header, rest);
             header = nlmsg_next(header, &rest))
            answer_on_message(&answer, header);
    }
    if (r < 0)
        return r;
    if (answer.error < 0)
        return answer.error;
    return answer.interrupted ? NSNL_E_INTERRUPTED : 0;
}

/* A namespace's id that is not known any more is an invalid argument to the kernel. */
static int target_error(int r)
{
    return r == -EINVAL ? -ENOENT : r;
}

int nsnl_dump_namespaces(Nsnl *nsnl, NsnlHandler handler, void *userdata)
{
    struct nl_msg *msg = NULL;
    int r = nsnl_message_dump_namespaces(&msg);

    return r < 0 ? r : request(nsnl, msg, NETLINK_NSID_NONE, handler, userdata);
}

int nsnl_dump_links(Nsnl *nsnl, int nsid, NsnlHandler handler, void *userdata)
{
    struct nl_msg *msg = NULL;
    int r = nsnl_message_dump_links(nsid, &msg);

    return r < 0 ? r : target_error(request(nsnl, msg, nsid, handler, userdata));
}

int nsnl_dump_addresses(Nsnl *nsnl, int nsid, NsnlHandler handler, void *userdata)
{
    struct nl_msg *msg = NULL;
    int r = nsnl_message_dump_addresses(nsid, &msg);

    return r < 0 ? r : target_error(request(nsnl, msg, nsid, handler, userdata));
}

static void on_id(const NsnlEvent *event, void *userdata)
{
    int *id = userdata;

    *id = event->nsid;
}

static int get_id(Nsnl *nsnl, int fd_netns, int target, int *ret)
{
    struct nl_msg *msg = NULL;
    int id = NETLINK_NSID_NONE, r = nsnl_message_get_id(fd_netns, target, &msg);

    if (r >= 0)
        r = request(nsnl, msg, NETLINK_NSID_NONE, on_id, &id);
    if (r < 0)
        return r;
    if (id < 0)
        return -ENOENT;

    *ret = id;
    return 0;
}

int nsnl_own_id_in(Nsnl *nsnl, int nsid, int *ret)
{
    return target_error(get_id(nsnl, nsnl->fd_netns, nsid, ret));
}

static void on_nothing(const NsnlEvent *event, void *userdata)
{
    (void)event;
    (void)userdata;
}

int nsnl_assign(Nsnl *nsnl, int fd_netns, int *ret_nsid)
{
    struct nl_msg *msg = NULL;
    int r = get_id(nsnl, fd_netns, NETLINK_NSID_NONE, ret_nsid);

    if (r != -ENOENT)
        return r;
    r = nsnl_message_assign(fd_netns, &msg);
    if (r >= 0)
        r = request(nsnl, msg, NETLINK_NSID_NONE, on_nothing, NULL);
    /* -EEXIST: somebody was faster. */
    if (r < 0 && r != -EEXIST)
        return r;
    return get_id(nsnl, fd_netns, NETLINK_NSID_NONE, ret_nsid);
}

bool nsnl_exists(Nsnl *nsnl, int nsid)
{
    struct nl_msg *msg = NULL;
    int r = nsnl_message_exists(nsid, &msg);

    return r >= 0 && request(nsnl, msg, NETLINK_NSID_NONE, on_nothing, NULL) >= 0;
}

int nsnl_own_id(const Nsnl *nsnl)
{
    return nsnl->own_id;
}

/* ------------------------------------------------------------------ events */

static void nsnl_on_message(Nsnl *nsnl, int nsid, const struct nlmsghdr *header)
{
    const bool own = nsid == NETLINK_NSID_NONE || nsid == nsnl->own_id;
    NsnlEvent event;
    int r = nsnl_message_parse(header, &event);

    if (r < 0) {
        if (r != -ENOENT)
            log_debug_errno(r, "nsnl: cannot read a message of type %u: %m", header->nlmsg_type);
        return;
    }
    switch (event.type) {
    case NSNL_EVENT_NAMESPACE_NEW:
    case NSNL_EVENT_NAMESPACE_REMOVED:
        /* Ids that another namespace gives count there only. */
        if (!own || event.nsid == nsnl->own_id)
            return;
        break;
    case NSNL_EVENT_LINK_NEW:
    case NSNL_EVENT_LINK_REMOVED:
    case NSNL_EVENT_ADDRESS_NEW:
    case NSNL_EVENT_ADDRESS_REMOVED:
        if (own)
            return;
        event.nsid = nsid;
        break;
    case NSNL_EVENT_OVERRUN: return;
    }
    nsnl->handler(&event, nsnl->userdata);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    Nsnl *nsnl = userdata;

    (void)source;
    (void)revents;
    /* Once events are lost, to the end: with the queue empty nobody would call again. */
    for (unsigned i = 0; i < READ_BATCH || nsnl->overrun; i++) {
        size_t n = 0;
        int rest, nsid, r = netlink_receive(fd, nsnl->events, sizeof(nsnl->events), &n, &nsid);

        if (r < 0) {
            log_debug_errno(r, "nsnl: events were lost: %m");
            nsnl->overrun = true;
            continue;
        }
        if (r == 0) {
            const NsnlEvent event = {.type = NSNL_EVENT_OVERRUN, .nsid = NETLINK_NSID_NONE};

            if (nsnl->overrun) {
                nsnl->overrun = false;
                nsnl->handler(&event, nsnl->userdata);
            }
            break;
        }
        rest = (int)n;
        for (struct nlmsghdr *header = (struct nlmsghdr *)(void *)nsnl->events; nlmsg_ok(header, rest);
             header = nlmsg_next(header, &rest))
            nsnl_on_message(nsnl, nsid, header);
    }
    return 0;
}

/* ------------------------------------------------------------------ lifecycle */

static int listen_everywhere(Nsnl *nsnl, sd_event *event)
{
    static const uint32_t groups = 1U << (RTNLGRP_LINK - 1) | 1U << (RTNLGRP_IPV4_IFADDR - 1) |
                                   1U << (RTNLGRP_IPV6_IFADDR - 1) | 1U << (RTNLGRP_NSID - 1);
    static const int on = 1;
    int r = netlink_open(groups, RECEIVE_BUFFER_SIZE, &nsnl->fd_events);

    if (r < 0)
        return r;
    if (setsockopt(nsnl->fd_events, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on)) < 0)
        return -errno;
    r = sd_event_add_io(event, &nsnl->source, nsnl->fd_events, EPOLLIN, on_readable, nsnl);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(nsnl->source, "nsnl-events");
    return 0;
}

static int open_requests(Nsnl *nsnl)
{
    static const int on = 1;
    int r = netlink_open(0, RECEIVE_BUFFER_SIZE, &nsnl->fd_requests);

    if (r < 0)
        return r;
    if (setsockopt(nsnl->fd_requests, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0)
        return -errno;
    nsnl->fd_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (nsnl->fd_netns < 0)
        return -errno;
    return nsnl_assign(nsnl, nsnl->fd_netns, &nsnl->own_id);
}

Nsnl *nsnl_free(Nsnl *nsnl)
{
    if (!nsnl)
        return NULL;
    (void)sd_event_source_disable_unref(nsnl->source);
    if (nsnl->fd_events >= 0)
        (void)close(nsnl->fd_events);
    if (nsnl->fd_requests >= 0)
        (void)close(nsnl->fd_requests);
    if (nsnl->fd_netns >= 0)
        (void)close(nsnl->fd_netns);
    free(nsnl);
    return NULL;
}

int nsnl_new(Nsnl **ret, sd_event *event, NsnlHandler handler, void *userdata)
{
    _cleanup_(nsnl_freep) Nsnl *nsnl = calloc(1, sizeof(*nsnl));
    int r;

    if (!nsnl)
        return -ENOMEM;
    nsnl->fd_netns = nsnl->fd_events = nsnl->fd_requests = -1;
    nsnl->handler = handler;
    nsnl->userdata = userdata;

    r = open_requests(nsnl);
    if (r >= 0)
        r = listen_everywhere(nsnl, event);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(nsnl);
    return 0;
}
