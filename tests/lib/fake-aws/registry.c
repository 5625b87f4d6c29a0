/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What every test of the registrar begins with. The loop is run until it rests after each thing that
 * happens, so that a test reads as a sequence of events.
 */

#include "lib/fake-aws/registry.h"
#include <stdio.h>
#include <unistd.h>

InAddr address(const char *text)
{
    InAddr result;

    assert_int_equal(in_addr_parse(text, &result), 0);
    return result;
}

void fixture_show(Fixture *fixture, const char *text)
{
    fixture->ips[fixture->n_ips] = (Ec2PrivateIp){.address = address(text), .primary = fixture->n_ips == 0};
    fixture->n_ips++;
}

static void fixture_add(Fixture *fixture, const char *id, const char *ifname,
                        const Ec2NetworkInterface *record)
{
    RegistrarInterface interface = {.network_interface_id = id,
                                    .ifname = ifname,
                                    .network = ifname,
                                    .ipv6 = !fixture->without_own6,
                                    .record = record};

    assert_int_equal(in_prefix_parse("10.0.1.0/24", &interface.cidr_block), 0);
    assert_int_equal(in_prefix_parse("2001:db8::/64", &interface.ipv6_cidr_block), 0);
    if (streq(ifname, "eth2") && !fixture->same_subnet)
        assert_int_equal(in_prefix_parse("10.0.2.0/24", &interface.cidr_block), 0);
    assert_int_equal(registrar_add_interface(fixture->registrar, &interface), 0);
}

void settle(Fixture *fixture)
{
    while (sd_event_run(fixture->cloud.event, 0) > 0)
        ;
}

void fixture_start(Fixture *fixture)
{
    Ec2PrivateIp other = {.address = address("10.0.2.10"), .primary = true};
    Ec2NetworkInterface record = {.private_ips = fixture->ips,
                                  .n_private_ips = fixture->n_ips,
                                  .ipv6_addresses = fixture->ips6,
                                  .n_ipv6_addresses = fixture->n_ips6};
    Ec2NetworkInterface record2 = {.private_ips = fixture->n_ips_2 > 0 ? fixture->ips_2 : &other,
                                   .n_private_ips = MAX(fixture->n_ips_2, (size_t)1),
                                   .ipv6_addresses = fixture->ips6_2,
                                   .n_ipv6_addresses = fixture->n_ips6_2};

    assert_int_equal(registrar_new(&fixture->registrar, &fixture->options), 0);
    if (fixture->without_eth1)
        assert_int_equal(registrar_add_absent(fixture->registrar, ENI), 0);
    else
        fixture_add(fixture, ENI, "eth1", &record);
    fixture_add(fixture, "eni-2", "eth2", &record2);
    assert_int_equal(registrar_start(fixture->registrar), 0);
    settle(fixture);
}

void fixture_init(Fixture *fixture)
{
    *fixture = (Fixture){0};
    cloud_init(&fixture->cloud);
    fixture->options = (RegistrarOptions){
        .event = fixture->cloud.event,
        .aws = fixture->cloud.aws,
        .store_path = fixture->cloud.path,
        .instance_id = CLOUD_INSTANCE,
        .boot_id = "boot-1",
        .allow_reassign = true,
        .release_cooldown = 30 * SECOND,
        .stale_grace = 10 * USEC_PER_MINUTE,
    };
    fixture_show(fixture, "10.0.1.10");
}

void fixture_stop(Fixture *fixture)
{
    fixture->registrar = registrar_free(fixture->registrar);
}

void fixture_done(Fixture *fixture)
{
    static const char *const suffixes[] = {"damaged", "newer", "foreign"};
    char path[128];

    fixture_stop(fixture);
    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        (void)snprintf(path, sizeof(path), "%s.%s", fixture->cloud.path, suffixes[i]);
        (void)unlink(path);
    }
    cloud_done(&fixture->cloud);
}

static void on_answer(const RegistrarResult *result, void *userdata)
{
    Asked *asked = userdata;

    asked->status = result->status;
    asked->n++;
    asked->wait = registrar_wait_free(asked->wait);
    if (result->status != 200) {
        assert_int_equal(result->error.status, result->status);
        (void)snprintf(asked->code, sizeof(asked->code), "%s", result->error.code);
        (void)snprintf(asked->message, sizeof(asked->message), "%s", result->error.message);
        if (result->error.ec2_code)
            (void)snprintf(asked->ec2_code, sizeof(asked->ec2_code), "%s", result->error.ec2_code);
        if (result->error.ec2_request_id)
            (void)snprintf(asked->request_id, sizeof(asked->request_id), "%s", result->error.ec2_request_id);
    } else if (result->interface) {
        (void)snprintf(asked->interface, sizeof(asked->interface), "%s", result->interface);
    }
    if (asked->fixture)
        fixture_stop(asked->fixture);
}

void put_until(Fixture *fixture, Asked *asked, const char *text, const char *interface, const char *owner,
               usec_t deadline)
{
    InAddr a = address(text);
    RegistrarWait *wait = NULL;

    *asked = (Asked){.fixture = asked->fixture};
    assert_int_equal(
        registrar_register(fixture->registrar, &a, interface, owner, deadline, on_answer, asked, &wait), 0);
    asked->wait = wait;
}

