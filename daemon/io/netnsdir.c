/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Namespaces with a name. Container runtimes and "ip netns add" make them in two steps: an empty file,
 * and a mount of the namespace upon it. inotify tells of the first and not of the second; the second is
 * a change of the mount table, which poll() tells of /proc/self/mountinfo. That file is polled only while
 * there is a file without a namespace, since on a node with pods the mount table changes often.
 *
 * The mount is seen because the daemon's mount namespace is a slave of the host's (PrivateMounts=yes):
 * what is mounted there comes here.
 *
 * A directory that is not there yet, or that goes, is awaited in its parent.
 */

#include "io/netnsdir.h"
#include "util/log.h"
#include "util/strlist.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

struct NetnsDir {
    sd_event *event;
    char *path;
    NetnsDirHandler handler;
    void *userdata;
    sd_event_source *inotify; /* of the directory, or of its parent while there is none */
    sd_event_source *mounts;  /* on while n_pending > 0 */
    int fd_mounts;
    StrList pending; /* files that are no namespace yet */
};

static int watch_directory(NetnsDir *dir);

/* ------------------------------------------------------------------ files */

/*
 * Opening could block on a FIFO, and a device has side effects: only a file of the kind that stat() says
 * is opened. Return: 0 with *ret_fd; -ENOTTY: no namespace, or none yet; negative errno.
 */
