//! A small folder of the DreamBooth data set's layout, made of puppets.

use std::path::Path;

use candle_core::Device;
use dreamtuner::Error;
use dreamtuner::detect::PoseModel;
use dreamtuner::evaluate::Metric;
use dreamtuner::evaluate::dreambooth::{
    DataSet, Encoders, Prompt, SubjectBenchmark, SubjectBenchmarkEvent, SubjectReport,
};
use dreamtuner::inputs::reference::FileChoice;
use dreamtuner::interrupt::Interrupt;
use dreamtuner::model::DeviceSettings;
use dreamtuner::model::clip::{Clip, ClipFiles, cosine};
use dreamtuner::model::dino::{Dino, DinoFiles};
use dreamtuner::model::weights::{ModelDefaults, ModelFiles};
use dreamtuner::outputs::{Reservation, Wanted};
use dreamtuner::puppet::reference_shot;
use dreamtuner::puppet::{Expression, Identity, render};
use dreamtuner::render::settings::RenderSettings;
use dreamtuner::render::weights::WeightFiles;
use proptest::prelude::*;
use tempfile::TempDir;

const INDEX: &str = "Classes

subject_name,class
one,puppet
two,cat

Prompts

Object Prompts

prompt_list = [
'a {0} {1}, laugh, beach background'.format(unique_token, class_token),
'a {0} {1}\"s night background'.format(unique_token, class_token)
]

Live Subject Prompts

prompt_list = [
'a red {0} {1}'.format(unique_token, class_token),
]
";

/// Two puppets, the first with two pictures.
fn data() -> TempDir {
    let folder = TempDir::new().unwrap();
    for (seed, path) in [(1_000_000, "one/00.png"), (1_000_000, "one/01.png"), (1_000_001, "two/00.png")] {
        let expression = if path.ends_with("01.png") { Expression::Laugh } else { Expression::Smile };
        let picture = render(&Identity::from_seed(seed), &reference_shot(expression), 128);
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        picture.image.save(path).unwrap();
    }
    std::fs::write(folder.path().join("prompts_and_classes.txt"), INDEX).unwrap();
    folder
}

fn benchmark(data: &Path, output: &Path) -> SubjectBenchmark {
    let defaults = ModelDefaults::of(None).unwrap();
    SubjectBenchmark {
        data: DataSet::open(data).unwrap(),
        number: 2,
        settings: RenderSettings { steps: 2, ..RenderSettings::square(&defaults, 0) },
        reference_prompt: Prompt("smile, white background".into()),
        reference: 0,
        mask: FileChoice::Auto,
        refine: false,
        pose: None,
        pose_model: PoseModel::default(),
        size: Some((64, 64)),
        weights: WeightFiles::default(),
        subjects: None,
        device: DeviceSettings::cpu(),
        folder: output.to_path_buf(),
    }
}

struct Looking {
    clip: Clip,
    dino: Dino,
}

impl Looking {
    fn new() -> Self {
        let files = ClipFiles::of_model(&ModelFiles::builtin().unwrap()).unwrap();
        let dino = DinoFiles::open(&crate::dino::folder()).unwrap();
        Self {
            clip: Clip::load(&files, &Device::Cpu).unwrap(),
            dino: Dino::load(&dino, &Device::Cpu).unwrap(),
        }
    }

    /// Runs the benchmark up to `most` pictures: the result, and how many were drawn.
    fn run(&self, benchmark: &SubjectBenchmark, most: usize) -> (dreamtuner::Result<SubjectReport>, usize) {
        self.run_with(benchmark, most, true)
    }

    fn run_with(
        &self,
        benchmark: &SubjectBenchmark,
        most: usize,
        dino: bool,
    ) -> (dreamtuner::Result<SubjectReport>, usize) {
        let print = serde_json::json!("fingerprint");
        let dino = dino.then_some((&self.dino, &print));
        let encoders = Encoders { clip: Some((&self.clip, &print)), dino };
        let (interrupt, mut drawn) = (Interrupt::default(), 0);
        let wanted = vec![Wanted::Kept(benchmark.folder.clone())];
        let mut reserved = Reservation::begin(wanted, &[], false, "benchmark").unwrap();
        let report = benchmark.run(encoders, &mut reserved, &interrupt, &mut |event| {
            drawn += usize::from(matches!(event, SubjectBenchmarkEvent::Finished { .. }));
            if drawn == most {
                interrupt.request();
            }
        });
        (report, drawn)
    }
}

fn picture(path: &Path) -> image::RgbImage {
    image::open(path).unwrap().into_rgb8()
}

