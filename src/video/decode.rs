//! Video file → iterator of frames.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::{Packet, codec, decoder, frame};
use image::metadata::Orientation;
use serde::{Deserialize, Serialize};

use super::cutoff;
use super::demux::{audio_stream, open_input, read_packet, seconds, start_time, video_stream};
use super::facts::{
    Facts, MAX_RATE, average_rate, check_size, orientation, rational_rate, square_size, stated_duration,
    warn_of_high_dynamic_range,
};
use super::graph::is_again;
use super::images::ImageReader;
use super::pixels::ToRgb;
use super::timeline::Timeline;
use crate::error::{Error, Result};
use crate::frame::Frame;

/// Longest time between two frames; more is a broken time stamp.
const MAX_GAP: f64 = 3600.0;
/// Past this many seconds, the reader jumps instead of decoding up to the start.
const SEEK_FROM: f64 = 10.0;

/// Which part of a clip is read, and how many frames a second.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodeSettings {
    /// First moment that is read, in seconds from the first frame; default 0. The frame then on screen comes first,
    /// at time 0.
    pub start: Option<f64>,
    /// Moment at which reading stops (exclusive), in seconds from the first frame; default: the end of the clip.
    pub end: Option<f64>,
    /// Frames a second, chosen by presentation time as FFmpeg's `fps` filter does; above 0, up to 1000. Default: the
    /// source's own frames, whatever their distances. For a folder of pictures it is the rate they are shown at,
    /// default 24.
    pub frames_per_second: Option<f64>,
}

impl DecodeSettings {
    /// Checks every value's range.
    ///
    /// # Errors
    /// [`Error::Setting`] with the value and the allowed range.
    pub fn validate(&self) -> Result<()> {
        let start = self.start.unwrap_or(0.0);
        if !(start.is_finite() && start >= 0.0) {
            return Err(Error::setting("start", format!("{start} s; allowed: 0 s or more")));
        }
        if let Some(end) = self.end.filter(|end| !(end.is_finite() && *end > start)) {
            return Err(Error::setting("end", format!("{end} s; allowed: more than the start, {start} s")));
        }
        if let Some(rate) = self.frames_per_second.filter(|rate| !(*rate > 0.0 && *rate <= MAX_RATE)) {
            return Err(Error::setting("fps", format!("{rate}; allowed: above 0, up to {MAX_RATE}")));
        }
        Ok(())
    }
}

/// A source of frames: a video file, a folder of pictures or one picture. After an error it is at its end.
pub trait FrameReader: Iterator<Item = Result<Frame>> {
    /// Width of the frames in pixels (of the first one, for a folder of pictures), upright and with square pixels.
    fn width(&self) -> u32;
    /// Height of the frames in pixels (of the first one, for a folder of pictures), upright and with square pixels.
    fn height(&self) -> u32;
    /// Frames a second as numerator and denominator: the rate asked for, or else the source's average.
    fn frame_rate(&self) -> (u32, u32);
    /// Whether the source has sound.
    fn has_audio(&self) -> bool;
    /// Seconds that the chosen part lasts, as far as the file tells; counting the frames is the only exact way.
    fn duration(&self) -> Option<f64>;
}

/// Opens a video file, a folder of pictures (PNG, JPEG, WebP, BMP or TIFF, in natural order) or one such picture.
/// GIF files are videos.
///
/// # Errors
/// Settings out of range, and whatever keeps the source from being opened: see [`VideoReader::open`] and
/// [`ImageReader::open`].
pub fn open_frames(path: impl AsRef<Path>, settings: &DecodeSettings) -> Result<Box<dyn FrameReader + Send>> {
    open_prepared(path.as_ref(), settings, |reader| reader)
}

/// As [`open_frames`], for frames in which something is looked for: a video's colours may be some steps off, and large
/// frames come several times as fast.
///
/// # Errors
/// As [`open_frames`].
pub fn open_frames_for_search(
    path: impl AsRef<Path>,
    settings: &DecodeSettings,
) -> Result<Box<dyn FrameReader + Send>> {
    let quick = |reader: VideoReader| VideoReader { pixels: reader.pixels.quick(), ..reader };
    open_prepared(path.as_ref(), settings, quick)
}

