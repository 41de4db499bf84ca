//! Memory that the system gets back.

/// Gives back what was freed in between what is still in use, which glibc keeps. For Stable Diffusion 1.5 that is a third of a
/// gigabyte after weights were read and repacked. It is half a gigabyte when a frame's features have been looked at for the last
/// time. Elsewhere the allocator decides.
pub(crate) fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: frees pages that nothing is allocated on.
    unsafe {
        libc::malloc_trim(0);
    }
}
