/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The configuration file: the sample, every kind of mistake with its line, and drop-ins.
 */

#include "input/config.h"
#include "lib/test.h"
#include "util/fs.h"
#include <errno.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

static int parse(const char *text, Config **ret, Buf *errors)
{
    _cleanup_(config_freep) Config *config = config_new();
    int r;

    assert_non_null(config);
    r = config_parse(config, "f", text, strlen(text), errors);
    if (r == 0)
        r = config_finish(config, errors);
    if (r == 0)
        *ret = TAKE_PTR(config);
    return r;
}

static const char sample[] =
    "[daemon]\n"
    "log_level = info                 ; debug|info|notice|warning|err\n"
    "on_failure = block               ; block: kubelet does not start. continue: it starts, the node is "
    "degraded and says so\n"
    "attach_timeout = 150s            ; from Attach to the kernel link\n"
    "boot_timeout = 5min\n"
    "lifecycle_hook = auto            ; auto: complete the launching hook if the instance is in "
    "Pending:Wait\n"
    "max_pods = auto\n"
    "device_plugin = auto\n"
    "sweep_leaked = yes               ; delete `available` ENIs of this node group whose instance is gone\n"
    "\n"
    "[aws]\n"
    "region = auto\n"
    "imds_endpoint = http://169.254.169.254\n"
    "ec2_endpoint = auto              ; https://ec2.<region>.<dns suffix>\n"
    "autoscaling_endpoint = auto\n"
    "ca_file =\n"
    "request_timeout = 10s\n"
    "proxy =                          ; else HTTPS_PROXY / NO_PROXY of the environment; never used for IMDS\n"
    "\n"
    "[discovery]\n"
    "tags = yes                       ; no: this file alone decides\n"
    "tag_prefix = multus-eks:\n"
    "\n"
    "[network]                        ; defaults of every network\n"
    "subnets = subnet-a, subnet-b     ; in order: the first one is eth1, the next eth2 …\n"
    "security_groups = sg-a           ; one for all, or as many as subnets\n"
    "ip_allocation = dynamic\n"
    "ipv6 = auto\n"
    "interface_tags = cnf=abc01, type=5g\n"
    "source_dest_check = no\n"
    "ifname_prefix = eth\n"
    "mtu = 9001\n"
    "host_address = no                ; yes: the ENI's own address on the host, in a route table and rule\n"
    "driver = kernel\n"
    "\n"
    "[network oam]                    ; a named network: any key above, plus\n"
    "device_index = auto\n"
    "network_card = 0\n"
    "ifname = eth1\n"
    "subnets = subnet-a, subnet-b     ; candidates, one per AZ\n"
    "\n"
    "[registration]\n"
    "socket_group = multus-eks\n"
    "allow_reassign = yes             ; an address held by another ENI moves here\n"
    "watch = yes\n"
    "release_cooldown = 30s\n"
    "stale_grace = 10min\n";

static void test_sample(void **state)
{
    _cleanup_(config_freep) Config *config = NULL;
    _cleanup_buf_ Buf errors = BUF_NULL;

    (void)state;
    assert_int_equal(parse(sample, &config, &errors), 0);
    assert_null(errors.data);
    assert_int_equal(config->log_level, LOG_INFO);
    assert_int_equal(config->on_failure, ON_FAILURE_BLOCK);
    assert_true(config->attach_timeout == 150 * USEC_PER_SEC);
    assert_true(config->boot_timeout == 300 * USEC_PER_SEC);
    assert_string_equal(config->lifecycle_hook, "auto");
    assert_true(config->max_pods);
    assert_true(config->device_plugin);
    assert_null(config->region);
    assert_null(config->ec2_endpoint);
    assert_null(config->ca_file);
    assert_null(config->proxy);
    assert_string_equal(config->imds_endpoint, "http://169.254.169.254");
    assert_int_equal(config->defaults.subnets.n, 2);
    assert_string_equal(config->defaults.subnets.items[1], "subnet-b");
    assert_int_equal(config->defaults.interface_tags.n, 2);
    assert_string_equal(keyvalue_list_get(&config->defaults.interface_tags, "type"), "5g");
    assert_false(config->defaults.source_dest_check);
    assert_int_equal(config->n_networks, 1);
    assert_string_equal(config->networks[0].name, "oam");
    assert_string_equal(config->networks[0].ifname, "eth1");
    assert_string_equal(config->networks[0].source, "f:36");
    assert_int_equal(config->networks[0].device_index, -1);
    assert_true(network_config_has(&config->networks[0], "subnets"));
    assert_false(network_config_has(&config->networks[0], "mtu"));
}

