/* SPDX-License-Identifier: Apache-2.0 */

/*
 * HTTP over the daemon's unix socket for programs that ask one thing after the other, by libcurl's easy
 * interface: nothing else is going on meanwhile, so blocking is right here. multus-eksctl and the CNI
 * plugin share it; neither prints from here: a failure comes out as text, which each of them puts where
 * its own readers look.
 *
 * The socket is systemd's, so a daemon that is stopping is asked again: the connection waits for the next
 * one. Whatever it was, it may be asked twice: all of the daemon's requests are idempotent.
 *
 * libcurl says no more of a unix socket it cannot connect to than "could not connect". What a person
 * needs to know is which of four it is: there is no such socket, the daemon is not running, the socket does
 * not admit this user, or nobody answers. So the socket is looked at after a failure to find out. The unit is
 * spoken of at its own socket only.
 */

#include "client/client.h"
#include <curl/curl.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* No answer of the daemon is near this; more is not our daemon. */
#define REPLY_MAX ((size_t)4 * 1024 * 1024)

/* Until a daemon that is stopping has let go of the socket. */
#define STOPPING_PAUSE (100 * USEC_PER_MSEC)

struct Client {
    CURL *curl; /* keeps its connection from one call to the next */
    const char *socket_path;
    const char *agent;
};

static size_t on_data(char *data, size_t size, size_t n, void *userdata)
{
    Buf *body = userdata;

    if (body->n + size * n > REPLY_MAX || buf_append(body, data, size * n) < 0)
        return 0; /* not what was offered: libcurl ends with CURLE_WRITE_ERROR */
    return size * n;
}

int client_new(Client **ret, const char *socket_path, const char *agent)
{
    _cleanup_(client_freep) Client *client = calloc(1, sizeof(*client));

    if (!client)
        return -ENOMEM;
    client->socket_path = socket_path;
    client->agent = agent;
    client->curl = curl_easy_init();
    if (!client->curl)
        return -ENOMEM;

    *ret = TAKE_PTR(client);
    return 0;
}

Client *client_free(Client *client)
{
    if (client && client->curl)
        curl_easy_cleanup(client->curl);
    free(client);
    return NULL;
}

/* connect() once more, for its errno alone: libcurl does not hand it out for unix sockets. */
static int probe_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd, r;

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);

    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    r = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    (void)close(fd);
    return r;
}

static void say(ClientError *ret_error, const Client *client, const char *what, const char *advice)
{
    (void)snprintf(ret_error->message, sizeof(ret_error->message), "%s: %s", client->socket_path, what);
    (void)snprintf(ret_error->advice, sizeof(ret_error->advice), "%s", advice);
}

static void explain_permission(const Client *client, ClientError *ret_error)
{
    const struct group *group = NULL;
    struct stat st;

    if (stat(client->socket_path, &st) == 0)
        group = getgrgid(st.st_gid);
    say(ret_error, client, "permission denied", "Run it as root.");
    if (group && st.st_gid != 0)
        (void)snprintf(ret_error->advice, sizeof(ret_error->advice),
                       "Run it as root or as a member of the group '%s'.", group->gr_name);
}

