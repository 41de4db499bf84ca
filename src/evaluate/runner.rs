//! Rendering and measuring clip after clip.

use std::time::Instant;

use candle_core::DType;
use image::RgbImage;
use serde_json::{Value, json};

use super::draft::drafts;
use super::job::{Benchmark, BenchmarkEvent, BenchmarkModels};
use super::metrics::mean_absolute_difference_inside;
use super::models::{Known, Models};
use super::report::Report;
use super::rows::{Caption, Row, Source};
use super::scores::{ClipResult, Metric, mean, score};
use super::store::Store;
use super::truth::{Dance, Truth};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::model::StableDiffusion;
use crate::outputs::{Reservation, write_json, write_png, write_whole};
use crate::puppet::Identity;
use crate::render::animator::{Animator, ClipInputs, FrameInputs};
use crate::render::settings::RenderSettings;

/// Changes when a measure does: results measured otherwise are not taken for these.
const MEASURES: u32 = 3;

/// One clip to do.
struct Task<'a> {
    row: &'a Row,
    identity: u64,
    dance: &'a Dance,
    plan: Value,
}

/// The finished clips of each row, and what is to be done, each with the place of its row.
type Opened<'a> = (Vec<Vec<ClipResult>>, Vec<(usize, Task<'a>)>);

impl Benchmark {
    /// Renders and measures every clip that is not finished, and writes `report.json`, `report.md` and a contact sheet for each
    /// row into the folder. The folder is `reserved` as one that is worked on again.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`]; what is finished then is kept. [`crate::Error::Plan`] where the folder holds results of
    /// other settings under the same name. Settings out of range, failures of the networks.
    pub fn run(
        &self,
        job: &BenchmarkModels,
        reserved: &mut Reservation,
        interrupt: &Interrupt,
        on_event: &mut dyn FnMut(BenchmarkEvent),
    ) -> Result<Report> {
        self.check()?;
        let store = Store::open(&self.folder, reserved)?;
        let models = &mut Models::new(&job.weights, job.subjects.as_deref());
        let shared = with_clip(models.shared()?, job);
        let (mut results, tasks) = self.open_tasks(models, job, &shared, &store)?;
        on_event(BenchmarkEvent::Begin {
            clips: results.iter().map(Vec::len).sum::<usize>() + tasks.len(),
            finished: results.iter().map(Vec::len).sum(),
            frames: tasks.iter().map(|(_, task)| task.dance.frames).sum(),
        });
        for (row, task) in tasks {
            interrupt.check()?;
            let result = self.measure(models, job, &store, task, interrupt, on_event)?;
            results[row].push(result);
        }
        let report = Report::new(self, &shared, &results);
        let report = match store.earlier_report() {
            Some(earlier) => report.with_rows_of(earlier),
            None => report,
        };
        self.write(&store, &report)?;
        Ok(report)
    }

