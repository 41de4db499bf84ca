//! Matrix products by small tiles that stay in registers: what every kernel here spends its time in.
//!
//! The left operand is read where it lies, through two steps. The right operand lies in *panels*: some columns side by
//! side, row after row, as [`panel_width`] says for this processor. Sums run along the depth in order, so that results
//! do not depend on how the work is divided.

use pulp::{Arch, Simd, WithSimd};
use std::sync::OnceLock;

use super::scratch::Output;

/// Depth that is worked on at once: a panel of it stays in the first-level cache.
pub(super) const DEPTH: usize = 320;

/// Rows of the left operand that are worked on at once: a multiple of every tile's rows, and with [`DEPTH`] a part of
/// the second-level cache.
pub(super) const ROWS: usize = 96;

/// Columns of the widest panel.
pub(super) const WIDEST_PANEL: usize = 32;

/// Values of the largest tile.
const LARGEST_TILE: usize = 12 * WIDEST_PANEL;

/// The vector instructions that kernels use: the best that this processor has. `DREAMTUNER_VECTORS=none` leaves them
/// all out, so that the code for other processors can be tested on any.
pub(super) fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(|| match std::env::var("DREAMTUNER_VECTORS").as_deref() {
        Ok("none") => Arch::Scalar,
        _ => Arch::new(),
    })
}

/// Columns of a panel: as many as a tile has.
pub(super) fn panel_width() -> usize {
    struct Width;
    impl WithSimd for Width {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            panel_width_for::<S>()
        }
    }
    arch().dispatch(Width)
}

/// Vectors side by side in a tile, so that a tile's sums, a row of the right operand and one value fit the registers.
#[inline(always)]
pub(super) const fn vectors<S: Simd>() -> usize {
    match S::F32_LANES {
        16 | 8 => 2,
        _ => 4,
    }
}

/// [`panel_width`] in code for certain vectors.
#[inline(always)]
pub(super) const fn panel_width_for<S: Simd>() -> usize {
    vectors::<S>() * S::F32_LANES
}

/// How much of `length` a thread takes at once, where `blocks` of it are there already: so that every thread has some,
/// in multiples of `unit`, at least `least`.
pub(super) fn share(length: usize, blocks: usize, unit: usize, least: usize) -> usize {
    let wanted = (4 * rayon::current_num_threads()).div_ceil(blocks.max(1));
    length.div_ceil(wanted).next_multiple_of(unit).max(least)
}

/// A matrix of which row r, depth d lies at `values[r · row_step + d · depth_step]`.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub values: &'a [f32],
    pub row_step: usize,
    pub depth_step: usize,
}

/// Panels side by side: panel p starts at `values[p · step]`, and its row d lies `panel_width() · d` further.
#[derive(Clone, Copy)]
pub(super) struct Panels<'a> {
    pub values: &'a [f32],
    pub step: usize,
}

/// The size of a product: `(rows, depth) · (depth, columns)`.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub rows: usize,
    pub depth: usize,
    pub columns: usize,
}

/// Writes `left · right`, or adds it where `add` is set.
///
/// # Safety
/// Nobody else may use the output's rows and columns meanwhile.
///
/// # Panics
/// Where an operand or the output is smaller than `size` says.
#[inline(always)]
pub(super) unsafe fn product<S: Simd>(
    simd: S,
    size: Size,
    left: Left,
    right: Panels,
    output: Output,
    add: bool,
) {
    let Size { rows, depth, columns } = size;
    if rows == 0 || columns == 0 {
        return;
    }
    let width = panel_width_for::<S>();
    assert!(
        (rows - 1) * left.row_step + depth.saturating_sub(1) * left.depth_step < left.values.len().max(1)
    );
    assert!((columns.div_ceil(width) - 1) * right.step + depth * width <= right.values.len());
    let output = Place { start: output.first(rows, columns), row_step: output.row_step };
    // SAFETY: operands and output were just made sure of; nobody else uses the output, says the caller.
    unsafe {
        match S::F32_LANES {
            16 => tiles::<S, 12, 2>(simd, size, left, right, output, add),
            8 => tiles::<S, 6, 2>(simd, size, left, right, output, add),
            4 => tiles::<S, 6, 4>(simd, size, left, right, output, add),
            _ => tiles::<S, 4, 4>(simd, size, left, right, output, add),
        }
    }
}

/// Where a tile goes: row r, column c at `start + r · row_step + c`.
#[derive(Clone, Copy)]
struct Place {
    start: *mut f32,
    row_step: usize,
}

