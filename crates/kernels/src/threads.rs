//! The threads that kernels and candle run on.

/// Where rayon and candle look for their number.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Runs `work` on one of the pool's threads. Kernels divide their work among the pool's threads. Begun from any other
/// thread, each kernel would wait for two switches between threads, which in small networks take as long as the kernel
/// itself.
pub fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| work())
}

/// Sets `RAYON_NUM_THREADS` to the number of cores where it is absent. candle looks there at every matrix product, and
/// examines the machine's processors each time when it finds nothing. In small networks that takes as long as the
/// products themselves.
///
/// # Safety
/// No other thread may run yet: this changes the program's environment. It is for the first line of `main`.
pub unsafe fn tell_candle() {
    if std::env::var_os(VARIABLE).is_none() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // SAFETY: the caller promises that no other thread can read the environment meanwhile.
        unsafe { std::env::set_var(VARIABLE, cores.to_string()) };
    }
}
