/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the registrar remembers: across restarts, reboots, clocks that are set and disks that are full;
 * and that it forgets what is over, whenever it ends.
 */

#include "lib/fake-aws/registry.h"
#include "util/log.h"
#include <malloc.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------ memory across restarts */

static void test_restart(void **unused _unused_)
{
    Asked asked = {0};
    Registration r;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    register_ok(&f, "10.0.1.21", "b");
    advance(&f, 2 * USEC_PER_MINUTE);
    put(&f, &asked, "10.0.1.22", "never answered");
    settle(&f);
    assert_int_equal(stored(&f, "10.0.1.22", &r), 0);
    fixture_stop(&f); /* as SIGKILL leaves it */
    asked.wait = registrar_wait_free(asked.wait);

    fixture_show(&f, "10.0.1.20");
    fixture_show(&f, "10.0.1.22"); /* EC2 did it all the same */
    fixture_start(&f);
    assert_int_equal(pending(&f, NULL), 0);
    put(&f, &asked, "10.0.1.20", "a");
    assert_int_equal(asked.status, 200);
    assert_null(find(&f, "10.0.1.21"));
    assert_int_equal(find(&f, "10.0.1.22")->state, REGISTRATION_RELEASED);
    advance(&f, 40 * SECOND);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, UNASSIGN), "PrivateIpAddress.1", "10.0.1.22"));
    unassign_ok(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 1);
    fixture_done(&f);
}

/* EC2's describe is behind what was answered: it is believed for a minute, then looked at. */
static void test_restart_fresh(void **unused _unused_)
{
    static const char *const shown[] = {"10.0.1.10 10.0.1.20", "10.0.1.10"};

    for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
        Fixture f;

        fixture_init(&f);
        fixture_start(&f);
        register_ok(&f, "10.0.1.20", "a");
        fixture_stop(&f);
        fixture_start(&f);
        advance(&f, 59 * SECOND);
        assert_int_equal(pending(&f, NULL), 0);
        advance(&f, 2 * SECOND);
        fail_call(&f, DESCRIBE, "RequestLimitExceeded", "later");
        advance(&f, 31 * SECOND);
        look_answer(&f, ENI, shown[i], "");
        assert_int_equal(find(&f, "10.0.1.20") != NULL, i == 0);
        assert_int_equal(fake_clock_next(), USEC_INFINITY);
        fixture_done(&f);
    }
}

/*
 * Killed while an address moved within the node: who asked for that was not answered, who had it was. EC2
 * shows it where it was to go.
 */
static void test_killed_while_moving(void **unused _unused_)
{
    static const struct {
        bool fails;
        const char *interface;
    } cases[] = {{false, "eni-2"}, {true, ENI}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        Asked asked = {0}, moving = {0};
        Registration stored_as;
        Fixture f;

        fixture_init(&f);
        fixture_start(&f);
        put_on(&f, &asked, "2001:db8::20", "eth2", "a");
        settle(&f);
        assign6_ok(&f, "2001:db8::20");
        put_on(&f, &moving, "2001:db8::20", "eth1", "b");
        settle(&f);
        fixture_stop(&f);
        moving.wait = registrar_wait_free(moving.wait);
        fake_aws_forget(f.cloud.aws);

        /* Not fresh any more: that is no reason to give it up. */
        advance(&f, 5 * USEC_PER_MINUTE);
        f.ips6[f.n_ips6++] = address("2001:db8::20");
        fixture_start(&f);
        assert_int_equal(stored(&f, "2001:db8::20", &stored_as), 1);
        assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, ASSIGN6), "NetworkInterfaceId", "eni-2"));
        if (cases[i].fails)
            fail_call(&f, ASSIGN6, "UnauthorizedOperation", "no");
        else
            assign6_ok(&f, "2001:db8::20");
        assert_true(find(&f, "2001:db8::20")->assigned);
        assert_string_equal(find(&f, "2001:db8::20")->owner, "a");
        assert_string_equal(find(&f, "2001:db8::20")->network_interface_id, cases[i].interface);
        advance(&f, 5 * USEC_PER_MINUTE);
        assert_int_equal(fake_aws_n_pending(f.cloud.aws, NULL), 0);
        fixture_done(&f);
    }
}

