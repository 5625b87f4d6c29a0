/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A host's files seen from outside. An image has links that are absolute in its own terms
 * (multi-user.target.wants/x -> /usr/lib/systemd/system/x); openat2() resolves them as chroot() would,
 * without its privileges and without leaving anything behind.
 */

#include "root.h"
#include "util/buf.h"
#include "util/fs.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *const root_unit_dirs[] = {"/etc/systemd/system",           "/run/systemd/system",
                                      "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
                                      "/lib/systemd/system",           NULL};
const char *const root_udev_dirs[] = {"/etc/udev/rules.d",           "/run/udev/rules.d",
                                      "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d",
                                      "/lib/udev/rules.d",           NULL};
const char *const root_network_dirs[] = {"/etc/systemd/network",           "/run/systemd/network",
                                         "/usr/local/lib/systemd/network", "/usr/lib/systemd/network",
                                         "/lib/systemd/network",           NULL};
const char *const root_networkd_conf_dirs[] = {"/etc/systemd",     "/run/systemd", "/usr/local/lib/systemd",
                                               "/usr/lib/systemd", "/lib/systemd", NULL};
const char *const root_sysusers_dirs[] = {"/etc/sysusers.d",           "/run/sysusers.d",
                                          "/usr/local/lib/sysusers.d", "/usr/lib/sysusers.d",
                                          "/lib/sysusers.d",           NULL};
const char *const root_tmpfiles_dirs[] = {"/etc/tmpfiles.d",           "/run/tmpfiles.d",
                                          "/usr/local/lib/tmpfiles.d", "/usr/lib/tmpfiles.d",
                                          "/lib/tmpfiles.d",           NULL};
const char *const root_catalog_dirs[] = {"/usr/local/lib/systemd/catalog", "/usr/lib/systemd/catalog",
                                         "/lib/systemd/catalog", NULL};

int root_open(const char *path, Root *ret)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    *ret = (Root){.fd = fd, .path = path};
    return 0;
}

void root_close(Root *root)
{
    closep(&root->fd);
    *root = ROOT_NULL;
}

bool root_is_host(const Root *root)
{
    struct stat here, host;

    return fstat(root->fd, &here) == 0 && stat("/", &host) == 0 && here.st_dev == host.st_dev &&
           here.st_ino == host.st_ino;
}

/* A descriptor or a negative errno. */
static int root_open_at(const Root *root, const char *path, uint64_t flags)
{
    struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    long fd = syscall(SYS_openat2, root->fd, path, &how, sizeof(how));

    return fd < 0 ? -errno : (int)fd;
}

int root_stat(const Root *root, const char *path, struct stat *ret)
{
    _cleanup_close_ int fd = root_open_at(root, path, O_PATH);

    if (fd < 0)
        return fd;
    return fstat(fd, ret) < 0 ? -errno : 0;
}

bool root_exists(const Root *root, const char *path)
{
    struct stat st;

    return root_stat(root, path, &st) == 0;
}

int root_read(const Root *root, const char *path, size_t max, char **ret, size_t *ret_n)
{
    _cleanup_close_ int fd = root_open_at(root, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
    _cleanup_buf_ Buf buf = BUF_NULL;
    char chunk[4096];
    ssize_t n;

    if (fd < 0)
        return fd;
    while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
        if ((size_t)n > max - buf.n)
            return -EFBIG;
        if (buf_append(&buf, chunk, (size_t)n) < 0)
            return -ENOMEM;
    }
    if (n < 0)
        return -EIO;

    if (ret_n)
        *ret_n = buf.n;
    *ret = buf_take(&buf);
    return *ret ? 0 : -ENOMEM;
}

bool root_file_contains(const Root *root, const char *path, const char *text)
{
    _cleanup_(freep) char *content = NULL;

    return root_read(root, path, ROOT_FILE_MAX, &content, NULL) == 0 && strstr(content, text);
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int root_list(const Root *root, const char *path, StrList *names)
{
    int fd = root_open_at(root, path, O_RDONLY | O_DIRECTORY);
    size_t before = names->n;
    struct dirent *entry;
    DIR *dir;
    int r = 0;

    if (fd < 0)
        return fd == -ENOENT || fd == -ENOTDIR ? 0 : fd;
    dir = fdopendir(fd);
    if (!dir) {
        r = -errno;
        (void)close(fd);
        return r;
    }

    while (r == 0 && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            r = strlist_append(names, entry->d_name);
    (void)closedir(dir);
    if (names->n > before)
        qsort(names->items + before, names->n - before, sizeof(*names->items), compare_strings);
    return r;
}

/* 0 when it counts, ROOT_E_MASKED, or -ENOENT. */
static int classify(const Root *root, const char *path)
{
    _cleanup_close_ int fd = root_open_at(root, path, O_PATH | O_NOFOLLOW);
    char target[sizeof("/dev/null")];
    ssize_t n;

    if (fd < 0)
        return -ENOENT;
    n = readlinkat(fd, "", target, sizeof(target));
    if (n == (ssize_t)strlen("/dev/null") && memcmp(target, "/dev/null", (size_t)n) == 0)
        return ROOT_E_MASKED;
    return root_exists(root, path) ? 0 : -ENOENT;
}

static int join(const char *dir, const char *below, const char *name, char path[static PATH_MAX])
{
    int n = snprintf(path, PATH_MAX, "%s%s%s/%s", dir, *below ? "/" : "", below, name);

    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

int root_find(const Root *root, const char *const *dirs, const char *below, const char *name, char **ret)
{
    char path[PATH_MAX];
    int r;

    for (; *dirs; dirs++) {
        if (join(*dirs, below, name, path) < 0)
            continue;
        r = classify(root, path);
        if (r == -ENOENT)
            continue;
        if (r == ROOT_E_MASKED)
            return ROOT_E_MASKED;
        *ret = strdup(path);
        return *ret ? 0 : -ENOMEM;
    }
    return -ENOENT;
}

static bool ends_in(const char *name, const char *suffix)
{
    size_t n = strlen(name), n_suffix = strlen(suffix);

    return n >= n_suffix && streq(name + n - n_suffix, suffix);
}

int root_find_all(const Root *root, const char *const *dirs, const char *below, const char *suffix,
                  StrList *paths)
{
    _cleanup_strlist_ StrList names = STRLIST_NULL;
    char path[PATH_MAX];
    int r = 0;

    for (const char *const *dir = dirs; r == 0 && *dir; dir++) {
        (void)snprintf(path, sizeof(path), "%s%s%s", *dir, *below ? "/" : "", below);
        r = root_list(root, path, &names);
    }
    if (names.n > 0)
        qsort(names.items, names.n, sizeof(*names.items), compare_strings);

    for (size_t i = 0; r == 0 && i < names.n; i++) {
        _cleanup_(freep) char *found = NULL;

        if (!ends_in(names.items[i], suffix) || (i > 0 && streq(names.items[i], names.items[i - 1])))
            continue;
        r = root_find(root, dirs, below, names.items[i], &found);
        if (r == 0)
            r = strlist_append(paths, found);
        else if (r == ROOT_E_MASKED || r == -ENOENT)
            r = 0;
    }
    return r;
}

const char *root_basename(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}
