/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From what is seen in pod namespaces to what is registered.
 *
 * A sighting is one address at one place. It registers when it comes and is released when it goes. One
 * address may be seen in two places: a floating address that was added to its new pod before the old one
 * dropped it, or one that the kernel told of in that order. The newest place has it then, as with the
 * registrar's owners, and the older one is superseded: it says nothing more, and when it goes nothing is
 * released. When the newest goes first, the next newest gets the address back.
 *
 * Others ask for addresses too: a CNI plugin, a program in the pod. Who does so where the address is anyway
 * has it, whether he came before it was seen or after; all sightings are superseded then. When he gives it
 * back, or is refused it, it goes to the newest sighting there is, in memory: so a pod's address stays
 * where it is as long as the pod has it, and giving back costs EC2 nothing. Only when the address is seen
 * above another interface than where it is, it moves there, for nothing else would reach the pod.
 *
 *     SEEN ──> REGISTERING ──> REGISTERED ──> RELEASING ──> (freed)
 *
 * besides which REFUSED follows REGISTERING, SUPERSEDED may follow each of them, each goes to RELEASING when
 * the address is gone, and each may come to REGISTERING again.
 *
 * There is nobody to repeat a request that EC2 refused for now, or that an interface had no room for, so
 * it is repeated here, after a pause that doubles each time. It begins short where the end is near: with a
 * call that is in flight, or with the cooldown of another node. What can never be, such as an address that
 * EC2 reserves, is asked for again only when it is told anew.
 *
 * What a sighting had, by itself or because somebody asked for it where it is seen, and another node has by
 * now, has moved away. It is not taken back because the daemon was started anew and looks at everything, or
 * because somebody else here has given it back: it is asked for until it is free, and registered then. Taken
 * away from the pod and added again, it is a new sighting.
 *
 * An owner is named after the namespace and the interface, so that after a restart of the daemon the same
 * place has the same name, and what was registered then for a place that is no more can be told apart
 * from what people and plugins registered over the socket.
 */

#include "register/sighting.h"
#include "util/log.h"
#include "util/message-ids.h"
#include <errno.h>

#define PAUSE_BUSY   (USEC_PER_SEC / 10) /* a part of what a call takes */
#define PAUSE_IN_USE (5 * USEC_PER_SEC)
#define PAUSE_MIN    (30 * USEC_PER_SEC)
#define PAUSE_MAX    (10 * USEC_PER_MINUTE)

typedef enum SightingState {
    SIGHTING_STATE_SEEN,        /* waits for sightings_settle() */
    SIGHTING_STATE_REGISTERING, /* asked for, not answered yet */
    SIGHTING_STATE_REGISTERED,
    SIGHTING_STATE_REFUSED,    /* tried again after a pause, if that can help, or when told anew */
    SIGHTING_STATE_SUPERSEDED, /* another place has the address, or another owner */
    SIGHTING_STATE_RELEASING,  /* not there any more; freed with the answer */
    _SIGHTING_STATE_MAX,
} SightingState;

typedef struct Sighting {
    Sightings *sightings;
    SightingKey key;
    SightingState state;
    char ifname[IFNAMSIZ];
    char *owner;
    RegistrarWait *wait;           /* REGISTERING and RELEASING */
    uint64_t order;                /* of its coming */
    bool told;                     /* since sightings_begin() */
    bool told_again;               /* while it was there */
    bool had;                      /* its wish was fulfilled: it is not taken from another node any more */
    sd_event_source *source_again; /* REFUSED, and it can help to try again */
    usec_t pause;                  /* before the last one; 0: it was not refused so far */
    usec_t pause_busy;             /* likewise, while the end is near */
    bool said;                     /* that it was refused */
} Sighting;

struct Sightings {
    sd_event *event;
    Registrar *registrar;
    Sighting **items;
    size_t n;
    size_t n_allocated;
    uint64_t n_ever;
    bool settled;
    bool complete; /* all that is there was seen once */
};