fn open_prepared(
    path: &Path,
    settings: &DecodeSettings,
    prepare: impl FnOnce(VideoReader) -> VideoReader,
) -> Result<Box<dyn FrameReader + Send>> {
    if path.is_dir() || ImageReader::is_picture(path) {
        return Ok(Box::new(ImageReader::open(path, settings)?));
    }
    Ok(Box::new(prepare(VideoReader::open(path, settings)?)))
}

/// Reads the frames of a video file, in order of presentation, turned upright, with square pixels.
///
/// Colours follow the file's tags; untagged video is BT.601, as FFmpeg has it. Transparent parts are black. A packet in
/// the middle that cannot be decoded is passed over with a warning. If nothing good follows, the frames before it are
/// delivered, then an error that names the frame. A file that was cut off is recognised in the same way; only formats
/// without an end of their own, such as MPEG-TS, hide a cut between two packets.
pub struct VideoReader {
    path: PathBuf,
    settings: DecodeSettings,
    input: Input,
    decoder: decoder::Video,
    stream: usize,
    facts: Facts,
    origin: Option<f64>,
    timeline: Timeline<Arc<frame::Video>>,
    pixels: ToRgb,
    state: State,
}

/// Where the reader stands.
#[derive(Debug, Default)]
struct State {
    /// Jumped forward and not yet known where it landed.
    sought: bool,
    /// The decoder was told that no packet follows.
    draining: bool,
    /// Nothing more will be decoded.
    ended: bool,
    /// To be delivered after the last frame.
    failure: Option<Error>,
    /// The latest packet that could not be used, as long as no good one followed.
    damage: Option<String>,
    /// End of the latest packet of any stream, in seconds.
    read_until: f64,
    /// Time of the latest frame, in seconds from the first.
    decoded_until: Option<f64>,
    /// Frames given out.
    delivered: usize,
}

impl VideoReader {
    /// Opens a video file. Nothing is decoded beyond what FFmpeg needs to know the format.
    ///
    /// # Errors
    /// Settings out of range; a file that is missing, empty, no video, without a moving picture, in an unknown codec,
    /// or larger than [`MAX_SIDE`](crate::frame::MAX_SIDE) on a side.
    pub fn open(path: impl AsRef<Path>, settings: &DecodeSettings) -> Result<Self> {
        let path = path.as_ref();
        settings.validate()?;
        let (mut input, stream, decoder) = open_decoder(path)?;
        let (facts, orientation, origin) = {
            let source = input.stream(stream).ok_or_else(|| no_picture(path, &input))?;
            let (width, height) = square_size(path, &decoder, &source)?;
            let facts = Facts {
                width,
                height,
                time_base: source.time_base(),
                rate: average_rate(&source),
                has_audio: audio_stream(&input).is_some(),
                duration: stated_duration(&input, &source),
            };
            warn_of_high_dynamic_range(path, &decoder);
            (facts, orientation(&source), start_time(&source))
        };
        let start = settings.start.unwrap_or(0.0);
        let sought = start > SEEK_FROM && origin.is_some_and(|origin| seek(&mut input, origin + start));
        Ok(Self {
            path: path.to_path_buf(),
            settings: *settings,
            input,
            decoder,
            stream,
            facts,
            origin,
            timeline: Timeline::new(start, settings.end, settings.frames_per_second),
            pixels: ToRgb::new(facts.width, facts.height, orientation),
            state: State { sought, ..State::default() },
        }
        .turned(orientation))
    }

