//! The sound goes along, cut with the pictures, at the right moment.

use std::path::{Path, PathBuf};
use std::process::Command;

use dreamtuner::video::{AudioSource, DecodeSettings, EncodeSettings};

use crate::tools::*;

const RATE: f64 = 24.0;
const FRAME: f64 = 1.0 / RATE;

/// Two seconds of pictures and silence with a beep from 1.25 s to 1.5 s.
fn source(folder: &Path, name: &str, codecs: &str) -> PathBuf {
    let path = folder.join(name);
    let pictures = "-f lavfi -i testsrc2=size=32x32:rate=24:duration=2";
    let beep = "-f lavfi -i aevalsrc=between(t\\,1.25\\,1.5)*sin(6283*t)|between(t\\,1.25\\,1.5)*sin(6283*t):s=44100:d=2";
    ffmpeg(&format!("{pictures} {beep} {codecs}"), &path);
    path
}

/// Writes the pictures of `[start, end)` with their sound.
fn cut(source: &Path, target: &Path, start: f64, end: Option<f64>, frames: usize) {
    let settings = DecodeSettings { start: Some(start), end, frames_per_second: None };
    let pictures = read_with(source, &settings);
    let audio = Some(AudioSource { path: source.to_path_buf(), start, end });
    let settings = EncodeSettings { frame_rate: (24, 1), audio, ..Default::default() };
    write(target, &pictures[..frames.min(pictures.len())], &settings).unwrap();
}

/// Moment of the first loud sample and of the last, and the length of the sound, in seconds.
fn beep(path: &Path) -> (f64, f64, f64) {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(path);
    command.args(["-vn", "-af", "aresample=8000:async=1:first_pts=0", "-ac", "1", "-f", "s16le", "-"]);
    let samples = command.output().unwrap().stdout;
    let samples: Vec<i16> =
        samples.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let loud = |sample: &i16| sample.unsigned_abs() > 6000;
    let first = samples.iter().position(loud).map_or(f64::NAN, |index| index as f64 / 8000.0);
    let last = samples.iter().rposition(loud).map_or(f64::NAN, |index| index as f64 / 8000.0);
    (first, last, samples.len() as f64 / 8000.0)
}

fn check(path: &Path, codec: &str, begins: f64, ends: f64, length: f64) {
    let name = path.display();
    assert_eq!(ffprobe("a", "stream=codec_name", path), [codec], "{name}");
    let start: f64 = ffprobe("v", "stream=start_time", path)[0].parse().unwrap();
    assert!(start.abs() < 0.002, "{name}: the pictures start at {start}");
    let (first, last, heard) = beep(path);
    assert!((first - begins).abs() <= 0.015, "{name}: beep begins at {first}, not {begins}");
    assert!((last - ends).abs() <= 0.015, "{name}: beep ends at {last}, not {ends}");
    assert!((heard - length).abs() <= FRAME, "{name}: sound lasts {heard}, pictures {length}");
}

#[test]
fn whole_clips() {
    let folder = tempfile::tempdir().unwrap();
    let aac = source(folder.path(), "aac.mp4", "-c:v libx264 -pix_fmt yuv420p -c:a aac");
    let opus =
        source(folder.path(), "opus.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus");
    let pcm = source(folder.path(), "pcm.avi", "-c:v mpeg4 -c:a pcm_s16le");
    let mp3 = source(folder.path(), "mp3.mkv", "-c:v mpeg4 -c:a libmp3lame");
    let ts = source(folder.path(), "aac.ts", "-c:v libx264 -pix_fmt yuv420p -c:a aac");
    let cases = [
        (&aac, "1.mp4", "aac"),
        (&aac, "1.mov", "aac"),
        (&aac, "1.mkv", "aac"),
        (&aac, "1.webm", "opus"),
        (&opus, "2.webm", "opus"),
        (&opus, "2.mkv", "opus"),
        (&opus, "2.mov", "aac"),
        (&opus, "2.mp4", "opus"),
        (&pcm, "3.mp4", "aac"),
        (&pcm, "3.mov", "pcm_s16le"),
        (&pcm, "3.mkv", "pcm_s16le"),
        (&mp3, "4.mp4", "mp3"),
        (&ts, "5.mp4", "aac"),
    ];
    for (source, name, codec) in cases {
        let target = folder.path().join(name);
        cut(source, &target, 0.0, None, usize::MAX);
        check(&target, codec, 1.25, 1.5, 2.0);
    }
    for name in ["out.gif", "frames/"] {
        cut(&aac, &folder.path().join(name), 0.0, None, usize::MAX);
    }
}

#[test]
fn cut_with_the_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let aac = source(folder.path(), "aac.mp4", "-c:v libx264 -pix_fmt yuv420p -c:a aac");
    let flac = source(folder.path(), "flac.mkv", "-c:v mpeg4 -c:a flac");
    for (source, name, codec) in [
        (&aac, "1.mp4", "aac"),
        (&aac, "1.mov", "aac"),
        (&aac, "1.mkv", "aac"),
        (&aac, "1.webm", "opus"),
        (&flac, "2.mp4", "aac"),
        (&flac, "2.mkv", "flac"),
    ] {
        let target = folder.path().join(name);
        cut(source, &target, 1.0, Some(1.75), usize::MAX);
        check(&target, codec, 0.25, 0.5, 0.75);
        // Interrupted after ten frames, in the middle of the beep.
        cut(source, &target, 1.0, Some(1.75), 10);
        check(&target, codec, 0.25, 10.0 * FRAME, 10.0 * FRAME);
    }
}

#[test]
fn sound_files_and_silent_ones() {
    let folder = tempfile::tempdir().unwrap();
    let frames = clip(32, 32, 24, RATE);
    let song = folder.path().join("song.wav");
    ffmpeg("-f lavfi -i sine=duration=3", &song);
    let with = |path: &Path| {
        let audio = Some(AudioSource { path: path.to_path_buf(), start: 0.5, end: None });
        EncodeSettings { audio, ..Default::default() }
    };
    let target = folder.path().join("out.mp4");
    write(&target, &frames, &with(&song)).unwrap();
    let (_, _, heard) = beep(&target);
    assert!((heard - 1.0).abs() <= FRAME, "{heard}");
    let silent = folder.path().join("silent.mkv");
    write(&silent, &frames, &EncodeSettings::default()).unwrap();
    write(&target, &frames, &with(&silent)).unwrap();
    assert!(ffprobe("a", "stream=codec_name", &target).is_empty());
}
