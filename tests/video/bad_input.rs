//! Files and settings that cannot be used: one clear error each, and what is good before it.

use std::path::{Path, PathBuf};

use dreamtuner::error::Error;
use dreamtuner::frame::Frame;
use dreamtuner::video::{AudioSource, DecodeSettings, EncodeSettings, VideoWriter, open_frames};
use image::RgbImage;
use proptest::prelude::*;

use crate::tools::*;

fn open_error(path: &Path) -> String {
    match open_frames(path, &DecodeSettings::default()) {
        Ok(_) => panic!("{} was opened", path.display()),
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(path.to_str().unwrap()), "{message}");
            message
        }
    }
}

#[test]
fn files_that_are_no_videos() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    assert!(open_error(&folder.path().join("none.mp4")).contains("No such file"));
    assert!(open_error(&folder.path().join("none.png")).contains("No such file"));
    assert!(open_error(&file("empty.mp4", b"")).contains("empty"));
    assert!(open_error(&file("empty.png", b"")).contains("empty"));
    assert!(open_error(&file("text.mp4", b"just words\n")).contains("not a readable video"));
    let text = "words ".repeat(1000);
    assert!(open_error(&file("notes.txt", text.as_bytes())).contains("video"));
    assert!(open_error(&file("text.png", b"just words\n")).contains("not a readable picture"));
    let bare = folder.path().join("bare");
    std::fs::create_dir(&bare).unwrap();
    assert!(open_error(&bare).contains("holds no pictures"));
    let sound = folder.path().join("sound.wav");
    ffmpeg("-f lavfi -i sine=duration=1", &sound);
    assert!(open_error(&sound).contains("only sound"));
    // The picture on the cover of a song is not a video.
    let song = folder.path().join("song.mp3");
    let cover = folder.path().join("cover.png");
    bars(32, 32).save(&cover).unwrap();
    let cover = format!("-i {} -disposition:v attached_pic", cover.display());
    ffmpeg(&format!("-f lavfi -i sine=duration=1 {cover} -map 0 -map 1 -c:v copy"), &song);
    assert!(open_error(&song).contains("only sound"));
    // A playlist is not followed to the network.
    let list = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n";
    open_error(&file("list.m3u8", list));
}

#[test]
fn frames_that_are_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("wide.mkv");
    ffmpeg("-f lavfi -i color=size=8208x16:rate=1:duration=1 -c:v ffv1", &video);
    let message = open_error(&video);
    assert!(message.contains("8208×16") && message.contains("8192"), "{message}");
    let picture = folder.path().join("tall.png");
    RgbImage::new(2, 8193).save(&picture).unwrap();
    let message = open_error(&picture);
    assert!(message.contains("2×8193") && message.contains("8192"), "{message}");
}

/// A clip of 48 frames, in every container.
fn clips(folder: &Path) -> Vec<PathBuf> {
    let kinds = [
        ("clip.mp4", "-c:v libx264 -pix_fmt yuv420p -g 8 -movflags +faststart"),
        ("clip.mov", "-c:v prores_ks -movflags +faststart"),
        ("clip.mkv", "-c:v libx264 -pix_fmt yuv420p -g 12"),
        ("clip.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8"),
        ("clip.avi", "-c:v mpeg4"),
        ("clip.gif", ""),
    ];
    let make = |(name, codec): &(&str, &str)| {
        let path = folder.join(name);
        ffmpeg(&format!("-f lavfi -i testsrc2=size=64x48:rate=24:duration=2 {codec}"), &path);
        path
    };
    kinds.iter().map(make).collect()
}

#[test]
fn cut_off_files_give_their_frames_and_then_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for path in clips(folder.path()) {
        let name = path.display().to_string();
        let whole = read(&path);
        assert_eq!(whole.len(), 48, "{name}");
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() * 7 / 10]).unwrap();
        let mut reader = open_frames(&path, &DecodeSettings::default()).unwrap();
        let mut good = 0;
        let failure = loop {
            match reader.next() {
                Some(Ok(frame)) => {
                    assert_eq!(frame.image, whole[good].image, "{name}, frame {good}");
                    good += 1;
                }
                Some(Err(failure)) => break failure,
                None => panic!("{name}: the cut looks like an end after {good} frames"),
            }
        };
        assert!((10..48).contains(&good), "{name}: {good} frames, {failure}");
        assert!(matches!(failure, Error::Frame { frame, .. } if frame == good), "{failure}");
        assert!(failure.to_string().contains(&name), "{failure}");
        assert!(reader.next().is_none(), "{name} goes on after the error");
    }
}

#[test]
fn a_damaged_picture_in_a_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..3 {
        bars(16, 16).save(folder.path().join(format!("{index}.png"))).unwrap();
    }
    let broken = folder.path().join("1.png");
    let bytes = std::fs::read(&broken).unwrap();
    std::fs::write(&broken, &bytes[..bytes.len() / 2]).unwrap();
    let mut reader = open_frames(folder.path(), &DecodeSettings::default()).unwrap();
    assert!(reader.next().unwrap().is_ok());
    let message = reader.next().unwrap().unwrap_err().to_string();
    assert!(message.starts_with("frame 1:") && message.contains("1.png"), "{message}");
    assert!(reader.next().is_none());
}

