//! One video stream, with or without sound, into one file.

use std::path::{Path, PathBuf};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::{Output, StreamIo};
use ffmpeg_next::format::{self, Pixel};
use ffmpeg_next::{Dictionary, Packet, Rational, color, encoder, frame};
use image::{ImageBuffer, PixelWithColorType};

use super::audio::Sound;
use super::codec::{Recipe, StreamShape, open_encoder};
use super::demux::{self, open_input, read_packet, video_stream};
use super::encode::{EncodeSettings, Written};
use super::graph::{FilterGraph, is_again, video_arguments};
use super::pixels::filled;
use crate::error::{Error, Result};
use crate::outputs::PartFile;

/// Bytes that are collected before they are written.
const BUFFER: usize = 1 << 18;
/// Least ticks a second of a stream's clock, so that varying frame rates stay exact enough.
const LEAST_TICKS: u32 = 90_000;

/// Writes into a file that the caller gives its name.
pub(super) struct MuxWriter {
    output: Output,
    encoder: encoder::video::Encoder,
    graph: FilterGraph,
    sound: Option<Sound>,
    /// For messages: the file as the user named it.
    target: PathBuf,
    shape: StreamShape,
    ycbcr: bool,
    last: Option<LastFrame>,
    frames: usize,
}

#[derive(Debug, Clone, Copy)]
struct LastFrame {
    time: f64,
    ticks: i64,
}

impl MuxWriter {
    /// Starts the file, on the way to `target`: `width` × `height` pixels as the recipe says.
    pub fn create(
        recipe: &Recipe,
        file: &PartFile,
        target: &Path,
        (width, height): (u32, u32),
        settings: &EncodeSettings,
    ) -> Result<Self> {
        let failed = |problem: ffmpeg::Error| Error::output(target, format!("cannot be started ({problem})"));
        let mut output = open_output(file, recipe.muxer)?;
        let even = |side: u32| if recipe.even { side + side % 2 } else { side };
        let shape = StreamShape {
            width: even(width),
            height: even(height),
            frame_rate: settings.frame_rate,
            time_base: clock(settings.frame_rate),
            transparent: settings.transparent,
            global_header: output.format().flags().contains(format::Flags::GLOBAL_HEADER),
        };
        let opened = open_encoder(recipe, &shape, settings.quality, target)?;
        let rate = Rational::new(shape.frame_rate.0 as i32, shape.frame_rate.1 as i32);
        let mut stream = output.add_stream_with(&opened.encoder).map_err(failed)?;
        stream.set_time_base(shape.time_base);
        stream.set_avg_frame_rate(rate);
        let frame_seconds = 1.0 / f64::from(rate);
        let sound = match &settings.audio {
            Some(source) => Sound::open(source, recipe.muxer, frame_seconds, &mut output, target)?,
            None => None,
        };
        let fields = settings.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        output.set_metadata(Dictionary::from_iter(fields));
        output.write_header_with(recipe.muxer_options(&settings.metadata)).map_err(failed)?;
        let pixel = if shape.transparent { Pixel::RGBA } else { Pixel::RGB24 };
        let arguments = video_arguments(shape.width, shape.height, pixel, shape.time_base);
        let graph = FilterGraph::video(&[("in", arguments)], &opened.conversion).map_err(failed)?;
        let (target, encoder) = (target.to_path_buf(), opened.encoder);
        let ycbcr = recipe.ycbcr;
        Ok(Self { output, encoder, graph, sound, target, shape, ycbcr, last: None, frames: 0 })
    }

    /// Adds a frame, and the sound up to it.
    pub fn write<P>(&mut self, image: &ImageBuffer<P, Vec<u8>>, time: f64) -> Result<()>
    where
        P: PixelWithColorType<Subpixel = u8>,
    {
        let ticks = (time / f64::from(self.shape.time_base)).round() as i64;
        let ticks = self.last.map_or(ticks, |last| ticks.max(last.ticks + 1));
        let mut picture = filled(image, self.shape.width, self.shape.height);
        picture.set_pts(Some(ticks));
        self.last = Some(LastFrame { time, ticks });
        self.encode(&picture).map_err(|problem| self.failure(problem))?;
        self.frames += 1;
        match &mut self.sound {
            Some(sound) => sound.advance(time, &mut self.output),
            None => Ok(()),
        }
    }