static const char *const state_names[_SIGHTING_STATE_MAX] = {
    [SIGHTING_STATE_SEEN] = "seen",
    [SIGHTING_STATE_REGISTERING] = "registering",
    [SIGHTING_STATE_REGISTERED] = "registered",
    [SIGHTING_STATE_REFUSED] = "refused",
    [SIGHTING_STATE_SUPERSEDED] = "superseded",
    [SIGHTING_STATE_RELEASING] = "releasing",
};

#define TO(_state) (1U << SIGHTING_STATE_##_state)

static const unsigned edges[_SIGHTING_STATE_MAX] _unused_ = {
    [SIGHTING_STATE_SEEN] = TO(REGISTERING) | TO(SUPERSEDED),
    [SIGHTING_STATE_REGISTERING] =
        TO(REGISTERING) | TO(REGISTERED) | TO(REFUSED) | TO(SUPERSEDED) | TO(RELEASING),
    [SIGHTING_STATE_REGISTERED] = TO(REGISTERING) | TO(REFUSED) | TO(SUPERSEDED) | TO(RELEASING),
    [SIGHTING_STATE_REFUSED] = TO(REGISTERING) | TO(REFUSED) | TO(SUPERSEDED) | TO(RELEASING),
    [SIGHTING_STATE_SUPERSEDED] = TO(REGISTERING) | TO(REFUSED) | TO(SUPERSEDED) | TO(RELEASING),
    [SIGHTING_STATE_RELEASING] = TO(REGISTERING) | TO(SUPERSEDED),
};

/* Those that are there. */
#define LIVE (TO(REGISTERING) | TO(REGISTERED) | TO(REFUSED) | TO(SUPERSEDED))

static void sighting_claim(Sighting *sighting);

/* ------------------------------------------------------------------ one sighting */

static void sighting_set_state(Sighting *sighting, SightingState state)
{
    char address[IN_ADDR_TEXT];

    log_debug("watch: %s of %s on %s: %s -> %s", in_addr_format(&sighting->key.address, address),
              sighting->owner, sighting->ifname, state_names[sighting->state], state_names[state]);
    assert(edges[sighting->state] & 1U << state);
    /* Nobody waits for what it asked before. */
    sighting->wait = registrar_wait_free(sighting->wait);
    sighting->source_again = sd_event_source_disable_unref(sighting->source_again);
    sighting->state = state;
    if (state == SIGHTING_STATE_REGISTERED || state == SIGHTING_STATE_SUPERSEDED) {
        sighting->pause = sighting->pause_busy = 0;
        sighting->said = false;
    }
}

static Sighting *sighting_free(Sighting *sighting)
{
    if (!sighting)
        return NULL;
    (void)registrar_wait_free(sighting->wait);
    (void)sd_event_source_disable_unref(sighting->source_again);
    free(sighting->owner);
    free(sighting);
    return NULL;
}

DEFINE_CLEANUP(Sighting, sighting_free)

static void sighting_forget(Sighting *sighting)
{
    Sightings *sightings = sighting->sightings;

    for (size_t i = 0; i < sightings->n; i++)
        if (sightings->items[i] == sighting) {
            sightings->items[i] = sightings->items[--sightings->n];
            break;
        }
    (void)sighting_free(sighting);
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    Sighting *sighting = userdata;

    (void)source;
    (void)usec;
    sighting_claim(sighting);
    return 0;
}

static void again_after(Sighting *sighting, usec_t pause)
{
    const usec_t accuracy = MAX(MIN(pause / 4, USEC_PER_SEC), (usec_t)1); /* 0 would be sd-event's own */
    int r = sd_event_add_time_relative(sighting->sightings->event, &sighting->source_again, CLOCK_MONOTONIC,
                                       pause, accuracy, on_again, sighting);

    if (r < 0)
        log_debug_errno(r, "watch: cannot try again: %m");
    else
        (void)sd_event_source_set_description(sighting->source_again, "sighting-again");
}

/* The shortest pause before it is asked for again; 0: that cannot help. */
static usec_t pause_after(const RegistrarResult *result)
{
    /* EC2's or our own trouble, or no room: as opposed to a request that is wrong. */
    if (result->status >= 500)
        return PAUSE_MIN;
    if (streq_ptr(result->error.code, "busy"))
        return PAUSE_BUSY;
    if (streq_ptr(result->error.code, "address_in_use") ||
        streq_ptr(result->error.code, REGISTRAR_MOVED_AWAY))
        return PAUSE_IN_USE;
    return 0;
}

