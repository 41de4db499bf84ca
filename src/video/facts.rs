//! What a stream's headers say of its pictures: size, rate, duration, which way is up.

use std::path::Path;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Rational, Stream, codec, decoder};
use image::metadata::Orientation;

use super::color_tags::is_high_dynamic_range;
use super::demux::{known, positive, seconds};
use crate::error::{Error, Result};
use crate::frame::MAX_SIDE;

/// Largest rate that frames can be asked for, per second.
pub(super) const MAX_RATE: f64 = 1000.0;

/// What is known of the stream before decoding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts {
    pub width: u32,
    pub height: u32,
    pub time_base: Rational,
    pub rate: (u32, u32),
    pub has_audio: bool,
    pub duration: Option<f64>,
}

pub(super) fn check_size(path: &Path, width: u32, height: u32) -> Result<()> {
    let allowed = 1..=MAX_SIDE;
    if allowed.contains(&width) && allowed.contains(&height) {
        return Ok(());
    }
    let problem = format!("its frames are {width}×{height} pixels; allowed: 1 to {MAX_SIDE} on each side");
    Err(Error::input(path, problem))
}

/// The size with square pixels: the side that is too short for the aspect ratio is lengthened.
pub(super) fn square_size(path: &Path, decoder: &decoder::Video, stream: &Stream) -> Result<(u32, u32)> {
    let (width, height) = (decoder.width(), decoder.height());
    // SAFETY: the stream pointer is valid while the stream is borrowed.
    let of_stream = Rational::from(unsafe { (*stream.as_ptr()).sample_aspect_ratio });
    let aspect = positive(of_stream).or_else(|| positive(decoder.aspect_ratio()));
    let aspect = aspect.map_or(1.0, |(wide, high)| f64::from(wide) / f64::from(high));
    let (width, height) = if aspect >= 1.0 {
        ((f64::from(width) * aspect).round() as u32, height)
    } else {
        (width, (f64::from(height) / aspect).round() as u32)
    };
    check_size(path, width, height)?;
    Ok((width, height))
}

pub(super) fn average_rate(stream: &Stream) -> (u32, u32) {
    let plausible = |rate: &(u32, u32)| f64::from(rate.0) / f64::from(rate.1) <= MAX_RATE;
    positive(stream.avg_frame_rate())
        .filter(plausible)
        .or_else(|| positive(stream.rate()).filter(plausible))
        .unwrap_or((24, 1))
}

/// A frame rate as numerator and denominator: film and broadcast rates (23.976, 29.97…) exactly, others to a thousandth.
pub fn rational_rate(rate: f64) -> (u32, u32) {
    let broadcast = (rate * 1.001).round();
    if (rate - rate.round()).abs() > 1e-3 && (broadcast / 1.001 - rate).abs() < 2e-3 {
        return (broadcast as u32 * 1000, 1001);
    }
    let reduced = Rational::new((rate * 1000.0).round().max(1.0) as i32, 1000).reduce();
    positive(reduced).unwrap_or((24, 1))
}

pub(super) fn stated_duration(input: &Input, stream: &Stream) -> Option<f64> {
    let of_stream = known(stream.duration()).map(|ticks| seconds(ticks, stream.time_base()));
    let of_file = known(input.duration()).map(|ticks| ticks as f64 / f64::from(ffmpeg::ffi::AV_TIME_BASE));
    of_stream.filter(|length| *length > 0.0).or(of_file).filter(|length| *length > 0.0)
}

/// How the picture has to be turned to stand upright, from the stream's display matrix.
pub(super) fn orientation(stream: &Stream) -> Orientation {
    let kind = codec::packet::side_data::Type::DisplayMatrix;
    let Some(matrix) = stream.side_data().find(|data| data.kind() == kind) else {
        return Orientation::NoTransforms;
    };
    let bytes = matrix.data();
    let entry = |index: usize| {
        let value = bytes.get(index * 4..index * 4 + 4).and_then(|slice| slice.try_into().ok());
        f64::from(value.map_or(0, i32::from_ne_bytes)) / 65536.0
    };
    // The picture's axes land on (a, b) and (c, d), x to the right and y down.
    let (a, b, c, d) = (entry(0), entry(1), entry(3), entry(4));
    let slanted = a.abs().min(b.abs()) > 0.1 * a.abs().max(b.abs());
    if slanted {
        tracing::warn!("the picture is turned by an odd angle; the nearest quarter turn is used");
    }
    if a.abs() >= b.abs() {
        match (a >= 0.0, d >= 0.0) {
            (true, true) => Orientation::NoTransforms,
            (false, false) => Orientation::Rotate180,
            (false, true) => Orientation::FlipHorizontal,
            (true, false) => Orientation::FlipVertical,
        }
    } else {
        match (b >= 0.0, c >= 0.0) {
            (true, false) => Orientation::Rotate90,
            (false, true) => Orientation::Rotate270,
            (true, true) => Orientation::Rotate90FlipH,
            (false, false) => Orientation::Rotate270FlipH,
        }
    }
}

pub(super) fn warn_of_high_dynamic_range(path: &Path, decoder: &decoder::Video) {
    if is_high_dynamic_range(decoder) {
        tracing::warn!(
            "{}: high dynamic range is not mapped to sRGB; colours will look pale",
            path.display()
        );
    }
}
