//! `dreamtuner draft`: the picture itself dances.

use std::fs;
use std::path::Path;
use std::process::Command;

use dreamtuner::video::{DecodeSettings, open_frames};
use image::RgbImage;
use tempfile::TempDir;

use crate::support::{difference, done, program, refused, root};

fn draft(output: &Path, options: &[&str]) -> Command {
    let mut command = draft_of("wave", output);
    command.args(["--end", "0.5", "--fps", "8"]).args(options);
    command
}

fn draft_of(dance: &str, output: &Path) -> Command {
    let mut command = program();
    command.arg("draft").arg("--reference").arg(root().join("examples/hero.png"));
    command.arg("--reference-pose").arg(root().join("examples/hero.pose.json"));
    command.arg("--pose").arg(root().join(format!("poses/{dance}.json"))).arg("-o").arg(output);
    command
}

fn frame(folder: &Path, number: usize) -> RgbImage {
    image::open(folder.join(format!("{number:06}.png"))).unwrap().into_rgb8()
}

/// How many pixels of the picture have about this colour.
fn count(picture: &RgbImage, colour: [u8; 3]) -> usize {
    let near = |pixel: &[u8; 3]| pixel.iter().zip(colour).all(|(a, b)| a.abs_diff(b) < 24);
    picture.pixels().filter(|pixel| near(&pixel.0)).count()
}

#[test]
fn a_picture_dances_at_its_own_size() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    done(draft(&at("frames/"), &["--background", "#204060"]));
    let frames: Vec<RgbImage> = (0..4).map(|number| frame(&at("frames"), number)).collect();
    assert!(!at("frames/000004.png").exists());
    let hero = image::open(root().join("examples/hero.png")).unwrap().into_rgb8();
    for picture in &frames {
        assert_eq!(picture.dimensions(), frames[0].dimensions());
        assert_eq!(picture.get_pixel(0, 0).0, [0x20, 0x40, 0x60]);
        // The boots and the hair are as large as in the reference: nothing is redrawn, nothing is lost.
        for colour in [[122, 61, 190], [163, 201, 58]] {
            let (before, after) = (count(&hero, colour), count(picture, colour));
            assert!(before > 500 && after.abs_diff(before) < before / 5, "{colour:?}: {before} {after}");
        }
    }
    assert_ne!(frames[0], frames[3]);
}

#[test]
fn the_figure_keeps_clear_of_the_edges() {
    let folder = TempDir::new().unwrap();
    for dance in ["twist", "walk"] {
        let frames = folder.path().join(dance);
        let mut command = draft_of(dance, &frames.join(""));
        command.args(["--size", "160x160", "--fps", "8"]);
        done(command);
        for number in 0..16 {
            let picture = frame(&frames, number);
            let at_edge = |x: u32, y: u32| x.min(y).min(159 - x.max(y)) == 0;
            let free = picture.enumerate_pixels().all(|(x, y, pixel)| !at_edge(x, y) || pixel.0 == [255; 3]);
            assert!(free, "{dance} {number}");
        }
    }
}

#[test]
fn sizes_sheets_and_the_same_bytes() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let options = ["--size", "160x200", "--sheet"];
    done(draft(&at("a.mp4"), &options));
    assert!(at("a.sheet.png").is_file());
    done(draft(&at("b.mp4"), &options));
    assert!(fs::read(at("a.mp4")).unwrap() == fs::read(at("b.mp4")).unwrap(), "other bytes");
    done(draft(&at("small/"), &["--size", "160x200"]));
    assert_eq!(frame(&at("small"), 0).dimensions(), (160, 200));
}

#[test]
fn the_background_is_what_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let first = |name: &str, options: &[&str]| {
        done(draft(&at(name), &[&["--size", "160x160"], options].concat()));
        open_frames(at(name), &DecodeSettings::default()).unwrap().next().unwrap().unwrap().image
    };
    // Transparent: black shows through where files of that kind are read.
    for name in ["a.mov", "a.mkv", "a/"] {
        let black = first(&format!("black-{name}"), &["--background", "black"]);
        let transparent = first(name, &["--background", "transparent"]);
        assert!(difference(&black, &transparent) < 2.0, "{name}: {}", difference(&black, &transparent));
    }
    let picture = image::open(at("a/000000.png")).unwrap().into_rgba8();
    let alphas: Vec<u8> = picture.pixels().map(|pixel| pixel.0[3]).collect();
    assert!(alphas.contains(&0) && alphas.contains(&255));
    for name in ["b.mp4", "b.gif"] {
        let said = refused(draft(&at(name), &["--background", "transparent"]));
        assert!(said.contains("--background") && said.contains(".webm"), "{said}");
    }
    // A picture, and the reference's own background, of which nothing is left where the figure stood.
    let blue = at("blue.png").display().to_string();
    RgbImage::from_pixel(40, 20, image::Rgb([20, 40, 200])).save(&blue).unwrap();
    assert_eq!(first("c/", &["--background", &blue]).get_pixel(3, 3).0, [20, 40, 200]);
    let hero = image::open(root().join("examples/hero.png")).unwrap().into_rgb8();
    let own = first("d/", &["--background", "reference", "--mask", &mask_of(&hero, &at("mask.png"))]);
    assert!(own.pixels().filter(|pixel| pixel.0 == hero.get_pixel(0, 0).0).count() > 160 * 60);
    assert!(refused(draft(&at("e.mp4"), &["--background", "absent.png"])).contains("absent.png"));
}

