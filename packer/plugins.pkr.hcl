# SPDX-License-Identifier: Apache-2.0
#
# What Packer 1.7 and later fetches with "packer init packer", and reads because the folder is named. Up
# to 1.6 both builders are part of Packer, and this block is a syntax error to it: there, name the file
# instead, packer/multus-eks.pkr.hcl.

packer {
  required_version = ">= 1.8.0"

  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.2.0"
    }
    qemu = {
      source  = "github.com/hashicorp/qemu"
      version = ">= 1.0.0"
    }
  }
}
