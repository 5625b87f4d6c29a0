/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Desired against observed: which interfaces are there already, where the missing ones go, which of
 * ours have to go, and whether the instance has room.
 *
 * Ours is what carries this instance's id in TAG_INSTANCE_ID and is attached to this instance or to
 * none. What is attached to another instance is never touched, whatever its tags say: somebody copied
 * them, or moved the interface by hand.
 *
 * An interface that is being detached is not adopted: EC2 accepts nothing for it until that is done. It
 * is deleted then, late, since the boot need not wait for it; unless a wanted interface needs what it has
 * until then: its device index, its place among those that the instance takes, its name on the host.
 *
 * Removals come before attachments: an interface that is to go neither counts against the instance's
 * limit nor stands in the way of an explicit device index. Automatic indexes still avoid its place as
 * long as there is another, so that nothing waits for a detachment without need.
 */

#include "plan/diff.h"
#include <errno.h>
#include <stdio.h>

/* Who is, or will be, at one place of the instance. */
typedef struct Place {
    unsigned card;
    unsigned index;
    const char *eni_id;  /* NULL: of an interface that is yet to be attached */
    const char *network; /* of one of ours, or NULL */
    bool removed;        /* about to be vacated */
} Place;

typedef struct Draft {
    const Facts *facts;
    const Desired *desired;
    const char *instance_id;
    Plan *plan;
    Place *places;
    size_t n_places;
    Buf *errors;
} Draft;

#define mistake(_draft, ...) (buf_printf((_draft)->errors, __VA_ARGS__) < 0 ? -ENOMEM : -EINVAL)

Plan *plan_free(Plan *plan)
{
    if (!plan)
        return NULL;
    free(plan->enis);
    free(plan->removals);
    return mfree(plan);
}

bool plan_is_empty(const Plan *plan)
{
    for (size_t i = 0; i < plan->n_enis; i++)
        if (plan->enis[i].steps != 0)
            return false;
    return plan->n_removals == 0;
}

static bool is_detaching(const Ec2NetworkInterface *eni)
{
    return streq_ptr(eni->attachment.status, "detaching") || streq_ptr(eni->status, "detaching");
}

/* "detached" is told for a moment after the detachment, with the old attachment still in place. */
static bool has_attachment(const Ec2NetworkInterface *eni)
{
    return eni->attachment.attachment_id && !streq_ptr(eni->attachment.status, "detached");
}

static bool is_attached_here(const Draft *draft, const Ec2NetworkInterface *eni)
{
    return has_attachment(eni) && streq_ptr(eni->attachment.instance_id, draft->instance_id);
}

/* Free to be attached: "pending" is what CreateNetworkInterface answers, and is accepted too. */
static bool is_free(const Ec2NetworkInterface *eni)
{
    return !has_attachment(eni) &&
           (!eni->status || streq(eni->status, "available") || streq(eni->status, "pending"));
}

static bool has_our_tag(const Draft *draft, const Ec2NetworkInterface *eni)
{
    return streq_ptr(keyvalue_list_get(&eni->tags, TAG_INSTANCE_ID), draft->instance_id);
}

static bool is_ours(const Draft *draft, const Ec2NetworkInterface *eni)
{
    return has_our_tag(draft, eni) && !is_detaching(eni) && (is_attached_here(draft, eni) || is_free(eni));
}

static bool is_leaving(const Draft *draft, const Ec2NetworkInterface *eni)
{
    return has_our_tag(draft, eni) && is_detaching(eni) && is_attached_here(draft, eni);
}

static bool is_in_plan(const Plan *plan, const Ec2NetworkInterface *eni)
{
    for (size_t i = 0; i < plan->n_enis; i++)
        if (plan->enis[i].observed &&
            streq(plan->enis[i].observed->network_interface_id, eni->network_interface_id))
            return true;
    for (size_t i = 0; i < plan->n_removals; i++)
        if (streq(plan->removals[i].observed->network_interface_id, eni->network_interface_id))
            return true;
    return false;
}

static bool serves(const Ec2NetworkInterface *eni, const DesiredEni *desired)
{
    return streq_ptr(keyvalue_list_get(&eni->tags, TAG_NETWORK), desired->network) &&
           streq_ptr(eni->subnet_id, desired->subnet_id);
}

/* The attached one, then the older, then the smaller id, so that two runs choose the same. */
static bool is_better(const Draft *draft, const Ec2NetworkInterface *a, const Ec2NetworkInterface *b)
{
    bool attached_a = is_attached_here(draft, a), attached_b = is_attached_here(draft, b);
    const char *created_a = keyvalue_list_get(&a->tags, TAG_CREATED);
    const char *created_b = keyvalue_list_get(&b->tags, TAG_CREATED);

    if (attached_a != attached_b)
        return attached_a;
    if (!created_a != !created_b)
        return created_a;
    if (created_a && !streq(created_a, created_b))
        return strcmp(created_a, created_b) < 0; /* ISO 8601 in UTC: time order is byte order */
    return strcmp(a->network_interface_id, b->network_interface_id) < 0;
}