static void test_empty_is_defaults(void **state)
{
    static const char *const texts[] = {"", "\n\n", "# nothing\n ; here\n", "\xef\xbb\xbf[daemon]\n",
                                        "[aws]\r\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_buf_ Buf errors = BUF_NULL;

        assert_int_equal(parse(texts[i], &config, &errors), 0);
        assert_true(config->defaults.source_dest_check);
        assert_int_equal(config->defaults.mtu, 9001);
        assert_true(config->tags);
        assert_string_equal(config->tag_prefix, "multus-eks:");
        assert_int_equal(config->n_networks, 0);
    }
}

#define X50  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X200 X50 X50 X50 X50

/* What was wrong, and all that the message has to say about it. */
static const struct {
    const char *text;
    const char *error;
} mistakes[] = {
    {"[daemon]\nlog_levle = info\n",
     "f:2: daemon.log_levle: unknown key; did you mean log_level?; allowed: "
     "log_level, on_failure"},
    {"[network]\nsubnet = subnet-a\n", "f:2: network.subnet: unknown key; did you mean subnets?"},
    {"[netwrok]\n",
     "f:1: [netwrok]: unknown section; did you mean network?; allowed: daemon, aws, "
     "discovery, registration, network, network NAME"},
    {"[network]\nmtu = 900x\n", "f:2: network.mtu: \"900x\" is not a number; allowed: 1280 to 9216"},
    {"[network]\nmtu = 99999\n", "f:2: network.mtu: 99999 is out of range; allowed: 1280 to 9216"},
    {"[network]\nmtu = 1279\n", "out of range"},
    {"[network]\nmtu = -1\n", "\"-1\" is not a number"},
    {"[network]\nmtu =\n", "\"\" is not a number"},
    {"[network]\nmtu = 9001 # jumbo\n", "(a comment behind a value begins with \" ;\")"},
    {"[daemon]\nboot_timeout = 5 minuets\n",
     "f:2: daemon.boot_timeout: \"5 minuets\" is not a duration; "
     "allowed: 1s to 1d, such as 5min"},
    {"[daemon]\nattach_timeout = 0\n", "\"0\" is out of range"},
    {"[daemon]\nattach_timeout = 20s\nboot_timeout = 10s\n",
     "f:3: daemon.boot_timeout: shorter than daemon.attach_timeout (20s), which"},
    {"[daemon]\nboot_timeout = 1500ms\n",
     "f:2: daemon.boot_timeout: shorter than daemon.attach_timeout (150s, the default), which"},
    {"[daemon]\n\nattach_timeout = 6min\n",
     "f:3: daemon.attach_timeout: longer than daemon.boot_timeout (300s, the default), so"},
    {"[daemon]\non_failure = panic\n", "\"panic\" is unknown; allowed: block, continue"},
    {"[daemon]\nmax_pods = 110\n", "allowed: auto, none"},
    {"[daemon]\ndevice_plugin = yes\n", "allowed: auto, none"},
    {"[daemon]\nlifecycle_hook =\n", "the value is empty"},
    {"[daemon]\nsweep_leaked = maybe\n", "allowed: yes, no"},
    {"[aws]\nec2_endpoint = ec2.eu-central-1.amazonaws.com\n", "is not an http or https URL"},
    {"[aws]\nec2_endpoint = https://h:99999\n", "\"h:99999\" does not end in a port between 1 and 65535"},
    {"[aws]\nec2_endpoint = https://h:0/path\n", "\"h:0\" does not end in a port"},
    {"[aws]\nec2_endpoint = https://h:\n", "\"h:\" does not end in a port"},
    {"[aws]\nec2_endpoint = https://h:443x\n", "\"h:443x\" does not end in a port"},
    {"[aws]\nimds_endpoint = http://fd00:ec2::254\n", "does not end in a port"},
    {"[aws]\nimds_endpoint = http://[fd00:ec2::254]80\n", "does not end in a port"},
    {"[aws]\nec2_endpoint = https://h/path?q\n", "f:2: aws.ec2_endpoint: the URL has a query or a fragment"},
    {"[aws]\nec2_endpoint = https://h#f\n", "the URL has a query or a fragment"},
    {"[aws]\nec2_endpoint = http://user:pw@h\n", "f:2: aws.ec2_endpoint: the URL names a user; allowed"},
    {"[aws]\nautoscaling_endpoint = http://@h\n", "the URL names a user"},
    {"[aws]\nproxy = http://user:pw@h:99999\n", "\"h:99999\" does not end in a port"},
    {"[aws]\nproxy = http://user:pw@\n", "f:2: aws.proxy: the URL names no host"},
    {"[aws]\nec2_endpoint = https:///path\n", "the URL names no host"},
    {"[aws]\nca_file = ca.pem\n", "is not an absolute path"},
    {"[aws]\nregion = Frankfurt\n", "\"Frankfurt\" is not a region"},
    {"[aws]\nregion = eu-central-1a\n",
     "f:2: aws.region: \"eu-central-1a\" is a zone, not a region; allowed: auto, or a region such as"},
    {"[aws]\nregion = us-west-2-lax-1a\n", "\"us-west-2-lax-1a\" is a zone, not a region"},
    {"[aws]\nregion = moon\n", "\"moon\" is not a region"},
    {"[aws]\nregion = moon1\n", "\"moon1\" is not a region"},
    {"[aws]\nregion = -1\n", "\"-1\" is not a region"},
    {"[aws]\nregion = eu-central-\n", "\"eu-central-\" is not a region"},
    {"[aws]\nregion =\n", "\"\" is not a region"},
    {"[discovery]\ntag_prefix = aws:\n", "nobody but AWS"},
    {"[discovery]\ntag_prefix =\n", "the value is empty"},
    {"[network]\nsubnets = subnet-a, vpc-b\n", "\"vpc-b\" is not an id of the form subnet-"},
    {"[network]\nsubnets = subnet-0123456789abcdef01\n", "is not an id"},
    {"[network]\nsecurity_groups = subnet-a\n", "is not an id of the form sg-"},
    {"[network]\nsubnets = subnet-a\nsecurity_groups = sg-a, sg-b\n",
     "f:3: network.security_groups: 2 groups for 1 subnets; allowed: one for all, or as many as subnets"},
    {"[discovery]\ntags = no\n[network a]\nifname = eth1\n",
     "f:3: network a.subnets: none, and tags are not asked; allowed: one for each zone, here or in "
     "[network]"},
    {"[network]\ninterface_tags = a\n", "\"a\" is not of the form key=value"},
    {"[network]\ninterface_tags = aws:a=b\n", "nobody but AWS"},
    {"[network]\ninterface_tags = multus-eks:network=b\n", "not free to choose"},
    {"[network]\ninterface_tags = node.k8s.amazonaws.com/instance_id=b\n", "not free to choose"},
    {"[network]\ninterface_tags = a=b, a=c\n", "given twice"},
    {"[network]\ninterface_tags = " X50 X50 X50 "=b\n", "more than 128 characters"},
    {"[network]\nifname_prefix = averylongprefix\n", "too long"},
    {"[network]\nifname_prefix = a/b\n", "no interface name has"},
    {"[network]\ndriver = dpdk\n", "allowed: kernel, vfio-pci, igb_uio, uio_pci_generic"},
    {"[network]\nifname = eth7\n", "f:2: network.ifname: one interface only"},
    {"[network a]\nifname = lo\n", "\"lo\" is taken"},
    {"[network a]\nifname = eth123456789abcdef\n", "too long"},
    {"[network a]\nmtu = 1500\ndevice_index = 0\n",
     "f:3: network a.device_index: 0 on network card 0 is the primary"},
    {"[network a]\nifname = x1\n[network b]\nmtu = 1500\nifname = x1\n",
     "f:5: network b.ifname: x1 is that of network a too"},
    {"[network a]\ndevice_index = 2\n[network b]\nmtu = 1500\ndevice_index = 2\n",
     "f:5: network b.device_index: 2 on network card 0 is that of network a too"},
    {"[network a]\nsubnets = subnet-a, subnet-b, subnet-c\nsecurity_groups = sg-a,\n  sg-b\n",
     "f:3: network a.security_groups: 2 groups for 3 subnets"},
    {"[network a]\nifname = eth2\n[network b]\nmtu = 1500\n",
     "f:3: network b: without an ifname it is called eth2, as network a is"},
    {"[network a]\nmtu = 1500\n[network b]\nmtu = 1500\nifname = eth1\n",
     "f:5: network b.ifname: eth1 is what network a is called without an ifname of its own"},
    {"[network]\nifname_prefix = net\n[network a]\nifname = net2\n[network b]\n",
     "f:5: network b: without an ifname it is called net2"},
    {"[network a]\nifname = net2\n[network b]\nifname_prefix = net\n",
     "f:3: network b: without an ifname it is called net2"},
    {"[network a b]\n", "network \"a b\": not a name"},
    {"[network a/b]\n", "network \"a/b\": not a name; allowed: 1 to 63 letters"},
    {"[network " X50 X50 "]\n", "not a name"},
    {"[network a]\n[network a]\n", "f:2: [network a]: the second one in this file"},
    {"[network  a]\n[network a ]\n", "f:2: [network a]: the second one in this file"},
    {"[daemon]\n[daemon]\n", "f:2: [daemon]: the second one in this file"},
    {"[]\n", "[]: unknown section"},
    {"[network\nmtu = 1500\n", "f:1: [: no \"]\""},
    {"[network] mtu = 1500\n", "f:1: [network]: text behind it"},
    {"[network]\nmtu 1500\n", "f:2: \"mtu 1500\": no \"=\"; allowed: key = value"},
    {"[network]\nmtu: 1500\n", "no \"=\""},
    {"[network]\nmtu ; = 1500\n", "no \"=\""},
    {"mtu = 1500\n", "f:1: mtu: outside of any section"},
    {"[network]\nmtu = 1500\n\nmtu = 9001\n", "f:4: network.mtu: given in line 2 already"},
    {"[network]\nsubnets = subnet-a\n  mtu = 9001\n",
     "f:3: network.mtu: indented, so it would continue subnets"},
    {"[network]\ninterface_tags = a=b\n  mtu = 9001\n", "indented, so it would continue interface_tags"},
    {"[network]\nmtu = 1500\n  9001\n", "f:3: network.mtu: goes on in an indented line"},
    {"[network]\nmtu = 1500\n  [daemon]\n", "goes on in an indented line"},
    {"[network]\n; " X200 "\nsubnets = subnet-a\n", "f:2: the line is 202 bytes long; allowed: 198"},
    {"[network]\nsubnets = " X200 "\n", "f:2: the line is 210 bytes long"},
};

