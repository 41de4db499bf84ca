//! Setup and frames of a figure as high as a canvas of 512×512 pixels.

use criterion::{Criterion, criterion_group, criterion_main};
use dreamtuner_puppet::{Choreography, pose, reference_shot, render};
use dreamtuner_puppet::{Expression, Identity, Scene, View, choreography::ClipSettings, choreography::shots};
use dreamtuner_warp::{Joints, Rig};
use image::{Rgba, RgbaImage};

const SIDE: u32 = 512;

fn draw(criterion: &mut Criterion) {
    let identity = Identity::from_seed(17);
    let picture = render(&identity, &reference_shot(Expression::Smile), SIDE);
    let figure = RgbaImage::from_fn(SIDE, SIDE, |x, y| {
        let [red, green, blue] = picture.image.get_pixel(x, y).0;
        Rgba([red, green, blue, picture.mask.get_pixel(x, y).0[0]])
    });
    let joints = Joints::of(&picture.pose.people[0]);
    let settings = ClipSettings {
        frames: 24,
        frames_per_second: 12.0,
        view: View::Front,
        expression: Expression::Smile,
        scene: Scene::White,
    };
    let dance = Choreography::named("disco").expect("a dance of this name");
    let poses: Vec<Joints> = shots(&identity, &dance, &settings)
        .iter()
        .map(|shot| Joints::of(&pose(&identity, shot, SIDE).people[0]))
        .collect();

    let mut group = criterion.benchmark_group("512x512");
    group.sample_size(10);
    group.bench_function("setup", |bencher| {
        bencher.iter(|| Rig::new(&figure, &joints).expect("a figure with shoulders"));
    });
    let rig = Rig::new(&figure, &joints).expect("a figure with shoulders");
    group.bench_function("24 frames", |bencher| {
        bencher.iter(|| poses.iter().for_each(|pose| _ = rig.draw(pose, SIDE, SIDE)));
    });
    group.finish();
}

criterion_group!(benches, draw);
criterion_main!(benches);