static int open_namespace(const char *directory, const char *name, int *ret_fd)
{
    _cleanup_(freep) char *path = NULL;
    struct stat status;
    int fd, r;

    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    if (lstat(path, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    /* "ip netns add" lets nobody read its empty file; a namespace's own can be read by all. */
    if (fd < 0)
        return errno == EACCES ? -ENOTTY : -errno;
    r = ioctl(fd, NS_GET_NSTYPE);
    if (r == CLONE_NEWNET) {
        *ret_fd = fd;
        return 0;
    }
    r = r < 0 ? -errno : -EINVAL;
    (void)close(fd);
    return r;
}

static void pending_remove(NetnsDir *dir, const char *name)
{
    for (size_t i = 0; i < dir->pending.n; i++)
        if (streq(dir->pending.items[i], name)) {
            free(dir->pending.items[i]);
            dir->pending.items[i] = dir->pending.items[--dir->pending.n];
            return;
        }
}

/* Tell of it, or keep it in mind until it is a namespace. */
static void file_look(NetnsDir *dir, const char *name)
{
    int fd = -1, r = open_namespace(dir->path, name, &fd);

    if (r >= 0) {
        pending_remove(dir, name);
        dir->handler(name, fd, dir->userdata);
        (void)close(fd);
        return;
    }
    if (r == -ENOTTY) {
        r = strlist_contains(&dir->pending, name) ? 0 : strlist_append(&dir->pending, name);
        if (r >= 0)
            return;
    }
    pending_remove(dir, name);
    log_debug_errno(r, "netnsdir: %s/%s is left alone: %m", dir->path, name);
}

/* file_look() puts back what is to wait on. */
static void pending_look(NetnsDir *dir)
{
    StrList names = dir->pending;

    dir->pending = STRLIST_NULL;
    for (size_t i = 0; i < names.n; i++)
        file_look(dir, names.items[i]);
    strlist_done(&names);
}

/*
 * What was mounted between the look at a file and the moment that the source is on is told to nobody: the
 * kernel tells each change once, to whoever asks first, and that is epoll when the descriptor is added to it.
 */
static void pending_changed(NetnsDir *dir)
{
    int enabled = SD_EVENT_OFF;

    (void)sd_event_source_get_enabled(dir->mounts, &enabled);
    if (enabled == SD_EVENT_OFF && dir->pending.n > 0) {
        (void)sd_event_source_set_enabled(dir->mounts, SD_EVENT_ON);
        pending_look(dir);
    }
    (void)sd_event_source_set_enabled(dir->mounts, dir->pending.n > 0 ? SD_EVENT_ON : SD_EVENT_OFF);
}

static int look(NetnsDir *dir)
{
    DIR *stream = opendir(dir->path);
    const struct dirent *entry;

    if (!stream)
        return errno == ENOENT ? 0 : -errno;
    while ((entry = readdir(stream)))
        if (entry->d_name[0] != '.')
            file_look(dir, entry->d_name);
    (void)closedir(stream);
    return 0;
}

int netnsdir_look(NetnsDir *dir)
{
    int r = look(dir);

    pending_changed(dir);
    return r;
}

/* ------------------------------------------------------------------ events */

static int on_mounts(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    NetnsDir *dir = userdata;

    (void)source;
    (void)fd;
    (void)revents;
    pending_look(dir);
    pending_changed(dir);
    return 0;
}

static int on_directory(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
    NetnsDir *dir = userdata;
    int r;

    (void)source;
    if (event->mask & IN_IGNORED) {
        log_debug("netnsdir: %s is gone", dir->path);
        strlist_done(&dir->pending);
        r = watch_directory(dir);
        if (r < 0)
            log_debug_errno(r, "netnsdir: cannot wait for %s: %m", dir->path);
    } else if (event->mask & IN_Q_OVERFLOW) {
        r = look(dir);
        if (r < 0)
            log_debug_errno(r, "netnsdir: cannot read %s: %m", dir->path);
    } else if (event->len > 0 && event->mask & IN_DELETE) {
        pending_remove(dir, event->name);
    } else if (event->len > 0) {
        file_look(dir, event->name);
    }
    pending_changed(dir);
    return 0;
}

static int on_parent(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
    NetnsDir *dir = userdata;
    const char *name = strrchr(dir->path, '/') + 1;
    int r;

    (void)source;
    if (event->len > 0 && !streq(event->name, name) && !(event->mask & IN_Q_OVERFLOW))
        return 0;
    r = watch_directory(dir);
    if (r < 0)
        log_debug_errno(r, "netnsdir: cannot watch %s: %m", dir->path);
    return 0;
}

/* ------------------------------------------------------------------ lifecycle */

static int watch_parent(NetnsDir *dir)
{
    _cleanup_(freep) char *parent = strdup(dir->path);

    if (!parent)
        return -ENOMEM;
    *strrchr(parent, '/') = 0;
    return sd_event_add_inotify(dir->event, &dir->inotify, *parent ? parent : "/", IN_CREATE | IN_MOVED_TO,
                                on_parent, dir);
}

/* Watch the directory, or its parent; then look, since what came before is not told. */
static int watch_directory(NetnsDir *dir)
{
    int r;

    dir->inotify = sd_event_source_disable_unref(dir->inotify);
    r = sd_event_add_inotify(dir->event, &dir->inotify, dir->path,
                             IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_MOVED_FROM | IN_ONLYDIR, on_directory,
                             dir);
    if (r == -ENOENT) {
        r = watch_parent(dir);
        /* It may have come in between. */
        if (r >= 0 && access(dir->path, F_OK) == 0)
            return watch_directory(dir);
    } else if (r >= 0) {
        r = netnsdir_look(dir);
    }
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(dir->inotify, "netnsdir-inotify");
    return 0;
}

NetnsDir *netnsdir_free(NetnsDir *dir)
{
    if (!dir)
        return NULL;
    (void)sd_event_source_disable_unref(dir->inotify);
    (void)sd_event_source_disable_unref(dir->mounts);
    if (dir->fd_mounts >= 0)
        (void)close(dir->fd_mounts);
    (void)sd_event_unref(dir->event);
    strlist_done(&dir->pending);
    free(dir->path);
    free(dir);
    return NULL;
}

int netnsdir_new(NetnsDir **ret, sd_event *event, const char *path, NetnsDirHandler handler, void *userdata)
{
    _cleanup_(netnsdir_freep) NetnsDir *dir = calloc(1, sizeof(*dir));
    int r;

    if (!dir)
        return -ENOMEM;
    dir->event = sd_event_ref(event);
    dir->handler = handler;
    dir->userdata = userdata;
    dir->path = strdup(path);
    /* Open from the start: the kernel remembers for each open file which changes it has told. */
    dir->fd_mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    if (!dir->path)
        return -ENOMEM;
    if (dir->fd_mounts < 0)
        return -errno;
    if (path[0] != '/' || path[strlen(path) - 1] == '/')
        return -EINVAL;
    r = sd_event_add_io(event, &dir->mounts, dir->fd_mounts, EPOLLPRI, on_mounts, dir);
    if (r < 0)
        return r;
    (void)sd_event_source_set_description(dir->mounts, "netnsdir-mounts");
    (void)sd_event_source_set_enabled(dir->mounts, SD_EVENT_OFF);
    r = watch_directory(dir);
    if (r < 0)
        return r;

    *ret = TAKE_PTR(dir);
    return 0;
}
