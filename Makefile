# SPDX-License-Identifier: Apache-2.0
#
# make            the programs, in build/
# make check      everything that tests, but the guests and the long runs
# make check-vm   real guests boot in the simulated AWS
# make demo       a simulated node boots, on real network interfaces
# make help       all targets
#
# CC=clang, SAN=1 (ASan and UBSan), WERROR=1, RELEASE=0 (no optimisation), V=1 (show commands).

prefix      ?= /usr
bindir      ?= $(prefix)/bin
libexecdir  ?= $(prefix)/libexec
cnibindir   ?= /opt/cni/bin
sysconfdir  ?= /etc
unitdir     ?= $(prefix)/lib/systemd/system
presetdir   ?= $(prefix)/lib/systemd/system-preset
catalogdir  ?= $(prefix)/lib/systemd/catalog
sysusersdir ?= $(prefix)/lib/sysusers.d
tmpfilesdir ?= $(prefix)/lib/tmpfiles.d
networkdir  ?= $(prefix)/lib/systemd/network
udevrulesdir ?= $(prefix)/lib/udev/rules.d
mandir      ?= $(prefix)/share/man
datadir     ?= $(prefix)/share/multus-eks
docdir      ?= $(prefix)/share/doc/multus-eks
completiondir ?= $(prefix)/share/bash-completion/completions
DESTDIR     ?=

CC          ?= cc
CFLAGS      ?= $(if $(FUZZ),-O1,$(if $(filter 0,$(RELEASE)),-O0,-O2)) -g
PYTHON      ?= /usr/bin/python3
PKG_CONFIG  ?= pkg-config
VERSION     := 0.1.0

# One build directory for each kind of build, so that none has to be cleaned for another.
B := build$(if $(FUZZ),-fuzz,$(if $(filter-out cc gcc,$(CC)),-$(notdir $(CC)))$(if $(SAN),-san)$(if \
	$(filter 0,$(RELEASE)),-debug))

PACKAGES := libsystemd libcurl libcrypto libnl-3.0 libnl-route-3.0 inih expat jansson libmicrohttpd
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla -Wswitch-enum \
	-Wdate-time -Wwrite-strings -Wpointer-arith -Wformat=2 -Wno-missing-field-initializers $(if $(WERROR),-Werror)
HARDENING := $(if $(SAN)$(FUZZ),,$(if $(filter 0,$(RELEASE)),,-D_FORTIFY_SOURCE=2)) -fstack-protector-strong -fPIE
comma    := ,
SANITIZE := $(if $(SAN)$(FUZZ),-fsanitize=$(if $(FUZZ),fuzzer-no-link$(comma))address$(comma)undefined \
	-fno-sanitize-recover=undefined -fno-omit-frame-pointer)

ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -DSYSCONFDIR='"$(sysconfdir)"' \
	$(INCLUDES) $(WARNINGS) $(HARDENING) $(SANITIZE) $(PACKAGE_CFLAGS) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZE) $(LDFLAGS)
INCLUDES   := -I. -Idaemon
PACKAGE_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
PACKAGE_LIBS   := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null)