    /// What is finished, for each row, and what is to be done.
    fn open_tasks(
        &self,
        models: &mut Models,
        job: &BenchmarkModels,
        shared: &Value,
        store: &Store,
    ) -> Result<Opened<'_>> {
        let mut results = vec![Vec::new(); self.rows.len()];
        let mut tasks = Vec::new();
        for &identity in &self.identities {
            for dance in &self.dances {
                let truth = Truth::new(&Identity::from_seed(identity), dance, self.size);
                for (place, row) in self.rows.iter().enumerate() {
                    let known = models.known(&identity.to_string())?;
                    let plan = plan(row, &truth, &known, shared, job);
                    match store.finished(&row.name, identity, &dance.name, &plan)? {
                        Some(result) => results[place].push(result),
                        None => tasks.push((place, Task { row, identity, dance, plan })),
                    }
                }
            }
        }
        // Row by row, so that the first rows are complete early.
        tasks.sort_by_key(|(place, _)| *place);
        Ok((results, tasks))
    }

    fn measure(
        &self,
        models: &mut Models,
        job: &BenchmarkModels,
        store: &Store,
        task: Task,
        interrupt: &Interrupt,
        on_event: &mut dyn FnMut(BenchmarkEvent),
    ) -> Result<ClipResult> {
        let Task { row, identity, dance, plan } = task;
        let truth = Truth::new(&Identity::from_seed(identity), dance, self.size);
        let name = identity.to_string();
        let known = models.known(&name)?;
        let clip = job.clip.as_ref().map(|(clip, _)| *clip);
        let loaded = models.load(&name, &job.device)?;
        let joints = match &row.source {
            Source::Draft { joints } => Some(*joints),
            Source::Render { settings, joints, .. } => settings.draft.are_used().then_some(*joints),
            Source::RoundTrip => None,
        };
        let start = Instant::now();
        let drafts = joints.map(|joints| drafts(&truth, dance.frames_per_second, joints, interrupt));
        let drafts = drafts.transpose()?.unwrap_or_default();
        let frames = match &row.source {
            Source::Draft { .. } => {
                each(&truth, interrupt, on_event, |index| Ok(drafts[index].image.clone()))?
            }
            Source::RoundTrip => each(&truth, interrupt, on_event, |index| {
                round_trip(&loaded.model, &truth.frames[index].image)
            })?,
            Source::Render { settings, caption, mask, .. } => {
                let settings = filled(settings, *caption, &truth, &known).with_drafts(!drafts.is_empty());
                let reference = truth.reference_picture(*mask, loaded.controls.len())?;
                let inputs = ClipInputs::encode(loaded, reference, &settings)?;
                let mut animator = Animator::new(loaded, inputs, settings, job.cache, interrupt.clone())?;
                each(&truth, interrupt, on_event, |index| {
                    let controls = vec![Some(truth.frames[index].control_image()); loaded.controls.len()];
                    let inputs = FrameInputs { controls: &controls, draft: drafts.get(index) };
                    let rendered = animator.render(inputs, &mut |_| {});
                    Ok(rendered.map_err(|error| error.at_frame(index))?.image)
                })?
            }
        };
        let seconds = start.elapsed().as_secs_f64() / frames.len().max(1) as f64;
        let (mut scores, parts) = score(&frames, &truth, clip)?;
        scores.insert(Metric::Seconds, seconds);
        let mut unsure = frames.iter().zip(&truth.frames).zip(drafts).map(|((frame, truth), draft)| {
            let mut unsure = draft.confidence;
            unsure.pixels_mut().for_each(|sure| sure.0[0] = 255 - sure.0[0]);
            mean_absolute_difference_inside(frame, &truth.image, &unsure)
        });
        scores.extend(mean(&mut unsure).map(|unsure| (Metric::UnsureL1, unsure)));
        let result = ClipResult { plan, identity, dance: dance.name.clone(), scores, parts };
        store.keep(&row.name, &result, &frames)?;
        on_event(BenchmarkEvent::Clip { row: row.name.clone(), identity, dance: dance.name.clone() });
        Ok(result)
    }

    fn write(&self, store: &Store, report: &Report) -> Result<()> {
        for row in &self.rows {
            let sheet = super::sheet::sheet(self, store, row)?;
            write_png(&store.file(&format!("sheet-{}.png", row.name)), &sheet)?;
        }
        write_whole(&store.file("report.md"), report.markdown().as_bytes())?;
        write_json(&store.file("report.json"), report)
    }
}

/// Fingerprints of weights and of the CLIP that looks at what they make.
fn with_clip(weights: Value, job: &BenchmarkModels) -> Value {
    json!({"model": weights, "clip": job.clip.as_ref().map(|(_, fingerprint)| fingerprint)})
}

/// Two clips with equal plans have equal results.
fn plan(row: &Row, truth: &Truth, known: &Known, shared: &Value, job: &BenchmarkModels) -> Value {
    let mut source = row.source.clone();
    let weights = match &mut source {
        Source::Render { settings, caption, .. } => {
            **settings = filled(settings, *caption, truth, known);
            with_clip(known.fingerprints.clone(), job)
        }
        Source::Draft { .. } | Source::RoundTrip => shared.clone(),
    };
    json!({
        "dreamtuner": env!("CARGO_PKG_VERSION"),
        "measures": MEASURES,
        "row": source,
        "truth": truth.fingerprint(),
        "weights": weights,
        "device": format!("{:?}", job.device.device.location()),
        "dtype": job.device.dtype.as_str(),
    })
}

/// The settings with what each clip brings.
fn filled(settings: &RenderSettings, caption: Caption, truth: &Truth, known: &Known) -> RenderSettings {
    let (prompt, reference) = match caption {
        Caption::None => ("", ""),
        Caption::Scene => (truth.scene_caption.as_str(), truth.reference_scene_caption.as_str()),
        Caption::Full => (truth.caption.as_str(), truth.reference_caption.as_str()),
    };
    let (width, height) = truth.reference.image.dimensions();
    RenderSettings {
        width: width as usize,
        height: height as usize,
        prompt: prompt.to_owned(),
        reference_prompt: Some(reference.to_owned()),
        ..settings.clone()
    }
    .with_subject(known.subject.as_ref())
}

/// Every frame of a clip, one after the other.
fn each(
    truth: &Truth,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(BenchmarkEvent),
    mut frame: impl FnMut(usize) -> Result<RgbImage>,
) -> Result<Vec<RgbImage>> {
    let mut frames = Vec::with_capacity(truth.frames.len());
    for index in 0..truth.frames.len() {
        interrupt.check()?;
        frames.push(frame(index)?);
        on_event(BenchmarkEvent::Frame);
    }
    Ok(frames)
}

/// A picture through the VAE.
fn round_trip(model: &StableDiffusion, picture: &RgbImage) -> Result<RgbImage> {
    let latent = model.encode_image(picture, None)?;
    model.decode(&latent.to_dtype(DType::F32)?, None)
}
