//! What a file says of its colours. Files may hold any number there, so that it is compared as a number. Of FFmpeg's
//! enumerations, as its Rust interface has them, only values that they know may ever be made.

use ffmpeg_next::ffi::AVColorRange::{AVCOL_RANGE_JPEG, AVCOL_RANGE_MPEG};
use ffmpeg_next::ffi::AVColorSpace::*;
use ffmpeg_next::ffi::AVColorTransferCharacteristic::{AVCOL_TRC_ARIB_STD_B67, AVCOL_TRC_SMPTE2084};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::{decoder, frame};

/// Colour matrices and ranges, with the names that the `scale` filter has for them.
const MATRICES: [(u32, &str); 7] = [
    (AVCOL_SPC_BT709 as u32, "bt709"),
    (AVCOL_SPC_BT470BG as u32, "bt601"),
    (AVCOL_SPC_SMPTE170M as u32, "bt601"),
    (AVCOL_SPC_SMPTE240M as u32, "smpte240m"),
    (AVCOL_SPC_FCC as u32, "fcc"),
    (AVCOL_SPC_BT2020_NCL as u32, "bt2020"),
    (AVCOL_SPC_BT2020_CL as u32, "bt2020"),
];
const RANGES: [(u32, &str); 2] = [(AVCOL_RANGE_JPEG as u32, "full"), (AVCOL_RANGE_MPEG as u32, "limited")];

/// The `scale` filter's name for the colour matrix of a frame. Untagged video is left to FFmpeg, which takes it for BT.601 as it does
/// when it writes untagged video.
pub(super) fn matrix_name(frame: &frame::Video) -> &'static str {
    // SAFETY: the frame is valid while it is borrowed.
    name(unsafe { number(&raw const (*frame.as_ptr()).colorspace) }, &MATRICES)
}

/// The `scale` filter's name for the range of a frame's values.
pub(super) fn range_name(frame: &frame::Video) -> &'static str {
    use Pixel::{YUVJ411P, YUVJ420P, YUVJ422P, YUVJ440P, YUVJ444P};
    if matches!(frame.format(), YUVJ420P | YUVJ422P | YUVJ444P | YUVJ440P | YUVJ411P) {
        return "full";
    }
    // SAFETY: the frame is valid while it is borrowed.
    name(unsafe { number(&raw const (*frame.as_ptr()).color_range) }, &RANGES)
}

fn name(number: u32, names: &[(u32, &'static str)]) -> &'static str {
    names.iter().find(|(known, _)| *known == number).map_or("auto", |(_, name)| name)
}

/// Whether the brightness of a video goes beyond that of ordinary screens (PQ or HLG).
pub(super) fn is_high_dynamic_range(decoder: &decoder::Video) -> bool {
    // SAFETY: the decoder is valid while it is borrowed.
    let transfer = unsafe { number(&raw const (*decoder.as_ptr()).color_trc) };
    [AVCOL_TRC_SMPTE2084, AVCOL_TRC_ARIB_STD_B67].iter().any(|known| *known as u32 == transfer)
}

/// The number that a property holds, whether its enumeration knows it or not.
///
/// # Safety
/// `property` has to be readable, and one of FFmpeg's enumerations, which are as long as an `int`.
unsafe fn number<E>(property: *const E) -> u32 {
    // SAFETY: by the function's premise.
    unsafe { property.cast::<u32>().read() }
}
