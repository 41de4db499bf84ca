//! What a render reads: dances of every kind, references, ControlNets, noise, configuration files.

use candle_core::{DType, Device};
use dreamtuner::diffusion::{NoiseSource, Purpose};
use dreamtuner::picture::Fit;
use dreamtuner::puppet::{
    Expression, HELD_OUT_SEED, Identity, Motion, Scene, Shot, View, reference_pose, render,
};
use image::{Rgb, RgbImage, imageops};
use serde_json::json;

use super::support::{Stage, difference, ffmpeg, figure, frame, names, repository, run, text};

#[test]
fn the_seed_decides_the_frames() {
    let stage = Stage::new(3);
    let kept = |arguments: &str, output: &str| {
        stage.animate(&format!("--keep-frames -o {output} {arguments}")).succeeded();
        stage.kept(output)
    };
    let first = kept("--seed 7", "a.mkv");
    assert_eq!(first.len(), 3);
    assert_eq!(kept("--seed 7", "b.mkv"), first);
    assert_eq!(kept("--seed 7 --threads 1", "c.mkv"), first);
    assert!(kept("--seed 8", "d.mkv").iter().zip(&first).all(|(one, other)| one != other));
}

#[test]
fn settings_that_change_the_frames() {
    let stage = Stage::new(2);
    let kept = |arguments: &str, output: &str| {
        stage.animate(&format!("--keep-frames -o {output} {arguments}")).succeeded();
        stage.kept(output)
    };
    let plain = kept("", "plain.mkv");
    for (index, arguments) in [
        "--prompt dancer",
        "--negative-prompt dancer --reference-probability 0",
        "--reference-weight 0",
        "--sampler euler",
        "--guidance classifier-free",
        "--guidance classifier-free --guidance-scale 2",
        "--reference-scale 5",
        "--less-noise 300",
        "--steps 3",
        "--controlnet model,strength=0.5",
        "--controlnet model,end=0",
        "--fit stretch --size 32x48",
    ]
    .iter()
    .enumerate()
    {
        assert_ne!(kept(arguments, &format!("{index}.mkv"))[1], plain[1], "{arguments}");
    }
    let three = kept("--steps 3", "three.mkv");
    assert_ne!(kept("--steps 3 --deep-cache 2", "shallow.mkv"), three);
    // The first frame has no frame before it.
    let alone = kept("--previous-weight 0", "alone.mkv");
    assert_eq!(alone[0], plain[0]);
    assert_ne!(alone[1], plain[1]);
    assert_ne!(kept("--first-weight 5", "first.mkv")[1], plain[1]);
}

#[test]
fn a_saved_configuration_gives_the_same_frames() {
    let stage = Stage::new(2);
    let mut command = stage.animate_command("--seed 12345 --sampler dpm++-2m --keep-frames --compare");
    command.args(["--prompt", "a \"quoted\" word\nand = more", "--lora"]);
    command.arg(text(&repository("tests/fixtures/sd1/lora/diffusers.safetensors")) + ":0.5");
    run(command.arg("--save-config").arg("render.toml")).succeeded();
    let mut command = stage.program();
    run({
        command.args(["animate", "--config", "render.toml", "-o", "again.mkv"]);
        command
    })
    .succeeded();
    assert_eq!(stage.kept("again.mkv"), stage.kept("out.mkv"));
    assert_eq!(stage.frames("again.compare.mkv").len(), 2);
    // The command line wins.
    let mut command = stage.program();
    command.args(["animate", "--config=render.toml", "-o", "other.mkv", "--seed", "1"]);
    run(command).succeeded();
    assert_ne!(stage.kept("other.mkv"), stage.kept("out.mkv"));
}

