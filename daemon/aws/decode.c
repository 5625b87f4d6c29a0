/* SPDX-License-Identifier: Apache-2.0 */

/*
 * XML to records: expat streams the document, a stack of frames follows it through the tables of
 * schema.c.
 *
 * The document comes over a network: a DTD is refused outright (so no entities but XML's own), depth
 * and counts have ceilings, and nothing is written to the caller's records before the whole document
 * was read and understood.
 *
 * A frame points into the record it fills. That is safe although arrays are moved when they grow: an
 * array grows only when an item of it starts, and then no frame points into one of its items, since
 * siblings do not overlap and no table contains itself.
 */

#include "aws/schema.h"
#include "util/buf.h"
#include <errno.h>
#include <expat.h>
#include <limits.h>

#define DEPTH_MAX  32
#define TEXT_MAX   ((size_t)64 << 10) /* of one element */
#define MAX_ACTION 64

typedef struct Frame {
    const Field *field;  /* NULL: an element that nothing wants */
    const Field *fields; /* of its children; NULL: none wanted */
    uint8_t *record;     /* that the children's offsets refer to */
} Frame;

typedef struct Decoder {
    XML_Parser parser;
    const char *root;         /* name the root must have; NULL: see is_error */
    const Field *root_fields; /* NULL until the root of an error is seen */
    uint8_t *record;          /* that the root's children fill */
    Frame frames[DEPTH_MAX];
    unsigned depth;
    Buf text;
    _Alignas(max_align_t) uint8_t scratch[SCHEMA_SCRATCH_MAX];
    int error;
} Decoder;

/* The only way to end badly. */
static void decoder_fail(Decoder *decoder, int error)
{
    if (decoder->error >= 0)
        decoder->error = error;
    (void)XML_StopParser(decoder->parser, XML_FALSE);
}

static const Field *field_find(const Field *fields, const char *element)
{
    for (; fields && fields->element; fields++)
        if (streq(fields->element, element))
            return fields;
    return NULL;
}

/* The arrays have many types: their pointers are copied, never read through a type not theirs. */
static void *pointer_get(const void *at)
{
    void *pointer;

    memcpy(&pointer, at, sizeof(pointer));
    return pointer;
}

static void pointer_set(void *at, void *pointer)
{
    memcpy(at, &pointer, sizeof(pointer));
}

/* Append an empty record to the array that the field describes. */
static int item_append(const Field *field, uint8_t *record, uint8_t **ret)
{
    size_t *n = (size_t *)(void *)(record + field->n_offset);
    uint8_t *items = pointer_get(record + field->offset);

    if (*n >= SCHEMA_ITEMS_MAX)
        return -EBADMSG;

    /* Room doubles at powers of two, so that no capacity has to be kept beside the count. */
    if ((*n & (*n - 1)) == 0) {
        items = reallocarray(items, *n > 0 ? *n * 2 : 1, field->size);
        if (!items)
            return -ENOMEM;
        pointer_set(record + field->offset, items);
    }
    *ret = items + *n * field->size;
    memset(*ret, 0, field->size);
    (*n)++;
    return 0;
}

static int frame_enter(Decoder *decoder, Frame *frame, uint8_t *record)
{
    const Field *field = frame->field;
    int r;

    frame->fields = field->fields;
    switch (field->kind) {
    case FIELD_LEAF:
    case FIELD_GROUP: frame->record = record + field->offset; break;
    case FIELD_ITEM:
        r = item_append(field, record, &frame->record);
        if (r < 0)
            return r;
        break;
    case FIELD_MERGE:
        memset(decoder->scratch, 0, sizeof(decoder->scratch));
        frame->record = decoder->scratch;
        break;
    }
    return 0;
}

static int frame_leave(const Frame *frame, const char *text, uint8_t *outer)
{
    const Field *field = frame->field;
    int r;

    if (field->convert) {
        r = field->convert(text, frame->record);
        if (r < 0)
            return r;
    }
    if (field->finish)
        return field->finish(frame->record);
    if (field->merge)
        field->merge(outer, frame->record);
    return 0;
}

static int root_enter(Decoder *decoder, const char *element)
{
    if (decoder->root)
        return streq(decoder->root, element) ? 0 : -EBADMSG;

    decoder->root_fields = schema_error(element);
    return decoder->root_fields ? 0 : -EBADMSG;
}

static void on_start(void *userdata, const XML_Char *element, const XML_Char **attributes)
{
    Decoder *decoder = userdata;
    Frame *frame = &decoder->frames[decoder->depth];
    int r = 0;

    (void)attributes;
    if (decoder->error < 0)
        return;
    if (decoder->depth >= DEPTH_MAX) {
        decoder_fail(decoder, -EBADMSG);
        return;
    }

    *frame = (Frame){.record = decoder->record};
    if (decoder->depth == 0) {
        r = root_enter(decoder, element);
        frame->fields = decoder->root_fields;
    } else {
        frame->field = field_find(frame[-1].fields, element);
        if (frame->field)
            r = frame_enter(decoder, frame, frame[-1].record);
    }
    decoder->depth++;
    buf_reset(&decoder->text);
    if (r < 0)
        decoder_fail(decoder, r);
}

static void on_text(void *userdata, const XML_Char *text, int n)
{
    Decoder *decoder = userdata;

    if (decoder->error < 0 || decoder->depth == 0)
        return;
    if ((size_t)n > TEXT_MAX - decoder->text.n)
        decoder_fail(decoder, -EBADMSG);
    else if (decoder->frames[decoder->depth - 1].field && buf_append(&decoder->text, text, (size_t)n) < 0)
        decoder_fail(decoder, -ENOMEM);
}

