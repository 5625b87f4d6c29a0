/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Random requests, failures, lost replies, thefts, kills and clocks that are set, on two interfaces, against
 * a small model of EC2, and then quiet: what was answered must be true, and EC2 must hold exactly what is
 * wanted. A divergence tells its seed; REGISTRAR_SEED runs that one alone, REGISTRAR_RUNS so many from the
 * first: some faults take 100,000.
 */

#include "lib/fake-aws/registry.h"
#include "util/log.h"
#include <stdio.h>

#define N_ADDRESSES 10u /* the first are IPv4 */
#define N_IPV4      5u
#define N_OWNERS    3u
#define N_ASKED     32u
#define UNKNOWN     (-2)
#define RELEASED    (-1)

/* Where EC2 has an address: on one of our two interfaces, which are in one subnet, or on another node's. */
typedef enum Holder { HOLDER_NOBODY, HOLDER_ETH1, HOLDER_ETH2, HOLDER_OTHER } Holder;

static const char *const ids[] = {"", ENI, "eni-2", "eni-other"};

typedef struct Pending {
    Asked asked;
    bool used, is_delete;
    unsigned address, sequence;
    int owner;
} Pending;

typedef struct World {
    Fixture f;
    uint64_t random;
    Holder holders[N_ADDRESSES];
    bool stolen[N_ADDRESSES]; /* since it was answered: we cannot know */
    int wanted[N_ADDRESSES];  /* an owner, or what cannot be told */
    unsigned sequence[N_ADDRESSES];
    Pending pending[N_ASKED];
    bool calm; /* EC2 makes no mistakes any more */
} World;

static unsigned pick(World *w, unsigned n)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(w->random >> 33) % n;
}

static const char *text_of(unsigned i)
{
    static char text[32];

    if (i < N_IPV4)
        (void)snprintf(text, sizeof(text), "10.0.1.%u", 20 + i);
    else
        (void)snprintf(text, sizeof(text), "2001:db8::%u", 20 + i);
    return text;
}

static int index_of(const char *text)
{
    for (unsigned i = 0; i < N_ADDRESSES; i++)
        if (streq(text_of(i), text))
            return (int)i;
    return -1;
}

static const char *owner_of(int i)
{
    static const char *const owners[N_OWNERS] = {"a", "b", "c"};

    return owners[i];
}

/* ------------------------------------------------------------------ EC2 */

static bool is_ours(Holder holder)
{
    return holder == HOLDER_ETH1 || holder == HOLDER_ETH2;
}

static void hold(World *w, unsigned i, Holder holder)
{
    w->stolen[i] = w->stolen[i] || (is_ours(w->holders[i]) && holder == HOLDER_OTHER);
    w->holders[i] = holder;
}

/* For each address that a call names. */
#define FOR_ADDRESSES(_i, _call)                                                                             \
    for (size_t _k = 0; _k < (_call)->parameters.n; _k++)                                                    \
        for (int _i = index_of((_call)->parameters.items[_k].value); _i >= 0; _i = -1)

static const char *why_not(const World *w, const FakeCall *call, Holder at)
{
    FOR_ADDRESSES(i, call)
    {
        if (streq(call->action, ASSIGN6) && w->holders[i] != HOLDER_NOBODY && w->holders[i] != at)
            return "InvalidIPAddress.InUse";
        if (strncmp(call->action, "Unassign", 8) == 0 && w->holders[i] != at)
            return "InvalidParameterValue";
    }
    return NULL;
}

static void carry_out(World *w, const FakeCall *call, Holder at)
{
    bool unassign = strncmp(call->action, "Unassign", 8) == 0;

    FOR_ADDRESSES(i, call)
    {
        if (!unassign || w->holders[i] == at)
            w->holders[i] = unassign ? HOLDER_NOBODY : at;
        w->stolen[i] = w->stolen[i] && !is_ours(w->holders[i]);
    }
}

