//! Memory that is used again from one call to the next: fresh pages cost as much as the arithmetic on them.

use std::cell::RefCell;

thread_local! {
    static IDLE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Lends `length` values, whatever they are, to `work`.
pub(super) fn with_scratch<T>(length: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    let mut buffer = IDLE.with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    let result = work(&mut buffer[..length]);
    IDLE.with_borrow_mut(|idle| idle.push(buffer));
    result
}

/// A place that threads write to, each its own part.
#[derive(Clone, Copy)]
pub(super) struct Shared(*mut f32);

// SAFETY: whoever writes through it vouches for writing where nobody else does.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(super) fn new(values: &mut [f32]) -> Self {
        Self(values.as_mut_ptr())
    }

    /// # Safety
    /// `index` must lie within the slice this was made from.
    pub(super) unsafe fn at(self, index: usize) -> *mut f32 {
        // SAFETY: the caller vouches for it.
        unsafe { self.0.add(index) }
    }
}
