#!/bin/sh
# Runs the tests of package kernel on an emulated processor with AVX-512, for machines without one: bochs boots a Linux whose only
# program is the test binary. Some hundred times slower than a machine. Debian's packages bochs, bochs-term, bochsbios, vgabios,
# busybox-static, cpio, isolinux, syslinux-common, xorriso and linux-image-cloud-amd64 have what it needs.
#
#	_asm/emulate.sh -test.short -test.run 'MatMul/avx512'
#
# KERNEL names another Linux to boot, CPU another processor of `bochs --help cpu`, UNROLL_CPU a path.
set -e
package=$(cd "$(dirname "$0")/.." && pwd)
kernel=${KERNEL:-$(ls /boot/vmlinuz-*-cloud-amd64 | tail -n 1)}
cpu=${CPU:-corei7_skylake_x}
flags=
for flag; do
	flags="$flags '$flag'"
done

d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
mkdir -p "$d/root/bin" "$d/root/proc" "$d/root/dev" "$d/root/tmp" "$d/disk/isolinux"
(cd "$package" && GOARCH=amd64 CGO_ENABLED=0 go test -c -o "$d/root/kernel.test" .)
cp /bin/busybox "$d/root/bin/"
cat >"$d/root/init" <<INIT
#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1
cd /tmp
UNROLL_CPU='$UNROLL_CPU' /kernel.test -test.v -test.timeout=0 -test.skip='^(TestGenerated|TestProductsAreRounded|TestProductsInSums)$' $flags
echo "exit status \$?"
/bin/busybox sleep 3
/bin/busybox poweroff -f
INIT
chmod +x "$d/root/init"
(cd "$d/root" && find . | cpio --quiet -o -H newc) >"$d/disk/initrd"
cp "$kernel" "$d/disk/linux"
cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$d/disk/isolinux/"
# Linux would not use AVX-512 at all: bochs 2.7 gives a wrong size for the compact form of the registers' save area.
# 321 and 323 are the features XSAVEC and XSAVES.
cat >"$d/disk/isolinux/isolinux.cfg" <<CFG
DEFAULT linux
LABEL linux
 KERNEL /linux
 APPEND initrd=/initrd console=ttyS0 quiet nokaslr mitigations=off nowatchdog panic=-1 noxsaves clearcpuid=321,323
CFG
xorriso -as mkisofs -quiet -o "$d/disk.iso" -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 \
	-boot-info-table "$d/disk" 2>/dev/null
cat >"$d/bochsrc" <<RC
display_library: term
megs: 1024
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model=$cpu, ips=50000000, reset_on_triple_fault=0, ignore_bad_msrs=1
ata0-master: type=cdrom, path=$d/disk.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$d/serial
log: $d/bochs.log
panic: action=fatal
RC
echo c >"$d/continue"
TERM=vt100 script -qec "bochs -q -f $d/bochsrc -rc $d/continue" /dev/null </dev/null >/dev/null 2>&1 || true
cat "$d/serial"
grep -q '^exit status 0' "$d/serial"
