//! The sound of the source, beside the new pictures.

use std::path::{Path, PathBuf};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::Id;
use ffmpeg_next::format::context::{Input, Output};
use ffmpeg_next::{Packet, Rational, Stream};
use serde::{Deserialize, Serialize};

use super::decode::DecodeSettings;
use super::demux::{audio_stream, open_input, read_packet, seconds, start_time, video_stream};
use super::resample::Reencoder;
use crate::error::{Error, Result};

/// Where the sound of an output comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AudioSource {
    /// A video or sound file; one without sound gives none.
    pub path: PathBuf,
    /// First moment, in seconds from the first frame of the file's video (or from its start, if it has none); what
    /// [`DecodeSettings::start`] was for the pictures.
    pub start: f64,
    /// Moment at which the sound stops, on the same clock; default: it stops with the pictures.
    pub end: Option<f64>,
}

impl AudioSource {
    /// The sound that goes with pictures that are decoded in this way.
    pub fn beside(path: &Path, pictures: &DecodeSettings) -> Self {
        Self { path: path.to_path_buf(), start: pictures.start.unwrap_or(0.0), end: pictures.end }
    }

    fn validate(&self) -> Result<()> {
        let ends_well = self.end.is_none_or(|end| end.is_finite() && end > self.start);
        if self.start.is_finite() && self.start >= 0.0 && ends_well {
            return Ok(());
        }
        let end = self.end.map_or("the end".to_owned(), |end| format!("{end} s"));
        let problem = format!("from {} s to {end}; allowed: 0 s or more, ending after it starts", self.start);
        Err(Error::setting("audio", problem))
    }
}

/// The sound packets of a source, in order, on the clock of the output (0 is the first frame).
pub(super) struct SoundInput {
    path: PathBuf,
    input: Input,
    stream: usize,
    time_base: Rational,
    /// Ticks of the source at the output's time 0.
    offset: i64,
    /// The first packet, read ahead.
    first: Option<Packet>,
    ended: bool,
}

impl SoundInput {
    /// The file's sound, or `None` if it has none.
    fn open(source: &AudioSource) -> Result<Option<Self>> {
        source.validate()?;
        let input = open_input(&source.path)?;
        let Some(stream) = audio_stream(&input) else {
            tracing::debug!("{} has no sound", source.path.display());
            return Ok(None);
        };
        let reference = video_stream(&input).unwrap_or(stream);
        let origin = input.stream(reference).and_then(|stream| start_time(&stream)).unwrap_or(0.0);
        let time_base = input.stream(stream).map_or(Rational::new(1, 1), |stream| stream.time_base());
        let offset = ((origin + source.start) / f64::from(time_base)).round() as i64;
        let path = source.path.clone();
        let mut sound = Self { path, input, stream, time_base, offset, first: None, ended: false };
        sound.first = sound.read();
        Ok(Some(sound))
    }

    /// How long a packet lasts, in seconds: what the codec fixes, or else the length of the first one.
    fn packet_seconds(&self) -> f64 {
        let first =
            self.first.as_ref().map_or(0.0, |packet| seconds(packet.duration().max(0), self.time_base));
        let Some(stream) = self.stream() else { return first };
        // SAFETY: the parameters belong to the stream, which is borrowed.
        let (samples, rate) = unsafe {
            let parameters = &*stream.parameters().as_ptr();
            (parameters.frame_size, parameters.sample_rate)
        };
        let fixed = if rate > 0 { f64::from(samples) / f64::from(rate) } else { 0.0 };
        fixed.max(first)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn time_base(&self) -> Rational {
        self.time_base
    }

    pub fn offset(&self) -> i64 {
        self.offset
    }

    pub fn stream(&self) -> Option<Stream<'_>> {
        self.input.stream(self.stream)
    }

    /// The next packet, still with the source's time stamps. Damage ends the sound early, with a warning: the
    /// pictures are worth more.
    pub fn read(&mut self) -> Option<Packet> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        while !self.ended {
            match read_packet(&mut self.input, &self.path) {
                Ok(Some(packet)) if packet.stream() == self.stream => return Some(packet),
                Ok(Some(_)) => {}
                Ok(None) => self.ended = true,
                Err(problem) => {
                    tracing::warn!("the sound ends early: {problem}");
                    self.ended = true;
                }
            }
        }
        None
    }
}

/// The sound of an output: fed up to the pictures' time, so that it stops where they stop.
pub(super) struct Sound {
    kind: Kind,
    /// Last moment of sound that is wanted, in seconds of the output.
    limit: f64,
    target: PathBuf,
}

enum Kind {
    Copy(Box<Copier>),
    Encode(Box<Reencoder>),
}

impl Sound {
    /// Adds a sound stream to `output`, whose muxer is called `muxer`. The sound is copied where that format takes it
    /// and its packets are short enough to cut within half a frame, else encoded again.
    ///
    /// # Errors
    /// A source that cannot be read; an encoder that this FFmpeg lacks.
    pub fn open(
        source: &AudioSource,
        muxer: &str,
        frame_seconds: f64,
        output: &mut Output,
        target: &Path,
    ) -> Result<Option<Self>> {
        let Some(input) = SoundInput::open(source)? else { return Ok(None) };
        let stream = input.stream().ok_or_else(|| Error::input(&source.path, "its sound cannot be read"))?;
        let copies = accepts(muxer, stream.parameters().id()) && input.packet_seconds() <= frame_seconds;
        let kind = if copies {
            Kind::Copy(Box::new(Copier::create(input, muxer, output, target)?))
        } else {
            Kind::Encode(Box::new(Reencoder::create(input, muxer, output, target)?))
        };
        let limit = source.end.map_or(f64::INFINITY, |end| end - source.start);
        Ok(Some(Self { kind, limit, target: target.to_path_buf() }))
    }

