/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The kernel's rtnetlink on the event loop.
 *
 * Two sockets. Requests and their acknowledgements go over one; the other is subscribed to RTNLGRP_LINK
 * and also carries the dump of all links, so that what the dump says and what changes meanwhile come in
 * one order. An overrun can hit only the second (its traffic is not ours to bound): it is then dumped
 * again, and what the dump no longer shows is told as removed. A generation number on every known link
 * finds those.
 *
 * The kernel works on a request inside sendmsg(), so requests take effect in the order they are made and
 * a caller may send the next one before the first is answered. An acknowledgement finds its slot by the
 * sequence number; a slot that was freed is simply not found any more.
 *
 * Two answers need a second question before they can be passed on:
 *  - -EEXIST for a route says that the table has one to that destination, perhaps another one. The route
 *    is then sent again with NLM_F_REPLACE, which leaves an identical one alone.
 *  - -EEXIST for an altname does not say whose it is. The kernel is asked who has it.
 */

#include "io/rtnl.h"
#include "io/rtnl-private.h"
#include "util/log.h"
#include <errno.h>
#include <linux/rtnetlink.h>
#include <unistd.h>

/* Room for a burst of a few thousand link messages; the memory is taken only while they queue. */
#define RECEIVE_BUFFER_SIZE (8 * 1024 * 1024)
/* Datagrams read before other event sources get their turn. */
#define READ_BATCH 64

#define _cleanup_msg_ _cleanup_(nl_msg_freep)

typedef struct RtnlKernel RtnlKernel;

typedef enum RequestType {
    REQUEST_PLAIN,         /* the answer is passed on */
    REQUEST_EXCLUSIVE,     /* -EEXIST means identical */
    REQUEST_ROUTE,         /* -EEXIST means same destination: replace */
    REQUEST_ROUTE_REPLACE, /* the second question of REQUEST_ROUTE */
    REQUEST_ALTNAME,       /* -EEXIST means anybody's: ask whose */
    REQUEST_ALTNAME_OWNER, /* the second question of REQUEST_ALTNAME */
} RequestType;

struct RtnlSlot {
    RtnlKernel *rtnl; /* NULL once answered */
    RtnlSlot *previous, *next;
    RequestType type;
    uint32_t seq;
    RtnlRoute route; /* REQUEST_ROUTE */
    int ifindex;     /* REQUEST_ALTNAME */
    char altname[RTNL_ALTNAME_MAX + 1];
    RtnlHandler handler;
    void *userdata;
};

typedef struct Known {
    RtnlLink link;
    unsigned generation;
} Known;

struct RtnlKernel {
    Rtnl base;
    int fd_requests;
    int fd_events;
    sd_event_source *source_requests;
    sd_event_source *source_events;
    RtnlEventHandler handler;
    void *userdata;

    RtnlSlot *slots; /* those not yet answered */
    uint32_t seq;

    Known *known;
    size_t n_known;
    size_t n_known_allocated;
    unsigned generation; /* of the dump that runs or ran last */
    uint32_t dump_seq;   /* 0: none runs */
    bool dump_again;     /* something was missed: dump once more after this one */
    bool enumerated;
    bool overrun; /* events were lost: dump when the queue is empty */

