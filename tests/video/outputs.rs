//! The six kinds of output.

use std::path::Path;

use dreamtuner::frame::Frame;
use dreamtuner::outputs::read_png_text;
use dreamtuner::video::{Container, EncodeSettings, FrameReader, VideoReader, VideoWriter};

use crate::tools::*;

fn settings() -> EncodeSettings {
    let metadata = [("title", "A dance"), ("comment", r#"{"seed":7,"prompt":"größer"}"#)];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    EncodeSettings { frame_rate: (24, 1), metadata, ..Default::default() }
}

/// Writes 24 frames and checks count, length, colours and comment; gives what is read back.
fn round_trip(name: &str, codec: &str, tolerance: u8) -> (Vec<Frame>, Vec<Frame>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let frames = clip(128, 96, 24, 24.0);
    let written = write(&path, &frames, &settings()).unwrap();
    assert_eq!(written.frames, 24);
    assert!((written.seconds - 1.0).abs() < 1e-9);
    let facts = ffprobe("v", "stream=codec_name,nb_read_packets,nb_read_frames", &path);
    assert_eq!(facts, [codec, "24", "24"], "{name}");
    let tags = ffprobe("v", "format_tags", &path).join("\n");
    assert!(tags.contains(r#"{"seed":7,"prompt":"größer"}"#), "{name}: {tags}");
    let length: f64 = ffprobe("v", "format=duration", &path)[0].parse().unwrap();
    assert!((length - 1.0).abs() <= 1.0 / 24.0, "{name} lasts {length}");
    for image in dump(&path, 128, 96) {
        assert!(bar_error(&image) <= tolerance, "{name} as ffmpeg shows it: {}", bar_error(&image));
    }
    let back = read(&path);
    assert_eq!(back.len(), 24);
    for (one, other) in frames.iter().zip(&back) {
        assert!((one.time - other.time).abs() < 0.006, "{} {}", one.time, other.time);
        assert!(bar_error(&other.image) <= tolerance, "{name}: {}", bar_error(&other.image));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "{name} leaves files behind");
    (frames, back)
}

#[test]
fn mp4() {
    round_trip("out.mp4", "h264", 4);
}

#[test]
fn webm() {
    round_trip("out.webm", "vp9", 5);
}

#[test]
fn gif() {
    let (frames, back) = round_trip("out.gif", "gif", 6);
    assert!(difference(&frames[12].image, &back[12].image) < 3.0);
}

#[test]
fn mov() {
    round_trip("out.mov", "prores", 3);
}

#[test]
fn mkv_is_lossless() {
    let (frames, back) = round_trip("out.mkv", "ffv1", 0);
    for (one, other) in frames.iter().zip(&back) {
        assert_eq!(one.image, other.image);
    }
}

#[test]
fn png_sequences_are_lossless() {
    let folder = tempfile::tempdir().unwrap();
    let frames = clip(33, 17, 5, 24.0);
    let named = folder.path().join("frame%03d.png");
    assert_eq!(Container::from_path(&named).unwrap(), Container::PngSequence);
    write(&named, &frames, &settings()).unwrap();
    let in_folder = folder.path().join("frames/");
    write(&in_folder, &frames, &settings()).unwrap();
    for (index, frame) in frames.iter().enumerate() {
        let one = image::open(folder.path().join(format!("frame{index:03}.png"))).unwrap();
        let other = image::open(in_folder.join(format!("{index:06}.png"))).unwrap();
        assert_eq!(one.into_rgb8(), frame.image);
        assert_eq!(other.into_rgb8(), frame.image);
    }
    let texts = read_png_text(&in_folder.join("000000.png")).unwrap();
    assert_eq!(texts["comment"], r#"{"seed":7,"prompt":"größer"}"#);
    assert_eq!(ffprobe("v", "stream=nb_read_frames", &in_folder.join("%06d.png")), ["5"]);
    // A shorter sequence takes the place of the longer one.
    write(&in_folder, &frames[..3], &settings()).unwrap();
    assert_eq!(std::fs::read_dir(&in_folder).unwrap().count(), 3);
}

#[test]
fn h264_is_tagged_padded_and_streamable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("odd.mp4");
    let frames = clip(65, 49, 6, 24.0);
    write(&path, &frames, &settings()).unwrap();
    let entries = "stream=width,height,pix_fmt,color_range,color_space,color_transfer,color_primaries";
    assert_eq!(ffprobe("v", entries, &path), ["66", "50", "yuv420p", "tv", "bt709", "bt709", "bt709"]);
    let bytes = std::fs::read(&path).unwrap();
    let find = |name: &[u8; 4]| bytes.windows(4).position(|four| four == name).unwrap();
    assert!(find(b"moov") < find(b"mdat"), "not faststart");
    // The other kinds keep odd sizes.
    for name in ["odd.webm", "odd.gif", "odd.mov", "odd.mkv"] {
        let path = folder.path().join(name);
        write(&path, &frames, &settings()).unwrap();
        assert_eq!(ffprobe("v", "stream=width,height", &path), ["65", "49"], "{name}");
    }
}

#[test]
fn every_field_of_the_metadata_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let long = "word ".repeat(20_000);
    let fields = [("comment", long.as_str()), ("dreamtuner", "settings")];
    let metadata = fields.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
    let settings = EncodeSettings { metadata, ..Default::default() };
    for name in ["out.mp4", "out.mov", "out.mkv", "out.webm"] {
        let path = folder.path().join(name);
        write(&path, &clip(32, 32, 3, 24.0), &settings).unwrap();
        let tags = ffprobe("v", "format_tags", &path);
        assert!(tags.iter().any(|tag| tag.trim_end() == long.trim_end()), "{name}: comment");
        assert!(tags.iter().any(|tag| tag == "settings"), "{name}: {tags:?}");
    }
}

#[test]
fn varying_times_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut frames = clip(32, 32, 8, 24.0);
    for (frame, time) in frames.iter_mut().zip([0.0, 0.1, 0.13, 0.5, 0.51, 0.9, 1.3, 1.34]) {
        frame.time = time;
    }
    for name in ["out.mp4", "out.webm", "out.mov", "out.mkv", "out.gif"] {
        let path = folder.path().join(name);
        let written = write(&path, &frames, &EncodeSettings::default()).unwrap();
        assert!((written.seconds - (1.34 + 1.0 / 24.0)).abs() < 1e-9);
        let tolerance = if name == "out.gif" { 0.0151 } else { 0.0011 };
        let back = read(&path);
        assert_eq!(back.len(), 8, "{name}");
        for (one, other) in frames.iter().zip(&back) {
            assert!((one.time - other.time).abs() < tolerance, "{name}: {} {}", one.time, other.time);
        }
    }
}

#[test]
fn broadcast_rates_are_exact() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["out.mp4", "out.mov"] {
        let path = folder.path().join(name);
        let settings = EncodeSettings { frame_rate: (30000, 1001), ..Default::default() };
        write(&path, &clip(32, 32, 60, 30000.0 / 1001.0), &settings).unwrap();
        let rates = ffprobe("v", "stream=r_frame_rate,avg_frame_rate", &path);
        assert_eq!(rates, ["30000/1001", "30000/1001"], "{name}");
        let reader = VideoReader::open(&path, &Default::default()).unwrap();
        assert_eq!(reader.frame_rate(), (30000, 1001));
    }
}

#[test]
fn still_pictures_are_counted() {
    // Equal frames must not be merged or dropped, in GIF least of all.
    let folder = tempfile::tempdir().unwrap();
    let frames: Vec<Frame> =
        (0..12).map(|index| Frame { image: bars(48, 32), time: f64::from(index) / 12.0 }).collect();
    for name in ["still.gif", "still.mp4", "still.webm"] {
        let path = folder.path().join(name);
        write(&path, &frames, &EncodeSettings { frame_rate: (12, 1), ..Default::default() }).unwrap();
        assert_eq!(read(&path).len(), 12, "{name}");
    }
}

#[test]
fn a_dropped_writer_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["out.mp4", "out.gif"] {
        let path = folder.path().join(name);
        std::fs::write(&path, "an older file").unwrap();
        let mut writer = VideoWriter::create(&path, 32, 32, &EncodeSettings::default()).unwrap();
        writer.write(&clip(32, 32, 1, 24.0)[0]).unwrap();
        drop(writer);
        assert_eq!(std::fs::read(&path).unwrap(), b"an older file");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn names_choose_the_container() {
    let of = |name: &str| Container::from_path(Path::new(name));
    assert_eq!(of("a.MP4").unwrap(), Container::Mp4H264);
    assert_eq!(of("a.m4v").unwrap(), Container::Mp4H264);
    assert_eq!(of("a.webm").unwrap(), Container::WebmVp9);
    assert_eq!(of("a.gif").unwrap(), Container::Gif);
    assert_eq!(of("a.mov").unwrap(), Container::MovProRes);
    assert_eq!(of("a.mkv").unwrap(), Container::MkvFfv1);
    assert_eq!(of("a%04d.png").unwrap(), Container::PngSequence);
    assert_eq!(of("folder/").unwrap(), Container::PngSequence);
    for name in ["a.avi", "a", "a.png", "a%d%d.png", "a%5d.png", "a%s.png"] {
        let message = of(name).unwrap_err().to_string();
        assert!(message.contains("png"), "{message}");
    }
}

#[test]
fn readers_and_writers_can_move_to_other_threads() {
    fn is_send<T: Send>() {}
    is_send::<VideoReader>();
    is_send::<VideoWriter>();
}