#[test]
fn subjects_are_measured_against_all_their_pictures_and_their_prompts() {
    let (data, output, looking) = (data(), TempDir::new().unwrap(), Looking::new());
    let benchmark = benchmark(data.path(), output.path());
    // Stopped after two pictures of six, it goes on with the third.
    let (stopped, drawn) = looking.run(&benchmark, 2);
    assert!(matches!(stopped, Err(Error::Interrupted)) && drawn == 2);
    let (report, drawn) = looking.run(&benchmark, usize::MAX);
    let report = report.unwrap();
    assert_eq!(drawn, 4);
    assert_eq!(looking.run(&benchmark, usize::MAX).1, 0);

    let [one, two] = report.subjects.as_slice() else { panic!("{report:?}") };
    assert_eq!((one.pictures, two.pictures), (4, 2));
    // The measures of the first subject once more, from the files.
    let real = ["00.png", "01.png"].map(|name| picture(&data.path().join("one").join(name)));
    let texts = ["a puppet, laugh, beach background", "a puppet\"s night background"];
    let (mut clip_i, mut dino, mut clip_t) = (0.0, 0.0, 0.0);
    for (number, text) in texts.iter().enumerate() {
        for place in 0..2 {
            let drawn = picture(&output.path().join(format!("one/{number:02}-{place}.png")));
            let (clip, other) = (looking.clip.image(&drawn).unwrap(), looking.dino.image(&drawn).unwrap());
            clip_t += cosine(&clip, &looking.clip.text(text).unwrap()) / 4.0;
            for real in &real {
                clip_i += cosine(&clip, &looking.clip.image(real).unwrap()) / 8.0;
                dino += cosine(&other, &looking.dino.image(real).unwrap()) / 8.0;
            }
        }
    }
    for (metric, expected) in [(Metric::ClipI, clip_i), (Metric::Dino, dino), (Metric::ClipT, clip_t)] {
        assert!((one.scores[&metric] - expected).abs() < 1e-6, "{metric:?}: {one:?}, {expected}");
        let mean = (one.scores[&metric] + two.scores[&metric]) / 2.0;
        assert!((report.overall[&metric].mean - mean).abs() < 1e-9, "{metric:?}");
    }
    // Different seeds, different pictures; the same seed, the same size.
    let [first, second] = [0, 1].map(|place| picture(&output.path().join(format!("two/00-{place}.png"))));
    assert!(first != second && first.dimensions() == (64, 64));
    let words = std::fs::read_to_string(output.path().join("report.md")).unwrap();
    for word in ["| one |", "| all |", "| DreamTuner (published) | 0.767 | - | 0.281 |", "6 pictures"] {
        assert!(words.contains(word), "{word} is missing in {words}");
    }
    assert!(output.path().join("sheet-two.png").is_file());
}

#[test]
fn results_of_other_settings_or_pictures_are_not_taken_for_these() {
    let (data, output, looking) = (data(), TempDir::new().unwrap(), Looking::new());
    let mut benchmark = benchmark(data.path(), output.path());
    benchmark.data = benchmark.data.only(&["two".into()]).unwrap();
    benchmark.number = 1;
    looking.run(&benchmark, usize::MAX).0.unwrap();
    let refused = |benchmark: &SubjectBenchmark, words: &str| {
        let error = looking.run(benchmark, usize::MAX).0.unwrap_err();
        assert!(matches!(error, Error::Plan { .. }) && error.to_string().contains(words), "{error}");
    };
    let settings = RenderSettings { reference_weight: 2.0, ..benchmark.settings.clone() };
    refused(&SubjectBenchmark { settings, ..benchmark.clone() }, "reference_weight");
    // Other encoders measure what is there; a picture that is gone is drawn again.
    let drawing = std::fs::read(output.path().join("two/00-0.png")).unwrap();
    let (report, measured) = looking.run_with(&benchmark, usize::MAX, false);
    assert!(measured == 1 && !report.unwrap().overall.contains_key(&Metric::Dino));
    assert!(drawing == std::fs::read(output.path().join("two/00-0.png")).unwrap());
    std::fs::remove_file(output.path().join("two/00-0.png")).unwrap();
    let (report, measured) = looking.run(&benchmark, usize::MAX);
    assert!(measured == 1 && report.unwrap().overall.contains_key(&Metric::Dino));
    assert!(drawing == std::fs::read(output.path().join("two/00-0.png")).unwrap());
    std::fs::copy(data.path().join("one/00.png"), data.path().join("two/00.png")).unwrap();
    refused(&benchmark, "files");
    let error = looking.run(&SubjectBenchmark { reference: 1, ..benchmark }, 1).0.unwrap_err().to_string();
    assert!(error.contains("reference-number: 2; two has 1 pictures"), "{error}");
}

#[test]
fn classes_choose_the_prompts() {
    let data = data();
    let set = DataSet::open(data.path()).unwrap();
    let texts = |place: usize| -> Vec<String> {
        set.subjects[place].prompts.iter().map(|prompt| prompt.text("dog")).collect()
    };
    assert_eq!(texts(0), ["a dog, laugh, beach background", "a dog\"s night background"]);
    assert_eq!(texts(1), ["a red dog"]);
    assert_eq!(set.subjects[0].pictures.len(), 2);
    assert!(matches!(set.only(&["three".into()]), Err(Error::Setting { .. })));
}

#[test]
fn folders_of_another_layout_are_refused() {
    let data = data();
    let index = data.path().join("prompts_and_classes.txt");
    let refused = |text: &str, words: &str| {
        std::fs::write(&index, text).unwrap();
        let error = DataSet::open(data.path()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    refused("", "names no subjects");
    refused("subject_name,class\none,puppet\n", "holds no prompts");
    refused("subject_name,class\none puppet\n", "line 2");
    refused("subject_name,class\n../one,puppet\n", "line 2");
    refused("subject_name,class\none,puppet\none,cat\n", "line 3: one is there twice");
    refused(&INDEX.replace("two,cat", "three,cat"), "three");
    std::fs::create_dir(data.path().join("three")).unwrap();
    refused(&INDEX.replace("two,cat", "three,cat"), "holds no pictures");
    std::fs::remove_file(&index).unwrap();
    assert!(matches!(DataSet::open(data.path()), Err(Error::Io { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in the file, it is read or refused.
    #[test]
    fn any_text_is_read_or_refused(lines in prop::collection::vec("(subject_name,class|Live .{0,4}Prompts|['\"].{0,12}|.{0,12})", 0..12)) {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("prompts_and_classes.txt"), lines.join("\n")).unwrap();
        let _ = DataSet::open(folder.path());
    }
}