static void test_mistakes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++) {
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_buf_ Buf errors = BUF_NULL;

        if (parse(mistakes[i].text, &config, &errors) != -EINVAL || !strstr(errors.data, mistakes[i].error))
            fail_msg("row %zu: %s\ngave: %s", i, mistakes[i].text, errors.data ? errors.data : "no error");
        if (strstr(mistakes[i].error, "f:") == mistakes[i].error &&
            strncmp(errors.data, mistakes[i].error, strlen(mistakes[i].error)) != 0)
            fail_msg("row %zu gave something else first: %s", i, errors.data);
    }
}

/* A name that is nobody's, though it looks like it. */
static void test_names_apart(void **state)
{
    static const char *const texts[] = {
        "[network a]\nifname = eth1\n[network b]\nifname = eth2\n",
        "[network a]\nifname = eth3\n[network b]\n",
        "[network a]\nifname = eth2\n[network b]\nifname_prefix = net\n",
        "[network]\nifname_prefix = net\n[network a]\nifname = eth2\n[network b]\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_buf_ Buf errors = BUF_NULL;

        if (parse(texts[i], &config, &errors) < 0)
            fail_msg("%s\ngave: %s", texts[i], errors.data);
    }
}

/* Regions of every partition, and of one to come; URLs with all that they may have. */
static void test_allowed(void **state)
{
    static const char *const texts[] = {
        "[aws]\nregion = eu-central-1\n",
        "[aws]\nregion = us-gov-west-1\n",
        "[aws]\nregion = cn-north-1\n",
        "[aws]\nregion = us-iso-east-1\n",
        "[aws]\nregion = eusc-de-east-1\n",
        "[aws]\nregion = ap-southeast-17\n",
        "[aws]\nec2_endpoint = https://h:65535/a@b:c\n",
        "[aws]\nimds_endpoint = http://[fd00:ec2::254]\n",
        "[aws]\nimds_endpoint = http://[fd00:ec2::254]:80/\n",
        "[aws]\nproxy = http://user:p@w@proxy:3128\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_buf_ Buf errors = BUF_NULL;

        if (parse(texts[i], &config, &errors) < 0)
            fail_msg("%s\ngave: %s", texts[i], errors.data);
    }
}

