//! Drawing and measuring picture after picture.

use std::path::{Path, PathBuf};

use image::RgbImage;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::data_set::{DataSet, Prompt, Subject};
use super::encoders::{Encoders, PictureEmbeddings};
use super::report::{SubjectReport, SubjectScores};
use crate::detect::PoseModel;
use crate::error::{Error, Result};
use crate::evaluate::models::Models;
use crate::evaluate::scores::Scores;
use crate::evaluate::store::finished;
use crate::files::read_picture;
use crate::inputs::content_hash;
use crate::inputs::reference::{FileChoice, ReferenceFiles, opaque};
use crate::interrupt::Interrupt;
use crate::kept::Kept;
use crate::model::DeviceSettings;
use crate::outputs::{Reservation, disk, write_json, write_png, write_whole};
use crate::picture::{Fit, WHITE, fit_image};
use crate::render::pipeline_source::PipelineSource;
use crate::render::settings::RenderSettings;
use crate::render::weights::WeightFiles;
use crate::rig::RigFiles;
use crate::still::{self, Labels, Still, Stills, labelled_grid};

/// Changes when a measure does: what was measured otherwise is measured again.
const MEASURES: u32 = 1;

/// All that is drawn and measured.
#[derive(Debug, Clone)]
pub struct SubjectBenchmark {
    /// The subjects and their prompts.
    pub data: DataSet,
    /// Pictures of each prompt; each has a seed of its own, one after the other.
    pub number: u32,
    /// How they are drawn; texts and size are filled in.
    pub settings: RenderSettings,
    /// What the reference shows, with `{1}` for the class.
    pub reference_prompt: Prompt,
    /// Which of a subject's pictures is the reference, from 0.
    pub reference: usize,
    /// Where the subject is in it.
    pub mask: FileChoice,
    /// Whether a refined reference is made first.
    pub refine: bool,
    /// A pose for all pictures, which ControlNets are shown.
    pub pose: Option<PathBuf>,
    /// The network that finds poses in pictures.
    pub pose_model: PoseModel,
    /// Width and height in pixels; of the reference's shape at the model's native size where absent.
    pub size: Option<(u32, u32)>,
    /// The weights; without ControlNets where there is neither a pose nor a refined reference.
    pub weights: WeightFiles,
    /// A folder with a tuned subject for each, `NAME.subject`.
    pub subjects: Option<PathBuf>,
    /// Where the networks run.
    pub device: DeviceSettings,
    /// Where pictures and results are kept and reports written.
    pub folder: PathBuf,
}

/// What happens on the way.
#[derive(Debug, Clone)]
pub enum SubjectBenchmarkEvent {
    /// Something that the user should know.
    Note(String),
    /// Drawing begins.
    Begin {
        /// Pictures that were finished before.
        done: usize,
        /// All pictures.
        of: usize,
    },
    /// A picture is finished.
    Finished {
        /// Finished pictures.
        done: usize,
        /// All pictures.
        of: usize,
        /// Name of its subject.
        subject: String,
    },
}

/// One picture.
struct Task<'a> {
    subject: &'a Subject,
    /// Where it is kept, without extension.
    path: PathBuf,
    /// Text that it is measured against.
    text: String,
    /// What decides the picture.
    plan: Value,
    /// What decides its measures besides.
    measured_by: Value,
    still: Still,
    /// Whether the picture is there.
    drawn: bool,
    /// Its measures, once it is finished.
    scores: Option<Scores>,
}

/// What is kept of a picture besides itself.
#[derive(Debug, Serialize, Deserialize)]
struct Finished {
    plan: Value,
    measured_by: Value,
    scores: Scores,
}