static void adopt(const Draft *draft)
{
    const Facts *facts = draft->facts;

    for (size_t i = 0; i < draft->plan->n_enis; i++) {
        EniPlan *plan = &draft->plan->enis[i];
        const Ec2NetworkInterface *best = NULL;

        for (size_t j = 0; j < facts->n_enis; j++) {
            const Ec2NetworkInterface *eni = &facts->enis[j];

            if (is_ours(draft, eni) && serves(eni, plan->desired) && !is_in_plan(draft->plan, eni) &&
                (!best || is_better(draft, eni, best)))
                best = eni;
        }
        plan->observed = best;
    }
}

static const char *removal_reason(const Draft *draft, const Ec2NetworkInterface *eni)
{
    const char *network = keyvalue_list_get(&eni->tags, TAG_NETWORK);

    if (is_detaching(eni))
        return "it was being detached";
    for (size_t i = 0; i < draft->desired->n_enis; i++) {
        const DesiredEni *desired = &draft->desired->enis[i];

        if (streq_ptr(network, desired->network))
            return serves(eni, desired) ? "another interface serves its network already"
                                        : "its network is in another subnet now";
    }
    return "its network is no longer configured";
}

static int find_removals(const Draft *draft)
{
    const Facts *facts = draft->facts;
    Plan *plan = draft->plan;

    plan->removals = calloc(facts->n_enis + 1, sizeof(*plan->removals));
    if (!plan->removals)
        return -ENOMEM;
    for (size_t i = 0; i < facts->n_enis; i++) {
        const Ec2NetworkInterface *eni = &facts->enis[i];
        bool leaving = is_leaving(draft, eni);

        /* Told twice is known twice: two describes may have found one interface. */
        if (!(leaving || is_ours(draft, eni)) || is_in_plan(plan, eni) ||
            strlist_contains(&draft->desired->kept, eni->network_interface_id))
            continue;
        plan->removals[plan->n_removals++] = (EniRemoval){
            .observed = eni,
            .detach = !leaving && is_attached_here(draft, eni),
            .late = leaving,
            .reason = removal_reason(draft, eni),
        };
    }
    return 0;
}

static bool is_removed(const Plan *plan, const char *eni_id)
{
    for (size_t i = 0; i < plan->n_removals; i++)
        if (streq_ptr(plan->removals[i].observed->network_interface_id, eni_id))
            return true;
    return false;
}

/* Each attached interface once: instance and interfaces are two answers that may differ in age. */
static void add_occupied(Draft *draft, const Ec2NetworkInterface *eni)
{
    const Plan *plan = draft->plan;
    Place place = {
        .card = eni->attachment.network_card_index,
        .index = eni->attachment.device_index,
        .eni_id = eni->network_interface_id,
        .network = keyvalue_list_get(&eni->tags, TAG_NETWORK),
        .removed = is_removed(plan, eni->network_interface_id),
    };

    for (size_t i = 0; i < draft->n_places; i++)
        if (streq_ptr(draft->places[i].eni_id, eni->network_interface_id))
            return;
    draft->places[draft->n_places++] = place;
}

static int find_places(Draft *draft)
{
    const Facts *facts = draft->facts;
    const Ec2Instance *instance = facts->instance;
    size_t n_instance = instance ? instance->n_network_interfaces : 0;

    draft->places = calloc(facts->n_enis + n_instance + draft->desired->n_enis + 1, sizeof(Place));
    if (!draft->places)
        return -ENOMEM;
    for (size_t i = 0; i < facts->n_enis; i++)
        if (is_attached_here(draft, &facts->enis[i]))
            add_occupied(draft, &facts->enis[i]);
    for (size_t i = 0; i < n_instance; i++)
        if (has_attachment(&instance->network_interfaces[i]))
            add_occupied(draft, &instance->network_interfaces[i]);
    return 0;
}

/* Who is there. One that is about to go counts only where that is asked for. */
static const Place *find_place(const Draft *draft, unsigned card, unsigned index, bool with_removed)
{
    for (size_t i = 0; i < draft->n_places; i++) {
        const Place *place = &draft->places[i];

        if (place->card == card && place->index == index && (with_removed || !place->removed))
            return place;
    }
    return NULL;
}

static void take_place(Draft *draft, EniPlan *plan, unsigned index)
{
    plan->device_index = index;
    draft->places[draft->n_places++] =
        (Place){.card = plan->desired->network_card, .index = index, .network = plan->desired->network};
}