static void show(World *w, Buf *xml, Holder holder, const char *id)
{
    assert_int_equal(
        buf_printf(xml, "<item><networkInterfaceId>%s</networkInterfaceId><privateIpAddressesSet>", id), 0);
    for (unsigned i = 0; i < N_IPV4; i++)
        if (w->holders[i] == holder)
            assert_int_equal(
                buf_printf(xml, "<item><privateIpAddress>%s</privateIpAddress></item>", text_of(i)), 0);
    assert_int_equal(buf_puts(xml, "</privateIpAddressesSet><ipv6AddressesSet>"), 0);
    for (unsigned i = N_IPV4; i < N_ADDRESSES; i++)
        if (w->holders[i] == holder)
            assert_int_equal(buf_printf(xml, "<item><ipv6Address>%s</ipv6Address></item>", text_of(i)), 0);
    assert_int_equal(buf_puts(xml, "</ipv6AddressesSet></item>"), 0);
}

static void answer_describe(World *w, FakeCall *call)
{
    _cleanup_buf_ Buf xml = BUF_NULL;

    if (fake_call_get(call, "Filter.1.Name")) {
        show(w, &xml, HOLDER_ETH1, ENI);
        show(w, &xml, HOLDER_ETH2, "eni-2");
        show(w, &xml, HOLDER_OTHER, "eni-other");
    } else if (streq_ptr(fake_call_get(call, "NetworkInterfaceId.1"), "eni-2")) {
        show(w, &xml, HOLDER_ETH2, "eni-2");
    } else {
        assert_true(fake_call_has(call, "NetworkInterfaceId.1", ENI));
        show(w, &xml, HOLDER_ETH1, ENI);
    }
    fake_call_answer(call, "<networkInterfaceSet>%s</networkInterfaceSet>", xml.data);
}

static void answer_done(World *w, FakeCall *call, Holder at)
{
    _cleanup_buf_ Buf xml = BUF_NULL;

    carry_out(w, call, at);
    assert_int_equal(buf_puts(&xml, "<networkInterfaceId>x</networkInterfaceId>"), 0);
    assert_int_equal(buf_puts(&xml, streq(call->action, ASSIGN) ? "<assignedPrivateIpAddressesSet>"
                                                                : "<assignedIpv6Addresses>"),
                     0);
    FOR_ADDRESSES(i, call)
    {
        if (i < (int)N_IPV4)
            assert_int_equal(buf_printf(&xml, "<item><privateIpAddress>%s</privateIpAddress></item>",
                                        text_of((unsigned)i)),
                             0);
        else
            assert_int_equal(buf_printf(&xml, "<item>%s</item>", text_of((unsigned)i)), 0);
    }
    assert_int_equal(buf_puts(&xml, streq(call->action, ASSIGN) ? "</assignedPrivateIpAddressesSet>"
                                                                : "</assignedIpv6Addresses>"),
                     0);
    if (strncmp(call->action, "Unassign", 8) == 0)
        fake_call_answer(call, "<return>true</return>");
    else
        fake_call_answer(call, "%s", xml.data);
}

/* What goes out once more takes nothing from anybody for nobody. */
static void try_again(const World *w, FakeCall *call)
{
    fake_call_throttle(call);
    if (call->answered || !streq(call->action, ASSIGN))
        return;
    FOR_ADDRESSES(i, call)
    {
        const Registration *r = find(&w->f, text_of((unsigned)i));

        if (!r || r->state != REGISTRATION_WANTED)
            fail_msg("%s is assigned for nobody", text_of((unsigned)i));
    }
}

/* The oldest or the newest that waits for an answer. */
static FakeCall *choose_call(World *w)
{
    FakeCall *call = fake_aws_pending(w->f.cloud.aws, NULL);

    if (fake_aws_n_pending(w->f.cloud.aws, NULL) == 1 || pick(w, 2) == 0)
        return call;
    for (size_t i = fake_aws_n(w->f.cloud.aws); i-- > 0;) {
        FakeCall *newest = fake_aws_call(w->f.cloud.aws, i);

        if (newest->call && !newest->answered)
            return newest;
    }
    return call;
}

static Holder place_of(const FakeCall *call)
{
    const char *id = fake_call_get(call, "NetworkInterfaceId");

    return streq_ptr(id, ENI) ? HOLDER_ETH1 : streq_ptr(id, "eni-2") ? HOLDER_ETH2 : HOLDER_OTHER;
}

