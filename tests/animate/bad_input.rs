//! Files that cannot be used: one clear error each, and nothing left behind.

use std::process::Command;

use image::RgbImage;
use serde_json::{Value, json};

use super::support::{Stage, ffmpeg, figure, frame, repository, run, text};

fn wave() -> String {
    text(&repository("poses/wave.mp4"))
}

#[test]
fn files_that_are_missing_empty_or_something_else() {
    let stage = Stage::new(2);
    stage.write("empty", "");
    stage.write("empty.png", "");
    stage.write("empty.json", "");
    stage.write("empty.mp4", "");
    stage.write("noise.bin", [7_u8, 200, 31, 0].repeat(1000));
    std::fs::create_dir(stage.path("folder")).unwrap();
    for option in [
        "pose",
        "reference",
        "reference-pose",
        "mask",
        "model",
        "vae",
        "tiny-vae",
        "lora",
        "embedding",
        "noise",
    ] {
        let absent = stage.animate(&format!("--{option} absent"));
        let code = absent.code;
        assert!(matches!(code, Some(3..=5)), "{option}: {code:?} {}", absent.stderr);
        absent.failed(code.unwrap(), &[&format!("absent (--{option})"), "No such file"]);
        for file in ["empty", "noise.bin", "folder"] {
            let run = stage.animate(&format!("--{option} {file} -o x.mkv"));
            let code = run.code;
            assert!(matches!(code, Some(3..=5)), "{option} {file}: {code:?} {}", run.stderr);
            run.failed(code.unwrap(), &[file]);
        }
    }
    for (option, file) in [("pose", "empty.json"), ("pose", "empty.mp4"), ("reference", "empty.png")] {
        stage.refuses(&format!("--{option} {file}"), 3, &[file, "0 bytes"]);
    }
    assert!(!stage.names().iter().any(|name| name.starts_with("out") || name.starts_with("x.")));
}

/// Only an option with a value names a file.
#[test]
fn files_without_an_option_are_named_alone() {
    let stage = Stage::new(1);
    let mut inspect = stage.program();
    inspect.args(["models", "inspect", "--json", "absent"]);
    run(inspect).failed(5, &["error: absent: No such file"]);
}

#[test]
fn videos_that_cannot_be_read_to_their_end() {
    let stage = Stage::new(2);
    let video = std::fs::read(wave()).unwrap();
    stage.write("cut.mp4", &video[..video.len() * 2 / 3]);
    stage.refuses("--pose cut.mp4", 3, &["cut.mp4"]);
    ffmpeg(&stage, &format!("-i {} -c copy whole.mkv", wave()));
    let video = std::fs::read(stage.path("whole.mkv")).unwrap();
    stage.write("cut.mkv", &video[..video.len() / 2]);
    stage.refuses("--pose cut.mkv", 3, &["cut.mkv"]);
    ffmpeg(&stage, "-f lavfi -i sine=duration=1 sound.wav");
    stage.refuses("--pose sound.wav", 3, &["sound.wav"]);
    ffmpeg(&stage, "-f lavfi -i sine=duration=1 sound.mp4");
    stage.refuses("--pose sound.mp4", 3, &["sound.mp4", "no video"]);
}

#[test]
fn videos_without_anybody_are_refused_with_what_to_do() {
    let stage = Stage::new(2);
    ffmpeg(&stage, "-f lavfi -i testsrc=size=64x64:rate=10:duration=1 plain.mp4");
    let pieces = ["plain.mp4", "nobody is seen in any of its 10 frames", "--pose-kind control"];
    stage.refuses("--pose plain.mp4", 3, &pieces);
    stage.refuses("--pose plain.mp4 --pose-kind skeleton", 3, &["plain.mp4", "not a skeleton video"]);
    stage.animate("--pose plain.mp4 --pose-kind control --end 0.2").succeeded();
    assert_eq!(stage.frames("out.mkv").len(), 2);
}