    /// Swaps the reported sides if the picture is turned by a quarter.
    fn turned(mut self, orientation: Orientation) -> Self {
        use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        if matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH) {
            std::mem::swap(&mut self.facts.width, &mut self.facts.height);
        }
        self
    }

    /// Decodes one frame more and puts it on the timeline; at the end of the stream, closes the timeline.
    fn advance(&mut self) {
        match self.decode() {
            Ok(Some(frame)) => {
                if let Err(problem) = self.place(frame) {
                    self.end(Some(problem));
                }
            }
            Ok(None) => {
                let problem = self.missing_tail();
                self.end(problem.map(|problem| Error::input(&self.path, problem)));
            }
            Err(problem) => self.end(Some(problem)),
        }
    }

    fn end(&mut self, failure: Option<Error>) {
        self.timeline.finish();
        self.state.ended = true;
        self.state.failure = failure;
    }

    /// Puts a decoded frame on the timeline.
    fn place(&mut self, frame: frame::Video) -> Result<()> {
        let nominal = f64::from(self.facts.rate.1) / f64::from(self.facts.rate.0);
        let stated = seconds(frame.packet().duration, self.facts.time_base);
        let duration = if stated > 0.0 && stated <= MAX_GAP { stated } else { nominal };
        let follows = self.timeline.pushed_until();
        let time = match frame.timestamp() {
            Some(ticks) => {
                let time = seconds(ticks, self.facts.time_base);
                time - *self.origin.get_or_insert(time)
            }
            None => follows.unwrap_or(0.0),
        };
        let start = self.settings.start.unwrap_or(0.0);
        if std::mem::take(&mut self.state.sought) && time > start {
            return self.rewind();
        }
        let gap = time - self.state.decoded_until.unwrap_or(time);
        if gap > MAX_GAP {
            let problem = format!("comes {gap:.0} s after the frame before; allowed: up to {MAX_GAP:.0} s");
            return Err(Error::input(&self.path, problem));
        }
        self.state.decoded_until = Some(time);
        self.timeline.push(Arc::new(frame), time, duration);
        Ok(())
    }

    /// Starts again at the beginning: the jump went too far, as it does in files without a good index.
    fn rewind(&mut self) -> Result<()> {
        let (input, stream, decoder) = open_decoder(&self.path)?;
        (self.input, self.stream, self.decoder) = (input, stream, decoder);
        self.state.draining = false;
        Ok(())
    }

    /// The next frame in order of presentation.
    fn decode(&mut self) -> Result<Option<frame::Video>> {
        loop {
            let mut frame = frame::Video::empty();
            match self.decoder.receive_frame(&mut frame) {
                Ok(()) => {
                    check_size(&self.path, frame.width(), frame.height())?;
                    return Ok(Some(frame));
                }
                Err(ffmpeg::Error::Eof) => return Ok(None),
                Err(problem) if is_again(problem) => {}
                Err(problem) if self.state.draining => {
                    self.state.damage = Some(problem.to_string());
                    return Ok(None);
                }
                Err(problem) => self.state.damage = Some(problem.to_string()),
            }
            self.feed()?;
        }
    }

    /// Gives the decoder its next packet, or the word that there is none.
    fn feed(&mut self) -> Result<()> {
        let Some(packet) = self.next_packet()? else {
            self.state.draining = true;
            // The only failure is that it was said before, which `receive_frame` reports.
            let _ = self.decoder.send_eof();
            return Ok(());
        };
        if packet.is_corrupt() {
            self.state.damage = Some("the data of a frame is not complete".to_owned());
            return Ok(());
        }
        match self.decoder.send_packet(&packet) {
            Ok(()) => {
                if let Some(problem) = self.state.damage.take() {
                    let time = self.state.decoded_until.unwrap_or(0.0);
                    let path = self.path.display();
                    tracing::warn!("{path}: a damaged part after {time:.2} s was passed over ({problem})");
                }
            }
            Err(problem) => self.state.damage = Some(problem.to_string()),
        }
        Ok(())
    }

    fn next_packet(&mut self) -> Result<Option<Packet>> {
        while let Some(packet) = read_packet(&mut self.input, &self.path)? {
            if let (Some(ticks), Some(stream)) =
                (packet.pts().or(packet.dts()), self.input.stream(packet.stream()))
            {
                let end = seconds(ticks.saturating_add(packet.duration()), stream.time_base());
                self.state.read_until = self.state.read_until.max(end);
            }
            if packet.stream() == self.stream {
                return Ok(Some(packet));
            }
        }
        Ok(None)
    }

    /// Signs that the file was cut off, looked for when it has ended without an error.
    fn missing_tail(&mut self) -> Option<String> {
        if let Some(problem) = self.state.damage.take() {
            return Some(format!("damaged or cut off: the frame cannot be decoded ({problem})"));
        }
        if self.state.decoded_until.is_none() {
            return Some("holds no frame that can be decoded".to_owned());
        }
        cutoff::missing_tail(&mut self.input, self.stream, &self.path, self.state.read_until)
    }

    /// What comes after the last frame: the failure, if there was one, said of the frame that is missing.
    fn closing(&mut self) -> Option<Result<Frame>> {
        let delivered = self.state.delivered;
        if let Some(failure) = self.state.failure.take() {
            self.state.delivered = delivered.max(1);
            return Some(Err(failure.at_frame(delivered)));
        }
        if delivered > 0 {
            return None;
        }
        self.state.delivered = 1;
        let start = self.settings.start.unwrap_or(0.0);
        let length = self.state.decoded_until.unwrap_or(0.0);
        let problem = format!("{start} s; {} has its last frame at {length:.3} s", self.path.display());
        Some(Err(Error::setting("start", problem)))
    }
}