/* The place is that of the file that set the key last. */
static void test_places_of_two_files(void **state)
{
    static const char first[] =
        "[daemon]\nboot_timeout = 10s\nattach_timeout = 5s\n[network a]\n"
        "device_index = 1\n[network b]\n";
    static const char second[] = "[network b]\n\ndevice_index = 1\n[daemon]\nattach_timeout = 1min\n";
    _cleanup_(config_freep) Config *config = config_new();
    _cleanup_buf_ Buf errors = BUF_NULL;

    (void)state;
    assert_int_equal(config_parse(config, "f", first, strlen(first), &errors), 0);
    assert_int_equal(config_parse(config, "g", second, strlen(second), &errors), 0);
    assert_int_equal(config_finish(config, &errors), -EINVAL);
    assert_non_null(strstr(errors.data, "f:2: daemon.boot_timeout: shorter"));
    assert_non_null(strstr(errors.data, "g:3: network b.device_index: 1 on network card 0"));
}

/* What only a tag can say is no mistake of the file, but worth a word. */
static void test_notes(void **state)
{
    static const struct {
        const char *text, *note;
    } rows[] = {
        {"[network a]\nsubnets = subnet-a\n[network b]\n", "f:3: network b names no subnets"},
        {"[network]\nsubnets = subnet-a\n[network a]\n", NULL},
        {"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_buf_ Buf errors = BUF_NULL, notes = BUF_NULL;

        assert_int_equal(parse(rows[i].text, &config, &errors), 0);
        assert_int_equal(config_notes(config, &notes), 0);
        if (rows[i].note)
            assert_non_null(strstr(notes.data, rows[i].note));
        else
            assert_null(notes.data);
    }
}

/* Read a file of the tree; the tests run in its top directory. */
static char *read_tree(const char *path)
{
    char *text = NULL;
    int r = fs_read_file(path, 1 << 20, &text, NULL);

    if (r < 0)
        fail_msg("%s: %s", path, strerror(-r));
    return text;
}

/* conf/multus-eks.conf as shipped changes nothing, and what it shows as defaults are the defaults. */
static void test_shipped(void **state)
{
    _cleanup_(freep) char *text = read_tree("conf/multus-eks.conf");
    _cleanup_(config_freep) Config *shipped = NULL, *shown = NULL, *defaults = config_new();
    _cleanup_buf_ Buf uncommented = BUF_NULL, errors = BUF_NULL;
    char *save = NULL;

    (void)state;
    assert_int_equal(parse(text, &shipped, &errors), 0);
    assert_int_equal(shipped->defaults.set, 0);
    assert_int_equal(shipped->n_networks, 0);

    /* "#key = value" is a default, "# text" a remark; the example of a named network ends the lot. */
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strcmp(line, "#[network oam]") == 0)
            break;
        if (line[0] == '#' && line[1] >= 'a' && line[1] <= 'z')
            line++;
        assert_int_equal(buf_printf(&uncommented, "%s\n", line), 0);
    }
    if (parse(uncommented.data, &shown, &errors) < 0)
        fail_msg("%s", errors.data);
    assert_int_equal(shown->log_level, defaults->log_level);
    assert_int_equal(shown->on_failure, defaults->on_failure);
    assert_true(shown->attach_timeout == defaults->attach_timeout);
    assert_true(shown->boot_timeout == defaults->boot_timeout);
    assert_string_equal(shown->lifecycle_hook, defaults->lifecycle_hook);
    assert_int_equal(shown->max_pods, defaults->max_pods);
    assert_int_equal(shown->device_plugin, defaults->device_plugin);
    assert_int_equal(shown->sweep_leaked, defaults->sweep_leaked);
    assert_null(shown->region);
    assert_string_equal(shown->imds_endpoint, defaults->imds_endpoint);
    assert_true(shown->request_timeout == defaults->request_timeout);
    assert_int_equal(shown->tags, defaults->tags);
    assert_string_equal(shown->tag_prefix, defaults->tag_prefix);
    assert_int_equal(shown->defaults.subnets.n, 0);
    assert_int_equal(shown->defaults.ip_allocation, defaults->defaults.ip_allocation);
    assert_int_equal(shown->defaults.ipv6, defaults->defaults.ipv6);
    assert_int_equal(shown->defaults.source_dest_check, defaults->defaults.source_dest_check);
    assert_string_equal(shown->defaults.ifname_prefix, defaults->defaults.ifname_prefix);
    assert_int_equal(shown->defaults.mtu, defaults->defaults.mtu);
    assert_int_equal(shown->defaults.host_address, defaults->defaults.host_address);
    assert_string_equal(shown->defaults.driver, defaults->defaults.driver);
    /* All but the three keys that only named networks have. */
    assert_int_equal(shown->defaults.set, (1 << 10) - 1);
}

