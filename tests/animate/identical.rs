//! Renders that must agree byte for byte.

use super::support::{Stage, kept};

#[test]
fn cached_spilled_and_recomputed_features() {
    let stage = Stage::new(3);
    for (name, settings) in [
        ("interleaved", "--steps 3 --first-weight 2"),
        ("text-guided", "--steps 3 --reference-probability 0.3"),
        ("classifier-free", "--steps 3 --guidance classifier-free --sampler euler-ancestral"),
        ("masked", "--steps 3 --mask mask.png"),
    ] {
        image::GrayImage::from_fn(64, 64, |x, y| image::Luma([((x * y) % 256) as u8]))
            .save(stage.path("mask.png"))
            .unwrap();
        let cached = kept(&stage, settings, &format!("{name}-cached.mkv"));
        assert_eq!(cached.len(), 3);
        let spilled = kept(&stage, &format!("{settings} --feature-memory 0"), &format!("{name}-spilled.mkv"));
        assert_eq!(spilled, cached, "{name}: spilled");
        let anew = kept(&stage, &format!("{settings} --recompute-features"), &format!("{name}-anew.mkv"));
        assert_eq!(anew, cached, "{name}: recomputed");
    }
}

#[test]
fn any_number_of_threads() {
    let stage = Stage::new(2);
    let one = kept(&stage, "--threads 1", "one.mkv");
    for threads in [2, 3, 7] {
        assert_eq!(
            kept(&stage, &format!("--threads {threads}"), &format!("{threads}.mkv")),
            one,
            "{threads} threads"
        );
    }
}

#[test]
fn weight_zero_equals_no_reference() {
    let stage = Stage::new(1);
    let without = kept(&stage, "--reference-weight 0", "without.mkv");
    // Another reference: it must not count at all.
    image::RgbImage::from_pixel(64, 64, image::Rgb([200, 0, 90])).save(stage.path("hero.png")).unwrap();
    assert_eq!(kept(&stage, "--reference-weight 0", "other.mkv"), without);
}

#[test]
fn steps_without_guidance() {
    let stage = Stage::new(2);
    for guidance in ["interleaved --reference-probability 0.5", "classifier-free"] {
        let with = |scale: u32, interval: &str| {
            let arguments = format!(
                "--overwrite --steps 4 --prompt dancer --guidance {guidance} --guidance-interval {interval} \
                 --guidance-scale {scale} --reference-scale {scale}"
            );
            kept(&stage, &arguments, "out.mkv")
        };
        let (always, half, never) = (with(3, "0:1"), with(3, "0.5:1"), with(3, "0:0"));
        assert_ne!(always, half);
        assert_ne!(half, never);
        assert_ne!(never, always);
        // A scale of one leaves nothing of what is guided away from.
        assert_eq!(with(1, "0:1"), never);
    }
}
