#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* What every test of the registrar begins with: a fake EC2, clocks, two interfaces, and what it answers. */

#include "lib/fake-aws/cloud.h"
#include "lib/test.h"
#include "register/registrar.h"
#include "state/store.h"

#define ENI      "eni-1"
#define ASSIGN   "AssignPrivateIpAddresses"
#define UNASSIGN "UnassignPrivateIpAddresses"
#define ASSIGN6  "AssignIpv6Addresses"
#define DESCRIBE "DescribeNetworkInterfaces"
#define SECOND   USEC_PER_SEC

typedef struct Fixture {
    Cloud cloud;
    Registrar *registrar;
    RegistrarOptions options;
    /* What EC2 shows on eth1 at the next start. */
    Ec2PrivateIp ips[12];
    size_t n_ips;
    InAddr ips6[8];
    size_t n_ips6;
    /* And on eth2; none: its primary. */
    Ec2PrivateIp ips_2[12];
    size_t n_ips_2;
    InAddr ips6_2[8];
    size_t n_ips6_2;
    bool same_subnet;  /* eth2 is in eth1's */
    bool without_own6; /* interfaces have no IPv6 address of their own */
    bool without_eth1; /* it has failed at the next start */
} Fixture;

/* One request and its answer. */
typedef struct Asked {
    RegistrarWait *wait;
    unsigned status; /* 0: not answered yet */
    unsigned n;
    char code[32], message[256], ec2_code[64], request_id[64], interface[16];
    Fixture *fixture; /* handler frees the registrar */
} Asked;

/** address() - parse, or fail the test */
InAddr address(const char *text);

/** fixture_show() - EC2 shows it on eth1 at the next start; the first one is the primary */
void fixture_show(Fixture *fixture, const char *text);

/** settle() - run the loop until it has nothing to do */
void settle(Fixture *fixture);

/** fixture_start() - a registrar with eth1 and eth2, started */
void fixture_start(Fixture *fixture);

/** fixture_init() - a fake EC2, clocks, options; nothing is started */
void fixture_init(Fixture *fixture);

/** fixture_stop() - as SIGKILL leaves it */
void fixture_stop(Fixture *fixture);

/** fixture_done() - the end */
void fixture_done(Fixture *fixture);

/** put_until() - register with a deadline, CLOCK_MONOTONIC; the answer goes to asked */
void put_until(Fixture *fixture, Asked *asked, const char *text, const char *interface, const char *owner,
               usec_t deadline);

/** put_on() - likewise, with an hour's time */
void put_on(Fixture *fixture, Asked *asked, const char *text, const char *interface, const char *owner);

/** put() - likewise, without an interface */
void put(Fixture *fixture, Asked *asked, const char *text, const char *owner);

/** give_back() - release */
void give_back(Fixture *fixture, Asked *asked, const char *text, const char *owner);

/** give_back_ok() - likewise, with success */
void give_back_ok(Fixture *fixture, const char *text, const char *owner);

/** find() - what the registrar knows of an address, or NULL */
Registration *find(const Fixture *fixture, const char *text);

/** assign_ok() - EC2 assigns everything that the oldest call asked for */
void assign_ok(Fixture *fixture);

/** assign6_ok() - likewise, one IPv6 address */
void assign6_ok(Fixture *fixture, const char *text);

/** unassign_ok() - EC2 unassigns what the oldest call asked for */
void unassign_ok(Fixture *fixture);

/** fail_call() - the oldest call of an action fails */
void fail_call(Fixture *fixture, const char *action, const char *code, const char *message);

/** look_answer() - EC2 shows these on an interface, separated by blanks */
void look_answer(Fixture *fixture, const char *eni, const char *ips, const char *ips6);

/** pending() - calls that wait for an answer */
size_t pending(const Fixture *fixture, const char *action);

/** register_ok() - register an address, with success */
void register_ok(Fixture *fixture, const char *text, const char *owner);

/** stored() - whether a daemon started now would find it; its strings are gone */
size_t stored(const Fixture *fixture, const char *text, Registration *ret);

/** advance() - let time pass */
void advance(Fixture *fixture, usec_t usec);

/** begin_conflict() - start, and let another interface have 2001:db8::20 */
void begin_conflict(Fixture *f, Asked *asked);
