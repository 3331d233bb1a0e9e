#!/bin/sh
# Boots a Debian kernel in qemu, makes an incident happen under ftrace and keeps
# the console, the trace and the truth. README.md tells more.
#
#	make.sh DIR SCENARIO...
#
# DIR holds an unpacked linux-image package (dpkg-deb -x). The results are
# SCENARIO.console, SCENARIO.trace and SCENARIO.truth in the current directory.
# Needed: qemu-system-x86, busybox-static, cpio, gcc.
set -e
here=$(cd "$(dirname "$0")" && pwd)
dir=$1
shift
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
mkdir -p "$w/root/bin"
cp "$(command -v busybox)" "$w/root/bin/busybox"
cp "$here/init" "$w/root/init"
chmod 755 "$w/root/init"
gcc -static -O1 -Wall -o "$w/root/lab" "$here/lab.c"
(cd "$w/root" && find . | cpio -o -H newc --quiet) > "$w/initrd"
for scn; do
	# -cpu max has RDRAND: %p prints a hash and not (____ptrval____).
	timeout 400 qemu-system-x86_64 -cpu max -m 512 -smp 2 -display none -no-reboot -kernel "$dir"/boot/vmlinuz-* -initrd "$w/initrd" \
		-append "console=ttyS0 loglevel=8 panic=-1 no_timer_check scn=$scn" -monitor none \
		-serial "file:$scn.console" -serial "file:$scn.trace" -serial "file:$scn.truth"
done
