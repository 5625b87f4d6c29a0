#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The template as Packer 1.6 can read it: without the lines that end in "# since 1.7".
#
#   template-1.6.sh >TEMPLATE.pkr.hcl
set -eu

exec sed '/# since 1\.7$/d' "$(dirname "$0")/multus-eks.pkr.hcl"