/// # Safety
/// As [`product`]; operands and output are as large as `size` says.
#[inline(always)]
unsafe fn tiles<S: Simd, const R: usize, const V: usize>(
    simd: S,
    size: Size,
    left: Left,
    right: Panels,
    output: Place,
    add: bool,
) {
    assert_eq!(V, vectors::<S>());
    let width = panel_width_for::<S>();
    for (panel, column) in (0..size.columns).step_by(width).enumerate() {
        // SAFETY: row < rows and column < columns wherever a tile is placed.
        unsafe {
            let strip = Strip {
                depth: size.depth,
                left,
                right: right.values.as_ptr().add(panel * right.step),
                output: Place { start: output.start.add(column), row_step: output.row_step },
                columns: width.min(size.columns - column),
                add,
            };
            let mut row = 0;
            while row + R <= size.rows {
                strip.tile::<S, R, V>(simd, row);
                row += R;
            }
            while row + 4 <= size.rows {
                strip.tile::<S, 4, V>(simd, row);
                row += 4;
            }
            while row + 2 <= size.rows {
                strip.tile::<S, 2, V>(simd, row);
                row += 2;
            }
            if row < size.rows {
                strip.tile::<S, 1, V>(simd, row);
            }
        }
    }
}

/// All rows of one panel's columns.
#[derive(Clone, Copy)]
struct Strip<'a> {
    depth: usize,
    left: Left<'a>,
    right: *const f32,
    output: Place,
    columns: usize,
    add: bool,
}

impl Strip<'_> {
    /// # Safety
    /// `R` rows from `row` on must lie within the operands and the output.
    #[inline(always)]
    unsafe fn tile<S: Simd, const R: usize, const V: usize>(self, simd: S, row: usize) {
        let Self { depth, left, right, output, columns, add } = self;
        let width = panel_width_for::<S>();
        // SAFETY: the caller vouches for these rows; a part of a tile is written value by value.
        unsafe {
            let mut left_rows = [left.values.as_ptr(); R];
            for (index, place) in left_rows.iter_mut().enumerate() {
                *place = place.add((row + index) * left.row_step);
            }
            let sums = tile::<S, R, V>(simd, depth, left_rows, left.depth_step, right);
            let start = output.start.add(row * output.row_step);
            if columns == width {
                return store::<S, R, V>(simd, sums, Place { start, row_step: output.row_step }, add);
            }
            let mut whole = [0.0; LARGEST_TILE];
            store::<S, R, V>(simd, sums, Place { start: whole.as_mut_ptr(), row_step: width }, false);
            for (index, line) in whole.chunks_exact(width).enumerate().take(R) {
                for (column, value) in line.iter().enumerate().take(columns) {
                    let place = start.add(index * output.row_step + column);
                    *place = if add { *place + value } else { *value };
                }
            }
        }
    }
}

/// # Safety
/// Every row of `left` must be valid for `depth` steps, `right` for `depth` rows of a panel.
#[inline(always)]
unsafe fn tile<S: Simd, const R: usize, const V: usize>(
    simd: S,
    depth: usize,
    mut left: [*const f32; R],
    step: usize,
    mut right: *const f32,
) -> [[S::f32s; V]; R] {
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    for _ in 0..depth {
        // SAFETY: within the depth the caller vouches for; pointers past it are made, not read.
        unsafe {
            let mut columns = [simd.splat_f32s(0.0); V];
            for (vector, column) in columns.iter_mut().enumerate() {
                *column = right.add(vector * S::F32_LANES).cast::<S::f32s>().read_unaligned();
            }
            for row in 0..R {
                let value = simd.splat_f32s(*left[row]);
                for vector in 0..V {
                    sums[row][vector] = simd.mul_add_e_f32s(value, columns[vector], sums[row][vector]);
                }
                left[row] = left[row].wrapping_add(step);
            }
            right = right.add(V * S::F32_LANES);
        }
    }
    sums
}

/// # Safety
/// `output` must be valid for the whole tile.
#[inline(always)]
unsafe fn store<S: Simd, const R: usize, const V: usize>(
    simd: S,
    sums: [[S::f32s; V]; R],
    output: Place,
    add: bool,
) {
    for row in 0..R {
        for vector in 0..V {
            // SAFETY: within the tile.
            unsafe {
                let place = output.start.add(row * output.row_step + vector * S::F32_LANES).cast::<S::f32s>();
                let value = if add {
                    simd.add_f32s(place.read_unaligned(), sums[row][vector])
                } else {
                    sums[row][vector]
                };
                place.write_unaligned(value);
            }
        }
    }
}
