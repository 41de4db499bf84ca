//! A filter graph with named inputs and one output, for pictures or sound.

use ffmpeg_next as ffmpeg;
use ffmpeg_next::filter;
use ffmpeg_next::format::{Pixel, Sample};
use ffmpeg_next::{ChannelLayout, Rational, frame};

type Result<T> = std::result::Result<T, ffmpeg::Error>;

const OUTPUT: &str = "out";

/// A configured filter graph. Frames go in by the input's name; what comes out is pulled until `None`.
pub(super) struct FilterGraph {
    graph: filter::Graph,
}

impl FilterGraph {
    /// A graph of `description` (FFmpeg's syntax) between pictures of the given inputs, `(name, arguments)`, and `out`.
    pub fn video(inputs: &[(&str, String)], description: &str) -> Result<Self> {
        Self::build("buffer", "buffersink", inputs, description)
    }

    /// A graph of `description` between the sound called `in` and `out`.
    pub fn audio(arguments: String, description: &str) -> Result<Self> {
        Self::build("abuffer", "abuffersink", &[("in", arguments)], description)
    }

    fn build(source: &str, sink: &str, inputs: &[(&str, String)], description: &str) -> Result<Self> {
        let mut graph = filter::Graph::new();
        let source = filter::find(source).ok_or(ffmpeg::Error::FilterNotFound)?;
        let sink = filter::find(sink).ok_or(ffmpeg::Error::FilterNotFound)?;
        for (name, arguments) in inputs {
            graph.add(&source, name, arguments)?;
        }
        graph.add(&sink, OUTPUT, "")?;
        let mut parser = filter::graph::Parser::new(&mut graph);
        for (name, _) in inputs {
            parser = parser.output(name, 0)?;
        }
        parser.input(OUTPUT, 0)?.parse(description)?;
        graph.validate()?;
        Ok(Self { graph })
    }

    /// Gives `frame` to an input. The binding's own `add` would empty the frame behind the shared reference.
    pub fn push(&mut self, input: &str, frame: &ffmpeg::Frame) -> Result<()> {
        let mut node = self.node(input)?;
        // SAFETY: both pointers are valid during the call, which takes its own reference to the frame's data.
        match unsafe { ffmpeg::ffi::av_buffersrc_write_frame(node.as_mut_ptr(), frame.as_ptr()) } {
            0 => Ok(()),
            problem => Err(ffmpeg::Error::from(problem)),
        }
    }

    /// Says that `input` has ended.
    pub fn end(&mut self, input: &str) -> Result<()> {
        self.node(input)?.source().flush()
    }

    /// Makes every sound frame but the last hold exactly `samples`.
    pub fn set_frame_size(&mut self, samples: u32) -> Result<()> {
        self.node(OUTPUT)?.sink().set_frame_size(samples);
        Ok(())
    }

    pub fn pull_video(&mut self) -> Result<Option<frame::Video>> {
        let mut frame = frame::Video::empty();
        Ok(self.pull(&mut frame)?.then_some(frame))
    }

    pub fn pull_audio(&mut self) -> Result<Option<frame::Audio>> {
        let mut frame = frame::Audio::empty();
        Ok(self.pull(&mut frame)?.then_some(frame))
    }

    fn pull(&mut self, frame: &mut ffmpeg::Frame) -> Result<bool> {
        match self.node(OUTPUT)?.sink().frame(frame) {
            Ok(()) => Ok(true),
            Err(ffmpeg::Error::Eof) => Ok(false),
            Err(problem) if is_again(problem) => Ok(false),
            Err(problem) => Err(problem),
        }
    }

    fn node(&mut self, name: &str) -> Result<filter::Context> {
        self.graph.get(name).ok_or(ffmpeg::Error::FilterNotFound)
    }
}

/// Whether FFmpeg asks for more input before it can give output.
pub(super) fn is_again(problem: ffmpeg::Error) -> bool {
    problem == ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }
}

/// The arguments of a picture input.
pub(super) fn video_arguments(width: u32, height: u32, format: Pixel, time_base: Rational) -> String {
    let format = format.descriptor().map_or("none", |descriptor| descriptor.name());
    format!(
        "video_size={width}x{height}:pix_fmt={format}:time_base={}/{}:pixel_aspect=1/1",
        time_base.numerator(),
        time_base.denominator()
    )
}

/// The arguments of a sound input.
pub(super) fn audio_arguments(
    rate: u32,
    format: Sample,
    layout: ChannelLayout,
    time_base: Rational,
) -> String {
    format!(
        "time_base={}/{}:sample_rate={rate}:sample_fmt={}:channel_layout=0x{:x}",
        time_base.numerator(),
        time_base.denominator(),
        format.name(),
        layout.bits()
    )
}