static void answer(World *w)
{
    FakeCall *call = choose_call(w);
    Holder at = place_of(call);
    unsigned luck = w->calm ? 99 : pick(w, 100);
    const char *code;

    if (call->given_up) {
        fake_call_end(call);
    } else if (call->rests) {
        try_again(w, call);
    } else if (luck < 8) {
        fake_call_fail(call, luck < 4 ? "RequestLimitExceeded" : "UnauthorizedOperation", "no");
    } else if (luck < 16) {
        if (luck < 12 && !streq(call->action, DESCRIBE) && !why_not(w, call, at))
            carry_out(w, call, at);
        fake_call_lose(call);
    } else if (luck < 30) {
        bool ambiguous = luck < 23 && !streq(call->action, DESCRIBE);

        if (ambiguous && luck < 20 && !why_not(w, call, at))
            carry_out(w, call, at);
        fake_call_rest(call, ambiguous);
    } else if (streq(call->action, DESCRIBE)) {
        answer_describe(w, call);
    } else if ((code = why_not(w, call, at))) {
        fake_call_fail(call, code, "not assigned, or in use");
    } else {
        answer_done(w, call, at);
    }
}

/* ------------------------------------------------------------------ requests */

static void collect(World *w)
{
    for (unsigned i = 0; i < N_ASKED; i++) {
        Pending *p = &w->pending[i];

        if (!p->used || p->asked.status == 0)
            continue;
        p->used = false;
        assert_int_equal(p->asked.n, 1);
        assert_null(p->asked.wait);
        if (p->sequence != w->sequence[p->address])
            continue;
        if (p->asked.status == 200)
            w->wanted[p->address] = p->is_delete ? RELEASED : p->owner;
        else if (!p->is_delete)
            w->wanted[p->address] = UNKNOWN;
    }
}

static void request(World *w, bool is_delete)
{
    for (unsigned i = 0; i < N_ASKED; i++) {
        Pending *p = &w->pending[i];

        if (p->used)
            continue;
        *p = (Pending){.used = true, .is_delete = is_delete, .address = pick(w, N_ADDRESSES)};
        p->owner = (int)pick(w, N_OWNERS);
        p->sequence = w->sequence[p->address];
        if (is_delete) {
            give_back(&w->f, &p->asked, text_of(p->address), owner_of(p->owner));
            if (p->asked.status == 409) { /* it changed nothing */
                p->used = false;
                return;
            }
        } else {
            put_on(&w->f, &p->asked, text_of(p->address), pick(w, 2) ? "eth2" : "eth1", owner_of(p->owner));
        }
        p->sequence = ++w->sequence[p->address];
        if (!is_delete || w->wanted[p->address] != RELEASED)
            w->wanted[p->address] = UNKNOWN;
        return;
    }
}

static void start(World *w)
{
    w->f.n_ips = w->f.n_ips6 = 0;
    fixture_show(&w->f, "10.0.1.10");
    w->f.ips6[w->f.n_ips6++] = address("2001:db8::10");
    w->f.n_ips_2 = w->f.n_ips6_2 = 0;
    w->f.ips_2[w->f.n_ips_2++] = (Ec2PrivateIp){.address = address("10.0.2.10"), .primary = true};
    w->f.ips6_2[w->f.n_ips6_2++] = address("2001:db8::11");
    for (unsigned i = 0; i < N_ADDRESSES; i++)
        if (i < N_IPV4 && w->holders[i] == HOLDER_ETH1)
            fixture_show(&w->f, text_of(i));
        else if (i < N_IPV4 && w->holders[i] == HOLDER_ETH2)
            w->f.ips_2[w->f.n_ips_2++] = (Ec2PrivateIp){.address = address(text_of(i))};
        else if (w->holders[i] == HOLDER_ETH1)
            w->f.ips6[w->f.n_ips6++] = address(text_of(i));
        else if (w->holders[i] == HOLDER_ETH2)
            w->f.ips6_2[w->f.n_ips6_2++] = address(text_of(i));
    fixture_start(&w->f);
}

