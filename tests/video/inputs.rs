//! Everything that users have as a dance video.

use std::path::Path;

use dreamtuner::video::{DecodeSettings, open_frames, open_frames_for_search};
use image::imageops;

use crate::tools::*;

const PICTURES: &str = "-f lavfi -i testsrc2=size=64x48:rate=24:duration=1";

/// Frames, count and times are those of ffmpeg.
fn same_as_ffmpeg(path: &Path, width: u32, height: u32, tolerance: f64) {
    let frames = read(path);
    let expected = dump(path, width, height);
    assert_eq!(frames.len(), expected.len());
    for (frame, expected) in frames.iter().zip(&expected) {
        let error = difference(&frame.image, expected);
        assert!(error <= tolerance, "{}: {error}", path.display());
    }
    let times: Vec<f64> =
        ffprobe("v", "frame=pts_time", path).iter().filter_map(|time| time.parse().ok()).collect();
    assert_eq!(times.len(), frames.len());
    for (frame, time) in frames.iter().zip(&times) {
        assert!((frame.time - (time - times[0])).abs() < 1e-4, "{} {time}", frame.time);
    }
}

#[test]
fn h264_with_sound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a: dance.mp4");
    ffmpeg(&format!("{PICTURES} -f lavfi -i sine=duration=1 -pix_fmt yuv420p -c:v libx264 -c:a aac"), &path);
    let reader = open_frames(&path, &DecodeSettings::default()).unwrap();
    assert_eq!((reader.width(), reader.height()), (64, 48));
    assert_eq!(reader.frame_rate(), (24, 1));
    assert!(reader.has_audio());
    assert!((reader.duration().unwrap() - 1.0).abs() < 0.01);
    assert_eq!(reader.count(), 24);
    same_as_ffmpeg(&path, 64, 48, 0.5);
}

/// The same frames at the same times, in nearly the same colours.
#[test]
fn frames_that_are_searched() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/footage/balance.mp4");
    let exact = read(&path);
    let quick = open_frames_for_search(&path, &DecodeSettings::default()).unwrap().map(Result::unwrap);
    let quick: Vec<_> = quick.collect();
    assert_eq!(quick.len(), exact.len());
    for (quick, exact) in quick.iter().zip(&exact) {
        assert_eq!((quick.time, quick.image.dimensions()), (exact.time, exact.image.dimensions()));
        let error = difference(&quick.image, &exact.image);
        assert!(error < 3.0, "{error}");
    }
}

/// Writes the display matrix of a phone into the first track of an MP4: the columns where x and y land.
fn turn(path: &Path, matrix: [i32; 4]) {
    let mut bytes = std::fs::read(path).unwrap();
    let header = bytes.windows(4).position(|four| four == b"tkhd").unwrap() + 4 + 40;
    for (index, value) in [0, 1, 3, 4].into_iter().zip(matrix) {
        let at = header + index * 4;
        bytes[at..at + 4].copy_from_slice(&(value * 65536).to_be_bytes());
    }
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn rotated_phone_video() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("phone.mp4");
    ffmpeg(&format!("{PICTURES} -pix_fmt yuv420p -c:v libx264"), &path);
    let upright = read(&path);
    let turned = |matrix| {
        turn(&path, matrix);
        let frames = read(&path);
        let (width, height) = frames[0].image.dimensions();
        let reader = open_frames(&path, &DecodeSettings::default()).unwrap();
        assert_eq!((reader.width(), reader.height()), (width, height));
        same_as_ffmpeg(&path, width, height, 0.5);
        frames[5].image.clone()
    };
    assert_eq!(turned([0, 1, -1, 0]), imageops::rotate90(&upright[5].image));
    assert_eq!(turned([-1, 0, 0, -1]), imageops::rotate180(&upright[5].image));
    assert_eq!(turned([0, -1, 1, 0]), imageops::rotate270(&upright[5].image));
    // Mirrored, as by a front camera: ffmpeg 5 does not follow these, so only the meaning of the matrix is checked.
    turn(&path, [-1, 0, 0, 1]);
    assert_eq!(read(&path)[5].image, imageops::flip_horizontal(&upright[5].image));
    turn(&path, [0, 1, 1, 0]);
    let transposed = imageops::flip_horizontal(&imageops::rotate90(&upright[5].image));
    assert_eq!(read(&path)[5].image, transposed);
}

