/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The EKS AMI's nodeadm, as far as it must know of the Multus interfaces.
 *
 * Number of pods. kubelet promises as many pods as the VPC CNI has addresses for. nodeadm reckons that
 * from the instance type: (interfaces of card 0) x (addresses of each but its own) + 2. An interface
 * tagged no_manage is none of the VPC CNI's, so each of ours takes (addresses - 1) pods away, which
 * nodeadm cannot know: the scheduler would send pods that never get an address. nodeadm's maxPodsExpression
 * is the place to say it; the instance type stays nodeadm's business.
 *
 * nodeadm merges the user data with every *.yaml, *.yml and *.json of /etc/eks/nodeadm.d, by name, the
 * last one winning; other names are passed over, and so is our temporary file. An explicit maxPods wins
 * over any expression, and a --max-pods among the flags over both, wherever they stand. What stands in
 * that directory is seen here; the user data is the caller's to look at, by nodeadm_sets_max_pods().
 *
 * Owners of interfaces. nodeadm's hook of udev asks its cache for the owner of an interface, by name, before
 * it decides itself; "cni" means hands off. Our udev rules keep the hook from running at all for our
 * interfaces, so this is for an image without them.
 *
 * Limit: maxPods is looked for as a word with a colon, not by parsing YAML or MIME. A block of text that
 * happens to have such a line is taken for a setting, which leaves the node as it was. User data that is
 * compressed or encoded is not looked into: a maxPods there wins all the same, by nodeadm's own rule, and
 * an expression there loses against ours.
 */

#include "nodeadm.h"
#include "util/fs.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

/* Far above what a NodeConfig has; EC2's user data ends at 16 KiB. */
#define FILE_MAX ((size_t)1024 * 1024)

static void closedirp(DIR **dir)
{
    if (*dir)
        (void)closedir(*dir);
}

/* ------------------------------------------------------------ what the user has set */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* A key with its colon, quoted or not: maxPods: 17, "maxPods": 17 */
static bool is_key(const char *line, const char *found, size_t n)
{
    const char *end = found + n;

    if (found > line && is_word(found[-1]))
        return false;
    if (*end == '"' || *end == '\'')
        end++;
    end += strspn(end, " \t");
    return *end == ':';
}

static bool line_sets_max_pods(const char *line)
{
    static const char *const keys[] = {"maxPods", "maxPodsExpression"};

    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        for (const char *p = line; (p = strstr(p, keys[i])); p++)
            if (is_key(line, p, strlen(keys[i])))
                return true;
    return strstr(line, "--max-pods=") || strstr(line, "--max-pods ");
}

/* YAML's comments begin at a '#' that begins the line or follows white space. */
static void cut_comment(char *line)
{
    for (char *p = line; (p = strchr(p, '#')); p++)
        if (p == line || isspace((unsigned char)p[-1])) {
            *p = '\0';
            return;
        }
}

bool nodeadm_sets_max_pods(const char *text)
{
    _cleanup_(freep) char *copy = strdup(text);
    char *save = NULL;

    /* Out of memory: rather leave the user's value than override it. */
    if (!copy)
        return true;
    for (char *line = strtok_r(copy, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
        cut_comment(line);
        if (line_sets_max_pods(line))
            return true;
    }
    return false;
}

/* The names that nodeadm reads. */
static bool is_configuration(const char *name)
{
    static const char *const endings[] = {".yaml", ".yml", ".json"};

    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        size_t n = strlen(name), m = strlen(endings[i]);

        if (n > m && strcasecmp(name + n - m, endings[i]) == 0)
            return true;
    }
    return false;
}

static int file_sets_max_pods(const char *path, bool *ret)
{
    _cleanup_(freep) char *text = NULL;
    int r = fs_read_file(path, FILE_MAX, &text, NULL);

    if (r == -EISDIR)
        r = 0;
    if (r < 0)
        return r;
    *ret = text && nodeadm_sets_max_pods(text);
    return 0;
}