/* Who had it is told that it is somebody else's when that is on disk: he does not ask again. */
static void test_taken_over_and_given_back(void **unused _unused_)
{
    Asked asked = {0}, given_back = {0};
    Registration r;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "b");
    put(&f, &asked, "10.0.1.20", "c");
    give_back(&f, &given_back, "10.0.1.20", "b");
    assert_int_equal(stored(&f, "10.0.1.20", &r), 1);
    assert_string_equal(find(&f, "10.0.1.20")->owner, "c");
    assert_int_equal(asked.status, 0);
    assert_int_equal(given_back.status, 0);
    settle(&f);
    assert_int_equal(asked.status, 200);
    assert_int_equal(given_back.status, 409);
    assert_string_equal(given_back.code, "owned_by_another");
    fixture_done(&f);
}

/* An interface fails at one start: with the next one everything on it is as before. */
static void test_interface_missing(void **unused _unused_)
{
    Asked asked = {0}, other = {0}, mine = {0};
    InAddr away;
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    register_ok(&f, "10.0.1.21", "b");
    register_ok(&f, "10.0.1.22", "c");
    put_on(&f, &asked, "2001:db8::20", "eth1", "d");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    fixture_stop(&f);

    f.without_eth1 = true;
    advance(&f, 5 * USEC_PER_MINUTE);
    fixture_start(&f);
    assert_null(find(&f, "10.0.1.20"));
    assert_int_equal(stored(&f, "10.0.1.20", NULL), 1);
    put(&f, &other, "10.0.1.20", "a");
    assert_int_equal(other.status, 422);
    give_back(&f, &other, "10.0.1.21", "a");
    assert_int_equal(other.status, 409);
    assert_string_equal(other.code, "owned_by_another");
    give_back(&f, &mine, "10.0.1.21", "b");
    settle(&f);
    assert_int_equal(mine.status, 200);
    /* On another interface meanwhile. */
    asked = (Asked){0};
    put_on(&f, &asked, "2001:db8::20", "eth2", "e");
    settle(&f);
    assert_int_equal(stored(&f, "2001:db8::20", NULL), 1);
    assign6_ok(&f, "2001:db8::20");
    assert_int_equal(asked.status, 200);
    assert_int_equal(stored(&f, "2001:db8::20", NULL), 1);
    assert_int_equal(pending(&f, NULL), 0);
    fixture_stop(&f);

    f.without_eth1 = false;
    fixture_show(&f, "10.0.1.20");
    fixture_show(&f, "10.0.1.21");
    fixture_start(&f);
    assert_string_equal(find(&f, "10.0.1.20")->owner, "a");
    assert_int_equal(find(&f, "10.0.1.20")->state, REGISTRATION_WANTED);
    assert_int_equal(find(&f, "10.0.1.21")->state, REGISTRATION_RELEASED);
    assert_null(find(&f, "10.0.1.22"));
    away = address("10.0.1.22");
    assert_non_null(state_find_moved_away(registrar_state(f.registrar), &away));
    assert_string_equal(find(&f, "2001:db8::20")->owner, "e");
    fixture_stop(&f);

    /* Whoever had it has ended with the boot. */
    f.without_eth1 = true;
    f.options.boot_id = "boot-2";
    fixture_start(&f);
    assert_int_equal(stored(&f, "10.0.1.20", NULL), 0);
    fixture_done(&f);
}

/* Which IPv6 address is the interface's own is known, whatever was left there and in whatever order. */
static void test_own_ipv6(void **unused _unused_)
{
    for (size_t i = 0; i < 3; i++) {
        Asked asked = {0};
        Fixture f;

        fixture_init(&f);
        f.without_own6 = i == 2;
        if (!f.without_own6)
            f.ips6[f.n_ips6++] = address("2001:db8::10");
        fixture_start(&f);
        put_on(&f, &asked, "2001:db8::50", "eth1", "pod");
        settle(&f);
        assert_int_equal(pending(&f, ASSIGN6), 1);
        fixture_stop(&f); /* killed, and EC2 did it */
        asked.wait = registrar_wait_free(asked.wait);
        fake_aws_forget(f.cloud.aws);

        f.ips6[f.n_ips6++] = address("2001:db8::50");
        if (i == 1) {
            f.ips6[0] = f.ips6[1];
            f.ips6[1] = address("2001:db8::10");
        }
        fixture_start(&f);
        assert_null(find(&f, "2001:db8::10"));
        assert_int_equal(find(&f, "2001:db8::50")->state, REGISTRATION_RELEASED);
        put_on(&f, &asked, "2001:db8::10", "eth1", "pod");
        assert_int_equal(asked.status, i == 2 ? 0 : 409);
        asked.wait = registrar_wait_free(asked.wait);
        fixture_done(&f);
    }
}

