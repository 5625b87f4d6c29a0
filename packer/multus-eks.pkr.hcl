# SPDX-License-Identifier: Apache-2.0
#
# An image whose nodes have their Multus interfaces before kubelet starts. Two sources, baked by the same
# provisioners, which only call ami-scripts/:
#
#   amazon-ebs.al2023  an AMI, from the EKS-optimized one for Amazon Linux 2023
#   qemu.debian        a disk image for the boot tests, offline; packer/bake-debian.sh prepares and calls it
#
#   packer init packer
#   packer build -only=amazon-ebs.al2023 -var region=eu-central-1 -var kubernetes_version=1.34 packer
#
# Packer 1.6, which Debian has, is enough for qemu.debian but not for the other: it knows RSA keys only and
# signs with SHA-1, which the sshd of Amazon Linux 2023 refuses. Lines that end in "# since 1.7" are
# unknown to it; packer/template-1.6.sh leaves them out.

# ------------------------------------------------------------------ which image

variable "kubernetes_version" {
  type    = string
  default = "1.34"
}

# x86_64 or arm64
variable "arch" {
  type    = string
  default = "x86_64"
}

# Empty: the newest that EKS recommends for the version and architecture. What the parameter
# /aws/service/eks/optimized-ami/VERSION/amazon-linux-2023/ARCH/standard/recommended/image_id says is an
# AMI to name here, to bake from the same one again. Name its version and architecture, too: the new AMI is
# called and tagged after them.
variable "source_ami" {
  type    = string
  default = ""
}

# Another pattern, to bake on top of an AMI of your own: "my-eks-base-*", with source_ami_owner = "self".
variable "source_ami_name" {
  type    = string
  default = ""
}

variable "source_ami_owner" {
  type    = string
  default = "amazon"
}

# ------------------------------------------------------------------ where it is made

variable "region" {
  type    = string
  default = "us-east-1"
}

# Empty: a small one of the architecture.
variable "instance_type" {
  type    = string
  default = ""
}

# Empty: of the default VPC.
variable "subnet_id" {
  type    = string
  default = ""
}

# public_ip, private_ip, public_dns or private_dns; empty: the first of these that the instance has.
variable "ssh_interface" {
  type    = string
  default = ""
}

variable "ssh_username" {
  type    = string
  default = "ec2-user"
}

# ------------------------------------------------------------------ what comes out

variable "ami_name" {
  type    = string
  default = ""
}

variable "ami_users" {
  type    = list(string)
  default = []
}

variable "ami_regions" {
  type    = list(string)
  default = []
}

variable "encrypt" {
  type    = bool
  default = true
}

# Empty: the account's key for EBS. An AMI that other accounts shall use needs one of yours.
variable "kms_key_id" {
  type    = string
  default = ""
}

variable "volume_size" {
  type    = number
  default = 20
}

variable "tags" {
  type    = map(string)
  default = {}
}

# --vfio: load vfio-pci at boot, for networks with driver = vfio-pci
variable "enable_flags" {
  type    = string
  default = ""
}

# ------------------------------------------------------------------ set by packer/bake-debian.sh

# Empty: packed from this tree.
variable "source_archive" {
  type    = string
  default = ""
}

variable "debian_disk" {
  type    = string
  default = "build-image/base.ext4"
}

variable "debian_kernel" {
  type    = string
  default = "build-image/vmlinuz"
}

variable "debian_key" {
  type    = string
  default = "build-image/key"
}

variable "debian_output" {
  type    = string
  default = "build-image/packer"
}

locals {
  archive       = var.source_archive != "" ? var.source_archive : "${path.root}/../build-image/multus-eks.tar.gz"
  stamp         = formatdate("YYYYMMDDhhmmss", timestamp())
  instance_type = var.instance_type != "" ? var.instance_type : (var.arch == "arm64" ? "c7g.large" : "c6i.large")
  base_name     = var.source_ami_name != "" ? var.source_ami_name : "amazon-eks-node-al2023-${var.arch}-standard-${var.kubernetes_version}-v*"
  ami_name      = var.ami_name != "" ? var.ami_name : "multus-eks-${var.kubernetes_version}-${var.arch}-${local.stamp}"
}