impl SubjectBenchmark {
    /// Draws and measures every picture that is not finished, and writes `report.json`, `report.md` and a sheet for each subject
    /// into the folder. The folder is `reserved` as one that is worked on again. A picture that is there is only measured where
    /// encoders, real pictures or texts are others now.
    ///
    /// # Errors
    /// [`Error::Interrupted`]; what is finished then is kept. [`Error::Plan`] where the folder holds results of other settings.
    /// Settings out of range, files that cannot be used, failures of the networks.
    pub fn run(
        &self,
        encoders: Encoders,
        reserved: &mut Reservation,
        interrupt: &Interrupt,
        on_event: &mut dyn FnMut(SubjectBenchmarkEvent),
    ) -> Result<SubjectReport> {
        self.settings.check_values()?;
        reserved.begin_folder(&self.folder)?;
        let mut tasks = self.tasks(encoders)?;
        let (of, mut done) = (tasks.len(), tasks.iter().filter(|task| task.scores.is_some()).count());
        on_event(SubjectBenchmarkEvent::Begin { done, of });
        let (mut stills, mut real) = (Stills::default(), Kept::default());
        for task in tasks.iter_mut().filter(|task| task.scores.is_none()) {
            interrupt.check()?;
            let real = real.get(&task.subject.name, || encoders.look_at_all(&task.subject.pictures))?;
            let picture = match task.drawn {
                true => opaque(read_picture(&task.path.with_extension("png"))?),
                false => task.draw(&mut stills, interrupt, on_event)?,
            };
            task.scores = Some(task.measure(&picture, real, encoders)?);
            done += 1;
            on_event(SubjectBenchmarkEvent::Finished { done, of, subject: task.subject.name.clone() });
        }
        self.report(&tasks)
    }

    /// All pictures, subject by subject, with the measures of those that are finished.
    fn tasks(&self, encoders: Encoders) -> Result<Vec<Task<'_>>> {
        let mut models = Models::new(&self.weights, self.subjects.as_deref());
        let shown = self.mask.file().into_iter().chain(self.pose.as_deref());
        let shown = shown.map(content_hash).collect::<Result<Vec<_>>>()?;
        let mut tasks = Vec::new();
        for subject in &self.data.subjects {
            let (number, count) = (self.reference + 1, subject.pictures.len());
            let reference = subject.pictures.get(self.reference).ok_or_else(|| {
                Error::setting("reference-number", format!("{number}; {} has {count} pictures", subject.name))
            })?;
            let real = subject.pictures.iter().map(|path| content_hash(path)).collect::<Result<Vec<_>>>()?;
            let files = [&real[self.reference..=self.reference], &shown].concat();
            let known = models.known(&subject.name)?;
            // A tuned subject is what its class and its word stand for.
            let class = known.subject.as_ref().map_or(subject.class.clone(), |phrase| phrase.in_text(""));
            for (number, prompt) in subject.prompts.iter().enumerate() {
                for place in 0..self.number {
                    let settings = RenderSettings {
                        prompt: prompt.text(&class),
                        reference_prompt: Some(self.reference_prompt.text(&class)),
                        seed: self.settings.seed.wrapping_add(place.into()),
                        ..self.settings.clone()
                    };
                    let still = self.still(reference, models.weights(&subject.name), settings);
                    let plan = self.plan(&still, &known.fingerprints, &files);
                    let text = prompt.text(&subject.class);
                    let measured_by = measured_by(&text, &real, encoders);
                    let path = self.folder.join(&subject.name).join(format!("{number:02}-{place}"));
                    let finished = finished::<Finished>(&path.with_extension("json"), &plan)?;
                    let drawn = finished.is_some();
                    let scores = finished.filter(|finished| finished.measured_by == measured_by);
                    let scores = scores.map(|finished| finished.scores);
                    tasks.push(Task { subject, path, text, plan, measured_by, still, drawn, scores });
                }
            }
        }
        Ok(tasks)
    }

    fn still(&self, reference: &Path, weights: WeightFiles, settings: RenderSettings) -> Still {
        let controls = weights.controlnets.iter().map(|_| FileChoice::Auto).collect();
        let reference = ReferenceFiles {
            picture: reference.to_path_buf(),
            mask: self.mask.clone(),
            controls,
            model: self.pose_model.clone(),
        };
        Still {
            figure: RigFiles::found_in(&reference),
            reference,
            pose: self.pose.clone(),
            size: self.size,
            pipeline: PipelineSource::from_files(weights, self.device.clone()),
            settings,
            vae_tile: None,
            init: None,
            refine: self.refine,
        }
    }

    /// Two pictures with equal plans are equal. `files` are hashes of the reference, the mask and the pose.
    fn plan(&self, still: &Still, weights: &Value, files: &[String]) -> Value {
        json!({
            "dreamtuner": env!("CARGO_PKG_VERSION"),
            "settings": still.settings,
            "size": still.size,
            "refine": still.refine,
            "reference": self.reference,
            "mask": format!("{:?}", self.mask),
            "files": files,
            "weights": weights,
            "device": format!("{:?}", self.device.device.location()),
            "dtype": self.device.dtype.as_str(),
        })
    }

    /// Sums up, and writes what is to be read and looked at.
    fn report(&self, tasks: &[Task]) -> Result<SubjectReport> {
        let mut subjects = Vec::new();
        for subject in &self.data.subjects {
            let own = || tasks.iter().filter(|task| task.subject.name == subject.name);
            subjects.push(SubjectScores::new(subject, own().filter_map(|task| task.scores.as_ref())));
            // The reference, then one picture for each prompt.
            let mut labels = vec![format!("{}, {}", subject.name, subject.class)];
            let reference = opaque(read_picture(&subject.pictures[self.reference])?);
            let mut cells = Vec::new();
            for task in own().step_by(self.number as usize) {
                cells.push(opaque(read_picture(&task.path.with_extension("png"))?));
                labels.push(task.text.clone());
            }
            if let Some((width, height)) = cells.first().map(RgbImage::dimensions) {
                cells.insert(0, fit_image(&reference, width, height, Fit::Contain, WHITE));
            }
            let sheet = labelled_grid(&cells, &Labels::Each(labels));
            write_png(&self.folder.join(format!("sheet-{}.png", subject.name)), &sheet)?;
        }
        let report = SubjectReport::new(self.number, subjects);
        write_whole(&self.folder.join("report.md"), report.markdown().as_bytes())?;
        write_json(&self.folder.join("report.json"), &report)?;
        Ok(report)
    }
}