#[test]
fn variable_rate_webm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vfr.webm");
    // Frames 0-5, then every third one up to 21.
    let select = "-vf select=lt(n\\,6)+not(mod(n\\,3))";
    ffmpeg(
        &format!("{PICTURES} {select} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -enc_time_base 1/1000"),
        &path,
    );
    same_as_ffmpeg(&path, 64, 48, 0.5);
    let sources = read(&path);
    assert_eq!(sources.len(), 12);
    assert!((sources[7].time - 9.0 / 24.0).abs() < 0.001);
    // At 24 a second, a gap is filled with the frame before it.
    let settings = DecodeSettings { frames_per_second: Some(24.0), ..Default::default() };
    let filled = read_with(&path, &settings);
    assert!(filled.len() >= 22, "{}", filled.len());
    for (index, frame) in filled.iter().enumerate().take(22) {
        assert!((frame.time - index as f64 / 24.0).abs() < 1e-9);
        let shown = if index < 6 { index } else { index / 3 + 4 };
        assert_eq!(frame.image, sources[shown].image, "output {index}");
    }
}

#[test]
fn gif() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dance.gif");
    ffmpeg("-f lavfi -i testsrc2=size=64x48:rate=10:duration=2", &path);
    same_as_ffmpeg(&path, 64, 48, 0.0);
}

#[test]
fn hevc_of_ten_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dance.mkv");
    ffmpeg(&format!("{PICTURES} -pix_fmt yuv420p10le -c:v libx265 -x265-params log-level=none"), &path);
    same_as_ffmpeg(&path, 64, 48, 0.6);
}

#[test]
fn odd_sizes_and_oblong_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("odd.mp4");
    ffmpeg(
        "-f lavfi -i testsrc2=size=64x48:rate=24:duration=0.5 -vf format=yuv444p,crop=63:47 -c:v libx264",
        &odd,
    );
    same_as_ffmpeg(&odd, 63, 47, 0.5);
    let wide = folder.path().join("wide.mp4");
    ffmpeg(
        "-f lavfi -i testsrc2=size=48x48:rate=24:duration=0.5 -vf setsar=4/3 -pix_fmt yuv420p -c:v libx264",
        &wide,
    );
    assert_eq!(read(&wide)[0].image.dimensions(), (64, 48));
}

#[test]
fn folder_of_pictures_in_natural_order() {
    let folder = tempfile::tempdir().unwrap();
    ffmpeg(&format!("{PICTURES} -start_number 1"), &folder.path().join("%d.png"));
    std::fs::write(folder.path().join("notes.txt"), "no picture").unwrap();
    let expected = {
        let clip = folder.path().join("clip.mkv");
        ffmpeg(&format!("{PICTURES} -c:v ffv1 -pix_fmt bgr0"), &clip);
        read(&clip)
    };
    let frames = read(folder.path());
    assert_eq!(frames.len(), 24);
    assert_eq!(frames[10].image, expected[10].image);
    assert!((frames[23].time - 23.0 / 24.0).abs() < 1e-9);
    let settings = DecodeSettings { start: Some(0.5), end: Some(1.5), frames_per_second: Some(12.0) };
    let part = read_with(folder.path(), &settings);
    assert_eq!(part.len(), 12);
    assert_eq!(part[0].image, expected[6].image);
    assert_eq!(part[0].time, 0.0);
    let one = read(&folder.path().join("7.png"));
    assert_eq!((one.len(), one[0].time), (1, 0.0));
}

