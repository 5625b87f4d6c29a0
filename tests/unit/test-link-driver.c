/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Binding a device to a driver for DPDK, on a tree of files that reacts to writes as the kernel's sysfs
 * does: unbinding ends the network device, drivers_probe honours driver_override. Tried alone, with every
 * step failing in turn, with every step the last one before the daemon is killed, and as part of a link.
 */

#include "lib/fake-rtnl.h"
#include "lib/test.h"
#include "link/link-private.h"
#include "util/fs.h"
#include "util/log.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADDRESS "0000:00:06.0"
#define NEVER   UINT_MAX
#define DEVICE  "/sys/devices/pci0000:00/" ADDRESS

static const MacAddr mac = {{0x02, 0, 0, 0, 0, 1}};

static struct Tree {
    char root[64];
    char sysfs[96];
    char memory[96];
    bool network;       /* tell the fake kernel of network devices, too */
    bool renamed;       /* somebody has just renamed the interface, and no event has told of it yet */
    bool refuse;        /* the driver for DPDK does not want the device */
    unsigned n_writes;  /* so far */
    unsigned n_taken;   /* by the kernel's driver, so far */
    unsigned fail_at;   /* this write fails, once; 0: none */
    unsigned kill_at;   /* from this write on nothing happens any more */
    unsigned unplug_at; /* instead of this write the device goes; 0: before any */
} tree;

static DriverHost host;

static const char *at(const char *name)
{
    static char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s%s", tree.root, name);
    return path;
}

static void put(const char *name, const char *text)
{
    assert_int_equal(fs_write_file(at(name), text, strlen(text), 0644, FS_SYNC_NO), 0);
}

static void make_directory(const char *name)
{
    assert_int_equal(fs_mkdir_p(at(name), 0755), 0);
}

static void make_link(const char *name, const char *target)
{
    assert_int_equal(symlink(target, at(name)), 0);
}

static bool is_there(const char *name)
{
    return access(at(name), F_OK) == 0;
}

/* ------------------------------------------------------------ the kernel */

static const char *class_link(void)
{
    return tree.renamed ? "/sys/class/net/multus3" : "/sys/class/net/ens6";
}

static void kernel_take(const char *driver)
{
    char target[128];

    (void)snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
    make_link(DEVICE "/driver", target);
    if (!streq(driver, "ena"))
        return;
    make_directory(DEVICE "/net/ens6");
    make_link(DEVICE "/net/ens6/device", "../../../" ADDRESS);
    put(DEVICE "/net/ens6/address", "02:00:00:00:00:01\n");
    make_link(class_link(), "../../devices/pci0000:00/" ADDRESS "/net/ens6");
    assert_true(++tree.n_taken < 100); /* and not for ever */
    if (tree.network)
        assert_int_equal(fake_rtnl_plug(&mac, "ens6"), 0);
}

static int kernel_unbind(void)
{
    if (!is_there(DEVICE "/driver"))
        return -ENOENT;
    assert_int_equal(unlink(at(DEVICE "/driver")), 0);
    if (!is_there(class_link()))
        return 0;
    assert_int_equal(unlink(at(class_link())), 0);
    assert_int_equal(unlink(at(DEVICE "/net/ens6/device")), 0);
    assert_int_equal(unlink(at(DEVICE "/net/ens6/address")), 0);
    assert_int_equal(rmdir(at(DEVICE "/net/ens6")), 0);
    return tree.network ? fake_rtnl_unplug("ens6") : 0;
}

static int kernel_probe(const char *address)
{
    _cleanup_(freep) char *driver = NULL;
    char path[160];

    assert_string_equal(address, ADDRESS);
    assert_int_equal(fs_read_file(at(DEVICE "/driver_override"), 64, &driver, NULL), 0);
    driver[strcspn(driver, "\n")] = '\0';
    if (is_there(DEVICE "/driver"))
        return 0;
    (void)snprintf(path, sizeof(path), "/sys/bus/pci/drivers/%s", *driver ? driver : "ena");
    if (is_there(path) && !(*driver && tree.refuse))
        kernel_take(*driver ? driver : "ena");
    return 0; /* whatever came of it */
}

