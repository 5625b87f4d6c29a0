/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The resource list of the SR-IOV network device plugin (k8snetworkplumbingwg), as far as it tells of ours.
 *
 * The plugin reads /etc/pcidp/config.json when it starts, and offers to pods each resource that stands
 * there. A network whose device is with a driver for DPDK is a resource of one device, named after it: a pod
 * asks for the network oam, not for any network. In front of the name the plugin sets its own
 * -resource-prefix.
 *
 * A device is chosen by address and driver, both. The file is in /etc, where pods of the plugin expect it,
 * and so outlives the binding: after a reboot the address alone could mean a device that is the kernel's.
 *
 * Names. The plugin allows letters, digits and '_', and ends when it finds another character or a name twice.
 * The name of a network may have '-' and '.' too, which become '_'.
 *
 * Whose file. JSON has no comments; but what the plugin does not know it passes over. A member of ours says
 * who wrote the file, and without it the file is somebody's own, whatever else is in it.
 *
 * Limit: a plugin that runs already learns of a change when it is started again. It comes after kubelet,
 * which comes after us.
 */

#include "device-plugin.h"
#include "util/fs.h"
#include "util/json.h"
#include <ctype.h>
#include <errno.h>

#define FILE_MAX ((size_t)1024 * 1024)

#define MARK_KEY "writtenBy"
#define MARK                                                                                                 \
    "multus-eksd, from the devices that it has bound; device_plugin = none in /etc/multus-eks.conf ends "    \
    "that, "                                                                                                 \
    "and without this line the file is left alone"

/* ------------------------------------------------------------ the list */

static json_t *resource_name(const char *network)
{
    _cleanup_(freep) char *name = strdup(network);

    for (char *c = name; c && *c; c++)
        if (!isalnum((unsigned char)*c))
            *c = '_';
    return name ? json_string(name) : NULL;
}

static bool has_resource(const json_t *list, const json_t *name)
{
    const json_t *resource;
    size_t i;

    json_array_foreach(list, i,
                       resource) if (json_equal(json_object_get(resource, "resourceName"), name)) return true;
    return false;
}

static int add_device(json_t *list, const PluginDevice *device)
{
    _cleanup_json_ json_t *name = resource_name(device->network);
    json_t *resource;

    if (!name)
        return -ENOMEM;
    if (has_resource(list, name))
        return DEVICE_PLUGIN_E_NAMES;
    resource = json_pack("{s:O, s:{s:[s], s:[s]}}", "resourceName", name, "selectors", "pciAddresses",
                         device->address, "drivers", device->driver);
    return json_array_append_new(list, resource) < 0 ? -ENOMEM : 0;
}

/* The file's text, freed by the caller. */
static int format_list(const PluginDevice *devices, size_t n_devices, char **ret)
{
    _cleanup_json_ json_t *list = json_array(), *document = NULL;
    _cleanup_(freep) char *text = NULL;
    int r = list ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < n_devices; i++)
        r = add_device(list, &devices[i]);
    if (r != 0)
        return r;
    document = json_pack("{s:s, s:O}", MARK_KEY, MARK, "resourceList", list);
    text = document ? json_dumps(document, JSON_INDENT(2)) : NULL;
    if (!text || asprintf(ret, "%s\n", text) < 0)
        return -ENOMEM;
    return 0;
}

/* ------------------------------------------------------------ the file */

/* 0 also when there is none. */
static int check_file(const char *path)
{
    _cleanup_json_ json_t *document = NULL;
    _cleanup_(freep) char *text = NULL;
    const char *mark;
    size_t n;
    int r;

    r = fs_read_file(path, FILE_MAX, &text, &n);
    if (r == -ENOENT || r == -ENOTDIR)
        return 0;
    if (r == -EFBIG)
        return DEVICE_PLUGIN_E_USERS;
    if (r < 0)
        return r;
    document = json_loadb(text, n, 0, NULL);
    mark = json_string_value(json_object_get(document, MARK_KEY));
    return mark && strncmp(mark, "multus-eksd", 11) == 0 ? 0 : DEVICE_PLUGIN_E_USERS;
}

static int write_list(const char *root, const char *path, const PluginDevice *devices, size_t n_devices,
                      bool *ret_changed)
{
    _cleanup_(freep) char *text = NULL;
    char directory[PATH_MAX];
    int r;

    r = format_list(devices, n_devices, &text);
    if (r == 0)
        r = fs_path(directory, "%s/etc/pcidp", root);
    if (r == 0)
        r = fs_mkdir_p(directory, 0755);
    return r != 0 ? r : fs_update_file(path, text, 0644, FS_SYNC_YES, ret_changed);
}

/* A runtime that is to mount a file which is not there makes a directory of it. */
static int remove_list(const char *path, bool *ret_changed)
{
    int r = check_file(path);

    if (r == DEVICE_PLUGIN_E_USERS || r == -EISDIR)
        return 0;
    return r < 0 ? r : fs_remove_file(path, ret_changed);
}

int device_plugin_set_list(const char *root, const PluginDevice *devices, size_t n_devices, bool *ret_changed)
{
    char path[PATH_MAX];
    int r;

    r = fs_path(path, "%s" DEVICE_PLUGIN_FILE, root);
    if (r == 0 && n_devices == 0)
        return remove_list(path, ret_changed);
    if (r == 0)
        r = check_file(path);
    return r == 0 ? write_list(root, path, devices, n_devices, ret_changed) : r;
}