static void sighting_say(Sighting *sighting, const RegistrarResult *result, usec_t pause)
{
    const ProtocolError *error = &result->error;
    char address[IN_ADDR_TEXT];
    const LogField fields[] = {
        {"ADDRESS", in_addr_format(&sighting->key.address, address)},
        {"INTERFACE", sighting->ifname},
        {"OWNER", sighting->owner},
        {"AWS_ERROR_CODE", error->ec2_code},
        {"REQUEST_ID", error->ec2_request_id},
    };
    /*
     * An address that is of no subnet of the VPC needs none: a private network between pods. What lasts a
     * moment is no news.
     */
    const bool quiet = result->status == 422 || pause == PAUSE_BUSY || sighting->said;
    const int level = quiet ? LOG_DEBUG : LOG_WARNING;

    sighting->said = sighting->said || !quiet;
    if (level <= log_get_max_level())
        log_full(level, 0, MESSAGE_WATCH_REFUSED, fields, ARRAY_SIZE(fields),
                 "%s, which a pod has on an interface above %s, is not registered%s: %s%s%s", address,
                 sighting->ifname, pause ? " yet and is tried again" : "",
                 error->message ? error->message : "refused", error->ec2_code ? ": " : "",
                 error->ec2_code ? error->ec2_code : "");
}

static void sighting_fail(Sighting *sighting, const RegistrarResult *result)
{
    const usec_t pause = pause_after(result);

    sighting_say(sighting, result, pause);
    sighting_set_state(sighting, SIGHTING_STATE_REFUSED);
    if (pause == 0)
        return;
    if (pause == PAUSE_BUSY) {
        sighting->pause_busy = MIN(MAX(pause, 2 * sighting->pause_busy), PAUSE_MAX);
        again_after(sighting, sighting->pause_busy);
        return;
    }
    sighting->pause_busy = 0;
    sighting->pause = MIN(MAX(pause, 2 * sighting->pause), PAUSE_MAX);
    again_after(sighting, sighting->pause);
}

/* Whoever has it there, has it for all who are seen to have it there; ifname NULL: wherever. */
static void fulfil(Sightings *sightings, const InAddr *address, const char *ifname)
{
    for (size_t i = 0; i < sightings->n; i++) {
        Sighting *sighting = sightings->items[i];

        if (in_addr_equal(&sighting->key.address, address) && (!ifname || streq(sighting->ifname, ifname)))
            sighting->had = true;
    }
}

static void sighting_on_registered(const RegistrarResult *result, void *userdata)
{
    Sighting *sighting = userdata;

    switch (sighting->state) {
    case SIGHTING_STATE_REGISTERING:
        if (result->status == 200) {
            sighting_set_state(sighting, SIGHTING_STATE_REGISTERED);
            fulfil(sighting->sightings, &sighting->key.address, sighting->ifname);
        } else if (streq_ptr(result->error.code, "superseded"))
            sighting_set_state(sighting, SIGHTING_STATE_SUPERSEDED);
        else
            sighting_fail(sighting, result);
        break;
    case SIGHTING_STATE_SEEN:
    case SIGHTING_STATE_REGISTERED:
    case SIGHTING_STATE_REFUSED:
    case SIGHTING_STATE_SUPERSEDED:
    case SIGHTING_STATE_RELEASING:
    case _SIGHTING_STATE_MAX: assert(false);
    }
}

/* Whatever the answer: another owner's is no concern of ours, nor is one that is not there. */
static void sighting_on_released(const RegistrarResult *result, void *userdata)
{
    Sighting *sighting = userdata;

    (void)result;
    sighting_forget(sighting);
}

/* ------------------------------------------------------------------ several of one address */

