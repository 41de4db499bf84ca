//! How many threads the networks use on the CPU.

use crate::error::{Error, Result};

/// Most threads that can be asked for.
pub const MOST_THREADS: usize = 1024;

/// Where rayon and candle look.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Runs `work` on one of the pool's threads. Kernels divide their work among the pool's threads; begun from any other
/// thread, each of them would wait for two switches between threads, which in small networks take as long as the kernel.
pub fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| work())
}

/// Sets the number of threads; where `count` is absent, as `RAYON_NUM_THREADS` says, else one for each core. To be
/// called once, before anything else.
///
/// candle reads its number of threads from the environment at every matrix product, and examines the machine's
/// processors each time when it finds none there: in small networks that takes as long as the products themselves.
///
/// # Errors
/// A count outside 1 to [`MOST_THREADS`], or threads that were set up before.
///
/// # Safety
/// No other thread may run yet: this changes the program's environment.
pub unsafe fn set_threads(count: Option<usize>) -> Result<()> {
    let wanted = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
    let count = match count.or(wanted) {
        Some(count) if (1..=MOST_THREADS).contains(&count) => count,
        Some(count) => {
            return Err(Error::setting("threads", format!("{count}; 1 to {MOST_THREADS} are allowed")));
        }
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    // SAFETY: the caller promises that no other thread runs yet, so that none can read the environment meanwhile.
    unsafe { std::env::set_var(VARIABLE, count.to_string()) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build_global();
    pool.map_err(|error| Error::setting("threads", error.to_string()))
}
