/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Waits: each belongs to its requester and is in one of two lists of the registrar, pending (EC2 has not
 * done it) or finished (it is to be answered), until it has been called or freed. Finished ones are
 * answered from a deferred event, after one write of the state for all of them; so everything that one
 * reply of EC2, or one turn of the server, has finished costs the disk once.
 *
 * A handler may do anything: free waits, ask for more, free the registrar.
 */

#include "register/wait.h"
#include "register/registrar-private.h"
#include "state/store.h"
#include "util/log.h"
#include "util/message-ids.h"
#include <stdio.h>

#define RETRY_PAUSE (30 * USEC_PER_SEC) /* between writes to a disk that refused one */

struct RegistrarWait {
    RegistrarWait **list; /* NULL: called already, or not begun */
    RegistrarWait *previous, *next;
    InAddr address;
    usec_t deadline;
    RegistrarHandler handler;
    void *userdata;
    /* Once finished: */
    const Interface *interface;
    unsigned status;
    char code[32];
    char *message, *ec2_code, *ec2_request_id; /* or NULL */
};

int wait_new(RegistrarWait **ret, const InAddr *address, usec_t deadline, RegistrarHandler handler,
             void *userdata)
{
    RegistrarWait *wait = malloc(sizeof(*wait));

    if (!wait)
        return -ENOMEM;
    *wait =
        (RegistrarWait){.address = *address, .deadline = deadline, .handler = handler, .userdata = userdata};
    *ret = wait;
    return 0;
}

static void wait_unlink(RegistrarWait *wait)
{
    if (!wait->list)
        return;

    if (wait->next)
        wait->next->previous = wait->previous;
    /* The head's previous is the tail. */
    if (*wait->list == wait)
        *wait->list = wait->next;
    else
        wait->previous->next = wait->next;
    if (*wait->list && !wait->next)
        (*wait->list)->previous = wait->previous;
    wait->list = NULL;
}

static void wait_link(RegistrarWait **list, RegistrarWait *wait)
{
    wait_unlink(wait);
    wait->next = NULL;
    wait->list = list;
    if (*list) {
        wait->previous = (*list)->previous;
        wait->previous->next = wait;
        (*list)->previous = wait;
    } else {
        wait->previous = wait;
        *list = wait;
    }
}

RegistrarWait *registrar_wait_free(RegistrarWait *wait)
{
    if (!wait)
        return NULL;

    wait_unlink(wait);
    free(wait->message);
    free(wait->ec2_code);
    free(wait->ec2_request_id);
    return mfree(wait);
}

void waits_flush(Registrar *registrar)
{
    (void)sd_event_source_set_enabled(registrar->flush, SD_EVENT_ONESHOT);
}

void wait_finish(Registrar *registrar, RegistrarWait *wait, const ProtocolError *error,
                 const Interface *interface)
{
    wait->interface = interface;
    wait->status = error ? error->status : 200;
    if (error) {
        (void)snprintf(wait->code, sizeof(wait->code), "%s", error->code);
        /* Without memory the status and the code have to do. */
        (void)replace_string(&wait->message, error->message);
        (void)replace_string(&wait->ec2_code, error->ec2_code);
        (void)replace_string(&wait->ec2_request_id, error->ec2_request_id);
    }
    wait_link(&registrar->finished, wait);
    waits_flush(registrar);
}

void waits_finish(Registrar *registrar, const InAddr *address, const ProtocolError *error,
                  const Interface *interface)
{
    RegistrarWait *next;

    for (RegistrarWait *wait = registrar->pending; wait; wait = next) {
        next = wait->next;
        if (in_addr_equal(&wait->address, address))
            wait_finish(registrar, wait, error, interface);
    }
}

/* ------------------------------------------------------------------ deadlines */

usec_t waits_deadline(const Registrar *registrar, const InAddr *address)
{
    usec_t deadline = 0;

    for (const RegistrarWait *wait = registrar->pending; wait; wait = wait->next)
        if (in_addr_equal(&wait->address, address))
            deadline = MAX(deadline, wait->deadline);
    return deadline;
}

static void deadline_arm(Registrar *registrar);

static int on_deadline(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
    static const ProtocolError late = {504, "deadline", "EC2 has not done it in time; the work goes on"};
    Registrar *registrar = userdata;
    usec_t now = time_monotonic();
    RegistrarWait *next;

    registrar->deadline = sd_event_source_disable_unref(registrar->deadline);
    registrar->deadline_at = USEC_INFINITY;
    for (RegistrarWait *wait = registrar->pending; wait; wait = next) {
        next = wait->next;
        if (wait->deadline <= now)
            wait_finish(registrar, wait, &late, NULL);
    }
    deadline_arm(registrar);
    return 0;
}

