/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The last stage. The server is there from the start, since status must be answered at any time;
 * requests about addresses wait in it until the interfaces are up. Then the registrar takes up what an
 * earlier run has left, and the watch looks at the pods that are there already.
 *
 * Under on_failure = continue the interfaces that did come are served all the same.
 */

#include "serve.h"
#include "metrics.h"
#include "util/fs.h"
#include "util/message-ids.h"
#include <errno.h>
#include <stdio.h>

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#define NETNS_DIR    "/run/netns"

struct Serve {
    Manager *manager;
    Server *server;
    Addresses *addresses;
    Registrar *registrar;
    Watch *watch;
};

/* ------------------------------------------------------------------ routes */

static void put_address(Request *request_take, void *userdata)
{
    const Manager *manager = userdata;

    addresses_put(request_take, manager->serve->addresses);
}

static void post_addresses(Request *request_take, void *userdata)
{
    const Manager *manager = userdata;

    addresses_post(request_take, manager->serve->addresses);
}

static void delete_address(Request *request_take, void *userdata)
{
    const Manager *manager = userdata;

    addresses_delete(request_take, manager->serve->addresses);
}

static void get_addresses(Request *request_take, void *userdata)
{
    const Manager *manager = userdata;

    addresses_get(request_take, manager->serve->addresses);
}

static void get_metrics(Request *request_take, void *userdata)
{
    _cleanup_buf_ Buf text = BUF_NULL;
    ProtocolError error = {.status = 500, .code = "out_of_memory", .message = "out of memory"};

    if (metrics_write(userdata, &text) < 0)
        request_refuse(request_take, &error);
    else
        request_answer_text(request_take, 200, "text/plain; version=0.0.4; charset=utf-8", buf_take(&text));
}

static const Route routes[] = {
    {"PUT", "/v1/addresses/{ip}", put_address, .early = false},
    {"POST", "/v1/addresses", post_addresses, .early = false},
    {"DELETE", "/v1/addresses/{ip}", delete_address, .early = false},
    {"GET", "/v1/addresses", get_addresses, .early = false},
    {"GET", "/metrics", get_metrics, .early = true},
};

/* ------------------------------------------------------------------ registrar, watch */

static int add_interface(const Serve *serve, const Interface *interface)
{
    const Ec2NetworkInterface *eni = eni_record(interface->eni);
    RegistrarInterface entry = {
        .network_interface_id = eni->network_interface_id,
        .ifname = interface->desired->ifname,
        .network = interface->desired->network,
        .cidr_block = interface->desired->cidr_block,
        .ipv6_cidr_block = interface->desired->ipv6_cidr_block,
        .ipv6 = interface->desired->ipv6,
        .record = eni,
    };
    bool changed;
    int r;

    r = registrar_add_interface(serve->registrar, &entry);
    if (r == 0 && interface->link && link_ifindex(interface->link) > 0)
        r = registrar_set_ifindex(serve->registrar, eni->network_interface_id, link_ifindex(interface->link),
                                  &changed);
    return r;
}

/*
 * Whatever there is of this node is told of: those that have failed, those that are kept, and all of them if
 * there is no plan. One that is served is not absent, whatever else it is.
 */
static int add_absent(const Serve *serve)
{
    const Facts *facts = &gather_observation(serve->manager->gather)->facts;
    int r = 0;

    for (size_t i = 0; r == 0 && i < facts->n_enis; i++)
        r = registrar_add_absent(serve->registrar, facts->enis[i].network_interface_id);
    return r;
}

static int add_interfaces(const Serve *serve)
{
    const Manager *manager = serve->manager;
    int r;

    for (size_t i = 0; i < manager->n_interfaces; i++) {
        const Interface *interface = &manager->interfaces[i];

        /* One that EC2 has not made yet, or not any more, can hold no address. */
        if (interface_has_failed(interface) || !eni_record(interface->eni))
            continue;
        r = add_interface(serve, interface);
        if (r < 0)
            return r;
    }
    return add_absent(serve);
}

static int read_boot_id(char **ret)
{
    char *text;
    int r;

    r = fs_read_file(BOOT_ID_FILE, 64, &text, NULL);
    if (r < 0)
        return r;
    text[strcspn(text, "\n")] = '\0';
    *ret = text;
    return 0;
}

