#!/usr/bin/env bash
# Runs the tests of the kernels and of the encoder with AVX-512, on machines that do not have it.
#
# The emulator Bochs has a processor with AVX-512, VNNI and VPOPCNTDQ. It boots the Linux kernel of Debian with the very binaries
# that `cargo test` runs; what they print comes back over the serial line. Packages are unpacked here and not installed.
# It is slow: an hour of the emulator is about a minute of a processor.

source "$(dirname "${BASH_SOURCE[0]}")/../lib/all.sh"

[ "$(uname -m)" = x86_64 ] || die "the emulator runs the binaries of this machine, which have to be for x86_64"

HERE=$REPO/tests/avx512
WORK=$LOCAL/avx512
ROOT=$WORK/root
LIBRARIES=$ROOT/usr/lib/x86_64-linux-gnu
LIMIT=${LIMIT:-1100}

# Unpacks the emulator with the libraries that are missing here, what makes a bootable image, and a Linux kernel.
unpack_packages() {
  local wanted package
  if [ -e "$WORK/complete" ]; then return; fi
  rm -rf "$WORK" && mkdir -p "$WORK/packages" "$ROOT"
  mapfile -t wanted < <(
    apt-get install --simulate --reinstall --no-install-recommends bochs bochs-term bochsbios vgabios genisoimage isolinux syslinux-common busybox-static |
      sed -n 's/^Inst \([^ ]*\).*/\1/p'
    apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p'
  )
  (cd "$WORK/packages" && apt-get download "${wanted[@]}") >"$WORK/apt.log" 2>&1 ||
    die "apt-get could not download: ${wanted[*]}" "see $WORK/apt.log, and try apt-get update"
  for package in "$WORK"/packages/*.deb; do dpkg-deb --extract "$package" "$ROOT"; done
  touch "$WORK/complete"
}

# The binaries of the tests that compute with the kernels: one path per line.
test_binaries() {
  (cd "$REPO" && cargo test --release --locked --no-run -p kernels -p encoder --test floats --test codes --lib 2>&1 | tee "$WORK/cargo.log") |
    sed -n 's/^ *Executable .*(\(.*\))$/\1/p' | grep -E '/(codes|floats|encoder)-[^/]*$' | sed "s|^|$REPO/|"
}

# What the emulated machine boots from: a CD with the kernel and the files of its memory.
make_image() {
  local files=$WORK/files iso=$WORK/iso binary
  rm -rf "$files" "$iso"
  mkdir -p "$files"/{bin,dev,proc,tmp,tests} "$iso/isolinux"
  cp "$(compgen -G "$ROOT/bin/busybox" || compgen -G "$ROOT/usr/bin/busybox")" "$files/bin/busybox"
  cp "$HERE/init.sh" "$files/init"
  chmod 755 "$files/init"
  for binary in "$@"; do
    cp "$binary" "$files/tests/"
    ldd "$binary" | grep -o '/[^ ]*' | while read -r library; do
      mkdir -p "$files${library%/*}"
      cp --dereference "$library" "$files$library"
    done
  done
  (cd "$files" && find . | "$files/bin/busybox" cpio -o -H newc) 2>/dev/null | gzip -1 >"$iso/files.gz"
  cp "$ROOT"/boot/vmlinuz-* "$iso/vmlinuz"
  cp "$ROOT/usr/lib/ISOLINUX/isolinux.bin" "$ROOT/usr/lib/syslinux/modules/bios/ldlinux.c32" "$iso/isolinux/"
  cp "$HERE/isolinux.cfg" "$iso/isolinux/"
  LD_LIBRARY_PATH=$LIBRARIES "$ROOT/usr/bin/genisoimage" -quiet -rational-rock -output "$WORK/boot.iso" -eltorito-boot isolinux/isolinux.bin \
    -eltorito-catalog isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table "$iso" 2>/dev/null
}

end_machine() {
  if [ -n "${machine:-}" ]; then kill -KILL "$machine" 2>/dev/null || true; fi
  if [ -n "${reader:-}" ]; then kill "$reader" 2>/dev/null || true; fi
}

# Runs the machine until it says that it is done. Its screen is a terminal that it opens itself and that has to be read, or it
# waits for that in the end.
run_machine() {
  local begin=$SECONDS screen
  sed "s|@ROOT@|$ROOT|; s|@WORK@|$WORK|" "$HERE/bochsrc" >"$WORK/bochsrc"
  : >"$WORK/serial.log"
  echo c >"$WORK/debugger"
  trap end_machine EXIT
  TERM=xterm LD_LIBRARY_PATH="$LIBRARIES" LTDL_LIBRARY_PATH="$LIBRARIES/bochs/plugins" BXSHARE="$ROOT/usr/share/bochs" \
    "$ROOT/usr/bin/bochs-bin" -q -f "$WORK/bochsrc" -rc "$WORK/debugger" </dev/null >"$WORK/screen.log" 2>&1 &
  machine=$!
  while kill -0 "$machine" 2>/dev/null && ! grep -q '^ALL DONE' "$WORK/serial.log" && [ $((SECONDS - begin)) -lt "$LIMIT" ]; do
    screen=$(sed -n 's/^Bochs connected to screen "\(.*\)"$/\1/p' "$WORK/screen.log")
    if [ -n "$screen" ] && [ -z "${reader:-}" ]; then
      cat "$screen" >/dev/null 2>&1 &
      reader=$!
    fi
    sleep 2
  done
  end_machine
  wait
}

unpack_packages
mapfile -t binaries < <(test_binaries)
[ ${#binaries[@]} -eq 3 ] || die "cargo did not build the three tests, see $WORK/cargo.log"
make_image "${binaries[@]}"
run_machine
tr -d '\r' <"$WORK/serial.log" | sed -n '/^BEGIN/,$p'
check "the emulated machine went through all ${#binaries[@]} binaries" \
  [ "$(grep -c '^EXIT 0 ' "$WORK/serial.log")" = "${#binaries[@]}" ]
finish