/* The last by name of the files but ours that set it, which is the one nodeadm follows; NULL: none. */
static int find_users_file(const char *directory, char **ret)
{
    _cleanup_(freep) char *last = NULL;
    _cleanup_(closedirp) DIR *dir = opendir(directory);
    const struct dirent *entry;
    char path[PATH_MAX];
    bool found = false;
    int r;

    if (!dir)
        return errno == ENOENT ? 0 : -errno;
    while ((entry = readdir(dir))) {
        if (!is_configuration(entry->d_name) || streq(entry->d_name, NODEADM_DROP_IN))
            continue;
        r = fs_path(path, "%s/%s", directory, entry->d_name);
        if (r == 0)
            r = file_sets_max_pods(path, &found);
        if (r < 0)
            return r;
        if (found && (!last || strcmp(path, last) > 0))
            r = replace_string(&last, path);
        if (r < 0)
            return r;
    }
    *ret = TAKE_PTR(last);
    return 0;
}

/* ------------------------------------------------------------ files of ours */

/* /etc: it has to outlive a reboot, and nodeadm refuses to start a node on an empty file. */
static int write_file(const char *path, const char *text, bool *ret_changed)
{
    return fs_update_file(path, text, 0644, FS_SYNC_YES, ret_changed);
}

static int write_drop_in(const char *directory, const char *path, unsigned n_enis, bool *ret_changed)
{
    char text[512];
    int r;

    (void)snprintf(text, sizeof(text),
                   "# Written by multus-eksd: %u interfaces of this node are not the VPC CNI's.\n"
                   "# max_pods = none in /etc/multus-eks.conf ends that.\n"
                   "apiVersion: node.eks.aws/v1alpha1\n"
                   "kind: NodeConfig\n"
                   "spec:\n"
                   "  kubelet:\n"
                   "    maxPodsExpression: \"((default_enis - %u) * (ips_per_eni - 1)) + 2\"\n",
                   n_enis, n_enis);
    r = fs_mkdir_p(directory, 0755);
    return r < 0 ? r : write_file(path, text, ret_changed);
}

int nodeadm_set_max_pods(const char *root, unsigned n_enis, bool *ret_changed, char **ret_users)
{
    _cleanup_(freep) char *users = NULL;
    char eks[PATH_MAX], directory[PATH_MAX], path[PATH_MAX];
    bool changed = false;
    int r;

    r = fs_path(eks, "%s/etc/eks", root);
    if (r == 0)
        r = fs_path(directory, "%s/etc/eks/nodeadm.d", root);
    if (r == 0)
        r = fs_path(path, "%s/etc/eks/nodeadm.d/" NODEADM_DROP_IN, root);
    if (r < 0)
        return r;
    if (access(eks, F_OK) < 0)
        return errno == ENOENT ? NODEADM_E_ABSENT : -errno;

    if (n_enis > 0)
        r = find_users_file(directory, &users);
    if (r == 0)
        r = n_enis > 0 && !users ? write_drop_in(directory, path, n_enis, &changed)
                                 : fs_remove_file(path, &changed);
    if (r < 0)
        return r;

    *ret_changed = changed;
    if (!users)
        return 0;
    *ret_users = TAKE_PTR(users);
    return NODEADM_E_USERS;
}

int nodeadm_disown(const char *root, const char *instance_id, const char *name)
{
    char nodeadm[PATH_MAX], directory[PATH_MAX], path[PATH_MAX];
    bool changed;
    int r;

    r = fs_path(nodeadm, "%s/etc/eks/nodeadm", root);
    if (r == 0)
        r = fs_path(directory, "%s/etc/eks/nodeadm/udev-net-manager/%s", root, instance_id);
    if (r == 0)
        r = fs_path(path, "%s/etc/eks/nodeadm/udev-net-manager/%s/%s", root, instance_id, name);
    if (r < 0)
        return r;
    if (access(nodeadm, F_OK) < 0)
        return errno == ENOENT ? 0 : -errno;

    r = fs_mkdir_p(directory, 0755);
    return r < 0 ? r : write_file(path, "cni", &changed);
}
