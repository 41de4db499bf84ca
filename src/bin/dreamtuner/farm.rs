//! `dreamtuner farm`: clips that many machines render.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::{Args, Subcommand};
use dreamtuner::animate::Batch;
use dreamtuner::animate::status::{ShotStatus, status};
use dreamtuner::farm::openjd::OpenJob;
use dreamtuner::farm::slurm::{MOST_TASKS, Merge, SlurmJob};
use dreamtuner::outputs::{Reservation, Wanted};
use dreamtuner::{Error, Result};
use serde_json::json;

use crate::farm_plan::{PlanArgs, mean, plan};
use crate::say::print;
use crate::split::{absolute, job_of};

/// What is done with a clip that was split.
#[derive(Debug, Subcommand)]
pub enum FarmCommand {
    /// Say how far the shots of a clip are, whoever renders them
    Status(StatusArgs),
    /// Say how long so many machines take for what is left, what that costs, and how long they wait
    Plan(PlanArgs),
    /// Print a script that gives the shots of a clip to Slurm, or submit them
    Slurm(SlurmArgs),
    /// Write a job bundle for Open Job Description: `openjd` runs it here, AWS Deadline Cloud on many machines
    Openjd(OpenjdArgs),
}

/// Options of `dreamtuner farm status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The folder that `dreamtuner split` or `batch` has made
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Options of `dreamtuner farm slurm`.
#[derive(Debug, Args)]
pub struct SlurmArgs {
    /// The folder that `dreamtuner split` or `batch` has made; all nodes see it under the same name
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Merge the shots into this clip once they are rendered; those of a batch are always merged
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Tasks that run at the same time, at most; as many as there is room for where absent
    #[arg(long, value_name = "TASKS", value_parser = clap::value_parser!(u32).range(1..))]
    at_once: Option<u32>,
    /// How often a task is put into the queue again that was interrupted or killed
    #[arg(long, value_name = "TIMES", default_value_t = 20)]
    requeues: u32,
    /// Submit the jobs in place of printing the script
    #[arg(long)]
    submit: bool,
    /// Options of `sbatch` for the shots: -- --partition gpu --gres gpu:1 --time 1:00:00
    #[arg(last = true, value_name = "OPTION")]
    options: Vec<String>,
}

/// Options of `dreamtuner farm openjd`.
#[derive(Debug, Args)]
pub struct OpenjdArgs {
    /// The folder that `dreamtuner split` or `batch` has made
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// The new folder for the bundle
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// The clip that the shots are merged into; job.mp4 beside job.split where absent
    #[arg(long, value_name = "FILE")]
    clip: Option<PathBuf>,
    /// Ask for hosts with a GPU
    #[arg(long)]
    gpu: bool,
    /// Also submit the bundle to AWS Deadline Cloud, by its command `deadline`
    #[arg(long)]
    submit: bool,
}

/// Runs a command.
pub fn run(command: &FarmCommand) -> Result<()> {
    match command {
        FarmCommand::Status(arguments) => {
            let shots = status(&arguments.folder)?;
            let text = if arguments.json { json!({ "shots": shots }).to_string() } else { table(&shots) };
            print(text.trim_end())
        }
        FarmCommand::Plan(arguments) => plan(arguments),
        FarmCommand::Slurm(arguments) => slurm(arguments),
        FarmCommand::Openjd(arguments) => openjd(arguments),
    }
}

/// How many shots there are, if all that they need is there: what is missing is missing on every machine.
fn ready(folder: &Path) -> Result<usize> {
    let shots = status(folder)?.len();
    let folders = match Batch::read(folder)? {
        Some(batch) => batch.clips.iter().map(|clip| folder.join(&clip.folder)).collect(),
        None => vec![folder.to_path_buf()],
    };
    for folder in folders {
        for path in job_of(&folder)?.inputs() {
            path.metadata().map_err(|error| Error::io(path, error))?;
        }
    }
    Ok(shots)
}

/// Whether a folder holds many clips, which have names of their own.
fn is_batch(folder: &Path, is_clip_named: bool) -> Result<bool> {
    match Batch::read(folder)? {
        Some(_) if is_clip_named => {
            Err(Error::setting("output", "is not needed: each clip of a batch has its own"))
        }
        batch => Ok(batch.is_some()),
    }
}

fn own_program() -> Result<PathBuf> {
    std::env::current_exe().map_err(|error| Error::io("dreamtuner", error))
}

fn slurm(arguments: &SlurmArgs) -> Result<()> {
    let folder = absolute(&arguments.folder)?;
    let clip = arguments.output.as_deref().map(absolute).transpose()?;
    let merge = match (is_batch(&folder, clip.is_some())?, clip) {
        (true, _) => Some(Merge::All),
        (false, clip) => clip.map(Merge::Into),
    };
    let jobs = SlurmJob {
        program: own_program()?,
        shots: ready(&folder)?,
        folder,
        most_tasks: most_tasks().unwrap_or(MOST_TASKS),
        at_once: arguments.at_once.map(|count| count as usize),
        requeues: arguments.requeues as usize,
        merge,
        options: arguments.options.clone(),
    };
    if arguments.submit { submit(&jobs.script()) } else { print(jobs.script().trim_end()) }
}

