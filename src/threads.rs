//! How many threads the networks use on the CPU.

use crate::error::{Error, Result};

/// Most threads that can be asked for.
pub const MOST_THREADS: usize = 1024;

/// Where rayon and candle look.
const VARIABLE: &str = "RAYON_NUM_THREADS";

/// Sets the number of threads; where `count` is absent, as `RAYON_NUM_THREADS` says, else one for each core. To be called
/// before any network runs.
///
/// # Errors
/// A count outside 1 to [`MOST_THREADS`], or another one than was set before.
pub fn set_threads(count: Option<usize>) -> Result<()> {
    let wanted = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
    let count = match count.or(wanted) {
        Some(count) if (1..=MOST_THREADS).contains(&count) => count,
        Some(count) => {
            return Err(Error::setting("threads", format!("{count}; 1 to {MOST_THREADS} are allowed")));
        }
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build_global();
    match rayon::current_num_threads() {
        // Set before, as for another clip.
        there if pool.is_ok() || there == count => Ok(()),
        there => Err(Error::setting("threads", format!("{count}; this process has {there} already"))),
    }
}