static void write_file(const Fixture *f, const char *text)
{
    FILE *file = fopen(f->cloud.path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Nothing is remembered, and EC2 lists them as it likes: what is claimed is not the own one, and it stays. */
static void test_own_ipv6_forgotten(void **unused _unused_)
{
    for (unsigned restarted = 0; restarted < 2; restarted++) {
        Asked asked = {0}, own = {0};
        Fixture f;

        fixture_init(&f);
        write_file(&f, "damaged");
        f.ips6[f.n_ips6++] = address("2001:db8:0:0:ff::50");
        f.ips6[f.n_ips6++] = address("2001:db8:0:0:8f::10");
        f.ips6[f.n_ips6++] = address("2001:db8::60");
        fixture_start(&f);
        if (restarted) {
            settle(&f);
            fixture_stop(&f);
            fixture_start(&f);
        }
        put_on(&f, &asked, "2001:db8:0:0:ff::50", "eth1", "pod");
        settle(&f);
        assign6_ok(&f, "2001:db8:0:0:ff::50");
        assert_int_equal(asked.status, 200);
        advance(&f, f.options.stale_grace + USEC_PER_MINUTE);
        assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, "UnassignIpv6Addresses"), "Ipv6Addresses.1",
                                  "2001:db8::60"));
        cloud_answer(&f.cloud, "UnassignIpv6Addresses");
        settle(&f);
        assert_int_equal(pending(&f, NULL), 0);
        assert_int_equal(state_n(registrar_state(f.registrar)), 1);
        put_on(&f, &own, "2001:db8:0:0:8f::10", "eth1", "pod");
        assert_string_equal(own.code, "reserved");

        /* It is remembered. */
        fixture_stop(&f);
        fixture_start(&f);
        put_on(&f, &own, "2001:db8:0:0:8f::10", "eth1", "pod");
        assert_string_equal(own.code, "reserved");
        fixture_done(&f);
    }
}

/* Killed while the one that was claimed is assigned: the file knows the other one only. */
static void test_own_ipv6_forgotten_and_killed(void **unused _unused_)
{
    Asked asked = {0}, other = {0};
    Fixture f;

    fixture_init(&f);
    write_file(&f, "damaged");
    f.ips6[f.n_ips6++] = address("2001:db8::20");
    f.ips6[f.n_ips6++] = address("2001:db8::abcd:1");
    fixture_start(&f);
    put_on(&f, &asked, "2001:db8::20", "eth1", "pod");
    put(&f, &other, "10.0.2.50", "other"); /* the file is written for it */
    settle(&f);
    assign_ok(&f);
    assert_int_equal(other.status, 200);
    assert_int_equal(stored(&f, "2001:db8::20", NULL), 0);
    assert_int_equal(stored(&f, "2001:db8::abcd:1", NULL), 1);
    fixture_stop(&f);
    asked.wait = registrar_wait_free(asked.wait);
    fake_aws_forget(f.cloud.aws);
    fixture_start(&f);
    put_on(&f, &asked, "2001:db8::20", "eth1", "pod");
    settle(&f);
    assign6_ok(&f, "2001:db8::20");
    assert_int_equal(asked.status, 200);
    advance(&f, f.options.stale_grace + USEC_PER_MINUTE);
    assert_int_equal(pending(&f, "UnassignIpv6Addresses"), 0);
    assert_null(find(&f, "2001:db8::abcd:1"));
    fixture_done(&f);
}

/* Another address is the own one by now: that is believed, and remembered. */
static void test_own_ipv6_changed(void **unused _unused_)
{
    Fixture f;

    fixture_init(&f);
    f.ips6[f.n_ips6++] = address("2001:db8::10");
    fixture_start(&f);
    fixture_stop(&f);
    f.ips6[0] = address("2001:db8::11");
    fixture_start(&f);
    fixture_stop(&f);
    f.ips6[0] = address("2001:db8::10");
    f.ips6[f.n_ips6++] = address("2001:db8::11");
    fixture_start(&f);
    assert_null(find(&f, "2001:db8::11"));
    assert_int_equal(find(&f, "2001:db8::10")->state, REGISTRATION_RELEASED);
    fixture_done(&f);
}

