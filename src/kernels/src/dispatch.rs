//! Which kernels this CPU can run, asked once.

use std::sync::OnceLock;

use crate::scalar;
use crate::table::Kernels;

/// Everything this CPU can run, the reference first and the fastest last.
fn detect() -> Vec<&'static Kernels> {
    let mut found = vec![&scalar::KERNELS];
    #[cfg(target_arch = "x86_64")]
    {
        let v3 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
            && is_x86_feature_detected!("popcnt");
        if v3 {
            found.push(&crate::x86::avx2::KERNELS);
        }
        let v4 = v3
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        if v4 {
            found.push(&crate::x86::avx512::BASE);
            if is_x86_feature_detected!("avx512vnni") {
                found.push(&crate::x86::avx512::VNNI);
                if is_x86_feature_detected!("avx512vpopcntdq") {
                    found.push(&crate::x86::avx512::VPOPCNTDQ);
                }
            }
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        found.push(&crate::aarch64::neon::KERNELS);
    }
    found
}

/// Every set of kernels that this CPU can run, the scalar reference first and the one that [`best`] returns last.
pub fn available() -> &'static [&'static Kernels] {
    static FOUND: OnceLock<Vec<&'static Kernels>> = OnceLock::new();
    FOUND.get_or_init(detect)
}

/// The fastest kernels that this CPU can run.
#[inline]
pub fn best() -> &'static Kernels {
    static BEST: OnceLock<&'static Kernels> = OnceLock::new();
    BEST.get_or_init(|| available()[available().len() - 1])
}

/// Asks memory for the cache line at `p`, which need not be readable.
#[inline(always)]
#[allow(unsafe_code)]
pub fn prefetch<T>(p: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has SSE, and a prefetch does not fault.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(p.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a prefetch does not fault.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) p, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = p;
}
