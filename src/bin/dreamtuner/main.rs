//! The command line: what is asked is parsed here, done in one file for each command, and turned into an exit code.

#![warn(clippy::disallowed_methods)]

mod animate;
mod attention;
mod attention_sheet;
mod batch;
mod batch_table;
mod config_file;
mod device;
mod draft;
mod draft_args;
mod evaluate;
mod evaluate_clip;
mod evaluate_dreambooth;
mod evaluate_folder;
mod evaluate_progress;
mod exit;
mod farm;
mod farm_plan;
mod figure_args;
mod image;
mod image_grid;
mod models;
mod parse;
mod pose;
mod progress;
mod puppet;
mod render_options;
mod rig;
mod say;
mod shell;
mod signal;
mod split;
mod step_progress;
mod train;
mod tune;

use clap::{CommandFactory, Parser, Subcommand};
use dreamtuner::{files, outputs};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

#[derive(Debug, Parser)]
#[command(
    name = "dreamtuner",
    version,
    about = "Animates one picture of a character along a dance",
    after_help = exit::HELP,
    args_override_self = true,
    max_term_width = 110
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Render a clip of the character in a picture that follows a pose video or pose file.
    #[command(allow_negative_numbers = true, after_help = animate::EXAMPLES)]
    Animate(Box<animate::AnimateArgs>),
    /// Divide a clip into shots, to be rendered on many machines.
    #[command(allow_negative_numbers = true, after_help = split::EXAMPLES, mut_arg("output", |output| {
        output.value_name("FOLDER").help("The new folder for what all shots share, and for their frames")
    }))]
    Split(Box<split::SplitArgs>),
    /// Divide many clips (characters × dances × seeds) into shots, to be rendered as one job.
    #[command(after_help = batch::EXAMPLES)]
    Batch(batch::BatchArgs),
    /// Encode the clip that was split into a folder, once all its shots are rendered.
    Merge(split::MergeArgs),
    /// Watch over clips that were split.
    #[command(subcommand)]
    Farm(farm::FarmCommand),
    /// Let the picture itself dance, bent by its joints: at once, without weights.
    #[command(allow_negative_numbers = true, after_help = draft::EXAMPLES)]
    Draft(Box<draft::DraftArgs>),
    /// Find the joints and parts of the figure in a picture, to be looked at and edited.
    #[command(allow_negative_numbers = true, after_help = rig::EXAMPLES)]
    Rig(Box<rig::RigArgs>),
    /// Make single pictures of the character by text, alone or in a grid over settings.
    #[command(allow_negative_numbers = true, after_help = image::EXAMPLES)]
    Image(Box<image::ImageArgs>),
    /// Show where self-subject-attention looks while a picture is made.
    #[command(allow_negative_numbers = true, after_help = attention::EXAMPLES)]
    Attention(Box<attention::AttentionArgs>),
    /// Measure how good renders are.
    #[command(subcommand)]
    Eval(evaluate::EvaluateCommand),
    /// Draw, convert and examine pose files.
    #[command(subcommand)]
    Pose(pose::PoseCommand),
    /// Draw characters whose every pose is known exactly, and write them as training data.
    #[command(subcommand)]
    Puppet(puppet::PuppetCommand),
    /// Teach the model a subject: one picture becomes a word of the prompt.
    #[command(allow_negative_numbers = true, after_help = tune::EXAMPLES)]
    Tune(Box<tune::TuneArgs>),
    /// Train networks.
    #[command(subcommand)]
    Train(train::TrainCommand),
    /// Examine weights files.
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Print a script that completes options in a shell.
    Completions(shell::CompletionsArgs),
    /// Write manual pages into a folder.
    Man(shell::ManArgs),
}

fn main() {
    // SAFETY: nothing has started a thread yet.
    unsafe { dreamtuner_kernels::tell_candle() };
    // Panics of decoders become errors, which say all there is to say.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !files::is_guarded() {
            hook(panic);
        }
    }));
    let wanted = std::env::var("RUST_LOG").ok().and_then(|wanted| wanted.parse().ok());
    let warnings = fmt::layer().with_writer(|| say::Warnings).with_target(false).without_time();
    let wanted = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN));
    tracing_subscriber::registry().with(warnings.with_filter(wanted)).init();
    std::process::exit(run());
}

fn run() -> i32 {
    if let Err(error) = outputs::fault::from_environment() {
        return exit::report(&error);
    }
    let arguments = std::env::args_os().collect();
    let arguments = batch::addressed(arguments)
        .and_then(|arguments| config_file::with_file::<animate::AnimateArgs>(arguments, &animate::CONFIG))
        .and_then(|arguments| config_file::with_file::<animate::AnimateArgs>(arguments, &split::OF_SPLIT))
        .and_then(|arguments| config_file::with_file::<split::SplitArgs>(arguments, &split::CONFIG))
        .and_then(|arguments| config_file::with_file::<image::PictureArgs>(arguments, &image::FROM));
    let arguments = match arguments {
        Ok(arguments) => arguments,
        Err(error) => return exit::report(&error),
    };
    let result = match CommandLine::parse_from(arguments).command {
        Command::Animate(arguments) => animate::run(*arguments),
        Command::Split(arguments) => split::split(*arguments),
        Command::Batch(arguments) => batch::batch(&arguments),
        Command::Merge(arguments) => split::merge(&arguments),
        Command::Farm(command) => farm::run(&command).map(|()| exit::SUCCESS),
        Command::Draft(arguments) => draft::run(&arguments).map(|()| exit::SUCCESS),
        Command::Rig(arguments) => rig::run(&arguments).map(|()| exit::SUCCESS),
        Command::Image(arguments) => image::run(&arguments),
        Command::Attention(arguments) => attention::run(&arguments),
        Command::Eval(command) => evaluate::run(command),
        Command::Pose(command) => pose::run(command).map(|()| exit::SUCCESS),
        Command::Puppet(command) => puppet::run(command).map(|()| exit::SUCCESS),
        Command::Tune(arguments) => tune::run(&arguments),
        Command::Train(command) => train::run(command),
        Command::Models(command) => models::run(command).map(|()| exit::SUCCESS),
        Command::Completions(arguments) => {
            shell::completions(&arguments, CommandLine::command()).map(|()| exit::SUCCESS)
        }
        Command::Man(arguments) => shell::man(&arguments, CommandLine::command()).map(|()| exit::SUCCESS),
    };
    result.unwrap_or_else(|error| exit::report(&error))
}