static void test_examples(void **state)
{
    static const struct {
        const char *path;
        size_t n_networks, n_subnets;
    } rows[] = {
        {"conf/examples/multi-az.conf", 0, 4},
        {"conf/examples/named-networks.conf", 3, 0},
        {"conf/examples/tags-only.conf", 0, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_(freep) char *text = read_tree(rows[i].path);
        _cleanup_(config_freep) Config *config = NULL;
        _cleanup_buf_ Buf errors = BUF_NULL;

        if (parse(text, &config, &errors) < 0)
            fail_msg("%s: %s", rows[i].path, errors.data);
        assert_int_equal(config->n_networks, rows[i].n_networks);
        assert_int_equal(config->defaults.subnets.n, rows[i].n_subnets);
    }
}

static void test_continued_list(void **state)
{
    _cleanup_(config_freep) Config *config = NULL;
    _cleanup_buf_ Buf errors = BUF_NULL;

    (void)state;
    assert_int_equal(parse("[network]\n"
                           "subnets = subnet-1, ; zone a\n"
                           "  subnet-2, subnet-3 ; zone b\n"
                           "  ; nothing\n"
                           "\n"
                           "\tsubnet-4\n"
                           "mtu = 1500\n"
                           "interface_tags = a=b\n"
                           "  c = d e\n",
                           &config, &errors),
                     0);
    assert_int_equal(config->defaults.subnets.n, 4);
    assert_string_equal(config->defaults.subnets.items[3], "subnet-4");
    assert_int_equal(config->defaults.mtu, 1500);
    assert_string_equal(keyvalue_list_get(&config->defaults.interface_tags, "c"), "d e");
}

static void test_longest_line(void **state)
{
    _cleanup_(config_freep) Config *config = config_new();
    _cleanup_buf_ Buf text = BUF_NULL, errors = BUF_NULL;

    (void)state;
    assert_int_equal(buf_printf(&text, "[aws]\nca_file = /%0187d", 0), 0);
    assert_int_equal(config_parse(config, "f", text.data, text.n, &errors), 0);
    assert_int_equal(strlen(config->ca_file), 188);
    assert_int_equal(buf_puts(&text, "0"), 0);
    assert_int_equal(config_parse(config, "f", text.data, text.n, &errors), -EINVAL);
    assert_non_null(strstr(errors.data, "f:2: the line is 199 bytes long; allowed: 198"));
}

static void test_nul_bytes(void **state)
{
    static const char text[] = "[aws]\n\0proxy = x\n";
    _cleanup_(config_freep) Config *config = config_new();
    _cleanup_buf_ Buf errors = BUF_NULL;

    (void)state;
    assert_int_equal(config_parse(config, "f", text, sizeof(text) - 1, &errors), -EINVAL);
    assert_string_equal(errors.data, "f:2: the file holds NUL bytes; allowed: UTF-8 text\n");
}

static void test_all_mistakes_are_told(void **state)
{
    _cleanup_(config_freep) Config *config = NULL;
    _cleanup_buf_ Buf errors = BUF_NULL;

    (void)state;
    assert_int_equal(parse("[daemon]\nlog_level = loud\nattach_timeout = soon\n[nonsense]\nx = y\n[network]\n"
                           "mtu = 1\n",
                           &config, &errors),
                     -EINVAL);
    assert_string_equal(
        errors.data,
        "f:2: daemon.log_level: \"loud\" is unknown; allowed: debug, info, notice, warning, err\n"
        "f:3: daemon.attach_timeout: \"soon\" is not a duration; allowed: 1s to 1h, such as 150s\n"
        "f:4: [nonsense]: unknown section; allowed: daemon, aws, discovery, registration, network, network "
        "NAME\n"
        "f:7: network.mtu: 1 is out of range; allowed: 1280 to 9216\n");
}

static void write_tree(const char *directory, const char *name, const char *text)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    assert_int_equal(fs_write_file(path, text, strlen(text), 0600, FS_SYNC_NO), 0);
}