/* Taken over while EC2 was asked for the first owner: the newer one was answered, and is remembered. */
static void test_killed_when_taken_over(void **unused _unused_)
{
    Asked first = {0}, second = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put(&f, &first, "10.0.1.20", "pod-a");
    settle(&f);
    put(&f, &second, "10.0.1.20", "pod-b");
    settle(&f);
    assign_ok(&f);
    assert_int_equal(second.status, 200);
    fixture_stop(&f);
    fixture_show(&f, "10.0.1.10");
    fixture_show(&f, "10.0.1.20");
    fixture_start(&f);
    assert_string_equal(find(&f, "10.0.1.20")->owner, "pod-b");
    fixture_done(&f);
}

static void test_reboot(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    register_ok(&f, "10.0.1.21", "b");
    fixture_stop(&f);

    fixture_show(&f, "10.0.1.20");
    fixture_show(&f, "10.0.1.21");
    f.options.boot_id = "boot-2";
    fixture_start(&f);
    assert_int_equal(find(&f, "10.0.1.20")->state, REGISTRATION_STALE);
    advance(&f, 5 * USEC_PER_MINUTE);
    put(&f, &asked, "10.0.1.20", "a-new");
    settle(&f);
    assign_ok(&f);
    assert_int_equal(asked.status, 200);
    /* A crash does not begin the grace anew. */
    fixture_stop(&f);
    fixture_start(&f);
    advance(&f, 4 * USEC_PER_MINUTE);
    assert_int_equal(pending(&f, UNASSIGN), 0);
    advance(&f, 2 * USEC_PER_MINUTE);
    assert_true(fake_call_has(fake_aws_pending(f.cloud.aws, UNASSIGN), "PrivateIpAddress.1", "10.0.1.21"));
    assert_null(fake_call_get(fake_aws_pending(f.cloud.aws, UNASSIGN), "PrivateIpAddress.2"));
    unassign_ok(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 1);
    fixture_done(&f);
}

static void test_bad_files(void **unused _unused_)
{
    static const struct {
        const char *text, *suffix;
        RegistrationState state;
    } rows[] = {
        {"{\"version\":1,\"instance_id\":\"i-1\",\"addr", "damaged", REGISTRATION_STALE},
        {"", "damaged", REGISTRATION_STALE},
        {"{\"version\":2,\"new\":true}", "newer", REGISTRATION_STALE},
        {"{\"version\":1,\"instance_id\":\"i-other\",\"addresses\":[]}", "foreign", REGISTRATION_RELEASED},
    };
    char path[128];
    Fixture f;

    fixture_init(&f);
    fixture_show(&f, "10.0.1.20");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        write_file(&f, rows[i].text);
        fixture_start(&f);
        (void)snprintf(path, sizeof(path), "%s.%s", f.cloud.path, rows[i].suffix);
        assert_int_equal(access(path, F_OK), 0);
        assert_int_equal(find(&f, "10.0.1.20")->state, rows[i].state);
        fixture_stop(&f);
        assert_int_equal(unlink(path), 0);
    }
    fixture_done(&f);
}

static void test_unwritable(void **unused _unused_)
{
    char path[128];
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    (void)snprintf(path, sizeof(path), "%s/absent/addresses.json", f.cloud.dir);
    f.options.store_path = path;
    fixture_start(&f);
    register_ok(&f, "10.0.1.20", "a");
    put(&f, &asked, "10.0.1.20", "a");
    assert_int_equal(asked.status, 200);
    /* It is tried again, and then on disk. */
    (void)snprintf(path, sizeof(path), "%s/absent", f.cloud.dir);
    assert_int_equal(mkdir(path, 0700), 0);
    advance(&f, 31 * SECOND);
    assert_int_equal(fake_clock_next(), USEC_INFINITY);
    (void)snprintf(path, sizeof(path), "%s/absent/addresses.json", f.cloud.dir);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof(path), "%s/absent", f.cloud.dir);
    assert_int_equal(rmdir(path), 0);
    fixture_done(&f);
}

/* The interface's own IPv6 address is not given up, and nothing is written when nothing changed. */
static void test_start_changes_nothing(void **unused _unused_)
{
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    assert_int_equal(fake_clock_next(), USEC_INFINITY);
    assert_int_equal(access(f.cloud.path, F_OK), -1);
    fixture_done(&f);
}