/// The dance of the repository, as files of every kind: eight frames from its second half.
#[test]
fn skeletons_in_any_kind_of_file() {
    let stage = Stage::new(1);
    let wave = text(&repository("poses/wave.mp4"));
    let part = "--start 1 --end 1.333";
    let rendered = |pose: &str, arguments: &str, output: &str| {
        let run = stage.animate(&format!("--pose {pose} {arguments} -o {output}")).succeeded();
        (stage.frames(output), run.stderr)
    };
    let (video, said) = rendered(&wave, part, "video.mkv");
    assert_eq!(video.len(), 8);
    assert!(!said.contains("swapped"), "{said}");
    // Pictures of the same skeletons.
    std::fs::create_dir(stage.path("pictures")).unwrap();
    ffmpeg(&stage, &format!("-i {wave} -ss 1 -frames:v 8 pictures/%02d.png"));
    let (pictures, _) = rendered("pictures", "", "pictures.mkv");
    assert_eq!(pictures.len(), 8);
    close(&video, &pictures, 6.0);
    // Red and blue swapped.
    for name in names(&stage.path("pictures")) {
        let mut picture = image::open(stage.path("pictures").join(&name)).unwrap().into_rgb8();
        picture.pixels_mut().for_each(|pixel| pixel.0.swap(0, 2));
        std::fs::create_dir_all(stage.path("swapped")).unwrap();
        picture.save(stage.path("swapped").join(&name)).unwrap();
    }
    let (swapped, said) = rendered("swapped", "", "swapped.mkv");
    assert!(said.contains("red and blue were swapped"), "{said}");
    assert!(swapped == pictures, "the frames differ");
    // Left as they are, they give another picture.
    let (as_is, _) = rendered("swapped", "--pose-kind control", "as-is.mkv");
    assert!(difference(&as_is[7], &pictures[7]) > 0.1);
    // The JSON that the video was drawn from.
    let (drawn, _) = rendered(&text(&repository("poses/wave.json")), part, "json.mkv");
    assert_eq!(drawn.len(), 8);
}

#[track_caller]
fn close(one: &[RgbImage], other: &[RgbImage], tolerance: f64) {
    for (index, (one, other)) in one.iter().zip(other).enumerate() {
        let difference = difference(one, other);
        assert!(difference <= tolerance, "frame {index} differs by {difference}");
    }
}

#[test]
fn a_folder_of_pose_files() {
    let stage = Stage::new(3);
    stage.animate("--keep-frames").succeeded();
    let poses: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(stage.path("dance.json")).unwrap()).unwrap();
    for (index, pose) in poses.iter().enumerate() {
        stage.write(&format!("dance/{index}_keypoints.json"), pose.to_string());
    }
    stage.animate("--keep-frames --pose dance -o folder.mkv").succeeded();
    assert_eq!(stage.kept("folder.mkv"), stage.kept("out.mkv"));
}

#[test]
fn frame_rate_start_and_end() {
    let stage = Stage::new(24);
    let mut dance = super::support::dance(24);
    dance.as_array_mut().unwrap().iter_mut().for_each(|pose| pose["fps"] = 24.into());
    stage.write("dance.json", dance.to_string());
    for (arguments, frames) in [("--fps 6", 6), ("--start 0.5 --fps 12", 6), ("--end 0.25", 6)] {
        stage.animate(&format!("--steps 1 --overwrite {arguments}")).succeeded();
        assert_eq!(stage.frames("out.mkv").len(), frames, "{arguments}");
    }
}

#[test]
fn one_of_several_people_and_frames_without_anybody() {
    let stage = Stage::new(1);
    let couple = |swing: f64| frame(&[figure(swing, 14.0), figure(-swing, 48.0)]);
    stage.write("couple.json", json!([couple(0.0), couple(4.0)]).to_string());
    stage.write("gap.json", json!([couple(0.0), frame(&[]), couple(4.0)]).to_string());
    stage.write("left.json", json!([frame(&[figure(0.0, 14.0)]), frame(&[figure(4.0, 14.0)])]).to_string());
    let kept = |arguments: &str, output: &str| {
        let run = stage.animate(&format!("--keep-frames -o {output} {arguments}")).succeeded();
        (stage.kept(output), run)
    };
    let (left, _) = kept("--pose left.json", "alone.mkv");
    assert_eq!(kept("--pose couple.json --person left", "left.mkv").0, left);
    assert_eq!(kept("--pose couple.json --person 0", "zero.mkv").0, left);
    assert_ne!(kept("--pose couple.json --person right", "right.mkv").0, left);
    stage.refuses("--pose couple.json --person 2", 2, &["--person: 2", "0..=1"]);
    let (gap, run) = kept("--pose gap.json --person left", "gap.mkv");
    assert_eq!(gap.len(), 3);
    run.says(&["gap.json: 1 of 3 frames had no pose"]);
}

#[test]
fn clips_of_one_frame() {
    let stage = Stage::new(1);
    stage.animate("-o one.mp4 --compare --sheet").succeeded();
    assert_eq!(stage.frames("one.mp4").len(), 1);
    let wave = text(&repository("poses/wave.mp4"));
    ffmpeg(&stage, &format!("-i {wave} -frames:v 1 still.mp4"));
    stage.animate("--pose still.mp4 -o two.mp4").succeeded();
    assert_eq!(stage.frames("two.mp4").len(), 1);
}