    char buffer[NETLINK_MESSAGE_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
};

static RtnlKernel *kernel_from_base(Rtnl *rtnl)
{
    return (RtnlKernel *)(void *)rtnl;
}

/* ------------------------------------------------------------------ sockets */

static int message_send(RtnlKernel *rtnl, int fd, struct nl_msg *msg, uint32_t *ret_seq)
{
    int r;

    /* 0 marks "none" */
    if (++rtnl->seq == 0)
        rtnl->seq = 1;
    r = netlink_send(fd, msg, rtnl->seq);
    if (r < 0)
        return r;

    *ret_seq = rtnl->seq;
    return 0;
}

/* Read one datagram of the kernel's. Return: 1 with *ret_n set, 0 when there is none, negative errno. */
static int message_receive(RtnlKernel *rtnl, int fd, size_t *ret_n)
{
    return netlink_receive(fd, rtnl->buffer, sizeof(rtnl->buffer), ret_n, NULL);
}

/* Hand on what is there. Return: 0 when that was all, 1 after a batch of datagrams, or negative errno. */
static int socket_read(RtnlKernel *rtnl, int fd, void (*on_message)(RtnlKernel *, const struct nlmsghdr *))
{
    for (unsigned i = 0; i < READ_BATCH; i++) {
        struct nlmsghdr *header = (struct nlmsghdr *)(void *)rtnl->buffer;
        size_t n = 0;
        int rest, r = message_receive(rtnl, fd, &n);

        if (r <= 0)
            return r;
        for (rest = (int)n; nlmsg_ok(header, rest); header = nlmsg_next(header, &rest))
            on_message(rtnl, header);
    }
    return 1;
}

/* ------------------------------------------------------------------ requests */

static void slot_unlink(RtnlSlot *slot)
{
    if (!slot->rtnl)
        return;
    if (slot->previous)
        slot->previous->next = slot->next;
    else
        slot->rtnl->slots = slot->next;
    if (slot->next)
        slot->next->previous = slot->previous;
    slot->rtnl = NULL;
    slot->previous = slot->next = NULL;
}

static void kernel_slot_free(RtnlSlot *slot)
{
    slot_unlink(slot);
    free(slot);
}

static RtnlSlot *slot_find(RtnlKernel *rtnl, uint32_t seq)
{
    for (RtnlSlot *slot = rtnl->slots; slot; slot = slot->next)
        if (slot->seq == seq)
            return slot;
    return NULL;
}

/* Send msg; *ret is the slot that waits for the answer. */
static int request_start(Rtnl *base, RequestType type, struct nl_msg *msg, RtnlHandler handler,
                         void *userdata, RtnlSlot **ret)
{
    RtnlKernel *rtnl = kernel_from_base(base);
    RtnlSlot *slot = calloc(1, sizeof(*slot));
    int r;

    if (!slot)
        return -ENOMEM;
    slot->type = type;
    slot->handler = handler;
    slot->userdata = userdata;
    r = message_send(rtnl, rtnl->fd_requests, msg, &slot->seq);
    if (r < 0) {
        free(slot);
        return r;
    }
    slot->rtnl = rtnl;
    slot->next = rtnl->slots;
    if (slot->next)
        slot->next->previous = slot;
    rtnl->slots = slot;

    *ret = slot;
    return 0;
}

static int kernel_link_set(Rtnl *rtnl, const RtnlLinkSet *set, RtnlHandler handler, void *userdata,
                           RtnlSlot **ret)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    int r = rtnl_message_link_set(set, &msg);

    return r < 0 ? r : request_start(rtnl, REQUEST_PLAIN, msg, handler, userdata, ret);
}

static int kernel_altname_add(Rtnl *rtnl, int ifindex, const char *name, RtnlHandler handler, void *userdata,
                              RtnlSlot **ret)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    int r = rtnl_message_altname(ifindex, name, true, &msg);

    if (r >= 0)
        r = request_start(rtnl, REQUEST_ALTNAME, msg, handler, userdata, ret);
    if (r >= 0) {
        (*ret)->ifindex = ifindex;
        strcpy((*ret)->altname, name);
    }
    return r;
}

static int kernel_altname_remove(Rtnl *rtnl, int ifindex, const char *name, RtnlHandler handler,
                                 void *userdata, RtnlSlot **ret)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    int r = rtnl_message_altname(ifindex, name, false, &msg);

    return r < 0 ? r : request_start(rtnl, REQUEST_PLAIN, msg, handler, userdata, ret);
}

static int kernel_address_add(Rtnl *rtnl, const RtnlAddress *address, RtnlHandler handler, void *userdata,
                              RtnlSlot **ret)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    int r = rtnl_message_address(address, &msg);

    return r < 0 ? r : request_start(rtnl, REQUEST_EXCLUSIVE, msg, handler, userdata, ret);
}

static int kernel_route_add(Rtnl *rtnl, const RtnlRoute *route, RtnlHandler handler, void *userdata,
                            RtnlSlot **ret)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    int r = rtnl_message_route(route, false, &msg);

    if (r >= 0)
        r = request_start(rtnl, REQUEST_ROUTE, msg, handler, userdata, ret);
    if (r >= 0)
        (*ret)->route = *route;
    return r;
}