/* The newest sighting of the address, but one, that is in one of the states of the mask. */
static Sighting *newest(const Sightings *sightings, const InAddr *address, const Sighting *but,
                        unsigned states)
{
    Sighting *found = NULL;

    for (size_t i = 0; i < sightings->n; i++) {
        Sighting *sighting = sightings->items[i];

        if (sighting != but && states & 1U << sighting->state &&
            in_addr_equal(&sighting->key.address, address) && (!found || sighting->order > found->order))
            found = sighting;
    }
    return found;
}

static Sighting *sighting_other(const Sighting *sighting, unsigned states)
{
    return newest(sighting->sightings, &sighting->key.address, sighting, states);
}

static void supersede_others(const Sighting *sighting)
{
    Sighting *other;

    while ((other = sighting_other(sighting, LIVE & ~TO(SUPERSEDED))))
        sighting_set_state(other, SIGHTING_STATE_SUPERSEDED);
}

static const Registration *wanted(const Sightings *sightings, const InAddr *address)
{
    const Registration *registration = state_find(registrar_state(sightings->registrar), address);

    return registration && registration->state == REGISTRATION_WANTED ? registration : NULL;
}

/* What somebody who is not the watch registered of the address, or NULL. */
static const Registration *sighting_rival(const Sighting *sighting)
{
    const Registration *registration = wanted(sighting->sightings, &sighting->key.address);

    return registration && !protocol_owner_is_watch(registration->owner) ? registration : NULL;
}

static bool is_where_seen(const Sighting *sighting, const Registration *registration)
{
    return streq_ptr(registrar_ifname(sighting->sightings->registrar, registration->network_interface_id),
                     sighting->ifname);
}

static void sighting_register(Sighting *sighting)
{
    Registrar *registrar = sighting->sightings->registrar;
    const InAddr *address = &sighting->key.address;
    RegistrarWait *wait = NULL;
    int r;

    supersede_others(sighting);
    sighting_set_state(sighting, SIGHTING_STATE_REGISTERING);
    if (sighting->had)
        r = registrar_keep(registrar, address, sighting->ifname, sighting->owner, sighting_on_registered,
                           sighting, &wait);
    else
        r = registrar_register(registrar, address, sighting->ifname, sighting->owner, USEC_INFINITY,
                               sighting_on_registered, sighting, &wait);
    if (r < 0)
        sighting_fail(sighting, &(RegistrarResult){.status = 500, .error = {.message = "out of memory"}});
    else if (wait)
        sighting->wait = wait;
}

/* Unless somebody asked for it himself, who has it where it is to be. */
static void sighting_claim(Sighting *sighting)
{
    const Registration *rival = sighting_rival(sighting);

    if (!rival || !is_where_seen(sighting, rival)) {
        sighting_register(sighting);
        return;
    }
    supersede_others(sighting);
    sighting_set_state(sighting, SIGHTING_STATE_SUPERSEDED);
}

/* What is not waited for, answers to nobody. */
static void on_leftover_released(const RegistrarResult *result, void *userdata)
{
    (void)result;
    (void)userdata;
}

static void release_leftover(Sightings *sightings, const Registration *registration)
{
    /* The registration may go away inside the call, and its strings with it. */
    _cleanup_(freep) char *owner = strdup(registration->owner);
    const InAddr address = registration->address;
    RegistrarWait *wait = NULL;
    int r = owner
                ? registrar_release(sightings->registrar, &address, owner, on_leftover_released, NULL, &wait)
                : -ENOMEM;

    if (r < 0)
        log_debug_errno(r, "watch: cannot release: %m");
    /* It goes on without us. */
    (void)registrar_wait_free(wait);
}

/*
 * The last one has gone, and what another had that had gone before was never handed over to it, being
 * refused. Of what an earlier run registered it must be known first who is still there.
 */
static void release_orphan(Sightings *sightings, const InAddr *address)
{
    const Registration *registration = sightings->complete ? wanted(sightings, address) : NULL;

    if (registration && protocol_owner_is_watch(registration->owner) &&
        !newest(sightings, address, NULL, LIVE))
        release_leftover(sightings, registration);
}