    /// Writes the sound up to `time`, in seconds of the output.
    pub fn advance(&mut self, time: f64, output: &mut Output) -> Result<()> {
        let until = time.min(self.limit);
        let done = match &mut self.kind {
            Kind::Copy(copier) => copier.advance(until, output),
            Kind::Encode(encoder) => encoder.advance(until, output),
        };
        done.map_err(|problem| self.failure(problem))
    }

    /// Writes the rest of the sound, which ends at `time`.
    pub fn finish(&mut self, time: f64, output: &mut Output) -> Result<()> {
        let until = time.min(self.limit);
        let done = match &mut self.kind {
            Kind::Copy(copier) => copier.advance(until, output),
            Kind::Encode(encoder) => encoder.finish(until, output),
        };
        done.map_err(|problem| self.failure(problem))
    }

    fn failure(&self, problem: ffmpeg::Error) -> Error {
        Error::output(&self.target, format!("the sound cannot be written ({problem})"))
    }
}

/// Whether files of this format carry sound of this codec, as players expect it.
fn accepts(muxer: &str, codec: Id) -> bool {
    let pcm = matches!(codec, Id::PCM_S16LE | Id::PCM_S24LE | Id::PCM_S32LE | Id::PCM_F32LE | Id::PCM_S16BE);
    match muxer {
        "mp4" => matches!(codec, Id::AAC | Id::MP3 | Id::AC3 | Id::EAC3 | Id::ALAC | Id::OPUS),
        "mov" => pcm || matches!(codec, Id::AAC | Id::MP3 | Id::AC3 | Id::EAC3 | Id::ALAC),
        "webm" => matches!(codec, Id::OPUS | Id::VORBIS),
        "matroska" => {
            let packed = matches!(codec, Id::AAC | Id::MP3 | Id::AC3 | Id::EAC3 | Id::ALAC | Id::OPUS);
            pcm || packed || matches!(codec, Id::FLAC | Id::VORBIS)
        }
        _ => false,
    }
}

/// Copies packets as they are.
struct Copier {
    input: SoundInput,
    stream: usize,
    waiting: Option<Packet>,
    /// Packets that begin before this time, in seconds of the output, are left out.
    earliest: Earliest,
    last: Option<i64>,
}

/// How much of the sound before the first picture goes along.
enum Earliest {
    /// What overlaps time 0: the format can say that playing begins inside it.
    Overlapping,
    /// What begins at this time or later.
    From(f64),
}

impl Copier {
    fn create(input: SoundInput, muxer: &str, output: &mut Output, target: &Path) -> Result<Self> {
        let failed = |problem: ffmpeg::Error| {
            Error::output(target, format!("a stream for the sound cannot be added ({problem})"))
        };
        let source = input.stream().ok_or_else(|| failed(ffmpeg::Error::StreamNotFound))?;
        let parameters = source.parameters();
        // SAFETY: the parameters belong to the stream, which is borrowed.
        let (padding, rate) =
            unsafe { ((*parameters.as_ptr()).initial_padding, (*parameters.as_ptr()).sample_rate) };
        let earliest = match muxer {
            "mp4" | "mov" => Earliest::Overlapping,
            _ if padding > 0 && rate > 0 => Earliest::From(-f64::from(padding) / f64::from(rate)),
            _ => Earliest::From(0.0),
        };
        let none: Option<ffmpeg::Codec> = None;
        let mut stream = output.add_stream(none).map_err(failed)?;
        stream.set_parameters(parameters);
        stream.set_time_base(input.time_base());
        // SAFETY: the stream was just made and is borrowed. The source's tag may mean nothing in another format.
        unsafe { (*(*stream.as_mut_ptr()).codecpar).codec_tag = 0 };
        let stream = stream.index();
        Ok(Self { input, stream, waiting: None, earliest, last: None })
    }

    /// Writes the packets whose middle lies before `until`.
    fn advance(&mut self, until: f64, output: &mut Output) -> std::result::Result<(), ffmpeg::Error> {
        while let Some(mut packet) = self.waiting.take().or_else(|| self.input.read()) {
            let time_base = self.input.time_base();
            let Some(ticks) = packet.pts().or(packet.dts()) else { continue };
            let begin = seconds(ticks - self.input.offset(), time_base);
            let length = seconds(packet.duration().max(0), time_base);
            let too_early = match self.earliest {
                Earliest::Overlapping => begin + length <= 0.0,
                // Half a millisecond: the clock of Matroska.
                Earliest::From(time) => begin < time - 0.0005,
            };
            if too_early {
                continue;
            }
            if begin + length / 2.0 >= until {
                self.waiting = Some(packet);
                return Ok(());
            }
            if self.last.is_some_and(|last| ticks <= last) {
                continue;
            }
            self.last = Some(ticks);
            packet.set_pts(Some(ticks - self.input.offset()));
            packet.set_dts(Some(ticks - self.input.offset()));
            let target = output.stream(self.stream).ok_or(ffmpeg::Error::StreamNotFound)?.time_base();
            packet.rescale_ts(time_base, target);
            packet.set_stream(self.stream);
            packet.set_position(-1);
            packet.write_interleaved(output)?;
        }
        Ok(())
    }
}