static void kill_and_start(World *w)
{
    fixture_stop(&w->f);
    for (unsigned i = 0; i < N_ASKED; i++)
        if (w->pending[i].used) {
            w->pending[i].asked.wait = registrar_wait_free(w->pending[i].asked.wait);
            w->pending[i].used = false;
        }
    start(w);
}

static void step(World *w)
{
    unsigned what = pick(w, 100), i = pick(w, N_ADDRESSES);

    if (what < 35)
        request(w, false);
    else if (what < 50)
        request(w, true);
    else if (what < 85 && fake_aws_n_pending(w->f.cloud.aws, NULL) > 0)
        answer(w);
    else if (what < 88)
        hold(w, i, HOLDER_OTHER);
    else if (what < 89)
        kill_and_start(w);
    else if (what < 90)
        fake_clock_set((int64_t)time_realtime() > (int64_t)FAKE_CLOCK_REALTIME
                           ? -(int64_t)(5 * USEC_PER_HOUR)
                           : (int64_t)(7 * USEC_PER_HOUR));
    else if (what < 95)
        advance(&w->f, pick(w, 40) * SECOND);
    if (pick(w, 3) > 0)
        settle(&w->f);
    collect(w);
    if (fake_aws_n_pending(w->f.cloud.aws, NULL) == 0)
        fake_aws_forget(w->f.cloud.aws);
}

/* ------------------------------------------------------------------ what must be true */

static void check(World *w, unsigned seed)
{
    for (unsigned i = 0; i < N_ADDRESSES; i++) {
        const Registration *r = find(&w->f, text_of(i));
        bool wanted = r && r->state == REGISTRATION_WANTED;

        if (w->wanted[i] >= 0 && !w->stolen[i] && !(wanted && streq(r->owner, owner_of(w->wanted[i]))))
            fail_msg("seed %u: %s was registered for %s and is not", seed, text_of(i),
                     owner_of(w->wanted[i]));
        if (w->wanted[i] == RELEASED && r)
            fail_msg("seed %u: %s was released and is there", seed, text_of(i));
        if (r && (!wanted || !r->assigned || r->in_flight || r->doubt))
            fail_msg("seed %u: %s is not settled", seed, text_of(i));
        if (wanted && !w->stolen[i] && !streq(ids[w->holders[i]], r->network_interface_id))
            fail_msg("seed %u: %s is registered, and EC2 does not have it", seed, text_of(i));
        if (!r && is_ours(w->holders[i]))
            fail_msg("seed %u: EC2 has %s, and nobody wants it", seed, text_of(i));
    }
    for (unsigned i = 0; i < N_ASKED; i++)
        if (w->pending[i].used)
            fail_msg("seed %u: a request was not answered", seed);
    if (fake_clock_next() != USEC_INFINITY)
        fail_msg("seed %u: a timer is left", seed);
}

static void run(unsigned seed)
{
    World w = {.random = seed * 7919u + 1};

    for (unsigned i = 0; i < N_ADDRESSES; i++)
        w.wanted[i] = UNKNOWN;
    fixture_init(&w.f);
    w.f.same_subnet = true;
    w.f.options.stale_grace = USEC_PER_MINUTE;
    start(&w);
    for (unsigned i = 0; i < 150; i++)
        step(&w);

    w.calm = true;
    for (unsigned i = 0; i < 200; i++) {
        settle(&w.f);
        while (fake_aws_n_pending(w.f.cloud.aws, NULL) > 0) {
            answer(&w);
            settle(&w.f);
        }
        collect(&w);
        fake_aws_forget(w.f.cloud.aws);
        advance(&w.f, 10 * SECOND);
    }
    check(&w, seed);
    fixture_done(&w.f);
}

static void test_random(void **unused _unused_)
{
    const char *only = getenv("REGISTRAR_SEED");
    unsigned n = getenv("REGISTRAR_RUNS") ? (unsigned)strtoul(getenv("REGISTRAR_RUNS"), NULL, 10) : 300;

    if (only) {
        run((unsigned)strtoul(only, NULL, 10));
        return;
    }
    for (unsigned seed = 1; seed <= n; seed++)
        run(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
    };

    log_set_max_level(LOG_CRIT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
