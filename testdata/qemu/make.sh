#!/bin/sh
# Makes the traces of ../ftrace that are named qemu-*: boots a Debian kernel in
# qemu, makes an incident happen under ftrace and takes what the trace file
# holds.
#
#	make.sh DIR SCENARIO...
#
# DIR holds an unpacked linux-image package (dpkg-deb -x). The results are
# SCENARIO.trace and SCENARIO.console in the current directory. Needed:
# qemu-system-x86, busybox-static, cpio, gcc, mkfs.ext4.
set -e
here=$(cd "$(dirname "$0")" && pwd)
dir=$1
shift
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
mkdir -p "$w/root/bin" "$w/root/sbin"
cp /usr/bin/busybox "$w/root/bin/"
cp "$here/init" "$w/root/init"
chmod 755 "$w/root/init"
gcc -static -O1 -pthread -o "$w/root/lab" "$here/lab.c"
cp "$(find "$dir" -name loop.ko)" "$w/root/"
truncate -s 4M "$w/root/img"
mkfs.ext4 -q -O ^has_journal "$w/root/img"
(cd "$w/root" && find . | cpio -o -H newc --quiet) > "$w/initrd"
for scn; do
	timeout 600 qemu-system-x86_64 -m 512 -smp 2 -nographic -no-reboot -kernel "$dir"/boot/vmlinuz-* -initrd "$w/initrd" \
		-append "console=ttyS0 panic=-1 cgroup_enable=memory scn=$scn" -monitor none \
		-serial "file:$scn.console" -serial "file:$scn.trace"
done