static int kernel_rule_add(Rtnl *rtnl, const RtnlRule *rule, RtnlHandler handler, void *userdata,
                           RtnlSlot **ret)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    int r = rtnl_message_rule(rule, &msg);

    return r < 0 ? r : request_start(rtnl, REQUEST_EXCLUSIVE, msg, handler, userdata, ret);
}

/* ------------------------------------------------------------------ answers */

/* The last thing done with a slot: the handler may free it. */
static void slot_finish(RtnlSlot *slot, int result)
{
    slot_unlink(slot);
    slot->handler(result, slot->userdata);
}

static void slot_ask_again(RtnlSlot *slot, RequestType type)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    int r = type == REQUEST_ROUTE_REPLACE ? rtnl_message_route(&slot->route, true, &msg)
                                          : rtnl_message_altname_get(slot->altname, &msg);

    slot->type = type;
    if (r >= 0)
        r = message_send(slot->rtnl, slot->rtnl->fd_requests, msg, &slot->seq);
    if (r < 0)
        slot_finish(slot, r);
}

static void slot_on_answer(RtnlSlot *slot, int error)
{
    switch (slot->type) {
    case REQUEST_EXCLUSIVE: slot_finish(slot, error == -EEXIST ? RTNL_E_EXISTS : error); break;
    case REQUEST_ROUTE:
        if (error == -EEXIST)
            slot_ask_again(slot, REQUEST_ROUTE_REPLACE);
        else
            slot_finish(slot, error);
        break;
    case REQUEST_ROUTE_REPLACE: slot_finish(slot, error == 0 ? RTNL_E_EXISTS : error); break;
    case REQUEST_ALTNAME:
        if (error == -EEXIST)
            slot_ask_again(slot, REQUEST_ALTNAME_OWNER);
        else
            slot_finish(slot, error);
        break;
    case REQUEST_ALTNAME_OWNER:
    case REQUEST_PLAIN: slot_finish(slot, error); break;
    }
}

/* RTM_NEWLINK as a direct answer: who has the altname. */
static void slot_on_link(RtnlSlot *slot, const struct nlmsghdr *header)
{
    RtnlLink link = {0};
    int r;

    if (slot->type != REQUEST_ALTNAME_OWNER)
        return;
    r = rtnl_message_parse_link(header, &link);
    if (r >= 0)
        r = link.ifindex == slot->ifindex ? RTNL_E_EXISTS : -EEXIST;
    rtnl_link_done(&link);
    slot_finish(slot, r);
}

static void kernel_on_answer(RtnlKernel *rtnl, const struct nlmsghdr *header)
{
    RtnlSlot *slot = slot_find(rtnl, header->nlmsg_seq);
    const char *text;
    int error;

    if (!slot)
        return;
    if (header->nlmsg_type == RTM_NEWLINK) {
        slot_on_link(slot, header);
        return;
    }
    if (header->nlmsg_type != NLMSG_ERROR)
        return;
    error = rtnl_message_parse_error(header, &text);
    if (error < 0)
        log_debug_errno(error, "rtnl: request %u refused: %m%s%s", header->nlmsg_seq, *text ? ": " : "",
                        text);
    slot_on_answer(slot, error);
}

/* Answers were lost, and nobody can say which. */
static void kernel_fail_requests(RtnlKernel *rtnl, int error)
{
    log_debug_errno(error, "rtnl: cannot read answers: %m");
    while (rtnl->slots)
        slot_finish(rtnl->slots, error);
}

static int on_requests_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    RtnlKernel *rtnl = userdata;
    int r;

    (void)source;
    (void)revents;
    r = socket_read(rtnl, fd, kernel_on_answer);
    if (r < 0)
        kernel_fail_requests(rtnl, r);
    return 0;
}

/* ------------------------------------------------------------------ events */

static Known *known_find(RtnlKernel *rtnl, int ifindex)
{
    for (size_t i = 0; i < rtnl->n_known; i++)
        if (rtnl->known[i].link.ifindex == ifindex)
            return &rtnl->known[i];
    return NULL;
}

