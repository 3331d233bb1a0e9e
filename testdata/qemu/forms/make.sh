#!/bin/sh
# Boots a Debian kernel in qemu, runs a memcg out of memory under each form of
# trace (forms) or under trace-cmd (cmd), and keeps the texts or the recording,
# the console and the truth.
#
#	make.sh DIR forms|cmd
#
# DIR holds an unpacked linux-image package (dpkg-deb -x). The results are
# NAME.trace or cmd.dat, and console and truth, in the current directory.
# Needed: qemu-system-x86, busybox-static, cpio, gcc, trace-cmd.
set -e
here=$(cd "$(dirname "$0")" && pwd)
dir=$1 scn=$2
w=$(mktemp -d)
trap 'rm -rf "$w"' EXIT
mkdir -p "$w/root/bin" "$w/root/usr/bin"
cp "$(command -v busybox)" "$w/root/bin/busybox"
cp "$here/init" "$w/root/init"
gcc -static -O1 -Wall -o "$w/root/lab" "$here/../lab/lab.c"
cp "$(command -v trace-cmd)" "$w/root/usr/bin/"
ldd "$w/root/usr/bin/trace-cmd" | grep -o '/[^ ]*' | while read -r f; do mkdir -p "$w/root/${f%/*}"; cp -L "$f" "$w/root/$f"; done
(cd "$w/root" && find . | cpio -o -H newc --quiet) > "$w/initrd"
timeout 1500 qemu-system-x86_64 -cpu max -m 512 -smp 2 -display none -no-reboot -kernel "$dir"/boot/vmlinuz-* -initrd "$w/initrd" \
	-append "console=ttyS0 loglevel=8 panic=-1 no_timer_check scn=$scn" -monitor none \
	-serial "file:$scn.console" -serial "file:$scn.text" -serial "file:$scn.dat" -serial "file:$scn.truth"
awk '/^=== / {f = $2 ".trace"; next} f {print > f}' "$scn.text"
