//! How many threads the networks use on the CPU.

use crate::error::{Error, Result};

/// Most threads that can be asked for.
pub const MOST_THREADS: usize = 1024;

/// Where rayon and candle look.
pub const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Sets the number of threads; where `count` is absent, as [`VARIABLE`] says, else one for each core. To be called once,
/// before any network runs.
///
/// # Errors
/// A count outside 1 to [`MOST_THREADS`], or threads that were set up before.
pub fn set_threads(count: Option<usize>) -> Result<()> {
    let wanted = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
    let count = match count.or(wanted) {
        Some(count) if (1..=MOST_THREADS).contains(&count) => count,
        Some(count) => {
            return Err(Error::setting("threads", format!("{count}; 1 to {MOST_THREADS} are allowed")));
        }
        None => cores(),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build_global();
    pool.map_err(|error| Error::setting("threads", error.to_string()))
}

/// Sets [`VARIABLE`] where it is absent. candle looks there at every matrix product, and examines the machine's processors
/// each time when it finds nothing: in small networks that takes as long as the products themselves.
///
/// # Safety
/// No other thread may run yet: this changes the program's environment. It is for the first line of `main`.
pub unsafe fn tell_candle() {
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: the caller promises that no other thread can read the environment meanwhile.
        unsafe { std::env::set_var(VARIABLE, cores().to_string()) };
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
