/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The state on disk: {"version": 1, "instance_id": "i-…", "addresses": [{"address": "10.0.1.20",
 * "network_interface_id": "eni-…", "owner": "…", "boot_id": "…", "state": "wanted", "since": 1790…}]},
 * one address a line so that a person can read it. "since" is in microseconds of CLOCK_REALTIME. "taken_from"
 * is there while an IPv6 address is on its way from another interface, and nobody's for a moment. A second
 * list, "moved_away", has in the same form what is another node's by now, with its last owner here; it is
 * left out when it is empty, and an older version takes no notice of it. So it is with "own", the interfaces'
 * own IPv6 addresses.
 *
 * It is a memory of who owns what; what EC2 has is asked of EC2. So nothing is lost for ever when the
 * file is: its addresses are released after the cooldown, unless claimed again. A file is believed
 * whole or not at all, since half a memory would release the other half.
 *
 * The lines are put together by hand: a tree of all of them would be most of the daemon's memory, and of the
 * time that a registration takes.
 */

#include "state/store.h"
#include "util/buf.h"
#include "util/fs.h"
#include "util/json.h"
#include <errno.h>
#include <inttypes.h>

#define STORE_FILE_MAX ((size_t)16 << 20)

static bool is_stored(const Registration *registration)
{
    return registration->state != REGISTRATION_WANTED || registration->assigned ||
           registration->previous_interface || registration->taken_from;
}

/* While it moves, what holds is what was before; but what is given back is given back. */
static int encode_registration(Buf *buf, const Registration *registration)
{
    bool moving = registration->previous_interface;
    bool wanted = registration->state == REGISTRATION_WANTED;
    RegistrationState state = moving && wanted ? registration->previous_state : registration->state;
    usec_t since = moving && wanted ? registration->previous_since : registration->since;
    const char *interface = moving ? registration->previous_interface : registration->network_interface_id;
    const char *owner = moving ? registration->previous_owner : registration->owner;
    char address[IN_ADDR_TEXT];

    if (json_put_member(buf, "{\"address\":", in_addr_format(&registration->address, address)) < 0 ||
        json_put_member(buf, ",\"network_interface_id\":", interface) < 0 ||
        json_put_member(buf, ",\"owner\":", owner) < 0 ||
        json_put_member(buf, ",\"boot_id\":", registration->boot_id) < 0 ||
        json_put_member(buf, ",\"state\":", registration_state_to_string(state)) < 0)
        return -ENOMEM;
    if (registration->taken_from && json_put_member(buf, ",\"taken_from\":", registration->taken_from) < 0)
        return -ENOMEM;
    return buf_printf(buf, ",\"since\":%" PRIu64 "}", since);
}

/* Whether the line of one is in the file; of what is aside, unless the address has come elsewhere meanwhile.
 */
static bool is_listed(const State *state, const State *list, const Registration *registration)
{
    const Registration *there;

    if (list == state)
        return is_stored(registration);
    if (list != state_aside(state))
        return true;
    there = state_find(state, &registration->address);
    return !there || !is_stored(there);
}

static int encode_list(Buf *buf, const State *state, const State *list, const char **separator)
{
    for (size_t i = 0; list && i < state_n(list); i++) {
        if (!is_listed(state, list, state_get(list, i)))
            continue;
        if (buf_puts(buf, *separator) < 0 || encode_registration(buf, state_get(list, i)) < 0)
            return -ENOMEM;
        *separator = ",\n";
    }
    return 0;
}

/* A list that is left out when it is empty. */
static int encode_more(Buf *buf, const State *state, const State *list, const char *name)
{
    const char *separator = "\n";

    if (!list || state_n(list) == 0)
        return 0;
    if (buf_printf(buf, "\n],\"%s\":[", name) < 0)
        return -ENOMEM;
    return encode_list(buf, state, list, &separator);
}