static int place_explicit(Draft *draft, EniPlan *plan)
{
    const DesiredEni *desired = plan->desired;
    unsigned index = (unsigned)desired->device_index;
    const Place *place = find_place(draft, desired->network_card, index, false);

    if (!place) {
        take_place(draft, plan, index);
        return 0;
    }
    return mistake(
        draft,
        "network %s: device index %u on network card %u is taken by %s%s%s; detach it, or choose "
        "another device_index\n",
        desired->network, index, desired->network_card, place->eni_id ? place->eni_id : "another network",
        place->network ? " of network " : ", which is not ours", place->network ? place->network : "");
}

/* Interfaces that a card takes, or 0 when EC2 did not say. */
static unsigned card_limit(const Ec2InstanceType *type, unsigned card)
{
    if (!type)
        return 0;
    for (size_t i = 0; i < type->n_network_cards; i++)
        if (type->network_cards[i].network_card_index == card)
            return type->network_cards[i].maximum_network_interfaces;
    return type->n_network_cards == 0 && card == 0 ? type->maximum_network_interfaces : 0;
}

/* Index 0 of card 0 is the primary; AWS's own examples begin at 1 on the other cards too (EC2 User Guide,
 * "Network cards"), and not every type takes an index 0 there. */
static unsigned lowest_free(const Draft *draft, unsigned card, bool with_removed)
{
    unsigned index = 1;

    while (find_place(draft, card, index, with_removed))
        index++;
    return index;
}

static void place_automatic(Draft *draft, EniPlan *plan)
{
    unsigned card = plan->desired->network_card, limit = card_limit(draft->facts->instance_type, card);
    unsigned index = lowest_free(draft, card, true);

    if (limit > 0 && index >= limit + (card > 0))
        index = lowest_free(draft, card, false);
    take_place(draft, plan, index);
}

/* Those that are there keep their place, then the explicit ones, then the rest in their order. */
static int decide_places(Draft *draft)
{
    Plan *plan = draft->plan;
    bool bad = false;

    for (size_t i = 0; i < plan->n_enis; i++) {
        EniPlan *eni = &plan->enis[i];
        int r = 0;

        if (eni->observed && is_attached_here(draft, eni->observed))
            eni->device_index = eni->observed->attachment.device_index;
        else if (eni->desired->device_index >= 0)
            r = place_explicit(draft, eni);
        if (r == -ENOMEM)
            return r;
        bad |= r < 0;
    }
    if (bad)
        return -EINVAL;

    for (size_t i = 0; i < plan->n_enis; i++)
        if (!(plan->enis[i].observed && is_attached_here(draft, plan->enis[i].observed)) &&
            plan->enis[i].desired->device_index < 0)
            place_automatic(draft, &plan->enis[i]);
    return 0;
}

unsigned plan_modifications(const DesiredEni *desired, const Ec2NetworkInterface *observed)
{
    unsigned steps = 0;

    if (!observed->attachment.delete_on_termination)
        steps |= STEP_MODIFY_DELETE_ON_TERMINATION;
    if (desired->group_ids.n > 0 && !strlist_equal_set(&desired->group_ids, &observed->group_ids))
        steps |= STEP_MODIFY_GROUPS;
    if (desired->source_dest_check != observed->source_dest_check)
        steps |= STEP_MODIFY_SOURCE_DEST_CHECK;
    return steps;
}

static unsigned decide_steps(const Draft *draft, const EniPlan *plan)
{
    const DesiredEni *desired = plan->desired;
    const Ec2NetworkInterface *observed = plan->observed;

    /* A new interface has its groups from the request, and checks source and destination. */
    if (!observed)
        return STEP_CREATE | STEP_ATTACH | STEP_MODIFY_DELETE_ON_TERMINATION |
               (desired->source_dest_check ? 0 : STEP_MODIFY_SOURCE_DEST_CHECK);
    if (!is_attached_here(draft, observed))
        return STEP_ATTACH | STEP_MODIFY_DELETE_ON_TERMINATION | plan_modifications(desired, observed);
    return plan_modifications(desired, observed);
}

/* How many are to be attached, and were before; -1 for all cards together. */
static void count_places(const Draft *draft, int card, unsigned *ret_wanted, unsigned *ret_there)
{
    *ret_wanted = *ret_there = 0;
    for (size_t i = 0; i < draft->n_places; i++) {
        const Place *place = &draft->places[i];

        if (place->removed || (card >= 0 && place->card != (unsigned)card))
            continue;
        if (place->eni_id)
            ++*ret_there;
        else
            ++*ret_wanted;
    }
}

