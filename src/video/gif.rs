//! GIF: a first pass keeps the frames on disk and gathers their colours, a second one draws them with the palette.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::{Output, StreamIo};
use ffmpeg_next::format::{self, Pixel};
use ffmpeg_next::{Packet, Rational, codec, encoder, frame};
use image::{ImageBuffer, PixelWithColorType};

use super::codec::SPOOL;
use super::cutoff::table_length;
use super::decode::{DecodeSettings, VideoReader};
use super::encode::{EncodeSettings, Written};
use super::graph::{FilterGraph, is_again, video_arguments};
use super::mux::MuxWriter;
use super::pixels::filled;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::outputs::PartFile;

/// Shorter delays than 2/100 s are not shown as such by any player.
pub(super) const MAX_RATE: f64 = 50.0;
const LEAST_DELAY: i64 = 2;
/// GIF's clock.
const CLOCK: (i32, i32) = (1, 100);
/// Six bits a channel (0 and 255 stay exact): a histogram of all 8-bit colours can grow to hundreds of megabytes.
const GATHER: &str = "lutrgb=r=round(floor(val/4)*255/63):g=round(floor(val/4)*255/63):b=round(floor(val/4)*255/63),\
                      palettegen";
/// Bytes that are collected before they are written.
const BUFFER: usize = 1 << 18;
/// The drawing filter remembers every colour it met; after so many frames it starts afresh.
const FRAMES_PER_GRAPH: usize = 32;
const DITHER: &str = "[in][palette]paletteuse=dither=sierra2_4a:diff_mode=rectangle[out]";

/// Collects the frames of a GIF; memory does not grow with their number.
pub(super) struct GifWriter {
    spool: MuxWriter,
    spool_file: PartFile,
    palette: FilterGraph,
    /// For messages.
    target: PathBuf,
    size: (u32, u32),
    comment: Option<String>,
}

impl GifWriter {
    /// Starts the GIF that is to be written to `file`.
    pub fn create(file: &PartFile, size: (u32, u32), settings: &EncodeSettings) -> Result<Self> {
        let target = file.target();
        let mut spool = target.as_os_str().to_owned();
        spool.push(".spool");
        let spool_file = PartFile::replacing(Path::new(&spool))?;
        let frame_rate = settings.frame_rate;
        let spool_settings = EncodeSettings { frame_rate, ..EncodeSettings::default() };
        let spool = MuxWriter::create(&SPOOL, &spool_file, target, size, &spool_settings)?;
        let arguments = video_arguments(size.0, size.1, Pixel::RGB24, Rational::new(CLOCK.0, CLOCK.1));
        let palette = FilterGraph::video(&[("in", arguments)], GATHER);
        let palette = palette.map_err(|problem| failure(target, problem))?;
        let comment =
            settings.metadata.iter().find(|(key, _)| key == "comment").map(|(_, text)| text.clone());
        Ok(Self { spool, spool_file, palette, target: target.to_path_buf(), size, comment })
    }

    pub fn write<P>(&mut self, image: &ImageBuffer<P, Vec<u8>>, time: f64) -> Result<()>
    where
        P: PixelWithColorType<Subpixel = u8>,
    {
        let picture = filled(image, self.size.0, self.size.1);
        // Pulling makes the filter take the picture in at once; the palette itself comes at the end.
        let taken = self.palette.push("in", &picture).and_then(|()| self.palette.pull_video());
        taken.map_err(|problem| failure(&self.target, problem))?;
        self.spool.write(image, time)
    }

    /// Writes the GIF.
    pub fn finish(self, file: &PartFile) -> Result<Written> {
        let Self { spool, spool_file, mut palette, target, size, comment } = self;
        let written = spool.finish()?;
        let failed = |problem| failure(&target, problem);
        palette.end("in").map_err(failed)?;
        let colours =
            palette.pull_video().map_err(failed)?.ok_or_else(|| failed(ffmpeg::Error::InvalidData))?;
        let commented = Commented::new(file.writer()?, &comment.unwrap_or_default());
        let mut pass = SecondPass::create(commented, size, colours).map_err(failed)?;
        for frame in VideoReader::open(spool_file.path(), &DecodeSettings::default())? {
            pass.write(&frame?).map_err(failed)?;
        }
        pass.finish().map_err(failed)?;
        spool_file.discard()?;
        Ok(written)
    }
}

fn failure(target: &Path, problem: ffmpeg::Error) -> Error {
    Error::output(target, format!("the GIF cannot be written ({problem})"))
}

/// The filters that draw pictures with the palette `colours`.
fn drawing(size: (u32, u32), colours: &frame::Video) -> std::result::Result<FilterGraph, ffmpeg::Error> {
    let clock = Rational::new(CLOCK.0, CLOCK.1);
    let pictures = video_arguments(size.0, size.1, Pixel::RGB24, clock);
    let palette = video_arguments(colours.width(), colours.height(), colours.format(), clock);
    let mut graph = FilterGraph::video(&[("in", pictures), ("palette", palette)], DITHER)?;
    graph.push("palette", colours)?;
    graph.end("palette")?;
    Ok(graph)
}