    /// Ends the file and closes it; says what it holds.
    pub fn finish(mut self) -> Result<Written> {
        let Some(last) = self.last else {
            return Err(Error::output(&self.target, "no frame was written"));
        };
        self.encoder.send_eof().and_then(|()| self.collect()).map_err(|problem| self.failure(problem))?;
        let (numerator, denominator) = self.shape.frame_rate;
        let seconds = last.time + f64::from(denominator) / f64::from(numerator);
        if let Some(sound) = &mut self.sound {
            sound.finish(seconds, &mut self.output)?;
        }
        self.output.write_trailer().map_err(|problem| self.failure(problem))?;
        Ok(Written { frames: self.frames, seconds })
    }

    fn encode(&mut self, picture: &ffmpeg::Frame) -> std::result::Result<(), ffmpeg::Error> {
        self.graph.push("in", picture)?;
        while let Some(mut converted) = self.graph.pull_video()? {
            converted.set_kind(ffmpeg::picture::Type::None);
            if self.ycbcr {
                tag(&mut converted);
            }
            self.encoder.send_frame(&converted)?;
            self.collect()?;
        }
        Ok(())
    }

    /// Writes the packets that the encoder has ready.
    fn collect(&mut self) -> std::result::Result<(), ffmpeg::Error> {
        let time_base = self.output.stream(0).ok_or(ffmpeg::Error::StreamNotFound)?.time_base();
        let (numerator, denominator) = self.shape.frame_rate;
        let ticks = self.shape.time_base.invert() * Rational::new(denominator as i32, numerator as i32);
        loop {
            let mut packet = Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ffmpeg::Error::Eof) => return Ok(()),
                Err(problem) if is_again(problem) => return Ok(()),
                Err(problem) => return Err(problem),
            }
            // Without it the last frame would last no time at all.
            packet.set_duration(f64::from(ticks).round() as i64);
            packet.set_stream(0);
            packet.rescale_ts(self.shape.time_base, time_base);
            packet.write_interleaved(&mut self.output)?;
        }
    }

    fn failure(&self, problem: ffmpeg::Error) -> Error {
        Error::output(&self.target, format!("cannot be written on: {problem}")).at_frame(self.frames)
    }
}

/// Says on the frame what its colours are: ProRes writes the frame's tags, not the stream's.
fn tag(frame: &mut frame::Video) {
    frame.set_color_space(color::Space::BT709);
    frame.set_color_range(color::Range::MPEG);
    frame.set_color_primaries(color::Primaries::BT709);
    frame.set_color_transfer_characteristic(color::TransferCharacteristic::BT709);
}

/// The clock of a stream: a whole number of ticks for each frame at the nominal rate, and many ticks a second.
fn clock((numerator, _): (u32, u32)) -> Rational {
    let ticks = numerator * LEAST_TICKS.div_ceil(numerator).max(1);
    Rational::new(1, ticks as i32)
}

/// What a muxer writes into a file.
///
/// # Errors
/// A name that FFmpeg cannot take, a muxer that it lacks.
pub(super) fn open_output(file: &PartFile, muxer: &str) -> Result<Output> {
    demux::initialize();
    let target = file.target();
    let failed = |problem: ffmpeg::Error| Error::output(target, format!("cannot be started ({problem})"));
    // Some muxers read again what they have written, by its name.
    let url = demux::url(file.path()).map_err(|problem| Error::output(target, problem))?;
    let stream = StreamIo::from_write_seek_with_capacity(file.writer()?, BUFFER).map_err(failed)?;
    format::output_to_stream(stream, Some(&url), Some(muxer)).map_err(failed)
}

/// Opens what was written and counts its pictures.
///
/// # Errors
/// A file that cannot be read, or holds another number of frames: it must not be taken for complete.
pub(super) fn verify(file: &PartFile, frames: usize) -> Result<()> {
    let failed = |problem: String| {
        Error::output(file.target(), format!("what was written is not complete: {problem}"))
    };
    let unreadable = |problem: Error| failed(problem.to_string());
    let mut input = open_input(file.path()).map_err(unreadable)?;
    let stream = video_stream(&input).ok_or_else(|| failed("it has no video stream".to_owned()))?;
    let mut found = 0;
    while let Some(packet) = read_packet(&mut input, file.path()).map_err(unreadable)? {
        found += usize::from(packet.stream() == stream && !packet.is_corrupt());
    }
    if found != frames {
        return Err(failed(format!("it has {found} frames of {frames}")));
    }
    Ok(())
}