/* Ends the sighting, unless its release must be waited for. */
static void sighting_release(Sighting *sighting)
{
    Sightings *sightings = sighting->sightings;
    const InAddr address = sighting->key.address;
    RegistrarWait *wait = NULL;
    int r;

    sighting_set_state(sighting, SIGHTING_STATE_RELEASING);
    r = registrar_release(sightings->registrar, &address, sighting->owner, sighting_on_released, sighting,
                          &wait);
    if (r < 0) {
        log_debug_errno(r, "watch: cannot release: %m");
        sighting_forget(sighting);
    } else if (wait) {
        sighting->wait = wait;
    }
    release_orphan(sightings, &address);
}

static void sighting_on_gone(Sighting *sighting)
{
    Sighting *heir;

    switch (sighting->state) {
    case SIGHTING_STATE_SEEN: sighting_forget(sighting); break;
    /* Mostly answered with "another owner's", but not when the newer one was refused. */
    case SIGHTING_STATE_SUPERSEDED: sighting_release(sighting); break;
    case SIGHTING_STATE_REGISTERING:
    case SIGHTING_STATE_REGISTERED:
    /* A refusal may come after the address was noted down. */
    case SIGHTING_STATE_REFUSED:
        heir = sighting_other(sighting, TO(SUPERSEDED));
        if (!heir) {
            sighting_release(sighting);
            break;
        }
        registrar_forget_moved_away(sighting->sightings->registrar, &sighting->key.address, sighting->owner);
        sighting_forget(sighting);
        sighting_claim(heir);
        break;
    case SIGHTING_STATE_RELEASING: break;
    case _SIGHTING_STATE_MAX: assert(false);
    }
}

static void sighting_on_told(Sighting *sighting)
{
    switch (sighting->state) {
    case SIGHTING_STATE_SEEN:
    case SIGHTING_STATE_REGISTERING:
    case SIGHTING_STATE_REGISTERED:
    case SIGHTING_STATE_SUPERSEDED: break;
    case SIGHTING_STATE_REFUSED: sighting_claim(sighting); break;
    case SIGHTING_STATE_RELEASING:
        sighting->order = ++sighting->sightings->n_ever;
        sighting->had = false;
        sighting_claim(sighting);
        break;
    case _SIGHTING_STATE_MAX: assert(false);
    }
}

/* A pod has an address that is to be without an owner, see RegistrarHeir. */
static void on_orphan(const InAddr *address, const ProtocolError *error, void *userdata)
{
    Sightings *sightings = userdata;
    const Registration *registration = wanted(sightings, address);
    Sighting *heir = newest(sightings, address, NULL, LIVE);

    if (!heir)
        return;
    if (error) {
        /* It may be back where it was, or somebody else's by now. */
        if (streq(error->code, REGISTRAR_MOVED_AWAY))
            fulfil(sightings, address, NULL);
        if (registration || !((TO(REGISTERING) | TO(REGISTERED) | TO(SUPERSEDED)) & 1U << heir->state))
            return;
        sighting_fail(heir, &(RegistrarResult){.status = error->status, .error = *error});
    } else if (registration && is_where_seen(heir, registration)) {
        /* He who gives it back had it for the pod. */
        if (registration->assigned ||
            streq_ptr(registration->previous_interface, registration->network_interface_id))
            fulfil(sightings, address, heir->ifname);
        sighting_register(heir);
    } else {
        /* Once it is given back there. */
        sighting_set_state(heir, SIGHTING_STATE_REFUSED);
        again_after(heir, 0);
    }
}

/* RegistrarBeliever */
static const char *find_believer(const InAddr *address, const char *but_owner, void *userdata)
{
    const Sightings *sightings = userdata;

    for (size_t i = 0; i < sightings->n; i++) {
        const Sighting *sighting = sightings->items[i];

        if (LIVE & 1U << sighting->state && sighting->had && !streq(sighting->owner, but_owner) &&
            in_addr_equal(&sighting->key.address, address))
            return sighting->owner;
    }
    return NULL;
}

/* ------------------------------------------------------------------ all of them */

static Sighting *find(const Sightings *sightings, const SightingKey *key)
{
    for (size_t i = 0; i < sightings->n; i++) {
        const SightingKey *other = &sightings->items[i]->key;

        if (other->nsid == key->nsid && other->ifindex == key->ifindex &&
            in_addr_equal(&other->address, &key->address))
            return sightings->items[i];
    }
    return NULL;
}