/// The figure is where the dancer was; the rest of the picture is as it was filmed.
#[test]
fn the_figure_takes_the_dancers_place() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let film = root().join("tests/footage/balance.mp4");
    let mut command = program();
    command.arg("draft").arg("--reference").arg(root().join("examples/hero.png"));
    command.arg("--reference-pose").arg(root().join("examples/hero.pose.json"));
    command.arg("--pose").arg(&film).args(["--end", "1", "--fps", "4", "--background", "dance"]);
    command.arg("-o").arg(at("frames/"));
    done(command);
    let decode = DecodeSettings { end: Some(1.0), frames_per_second: Some(4.0), ..DecodeSettings::default() };
    for (number, filmed) in open_frames(&film, &decode).unwrap().enumerate() {
        let (drawn, filmed) = (frame(&at("frames"), number), filmed.unwrap().image);
        assert_eq!(drawn.dimensions(), filmed.dimensions());
        let same = drawn.pixels().zip(filmed.pixels()).filter(|(one, other)| one == other).count();
        let all = (drawn.width() * drawn.height()) as usize;
        assert!((all / 2..all * 19 / 20).contains(&same), "{number}: {same} of {all} pixels are the film's");
        for colour in [[122, 61, 190], [163, 201, 58]] {
            assert!(count(&drawn, colour) > count(&filmed, colour) + 100, "{number}: no {colour:?}");
        }
    }
    let said = refused(draft(&at("a.mp4"), &["--background", "dance"]));
    assert!(said.contains("--background") && said.contains("needs a video"), "{said}");
}

/// Where the example stands in front of its background, written to a file.
fn mask_of(picture: &RgbImage, path: &Path) -> String {
    let background = picture.get_pixel(0, 0).0;
    let mask = image::GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        image::Luma([if picture.get_pixel(x, y).0 == background { 0 } else { 255 }])
    });
    mask.save(path).unwrap();
    path.display().to_string()
}

#[test]
fn a_map_says_how_sure_each_pixel_is() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let map = format!("--confidence={}/", at("map").display());
    done(draft(&at("frames/"), &["--size", "160x160", &map]));
    let maps: Vec<RgbImage> = (0..4).map(|number| frame(&at("map"), number)).collect();
    for map in &maps {
        assert_eq!((map.dimensions(), map.get_pixel(0, 0).0), ((160, 160), [255; 3]));
        assert!(map.pixels().any(|pixel| pixel.0[0] < 64), "everything is sure");
    }
    assert_ne!(maps[0], maps[3]);
}

#[test]
fn what_cannot_be_drafted_is_refused() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert!(refused(draft(&at("a.mp4"), &["--size", "8x8"])).contains("16 to 8192"));
    assert!(refused(draft(&at("a.mp4"), &["--background", "sky"])).contains("#rrggbb"));
    assert!(refused(draft(&at("a.xyz"), &[])).contains("unknown extension"));

    let skeletons = root().join("poses/wave.mp4");
    let mut command = draft(&at("a.mp4"), &[]);
    command.arg("--pose").arg(&skeletons);
    assert!(refused(command).contains("drawn skeletons"));

    let nobody = at("white.png");
    RgbImage::from_pixel(64, 64, image::Rgb([255; 3])).save(&nobody).unwrap();
    let mut command = draft(&at("a.mp4"), &["--reference-pose", "auto"]);
    command.arg("--reference").arg(&nobody);
    let said = refused(command);
    assert!(said.contains("white.png") && said.contains("no figure"), "{said}");
    assert!(!at("a.mp4").exists());
}

#[test]
fn another_picture_lends_what_is_hidden() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let with = |output: &str, other: &Path| {
        let mut command = draft(&at(output), &["--size", "160x160", "--another"]);
        command.arg(other);
        command
    };
    done(draft(&at("alone/"), &["--size", "160x160"]));
    // Somebody else lends nothing, and that is said.
    let mut stranger = program();
    stranger.args(["puppet", "image", "--seed", "3", "--size", "256", "-o"]).arg(at("stranger.png"));
    done(stranger);
    let said = done(with("stranger/", &at("stranger.png")));
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("stranger.png") && said.contains("nothing is taken from it"), "{said}");
    assert_eq!(frame(&at("alone"), 2), frame(&at("stranger"), 2));
    // The same drawing, where an arm hides nothing, shows what it hid.
    let said = done(with("lent/", &root().join("examples/hero.png")));
    assert!(!String::from_utf8(said.stderr).unwrap().contains("nothing is taken"));
    let said = refused(with("a.mp4", &at("missing.png")));
    assert!(said.contains("missing.png"), "{said}");
}
