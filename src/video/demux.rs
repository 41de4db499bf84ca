//! Opening media files and reading their packets, with errors that name the file.

use std::path::Path;
use std::sync::Once;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::format::stream::Disposition;
use ffmpeg_next::{Dictionary, Packet, Rational, Stream, media};

use crate::error::{Error, Result};
use crate::files::check_rereadable;

static INITIALIZED: Once = Once::new();

/// Prepares FFmpeg once for the process. Its own messages are silenced (they would mix with ours); set the
/// environment variable `DREAMTUNER_FFMPEG_LOG` to see them.
pub(super) fn initialize() {
    INITIALIZED.call_once(|| {
        if let Err(problem) = ffmpeg::init() {
            tracing::warn!("FFmpeg did not initialize: {problem}");
        }
        if std::env::var_os("DREAMTUNER_FFMPEG_LOG").is_none() {
            ffmpeg::log::set_level(ffmpeg::log::Level::Quiet);
        }
    });
}

/// `path` as FFmpeg wants it. The prefix keeps a colon in the name from being read as a protocol.
pub(super) fn url(path: &Path) -> std::result::Result<String, &'static str> {
    let text = path.to_str().ok_or("the path is not valid UTF-8, which FFmpeg needs")?;
    if text.contains('\0') {
        return Err("the path holds a zero byte");
    }
    Ok(format!("file:{text}"))
}

/// Opens a media file.
///
/// # Errors
/// A file that is missing, empty, a folder, or in no format that FFmpeg knows.
pub(super) fn open_input(path: &Path) -> Result<Input> {
    initialize();
    check_rereadable(path)?;
    let facts = std::fs::metadata(path).map_err(|source| Error::io(path, source))?;
    if facts.is_dir() {
        return Err(Error::input(path, "is a folder; a video file was expected"));
    }
    if facts.len() == 0 {
        return Err(Error::input(path, "is empty (0 bytes)"));
    }
    std::fs::File::open(path).map_err(|source| Error::io(path, source))?;
    let url = url(path).map_err(|problem| Error::input(path, problem))?;
    // A playlist must not make the program fetch things from elsewhere.
    let options = Dictionary::from_iter([("protocol_whitelist", "file")]);
    let input = ffmpeg::format::input_with_dictionary(&url, options).map_err(|problem| {
        Error::input(
            path,
            format!("not a readable video: damaged, cut off or of an unknown kind ({problem})"),
        )
    })?;
    // FFmpeg paints any text whose name ends in .txt as a film of a terminal.
    if input.format().name() == "tty" {
        return Err(Error::input(path, "is a text, not a video"));
    }
    Ok(input)
}

/// The next packet, or `None` at the end of the file.
pub(super) fn read_packet(input: &mut Input, path: &Path) -> Result<Option<Packet>> {
    // A used packet must not be read into again: what it held would leak.
    let mut packet = Packet::empty();
    match packet.read(input) {
        Ok(()) => Ok(Some(packet)),
        Err(ffmpeg::Error::Eof) => Ok(None),
        Err(problem) => Err(Error::input(path, format!("cannot be read on: damaged or cut off ({problem})"))),
    }
}

/// Index of the stream that holds the moving picture; cover pictures of sound files do not count.
pub(super) fn video_stream(input: &Input) -> Option<usize> {
    let is_moving = |stream: &Stream| {
        stream.parameters().medium() == media::Type::Video
            && !stream.disposition().contains(Disposition::ATTACHED_PIC)
    };
    let best = input.streams().best(media::Type::Video);
    best.filter(is_moving).or_else(|| input.streams().find(is_moving)).map(|stream| stream.index())
}

/// Index of the stream that holds the sound.
pub(super) fn audio_stream(input: &Input) -> Option<usize> {
    input.streams().best(media::Type::Audio).map(|stream| stream.index())
}

/// `ticks` of a stream's clock in seconds.
pub(super) fn seconds(ticks: i64, time_base: Rational) -> f64 {
    ticks as f64 * f64::from(time_base)
}

/// A stream's first presentation time in seconds, where the file tells.
pub(super) fn start_time(stream: &Stream) -> Option<f64> {
    known(stream.start_time()).map(|ticks| seconds(ticks, stream.time_base()))
}

/// `None` for FFmpeg's mark of an unknown time.
pub(super) fn known(ticks: i64) -> Option<i64> {
    (ticks != ffmpeg::ffi::AV_NOPTS_VALUE).then_some(ticks)
}

/// A rate of the given parts, if both are positive.
pub(super) fn positive(rate: Rational) -> Option<(u32, u32)> {
    let numerator = u32::try_from(rate.numerator()).ok()?;
    let denominator = u32::try_from(rate.denominator()).ok()?;
    (numerator > 0 && denominator > 0).then_some((numerator, denominator))
}