# Everything but the programs' own main.c, and what only multus-eksctl uses, is in one library.
LIBRARY_SOURCES := $(filter-out %/main.c,$(wildcard daemon/*.c daemon/*/*.c client/*.c cni/*.c))
CTL_SOURCES     := $(wildcard ctl/*.c)
LIB_SOURCES     := $(wildcard tests/lib/*.c)
FAKE_AWS_SOURCES := $(wildcard tests/lib/fake-aws/*.c)
FAKE_REGISTRAR_SOURCES := $(wildcard tests/lib/fake-registrar/*.c)
UNIT_SOURCES    := $(wildcard tests/unit/test-*.c tests/sim/test-*.c tests/netns/test-*.c)
FUZZ_SOURCES    := $(wildcard tests/fuzz/fuzz-*.c)
TOOL_SOURCES    := $(wildcard tests/tools/*.c)
SYSTEM_TESTS    := $(sort $(wildcard tests/system/test_*.py))

objects = $(patsubst %.c,$(B)/%.o,$(1))

LIBRARY  := $(B)/libmultus-eks.a
TESTLIB  := $(B)/libtest.a
PROGRAMS := $(B)/multus-eksd $(B)/multus-eksctl $(B)/multus-eks-ip
UNITS    := $(patsubst tests/%.c,$(B)/tests/%,$(UNIT_SOURCES))
TOOLS    := $(patsubst tests/%.c,$(B)/tests/%,$(TOOL_SOURCES))
CORPORA  := $(patsubst tests/fuzz/%.c,$(B)/tests/fuzz/corpus-%,$(FUZZ_SOURCES))
FUZZERS  := $(patsubst tests/fuzz/%.c,$(B)/%,$(FUZZ_SOURCES))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)')

.PHONY: all
all: $(PROGRAMS) ## build the programs

# "q" and not "r": files of the same name in two directories are two members.
$(LIBRARY): $(call objects,$(LIBRARY_SOURCES))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) qcs $@ $^

$(TESTLIB): $(call objects,$(LIB_SOURCES))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/multus-eksd: $(call objects,daemon/main.c) $(LIBRARY)
$(B)/multus-eksctl: $(call objects,$(CTL_SOURCES)) $(LIBRARY)
$(B)/multus-eks-ip: $(call objects,cni/main.c) $(LIBRARY)
$(PROGRAMS):
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PACKAGE_LIBS)

$(UNITS) $(TOOLS): $(B)/tests/%: $(B)/tests/%.o $(TESTLIB) $(LIBRARY)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(PACKAGE_LIBS) -lcmocka

# The tests of daemon/eni and above have calls of AWS and clocks of their own, before the library's.
FAKE_AWS_UNITS := $(filter $(addprefix $(B)/tests/unit/,test-eni-% test-manager-% test-register-registrar% \
	test-register-sighting%),$(UNITS))
$(FAKE_AWS_UNITS): $(call objects,$(FAKE_AWS_SOURCES))
$(FAKE_AWS_UNITS): ALL_LDFLAGS += -Wl,--wrap=time_monotonic,--wrap=time_realtime,--wrap=sd_event_add_time_relative

$(B)/tests/unit/test-link-moments: ALL_LDFLAGS += -Wl,--wrap=udev_is_initialized,--wrap=udev_free

$(B)/tests/netns/test-watch: $(call objects,$(FAKE_REGISTRAR_SOURCES))
$(B)/tests/netns/test-watch: ALL_LDFLAGS += -Wl,--wrap=sd_event_add_time_relative,--wrap=sd_event_add_inotify
$(B)/tests/netns/test-netnsdir: ALL_LDFLAGS += -Wl,--wrap=ioctl

# A fuzzer with its corpus as an ordinary test: a main() that runs each file once.
$(CORPORA): $(B)/tests/fuzz/corpus-%: $(B)/tests/fuzz/%.o $(B)/tests/fuzz/corpus-main.o $(LIBRARY)
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PACKAGE_LIBS)

# What everything is compiled with: another CFLAGS or WERROR=1 compiles it anew.
# Expanded here, since what a unit adds for itself would reach it as a prerequisite.
FLAGS_TEXT := $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(B)/flags: export FLAGS_TEXT := $(FLAGS_TEXT)
$(B)/flags: FORCE
	@mkdir -p $(@D) && printf '%s\n' "$$FLAGS_TEXT" >$@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

.PHONY: FORCE
FORCE:

$(B)/%.o: %.c Makefile $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/%.o: private INCLUDES += -Itests

-include $(patsubst %.o,%.d,$(call objects,$(LIBRARY_SOURCES) daemon/main.c cni/main.c $(CTL_SOURCES) $(LIB_SOURCES) \
	$(FAKE_AWS_SOURCES) $(FAKE_REGISTRAR_SOURCES) $(UNIT_SOURCES) $(FUZZ_SOURCES) $(TOOL_SOURCES) \
	tests/fuzz/corpus-main.c))

# Everything compiled, nothing linked: what a compiler has to say.
.PHONY: objects-all
objects-all: $(call objects,$(UNIT_SOURCES) $(FUZZ_SOURCES) $(TOOL_SOURCES) $(LIB_SOURCES) $(FAKE_AWS_SOURCES) \
	$(FAKE_REGISTRAR_SOURCES))

# ------------------------------------------------------------------ tests

.PHONY: deps check check-all check-unit check-corpus check-sim check-system check-system-san check-vm check-san \
	check-valgrind lint
deps: ## install what building and testing needs
	@ami-scripts/install-deps.sh runtime build test

check: deps ## install what is needed, then lint and all tests but the long ones
	@$(MAKE) --no-print-directory check-all

check-all: lint check-unit check-corpus check-valgrind check-san check-sim check-system

check-unit: $(UNITS) ## the unit tests
	@tests/run-units.sh $(UNITS)

check-corpus: $(CORPORA) ## every fuzzer over its corpus
	@tests/run-corpora.sh $(CORPORA)

check-valgrind: $(UNITS) ## the unit tests under valgrind
	@WRAPPER='valgrind -q --leak-check=full --error-exitcode=99 --trace-children=no' tests/run-units.sh $(UNITS)

check-san: ## the unit tests and corpora with ASan and UBSan
	@$(MAKE) --no-print-directory SAN=1 check-unit check-corpus

check-sim: $(TOOLS) ## the simulated AWS against botocore and the aws command
	@PYTHONPATH=tests $(PYTHON) -m pytest -q -rs tests/ec2sim/tests

check-system: all $(TOOLS) ## the daemon against the simulated AWS
	@BUILD=$(B) PYTHONPATH=tests PYTHON=$(PYTHON) tests/run-system.sh $(SYSTEM_TESTS)

check-vm: ## real guests boot, their interfaces hot-plugged by the simulated AWS (as root, some minutes)
	@ami-scripts/install-deps.sh runtime build test vm
	@$(MAKE) --no-print-directory all image
	@tests/vm/image.sh $(IMAGE) $(B)/vm
	@BUILD=$(B) PYTHONPATH=tests $(PYTHON) -m pytest -q tests/vm

# Under a booted systemd the sandbox leaves no room for the sanitizers, and nothing of the daemon is new there;
# nor do programs with them start in the directories that the doctor looks at. What takes a minute of waiting
# tells them nothing more.
check-system-san: all ## the whole daemon's tests with ASan and UBSan
	@IMAGE_BUILD=$(abspath $(B)) $(MAKE) --no-print-directory SAN=1 system-san

.PHONY: system-san
system-san: all $(TOOLS)
	@BUILD=$(B) PYTHONPATH=tests PYTHON=$(PYTHON) PYTEST_ADDOPTS="-k 'not for_a_minute and not is_looked_for'" \
		tests/run-san.sh $(filter-out %/test_units.py,$(SYSTEM_TESTS))

lint: ## layers, format, analysers, units
	@tests/lint.sh

IMAGE := build-image

.PHONY: image check-image
image: ## bake the Debian image of the boot tests, in build-image/
	@ami-scripts/install-deps.sh vm
	@packer/bake-debian.sh $(IMAGE)

check-image: image ## what is in that image, and ami-scripts/ on a machine
	@IMAGE=$(IMAGE) PYTHONPATH=tests $(PYTHON) -m pytest -q tests/image

# ------------------------------------------------------------------ long runs

.PHONY: demo bench fuzz soak
demo: deps ## a simulated node boots on real interfaces, twice
	@$(MAKE) --no-print-directory all
	@BUILD=$(B) PYTHONPATH=tests $(PYTHON) tests/demo.py

bench: all $(TOOLS) ## the budgets, as ratios to the floor; BENCH_FLAGS="--only boot --report"
	@BUILD=$(B) PYTHONPATH=tests $(PYTHON) -m bench $(BENCH_FLAGS)

SOAK_SECONDS ?= 1800
soak: all ## random operations over three nodes against a model; SOAK_SECONDS, SEED, SOAK_OPS=FILE
	@BUILD=$(B) PYTHONPATH=tests $(PYTHON) -m soak --seconds $(SOAK_SECONDS) $(if $(SEED),--seed $(SEED)) \
		$(if $(SOAK_OPS),--steps $(SOAK_OPS)) $(SOAK_FLAGS)

FUZZ_SECONDS ?= 600
fuzz: ## every fuzzer for FUZZ_SECONDS
	@$(MAKE) --no-print-directory FUZZ=1 CC=clang fuzz-all

# What they test is compiled once for all of them.
.PHONY: fuzz-all
fuzz-all: $(FUZZERS)
	@tests/run-fuzzers.sh $(FUZZ_SECONDS) $(FUZZERS)

$(FUZZERS): $(B)/fuzz-%: $(B)/tests/fuzz/fuzz-%.o $(LIBRARY)
	$(call say,FUZZ,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(PACKAGE_LIBS)

# ------------------------------------------------------------------ installation

MAN_PAGES := $(notdir $(wildcard man/*.[0-9]))

# A program is replaced at once: a node's container runtime may start the plugin at any moment.
install-program = install -D -m 0755 $(1) $(2).new && mv -f $(2).new $(2)

.PHONY: install uninstall clean help
install: all ## install under DESTDIR and prefix
	$(call install-program,$(B)/multus-eksd,$(DESTDIR)$(libexecdir)/multus-eks/multus-eksd)
	$(call install-program,$(B)/multus-eksctl,$(DESTDIR)$(bindir)/multus-eksctl)
	$(call install-program,$(B)/multus-eks-ip,$(DESTDIR)$(cnibindir)/multus-eks-ip)
	[ -e $(DESTDIR)$(sysconfdir)/multus-eks.conf ] || \
		install -D -m 0644 conf/multus-eks.conf $(DESTDIR)$(sysconfdir)/multus-eks.conf
	install -d -m 0755 $(DESTDIR)$(sysconfdir)/multus-eks.conf.d
	install -D -m 0644 -t $(DESTDIR)$(unitdir) units/multus-eksd.service units/multus-eksd.socket
	sed -i 's|^ExecStart=/usr/libexec/|ExecStart=$(libexecdir)/|' $(DESTDIR)$(unitdir)/multus-eksd.service
	install -D -m 0644 -t $(DESTDIR)$(presetdir) units/80-multus-eks.preset
	for unit in kubelet nodeadm-run; do install -D -m 0644 units/50-multus-eks-gate.conf \
		$(DESTDIR)$(unitdir)/$$unit.service.d/50-multus-eks.conf || exit; done
	install -D -m 0644 -t $(DESTDIR)$(catalogdir) units/multus-eks.catalog
	install -D -m 0644 units/multus-eks.sysusers $(DESTDIR)$(sysusersdir)/multus-eks.conf
	install -D -m 0644 units/multus-eks.tmpfiles $(DESTDIR)$(tmpfilesdir)/multus-eks.conf
	install -D -m 0644 -t $(DESTDIR)$(udevrulesdir) units/85-multus-eks.rules units/95-multus-eks-quiet.rules
	install -D -m 0644 -t $(DESTDIR)$(networkdir) units/05-multus-eks.network
	for page in $(MAN_PAGES); do \
		install -D -m 0644 -t $(DESTDIR)$(mandir)/man$${page##*.} man/$$page || exit; done
	install -D -m 0644 -t $(DESTDIR)$(docdir) README.md LICENSE conf/nodegroup.yaml
	install -D -m 0644 -t $(DESTDIR)$(docdir)/examples conf/examples/*.conf conf/examples/*.yaml
	install -D -m 0644 -t $(DESTDIR)$(datadir) conf/iam-policy.json
	install -D -m 0644 conf/multus-eksctl.bash $(DESTDIR)$(completiondir)/multus-eksctl

uninstall: ## remove what install installed, but the configuration
	rm -f $(DESTDIR)$(libexecdir)/multus-eks/multus-eksd $(DESTDIR)$(bindir)/multus-eksctl
	rm -f $(DESTDIR)$(cnibindir)/multus-eks-ip $(DESTDIR)$(completiondir)/multus-eksctl
	rm -f $(DESTDIR)$(unitdir)/multus-eksd.service $(DESTDIR)$(unitdir)/multus-eksd.socket
	rm -f $(DESTDIR)$(presetdir)/80-multus-eks.preset
	for unit in kubelet nodeadm-run; do rm -f $(DESTDIR)$(unitdir)/$$unit.service.d/50-multus-eks.conf; done
	rm -f $(DESTDIR)$(catalogdir)/multus-eks.catalog
	rm -f $(DESTDIR)$(sysusersdir)/multus-eks.conf $(DESTDIR)$(tmpfilesdir)/multus-eks.conf
	-rmdir $(DESTDIR)$(unitdir)/kubelet.service.d $(DESTDIR)$(unitdir)/nodeadm-run.service.d
	rm -f $(DESTDIR)$(udevrulesdir)/85-multus-eks.rules $(DESTDIR)$(udevrulesdir)/95-multus-eks-quiet.rules
	rm -f $(DESTDIR)$(networkdir)/05-multus-eks.network
	for page in $(MAN_PAGES); do rm -f $(DESTDIR)$(mandir)/man$${page##*.}/$$page; done
	rm -rf $(DESTDIR)$(docdir) $(DESTDIR)$(datadir)
	-rmdir $(DESTDIR)$(libexecdir)/multus-eks $(DESTDIR)$(sysconfdir)/multus-eks.conf.d

clean: ## remove every build directory
	rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24
