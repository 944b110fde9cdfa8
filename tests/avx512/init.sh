#!/bin/busybox sh
# shellcheck shell=dash
# The first and only process of the emulated machine.
B=/bin/busybox
$B mount -t devtmpfs none /dev
$B mount -t proc none /proc
$B mount -t tmpfs none /tmp
export EXPECT_AVX512=1
echo "BEGIN $($B grep -m 1 -o 'avx512.*' /proc/cpuinfo)"
for test in /tests/*; do
  # Of the encoder, what runs its kernels.
  case $test in
    */encoder-*) $test --test-threads=1 simd tests::forward ;;
    *) $test --test-threads=1 ;;
  esac
  echo "EXIT $? $test"
done
echo "ALL DONE"
$B sleep 5
$B poweroff -f
