//! Networks that a render needs at its beginning only.

use crate::error::Result;
use crate::memory;

/// A network that is kept in memory, or read from its files each time it is needed.
pub(super) enum OnDemand<T> {
    /// In memory.
    Kept(T),
    /// In its files; this reads it.
    InFiles(Box<dyn Fn() -> Result<T> + Send + Sync>),
}

impl<T> OnDemand<T> {
    /// Keeps `network`, or drops it where it is to be read again by `read`.
    pub fn new(
        network: T,
        stays_in_files: bool,
        read: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        if stays_in_files { Self::InFiles(Box::new(read)) } else { Self::Kept(network) }
    }

    /// Lets `work` use the network.
    ///
    /// # Errors
    /// Those of `work`; files that have gone or changed.
    pub fn with<R>(&self, work: impl FnOnce(&T) -> Result<R>) -> Result<R> {
        match self {
            Self::Kept(network) => work(network),
            Self::InFiles(read) => {
                let done = work(&read()?);
                memory::give_back();
                done
            }
        }
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for OnDemand<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::Kept(network) => formatter.debug_tuple("Kept").field(network).finish(),
            Self::InFiles(_) => formatter.write_str("InFiles"),
        }
    }
}
