//! `dreamtuner puppet dataset`.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args;
use dreamtuner::Result;
use dreamtuner::dataset::{DatasetSettings, write_dataset};
use dreamtuner::outputs::{Reservation, Wanted};
use dreamtuner::threads::set_threads;

use crate::say::say;

/// Options of `dreamtuner puppet dataset`.
#[derive(Debug, Args)]
pub struct DatasetArgs {
    /// Number of characters
    #[arg(long, value_name = "NUMBER", default_value_t = DatasetSettings::default().identities)]
    identities: u64,
    /// Seed of the first character; held-out characters begin at 1000000
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    first_seed: u64,
    /// Pictures of each character, 1 to 100; the first is the reference
    #[arg(long, value_name = "NUMBER", default_value_t = DatasetSettings::default().variants)]
    variants: u32,
    /// Side of the pictures in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = DatasetSettings::default().size)]
    size: u32,
    /// Seed of poses, scenes and expressions
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// Also write a draft of each picture but the references, with a map of how sure it is: drawn from the reference with joints that
    /// are a little wrong
    #[arg(long)]
    drafts: bool,
    /// Take the drawings in a folder in place of puppets, by turns: each is what is to be learnt, and its reference the same figure in
    /// another pose, bent by its rig
    #[arg(long, value_name = "FOLDER", requires = "drafts")]
    drawings: Option<PathBuf>,
    /// The folder
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// Write into a folder that holds something already
    #[arg(long)]
    overwrite: bool,
    /// CPU threads; one for each core where absent
    #[arg(long, value_name = "NUMBER")]
    threads: Option<usize>,
}

/// Runs the command.
pub fn run(arguments: &DatasetArgs) -> Result<()> {
    /// Characters between two lines of progress.
    const BETWEEN_LINES: u64 = 1000;
    set_threads(arguments.threads)?;
    let settings = DatasetSettings {
        identities: arguments.identities,
        first_seed: arguments.first_seed,
        variants: arguments.variants,
        size: arguments.size,
        seed: arguments.seed,
        drafts: arguments.drafts,
        drawings: arguments.drawings.clone(),
    };
    let wanted = vec![Wanted::FilledFolder(arguments.output.clone())];
    let key = format!("{settings:?} {}", arguments.overwrite);
    let inputs: Vec<&Path> = arguments.drawings.iter().map(PathBuf::as_path).collect();
    let mut reserved = Reservation::begin(wanted, &inputs, arguments.overwrite, &key)?;
    let finished = AtomicU64::new(0);
    write_dataset(&arguments.output, &settings, &mut reserved, || {
        let count = finished.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_multiple_of(BETWEEN_LINES) {
            say(format_args!("{count} of {} characters", settings.identities));
        }
    })?;
    reserved.finish()
}
