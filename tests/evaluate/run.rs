//! A small benchmark with a small random model.

use std::path::{Path, PathBuf};

use dreamtuner::Error;
use dreamtuner::diffusion::{Guidance, GuidanceInterval, Sampler};
use dreamtuner::evaluate::{
    Benchmark, BenchmarkEvent, BenchmarkModels, Caption, Dance, KnownJoints, Metric, Report, Row, Shown,
    Source, Truth, ablations, drafts, round_trip,
};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::model::DeviceSettings;
use dreamtuner::outputs::{Reservation, Wanted};
use dreamtuner::puppet::Identity;
use dreamtuner::render::feature_store::FeatureCache;
use dreamtuner::render::settings::{PreviousFeatures, RenderSettings};
use dreamtuner::render::weights::{ControlNetFile, WeightFiles};
use serde_json::json;
use tempfile::TempDir;

fn settings() -> RenderSettings {
    RenderSettings {
        width: 0,
        height: 0,
        prompt: String::new(),
        negative_prompt: String::new(),
        reference_prompt: None,
        clip_skip: 1,
        seed: 0,
        steps: 2,
        sampler: Sampler::Ddim,
        guidance: Guidance::Interleaved {
            reference_probability: 0.9,
            reference_scale: 2.0,
            text_scale: 3.0,
            less_noise: 10.0,
            more_noise: 10.0,
        },
        guidance_interval: GuidanceInterval::ALL,
        deep_cache: 1,
        prediction: None,
        reference_weight: 10.0,
        previous_weight: 1.0,
        previous_features: PreviousFeatures::Renoise,
        first_weight: 0.0,
        beta: 0.0,
        vae_tile: None,
        draft: Default::default(),
    }
}

fn benchmark(folder: &TempDir, reference_weight: f64) -> Benchmark {
    let settings = RenderSettings { reference_weight, ..settings() };
    Benchmark {
        identities: vec![1_000_000],
        dances: vec![Dance::open("wave", 2, 12.0).unwrap()],
        rows: vec![round_trip(), Row::new("small", "a small row", settings, Caption::Full)],
        size: 32,
        folder: folder.path().to_path_buf(),
    }
}

fn run(benchmark: &Benchmark, interrupt: &Interrupt) -> (dreamtuner::Result<Report>, Vec<BenchmarkEvent>) {
    run_with(benchmark, None, interrupt)
}

fn run_with(
    benchmark: &Benchmark,
    subjects: Option<PathBuf>,
    interrupt: &Interrupt,
) -> (dreamtuner::Result<Report>, Vec<BenchmarkEvent>) {
    let weights = WeightFiles {
        model: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sd1")),
        controlnets: vec![ControlNetFile::own()],
        ..WeightFiles::default()
    };
    let clip = crate::clip::clip();
    let models = BenchmarkModels {
        weights,
        subjects,
        clip: Some((&clip, json!("clip"))),
        device: DeviceSettings::cpu(),
        cache: FeatureCache::Keep { bytes: 1 << 28 },
    };
    let mut events = Vec::new();
    let wanted = vec![Wanted::Kept(benchmark.folder.clone())];
    let mut reserved = Reservation::begin(wanted, &[], false, "benchmark").unwrap();
    let report = benchmark.run(&models, &mut reserved, interrupt, &mut |event| events.push(event));
    (report, events)
}