#[test]
fn pictures_that_are_damaged() {
    let stage = Stage::new(1);
    let picture = std::fs::read(stage.path("hero.png")).unwrap();
    stage.write("cut.png", &picture[..picture.len() / 2]);
    let mut broken = picture.clone();
    let middle = picture.len() / 2;
    broken[middle..middle + 8].fill(0x55);
    stage.write("broken.png", broken);
    stage.write("header.png", &picture[..20]);
    for file in ["cut.png", "broken.png", "header.png"] {
        for option in ["reference", "mask", "reference-pose"] {
            stage.refuses(&format!("--{option} {file}"), 3, &[file]);
        }
    }
    std::fs::create_dir(stage.path("steps")).unwrap();
    RgbImage::new(64, 64).save(stage.path("steps/0.png")).unwrap();
    std::fs::copy(stage.path("cut.png"), stage.path("steps/1.png")).unwrap();
    stage.refuses("--pose steps --pose-kind control", 3, &["steps/1.png"]);
}

#[test]
fn pose_files_with_wrong_content() {
    let stage = Stage::new(1);
    let pose = |edit: &dyn Fn(&mut Value)| {
        let mut poses = super::support::dance(3);
        edit(&mut poses[1]);
        poses.to_string()
    };
    let points = |poses: &mut Value| poses["people"][0]["pose_keypoints_2d"].take();
    let nan = pose(&|_| ()).replacen("10.0", "NaN", 1);
    let cases: [(&str, String, &[&str]); 9] = [
        ("nan", nan, &["NaN", "finite"]),
        ("null", pose(&|poses| poses["people"][0]["pose_keypoints_2d"][4] = Value::Null), &["null"]),
        ("text", pose(&|poses| poses["people"][0]["pose_keypoints_2d"][4] = "x".into()), &["x"]),
        ("far", pose(&|poses| poses["people"][0]["pose_keypoints_2d"][3] = 1e9.into()), &["1000000000"]),
        (
            "short",
            pose(&|poses| {
                let mut list = points(poses);
                list.as_array_mut().unwrap().pop();
                poses["people"][0]["pose_keypoints_2d"] = list;
            }),
            &["53"],
        ),
        ("nobody", json!([frame(&[]), frame(&[])]).to_string(), &["nobody in any of the 2 frames"]),
        ("none", "[]".into(), &[]),
        ("cut", pose(&|_| ())[..300].into(), &["not valid JSON"]),
        ("other", json!({"a": 1}).to_string(), &["no pose file"]),
    ];
    for (name, content, pieces) in cases {
        let file = format!("{name}.json");
        stage.write(&file, content);
        let pieces = [&[file.as_str()], pieces].concat();
        stage.refuses(&format!("--pose {file}"), 3, &pieces);
        stage.refuses(&format!("--reference-pose {file}"), 3, &pieces);
    }
}

#[test]
fn canvases_of_pose_files() {
    let stage = Stage::new(1);
    for (width, height) in [(0, 64), (64, 1_000_000_000)] {
        let pose = json!([{"canvas_width": width, "canvas_height": height, "people": [figure(0.0, 32.0)]}]);
        stage.write("canvas.json", pose.to_string());
        stage.refuses("--pose canvas.json", 3, &["canvas.json"]);
    }
    let pose = json!([{"canvas_width": 16000, "canvas_height": 9, "people": [figure(0.0, 32.0)]}]);
    stage.write("canvas.json", pose.to_string());
    stage.animate("--pose canvas.json").succeeded();
    for rate in [0.0, -1.0, 1e12, 1e-12] {
        let pose =
            json!([{"canvas_width": 64, "canvas_height": 64, "fps": rate, "people": [figure(0.0, 32.0)]}]);
        stage.write("rate.json", pose.to_string());
        stage.refuses("--pose rate.json -o x.mkv", 3, &["rate.json", "fps"]);
    }
}