/// Draws frames with a palette and encodes them.
struct SecondPass {
    output: Output,
    encoder: encoder::video::Encoder,
    graph: FilterGraph,
    colours: frame::Video,
    frames: usize,
    last: Option<i64>,
    size: (u32, u32),
}

impl SecondPass {
    fn create(
        file: impl Write + Send + 'static,
        size: (u32, u32),
        colours: frame::Video,
    ) -> std::result::Result<Self, ffmpeg::Error> {
        let clock = Rational::new(CLOCK.0, CLOCK.1);
        let graph = drawing(size, &colours)?;
        let stream = StreamIo::from_write_with_capacity(file, BUFFER)?;
        let mut output = format::output_to_stream(stream, None, Some("gif"))?;
        let found = encoder::find(codec::Id::GIF).ok_or(ffmpeg::Error::EncoderNotFound)?;
        let mut video = codec::Context::new_with_codec(found).encoder().video()?;
        video.set_width(size.0);
        video.set_height(size.1);
        video.set_time_base(clock);
        video.set_format(Pixel::PAL8);
        let encoder = video.open_as(found)?;
        output.add_stream_with(&encoder)?.set_time_base(clock);
        output.write_header()?;
        Ok(Self { output, encoder, graph, colours, frames: 0, last: None, size })
    }

    fn write(&mut self, frame: &Frame) -> std::result::Result<(), ffmpeg::Error> {
        let ticks = (frame.time * f64::from(CLOCK.1)).round() as i64;
        let ticks = self.last.map_or(ticks, |last| ticks.max(last + LEAST_DELAY));
        self.last = Some(ticks);
        let mut picture = filled(&frame.image, self.size.0, self.size.1);
        picture.set_pts(Some(ticks));
        if self.frames > 0 && self.frames.is_multiple_of(FRAMES_PER_GRAPH) {
            self.graph.end("in")?;
            self.collect()?;
            self.graph = drawing(self.size, &self.colours)?;
        }
        self.frames += 1;
        self.graph.push("in", &picture)?;
        self.collect()
    }

    fn finish(mut self) -> std::result::Result<(), ffmpeg::Error> {
        self.graph.end("in")?;
        self.collect()?;
        self.encoder.send_eof()?;
        self.packets()?;
        self.output.write_trailer()
    }

    fn collect(&mut self) -> std::result::Result<(), ffmpeg::Error> {
        while let Some(drawn) = self.graph.pull_video()? {
            self.encoder.send_frame(&drawn)?;
            self.packets()?;
        }
        Ok(())
    }

    fn packets(&mut self) -> std::result::Result<(), ffmpeg::Error> {
        loop {
            let mut packet = Packet::empty();
            match self.encoder.receive_packet(&mut packet) {
                Ok(()) => packet.write_interleaved(&mut self.output)?,
                Err(ffmpeg::Error::Eof) => return Ok(()),
                Err(problem) if is_again(problem) => return Ok(()),
                Err(problem) => return Err(problem),
            }
        }
    }
}

/// Puts a comment extension behind the header of the GIF that is written through it.
struct Commented<W> {
    file: W,
    /// The header, as far as it has come.
    header: Vec<u8>,
    /// The comment extension; empty once it is written.
    comment: Vec<u8>,
}

impl<W: Write> Commented<W> {
    fn new(file: W, comment: &str) -> Self {
        let mut extension = Vec::new();
        if !comment.is_empty() {
            extension.extend([0x21, 0xFE]);
            for block in comment.as_bytes().chunks(255) {
                extension.push(block.len() as u8);
                extension.extend(block);
            }
            extension.push(0);
        }
        Self { file, header: Vec::new(), comment: extension }
    }

    /// How much of `bytes` belongs to the header: 13 bytes and the table of colours that the 11th announces.
    fn of_header(&self, bytes: &[u8]) -> usize {
        const FIXED: usize = 13;
        const PACKED: usize = 10;
        let packed = self.header.get(PACKED).or_else(|| bytes.get(PACKED - self.header.len().min(PACKED)));
        let length = FIXED + packed.map_or(0, |&packed| table_length(packed) as usize);
        length.saturating_sub(self.header.len()).min(bytes.len())
    }
}

impl<W: Write> Write for Commented<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.comment.is_empty() {
            return self.file.write(bytes);
        }
        let count = self.of_header(bytes);
        self.header.extend(&bytes[..count]);
        if count < bytes.len() {
            let whole = [&*self.header, &*std::mem::take(&mut self.comment)].concat();
            self.file.write_all(&whole)?;
            self.file.write_all(&bytes[count..])?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
