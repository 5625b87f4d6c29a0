/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One interface against a fake of AWS that answers when and as the test wants.
 */

#include "lib/fake-aws/one-eni.h"
#include "lib/test.h"
#include <stdio.h>

static void on_event(Eni *eni, EniEventType event, void *userdata)
{
    static const char *const names[] = {
        [ENI_EVENT_CREATED] = "created", [ENI_EVENT_ATTACHED] = "attached", [ENI_EVENT_READY] = "ready",
        [ENI_EVENT_PRESENT] = "present", [ENI_EVENT_LOST] = "lost",         [ENI_EVENT_FAILED] = "failed",
    };
    Fixture *fixture = userdata;

    assert_int_equal(buf_printf(&fixture->told, "%s%s", fixture->told.n > 0 ? " " : "", names[event]), 0);
    if (event == ENI_EVENT_CREATED)
        fixture->n_attach_at_created += fake_aws_n_pending(fixture->cloud.aws, ATTACH);
    if (event == ENI_EVENT_FAILED)
        assert_int_equal(eni_state(eni), ENI_STATE_FAILED);
    if ((int)event == fixture->give_up_at)
        eni_give_up(eni, "the host cannot");
}

int one_eni_setup(void **state)
{
    Fixture *fixture = calloc(1, sizeof(*fixture));

    assert_non_null(fixture);
    cloud_init(&fixture->cloud);
    desired_init(&fixture->desired, "oam");
    assert_int_equal(allocator_new(&fixture->allocator, fixture->cloud.aws, CLOUD_DEADLINE), 0);
    assert_int_equal(intents_load(&fixture->intents, fixture->cloud.path, CLOUD_INSTANCE), 0);
    device_indexes_take(&fixture->indexes, 0, 1);
    fixture->give_up_at = -1;
    fixture->context = (EniContext){
        .aws = fixture->cloud.aws,
        .event = fixture->cloud.event,
        .allocator = fixture->allocator,
        .intents = fixture->intents,
        .indexes = &fixture->indexes,
        .instance_id = CLOUD_INSTANCE,
        .deadline = CLOUD_DEADLINE,
        .handler = on_event,
        .userdata = fixture,
    };
    fixture->plan = (EniPlan){.desired = &fixture->desired,
                              .steps = STEP_CREATE | STEP_ATTACH | STEP_MODIFY_DELETE_ON_TERMINATION,
                              .device_index = 1};
    *state = fixture;
    return 0;
}

int one_eni_teardown(void **state)
{
    Fixture *fixture = *state;

    (void)eni_free(fixture->eni);
    (void)allocator_free(fixture->allocator);
    (void)intents_free(fixture->intents);
    desired_eni_done(&fixture->desired);
    ec2_network_interface_done(&fixture->observed);
    buf_done(&fixture->told);
    cloud_done(&fixture->cloud);
    free(fixture);
    return 0;
}

void adopt(Fixture *fixture, unsigned index, unsigned steps)
{
    fixture->observed.network_interface_id = strdup("eni-0");
    if (index > 0)
        fixture->observed.attachment = (Ec2Attachment){.attachment_id = strdup("attach-0"),
                                                       .instance_id = strdup(CLOUD_INSTANCE),
                                                       .device_index = index};
    fixture->plan = (EniPlan){.desired = &fixture->desired,
                              .observed = &fixture->observed,
                              .steps = steps,
                              .device_index = index > 0 ? index : 1};
}

void start(Fixture *fixture)
{
    assert_int_equal(eni_new(&fixture->eni, &fixture->context, &fixture->plan), 0);
    eni_start(fixture->eni);
}

void restart(Fixture *fixture)
{
    fixture->eni = eni_free(fixture->eni);
    start(fixture);
}

void start_created(Fixture *fixture)
{
    start(fixture);
    cloud_answer_create(&fixture->cloud, "eni-1");
}

void start_attached(Fixture *fixture)
{
    start_created(fixture);
    cloud_answer_attach(&fixture->cloud, "attach-1");
}

void start_ready(Fixture *fixture)
{
    start_attached(fixture);
    cloud_answer(&fixture->cloud, MODIFY);
    assert_int_equal(eni_state(fixture->eni), ENI_STATE_READY);
}

void answer_look(Fixture *fixture, const char *eni_id, const char *instance, unsigned index,
                 const char *status)
{
    _cleanup_buf_ Buf items = BUF_NULL;

    eni_item(&items, "eni-primary", CLOUD_INSTANCE, 0, "attached");
    if (eni_id)
        eni_item(&items, eni_id, instance, index, status);
    cloud_answer_look(&fixture->cloud, &items);
}

void answer_look_for(Fixture *fixture, const char *eni_id, const char *instance)
{
    _cleanup_buf_ Buf items = BUF_NULL;

    eni_item(&items, eni_id, instance, 1, "attached");
    cloud_answer_look(&fixture->cloud, &items);
}

void assert_told(const Fixture *fixture, const char *expected)
{
    assert_string_equal(fixture->told.data ? fixture->told.data : "", expected);
}

void assert_state(const Fixture *fixture, EniState state)
{
    assert_string_equal(eni_state_to_string(eni_state(fixture->eni)), eni_state_to_string(state));
}

void assert_error_has(const Fixture *fixture, const char *part)
{
    const char *error = eni_error(fixture->eni);

    if (!error || !strstr(error, part))
        fail_msg("'%s' is not in: %s", part, error ? error : "(no error)");
}