impl Iterator for VideoReader {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((frame, time)) = self.timeline.next() {
                let index = self.state.delivered;
                self.state.delivered += 1;
                let picture = self.pixels.convert(&frame).map_err(|problem| {
                    let problem = format!("the picture cannot be converted to RGB ({problem})");
                    Error::input(&self.path, problem).at_frame(index)
                });
                self.state.ended |= picture.is_err();
                return Some(picture.map(|image| Frame { image, time }));
            }
            if self.state.ended {
                return self.closing();
            }
            if self.timeline.passed_end() {
                self.end(None);
            } else {
                self.advance();
            }
        }
    }
}

impl FrameReader for VideoReader {
    fn width(&self) -> u32 {
        self.facts.width
    }

    fn height(&self) -> u32 {
        self.facts.height
    }

    fn frame_rate(&self) -> (u32, u32) {
        self.settings.frames_per_second.map_or(self.facts.rate, rational_rate)
    }

    fn has_audio(&self) -> bool {
        self.facts.has_audio
    }

    fn duration(&self) -> Option<f64> {
        let start = self.settings.start.unwrap_or(0.0);
        let whole = match (self.facts.duration, self.settings.end) {
            (Some(whole), Some(end)) => whole.min(end),
            (Some(whole), None) => whole,
            (None, _) => return None,
        };
        Some((whole - start).max(0.0))
    }
}

fn open_decoder(path: &Path) -> Result<(Input, usize, decoder::Video)> {
    let input = open_input(path)?;
    let stream = video_stream(&input).ok_or_else(|| no_picture(path, &input))?;
    let source = input.stream(stream).ok_or_else(|| no_picture(path, &input))?;
    let unusable = |problem: ffmpeg::Error| {
        let name = source.parameters().id().name();
        Error::input(path, format!("its video codec ({name}) cannot be decoded here ({problem})"))
    };
    let mut decoder = codec::Context::from_parameters(source.parameters()).map_err(unusable)?.decoder();
    decoder.set_packet_time_base(source.time_base());
    let decoder = decoder.video().map_err(unusable)?;
    check_size(path, decoder.width(), decoder.height())?;
    Ok((input, stream, decoder))
}

fn no_picture(path: &Path, input: &Input) -> Error {
    let found = if audio_stream(input).is_some() { "only sound" } else { "no picture and no sound" };
    Error::input(path, format!("has no video stream: {found}"))
}

/// Jumps to the last key frame at least a second before `time`; `false` if the file cannot do that.
fn seek(input: &mut Input, time: f64) -> bool {
    let target = ((time - 1.0) * f64::from(ffmpeg::ffi::AV_TIME_BASE)) as i64;
    input.seek(target, ..target).is_ok()
}
