//! Signs that a file was cut off, where FFmpeg takes the cut for the end.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::Input;

use super::demux::known;

/// A Matroska file whose last packet ends this many seconds before the duration it states was cut off.
const MISSING_TAIL: f64 = 0.25;

/// What is missing at the end of the file, of which stream `stream` was read up to `read_until` seconds.
pub(super) fn missing_tail(input: &mut Input, stream: usize, path: &Path, read_until: f64) -> Option<String> {
    let format = input.format().name().to_owned();
    if format == "gif" && gif_ends_in_a_block(path).unwrap_or(false) {
        return Some("cut off: the file ends inside a frame".to_owned());
    }
    if index_passes_end(input, stream, path) {
        return Some("cut off: its index names frames past the end of the file".to_owned());
    }
    let stated = known(input.duration())? as f64 / f64::from(ffmpeg::ffi::AV_TIME_BASE);
    let missing = stated - read_until;
    (format.contains("matroska") && missing > MISSING_TAIL)
        .then(|| format!("cut off: {missing:.2} s of the {stated:.2} s that it should last are missing"))
}

/// Whether the index of a stream (MP4, MOV, AVI) names data past the end of the file.
fn index_passes_end(input: &mut Input, index: usize, path: &Path) -> bool {
    let Ok(facts) = std::fs::metadata(path) else { return false };
    let Some(mut stream) = input.stream_mut(index) else { return false };
    // SAFETY: the stream pointer is valid while `input` is borrowed, an entry pointer until the index changes;
    // both are read at once.
    let end = unsafe {
        let pointer = stream.as_mut_ptr();
        let last = ffmpeg::ffi::avformat_index_get_entries_count(pointer) - 1;
        let entry = ffmpeg::ffi::avformat_index_get_entry(pointer, last);
        if entry.is_null() { 0 } else { (*entry).pos.saturating_add(i64::from((*entry).size())) }
    };
    u64::try_from(end).is_ok_and(|end| end > facts.len())
}

/// Walks over the blocks of a GIF: `true` if the file ends inside one. One that only lacks the last byte, which says
/// that nothing follows, is complete.
fn gif_ends_in_a_block(path: &Path) -> io::Result<bool> {
    let mut file = BufReader::new(File::open(path)?);
    match walk_gif(&mut file) {
        Err(problem) if problem.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
        other => other.map(|()| false),
    }
}

fn walk_gif(file: &mut BufReader<File>) -> io::Result<()> {
    let mut header = [0_u8; 13];
    file.read_exact(&mut header)?;
    skip(file, table_length(header[10]))?;
    loop {
        let mut kind = [0_u8; 1];
        if file.read(&mut kind)? == 0 {
            return Ok(());
        }
        match kind[0] {
            0x21 => skip(file, 1)?,
            0x2C => {
                let mut place = [0_u8; 9];
                file.read_exact(&mut place)?;
                skip(file, table_length(place[8]) + 1)?;
            }
            // The end, or something that is not GIF, which decoders leave alone.
            _ => return Ok(()),
        }
        loop {
            let mut length = [0_u8; 1];
            file.read_exact(&mut length)?;
            if length[0] == 0 {
                break;
            }
            skip(file, u64::from(length[0]))?;
        }
    }
}

/// Length in bytes of the table of colours that a packed byte of GIF announces: 3 × 2^(n + 1), or none.
pub(super) fn table_length(packed: u8) -> u64 {
    if packed & 0x80 == 0 { 0 } else { 3 << ((packed & 7) + 1) }
}

/// Passes over `length` bytes, which have to be there.
fn skip(file: &mut BufReader<File>, length: u64) -> io::Result<()> {
    if length == 0 {
        return Ok(());
    }
    file.seek_relative(length as i64 - 1)?;
    file.read_exact(&mut [0])
}