static int append(Sightings *sightings, Sighting *sighting)
{
    if (sightings->n == sightings->n_allocated) {
        size_t n = sightings->n ? 2 * sightings->n : 16;
        Sighting **items =
            reallocarray(sightings->items, n, sizeof(*items)); // NOLINT(bugprone-sizeof-expression)

        if (!items)
            return -ENOMEM;
        sightings->items = items;
        sightings->n_allocated = n;
    }
    sightings->items[sightings->n++] = sighting;
    return 0;
}

int sightings_add(Sightings *sightings, const SightingKey *key, const char *ifname, const char *owner)
{
    Sighting *sighting = find(sightings, key);
    _cleanup_(sighting_freep) Sighting *new = NULL;

    /* The index belongs to another interface by now. */
    if (sighting && sighting->state == SIGHTING_STATE_RELEASING &&
        (!streq(sighting->ifname, ifname) || !streq(sighting->owner, owner))) {
        sighting_forget(sighting);
        sighting = NULL;
    }
    if (sighting) {
        sighting->told = sighting->told_again = true;
        sighting_on_told(sighting);
        return 0;
    }
    new = calloc(1, sizeof(*new));
    if (!new)
        return -ENOMEM;
    new->sightings = sightings;
    new->key = *key;
    new->owner = strdup(owner);
    (void)strncpy(new->ifname, ifname, sizeof(new->ifname) - 1);
    if (!new->owner || append(sightings, new) < 0)
        return -ENOMEM;
    sighting = TAKE_PTR(new);
    sighting->order = ++sightings->n_ever;
    sighting->told = true;
    if (sightings->settled)
        sighting_claim(sighting);
    return 0;
}

void sightings_keep(Sightings *sightings, const SightingKey *key)
{
    Sighting *sighting = find(sightings, key);

    if (sighting)
        sighting->told = true;
}

void sightings_remove(Sightings *sightings, const SightingKey *key)
{
    Sighting *sighting = find(sightings, key);

    if (sighting)
        sighting_on_gone(sighting);
}

bool sightings_may_be_twice(const Sightings *sightings, const SightingKey *key)
{
    const Sighting *sighting = find(sightings, key);

    return sighting && sighting->told_again;
}

/*
 * Each that goes may free itself and wake another: so one is taken at a time, from the start. Those that
 * go are marked first.
 */
static void remove_marked(Sightings *sightings, bool (*is_marked)(const Sighting *, int, int), int nsid,
                          int ifindex)
{
    for (size_t i = 0; i < sightings->n;) {
        Sighting *sighting = sightings->items[i];

        if (sighting->state == SIGHTING_STATE_RELEASING || !is_marked(sighting, nsid, ifindex)) {
            i++;
            continue;
        }
        sighting_on_gone(sighting);
        i = 0;
    }
}

static bool is_of(const Sighting *sighting, int nsid, int ifindex)
{
    return sighting->key.nsid == nsid && (ifindex == 0 || sighting->key.ifindex == ifindex);
}

static bool is_untold(const Sighting *sighting, int nsid, int ifindex)
{
    return is_of(sighting, nsid, ifindex) && !sighting->told;
}

void sightings_remove_all(Sightings *sightings, int nsid, int ifindex)
{
    remove_marked(sightings, is_of, nsid, ifindex);
}

void sightings_begin(Sightings *sightings, int nsid)
{
    for (size_t i = 0; i < sightings->n; i++)
        if (sightings->items[i]->key.nsid == nsid)
            sightings->items[i]->told = false;
}

void sightings_end(Sightings *sightings, int nsid)
{
    remove_marked(sightings, is_untold, nsid, 0);
}

/* ------------------------------------------------------------------ the start */

static bool was_registered(const Sighting *sighting)
{
    const State *state = registrar_state(sighting->sightings->registrar);
    const Registration *registration = state_find(state, &sighting->key.address);

    return registration && registration->state != REGISTRATION_RELEASED &&
           streq(registration->owner, sighting->owner);
}