/* The timer is there while something is pending, at the earliest deadline or before. */
static void deadline_arm(Registrar *registrar)
{
    usec_t earliest = USEC_INFINITY, now = time_monotonic();

    for (const RegistrarWait *wait = registrar->pending; wait; wait = wait->next)
        earliest = MIN(earliest, wait->deadline);
    if (earliest == registrar->deadline_at)
        return;

    registrar->deadline = sd_event_source_disable_unref(registrar->deadline);
    registrar->deadline_at = USEC_INFINITY;
    if (earliest == USEC_INFINITY)
        return;
    if (sd_event_add_time_relative(registrar->event, &registrar->deadline, CLOCK_MONOTONIC,
                                   earliest > now ? earliest - now : 0, 0, on_deadline, registrar) < 0)
        return;
    (void)sd_event_source_set_description(registrar->deadline, "register-deadline");
    registrar->deadline_at = earliest;
}

void wait_pend(Registrar *registrar, RegistrarWait *wait)
{
    wait_link(&registrar->pending, wait);
    if (wait->deadline < registrar->deadline_at)
        deadline_arm(registrar);
}

/* ------------------------------------------------------------------ writing and answering */

static int on_retry(sd_event_source *source _unused_, uint64_t usec _unused_, void *userdata)
{
    Registrar *registrar = userdata;

    registrar->retry = sd_event_source_disable_unref(registrar->retry);
    waits_flush(registrar);
    return 0;
}

static void registrar_write_failed(Registrar *registrar, int error)
{
    const LogField fields[] = {{"FILE", registrar->store_path}};

    if (!registrar->unwritable)
        log_full(LOG_WARNING, error, MESSAGE_STATE_UNWRITABLE, fields, ARRAY_SIZE(fields),
                 "Cannot write %s: %m; the node goes on, but who owns which address is lost if the daemon is "
                 "killed now",
                 registrar->store_path);
    registrar->unwritable = true;
    if (!registrar->retry && sd_event_add_time_relative(registrar->event, &registrar->retry, CLOCK_MONOTONIC,
                                                        RETRY_PAUSE, 0, on_retry, registrar) >= 0)
        (void)sd_event_source_set_description(registrar->retry, "register-write-retry");
}

void waits_write(Registrar *registrar)
{
    int r;

    if (!registrar->dirty)
        return;
    r = store_save(registrar->store_path, registrar->state, registrar->instance_id);
    if (r < 0) {
        registrar_write_failed(registrar, r);
        return;
    }
    if (registrar->unwritable)
        log_notice("%s can be written again", registrar->store_path);
    registrar->dirty = false;
    registrar->unwritable = false;
    registrar->retry = sd_event_source_disable_unref(registrar->retry);
}

static void wait_answer(RegistrarWait *wait)
{
    /* The handler may free the wait, and look at the result after that. */
    _cleanup_(freep) char *message = TAKE_PTR(wait->message), *ec2_code = TAKE_PTR(wait->ec2_code),
                          *ec2_request_id = TAKE_PTR(wait->ec2_request_id);
    char code[sizeof(wait->code)];
    RegistrarResult result = {.status = wait->status};

    memcpy(code, wait->code, sizeof(code));
    if (wait->interface) {
        result.interface = wait->interface->ifname;
        result.network_interface_id = wait->interface->id;
    }
    if (wait->status != 200)
        result.error = (ProtocolError){wait->status, code, message ? message : "out of memory", ec2_code,
                                       ec2_request_id};
    wait->handler(&result, wait->userdata);
}

static int on_flush(sd_event_source *source _unused_, void *userdata)
{
    Registrar *registrar = userdata;

    waits_write(registrar);
    deadline_arm(registrar);
    registrar->answering = true;
    /* What a handler adds belongs to the next turn, but only if it changed something. */
    while (registrar->finished && (!registrar->dirty || registrar->unwritable)) {
        RegistrarWait *wait = registrar->finished;

        wait_unlink(wait);
        wait_answer(wait);
    }
    registrar->answering = false;
    if (registrar->dead)
        free(registrar);
    return 0;
}

int waits_init(Registrar *registrar)
{
    int r;

    r = sd_event_add_defer(registrar->event, &registrar->flush, on_flush, registrar);
    if (r < 0)
        return r;
    (void)sd_event_source_set_enabled(registrar->flush, SD_EVENT_OFF);
    (void)sd_event_source_set_description(registrar->flush, "register-answer");
    registrar->deadline_at = USEC_INFINITY;
    return 0;
}

void waits_done(Registrar *registrar)
{
    while (registrar->pending)
        wait_unlink(registrar->pending);
    while (registrar->finished)
        wait_unlink(registrar->finished);
    sd_event_source_disable_unref(registrar->retry);
    sd_event_source_disable_unref(registrar->deadline);
    sd_event_source_disable_unref(registrar->flush);
}
