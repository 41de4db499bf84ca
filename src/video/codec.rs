//! Which muxer, encoders, pixel formats and options each kind of output uses.

use std::path::Path;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::{Dictionary, Rational, codec, color, encoder};

use super::encode::Container;
use super::pixels::SCALE_FLAGS;
use crate::error::{Error, Result};

/// How pictures become a video stream of one kind.
#[derive(Debug)]
pub(super) struct Recipe {
    /// FFmpeg's name of the file format.
    pub muxer: &'static str,
    /// Options of the file format.
    pub muxer_options: &'static [(&'static str, &'static str)],
    /// The stream's format, as users know it.
    pub format: &'static str,
    /// Encoders, the preferred one first.
    encoders: &'static [EncoderChoice],
    /// Default and largest value of the encoder's constant quality, where it has one.
    pub quality: Option<(u8, u8)>,
    /// Whether both sides have to be even.
    pub even: bool,
    /// Whether the stream is YCbCr (BT.709, limited range) and not RGB.
    pub ycbcr: bool,
}

#[derive(Debug)]
struct EncoderChoice {
    name: &'static str,
    pixel_format: &'static str,
    /// The same with transparency, where the encoder has it, ...
    transparent_format: Option<&'static str>,
    /// ... and what it then needs besides.
    transparent_options: &'static [(&'static str, &'static str)],
    options: &'static [(&'static str, &'static str)],
    /// Name of the constant-quality option; encoders without one get a generous bit rate.
    quality_option: Option<&'static str>,
}

const fn plain(name: &'static str, pixel_format: &'static str) -> EncoderChoice {
    EncoderChoice {
        name,
        pixel_format,
        transparent_format: None,
        transparent_options: &[],
        options: &[],
        quality_option: None,
    }
}

/// The encoders with constant quality come first; the others are in FFmpeg builds without GPL parts.
const H264_ENCODERS: [EncoderChoice; 7] = [
    EncoderChoice {
        name: "libx264",
        pixel_format: "yuv420p",
        transparent_format: None,
        transparent_options: &[],
        options: &[("preset", "medium")],
        quality_option: Some("crf"),
    },
    plain("h264_videotoolbox", "yuv420p"),
    plain("h264_nvenc", "yuv420p"),
    plain("h264_amf", "yuv420p"),
    plain("h264_qsv", "nv12"),
    plain("h264_mf", "nv12"),
    plain("libopenh264", "yuv420p"),
];

const VP9_ENCODER: EncoderChoice = EncoderChoice {
    name: "libvpx-vp9",
    pixel_format: "yuv420p",
    transparent_format: Some("yuva420p"),
    // Frames that are never shown are more than it can do with transparency.
    transparent_options: &[("auto-alt-ref", "0")],
    options: &[("b", "0"), ("deadline", "good"), ("cpu-used", "2"), ("row-mt", "1")],
    quality_option: Some("crf"),
};

const PRORES_ENCODER: EncoderChoice = EncoderChoice {
    name: "prores_ks",
    pixel_format: "yuv444p10le",
    transparent_format: Some("yuva444p10le"),
    transparent_options: &[],
    options: &[("profile", "4444"), ("vendor", "apl0")],
    quality_option: None,
};

/// `bgr0` holds the same 8-bit RGB values, only in another order: the lossless way from `rgb24` and back.
const FFV1_ENCODER: EncoderChoice = EncoderChoice {
    name: "ffv1",
    pixel_format: "bgr0",
    transparent_format: Some("bgra"),
    transparent_options: &[],
    options: &[("level", "3"), ("slicecrc", "1")],
    quality_option: None,
};

/// Sound packets may begin before 0 by the codec's own delay, for which Matroska has a field; the muxer must not move
/// the pictures by it.
const START_AT_ZERO: (&str, &str) = ("avoid_negative_ts", "disabled");

const MP4: Recipe = Recipe {
    muxer: "mp4",
    muxer_options: &[("movflags", "+faststart")],
    format: "H.264",
    encoders: &H264_ENCODERS,
    quality: Some((16, 51)),
    even: true,
    ycbcr: true,
};

const WEBM: Recipe = Recipe {
    muxer: "webm",
    muxer_options: &[START_AT_ZERO],
    format: "VP9",
    encoders: &[VP9_ENCODER],
    quality: Some((20, 63)),
    even: false,
    ycbcr: true,
};

const MOV: Recipe = Recipe {
    muxer: "mov",
    // QuickTime's own text fields end at 64 KiB, which a long prompt passes; its key-value list does not.
    muxer_options: &[("movflags", "+faststart+use_metadata_tags")],
    format: "ProRes",
    encoders: &[PRORES_ENCODER],
    quality: None,
    even: false,
    ycbcr: true,
};

const MKV: Recipe = Recipe {
    muxer: "matroska",
    muxer_options: &[START_AT_ZERO],
    format: "FFV1",
    encoders: &[FFV1_ENCODER],
    quality: None,
    even: false,
    ycbcr: false,
};

/// Lossless, with exact times: frames that wait for a second pass.
pub(super) const SPOOL: Recipe = Recipe { muxer: "nut", muxer_options: &[], ..MKV };

/// Threads of an encoder: every one of them holds frames.
const MAX_THREADS: usize = 4;

/// Fields that MP4 has a place for; any other needs its key-value list.
const MP4_FIELDS: [&str; 6] = ["title", "comment", "artist", "date", "description", "copyright"];

