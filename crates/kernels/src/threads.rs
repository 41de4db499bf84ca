//! Where kernels are called from.

/// Runs `work` on one of the pool's threads. Kernels divide their work among the pool's threads; begun from any other
/// thread, each of them would wait for two switches between threads, which in small networks take as long as the kernel.
pub fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| work())
}