static void test_drop_ins(void **state)
{
    char directory[] = "/tmp/test-config-XXXXXX", path[64], drop_ins[64], name[128];
    static const char *const files[] = {"20-b.conf", "10-a.conf", "30-c.conf.off", ".hidden.conf"};
    _cleanup_(config_freep) Config *config = NULL;
    _cleanup_buf_ Buf errors = BUF_NULL;

    (void)state;
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof(path), "%s/c", directory);
    (void)snprintf(drop_ins, sizeof(drop_ins), "%s/c.d", directory);

    assert_int_equal(config_load(path, &config, &errors), -EINVAL);
    assert_non_null(strstr(errors.data, "/c: cannot be read: No such file"));
    buf_done(&errors);

    assert_int_equal(fs_mkdir_p(drop_ins, 0700), 0);
    write_tree(directory, "c", "[network]\nmtu = 1300\n[network x]\nsubnets = subnet-1\nmtu = 1301\n");
    write_tree(drop_ins, "20-b.conf", "[network]\nmtu = 1320\n[network y]\nsubnets = subnet-2\n");
    write_tree(drop_ins, "10-a.conf", "[network]\nmtu = 1310\nipv6 = no\n[network x]\nmtu = 1311\n");
    write_tree(drop_ins, "30-c.conf.off", "nonsense");
    write_tree(drop_ins, ".hidden.conf", "nonsense");
    assert_int_equal(config_load(path, &config, &errors), 0);
    assert_int_equal(config->defaults.mtu, 1320);
    assert_int_equal(config->defaults.ipv6, IPV6_NO);
    assert_int_equal(config->n_networks, 2);
    assert_string_equal(config->networks[0].name, "x");
    assert_int_equal(config->networks[0].mtu, 1311);
    assert_int_equal(config->networks[0].subnets.n, 1);
    assert_string_equal(config->networks[1].name, "y");

    write_tree(drop_ins, "20-b.conf", "[network]\nmtu = many\n");
    config = config_free(config);
    assert_int_equal(config_load(path, &config, &errors), -EINVAL);
    assert_non_null(strstr(errors.data, "/c.d/20-b.conf:2: network.mtu: \"many\""));

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        (void)snprintf(name, sizeof(name), "%s/%s", drop_ins, files[i]);
        (void)unlink(name);
    }
    (void)rmdir(drop_ins);
    (void)unlink(path);
    (void)rmdir(directory);
}