void put_on(Fixture *fixture, Asked *asked, const char *text, const char *interface, const char *owner)
{
    put_until(fixture, asked, text, interface, owner, FAKE_CLOCK_MONOTONIC + USEC_PER_HOUR);
}

void put(Fixture *fixture, Asked *asked, const char *text, const char *owner)
{
    put_on(fixture, asked, text, NULL, owner);
}

void give_back(Fixture *fixture, Asked *asked, const char *text, const char *owner)
{
    InAddr a = address(text);
    RegistrarWait *wait = NULL;

    *asked = (Asked){0};
    assert_int_equal(registrar_release(fixture->registrar, &a, owner, on_answer, asked, &wait), 0);
    asked->wait = wait;
}

void give_back_ok(Fixture *fixture, const char *text, const char *owner)
{
    Asked asked = {0};

    give_back(fixture, &asked, text, owner);
    settle(fixture);
    assert_int_equal(asked.status, 200);
}

Registration *find(const Fixture *fixture, const char *text)
{
    InAddr a = address(text);

    return state_find(registrar_state(fixture->registrar), &a);
}

/* EC2 assigns everything that the oldest call asked for. */
void assign_ok(Fixture *fixture)
{
    FakeCall *call = fake_aws_pending(fixture->cloud.aws, ASSIGN);
    _cleanup_buf_ Buf xml = BUF_NULL;
    char key[32];
    const char *value;

    for (unsigned i = 1;
         (void)snprintf(key, sizeof(key), "PrivateIpAddress.%u", i), (value = fake_call_get(call, key)); i++)
        assert_int_equal(buf_printf(&xml, "<item><privateIpAddress>%s</privateIpAddress></item>", value), 0);
    fake_call_answer(call,
                     "<networkInterfaceId>%s</networkInterfaceId><assignedPrivateIpAddressesSet>%s"
                     "</assignedPrivateIpAddressesSet>",
                     ENI, xml.data);
    settle(fixture);
}

void assign6_ok(Fixture *fixture, const char *text)
{
    fake_call_answer(fake_aws_pending(fixture->cloud.aws, ASSIGN6),
                     "<networkInterfaceId>x</networkInterfaceId><assignedIpv6Addresses><item>%s</item>"
                     "</assignedIpv6Addresses>",
                     text);
    settle(fixture);
}

void unassign_ok(Fixture *fixture)
{
    cloud_answer(&fixture->cloud, UNASSIGN);
    settle(fixture);
}

void fail_call(Fixture *fixture, const char *action, const char *code, const char *message)
{
    cloud_fail(&fixture->cloud, action, code, message);
    settle(fixture);
}

/* EC2 shows these on our interface, separated by blanks. */
void look_answer(Fixture *fixture, const char *eni, const char *ips, const char *ips6)
{
    _cleanup_strlist_ StrList list = STRLIST_NULL, list6 = STRLIST_NULL;
    _cleanup_buf_ Buf xml = BUF_NULL;

    assert_int_equal(strlist_split(ips, &list) | strlist_split(ips6, &list6), 0);
    assert_int_equal(buf_printf(&xml,
                                "<item><networkInterfaceId>%s</networkInterfaceId>"
                                "<privateIpAddressesSet>",
                                eni),
                     0);
    for (size_t i = 0; i < list.n; i++)
        assert_int_equal(
            buf_printf(&xml, "<item><privateIpAddress>%s</privateIpAddress></item>", list.items[i]), 0);
    assert_int_equal(buf_puts(&xml, "</privateIpAddressesSet><ipv6AddressesSet>"), 0);
    for (size_t i = 0; i < list6.n; i++)
        assert_int_equal(buf_printf(&xml, "<item><ipv6Address>%s</ipv6Address></item>", list6.items[i]), 0);
    assert_int_equal(buf_puts(&xml, "</ipv6AddressesSet></item>"), 0);
    cloud_answer_look(&fixture->cloud, &xml);
    settle(fixture);
}

size_t pending(const Fixture *fixture, const char *action)
{
    return fake_aws_n_pending(fixture->cloud.aws, action);
}

void register_ok(Fixture *fixture, const char *text, const char *owner)
{
    Asked asked = {0};

    put(fixture, &asked, text, owner);
    settle(fixture);
    assign_ok(fixture);
    assert_int_equal(asked.status, 200);
}

/* What a daemon started now would find. */
size_t stored(const Fixture *fixture, const char *text, Registration *ret)
{
    _cleanup_(state_freep) State *state = NULL;
    InAddr a = address(text);
    const Registration *r;

    if (store_load(fixture->cloud.path, CLOUD_INSTANCE, &state) != 0)
        return 0;
    r = state_find(state, &a);
    if (r && ret)
        *ret = *r;
    return r ? 1 : 0;
}

void advance(Fixture *fixture, usec_t usec)
{
    fake_clock_advance(fixture->cloud.event, usec);
    settle(fixture);
}

void begin_conflict(Fixture *f, Asked *asked)
{
    fixture_start(f);
    put_on(f, asked, "2001:db8::20", "eth1", "pod");
    settle(f);
    fail_call(f, ASSIGN6, "InvalidIPAddress.InUse", "Address 2001:db8::20 is in use.");
}