static int check_limit(const Draft *draft, int card, unsigned limit)
{
    unsigned wanted, there;
    char where[32] = "";

    count_places(draft, card, &wanted, &there);
    if (wanted == 0 || wanted + there <= limit)
        return 0;
    if (card >= 0)
        (void)snprintf(where, sizeof(where), " on network card %d", card);
    return mistake(draft,
                   "instance type %s takes %u network interfaces%s: %u are attached, %u more are wanted; "
                   "configure fewer networks, or choose a larger type\n",
                   draft->facts->instance_type->instance_type, limit, where, there, wanted);
}

static int check_cards(const Draft *draft)
{
    const Ec2InstanceType *type = draft->facts->instance_type;

    for (size_t i = 0; i < draft->desired->n_enis; i++) {
        const DesiredEni *desired = &draft->desired->enis[i];

        if (desired->network_card >= MAX(type->maximum_network_cards, 1U))
            return mistake(draft, "network %s: instance type %s has no network card %u; allowed: 0 to %u\n",
                           desired->network, type->instance_type, desired->network_card,
                           MAX(type->maximum_network_cards, 1U) - 1);
    }
    return 0;
}

static int check_limits(const Draft *draft)
{
    const Ec2InstanceType *type = draft->facts->instance_type;
    int r;

    if (!type)
        return 0;
    r = check_cards(draft);
    for (size_t i = 0; i < type->n_network_cards && r == 0; i++)
        r = check_limit(draft, (int)type->network_cards[i].network_card_index,
                        type->network_cards[i].maximum_network_interfaces);
    if (r == 0 && type->maximum_network_interfaces > 0)
        r = check_limit(draft, -1, type->maximum_network_interfaces);
    return r;
}

/* Whether a wanted interface was given its place, or is to have the name of its device on this host. */
static bool is_in_the_way(const Draft *draft, const Ec2NetworkInterface *eni)
{
    const char *network = keyvalue_list_get(&eni->tags, TAG_NETWORK);

    for (size_t i = 0; i < draft->plan->n_enis; i++) {
        const EniPlan *plan = &draft->plan->enis[i];

        if ((plan->steps & STEP_ATTACH) && streq_ptr(network, plan->desired->network))
            return true;
        if (plan->desired->network_card == eni->attachment.network_card_index &&
            plan->device_index == eni->attachment.device_index)
            return true;
    }
    return false;
}

/* Whether card (-1: all) holds the wanted ones before those that are being detached have left. */
static bool has_room(const Draft *draft, int card, unsigned limit)
{
    unsigned wanted, there;

    count_places(draft, card, &wanted, &there);
    for (size_t i = 0; i < draft->plan->n_removals; i++) {
        const EniRemoval *removal = &draft->plan->removals[i];

        there +=
            removal->late && (card < 0 || removal->observed->attachment.network_card_index == (unsigned)card);
    }
    return wanted == 0 || limit == 0 || wanted + there <= limit;
}

static bool have_room(const Draft *draft)
{
    const Ec2InstanceType *type = draft->facts->instance_type;

    if (!type)
        return true;
    for (size_t i = 0; i < type->n_network_cards; i++)
        if (!has_room(draft, (int)type->network_cards[i].network_card_index,
                      type->network_cards[i].maximum_network_interfaces))
            return false;
    return has_room(draft, -1, type->maximum_network_interfaces);
}

/* Which of those that are being detached have to be waited for after all. */
static void decide_late(const Draft *draft)
{
    bool room = have_room(draft);

    for (size_t i = 0; i < draft->plan->n_removals; i++) {
        EniRemoval *removal = &draft->plan->removals[i];

        removal->late = removal->late && room && !is_in_the_way(draft, removal->observed);
    }
}

static int compute(Draft *draft)
{
    int r;

    adopt(draft);
    r = find_removals(draft);
    if (r == 0)
        r = find_places(draft);
    if (r == 0)
        r = decide_places(draft);
    if (r == 0)
        r = check_limits(draft);
    if (r < 0)
        return r;

    for (size_t i = 0; i < draft->plan->n_enis; i++)
        draft->plan->enis[i].steps = decide_steps(draft, &draft->plan->enis[i]);
    decide_late(draft);
    return 0;
}

int plan_compute(const Facts *facts, const Desired *desired, Plan **ret, Buf *errors)
{
    _cleanup_(plan_freep) Plan *plan = calloc(1, sizeof(*plan));
    Draft draft = {.facts = facts,
                   .desired = desired,
                   .instance_id = facts->metadata->instance_id,
                   .plan = plan,
                   .errors = errors};
    int r;

    if (!plan)
        return -ENOMEM;
    plan->enis = calloc(desired->n_enis + 1, sizeof(*plan->enis));
    if (!plan->enis)
        return -ENOMEM;
    for (size_t i = 0; i < desired->n_enis; i++)
        plan->enis[plan->n_enis++].desired = &desired->enis[i];

    r = compute(&draft);
    free(draft.places);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(plan);
    return 0;
}
