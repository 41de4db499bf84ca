//! Memory that is used again from one call to the next: fresh pages cost as much as the arithmetic on them.

use std::cell::RefCell;
use std::marker::PhantomData;

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

/// A place that threads write to, each its own part. That parts lie within it is checked; that they are apart is what callers
/// vouch for.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    start: *mut f32,
    length: usize,
    values: PhantomData<&'a mut [f32]>,
}

// SAFETY: whoever writes through it vouches for writing where nobody else does.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(super) fn new(values: &'a mut [f32]) -> Self {
        Self { start: values.as_mut_ptr(), length: values.len(), values: PhantomData }
    }

    /// Some values.
    ///
    /// # Safety
    /// Nobody else may use them as long as the result is there.
    ///
    /// # Panics
    /// Where they do not lie within this.
    pub(super) unsafe fn slice(self, start: usize, count: usize) -> &'a mut [f32] {
        let end = start.checked_add(count);
        assert!(end.is_some_and(|end| end <= self.length), "{count} from {start} of {}", self.length);
        // SAFETY: they lie within the slice that this was made from, and the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), count) }
    }

    /// A matrix whose row r, column c lies at `start + r · row_step + c`.
    ///
    /// # Panics
    /// Where it does not begin within this.
    pub(super) fn rows(self, start: usize, row_step: usize) -> Output<'a> {
        assert!(start <= self.length, "{start} of {}", self.length);
        // SAFETY: within the slice that this was made from, or one past its end.
        let place = unsafe { self.start.add(start) };
        Output { start: place, room: self.length - start, row_step, values: PhantomData }
    }
}

/// Where a product goes: row r, column c at `start + r · row_step + c`.
#[derive(Clone, Copy)]
pub(super) struct Output<'a> {
    start: *mut f32,
    /// How many values there are from `start` on.
    room: usize,
    pub row_step: usize,
    values: PhantomData<&'a mut [f32]>,
}

impl<'a> Output<'a> {
    /// In values of one's own.
    pub(super) fn of(values: &'a mut [f32], row_step: usize) -> Self {
        Shared::new(values).rows(0, row_step)
    }

    /// The matrix from a column on.
    ///
    /// # Panics
    /// Where that is past its end.
    #[inline(always)]
    pub(super) fn shifted(self, column: usize) -> Self {
        assert!(column <= self.room, "column {column} of {}", self.room);
        // SAFETY: within the room, or one past its end.
        Self { start: unsafe { self.start.add(column) }, room: self.room - column, ..self }
    }

    /// The first of so many rows and columns.
    ///
    /// # Panics
    /// Where there is no room for them.
    #[inline(always)]
    pub(super) fn first(self, rows: usize, columns: usize) -> *mut f32 {
        let last = rows.saturating_sub(1).checked_mul(self.row_step).and_then(|row| row.checked_add(columns));
        assert!(last.is_some_and(|last| last <= self.room), "{rows} rows of {columns} in {}", self.room);
        self.start
    }
}