/* connect() says the same of a file that is no socket as of a socket that nobody listens at. */
static bool is_socket(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static void explain_absence(const Client *client, ClientError *ret_error)
{
    bool usual = streq(client->socket_path, CLIENT_SOCKET);

    if (usual || is_socket(client->socket_path))
        say(ret_error, client, "the daemon is not running",
            usual ? "Start it with 'systemctl start multus-eksd.socket multus-eksd.service', or see why it "
                    "ended with 'journalctl -u multus-eksd'."
                  : "");
    else
        (void)snprintf(ret_error->message, sizeof(ret_error->message), "there is no socket at %s",
                       client->socket_path[0] ? client->socket_path : "''");
}

static int explain_no_connection(const Client *client, const char *text, ClientError *ret_error)
{
    int r = probe_socket(client->socket_path);

    switch (r) {
    case -EACCES:
    case -EPERM: explain_permission(client, ret_error); return -EACCES;
    case -ENOENT:
    case -ECONNREFUSED: explain_absence(client, ret_error); return r;
    default: say(ret_error, client, r < 0 ? strerror(-r) : text, ""); return r < 0 ? r : -EIO;
    }
}

static int explain_failure(const Client *client, CURLcode code, const char *text, usec_t timeout,
                           ClientError *ret_error)
{
    char what[64];

    if (code == CURLE_COULDNT_CONNECT)
        return explain_no_connection(client, text, ret_error);
    if (code == CURLE_OPERATION_TIMEDOUT) {
        (void)snprintf(what, sizeof(what), "no answer within %.3g s", (double)timeout / (double)USEC_PER_SEC);
        say(ret_error, client, what, "See 'systemctl status multus-eksd' and 'journalctl -u multus-eksd'.");
        return -ETIMEDOUT;
    }
    if (code == CURLE_WRITE_ERROR) {
        say(ret_error, client, "the answer is too long", "");
        return -EPROTO;
    }
    say(ret_error, client, text, "");
    return code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
                   code == CURLE_PARTIAL_FILE
               ? -ECONNRESET
               : -EIO;
}

static CURLcode set_options(const Client *client, const char *method, const char *url, usec_t timeout)
{
    CURL *curl = client->curl;
    CURLcode code = CURLE_OK;

    /* An http_proxy of the environment is not for a socket on this host: CURLOPT_PROXY "" ignores it. */
    code = code ? code : curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->socket_path);
    code = code ? code : curl_easy_setopt(curl, CURLOPT_URL, url);
    code = code ? code : curl_easy_setopt(curl, CURLOPT_PROXY, "");
    code = code ? code : curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    /* libcurl takes 0 for "no limit": a time that has run out is one millisecond. */
    code = code ? code
                : curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)MAX(timeout / USEC_PER_MSEC, (usec_t)1));
    code = code ? code : curl_easy_setopt(curl, CURLOPT_USERAGENT, client->agent);
    code = code ? code : curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    return code;
}

/* Without "Expect:" libcurl asks before it sends a body of a kilobyte, and waits a second for the answer. */
static CURLcode set_body(CURL *curl, const char *text, struct curl_slist **headers)
{
    static const char *const lines[] = {"Content-Type: application/json", "Expect:"};
    CURLcode code = CURLE_OK;

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        struct curl_slist *longer = curl_slist_append(*headers, lines[i]);

        if (!longer)
            return CURLE_OUT_OF_MEMORY;
        *headers = longer;
    }
    code = code ? code : curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers);
    code = code ? code : curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)strlen(text));
    code = code ? code : curl_easy_setopt(curl, CURLOPT_POSTFIELDS, text);
    return code;
}

static void curl_slist_freep(struct curl_slist **list)
{
    curl_slist_free_all(*list);
}

static CURLcode perform(const Client *client, const char *method, const char *url, const char *text,
                        usec_t timeout, Buf *reply, char why[static CURL_ERROR_SIZE])
{
    _cleanup_(curl_slist_freep) struct curl_slist *headers = NULL;
    CURLcode code;

    curl_easy_reset(client->curl); /* options of the call before; the connection stays */
    code = set_options(client, method, url, timeout);
    code = code ? code : curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, why);
    code = code ? code : curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_data);
    code = code ? code : curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, reply);
    if (code == CURLE_OK && text)
        code = set_body(client->curl, text, &headers);
    code = code ? code : curl_easy_perform(client->curl);

    /* The buffer is the caller's and ends with his call. */
    (void)curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, NULL);
    return code;
}

