//! What a file says of its colours. Files may hold any number there, so that it is compared as a number: of FFmpeg's enumerations, as its
//! Rust interface reads it, only values that they know may ever be made.

use ffmpeg_next::ffi::AVColorRange::{AVCOL_RANGE_JPEG, AVCOL_RANGE_MPEG};
use ffmpeg_next::ffi::AVColorSpace::{self, *};
use ffmpeg_next::ffi::AVColorTransferCharacteristic::{AVCOL_TRC_ARIB_STD_B67, AVCOL_TRC_SMPTE2084};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::{decoder, frame};

/// Colour matrices and the names that the `scale` filter has for them.
const MATRICES: [(AVColorSpace, &str); 7] = [
    (AVCOL_SPC_BT709, "bt709"),
    (AVCOL_SPC_BT470BG, "bt601"),
    (AVCOL_SPC_SMPTE170M, "bt601"),
    (AVCOL_SPC_SMPTE240M, "smpte240m"),
    (AVCOL_SPC_FCC, "fcc"),
    (AVCOL_SPC_BT2020_NCL, "bt2020"),
    (AVCOL_SPC_BT2020_CL, "bt2020"),
];

/// The `scale` filter's name for the colour matrix of a frame. Untagged video is left to FFmpeg, which takes it for BT.601 as it does
/// when it writes untagged video.
pub(super) fn matrix_name(frame: &frame::Video) -> &'static str {
    // SAFETY: the frame is valid while it is borrowed.
    let number = unsafe { number(&raw const (*frame.as_ptr()).colorspace) };
    MATRICES.iter().find(|(matrix, _)| *matrix as u32 == number).map_or("auto", |(_, name)| name)
}

/// The `scale` filter's name for the range of a frame's values.
pub(super) fn range_name(frame: &frame::Video) -> &'static str {
    use Pixel::{YUVJ411P, YUVJ420P, YUVJ422P, YUVJ440P, YUVJ444P};
    if matches!(frame.format(), YUVJ420P | YUVJ422P | YUVJ444P | YUVJ440P | YUVJ411P) {
        return "full";
    }
    // SAFETY: the frame is valid while it is borrowed.
    match unsafe { number(&raw const (*frame.as_ptr()).color_range) } {
        range if range == AVCOL_RANGE_JPEG as u32 => "full",
        range if range == AVCOL_RANGE_MPEG as u32 => "limited",
        _ => "auto",
    }
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
