#pragma once
/* SPDX-License-Identifier: Apache-2.0 */

/* The files of a host below a directory: "/" for this one, else a chroot or a mounted image. */

#include "util/macro.h"
#include "util/strlist.h"
#include <sys/stat.h>

typedef struct Root {
    int fd;
    const char *path; /* as given, borrowed; "/" */
} Root;

#define ROOT_NULL ((Root){.fd = -1})

/* Positive outcome: there is a link to /dev/null in its place, by which an administrator turns it off. */
#define ROOT_E_MASKED 1

/*
 * Where systemd and udev look for the files of each kind, strongest first, NULL-terminated. A file in
 * one hides those of the same name behind it (systemd.unit(5), udev(7)).
 */
extern const char *const root_unit_dirs[];
extern const char *const root_udev_dirs[];
extern const char *const root_network_dirs[];
extern const char *const root_networkd_conf_dirs[];
extern const char *const root_sysusers_dirs[];
extern const char *const root_tmpfiles_dirs[];
extern const char *const root_catalog_dirs[];

/** root_open() - a directory to look into; 0 or errno */
int root_open(const char *path, Root *ret);
void root_close(Root *root);

/** root_is_host() - whether it is this machine's own "/" */
bool root_is_host(const Root *root);

/** root_stat() - as stat(2), links being followed inside of the root; 0 or errno */
int root_stat(const Root *root, const char *path, struct stat *ret);

/** root_exists() - whether there is anything by that name */
bool root_exists(const Root *root, const char *path);

/**
 * root_read() - a whole file of at most max bytes
 * @ret: NUL-terminated, freed by the caller
 * @ret_n: bytes without the NUL; may be NULL
 *
 * Return: 0; the errno of open(); -EFBIG; -EIO when it is no file, or cannot be read.
 */
int root_read(const Root *root, const char *path, size_t max, char **ret, size_t *ret_n);

/** ROOT_FILE_MAX - more than any file of a configuration has */
#define ROOT_FILE_MAX ((size_t)256 * 1024)

/** root_file_contains() - whether there is such a file, with the text in it */
bool root_file_contains(const Root *root, const char *path, const char *text);

/** root_list() - append the names in a directory, sorted; one that is absent has none; 0 or errno */
int root_list(const Root *root, const char *path, StrList *names);

/**
 * root_find() - the file of that name that counts
 * @below: of each directory, such as "kubelet.service.d"; "" for itself
 * @ret: its path, freed by the caller
 *
 * Return: 0; ROOT_E_MASKED; -ENOENT; -ENOMEM.
 */
int root_find(const Root *root, const char *const *dirs, const char *below, const char *name, char **ret);

/**
 * root_find_all() - append the paths of all files that count, in the order of their names
 * @suffix: ".rules"; what is masked is left out
 *
 * Return: 0 or errno.
 */
int root_find_all(const Root *root, const char *const *dirs, const char *below, const char *suffix,
                  StrList *paths);

/** root_basename() - the part of a path after its last slash */
const char *root_basename(const char *path);

#define _cleanup_root_ _cleanup_(root_close)
