//! What the tests share: running ffmpeg and ffprobe, reading, writing and comparing clips.

use std::path::Path;
use std::process::Command;

use dreamtuner::error::Result;
use dreamtuner::frame::Frame;
use dreamtuner::video::{DecodeSettings, EncodeSettings, VideoWriter, Written, open_frames};
use image::{Rgb, RgbImage};

/// Runs `ffmpeg`; a bare string is split at blanks, paths come after.
pub fn ffmpeg(arguments: &str, output: &Path) {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y"]).args(arguments.split_whitespace()).arg(output);
    let done = command.output().expect("ffmpeg is installed");
    assert!(done.status.success(), "{arguments}: {}", String::from_utf8_lossy(&done.stderr));
}

/// What `ffprobe` says of the `entries` of the first stream of `kind` (`v` or `a`), one value a line.
pub fn ffprobe(kind: &str, entries: &str, path: &Path) -> Vec<String> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-count_packets", "-count_frames", "-select_streams", &format!("{kind}:0")]);
    command.args(["-show_entries", entries, "-of", "default=noprint_wrappers=1:nokey=1"]).arg(path);
    let done = command.output().expect("ffprobe is installed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).lines().map(str::to_owned).collect()
}

/// All frames of a clip as `ffmpeg` shows them.
pub fn dump(path: &Path, width: u32, height: u32) -> Vec<RgbImage> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(path);
    command.args([
        "-fps_mode",
        "passthrough",
        "-sws_flags",
        "bicubic+accurate_rnd+full_chroma_int",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]);
    let done = command.output().expect("ffmpeg is installed");
    let size = (width * height * 3) as usize;
    assert_eq!(done.stdout.len() % size, 0, "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout.chunks(size).map(|bytes| RgbImage::from_raw(width, height, bytes.to_vec()).unwrap()).collect()
}

pub fn read(path: &Path) -> Vec<Frame> {
    read_with(path, &DecodeSettings::default())
}

pub fn read_with(path: &Path, settings: &DecodeSettings) -> Vec<Frame> {
    open_frames(path, settings).unwrap().collect::<Result<_>>().unwrap()
}

pub fn write(path: &Path, frames: &[Frame], settings: &EncodeSettings) -> Result<Written> {
    let (width, height) = frames[0].image.dimensions();
    let mut writer = VideoWriter::create(path, width, height, settings)?;
    for frame in frames {
        writer.write(frame)?;
    }
    writer.finish()
}

/// Mean difference of two pictures of one size, in steps of 256.
pub fn difference(one: &RgbImage, other: &RgbImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let pairs = one.as_raw().iter().zip(other.as_raw());
    pairs.map(|(&a, &b)| f64::from(a.abs_diff(b))).sum::<f64>() / one.as_raw().len() as f64
}

/// Eight upright bars of strong and mixed colours.
pub const BARS: [[u8; 3]; 8] = [
    [255, 255, 255],
    [220, 30, 30],
    [30, 200, 40],
    [25, 40, 230],
    [240, 220, 20],
    [150, 90, 180],
    [128, 128, 128],
    [0, 0, 0],
];

pub fn bars(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| Rgb(BARS[(x * 8 / width) as usize]))
}

/// Largest difference in the middle of each bar, in steps of 256.
pub fn bar_error(image: &RgbImage) -> u8 {
    let middle =
        |bar: usize| image.get_pixel((image.width() * (2 * bar as u32 + 1)) / 16, image.height() / 2);
    let errors =
        (0..8).flat_map(|bar| (0..3).map(move |channel| middle(bar).0[channel].abs_diff(BARS[bar][channel])));
    errors.max().unwrap()
}

/// A moving white square on the bars, at the given rate.
pub fn clip(width: u32, height: u32, count: u32, rate: f64) -> Vec<Frame> {
    let frame = |index: u32| {
        let mut image = bars(width, height);
        for (x, y) in (0..8).flat_map(|x| (0..8).map(move |y| (x, y))) {
            image.put_pixel((index * 2 + x) % width, y, Rgb([255, 128, 0]));
        }
        Frame { image, time: f64::from(index) / rate }
    };
    (0..count).map(frame).collect()
}