#[test]
fn noise_files() {
    let stage = Stage::new(1);
    let save = |name: &str, value: f32| {
        let tensor = candle_core::Tensor::full(value, (1, 4, 8, 8), &candle_core::Device::Cpu).unwrap();
        let tensors = std::collections::HashMap::from([(name, tensor)]);
        candle_core::safetensors::save(&tensors, stage.path("noise.safetensors")).unwrap();
    };
    save("latent", f32::NAN);
    stage.refuses("--noise noise.safetensors", 3, &["noise.safetensors", "NaN"]);
    save("other", 0.0);
    stage.refuses("--noise noise.safetensors", 3, &["noise.safetensors", "\"other\""]);
    save("latent", 0.0);
    stage.refuses("--noise noise.safetensors", 3, &["noise.safetensors", "\"lambda\""]);
}

#[test]
fn outputs_that_cannot_be_written() {
    let stage = Stage::new(1);
    stage.refuses("-o absent/out.mp4", 6, &["absent/out.mp4", "the folder absent does not exist"]);
    stage.refuses("-o hero.png/out.mp4", 6, &["hero.png/out.mp4", "does not exist"]);
    stage.refuses("--sheet=absent/s.png", 6, &["absent/s.png", "does not exist"]);
    stage.refuses("--compare=absent/c.mp4", 6, &["absent/c.mp4", "does not exist"]);
    for name in ["out.avi", "out", "out.mp4.txt", "out.mp3"] {
        stage.refuses(&format!("-o {name}"), 6, &[name, ".mp4", ".webm"]);
    }
    stage.refuses("-o out.png", 6, &["out.png", "frame%04d.png"]);
    stage.refuses("--sheet=s.jpg", 6, &["s.jpg", ".png"]);
    stage.refuses("--compare=c.txt", 6, &["c.txt", ".mp4"]);
    stage.refuses("--save-config absent/render.toml", 6, &["absent/render.toml", "does not exist"]);
}

#[cfg(unix)]
#[test]
fn folders_that_are_read_only() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::new(1);
    std::fs::create_dir(stage.path("locked")).unwrap();
    std::fs::set_permissions(stage.path("locked"), std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(stage.path("locked/x"), "").is_ok() {
        eprintln!("skipped: this user may write everywhere");
        return;
    }
    let run = stage.animate("-o locked/out.mp4");
    let code = run.code;
    assert!(matches!(code, Some(5 | 6)), "{}", run.stderr);
    run.failed(code.unwrap(), &["locked", "ermission denied"]);
}

/// A file system of a few hundred KiB, where the user may mount one.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount(stage: &Stage, size: &str) -> Option<Self> {
        let folder = stage.path("disk");
        std::fs::create_dir(&folder).unwrap();
        let options = format!("size={size}");
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&folder);
        let mounted = command.output().is_ok_and(|done| done.status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_loses_nothing_that_is_finished() {
    let stage = Stage::new(12);
    let Some(disk) = SmallDisk::mount(&stage, "96k") else {
        eprintln!("skipped: no file system can be mounted here");
        return;
    };
    let run = stage.animate("-o disk/out.mkv");
    let code = run.code;
    assert!(matches!(code, Some(5 | 6)), "{}", run.stderr);
    let run = run.failed(code.unwrap(), &["finished frames are kept in disk/out.mkv.frames"]);
    assert!(run.stderr.contains("No space left"), "{}", run.stderr);
    let names = super::support::names(&disk.0);
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["out.mkv.frames"]);
    let more = Command::new("mount").args(["-o", "remount,size=4m"]).arg(&disk.0).status().unwrap();
    assert!(more.success());
    let run = stage.animate("-o disk/out.mkv --json").succeeded();
    assert!(run.begin()["finished"].as_u64() >= Some(1));
    assert_eq!(stage.frames("disk/out.mkv").len(), 12);
}