static void unplug_device(void)
{
    assert_int_equal(unlink(at("/sys/bus/pci/devices/" ADDRESS)), 0);
    (void)kernel_unbind();
}

static bool ends_with(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && streq(text + strlen(text) - strlen(end), end);
}

static int kernel_write(const char *path, const char *value, void *userdata _unused_)
{
    tree.n_writes++;
    if (tree.n_writes == tree.unplug_at) {
        unplug_device();
        return -ENOENT;
    }
    if (tree.n_writes == tree.fail_at || (tree.kill_at && tree.n_writes >= tree.kill_at))
        return -EIO;
    if (ends_with(path, "/" ADDRESS "/driver_override"))
        return fs_write_file(path, value, strlen(value), 0644, FS_SYNC_NO);
    if (ends_with(path, "/" ADDRESS "/driver/unbind"))
        return kernel_unbind();
    if (ends_with(path, "/drivers_probe"))
        return kernel_probe(value);
    fail_msg("write to %s", path);
    return -ENOENT;
}

static int set_up(void **state)
{
    (void)state;
    tree = (struct Tree){.root = "/tmp/test-link-driver-XXXXXX", .unplug_at = NEVER};
    if (!mkdtemp(tree.root))
        return -1;
    (void)snprintf(tree.sysfs, sizeof(tree.sysfs), "%s/sys", tree.root);
    (void)snprintf(tree.memory, sizeof(tree.memory), "%s/run/drivers", tree.root);
    host = (DriverHost){.sysfs = tree.sysfs, .memory = tree.memory, .write = kernel_write};
    make_directory("/sys/bus/pci/devices");
    make_directory("/sys/bus/pci/drivers/ena");
    make_directory("/sys/bus/pci/drivers/vfio-pci");
    make_directory("/sys/class/net");
    make_directory(DEVICE);
    make_link("/sys/bus/pci/devices/" ADDRESS, "../../../devices/pci0000:00/" ADDRESS);
    put(DEVICE "/driver_override", "\n");
    fake_rtnl_reset();
    kernel_take("ena");
    return 0;
}

static int tear_down(void **state)
{
    char command[sizeof(tree.root) + 16];

    (void)state;
    (void)snprintf(command, sizeof(command), "rm -rf %s", tree.root);
    return system(command);
}

static void assert_driver(const char *wanted)
{
    char driver[DRIVER_TEXT];

    assert_int_equal(driver_current(&host, ADDRESS, driver), 0);
    assert_string_equal(driver, wanted);
    assert_int_equal(is_there(class_link()), streq(wanted, "ena"));
}

static void assert_override(const char *wanted)
{
    _cleanup_(freep) char *text = NULL;

    assert_int_equal(fs_read_file(at(DEVICE "/driver_override"), 64, &text, NULL), 0);
    assert_string_equal(text, wanted);
}

/* ------------------------------------------------------------ looking */

static void test_pci_address(void **state)
{
    static const RtnlLink ens6 = {.name = "ens6"}, ens7 = {.name = "ens7"};
    const MacAddr other = {{0x02, 0, 0, 0, 0, 2}};
    char address[PCI_ADDRESS_TEXT], driver[DRIVER_TEXT];

    (void)state;
    assert_int_equal(driver_pci_address(&host, &ens6, &mac, address), 0);
    assert_string_equal(address, ADDRESS);
    assert_int_equal(driver_pci_address(&host, &ens7, &mac, address), -ENODEV);
    /* The same name in another namespace. */
    assert_int_equal(driver_pci_address(&host, &ens6, &other, address), -ENODEV);

    /* virtio: the device is a child of the PCI device. */
    make_directory(DEVICE "/virtio1");
    assert_int_equal(unlink(at(DEVICE "/net/ens6/device")), 0);
    make_link(DEVICE "/net/ens6/device", "../../virtio1");
    assert_int_equal(driver_pci_address(&host, &ens6, &mac, address), 0);
    assert_string_equal(address, ADDRESS);
    assert_int_equal(driver_current(&host, "0000:00:07.0", driver), -ENODEV);
}