/* timeout: of the whole call, for the text; left: what of it is left. */
static int call_once(const Client *client, const char *method, const char *path, const json_t *body,
                     usec_t timeout, usec_t left, ClientReply *ret, ClientError *ret_error)
{
    _cleanup_(freep) char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    _cleanup_buf_ Buf reply = BUF_NULL;
    _cleanup_buf_ Buf url = BUF_NULL;
    char why[CURL_ERROR_SIZE] = "";
    long status = 0;
    CURLcode code;

    *ret_error = (ClientError){0};
    if ((body && !text) || buf_printf(&url, "http://localhost%s", path) < 0) {
        say(ret_error, client, "out of memory", "");
        return -ENOMEM;
    }

    code = perform(client, method, url.data, text, left, &reply, why);
    if (code != CURLE_OK)
        return explain_failure(client, code, why[0] ? why : curl_easy_strerror(code), timeout, ret_error);

    (void)curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    ret->status = (unsigned)status;
    ret->document = json_loadb(reply.data ? reply.data : "", reply.n, 0, NULL);
    return 0;
}

int client_call(Client *client, const char *method, const char *path, const json_t *body, usec_t timeout,
                ClientReply *ret, ClientError *ret_error)
{
    usec_t deadline = time_add(time_monotonic(), timeout), left = timeout, now;
    int r;

    if (strlen(client->socket_path) >= sizeof((struct sockaddr_un){0}.sun_path)) {
        *ret_error = (ClientError){0};
        (void)snprintf(ret_error->message, sizeof(ret_error->message),
                       "there is no socket at a path of %zu characters: at most %zu are allowed",
                       strlen(client->socket_path), sizeof((struct sockaddr_un){0}.sun_path) - 1);
        return -ENAMETOOLONG;
    }
    for (;;) {
        r = call_once(client, method, path, body, timeout, left, ret, ret_error);
        if (r < 0 || !client_is_stopping(ret))
            return r;
        now = time_add(time_monotonic(), STOPPING_PAUSE);
        if (now >= deadline)
            return 0;
        client_reply_done(ret);
        (void)usleep(STOPPING_PAUSE);
        left = deadline - now;
    }
}

bool client_is_stopping(const ClientReply *reply)
{
    return reply->status == 503 && streq_ptr(client_refusal(reply->document).code, "stopping");
}

void client_reply_done(ClientReply *reply)
{
    json_decref(reply->document);
    *reply = CLIENT_REPLY_NULL;
}

ClientRefusal client_refusal(const json_t *document)
{
    const json_t *error = json_object_get(document, "error");

    return (ClientRefusal){
        .code = json_string_value(json_object_get(error, "code")),
        .message = json_string_value(json_object_get(error, "message")),
        .ec2_code = json_string_value(json_object_get(error, "ec2_code")),
        .ec2_request_id = json_string_value(json_object_get(error, "ec2_request_id")),
    };
}

bool client_is_temporary(unsigned status, const json_t *document)
{
    switch (status) {
    case 429:
    case 503:
    case 504: return true;
    /* A call for the address is under way on another interface: that ends. */
    case 409: return streq_ptr(client_refusal(document).code, "busy");
    default: return false;
    }
}

json_t *client_register_body(const char *owner, const char *interface, const char *const *addresses,
                             size_t n_addresses)
{
    _cleanup_json_ json_t *list = json_array();

    for (size_t i = 0; i < n_addresses; i++) {
        /* "s*": the member is left out where the value is NULL. */
        json_t *item = json_pack("{s:s, s:s*}", "address", addresses[i], "interface", interface);

        if (!item || json_array_append_new(list, item) < 0)
            return NULL;
    }
    return json_pack("{s:s, s:O}", "owner", owner, "addresses", list);
}

static int append_escaped(Buf *path, const char *s)
{
    int r = 0;

    for (; *s && r == 0; s++) {
        /* The unreserved characters of RFC 3986, whatever the locale. */
        bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') || (*s >= '0' && *s <= '9') ||
                     strchr("-._~", *s);

        r = plain ? buf_putc(path, *s) : buf_printf(path, "%%%02X", (unsigned char)*s);
    }
    return r;
}

int client_release_path(Buf *path, const char *address, const char *owner)
{
    int r;

    r = buf_puts(path, "/v1/addresses/");
    r = r < 0 ? r : append_escaped(path, address);
    r = r < 0 ? r : buf_puts(path, "?owner=");
    return r < 0 ? r : append_escaped(path, owner);
}
