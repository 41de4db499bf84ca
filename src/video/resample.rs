//! Sound decoded, cut to the sample, and encoded again.

use std::path::Path;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::Output;
use ffmpeg_next::format::{self, Sample};
use ffmpeg_next::{ChannelLayout, Dictionary, Packet, Rational, codec, decoder, encoder, frame};

use super::audio::SoundInput;
use super::graph::{FilterGraph, audio_arguments, is_again};
use crate::error::{Error, Result};

type Status = std::result::Result<(), ffmpeg::Error>;

/// What a file format's sound is encoded with when it cannot be copied.
struct Choice {
    encoder: &'static str,
    format: Sample,
    /// Samples a second that the encoder takes; the first one where the source's is not among them.
    rates: &'static [u32],
    bit_rate: usize,
}

fn choice(muxer: &str) -> Choice {
    use format::sample::Type::{Packed, Planar};
    let common = &[48_000, 44_100, 32_000, 24_000, 22_050, 16_000];
    match muxer {
        "webm" => {
            Choice { encoder: "libopus", format: Sample::F32(Packed), rates: &[48_000], bit_rate: 160_000 }
        }
        "matroska" => Choice { encoder: "flac", format: Sample::I16(Packed), rates: common, bit_rate: 0 },
        _ => Choice { encoder: "aac", format: Sample::F32(Planar), rates: common, bit_rate: 192_000 },
    }
}

/// Decodes, resamples and encodes. Sound of one channel stays so, all else becomes stereo.
pub(super) struct Reencoder {
    input: SoundInput,
    decoder: decoder::Audio,
    encoder: encoder::audio::Encoder,
    graph: Option<FilterGraph>,
    filters: String,
    samples_per_packet: u32,
    rate: u32,
    stream: usize,
    /// Filtered sound that is not yet wanted.
    waiting: Option<frame::Audio>,
    /// Samples encoded so far.
    sent: i64,
    stage: Stage,
    warned: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Reading,
    /// The decoder was told that no packet follows.
    Draining,
    /// The filters were told so too.
    Done,
}

impl Reencoder {
    pub fn create(input: SoundInput, muxer: &str, output: &mut Output, target: &Path) -> Result<Self> {
        let choice = choice(muxer);
        let unreadable = |problem: ffmpeg::Error| {
            Error::input(input.path(), format!("its sound cannot be decoded here ({problem})"))
        };
        let source = input.stream().ok_or_else(|| unreadable(ffmpeg::Error::StreamNotFound))?;
        let mut context = codec::Context::from_parameters(source.parameters()).map_err(unreadable)?.decoder();
        context.set_packet_time_base(input.time_base());
        let decoder = context.audio().map_err(unreadable)?;
        let rate = if choice.rates.contains(&decoder.rate()) { decoder.rate() } else { choice.rates[0] };
        let layout = if decoder.channels() == 1 { ChannelLayout::MONO } else { ChannelLayout::STEREO };
        let refused = |problem: ffmpeg::Error| {
            Error::output(target, format!("the sound needs the encoder {}: {problem}", choice.encoder))
        };
        let global_header = output.format().flags().contains(format::Flags::GLOBAL_HEADER);
        let encoder = open_encoder(&choice, rate, layout, global_header).map_err(refused)?;
        let mut stream = output.add_stream_with(&encoder).map_err(refused)?;
        stream.set_time_base(Rational::new(1, rate as i32));
        let stream = stream.index();
        let filters = format!(
            "atrim=start=0,aresample={rate}:async=1:first_pts=0,\
             aformat=sample_fmts={}:sample_rates={rate}:channel_layouts=0x{:x}",
            choice.format.name(),
            layout.bits()
        );
        let samples_per_packet = encoder.frame_size().max(1);
        let (graph, waiting, sent, stage, warned) = (None, None, 0, Stage::Reading, false);
        Ok(Self {
            input,
            decoder,
            encoder,
            graph,
            filters,
            samples_per_packet,
            rate,
            stream,
            waiting,
            sent,
            stage,
            warned,
        })
    }

    /// Encodes the packets' worth of sound that ends by `until`, in seconds of the output.
    pub fn advance(&mut self, until: f64, output: &mut Output) -> Status {
        while let Some(sound) = self.next()? {
            let end = self.sent + sound.samples() as i64;
            if end as f64 / f64::from(self.rate) > until {
                self.waiting = Some(sound);
                return Ok(());
            }
            self.encode(sound, output)?;
        }
        Ok(())
    }

