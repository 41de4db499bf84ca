//! Between FFmpeg's frames and RGB pictures, with the right colour matrix and range.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::{Rational, frame};
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, PixelWithColorType, RgbImage};

use super::color_tags::{matrix_name, range_name};
use super::graph::{FilterGraph, video_arguments};

type Result<T> = std::result::Result<T, ffmpeg::Error>;

/// Full chroma resolution and exact rounding: without these, colours bleed and drift by several steps.
pub(super) const SCALE_FLAGS: &str = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp";
/// What takes a twentieth of that time.
const QUICK_SCALE_FLAGS: &str = "fast_bilinear";

/// The clock of the graphs here, which pass every frame at once and never look at its time.
const CLOCK: (i32, i32) = (1, 1000);

/// What the frames of a stream look like; a change needs another graph.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Layout {
    width: u32,
    height: u32,
    format: Pixel,
    /// Names that the `scale` filter knows.
    matrix: &'static str,
    range: &'static str,
}

/// Turns decoded frames into upright RGB pictures of one size.
pub(super) struct ToRgb {
    width: u32,
    height: u32,
    orientation: Orientation,
    flags: &'static str,
    graph: Option<(Layout, FilterGraph)>,
}

impl ToRgb {
    /// For pictures of `width` × `height` square pixels before they are turned by `orientation`.
    pub fn new(width: u32, height: u32, orientation: Orientation) -> Self {
        Self { width, height, orientation, flags: SCALE_FLAGS, graph: None }
    }

    /// The same in a fraction of the time, with colours that are some steps off.
    pub fn quick(self) -> Self {
        Self { flags: QUICK_SCALE_FLAGS, ..self }
    }

    /// The picture in `frame`. Where it is transparent, black shows through.
    pub fn convert(&mut self, frame: &frame::Video) -> Result<RgbImage> {
        let layout = Layout {
            width: frame.width(),
            height: frame.height(),
            format: frame.format(),
            matrix: matrix_name(frame),
            range: range_name(frame),
        };
        let reusable = self.graph.take().filter(|(known, _)| *known == layout);
        let (_, graph) = match reusable {
            Some(same) => self.graph.insert(same),
            None => {
                let graph = self.build(&layout)?;
                self.graph.insert((layout, graph))
            }
        };
        graph.push("in", frame)?;
        let converted = graph.pull_video()?.ok_or(ffmpeg::Error::InvalidData)?;
        let mut picture = DynamicImage::ImageRgb8(read_rgb(&converted)?);
        picture.apply_orientation(self.orientation);
        Ok(picture.into_rgb8())
    }

    fn build(&self, layout: &Layout) -> Result<FilterGraph> {
        let format = if has_alpha(layout.format) { "rgba" } else { "rgb24" };
        let description = format!(
            "scale={}:{}:flags={}:in_color_matrix={}:in_range={},format={format}",
            self.width, self.height, self.flags, layout.matrix, layout.range
        );
        let clock = Rational::new(CLOCK.0, CLOCK.1);
        let arguments = video_arguments(layout.width, layout.height, layout.format, clock);
        FilterGraph::video(&[("in", arguments)], &description)
    }
}

fn has_alpha(format: Pixel) -> bool {
    // SAFETY: descriptors are constants of the library.
    format.descriptor().is_some_and(|descriptor| unsafe {
        (*descriptor.as_ptr()).flags & ffmpeg::ffi::AV_PIX_FMT_FLAG_ALPHA as u64 != 0
    })
}

/// Copies an `rgb24` or `rgba` frame, row by row: rows may be padded and may run upwards in memory.
fn read_rgb(frame: &frame::Video) -> Result<RgbImage> {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let channels = match frame.format() {
        Pixel::RGB24 => 3,
        Pixel::RGBA => 4,
        _ => return Err(ffmpeg::Error::InvalidData),
    };
    let mut bytes = Vec::with_capacity(width * height * 3);
    for y in 0..height {
        // SAFETY: a frame of this format has `height` rows of `width` pixels, `linesize` bytes apart.
        let row = unsafe {
            let picture = &*frame.as_ptr();
            let start = picture.data[0].offset(y as isize * picture.linesize[0] as isize);
            std::slice::from_raw_parts(start, width * channels)
        };
        if channels == 3 {
            bytes.extend_from_slice(row);
        } else {
            for pixel in row.chunks_exact(4) {
                let over_black = |value: u8| (u16::from(value) * u16::from(pixel[3]) + 127) / 255;
                bytes.extend(pixel[..3].iter().map(|&value| over_black(value) as u8));
            }
        }
    }
    RgbImage::from_raw(frame.width(), frame.height(), bytes).ok_or(ffmpeg::Error::InvalidData)
}

/// `image` as an `rgb24` or `rgba` frame of `width` × `height`, at least the image's size; its last column and row are repeated
/// to fill what is more.
pub(super) fn filled<P>(image: &ImageBuffer<P, Vec<u8>>, width: u32, height: u32) -> frame::Video
where
    P: PixelWithColorType<Subpixel = u8>,
{
    let channels = usize::from(P::CHANNEL_COUNT);
    let format = if channels == 4 { Pixel::RGBA } else { Pixel::RGB24 };
    let mut frame = frame::Video::new(format, width, height);
    let stride = frame.stride(0);
    let row_length = image.width() as usize * channels;
    let rows: Vec<&[u8]> = image.as_raw().chunks_exact(row_length.max(1)).collect();
    let Some(last) = rows.last().copied() else { return frame };
    let target = frame.data_mut(0);
    for (y, target_row) in target.chunks_mut(stride).take(height as usize).enumerate() {
        let source = rows.get(y).copied().unwrap_or(last);
        let (inner, surplus) = target_row.split_at_mut(row_length);
        inner.copy_from_slice(source);
        let edge = &source[row_length - channels..];
        for pixel in surplus.chunks_exact_mut(channels).take((width - image.width()) as usize) {
            pixel.copy_from_slice(edge);
        }
    }
    frame
}