/* By the parent that the kernel names, whatever the name is by now. */
static void test_pci_address_of_parent(void **state)
{
    static const RtnlLink pci = {.name = "eth0", .parent_bus = "pci", .parent_device = ADDRESS},
                          virtio = {.name = "eth0", .parent_bus = "virtio", .parent_device = "virtio1"},
                          gone = {.name = "ens6", .parent_bus = "pci", .parent_device = "0000:00:07.0"},
                          other_bus = {.name = "ens6", .parent_bus = "usb", .parent_device = "1-1:1.0"};
    char address[PCI_ADDRESS_TEXT];

    (void)state;
    assert_int_equal(driver_pci_address(&host, &pci, &mac, address), 0);
    assert_string_equal(address, ADDRESS);
    make_directory(DEVICE "/virtio1");
    make_directory("/sys/bus/virtio/devices");
    make_link("/sys/bus/virtio/devices/virtio1", "../../../devices/pci0000:00/" ADDRESS "/virtio1");
    *address = '\0';
    assert_int_equal(driver_pci_address(&host, &virtio, &mac, address), 0);
    assert_string_equal(address, ADDRESS);
    /* Then the name is not asked: it may be another's by now. */
    assert_int_equal(driver_pci_address(&host, &gone, &mac, address), -ENXIO);
    assert_int_equal(driver_pci_address(&host, &other_bus, &mac, address), -ENXIO);
    /* Only what is not there has gone: another error says nothing of that. */
    make_link("/sys/bus/pci/devices/0000:00:07.0", "0000:00:07.0");
    assert_int_equal(driver_pci_address(&host, &gone, &mac, address), -ENODEV);
}

static int bind_device(const char *ifname, const char *driver, char address[static PCI_ADDRESS_TEXT],
                       Buf *why)
{
    RtnlLink link = {0};

    (void)snprintf(link.name, sizeof(link.name), "%s", ifname);
    return driver_bind(&host, &link, &mac, driver, address, why);
}

static void test_cannot(void **state)
{
    _cleanup_buf_ Buf veth = BUF_NULL, module = BUF_NULL, memory = BUF_NULL;
    char address[PCI_ADDRESS_TEXT];

    (void)state;
    make_directory("/sys/devices/virtual/net/veth1");
    put("/sys/devices/virtual/net/veth1/address", "02:00:00:00:00:01\n");
    make_link("/sys/class/net/veth1", "../../devices/virtual/net/veth1");
    assert_int_equal(bind_device("veth1", "vfio-pci", address, &veth), -ENODEV);
    assert_non_null(strstr(veth.data, "no PCI device"));
    assert_int_equal(bind_device("ens6", "igb_uio", address, &module), -ENOENT);
    assert_non_null(strstr(module.data, "/etc/modules-load.d"));
    /* What could not be found again is not begun. */
    make_directory("/run");
    put("/run/drivers", "");
    assert_true(bind_device("ens6", "vfio-pci", address, &memory) < 0);
    assert_non_null(strstr(memory.data, tree.memory));
    assert_int_equal(tree.n_writes, 0);
    assert_driver("ena");
}

/* ------------------------------------------------------------ the sequence */

static int resume(const char *driver, bool *ret_changed)
{
    _cleanup_buf_ Buf why = BUF_NULL;
    char address[PCI_ADDRESS_TEXT] = "";
    int r = driver_resume(&host, &mac, driver, address, ret_changed, &why);

    assert_true((r < 0) == (why.n > 0));
    assert_string_equal(address, r == 0 ? ADDRESS : "");
    return r;
}

