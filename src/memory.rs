//! Memory that the system gets back.

/// Gives back what was freed in between what is still in use, which glibc keeps: after weights were read and repacked, a third
/// of a gigabyte for Stable Diffusion 1.5. Elsewhere the allocator decides.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: frees pages that nothing is allocated on.
    unsafe {
        libc::malloc_trim(0);
    }
}