#[test]
fn frames_of_eight_thousand_pixels() {
    let stage = Stage::new(1);
    let wave = text(&repository("poses/wave.mp4"));
    ffmpeg(&stage, &format!("-i {wave} -frames:v 1 -vf scale=8192:4096:flags=neighbor -c:v ffv1 8k.mkv"));
    stage.animate("--pose 8k.mkv --steps 1").succeeded();
    ffmpeg(&stage, &format!("-i {wave} -frames:v 1 -vf scale=8200:64:flags=neighbor -c:v ffv1 wide.mkv"));
    stage.refuses("--pose wide.mkv -o x.mkv", 3, &["wide.mkv", "8200", "8192"]);
    RgbImage::new(8200, 2).save(stage.path("wide.png")).unwrap();
    stage.refuses("--reference wide.png -o x.mkv", 3, &["wide.png", "8200", "8192"]);
}

#[test]
fn the_size_follows_the_dance_and_is_rounded_where_it_must() {
    let stage = Stage::new(1);
    stage.animate("--size 37x63").succeeded().says(&["--size 37x63 rounded to 36x64", "multiples of 4"]);
    assert_eq!(stage.frames("out.mkv")[0].dimensions(), (36, 64));
    // Without a size: the dance's shape, and as many pixels as the model was made for.
    let tall = json!([{"canvas_width": 64, "canvas_height": 128, "people": [figure(0.0, 32.0)]}]);
    stage.write("tall.json", tall.to_string());
    let config = std::fs::read(repository("tests/fixtures/sd1/unet/config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    config["sample_size"] = 12.into();
    stage.write("configs/unet/config.json", config.to_string());
    let mut command = stage.program();
    command.args(["animate", "--model", &super::support::model(), "--model-config", "configs"]);
    command.args(["--reference", "hero.png", "--pose", "tall.json", "--steps", "1", "-o", "tall.mkv"]);
    run(command).succeeded();
    // 48 pixels a side is 12 in the latent; √2 of it and a √2 of it, in steps of 8.
    assert_eq!(stage.frames("tall.mkv")[0].dimensions(), (32, 64));
}

#[test]
fn masks() {
    let stage = Stage::new(2);
    let hero = image::open(stage.path("hero.png")).unwrap();
    let half = image::GrayImage::from_fn(64, 64, |x, _| image::Luma([if x < 32 { 255 } else { 0 }]));
    half.save(stage.path("half.png")).unwrap();
    let mut cut = hero.to_rgba8();
    cut.pixels_mut().zip(half.pixels()).for_each(|(pixel, mask)| pixel.0[3] = mask.0[0]);
    cut.save(stage.path("cut.png")).unwrap();
    let kept = |arguments: &str, output: &str| {
        stage.animate(&format!("--keep-frames -o {output} {arguments}")).succeeded();
        stage.kept(output)
    };
    let whole = kept("--mask none", "none.mkv");
    assert_ne!(kept("", "foreground.mkv"), whole);
    assert_eq!(kept("--mask auto", "auto.mkv"), kept("", "default.mkv"));
    assert_ne!(kept("--mask half.png", "half.mkv"), whole);
    let by_transparency = kept("--reference cut.png", "cut.mkv");
    assert_eq!(kept("--reference cut.png --mask half.png", "both.mkv"), by_transparency);
    assert_ne!(kept("--reference cut.png --mask none", "ignored.mkv"), by_transparency);
    imageops::resize(&half, 32, 64, imageops::FilterType::Nearest).save(stage.path("small.png")).unwrap();
    stage.refuses("--mask small.png -o x.mkv", 3, &["small.png", "32×64", "64×64"]);
    image::GrayImage::new(64, 64).save(stage.path("black.png")).unwrap();
    stage.refuses("--mask black.png -o x.mkv", 3, &["black.png", "black all over"]);
}

#[test]
fn the_canvas_of_the_references_pose_does_not_matter_for_the_mask() {
    let stage = Stage::new(1);
    let identity = Identity::from_seed(HELD_OUT_SEED);
    let (pose, view, expression) = (reference_pose(), View::Front, Expression::Smile);
    let shot = Shot { pose, view, expression, scene: Scene::Meadow, motion: Motion::default() };
    let puppet = render(&identity, &shot, 128);
    puppet.image.save(stage.path("puppet.png")).unwrap();
    let kept = |canvas: u32, output: &str| {
        let pose = puppet.pose.fit(canvas, canvas, Fit::Contain);
        let points = pose.people[0].body.iter().flatten().flat_map(|point| [point.x, point.y, 1.0]);
        let person = json!({"pose_keypoints_2d": points.collect::<Vec<f32>>()});
        let frame = json!({"canvas_width": canvas, "canvas_height": canvas, "people": [person]});
        stage.write("puppet.json", json!([frame]).to_string());
        let arguments = "--reference puppet.png --reference-pose puppet.json --retarget none";
        stage.animate(&format!("--keep-frames -o {output} {arguments}")).succeeded();
        stage.kept(output)
    };
    assert_eq!(kept(128, "same.mkv"), kept(512, "larger.mkv"));
}

#[test]
fn two_control_nets_with_their_own_strength_range_and_video() {
    let stage = Stage::new(4);
    let grey = |index: u8| RgbImage::from_pixel(40, 40, Rgb([index * 60, 80, 200 - index * 40]));
    std::fs::create_dir(stage.path("depth")).unwrap();
    for index in 0..4 {
        grey(index).save(stage.path(&format!("depth/{index}.png"))).unwrap();
    }
    let own = text(&repository("tests/fixtures/sd1/controlnet"));
    let kept = |second: &str, output: &str| {
        let controls = format!("--controlnet model,strength=0.8 --controlnet {own},{second}");
        stage.animate(&format!("--keep-frames -o {output} {controls}")).succeeded();
        stage.kept(output)
    };
    let depth = kept("strength=1.5,video=depth,reference=depth/0.png", "depth.mkv");
    assert_eq!(depth.len(), 4);
    let off = kept("strength=0,video=depth", "off.mkv");
    assert_ne!(off, depth);
    assert_ne!(kept("strength=1.5,start=0.5,video=depth,reference=depth/0.png", "late.mkv"), depth);
    assert_ne!(kept("strength=1.5,video=depth", "no-reference.mkv"), depth);
    stage.animate("--keep-frames -o one.mkv --controlnet model,strength=0.8").succeeded();
    assert_eq!(stage.kept("one.mkv"), off);
    std::fs::remove_file(stage.path("depth/3.png")).unwrap();
    let short = format!("--controlnet {own},video=depth -o x.mkv");
    stage.refuses(&short, 3, &["depth", "3 frames, the dance 4"]);
}

#[test]
fn noise_from_a_file_replaces_the_seed() {
    let stage = Stage::new(2);
    let seed = NoiseSource::new(5);
    let normal = |purpose| seed.normal(purpose, 0, (1, 4, 8, 8), DType::F32, &Device::Cpu).unwrap();
    let lambda = candle_core::Tensor::new(seed.uniform(Purpose::Guidance, 0, 2).unwrap(), &Device::Cpu);
    let mut tensors = std::collections::HashMap::from([
        ("latent", normal(Purpose::Latent)),
        ("reference", normal(Purpose::Reference)),
        ("lambda", lambda.unwrap()),
    ]);
    candle_core::safetensors::save(&tensors, stage.path("noise.safetensors")).unwrap();
    stage.animate("--keep-frames --seed 5").succeeded();
    stage.animate("--keep-frames --noise noise.safetensors -o file.mkv").succeeded();
    assert_eq!(stage.kept("file.mkv"), stage.kept("out.mkv"));
    let noise = "--noise noise.safetensors -o x.mkv";
    stage.refuses(
        &format!("{noise} --size 64x32"),
        3,
        &["noise.safetensors", "[1, 4, 8, 8]", "[1, 4, 8, 16]"],
    );
    stage.refuses(&format!("{noise} --steps 3"), 3, &["lambda", "[2]", "[3]"]);
    tensors.remove("reference");
    candle_core::safetensors::save(&tensors, stage.path("noise.safetensors")).unwrap();
    stage.refuses(noise, 3, &["no tensor \"reference\"", "lambda, latent"]);
}

/// Decoded by something else, of the same size; the frames before and after are looked back at as latents.
#[test]
fn a_tiny_decoder() {
    let stage = Stage::new(2);
    let tiny = text(&repository("tests/fixtures/tiny_vae"));
    stage.animate("--keep-frames").succeeded();
    stage.animate(&format!("--keep-frames --tiny-vae {tiny} -o tiny.mkv")).succeeded();
    let frames = stage.frames("tiny.mkv");
    assert_eq!((frames.len(), frames[0].dimensions()), (2, (32, 32)));
    assert!(stage.kept("tiny.mkv").iter().zip(&stage.kept("out.mkv")).all(|(tiny, own)| tiny != own));
}

/// Weights of 16 bits and features in a file: the same frames, but for rounding (the fixture's weights fit 16 bits).
#[test]
fn little_memory() {
    let stage = Stage::new(2);
    stage.animate("-o usual.mkv").succeeded();
    for (name, arguments) in [("low", "--low-memory"), ("half", "--dtype f16"), ("brain", "--dtype bf16")] {
        let output = format!("{name}.mkv");
        stage.animate(&format!("{arguments} -o {output}")).succeeded();
        close(&stage.frames("usual.mkv"), &stage.frames(&output), 1.0);
    }
}