    /// Encodes the rest of the sound, cut at `until`.
    pub fn finish(&mut self, until: f64, output: &mut Output) -> Status {
        self.advance(until, output)?;
        if let Some(mut sound) = self.waiting.take() {
            let left = (until * f64::from(self.rate)).round() as i64 - self.sent;
            if let Ok(left @ 1..) = usize::try_from(left) {
                sound.set_samples(left.min(sound.samples()));
                self.encode(sound, output)?;
            }
        }
        self.encoder.send_eof()?;
        self.collect(output)
    }

    fn encode(&mut self, mut sound: frame::Audio, output: &mut Output) -> Status {
        sound.set_pts(Some(self.sent));
        self.sent += sound.samples() as i64;
        self.encoder.send_frame(&sound)?;
        self.collect(output)
    }

    fn collect(&mut self, output: &mut Output) -> Status {
        let time_base = output.stream(self.stream).ok_or(ffmpeg::Error::StreamNotFound)?.time_base();
        loop {
            let mut packet = Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => {}
                Err(ffmpeg::Error::Eof) => return Ok(()),
                Err(problem) if is_again(problem) => return Ok(()),
                Err(problem) => return Err(problem),
            }
            packet.set_stream(self.stream);
            packet.rescale_ts(Rational::new(1, self.rate as i32), time_base);
            packet.write_interleaved(output)?;
        }
    }

    /// The next packet's worth of filtered sound.
    fn next(&mut self) -> std::result::Result<Option<frame::Audio>, ffmpeg::Error> {
        if let Some(waiting) = self.waiting.take() {
            return Ok(Some(waiting));
        }
        loop {
            if let Some(graph) = &mut self.graph
                && let Some(sound) = graph.pull_audio()?
            {
                return Ok(Some(sound));
            }
            if self.stage == Stage::Done {
                return Ok(None);
            }
            self.decode()?;
        }
    }

    /// Decodes a step further, into the filters.
    fn decode(&mut self) -> Status {
        let mut sound = frame::Audio::empty();
        match self.decoder.receive_frame(&mut sound) {
            Ok(()) => return self.filter(sound),
            Err(problem) if is_again(problem) && self.stage == Stage::Reading => {}
            Err(problem) if self.stage == Stage::Reading && problem != ffmpeg::Error::Eof => {
                self.warn(problem)
            }
            Err(_) => {
                self.stage = Stage::Done;
                return match &mut self.graph {
                    Some(graph) => graph.end("in"),
                    None => Ok(()),
                };
            }
        }
        match self.input.read() {
            Some(packet) => {
                if let Err(problem) = self.decoder.send_packet(&packet) {
                    self.warn(problem);
                }
            }
            None => {
                self.stage = Stage::Draining;
                // The only failure is that it was said before, which `receive_frame` reports.
                let _ = self.decoder.send_eof();
            }
        }
        Ok(())
    }

    fn filter(&mut self, mut sound: frame::Audio) -> Status {
        let ticks = sound.timestamp().map(|ticks| ticks - self.input.offset());
        sound.set_pts(ticks);
        let layout = match sound.channel_layout() {
            known if !known.is_empty() => known,
            _ => ChannelLayout::default(i32::from(sound.channels())),
        };
        if self.graph.is_none() {
            let arguments = audio_arguments(sound.rate(), sound.format(), layout, self.input.time_base());
            let mut graph = FilterGraph::audio(arguments, &self.filters)?;
            graph.set_frame_size(self.samples_per_packet)?;
            self.graph = Some(graph);
        }
        sound.set_channel_layout(layout);
        match &mut self.graph {
            Some(graph) => graph.push("in", &sound),
            None => Ok(()),
        }
    }

    fn warn(&mut self, problem: ffmpeg::Error) {
        if !std::mem::replace(&mut self.warned, true) {
            tracing::warn!(
                "{}: parts of the sound cannot be decoded ({problem})",
                self.input.path().display()
            );
        }
    }
}

fn open_encoder(
    choice: &Choice,
    rate: u32,
    layout: ChannelLayout,
    global_header: bool,
) -> std::result::Result<encoder::audio::Encoder, ffmpeg::Error> {
    let found = encoder::find_by_name(choice.encoder).ok_or(ffmpeg::Error::EncoderNotFound)?;
    let mut audio = codec::Context::new_with_codec(found).encoder().audio()?;
    audio.set_rate(rate as i32);
    audio.set_format(choice.format);
    audio.set_channel_layout(layout);
    audio.set_time_base(Rational::new(1, rate as i32));
    if choice.bit_rate > 0 {
        audio.set_bit_rate(choice.bit_rate);
    }
    if global_header {
        audio.set_flags(codec::Flags::GLOBAL_HEADER);
    }
    audio.open_as_with(found, Dictionary::new())
}