static int known_append(RtnlKernel *rtnl, Known **ret)
{
    if (rtnl->n_known == rtnl->n_known_allocated) {
        size_t n = rtnl->n_known ? 2 * rtnl->n_known : 16;
        Known *known = reallocarray(rtnl->known, n, sizeof(*known));

        if (!known)
            return -ENOMEM;
        rtnl->known = known;
        rtnl->n_known_allocated = n;
    }
    *ret = &rtnl->known[rtnl->n_known++];
    **ret = (Known){0};
    return 0;
}

/* Takes the link. */
static int kernel_link_new(RtnlKernel *rtnl, RtnlLink *link_take)
{
    Known *known = known_find(rtnl, link_take->ifindex);
    int r = known ? 0 : known_append(rtnl, &known);

    if (r < 0) {
        rtnl_link_done(link_take);
        return r;
    }
    rtnl_link_done(&known->link);
    known->link = *link_take;
    known->generation = rtnl->generation;
    rtnl->handler(&(RtnlEvent){.type = RTNL_EVENT_LINK_NEW, .link = &known->link}, rtnl->userdata);
    return 0;
}

static void kernel_link_removed(RtnlKernel *rtnl, Known *known, bool moved)
{
    RtnlLink link = known->link;

    link.moved = moved;
    *known = rtnl->known[--rtnl->n_known];
    rtnl->handler(&(RtnlEvent){.type = RTNL_EVENT_LINK_REMOVED, .link = &link}, rtnl->userdata);
    rtnl_link_done(&link);
}

static int dump_start(RtnlKernel *rtnl)
{
    _cleanup_msg_ struct nl_msg *msg = NULL;
    int r;

    rtnl->dump_again = false;
    r = rtnl_message_link_dump(&msg);
    if (r < 0)
        return r;
    r = message_send(rtnl, rtnl->fd_events, msg, &rtnl->dump_seq);
    if (r < 0)
        return r;
    rtnl->generation++;
    return 0;
}

/* Something was missed. A dump that runs cannot be stopped: the next one follows it. */
static void dump_request(RtnlKernel *rtnl)
{
    int r;

    if (rtnl->dump_seq) {
        rtnl->dump_again = true;
        return;
    }
    r = dump_start(rtnl);
    if (r < 0)
        log_debug_errno(r, "rtnl: cannot dump the links: %m");
}

static void dump_on_done(RtnlKernel *rtnl)
{
    rtnl->dump_seq = 0;
    if (rtnl->dump_again) {
        dump_request(rtnl);
        return;
    }
    for (size_t i = 0; i < rtnl->n_known;)
        if (rtnl->known[i].generation != rtnl->generation)
            kernel_link_removed(rtnl, &rtnl->known[i], false);
        else
            i++;
    if (!rtnl->enumerated) {
        rtnl->enumerated = true;
        rtnl->handler(&(RtnlEvent){.type = RTNL_EVENT_ENUMERATED}, rtnl->userdata);
    }
}

/* A dump that was refused or broke off has not told all: nothing may be taken for removed. */
static void dump_on_failed(RtnlKernel *rtnl, int error)
{
    log_debug_errno(error, "rtnl: a dump of the links failed: %m");
    rtnl->dump_seq = 0;
    if (rtnl->dump_again)
        dump_request(rtnl);
}

static void kernel_refresh(Rtnl *base)
{
    dump_request(kernel_from_base(base));
}

static void kernel_on_link_message(RtnlKernel *rtnl, const struct nlmsghdr *header)
{
    RtnlLink link = {0};
    int r = rtnl_message_parse_link(header, &link);

    if (r == -ENOENT)
        return;
    if (r >= 0 && header->nlmsg_type == RTM_NEWLINK) {
        r = kernel_link_new(rtnl, &link);
    } else if (r >= 0) {
        Known *known = known_find(rtnl, link.ifindex);

        if (known)
            kernel_link_removed(rtnl, known, link.moved);
        rtnl_link_done(&link);
    }
    if (r < 0) {
        log_debug_errno(r, "rtnl: cannot take a link message: %m");
        /* Out of memory is worth another look; a message that cannot be read stays as it is. */
        if (r == -ENOMEM)
            dump_request(rtnl);
    }
}

