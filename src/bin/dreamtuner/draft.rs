//! `dreamtuner draft`.

use std::path::PathBuf;

use clap::Args;
use dreamtuner::Result;
use dreamtuner::draft::{Background, DraftEvent, DraftJob};
use dreamtuner::inputs::dance::{PoseKind, PoseSettings};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::pose::{Camera, PersonChoice, Retarget};
use dreamtuner::rig::RigFiles;

use crate::figure_args::{self, FigureArgs};
use crate::parse::{Size, background, beside, named_beside};
use crate::render_options::TimeArgs;
use crate::say::say;
use crate::signal::stop_on_signal;
use crate::step_progress::StepDisplay;

/// Shown below the help.
pub const EXAMPLES: &str = "\
Examples:
  dreamtuner draft --reference hero.png --pose dance.mp4 -o draft.mp4
  dreamtuner draft --reference hero.png --reference-pose hero.json --pose poses/disco.json --background '#203040' -o draft.mp4

A draft bends the picture itself, and needs no weights. What the picture does not show, it cannot show either.";

/// Options of `dreamtuner draft`.
#[derive(Debug, Args)]
pub struct DraftArgs {
    /// Picture of the character, best from the front; its transparency serves as mask
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    reference: PathBuf,
    /// Another picture of the same character, which lends what the reference hides; can be repeated
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    another: Vec<PathBuf>,
    /// The dance: a video of somebody dancing, pose JSON, or motion capture (BVH)
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    pose: PathBuf,
    #[command(flatten)]
    figure: FigureArgs,
    /// From where a dancer of motion capture is seen, in degrees: yaw=20,pitch=5 is a little from the dancer's left, and from above
    #[arg(long, default_value_t, value_name = "ANGLES", help_heading = "Input")]
    camera: Camera,
    /// How the dance is brought to the reference's body: its bones with the dancer's angles, its size only, or not at all
    #[arg(long, value_enum, default_value_t, value_name = "HOW", help_heading = "Input")]
    retarget: Retarget,
    /// Who dances, where several are seen: largest, left, right, or a number from 0
    #[arg(long, default_value = "largest", value_name = "WHO", help_heading = "Input")]
    person: PersonChoice,
    #[command(flatten)]
    time: TimeArgs,

    /// The clip: .mp4, .webm, .gif, .mov, .mkv, or a folder ending in / for PNG files
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    output: PathBuf,
    /// Size of the frames, 16 to 8192 a side; as large as the whole dance needs at the picture's own size where absent
    #[arg(long, value_name = "WIDTHxHEIGHT", help_heading = "Output")]
    size: Option<Size>,
    /// What is behind the figure: white, black, green or #rrggbb; a picture's file; `reference`, its own background, where the figure
    /// then dances; `dance`, the video itself, with the figure in the dancer's place; or `transparent` (.webm, .mov, .mkv, PNG files)
    #[arg(long, default_value = "white", value_name = "WHAT", value_parser = background, help_heading = "Output")]
    background: Background,
    /// CRF of the encoder, smaller is better: H.264 0-51, 16 where absent; VP9 0-63, 20 where absent; others have none
    #[arg(long, value_name = "CRF", help_heading = "Output")]
    quality: Option<u8>,
    /// Leave the dance's sound out
    #[arg(long, help_heading = "Output")]
    no_audio: bool,
    /// Also write a clip of how sure each pixel is, from black to white; out.confidence.mp4 for out.mp4 where no name is given
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "", require_equals = true, help_heading = "Output")]
    confidence: Option<String>,
    /// Also write a contact sheet; out.sheet.png for out.mp4 where no name is given
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "", require_equals = true, help_heading = "Output")]
    sheet: Option<String>,
    /// Replace outputs that are there already
    #[arg(long, help_heading = "Output")]
    overwrite: bool,
}

impl DraftArgs {
    fn job(&self) -> DraftJob {
        DraftJob {
            figure: RigFiles { others: self.another.clone(), ..self.figure.of(&self.reference) },
            pose: self.pose.clone(),
            pose_settings: PoseSettings {
                kind: PoseKind::Auto,
                decode: self.time.decode(),
                person: self.person,
                model: self.figure.pose_model.clone(),
                retarget: self.retarget,
                camera: self.camera,
            },
            size: self.size.map(|size| (size.width, size.height)),
            background: self.background.clone(),
            audio: !self.no_audio,
            quality: self.quality,
            output: self.output.clone(),
            confidence: named_beside(&self.output, self.confidence.as_deref(), "confidence"),
            sheet: beside(&self.output, self.sheet.as_deref(), "sheet.png"),
            overwrite: self.overwrite,
        }
    }
}

/// Draws the clip.
pub fn run(arguments: &DraftArgs) -> Result<()> {
    let interrupt = Interrupt::default();
    stop_on_signal(interrupt.clone())?;
    let mut display = StepDisplay::default();
    let mut on_event = |event| match event {
        DraftEvent::Doubts(doubts) => {
            figure_args::sentences(&doubts, &arguments.reference)
                .iter()
                .for_each(|sentence| display.note(sentence));
        }
        event => show(&mut display, event),
    };
    let result = dreamtuner::draft::run(&arguments.job(), &interrupt, &mut on_event);
    display.finish();
    result
}

fn show(display: &mut StepDisplay, event: DraftEvent) {
    match event {
        DraftEvent::Note(note) => display.note(&note),
        DraftEvent::Searched { done, of } => {
            let of = of.unwrap_or(done).max(done);
            display.update("frame searched", done as u64, of as u64, "");
        }
        DraftEvent::Frame { done, of } => display.update("frame", done as u64, of as u64, ""),
        DraftEvent::Written(path) => {
            display.finish();
            say(format_args!("{}", path.display()));
        }
        _ => {}
    }
}
