//! Functions of vectors: exponential, logistic, error function.

use pulp::Simd;

/// eˣ to 2 units in the last place for x in [-87.3, 88]; x beyond counts as the nearest of them, NaN stays.
#[inline(always)]
pub(super) fn exponential<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    let splat = |value: f32| simd.splat_f32s(value);
    let value = simd.max_f32s(splat(-87.3), simd.min_f32s(splat(88.0), value));
    // x = n·ln 2 + r with |r| ≤ ln 2 / 2.
    let shifted = simd.mul_add_e_f32s(value, splat(std::f32::consts::LOG2_E), splat(WHOLE));
    let whole = simd.sub_f32s(shifted, splat(WHOLE));
    let rest = simd.mul_add_e_f32s(whole, splat(-0.693_359_4), value);
    let rest = simd.mul_add_e_f32s(whole, splat(2.121_944_4e-4), rest);
    let mut power = splat(1.987_569_1e-4);
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_6e-1, 0.5] {
        power = simd.mul_add_e_f32s(power, rest, splat(coefficient));
    }
    let power = simd.mul_add_e_f32s(power, simd.mul_f32s(rest, rest), simd.add_f32s(rest, splat(1.0)));
    times_power_of_two(simd, power, shifted)
}

/// 2ˣ to 2·10⁻⁷ of it for x in [-126, 127]; less counts as -126, NaN stays. The polynomial has the least relative error on
/// [-½, ½] among those of its degree that are exact at 0.
#[inline(always)]
#[allow(clippy::approx_constant, reason = "the polynomial's coefficient is near ln 2, but not it")]
pub(super) fn power_of_two<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    let splat = |value: f32| simd.splat_f32s(value);
    let value = simd.max_f32s(splat(-126.0), value);
    let shifted = simd.add_f32s(value, splat(WHOLE));
    let rest = simd.sub_f32s(value, simd.sub_f32s(shifted, splat(WHOLE)));
    let mut power = splat(1.326_472_7e-3);
    for coefficient in [9.671_513e-3, 5.550_733_6e-2, 2.402_224_2e-1, 6.931_47e-1, 1.0] {
        power = simd.mul_add_e_f32s(power, rest, splat(coefficient));
    }
    times_power_of_two(simd, power, shifted)
}

/// Added to a number, rounds it to a whole one, which then lies in the sum's lowest bits: 1.5·2²³.
const WHOLE: f32 = 12_582_912.0;

/// `value` · 2ⁿ, where `shifted` is n + [`WHOLE`].
#[inline(always)]
fn times_power_of_two<S: Simd>(simd: S, value: S::f32s, shifted: S::f32s) -> S::f32s {
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(value), exponent))
}

/// x / (1 + e⁻ˣ).
#[inline(always)]
pub(super) fn silu<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    let decay = exponential(simd, simd.neg_f32s(value));
    simd.div_f32s(value, simd.add_f32s(simd.splat_f32s(1.0), decay))
}

/// SiLU's slope: s + x·s·(1 − s) with s = 1 / (1 + e⁻ˣ).
#[inline(always)]
pub(super) fn silu_slope<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let sigmoid = simd.div_f32s(one, simd.add_f32s(one, exponential(simd, simd.neg_f32s(value))));
    let rest = simd.mul_f32s(value, simd.sub_f32s(one, sigmoid));
    simd.mul_add_e_f32s(sigmoid, rest, sigmoid)
}

/// x · (1 + erf(x/√2)) / 2, the exact gelu.
#[inline(always)]
pub(super) fn gelu<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    let root = simd.splat_f32s(std::f32::consts::FRAC_1_SQRT_2);
    let half = simd.mul_f32s(value, simd.splat_f32s(0.5));
    simd.mul_add_e_f32s(half, error_function(simd, simd.mul_f32s(value, root)), half)
}

/// The exact gelu's slope: (1 + erf(x/√2)) / 2 + x · e^(−x²/2) / √(2π).
#[inline(always)]
pub(super) fn gelu_slope<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    let splat = |value: f32| simd.splat_f32s(value);
    let error = error_function(simd, simd.mul_f32s(value, splat(std::f32::consts::FRAC_1_SQRT_2)));
    let share = simd.mul_add_e_f32s(error, splat(0.5), splat(0.5));
    let bell = exponential(simd, simd.mul_f32s(simd.mul_f32s(value, value), splat(-0.5)));
    simd.mul_add_e_f32s(simd.mul_f32s(value, splat(0.398_942_3)), bell, share)
}

/// erf(x) to about one unit in the last place: N. Juffa's two polynomials, the outer one in an exponential.
#[inline(always)]
fn error_function<S: Simd>(simd: S, value: S::f32s) -> S::f32s {
    let splat = |value: f32| simd.splat_f32s(value);
    let (size, square) = (simd.abs_f32s(value), simd.mul_f32s(value, value));
    let mut near = splat(-5.967_617e-4);
    for coefficient in [4.991_194_2e-3, -2.676_813_5e-2, 1.128_199_2e-1, -3.761_253_4e-1, 1.283_791_7e-1] {
        near = simd.mul_add_e_f32s(near, square, splat(coefficient));
    }
    let near = simd.mul_add_e_f32s(near, value, value);
    let high = simd.mul_add_e_f32s(splat(-1.728_534_7e-5), size, splat(3.831_971_3e-4));
    let low = simd.mul_add_e_f32s(splat(-3.883_964_4e-3), size, splat(2.425_462_2e-2));
    let mut far = simd.mul_add_e_f32s(high, square, low);
    for coefficient in [-1.067_778_8e-1, -6.348_467e-1, -1.287_175_1e-1] {
        far = simd.mul_add_e_f32s(far, size, splat(coefficient));
    }
    let far = simd.mul_add_e_f32s(far, size, simd.neg_f32s(size));
    let far = simd.sub_f32s(splat(1.0), exponential(simd, far));
    let far = simd.select_f32s(simd.less_than_f32s(value, splat(0.0)), simd.neg_f32s(far), far);
    simd.select_f32s(simd.greater_than_f32s(size, splat(0.927_734_4)), far, near)
}