/*
 * It was registered for this sighting, or for another one that is there still, or for somebody who asked for
 * what they show.
 */
static bool has_moved_away(const Sighting *sighting)
{
    const Sightings *sightings = sighting->sightings;
    const Registration *note =
        state_find_moved_away(registrar_state(sightings->registrar), &sighting->key.address);

    if (!note || !protocol_owner_is_watch(note->owner))
        return note;
    for (size_t i = 0; i < sightings->n; i++)
        if (in_addr_equal(&sightings->items[i]->key.address, &sighting->key.address) &&
            streq(sightings->items[i]->owner, note->owner))
            return true;
    return false;
}

/* Who came last is not known: what others have registered they keep, and if they lose it, it is not fetched.
 */
static void settle_one(Sighting *sighting)
{
    if (sighting_other(sighting, LIVE & ~TO(SUPERSEDED)) || sighting_rival(sighting)) {
        sighting->had = true;
        sighting_set_state(sighting, SIGHTING_STATE_SUPERSEDED);
    } else {
        sighting_register(sighting);
    }
}

static bool is_seen(const Sightings *sightings, const InAddr *address)
{
    for (size_t i = 0; i < sightings->n; i++)
        if (in_addr_equal(&sightings->items[i]->key.address, address))
            return true;
    return false;
}

static void forget_notes(const Sightings *sightings)
{
    const State *notes = state_moved_away(registrar_state(sightings->registrar));

    for (size_t i = notes ? state_n(notes) : 0; i-- > 0;) {
        const InAddr address = state_get(notes, i)->address;

        /* Above an interface that is not served in this run nothing is seen. */
        if (!registrar_ifname(sightings->registrar, state_get(notes, i)->network_interface_id))
            continue;
        if (!is_seen(sightings, &address))
            registrar_forget_moved_away(sightings->registrar, &address, NULL);
    }
}

/* From the end: releasing may remove a registration, and those before it keep their places. */
void sightings_release_leftovers(Sightings *sightings)
{
    const State *state = registrar_state(sightings->registrar);

    sightings->complete = true;
    forget_notes(sightings);
    for (size_t i = state_n(state); i-- > 0;) {
        const Registration *registration = state_get(state, i);

        if (registration->state != REGISTRATION_RELEASED && protocol_owner_is_watch(registration->owner) &&
            !is_seen(sightings, &registration->address))
            release_leftover(sightings, registration);
    }
}

void sightings_settle(Sightings *sightings)
{
    Sighting *sighting;

    sightings->settled = true;
    for (size_t i = 0; i < sightings->n; i++) {
        sighting = sightings->items[i];
        if (sighting->state != SIGHTING_STATE_SEEN || !was_registered(sighting))
            continue;
        sighting->had = true;
        sighting_register(sighting);
    }
    for (size_t i = 0; i < sightings->n; i++) {
        sighting = sightings->items[i];
        if (sighting->state == SIGHTING_STATE_SEEN && !has_moved_away(sighting))
            settle_one(sighting);
    }
    for (size_t i = 0; i < sightings->n; i++) {
        sighting = sightings->items[i];
        if (sighting->state != SIGHTING_STATE_SEEN)
            continue;
        sighting->had = true;
        settle_one(sighting);
    }
}

/* ------------------------------------------------------------------ lifecycle */

Sightings *sightings_free(Sightings *sightings)
{
    if (!sightings)
        return NULL;
    registrar_set_heir(sightings->registrar, NULL, NULL, NULL);
    for (size_t i = 0; i < sightings->n; i++)
        (void)sighting_free(sightings->items[i]);
    (void)sd_event_unref(sightings->event);
    free(sightings->items);
    free(sightings);
    return NULL;
}

int sightings_new(Sightings **ret, sd_event *event, Registrar *registrar)
{
    Sightings *sightings = calloc(1, sizeof(*sightings));

    if (!sightings)
        return -ENOMEM;
    sightings->event = sd_event_ref(event);
    sightings->registrar = registrar;
    registrar_set_heir(registrar, on_orphan, find_believer, sightings);

    *ret = sightings;
    return 0;
}