/* A section has from [network] exactly what it does not set itself, whichever key it is. */
static void test_merge(void **state)
{
    static const char lower[] =
        "[network]\nsubnets = subnet-1\nsecurity_groups = sg-1\nip_allocation = "
        "subnet-start\nipv6 = no\ninterface_tags = a=b\nsource_dest_check = "
        "no\nifname_prefix = net\nmtu = 1400\nhost_address = yes\ndriver = igb_uio\n"
        "[network x]\n";
    static const char upper[] =
        "[network]\n[network x]\nsubnets = subnet-2\nsecurity_groups = "
        "sg-2\nip_allocation = dynamic\nipv6 = yes\ninterface_tags = "
        "c=d\nsource_dest_check = yes\nifname_prefix = if\nmtu = 1500\nhost_address = "
        "no\ndriver = kernel\n";
    _cleanup_(config_freep) Config *a = NULL, *b = NULL;
    _cleanup_buf_ Buf errors = BUF_NULL;
    NetworkConfig merged;

    (void)state;
    assert_int_equal(parse(lower, &a, &errors), 0);
    assert_int_equal(parse(upper, &b, &errors), 0);

    assert_int_equal(network_config_merge(&a->defaults, &a->networks[0], &merged), 0);
    assert_string_equal(merged.name, "x");
    assert_string_equal(merged.subnets.items[0], "subnet-1");
    assert_string_equal(merged.security_groups.items[0], "sg-1");
    assert_int_equal(merged.ip_allocation, IP_ALLOCATION_SUBNET_START);
    assert_int_equal(merged.ipv6, IPV6_NO);
    assert_string_equal(merged.interface_tags.items[0].key, "a");
    assert_false(merged.source_dest_check);
    assert_string_equal(merged.ifname_prefix, "net");
    assert_int_equal(merged.mtu, 1400);
    assert_true(merged.host_address);
    assert_string_equal(merged.driver, "igb_uio");
    network_config_done(&merged);

    assert_int_equal(network_config_merge(&a->defaults, &b->networks[0], &merged), 0);
    assert_string_equal(merged.subnets.items[0], "subnet-2");
    assert_string_equal(merged.security_groups.items[0], "sg-2");
    assert_int_equal(merged.ip_allocation, IP_ALLOCATION_DYNAMIC);
    assert_int_equal(merged.ipv6, IPV6_YES);
    assert_string_equal(merged.interface_tags.items[0].key, "c");
    assert_true(merged.source_dest_check);
    assert_string_equal(merged.ifname_prefix, "if");
    assert_int_equal(merged.mtu, 1500);
    assert_false(merged.host_address);
    assert_string_equal(merged.driver, "kernel");
    network_config_done(&merged);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_empty_is_defaults),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_names_apart),
        cmocka_unit_test(test_allowed),
        cmocka_unit_test(test_places_of_two_files),
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_shipped),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_continued_list),
        cmocka_unit_test(test_longest_line),
        cmocka_unit_test(test_nul_bytes),
        cmocka_unit_test(test_all_mistakes_are_told),
        cmocka_unit_test(test_drop_ins),
        cmocka_unit_test(test_merge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