/* Cooldowns are durations: a clock that is set neither ends nor prolongs them. */
static void test_clock_set(void **unused _unused_)
{
    static const int64_t jumps[] = {(int64_t)(365 * USEC_PER_DAY), -(int64_t)(365 * USEC_PER_DAY)};

    for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
        Asked deleted = {0}, asked = {0};
        Fixture f;

        fixture_init(&f);
        fixture_start(&f);
        register_ok(&f, "10.0.1.20", "a");
        give_back(&f, &deleted, "10.0.1.20", "a");
        settle(&f);
        fake_clock_set(jumps[i]);
        put(&f, &asked, "10.0.1.21", "b"); /* makes it look at what is due */
        settle(&f);
        assign_ok(&f);
        assert_int_equal(pending(&f, UNASSIGN), 0);
        advance(&f, 20 * SECOND);
        assert_int_equal(pending(&f, UNASSIGN), 0);
        advance(&f, 20 * SECOND);
        unassign_ok(&f);
        /* Set back while the daemon did not run. */
        give_back(&f, &deleted, "10.0.1.21", "b");
        settle(&f);
        fixture_stop(&f);
        fixture_show(&f, "10.0.1.21");
        fake_clock_set(-(int64_t)USEC_PER_DAY);
        fixture_start(&f);
        advance(&f, 40 * SECOND);
        unassign_ok(&f);
        fixture_done(&f);
    }
}

/* ------------------------------------------------------------------ ends */

static void test_abandoned(void **unused _unused_)
{
    Asked asked = {0};
    Fixture f;

    fixture_init(&f);
    fixture_start(&f);
    put(&f, &asked, "10.0.1.20", "a");
    settle(&f);
    asked.wait = registrar_wait_free(asked.wait);
    assign_ok(&f);
    assert_int_equal(asked.n, 0);
    assert_true(find(&f, "10.0.1.20")->assigned);
    assert_int_equal(stored(&f, "10.0.1.20", NULL), 1);
    fixture_done(&f);
}

/* Freed with every kind of work under way, and from inside a handler. */
static void test_free_any_time(void **unused _unused_)
{
    for (unsigned stage = 0; stage < 8; stage++) {
        Asked asked = {0}, other = {0};
        Fixture f;

        fixture_init(&f);
        begin_conflict(&f, &asked);
        put(&f, &other, "10.0.1.30", "b");
        if (stage >= 1)
            settle(&f);
        if (stage >= 2)
            look_answer(&f, "eni-other", "", "2001:db8::20");
        if (stage >= 3)
            cloud_answer(&f.cloud, "UnassignIpv6Addresses");
        if (stage >= 4)
            fake_call_fail(fake_aws_pending(f.cloud.aws, ASSIGN6), "UnauthorizedOperation", "no");
        if (stage == 5)
            asked.fixture = &f;
        if (stage >= 5)
            cloud_fail(&f.cloud, ASSIGN6, "UnauthorizedOperation", "no");
        if (stage >= 6)
            settle(&f);
        if (stage == 5)
            settle(&f);
        fixture_stop(&f);
        asked.wait = registrar_wait_free(asked.wait);
        other.wait = registrar_wait_free(other.wait);
        fixture_done(&f);
    }
}

/* Nothing is kept of what is over. The times are few: each waits for the disk. */
static void test_no_growth(void **unused _unused_)
{
    struct mallinfo2 before = {0}, after;
    Asked deleted = {0};
    Fixture f;

    fixture_init(&f);
    f.options.release_cooldown = 0;
    fixture_start(&f);
    for (unsigned i = 0; i < 600; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "10.0.1.%u", 20 + i % 200);
        register_ok(&f, text, "pod");
        give_back(&f, &deleted, text, "pod");
        settle(&f);
        unassign_ok(&f);
        fake_aws_forget(f.cloud.aws);
        if (i == 200)
            before = mallinfo2();
    }
    after = mallinfo2();
    assert_int_equal(state_n(registrar_state(f.registrar)), 0);
    assert_true(after.uordblks <= before.uordblks + 1024);
    fixture_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_restart_fresh),
        cmocka_unit_test(test_killed_while_moving),
        cmocka_unit_test(test_taken_over_and_given_back),
        cmocka_unit_test(test_interface_missing),
        cmocka_unit_test(test_own_ipv6),
        cmocka_unit_test(test_own_ipv6_forgotten),
        cmocka_unit_test(test_own_ipv6_forgotten_and_killed),
        cmocka_unit_test(test_own_ipv6_changed),
        cmocka_unit_test(test_killed_when_taken_over),
        cmocka_unit_test(test_reboot),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_unwritable),
        cmocka_unit_test(test_start_changes_nothing),
        cmocka_unit_test(test_clock_set),
        cmocka_unit_test(test_abandoned),
        cmocka_unit_test(test_free_any_time),
        cmocka_unit_test(test_no_growth),
    };

    log_set_max_level(LOG_CRIT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