impl Recipe {
    /// The recipe of a container with an FFmpeg stream made of single frames; `None` for GIF and PNG.
    pub fn of(container: Container) -> Option<&'static Self> {
        match container {
            Container::Mp4H264 => Some(&MP4),
            Container::WebmVp9 => Some(&WEBM),
            Container::MovProRes => Some(&MOV),
            Container::MkvFfv1 => Some(&MKV),
            Container::Gif | Container::PngSequence => None,
        }
    }

    /// The muxer's options for these metadata fields.
    pub fn muxer_options(&self, metadata: &[(String, String)]) -> Dictionary<'static> {
        let mut options = Dictionary::from_iter(self.muxer_options);
        let has_other_fields = metadata.iter().any(|(key, _)| !MP4_FIELDS.contains(&key.as_str()));
        if self.muxer == "mp4" && has_other_fields {
            options.set("movflags", "+faststart+use_metadata_tags");
        }
        options
    }
}

/// What an encoder has to know about the stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamShape {
    pub width: u32,
    pub height: u32,
    pub frame_rate: (u32, u32),
    pub time_base: Rational,
    /// Whether pictures are transparent.
    pub transparent: bool,
    /// Whether the file format wants the codec's headers in its own header.
    pub global_header: bool,
}

/// An opened encoder, and the filters that bring `rgb24` into its format.
pub(super) struct OpenedEncoder {
    pub encoder: encoder::video::Encoder,
    pub conversion: String,
}

/// Opens the first encoder of the recipe that this FFmpeg has and that accepts the stream.
///
/// # Errors
/// [`Error::Output`] that names the encoders tried and what each said.
pub(super) fn open_encoder(
    recipe: &Recipe,
    shape: &StreamShape,
    quality: Option<u8>,
    target: &Path,
) -> Result<OpenedEncoder> {
    let mut refusals = Vec::new();
    for choice in recipe.encoders {
        match open_choice(recipe, choice, shape, quality) {
            Ok(opened) => {
                if !refusals.is_empty() {
                    tracing::warn!(
                        "{} is encoded with {}; {}",
                        recipe.format,
                        choice.name,
                        refusals.join("; ")
                    );
                }
                return Ok(opened);
            }
            Err(ffmpeg::Error::EncoderNotFound) => {
                refusals.push(format!("{} is not in this FFmpeg", choice.name))
            }
            Err(problem) => refusals.push(format!("{} refuses ({problem})", choice.name)),
        }
    }
    let size = format!("{}×{}", shape.width, shape.height);
    let problem = format!("no encoder for {} at {size}: {}", recipe.format, refusals.join("; "));
    Err(Error::output(target, problem))
}

fn open_choice(
    recipe: &Recipe,
    choice: &EncoderChoice,
    shape: &StreamShape,
    quality: Option<u8>,
) -> std::result::Result<OpenedEncoder, ffmpeg::Error> {
    let found = encoder::find_by_name(choice.name).ok_or(ffmpeg::Error::EncoderNotFound)?;
    let mut video = codec::Context::new_with_codec(found).encoder().video()?;
    let rate = Rational::new(shape.frame_rate.0 as i32, shape.frame_rate.1 as i32);
    video.set_width(shape.width);
    video.set_height(shape.height);
    video.set_aspect_ratio(Rational::new(1, 1));
    video.set_time_base(shape.time_base);
    video.set_frame_rate(Some(rate));
    let format = match shape.transparent {
        false => choice.pixel_format,
        true => choice.transparent_format.ok_or(ffmpeg::Error::InvalidData)?,
    };
    video.set_format(format.parse().map_err(|_| ffmpeg::Error::InvalidData)?);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    video.set_threading(codec::threading::Config::count(threads));
    if shape.global_header {
        video.set_flags(codec::Flags::GLOBAL_HEADER);
    }
    if recipe.ycbcr {
        video.set_colorspace(color::Space::BT709);
        video.set_color_range(color::Range::MPEG);
        video.set_color_primaries(color::Primaries::BT709);
        video.set_color_transfer_characteristic(color::TransferCharacteristic::BT709);
    }
    let transparent = choice.transparent_options.iter().filter(|_| shape.transparent);
    let mut options = Dictionary::from_iter(choice.options.iter().chain(transparent).copied());
    match (choice.quality_option, recipe.quality) {
        (Some(option), Some((default, _))) => options.set(option, &quality.unwrap_or(default).to_string()),
        (None, Some(_)) => video.set_bit_rate(generous_bit_rate(shape)),
        (_, None) => {}
    }
    let encoder = video.open_as_with(found, options)?;
    Ok(OpenedEncoder { encoder, conversion: conversion(recipe, format) })
}

/// A fifth of a bit for each pixel of each frame.
fn generous_bit_rate(shape: &StreamShape) -> usize {
    let rate = f64::from(shape.frame_rate.0) / f64::from(shape.frame_rate.1);
    (f64::from(shape.width) * f64::from(shape.height) * rate * 0.2).max(200_000.0) as usize
}

fn conversion(recipe: &Recipe, format: &str) -> String {
    if recipe.ycbcr {
        format!("scale=flags={SCALE_FLAGS}:out_color_matrix=bt709:out_range=limited,format={format}")
    } else {
        format!("format={format}")
    }
}