static void kernel_on_event(RtnlKernel *rtnl, const struct nlmsghdr *header)
{
    const bool dump = rtnl->dump_seq && header->nlmsg_seq == rtnl->dump_seq;
    const char *text;
    int r;

    /* The list changed while the kernel walked it: something may be missing or be there twice. */
    if (dump && header->nlmsg_flags & NLM_F_DUMP_INTR)
        rtnl->dump_again = true;

    switch (header->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: kernel_on_link_message(rtnl, header); break;
    case NLMSG_DONE:
        r = rtnl_message_parse_done(header);
        if (dump && r < 0)
            dump_on_failed(rtnl, r);
        else if (dump)
            dump_on_done(rtnl);
        break;
    case NLMSG_ERROR:
        if (dump)
            dump_on_failed(rtnl, rtnl_message_parse_error(header, &text));
        break;
    default: break;
    }
}

static int on_events_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    RtnlKernel *rtnl = userdata;
    int r = 0;

    (void)source;
    (void)revents;
    /* Once events are lost, to the end: with the queue empty nobody would call again. */
    for (;;) {
        r = socket_read(rtnl, fd, kernel_on_event);
        if (r == 0 || (r > 0 && !rtnl->overrun))
            break;
        if (r > 0)
            continue;
        log_debug_errno(r, "rtnl: events were lost, dumping anew: %m");
        rtnl->overrun = true;
    }
    /*
     * After an overrun the kernel drops everything, without saying so again, until the queue is empty: a
     * dump made before that misses what happens after it.
     */
    if (r == 0 && rtnl->overrun) {
        rtnl->overrun = false;
        dump_request(rtnl);
    }
    return 0;
}

/* ------------------------------------------------------------------ lifecycle */

static void kernel_free(Rtnl *base)
{
    RtnlKernel *rtnl = kernel_from_base(base);

    while (rtnl->slots)
        slot_unlink(rtnl->slots);
    (void)sd_event_source_disable_unref(rtnl->source_requests);
    (void)sd_event_source_disable_unref(rtnl->source_events);
    if (rtnl->fd_requests >= 0)
        (void)close(rtnl->fd_requests);
    if (rtnl->fd_events >= 0)
        (void)close(rtnl->fd_events);
    for (size_t i = 0; i < rtnl->n_known; i++)
        rtnl_link_done(&rtnl->known[i].link);
    free(rtnl->known);
    free(rtnl);
}

static const RtnlOps kernel_ops = {
    .link_set = kernel_link_set,
    .altname_add = kernel_altname_add,
    .altname_remove = kernel_altname_remove,
    .address_add = kernel_address_add,
    .route_add = kernel_route_add,
    .rule_add = kernel_rule_add,
    .refresh = kernel_refresh,
    .slot_free = kernel_slot_free,
    .free = kernel_free,
};

static int kernel_listen(RtnlKernel *rtnl, sd_event *event)
{
    int r = netlink_open(0, RECEIVE_BUFFER_SIZE, &rtnl->fd_requests);

    if (r >= 0)
        r = netlink_open(1U << (RTNLGRP_LINK - 1), RECEIVE_BUFFER_SIZE, &rtnl->fd_events);
    if (r >= 0)
        r = sd_event_add_io(event, &rtnl->source_requests, rtnl->fd_requests, EPOLLIN, on_requests_readable,
                            rtnl);
    if (r >= 0)
        r = sd_event_add_io(event, &rtnl->source_events, rtnl->fd_events, EPOLLIN, on_events_readable, rtnl);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(rtnl->source_requests, "rtnl-requests");
    (void)sd_event_source_set_description(rtnl->source_events, "rtnl-events");
    return 0;
}

int rtnl_new(Rtnl **ret, sd_event *event, RtnlEventHandler handler, void *userdata)
{
    _cleanup_(rtnl_freep) Rtnl *base = NULL;
    RtnlKernel *rtnl = calloc(1, sizeof(*rtnl));
    int r;

    if (!rtnl)
        return -ENOMEM;
    rtnl->base.ops = &kernel_ops;
    rtnl->fd_requests = rtnl->fd_events = -1;
    rtnl->handler = handler;
    rtnl->userdata = userdata;
    base = &rtnl->base;

    r = kernel_listen(rtnl, event);
    if (r >= 0)
        r = dump_start(rtnl);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(base);
    return 0;
}