char *store_encode(const State *state, const char *instance_id)
{
    const char *separator = "\n";
    _cleanup_buf_ Buf buf = BUF_NULL;

    /* Instance ids have no characters that JSON escapes. */
    if (buf_printf(&buf, "{\"version\":%d,\"instance_id\":\"%s\",\"addresses\":[", STORE_VERSION,
                   instance_id) < 0)
        return NULL;
    if (encode_list(&buf, state, state, &separator) < 0 ||
        encode_list(&buf, state, state_aside(state), &separator) < 0)
        return NULL;
    if (encode_more(&buf, state, state_moved_away(state), "moved_away") < 0 ||
        encode_more(&buf, state, state_own(state), "own") < 0)
        return NULL;
    if (buf_puts(&buf, "\n]}\n") < 0)
        return NULL;
    return buf_take(&buf);
}

static int decode_registration(State *state, json_t *line)
{
    const char *address_text, *interface, *owner, *boot_id, *state_text, *taken_from = NULL;
    RegistrationState registration_state;
    Registration *registration;
    json_int_t since;
    InAddr address;
    int r;

    if (json_unpack(line, "{s:s, s:s, s:s, s:s, s:s, s:I, s?s}", "address", &address_text,
                    "network_interface_id", &interface, "owner", &owner, "boot_id", &boot_id, "state",
                    &state_text, "since", &since, "taken_from", &taken_from) < 0)
        return STORE_E_DAMAGED;
    if (in_addr_parse(address_text, &address) < 0 || !interface[0] || since < 0 ||
        registration_state_from_string(state_text, &registration_state) < 0)
        return STORE_E_DAMAGED;

    r = state_add(state, &address, interface, &registration);
    if (r == -EEXIST)
        return STORE_E_DAMAGED;
    if (r == 0)
        r = replace_string(&registration->taken_from, taken_from);
    if (r < 0)
        return r;
    return registration_set(registration, registration_state, owner, boot_id, (usec_t)since);
}

static int decode_list(json_t *addresses, State **ret)
{
    _cleanup_(state_freep) State *state = NULL;
    json_t *line;
    size_t i;
    int r;

    if (!json_is_array(addresses))
        return STORE_E_DAMAGED;
    r = state_new(&state);
    if (r < 0)
        return r;
    json_array_foreach(addresses, i, line)
    {
        r = decode_registration(state, line);
        if (r != 0)
            return r;
    }

    *ret = TAKE_PTR(state);
    return 0;
}

int store_decode(const char *text, size_t n, const char *instance_id, State **ret)
{
    _cleanup_json_ json_t *root = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    _cleanup_(state_freep) State *state = NULL;
    json_t *addresses, *moved_away = NULL, *own = NULL;
    State *notes = NULL, *own_notes = NULL;
    json_int_t version = 0;
    const char *whose;
    int r;

    /* The version comes first: of a newer file nothing else is known. */
    if (!root || json_unpack(root, "{s:I}", "version", &version) < 0 || version < 1)
        return STORE_E_DAMAGED;
    if (version > STORE_VERSION)
        return STORE_E_NEWER;
    if (json_unpack(root, "{s:s, s:o, s?o, s?o}", "instance_id", &whose, "addresses", &addresses,
                    "moved_away", &moved_away, "own", &own) < 0)
        return STORE_E_DAMAGED;
    if (!streq(whose, instance_id))
        return STORE_E_FOREIGN;
    r = decode_list(addresses, &state);
    if (r == 0 && moved_away)
        r = decode_list(moved_away, &notes);
    if (r != 0)
        return r;
    state_set_moved_away(state, notes);
    r = own ? decode_list(own, &own_notes) : 0;
    if (r != 0)
        return r;
    state_set_own(state, own_notes);
    *ret = TAKE_PTR(state);
    return 0;
}

int store_load(const char *path, const char *instance_id, State **ret)
{
    _cleanup_(freep) char *text = NULL;
    size_t n;
    int r;

    r = fs_read_file(path, STORE_FILE_MAX, &text, &n);
    if (r == -ENOENT)
        return STORE_E_ABSENT;
    if (r == -EFBIG)
        return STORE_E_DAMAGED;
    if (r < 0)
        return r;
    return store_decode(text, n, instance_id, ret);
}

int store_save(const char *path, const State *state, const char *instance_id)
{
    _cleanup_(freep) char *text = store_encode(state, instance_id);

    if (!text)
        return -ENOMEM;
    return fs_write_file(path, text, strlen(text), 0600, FS_SYNC_YES);
}