fn openjd(arguments: &OpenjdArgs) -> Result<()> {
    let (folder, bundle) = (absolute(&arguments.folder)?, absolute(&arguments.output)?);
    let name = folder.file_stem().unwrap_or_default().to_string_lossy();
    let clip = match is_batch(&folder, arguments.clip.is_some())? {
        true => None,
        false => {
            let beside = folder.with_file_name(format!("{name}.mp4"));
            Some(arguments.clip.as_deref().map_or(Ok(beside), absolute)?)
        }
    };
    let job = OpenJob {
        name: &name,
        program: &own_program()?,
        folder: &folder,
        shots: ready(&folder)?,
        clip: clip.as_deref(),
        needs_gpu: arguments.gpu,
    };
    let file = |name: &str, content: &serde_json::Value| {
        let bytes = serde_json::to_vec_pretty(content);
        Ok((name.to_string(), bytes.map_err(|error| Error::output(&bundle, error.to_string()))?))
    };
    let files = [("template.json", job.template()), ("parameter_values.json", job.parameter_values())];
    let wanted = vec![Wanted::Folder(bundle.clone())];
    let mut reserved = Reservation::begin(wanted, &[&folder], false, &format!("{job:?}"))?;
    reserved.write_folder(&bundle, files.iter().map(|(name, content)| file(name, content)))?;
    reserved.finish()?;
    if !arguments.submit {
        return print(&bundle.display().to_string());
    }
    match Command::new("deadline").args(["bundle", "submit"]).arg(&bundle).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(Error::setting("submit", "Deadline Cloud has refused the job, as said above")),
        Err(_) => {
            Err(Error::setting("submit", "the command deadline is not installed here (PyPI: deadline)"))
        }
    }
}

/// How many tasks the cluster allows in an array; `None` where there is none.
fn most_tasks() -> Option<usize> {
    let told = Command::new("scontrol").args(["show", "config"]).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(told.stdout).ok()?;
    let line = text.lines().find(|line| line.starts_with("MaxArraySize"))?;
    let size: usize = line.split('=').nth(1)?.trim().parse().ok()?;
    // Numbers of tasks are below it.
    size.checked_sub(1).filter(|size| *size > 0)
}

fn submit(script: &str) -> Result<()> {
    let fail = |error| Error::io("sbatch", error);
    if Command::new("sbatch").arg("--version").stdout(Stdio::null()).status().is_err() {
        let problem =
            "Slurm's sbatch is not installed here; without it the script is printed, to be run where it is";
        return Err(Error::setting("submit", problem));
    }
    let mut shell = Command::new("sh").stdin(Stdio::piped()).spawn().map_err(fail)?;
    if let Some(mut input) = shell.stdin.take() {
        input.write_all(script.as_bytes()).map_err(fail)?;
    }
    match shell.wait().map_err(fail)?.success() {
        true => Ok(()),
        false => Err(Error::setting("submit", "Slurm has refused the jobs, as said above")),
    }
}

/// A line for each shot, and one for all.
fn table(shots: &[ShotStatus]) -> String {
    let mut text = String::from("shot   frames         rendered\n");
    let mut clip = None;
    for status in shots {
        if status.clip != clip {
            clip.clone_from(&status.clip);
            let _ = writeln!(text, "{}", status.clip.as_deref().unwrap_or(Path::new("")).display());
        }
        let (first, last) = (status.shot.first, status.shot.first + status.shot.frames - 1);
        let rendered = match (status.is_complete, status.finished) {
            (true, _) => match status.seconds_per_frame {
                Some(seconds) => format!("all, {seconds:.2} s each"),
                None => "all".into(),
            },
            (false, 0) => "none".into(),
            (false, finished) => format!("{finished} of {}", status.shot.rendered()),
        };
        let _ = writeln!(text, "{:<6} {:<14} {rendered}", status.number, format!("{first} to {last}"));
    }
    let sum = |count: fn(&ShotStatus) -> usize| shots.iter().map(count).sum::<usize>();
    let (done, all) = (sum(|status| status.finished), sum(|status| status.shot.rendered()));
    let complete = sum(|status| usize::from(status.is_complete));
    let _ = write!(text, "{complete} of {} shots, {done} of {all} frames", shots.len());
    if let Some(each) = mean(shots, |status| status.seconds_per_frame).filter(|_| done < all) {
        let seconds = each * (all - done) as f64;
        let _ = write!(text, "; about {seconds:.0} s of one machine's work left");
    }
    text
}