static void test_bind_and_resume(void **state)
{
    _cleanup_buf_ Buf why = BUF_NULL;
    char address[PCI_ADDRESS_TEXT];
    bool changed = true;

    (void)state;
    assert_int_equal(resume("vfio-pci", &changed), DRIVER_E_NONE);
    assert_int_equal(bind_device("ens6", "vfio-pci", address, &why), 0);
    assert_string_equal(address, ADDRESS);
    assert_driver("vfio-pci");
    assert_override("vfio-pci");
    assert_int_equal(tree.n_writes, 3);

    assert_int_equal(resume("vfio-pci", &changed), 0);
    assert_false(changed);
    assert_int_equal(resume("igb_uio", &changed), -EBUSY);
    assert_int_equal(resume("", &changed), -EBUSY);
    assert_int_equal(tree.n_writes, 3);
    assert_driver("vfio-pci");

    /* Given back by hand: the note is of no use any more. */
    assert_int_equal(kernel_unbind(), 0);
    kernel_take("ena");
    assert_int_equal(resume("vfio-pci", &changed), DRIVER_E_NONE);
    assert_false(is_there("/run/drivers/02:00:00:00:00:01"));
}

static void test_slot_used_again(void **state)
{
    const MacAddr former = {{0x02, 0, 0, 0, 0, 9}};
    _cleanup_buf_ Buf why = BUF_NULL;
    char address[PCI_ADDRESS_TEXT];
    bool changed;

    (void)state;
    make_directory("/run/drivers");
    put("/run/drivers/02:00:00:00:00:09", ADDRESS);
    put("/run/drivers/02:00:00:00:00:08", "0000:00:08.0");
    assert_int_equal(bind_device("ens6", "vfio-pci", address, &why), 0);
    assert_int_equal(driver_resume(&host, &former, "vfio-pci", address, &changed, &why), DRIVER_E_NONE);
    assert_true(is_there("/run/drivers/02:00:00:00:00:08"));
    /* Nothing but an address is ever made a path of. */
    put("/run/drivers/02:00:00:00:00:09", "../drivers/ena");
    assert_int_equal(driver_resume(&host, &former, "vfio-pci", address, &changed, &why), DRIVER_E_NONE);
}

static void test_every_step_fails(void **state)
{
    char address[PCI_ADDRESS_TEXT];
    bool changed;

    (void)state;
    for (unsigned k = 1; k <= 4; k++) {
        _cleanup_buf_ Buf why = BUF_NULL;

        tree.n_writes = 0;
        tree.fail_at = k < 4 ? k : 0;
        tree.refuse = k == 4; /* the fourth is that drivers_probe does nothing */
        assert_int_equal(bind_device("ens6", "vfio-pci", address, &why), -EIO);
        assert_non_null(strstr(why.data, "kernel's driver has it again"));
        tree.fail_at = 0;
        assert_driver("ena");
        assert_override("\n");
        assert_int_equal(resume("vfio-pci", &changed), DRIVER_E_NONE);
    }
    /* Not even undoing works: that is said. */
    _cleanup_buf_ Buf worse = BUF_NULL;
    tree.n_writes = 0;
    tree.kill_at = 3;
    assert_int_equal(bind_device("ens6", "vfio-pci", address, &worse), -EIO);
    assert_non_null(strstr(worse.data, "restart the host"));
    assert_driver("");
}