#[test]
fn every_measure_is_taken_and_finished_clips_are_not_rendered_again() {
    let folder = TempDir::new().unwrap();
    let benchmark = benchmark(&folder, 10.0);
    let (report, events) = run(&benchmark, &Interrupt::default());
    let report = report.unwrap();
    // DINO is for stills of subjects, there is no other expression than the reference's, and there are no drafts.
    let left_out = [Metric::Dino, Metric::Expression, Metric::UnsureL1];
    let measures: Vec<Metric> = Metric::ALL.into_iter().filter(|metric| !left_out.contains(metric)).collect();
    for row in &report.rows {
        assert_eq!((row.clips, row.scores.keys().copied().collect()), (1, measures.clone()), "{row:?}");
        assert!(
            row.parts.contains_key("hair") && row.scores.values().all(|estimate| estimate.mean.is_finite())
        );
    }
    assert_eq!(events.iter().filter(|event| matches!(event, BenchmarkEvent::Frame)).count(), 4);
    let written: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("report.json")).unwrap()).unwrap();
    assert_eq!(written["rows"][1]["name"], "small");
    assert!(written["rows"][1]["scores"]["psnr"]["mean"].is_f64());
    assert!(report.table().contains("a small row") && report.markdown().contains("| a small row |"));
    for name in ["report.md", "sheet-vae.png", "sheet-small.png"] {
        assert!(folder.path().join(name).is_file(), "{name}");
    }
    let (again, events) = run(&benchmark, &Interrupt::default());
    assert!(
        matches!(events.as_slice(), [BenchmarkEvent::Begin { clips: 2, finished: 2, frames: 0 }]),
        "{events:?}"
    );
    assert_eq!(again.unwrap().table(), report.table());
    // A run of the first row alone keeps the other one's line.
    let rows = vec![round_trip()];
    let alone = run(&Benchmark { rows, ..benchmark }, &Interrupt::default()).0.unwrap();
    let names: Vec<_> = alone.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["small", "vae"]);
}

#[test]
fn results_of_other_settings_are_not_taken_for_these() {
    let folder = TempDir::new().unwrap();
    run(&benchmark(&folder, 10.0), &Interrupt::default()).0.unwrap();
    match run(&benchmark(&folder, 5.0), &Interrupt::default()).0 {
        Err(Error::Plan { differences, .. }) => {
            assert_eq!(differences, ["row.settings.reference_weight: 10.0 → 5.0"]);
        }
        other => panic!("{other:?}"),
    }
}

/// Differences are those of the same puppet.
#[test]
fn rows_are_compared_puppet_by_puppet() {
    let folder = TempDir::new().unwrap();
    let identities = vec![1_000_000, 1_000_001];
    let report = run(&Benchmark { identities, ..benchmark(&folder, 10.0) }, &Interrupt::default()).0.unwrap();
    let [vae, small] = &report.rows[..] else { panic!("{:?}", report.rows) };
    let against = report.against("vae").unwrap();
    assert_eq!(against.rows.len(), 1);
    let differences: Vec<f64> = small
        .puppets
        .iter()
        .map(|(puppet, scores)| scores[&Metric::L1] - vae.puppets[puppet][&Metric::L1])
        .collect();
    let difference = against.rows[0].scores[&Metric::L1];
    assert!((difference.mean - (differences[0] + differences[1]) / 2.0).abs() < 1e-12, "{difference:?}");
    let (least, most) = (differences[0].min(differences[1]), differences[0].max(differences[1]));
    assert_eq!((difference.low, difference.high, difference.count), (least, most, 2));
    assert!(report.against("none-such").unwrap_err().to_string().contains("vae, small"));
}

/// Every puppet needs a subject of its own, whose file is named.
#[test]
fn a_puppet_without_its_subject_is_refused() {
    let folder = TempDir::new().unwrap();
    let subjects = folder.path().join("subjects");
    let (report, events) = run_with(&benchmark(&folder, 10.0), Some(subjects.clone()), &Interrupt::default());
    let problem = report.unwrap_err().to_string();
    assert!(problem.contains(&subjects.join("1000000.subject").display().to_string()), "{problem}");
    assert!(events.is_empty());
}

#[test]
fn an_interrupted_benchmark_goes_on() {
    let folder = TempDir::new().unwrap();
    let interrupt = Interrupt::default();
    interrupt.request();
    assert!(matches!(run(&benchmark(&folder, 10.0), &interrupt).0, Err(Error::Interrupted)));
    assert!(run(&benchmark(&folder, 10.0), &Interrupt::default()).0.is_ok());
}