#[test]
fn colours_follow_the_tags() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("bars.png");
    bars(128, 96).save(&source).unwrap();
    let cases = [
        ("bt709", "limited", "bt709", "tv", "yuv444p"),
        ("bt601", "limited", "smpte170m", "tv", "yuv444p"),
        ("bt709", "full", "bt709", "pc", "yuv444p"),
        ("bt601", "full", "smpte170m", "pc", "yuv444p"),
        ("bt2020", "limited", "bt2020nc", "tv", "yuv444p10le"),
    ];
    for (matrix, range, space, tagged_range, format) in cases {
        let path = folder.path().join("bars.mkv");
        let filter = format!(
            "-vf scale=out_color_matrix={matrix}:out_range={range}:flags=accurate_rnd,format={format}"
        );
        let tags = format!("-colorspace {space} -color_range {tagged_range} -c:v ffv1 -strict -1");
        ffmpeg(&format!("-i {} {filter} {tags}", source.display()), &path);
        let error = bar_error(&read(&path)[0].image);
        assert!(error <= 3, "{matrix} {range} {format}: {error}");
    }
    // Motion JPEG says its full range by the pixel format alone.
    let path = folder.path().join("bars.avi");
    ffmpeg(&format!("-i {} -pix_fmt yuvj420p -c:v mjpeg -q:v 1", source.display()), &path);
    let error = bar_error(&read(&path)[0].image);
    assert!(error <= 4, "Motion JPEG: {error}");
}

#[test]
fn trims_and_resamples_by_presentation_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.mkv");
    ffmpeg("-f lavfi -i testsrc2=size=32x32:rate=30:duration=2 -c:v ffv1 -pix_fmt bgr0", &path);
    let all = read(&path);
    assert_eq!(all.len(), 60);
    let part = |start, end, rate| {
        read_with(&path, &DecodeSettings { start: Some(start), end: Some(end), frames_per_second: rate })
    };
    let middle = part(0.5, 1.5, None);
    assert_eq!(middle.len(), 30);
    assert_eq!(middle[0].image, all[15].image);
    assert_eq!(middle[0].time, 0.0);
    assert!((middle[29].time - 29.0 / 30.0).abs() < 0.002);
    // Between two frames, the one on screen comes first.
    let between = part(0.51, 0.6, None);
    assert_eq!(between[0].image, all[15].image);
    assert_eq!(between.len(), 3);
    // As many as ffmpeg's own filter gives, and the same ones.
    for rate in [10.0, 12.0, 24.0, 60.0] {
        let settings = DecodeSettings { frames_per_second: Some(rate), ..Default::default() };
        let ours = read_with(&path, &settings);
        let filtered = folder.path().join("filtered.mkv");
        ffmpeg(&format!("-i {} -vf fps={rate} -c:v ffv1", path.display()), &filtered);
        let theirs = dump(&filtered, 32, 32);
        assert_eq!(ours.len(), theirs.len(), "{rate} a second");
        for (index, (our, their)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(&our.image, their, "frame {index} at {rate} a second");
        }
    }
}

#[test]
fn jumps_to_a_late_start() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["long.mp4", "long.ts"] {
        let path = folder.path().join(name);
        ffmpeg(
            "-f lavfi -i testsrc2=size=32x32:rate=24:duration=16 -pix_fmt yuv420p -c:v libx264 -g 48",
            &path,
        );
        let all = read(&path);
        let settings = DecodeSettings { start: Some(12.0), end: Some(13.0), ..Default::default() };
        let part = read_with(&path, &settings);
        assert_eq!(part.len(), 24, "{name}");
        assert_eq!(part[0].image, all[288].image, "{name}");
        assert_eq!(part[23].image, all[311].image, "{name}");
    }
}

#[test]
fn one_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.mp4");
    ffmpeg(&format!("{PICTURES} -frames:v 1 -pix_fmt yuv420p -c:v libx264"), &path);
    assert_eq!(read(&path).len(), 1);
}

#[test]
fn a_colour_matrix_that_nobody_knows() {
    let film = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/video").join(name);
        let frames = open_frames(&path, &DecodeSettings::default()).unwrap();
        frames.map(|frame| frame.unwrap().image).collect::<Vec<_>>()
    };
    // The same film, whose header states the matrix 4294967167 and no range.
    let unknown = film("ffv1-unknown-matrix.mkv");
    assert!(!unknown.is_empty());
    assert!(unknown == film("ffv1.mkv"));
}