static void test_killed_at_every_step(void **state)
{
    static const char *const wanted[] = {"vfio-pci", ""};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        for (unsigned k = 1; k <= 3; k++) {
            _cleanup_buf_ Buf why = BUF_NULL;
            char address[PCI_ADDRESS_TEXT];
            bool changed = false;

            tree.n_writes = 0;
            tree.kill_at = k;
            assert_int_equal(bind_device("ens6", "vfio-pci", address, &why), -EIO);
            tree.kill_at = 0;
            /* Who is killed does not take back its note. */
            put("/run/drivers/02:00:00:00:00:01", ADDRESS);

            if (k < 3) { /* the interface is still there, and will be bound as any other */
                assert_driver("ena");
                assert_int_equal(resume(wanted[i], &changed), DRIVER_E_NONE);
            } else {
                assert_driver("");
                assert_int_equal(resume(wanted[i], &changed), *wanted[i] ? 0 : DRIVER_E_NONE);
                assert_int_equal(changed, *wanted[i] != 0);
                assert_driver(*wanted[i] ? wanted[i] : "ena");
            }
            if (k == 3 && *wanted[i]) {
                assert_int_equal(kernel_unbind(), 0);
                kernel_take("ena");
            }
        }
}

/* ------------------------------------------------------------ as part of a link */

typedef struct Fixture {
    sd_event *event;
    Links *links;
    Rtnl *rtnl;
    Link *link;
    unsigned n_told[LINK_EVENT_GONE + 1];
    bool changed;
    char text[512];
} Fixture;

static void on_link(const LinkEvent *event, void *userdata)
{
    Fixture *f = userdata;

    f->n_told[event->type]++;
    if (event->type == LINK_EVENT_SEEN && tree.unplug_at == 0)
        unplug_device();
    f->changed = event->changed;
    (void)snprintf(f->text, sizeof(f->text), "%s", event->text);
}

static void run_dry(const Fixture *f)
{
    while (sd_event_run(f->event, 0) > 0)
        ;
}

static void begin(Fixture *f)
{
    LinkSpec spec = {
        .mac = mac, .ifname = "eth1", .driver = "vfio-pci", .mtu = 9001, .timeout = USEC_PER_MINUTE};

    *f = (Fixture){0};
    assert_int_equal(sd_event_new(&f->event), 0);
    assert_int_equal(links_new(&f->links, f->event, tree.root, on_link, f), 0);
    links_set_drivers(f->links, &host);
    f->links->udev = udev_free(f->links->udev);
    assert_int_equal(fake_rtnl_new(&f->rtnl, f->event, links_on_rtnl, f->links), 0);
    assert_int_equal(links_start(f->links, f->rtnl), 0);
    assert_int_equal(links_add(f->links, &spec, &f->link), 0);
    run_dry(f);
}

static void end(Fixture *f)
{
    f->links = links_free(f->links);
    f->rtnl = rtnl_free(f->rtnl);
    f->event = sd_event_unref(f->event);
}

static int plug_tree(void **state)
{
    int r = set_up(state);

    tree.network = true;
    return r ?: fake_rtnl_plug(&mac, "ens6");
}

/* As a kernel that names the device below. */
static int plug_parent(void **state)
{
    int r = set_up(state);

    tree.network = true;
    fake_rtnl_set_parent("pci", ADDRESS);
    return r ?: fake_rtnl_plug(&mac, "ens6");
}

static void assert_bound(const Fixture *f)
{
    char address[PCI_ADDRESS_TEXT];

    assert_int_equal(link_state(f->link), LINK_STATE_BOUND);
    assert_true(link_is_ready(f->link));
    assert_int_equal(link_pci_address(f->link, address), 0);
    assert_string_equal(address, ADDRESS);
    assert_int_equal(link_ifindex(f->link), 0);
    assert_driver("vfio-pci");
}

