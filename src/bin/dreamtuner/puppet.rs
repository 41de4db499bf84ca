//! `dreamtuner puppet`.

mod clip;
mod dataset;
mod image;

use clap::{Args, Subcommand};
use dreamtuner::Result;
use dreamtuner::puppet::{Expression, Scene, View};
use serde::de::value::Error as ValueError;
use serde::de::{DeserializeOwned, IntoDeserializer};

/// Commands for drawn characters.
#[derive(Debug, Subcommand)]
pub enum PuppetCommand {
    /// Draw one picture of a character, and print its caption.
    #[command(allow_negative_numbers = true)]
    Image(image::ImageArgs),
    /// Draw a character that dances.
    Clip(clip::ClipArgs),
    /// Write a folder of pictures with masks, control images, captions and joints, for training.
    Dataset(dataset::DatasetArgs),
}

/// Runs a command.
pub fn run(command: PuppetCommand) -> Result<()> {
    match command {
        PuppetCommand::Image(arguments) => image::run(&arguments),
        PuppetCommand::Clip(arguments) => clip::run(&arguments),
        PuppetCommand::Dataset(arguments) => dataset::run(&arguments),
    }
}

/// What is drawn, whatever the pose.
#[derive(Debug, Args)]
struct Look {
    /// The character: 0, 1, 2, ...; held-out ones begin at 1000000
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Side of the pictures in pixels, 16 to 8192
    #[arg(long, value_name = "PIXELS", default_value_t = 256, value_parser = clap::value_parser!(u32).range(16..=8192))]
    size: u32,
    /// white, gray, pink, sky, meadow, beach, forest, mountains, snow, desert, night, sunset, city, room, stage, underwater
    #[arg(long, value_name = "NAME", default_value = "white", value_parser = by_name::<Scene>)]
    scene: Scene,
    /// front, three-quarter-left, three-quarter-right
    #[arg(long, value_name = "NAME", default_value = "front", value_parser = by_name::<View>)]
    view: View,
    /// smile, neutral, laugh, surprised, angry, sad, wink, closed-eyes, smirk, blush
    #[arg(long, value_name = "NAME", default_value = "smile", value_parser = by_name::<Expression>)]
    expression: Expression,
    /// Replace an output that is there already
    #[arg(long)]
    overwrite: bool,
}

/// A kind by the name that its data form has.
pub fn by_name<T: DeserializeOwned>(name: &str) -> std::result::Result<T, String> {
    T::deserialize(IntoDeserializer::<ValueError>::into_deserializer(name)).map_err(|error| error.to_string())
}
