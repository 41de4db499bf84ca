//! Things that are kept while they are what is wanted.

use crate::error::Result;

/// A value, and what it was made for.
#[derive(Debug)]
pub(crate) struct Kept<Key, Value>(Option<(Key, Value)>);

impl<Key, Value> Default for Kept<Key, Value> {
    fn default() -> Self {
        Self(None)
    }
}

impl<Key: PartialEq + Clone, Value> Kept<Key, Value> {
    /// The value for `key`. One for another key is dropped before `make` is called: there may not be memory for both.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn get(&mut self, key: &Key, make: impl FnOnce() -> Result<Value>) -> Result<&Value> {
        let kept = match self.0.take().filter(|(known, _)| known == key) {
            Some(kept) => kept,
            None => (key.clone(), make()?),
        };
        Ok(&self.0.insert(kept).1)
    }
}