#[test]
fn ablations_have_names_of_their_own_and_can_all_be_rendered() {
    let folder = TempDir::new().unwrap();
    let rows = ablations(&settings(), Caption::Scene);
    for row in &rows {
        let Source::Render { settings, .. } = &row.source else { panic!("{row:?}") };
        settings.check_values().unwrap();
    }
    assert!(rows.len() >= 15);
    Benchmark { rows, ..benchmark(&folder, 1.0) }.check().unwrap();
    let twice = vec![round_trip(), round_trip()];
    assert!(Benchmark { rows: twice, ..benchmark(&folder, 1.0) }.check().is_err());
}

/// Each puppet has the next expression and scene; a face that does what the reference's does shows no change.
#[test]
fn expressions_and_scenes_may_be_various() {
    let folder = TempDir::new().unwrap();
    let various = |identities: Vec<u64>| {
        let mut dance = Dance::open("wave", 1, 12.0).unwrap();
        (dance.expression, dance.scene) = (Shown::Various, Shown::Various);
        Benchmark { identities, dances: vec![dance], rows: vec![round_trip()], ..benchmark(&folder, 10.0) }
    };
    let benchmark = various((1_000_000..1_000_010).collect());
    let report = run(&benchmark, &Interrupt::default()).0.unwrap();
    let measured = |seed: u64| report.rows[0].puppets[&seed].contains_key(&Metric::Expression);
    assert!(!measured(1_000_000) && (1_000_001..1_000_010).any(measured));
    let captions = benchmark
        .identities
        .iter()
        .map(|seed| Truth::new(&Identity::from_seed(*seed), &benchmark.dances[0], 32).scene_caption);
    let captions: std::collections::BTreeSet<String> = captions.collect();
    assert_eq!(captions.len(), 10, "{captions:?}");
    assert!(captions.contains("smile, white background") && captions.contains("laughing, pink background"));
}

#[test]
fn dances_come_by_name_or_from_files() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("nod.txt");
    let open = |name: &str| Dance::open(name, 2, 12.0);
    std::fs::write(&path, "tempo 120\nlength 2\nbeat 0 head=0\nbeat 1 head=10\n").unwrap();
    assert_eq!(open(path.to_str().unwrap()).unwrap().name, "nod");
    std::fs::write(&path, "tempo 120\nlength 2\nbeat 0 nose=3\n").unwrap();
    assert!(matches!(open(path.to_str().unwrap()), Err(Error::Input { .. })));
    assert!(open("minuet").unwrap_err().to_string().contains("wave"));
    assert!(Dance::open("wave", 2, 0.0).is_err());
}

#[test]
fn renders_with_drafts_are_measured_where_these_are_unsure() {
    let folder = TempDir::new().unwrap();
    let mut benchmark = benchmark(&folder, 10.0);
    benchmark.size = 64;
    let plain = benchmark.rows.pop().unwrap();
    let mut kept = plain.clone();
    kept.name = "kept".into();
    if let Source::Render { settings, joints, .. } = &mut kept.source {
        (settings.draft.keep_sure, *joints) = (true, KnownJoints::True);
    }
    benchmark.rows = drafts().into_iter().take(1).chain([plain, kept]).collect();
    let report = run(&benchmark, &Interrupt::default()).0.unwrap();
    let score = |row: usize, metric| report.rows[row].scores.get(&metric).map(|estimate| estimate.mean);
    // A random model: the draft alone is best, and what is kept of it is better than nothing.
    let figure = [0, 1, 2].map(|row| score(row, Metric::FigureL1).unwrap());
    assert!(figure[0] < figure[2] && figure[2] < 0.8 * figure[1], "{figure:?}");
    let unsure = [0, 1, 2].map(|row| score(row, Metric::UnsureL1));
    assert!(unsure[0].unwrap() < unsure[2].unwrap() && unsure[1].is_none(), "{unsure:?}");
    assert!(unsure[0].unwrap() > figure[0], "{unsure:?} {figure:?}");
}