source "amazon-ebs" "al2023" {
  region        = var.region
  instance_type = local.instance_type
  subnet_id     = var.subnet_id
  source_ami    = var.source_ami

  # Not beside a certain AMI, which would have to pass the filter as well.
  dynamic "source_ami_filter" {
    for_each = var.source_ami == "" ? [local.base_name] : []
    content {
      filters = {
        name                = source_ami_filter.value
        architecture        = var.arch
        root-device-type    = "ebs"
        virtualization-type = "hvm"
      }
      owners      = [var.source_ami_owner]
      most_recent = true
    }
  }

  # Of the instance that the image is made on, and of those that are launched from it by default.
  metadata_options {                           # since 1.7
    http_endpoint               = "enabled"    # since 1.7
    http_tokens                 = "required"   # since 1.7
    http_put_response_hop_limit = 1            # since 1.7
  }                                            # since 1.7
  imds_support            = "v2.0"             # since 1.7
  temporary_key_pair_type = "ed25519"          # since 1.7

  communicator  = "ssh"
  ssh_username  = var.ssh_username
  ssh_interface = var.ssh_interface

  ami_name        = local.ami_name
  ami_description = "EKS node with Multus interfaces, Kubernetes ${var.kubernetes_version}, ${var.arch}"
  ami_users       = var.ami_users
  ami_regions     = var.ami_regions

  launch_block_device_mappings {
    device_name           = "/dev/xvda"
    volume_size           = var.volume_size
    volume_type           = "gp3"
    iops                  = 3000
    throughput            = 125
    encrypted             = var.encrypt
    kms_key_id            = var.kms_key_id
    delete_on_termination = true
  }

  run_tags = {
    Name = "bake ${local.ami_name}"
  }

  tags = merge({
    Name               = local.ami_name
    kubernetes-version = var.kubernetes_version
    source-ami         = "{{ .SourceAMI }}"
    source-ami-name    = "{{ .SourceAMIName }}"
  }, var.tags)
}

# The kernel is booted as it is, without firmware, boot loader and initramfs, from an emulated NVMe disk
# as on EC2. There need not be a usable KVM.
source "qemu" "debian" {
  accelerator      = "tcg"
  cpus             = 2
  memory           = 2048
  headless         = true
  disable_vnc      = true
  disk_image       = true
  iso_url          = var.debian_disk
  iso_checksum     = "none"
  format           = "raw"
  skip_resize_disk = true
  vm_name          = "root.ext4"
  output_directory = var.debian_output
  shutdown_command = "systemctl poweroff"

  communicator         = "ssh"
  ssh_username         = "root"
  ssh_private_key_file = var.debian_key
  ssh_timeout          = "5m"

  qemuargs = [
    ["-nodefaults"],
    ["-display", "none"],
    ["-cpu", "max"],
    ["-kernel", var.debian_kernel],
    ["-append", "console=ttyS0 root=/dev/nvme0n1 rootfstype=ext4 rw panic=-1 systemd.show_status=false"],
    ["-drive", "file={{ .OutputDir }}/{{ .Name }},if=none,id=root,format=raw,cache=unsafe,discard=unmap"],
    ["-device", "nvme,drive=root,serial=root"],
    ["-device", "virtio-net-pci,netdev=user.0"],
    ["-serial", "file:${var.debian_output}.console"],
  ]
}

build {
  sources = ["source.amazon-ebs.al2023", "source.qemu.debian"]

  provisioner "shell-local" {
    only   = ["amazon-ebs.al2023"]
    inline = ["'${path.root}/pack-source.sh' '${local.archive}'"]
  }

  provisioner "file" {
    source      = local.archive
    destination = "/tmp/multus-eks.tar.gz"
    generated   = true
  }

  # In one go and as root: after clean.sh nobody can log in any more.
  provisioner "shell" {
    execute_command = "chmod +x {{ .Path }}; if [ $(id -u) -eq 0 ]; then {{ .Path }}; else sudo -n {{ .Path }}; fi"
    inline_shebang  = "/bin/sh -eux"
    inline = [
      "mkdir -p /tmp/multus-eks",
      "tar -xzf /tmp/multus-eks.tar.gz -C /tmp/multus-eks",
      "rm /tmp/multus-eks.tar.gz",
      "cd /tmp/multus-eks/ami-scripts",
      "./build.sh",
      "./enable.sh ${var.enable_flags}",
      "./clean.sh --tools",
      "./verify.sh",
      "./clean.sh",
    ]
  }

  # What only the baking needed, and what was freed does not have to be in the file.
  provisioner "shell" {
    only = ["qemu.debian"]
    inline = [
      "systemctl disable ssh.service",
      "rm /etc/systemd/network/90-bake.network",
      "fstrim /",
    ]
  }
}