#[test]
fn settings_out_of_range() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mkv");
    ffmpeg("-f lavfi -i testsrc2=size=32x32:rate=24:duration=1 -c:v ffv1", &path);
    let part = |start, end, frames_per_second| DecodeSettings { start, end, frames_per_second };
    for settings in [
        part(Some(-1.0), None, None),
        part(Some(f64::NAN), None, None),
        part(Some(2.0), Some(1.0), None),
        part(None, Some(f64::INFINITY), None),
        part(None, None, Some(0.0)),
        part(None, None, Some(f64::NAN)),
        part(None, None, Some(1e9)),
    ] {
        let refused = open_frames(&path, &settings).err().expect("settings are refused");
        assert!(
            matches!(refused, Error::Setting { .. }) && refused.to_string().contains("allowed"),
            "{refused}"
        );
    }
    let mut late = open_frames(&path, &part(Some(5.0), None, None)).unwrap();
    let failure = late.next().unwrap().unwrap_err();
    assert!(failure.to_string().contains("start") && failure.to_string().contains('5'), "{failure}");
    assert!(late.next().is_none());
}

fn create_error(path: &Path, settings: &EncodeSettings) -> String {
    VideoWriter::create(path, 32, 32, settings).err().expect("the output is refused").to_string()
}

#[test]
fn outputs_that_cannot_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let plain = EncodeSettings::default();
    let at = |name: &str| folder.path().join(name);
    assert!(create_error(&at("out.xyz"), &plain).contains("known: .mp4"));
    assert!(create_error(&at("missing/out.mp4"), &plain).contains("does not exist"));
    assert!(create_error(&at("missing/out.gif"), &plain).contains("does not exist"));
    assert!(create_error(&at("missing/%d.png"), &plain).contains("does not exist"));
    assert!(create_error(&at("missing/deeper/"), &plain).contains("cannot be made"));
    std::fs::write(at("file"), "x").unwrap();
    assert!(create_error(&at("file/out.mp4"), &plain).contains("does not exist"));
    for (settings, name) in [
        (EncodeSettings { frame_rate: (0, 1), ..plain.clone() }, "out.mp4"),
        (EncodeSettings { frame_rate: (24, 0), ..plain.clone() }, "out.mp4"),
        (EncodeSettings { frame_rate: (60, 1), ..plain.clone() }, "out.gif"),
        (EncodeSettings { quality: Some(52), ..plain.clone() }, "out.mp4"),
        (EncodeSettings { metadata: vec![("a\0".into(), "b".into())], ..plain.clone() }, "out.mp4"),
    ] {
        assert!(create_error(&at(name), &settings).contains("allowed"));
    }
    let quality = EncodeSettings { quality: Some(5), ..plain.clone() };
    assert!(create_error(&at("out.mkv"), &quality).contains("no quality setting"));
    let source = AudioSource { path: at("none.mp3"), start: 0.0, end: None };
    let audio = EncodeSettings { audio: Some(source), ..plain.clone() };
    assert!(create_error(&at("out.mp4"), &audio).contains("none.mp3"));
    assert!(VideoWriter::create(at("out.mp4"), 0, 32, &plain).is_err());
    assert!(VideoWriter::create(at("out.mp4"), 9000, 32, &plain).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "refused outputs leave files");
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_to() {
    // Not even the superuser can make files here.
    let message = create_error(Path::new("/proc/out.mp4"), &EncodeSettings::default());
    assert!(message.contains("cannot be written to"), "{message}");
}

#[test]
fn frames_that_do_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.mp4");
    let mut writer = VideoWriter::create(&path, 32, 32, &EncodeSettings::default()).unwrap();
    let frame = |width, time| Frame { image: RgbImage::new(width, 32), time };
    writer.write(&frame(32, 0.0)).unwrap();
    assert!(writer.write(&frame(31, 0.1)).unwrap_err().to_string().contains("31×32"));
    for time in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(writer.write(&frame(32, time)).unwrap_err().to_string().contains("frame 1"));
    }
    assert_eq!(writer.finish().unwrap().frames, 1);
    let empty = VideoWriter::create(&path, 32, 32, &EncodeSettings::default()).unwrap();
    assert!(empty.finish().unwrap_err().to_string().contains("no frame"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Bytes changed, cut or made up: frames or errors, never a panic, never without an end.
    #[test]
    fn damaged_files_do_not_panic(
        kind in 0..3_usize,
        cut in 0.0..1.0_f64,
        changes in prop::collection::vec((0.0..1.0_f64, any::<u8>()), 0..24),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (name, mut bytes) = sample(kind);
        for (place, value) in changes {
            let at = (place * bytes.len() as f64) as usize;
            bytes[at] = value;
        }
        bytes.truncate((bytes.len() as f64 * cut.max(0.2)) as usize);
        let path = folder.path().join(name);
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(reader) = open_frames(&path, &DecodeSettings::default()) {
            prop_assert!(reader.take(1000).count() < 1000);
        }
    }
}

/// A small clip of one kind, written once.
fn sample(kind: usize) -> (&'static str, Vec<u8>) {
    use std::sync::OnceLock;
    static CLIPS: OnceLock<Vec<(&'static str, Vec<u8>)>> = OnceLock::new();
    let make = |name: &'static str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        write(&path, &clip(32, 32, 8, 24.0), &EncodeSettings::default()).unwrap();
        (name, std::fs::read(&path).unwrap())
    };
    CLIPS.get_or_init(|| ["clip.mp4", "clip.webm", "clip.gif"].map(make).to_vec())[kind].clone()
}