static int open_registrar(Serve *serve)
{
    const Manager *manager = serve->manager;
    const Observation *observation = gather_observation(manager->gather);
    const Ec2InstanceType *type = observation ? observation->facts.instance_type : NULL;
    _cleanup_(freep) char *boot_id = NULL, *path = NULL;
    RegistrarOptions options = {
        .event = manager->event,
        .aws = manager->aws,
        .instance_id = manager->metadata->instance_id,
        .allow_reassign = manager->config->allow_reassign,
        .release_cooldown = manager->config->release_cooldown,
        .stale_grace = manager->config->stale_grace,
        .ipv4_limit = type ? type->ipv4_addresses_per_interface : 0,
        .ipv6_limit = type ? type->ipv6_addresses_per_interface : 0,
    };
    int r;

    r = read_boot_id(&boot_id);
    if (r < 0)
        return r;
    if (asprintf(&path, "%s/addresses.json", manager->options.state_dir) < 0) {
        path = NULL; /* undefined after a failure */
        return -ENOMEM;
    }
    options.boot_id = boot_id;
    options.store_path = path;

    r = registrar_new(&serve->registrar, &options);
    if (r == 0)
        r = add_interfaces(serve);
    if (r == 0)
        r = registrar_start(serve->registrar);
    return r;
}

static void open_watch(Serve *serve)
{
    int r;

    if (!serve->manager->config->watch)
        return;
    r = watch_new(&serve->watch, serve->manager->event, serve->registrar, NETNS_DIR);
    if (r < 0)
        log_at(LOG_WARNING, r, MESSAGE_WATCH_FAILED,
               "Pods' network namespaces cannot be watched: %m. Addresses are registered by request only");
}

int serve_start(Serve *serve)
{
    int r;

    /* Without an instance there is nothing to register on: the boot failed early, and may go on. */
    if (!serve->manager->metadata || !gather_observation(serve->manager->gather)) {
        serve_refuse(serve);
        return 0;
    }

    r = open_registrar(serve);
    if (r < 0)
        return r;
    open_watch(serve);
    addresses_set_registrar(serve->addresses, serve->registrar);
    if (serve->server)
        server_set_mode(serve->server, SERVER_MODE_READY);
    return 0;
}

void serve_set_ifindex(Serve *serve, const char *network_interface_id, int ifindex)
{
    bool changed = false;

    if (!serve->registrar ||
        registrar_set_ifindex(serve->registrar, network_interface_id, ifindex, &changed) < 0 || !changed)
        return;
    /* Pods above it may have been there before it was known. */
    if (serve->watch)
        watch_look(serve->watch);
}

void serve_refuse(Serve *serve)
{
    if (serve->server)
        server_set_mode(serve->server, SERVER_MODE_REFUSE);
}

const Registrar *serve_registrar(const Serve *serve)
{
    return serve->registrar;
}

/* ------------------------------------------------------------------ lifecycle */

/* The file of the socket is systemd's, and only the superuser of files could change its group. */
static void check_socket_group(const char *name, gid_t group, int fd)
{
    const LogField fields[] = {{"GROUP", name}};
    gid_t group_of_file;

    if (peer_socket_group(fd, &group_of_file) == 0 && group_of_file != group)
        log_full(
            LOG_WARNING, 0, MESSAGE_SOCKET_GROUP, fields, ARRAY_SIZE(fields),
            "socket_group is %s, but the socket's file is of another group (%u), which keeps %s out: give "
            "multus-eksd.socket a drop-in with SocketGroup=%s",
            name, (unsigned)group_of_file, name, name);
}

static int open_server(Serve *serve, int fd_take)
{
    Manager *manager = serve->manager;
    ServerOptions options = SERVER_OPTIONS_NULL;

    if (fd_take < 0) {
        log_notice("No socket was passed by systemd: status and registration are not served");
        return 0;
    }

    options.status = status_json;
    options.routes = routes;
    options.n_routes = ARRAY_SIZE(routes);
    options.userdata = manager;
    if (peer_group_by_name(manager->config->socket_group, &options.group) < 0)
        log_notice(
            "There is no group %s: the socket serves root alone. Run systemd-sysusers, or name another in "
            "[registration] socket_group; then restart multus-eksd.socket and multus-eksd",
            manager->config->socket_group);
    else
        check_socket_group(manager->config->socket_group, options.group, fd_take);
    return server_new(&serve->server, manager->event, fd_take, &options);
}

int serve_new(Serve **ret, Manager *manager, int fd_take)
{
    _cleanup_(serve_freep) Serve *serve = calloc(1, sizeof(*serve));
    int r;

    if (!serve)
        return -ENOMEM;
    serve->manager = manager;

    r = open_server(serve, fd_take);
    if (r == 0)
        r = addresses_new(&serve->addresses);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(serve);
    return 0;
}

Serve *serve_free(Serve *serve)
{
    if (!serve)
        return NULL;

    watch_free(serve->watch);
    addresses_free(serve->addresses);
    registrar_free(serve->registrar);
    server_free(serve->server);
    return mfree(serve);
}