static void test_link(void **state)
{
    Fixture f;

    (void)state;
    begin(&f);
    assert_bound(&f);
    assert_int_equal(f.n_told[LINK_EVENT_SEEN], 1);
    assert_int_equal(f.n_told[LINK_EVENT_UP], 1);
    assert_true(f.changed);
    /* Its interface has gone, as it must. */
    assert_int_equal(f.n_told[LINK_EVENT_GONE], 0);
    assert_int_equal(fake_rtnl_counts()->n_link_sets, 0);
    end(&f);

    /* A second start changes nothing. */
    tree.n_writes = 0;
    begin(&f);
    assert_bound(&f);
    assert_int_equal(f.n_told[LINK_EVENT_UP], 1);
    assert_int_equal(f.n_told[LINK_EVENT_SEEN], 0);
    assert_false(f.changed);
    assert_int_equal(tree.n_writes, 0);

    /* Somebody gives the device back to the kernel: it is bound again. */
    put(DEVICE "/driver_override", "\n");
    assert_int_equal(kernel_unbind(), 0);
    kernel_take("ena");
    run_dry(&f);
    assert_bound(&f);
    assert_int_equal(f.n_told[LINK_EVENT_UP], 2);
    assert_true(f.changed);
    end(&f);
}

/* udev names each interface as it appears: that moment is met in one boot of many. */
static void test_link_renamed_meanwhile(void **state)
{
    Fixture f;

    (void)state;
    begin(&f);
    assert_bound(&f);
    assert_int_equal(f.n_told[LINK_EVENT_FAILED], 0);
    end(&f);
}

/* EC2 detaches the interface at any step: its end is told, and it is taken as any other when it is back. */
static void test_link_unplugged_meanwhile(void **state)
{
    for (unsigned k = 0; k <= 3; k++) {
        Fixture f;

        assert_int_equal(plug_parent(state), 0);
        tree.unplug_at = k;
        begin(&f);
        assert_int_equal(link_state(f.link), LINK_STATE_WAITING);
        assert_int_equal(f.n_told[LINK_EVENT_GONE], 1);
        assert_int_equal(f.n_told[LINK_EVENT_FAILED], 0);
        assert_false(is_there("/run/drivers/02:00:00:00:00:01"));

        tree.unplug_at = NEVER;
        make_link("/sys/bus/pci/devices/" ADDRESS, "../../../devices/pci0000:00/" ADDRESS);
        put(DEVICE "/driver_override", "\n");
        kernel_take("ena");
        run_dry(&f);
        assert_bound(&f);
        end(&f);
        assert_int_equal(tear_down(state), 0);
    }
}

static void test_link_fails_once(void **state)
{
    Fixture f;

    (void)state;
    tree.refuse = true;
    begin(&f);
    /* The device came back as another: that is no invitation to try for ever. */
    assert_int_equal(link_state(f.link), LINK_STATE_FAILED);
    assert_int_equal(f.n_told[LINK_EVENT_FAILED], 1);
    assert_int_equal(f.n_told[LINK_EVENT_SEEN], 1);
    assert_int_equal(f.n_told[LINK_EVENT_GONE], 0);
    assert_non_null(strstr(f.text, "vfio-pci does not take"));
    assert_driver("ena");
    end(&f);
}

static int plug_renamed(void **state)
{
    int r = set_up(state);

    tree.network = tree.renamed = true;
    assert_int_equal(unlink(at("/sys/class/net/ens6")), 0);
    make_link(class_link(), "../../devices/pci0000:00/" ADDRESS "/net/ens6");
    fake_rtnl_set_parent("pci", ADDRESS);
    return r ?: fake_rtnl_plug(&mac, "ens6");
}

#define TEST(_f)      cmocka_unit_test_setup_teardown(_f, set_up, tear_down)
#define TEST_LINK(_f) cmocka_unit_test_setup_teardown(_f, plug_tree, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_pci_address),
        TEST(test_cannot),
        TEST(test_bind_and_resume),
        TEST(test_slot_used_again),
        TEST(test_every_step_fails),
        TEST(test_killed_at_every_step),
        TEST_LINK(test_link),
        TEST_LINK(test_link_fails_once),
        TEST(test_pci_address_of_parent),
        cmocka_unit_test_setup_teardown(test_link_renamed_meanwhile, plug_renamed, tear_down),
        cmocka_unit_test(test_link_unplugged_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