static void on_end(void *userdata, const XML_Char *element)
{
    Decoder *decoder = userdata;
    const Frame *frame;
    int r;

    (void)element;
    if (decoder->error < 0)
        return;

    frame = &decoder->frames[--decoder->depth];
    if (frame->field) {
        r = frame_leave(frame, decoder->text.n > 0 ? decoder->text.data : "", frame[-1].record);
        if (r < 0)
            decoder_fail(decoder, r);
    }
    buf_reset(&decoder->text);
}

static void on_doctype(void *userdata, const XML_Char *name, const XML_Char *system_id,
                       const XML_Char *public_id, int has_internal_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_internal_subset;
    decoder_fail(userdata, -EBADMSG);
}

static int decoder_run(Decoder *decoder, const char *xml, size_t n)
{
    enum XML_Status status;

    if (n > INT_MAX)
        return -EBADMSG;
    decoder->parser = XML_ParserCreate(NULL);
    if (!decoder->parser)
        return -ENOMEM;

    XML_SetUserData(decoder->parser, decoder);
    XML_SetElementHandler(decoder->parser, on_start, on_end);
    XML_SetCharacterDataHandler(decoder->parser, on_text);
    XML_SetStartDoctypeDeclHandler(decoder->parser, on_doctype);
    status = XML_Parse(decoder->parser, xml, (int)n, XML_TRUE);
    if (status != XML_STATUS_OK && decoder->error >= 0)
        decoder->error = XML_GetErrorCode(decoder->parser) == XML_ERROR_NO_MEMORY ? -ENOMEM : -EBADMSG;
    XML_ParserFree(decoder->parser);
    buf_done(&decoder->text);
    return decoder->error;
}

/* ------------------------------------------------------------------ replies */

/* Move the items of one array behind those of the other. */
static int array_move(void *to, size_t *to_n, void *from, size_t *from_n, size_t size)
{
    uint8_t *items;

    if (*from_n == 0)
        return 0;
    items = reallocarray(pointer_get(to), *to_n + *from_n, size);
    if (!items)
        return -ENOMEM;
    memcpy(items + *to_n * size, pointer_get(from), *from_n * size);
    pointer_set(to, items);
    *to_n += *from_n;

    free(pointer_get(from));
    pointer_set(from, NULL);
    *from_n = 0;
    return 0;
}

#define MOVE(_to, _from, _field)                                                                             \
    array_move(&(_to)->_field, &(_to)->n_##_field, &(_from)->_field, &(_from)->n_##_field,                   \
               sizeof(*(_to)->_field))

/* What a page told goes behind what earlier pages did. */
static int records_merge(AwsRecords *to, AwsRecords *from)
{
    if (MOVE(to, from, network_interfaces) < 0 || MOVE(to, from, instances) < 0 ||
        MOVE(to, from, subnets) < 0 || MOVE(to, from, reservations) < 0 ||
        MOVE(to, from, security_groups) < 0 || MOVE(to, from, instance_types) < 0 ||
        MOVE(to, from, groups) < 0 || MOVE(to, from, hooks) < 0 || MOVE(to, from, assigned) < 0)
        return -ENOMEM;

    if (from->attachment_id) {
        free(to->attachment_id);
        to->attachment_id = TAKE_PTR(from->attachment_id);
        to->network_card_index = from->network_card_index;
    }
    free(to->next_token);
    to->next_token = TAKE_PTR(from->next_token);
    free(to->request_id);
    to->request_id = TAKE_PTR(from->request_id);
    return 0;
}

/* What a success must tell to be worth anything. */
static bool reply_is_whole(const char *action, const AwsRecords *records)
{
    if (streq(action, "CreateNetworkInterface"))
        return records->n_network_interfaces == 1;
    if (streq(action, "AttachNetworkInterface"))
        return records->attachment_id;
    return true;
}

int aws_decode_reply(AwsService service, const char *action, const char *xml, size_t n, AwsRecords *records)
{
    _cleanup_aws_records_ AwsRecords page = AWS_RECORDS_NULL;
    char root[MAX_ACTION + sizeof("Response")];
    Decoder decoder = {
        .root = root,
        .root_fields = schema_reply(service, action),
        .record = (uint8_t *)&page,
    };
    size_t n_action = strlen(action);
    int r;

    if (!decoder.root_fields || n_action > MAX_ACTION)
        return -EBADMSG;
    memcpy(root, action, n_action);
    memcpy(root + n_action, "Response", sizeof("Response"));

    r = decoder_run(&decoder, xml, n);
    if (r < 0)
        return r;
    if (!reply_is_whole(action, &page))
        return -EBADMSG;
    return records_merge(records, &page);
}

/* ------------------------------------------------------------------ errors */

void aws_error_reply_done(AwsErrorReply *error)
{
    free(error->code);
    free(error->message);
    free(error->request_id);
    *error = (AwsErrorReply){0};
}

int aws_decode_error(const char *xml, size_t n, AwsErrorReply *ret)
{
    _cleanup_(aws_error_reply_done) AwsErrorReply error = {0};
    Decoder decoder = {.record = (uint8_t *)&error};
    int r;

    r = decoder_run(&decoder, xml, n);
    if (r < 0)
        return r;
    if (!error.code || !error.code[0])
        return -EBADMSG;

    /* Who reads them need not ask whether they are there. */
    if ((!error.message && replace_string(&error.message, "") < 0) ||
        (!error.request_id && replace_string(&error.request_id, "") < 0))
        return -ENOMEM;

    *ret = error;
    error = (AwsErrorReply){0};
    return 0;
}