/// Equal pictures with this equal have equal measures.
fn measured_by(text: &str, real: &[String], encoders: Encoders) -> Value {
    json!({
        "measures": MEASURES,
        "text": text,
        "real": real,
        "clip": encoders.clip.map(|(_, fingerprint)| fingerprint),
        "dino": encoders.dino.map(|(_, fingerprint)| fingerprint),
    })
}

impl Task<'_> {
    /// Draws the picture and keeps it.
    fn draw(
        &self,
        stills: &mut Stills,
        interrupt: &Interrupt,
        on_event: &mut dyn FnMut(SubjectBenchmarkEvent),
    ) -> Result<RgbImage> {
        let made = stills.make(&self.still, interrupt, &mut |event| {
            if let still::StillEvent::Note(note) = event {
                on_event(SubjectBenchmarkEvent::Note(note));
            }
        })?;
        let folder = self.path.parent().unwrap_or(&self.path);
        disk::create_folder(folder).map_err(|error| Error::io(folder, error))?;
        write_png(&self.path.with_extension("png"), &made.picture)?;
        Ok(made.picture)
    }

    /// Measures the picture and keeps the result, which says that it is finished.
    fn measure(&self, picture: &RgbImage, real: &[PictureEmbeddings], encoders: Encoders) -> Result<Scores> {
        let scores = encoders.compare(picture, real, &self.text)?;
        let (plan, measured_by) = (self.plan.clone(), self.measured_by.clone());
        let finished = Finished { plan, measured_by, scores };
        write_json(&self.path.with_extension("json"), &finished)?;
        Ok(finished.scores)
    }
}
