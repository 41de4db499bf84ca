//! Sizes of frames.

use crate::error::Result;
use crate::model::StableDiffusion;
use crate::render::settings::RenderSettings;

/// Side in pixels above which the VAE works in tiles by itself.
const TILE_ABOVE: usize = 1024;
/// Side in pixels of its tiles then.
const TILE: usize = 512;

/// Pictures with so many times more or fewer pixels a side than a model was trained on come out wrong: figures are doubled, or fall
/// to pieces.
const FAR: f64 = 1.7;

/// `settings` with width, height and the side of the VAE's tiles, of which 0 means none. Width and height are those
/// `wanted`, rounded to what the VAE allows, or those of `shape` at the model's native number of pixels. Notes tell
/// of rounding, and of sizes that the model was not trained for.
///
/// # Errors
/// Those of [`RenderSettings::check`].
pub fn sized(
    mut settings: RenderSettings,
    model: &StableDiffusion,
    wanted: Option<(u32, u32)>,
    vae_tile: Option<usize>,
    shape: (u32, u32),
) -> Result<(RenderSettings, Vec<String>)> {
    let (width, height, step) = match wanted {
        Some((width, height)) => (f64::from(width), f64::from(height), model.factor()),
        None => {
            let side = model.native_side as f64;
            let shape = (f64::from(shape.0) / f64::from(shape.1)).sqrt();
            (side * shape, side / shape, model.size_step)
        }
    };
    let rounded = |side: f64| ((side / step as f64).round() as usize).max(1) * step;
    (settings.width, settings.height) = (rounded(width), rounded(height));
    let (to_width, to_height) = (settings.width, settings.height);
    let mut notes = Vec::new();
    if let Some((width, height)) = wanted {
        if (width as usize, height as usize) != (to_width, to_height) {
            notes.push(format!(
                "--size {width}x{height} rounded to {to_width}x{to_height}: this model's sizes are multiples of {step}"
            ));
        }
        let (native, side) = (model.native_side, ((to_width * to_height) as f64).sqrt());
        if !(1.0 / FAR..=FAR).contains(&(side / native as f64)) && settings.draft.strength.is_none() {
            notes.push(format!(
                "--size {width}x{height} is far from the {native}x{native} pixels that this model knows, and figures may fall to \
                 pieces; leave --size out, or let frames begin from drafts, which have any size (--init draft --strength 0.3 --keep sure)"
            ));
        }
    }
    settings.vae_tile = match vae_tile {
        Some(0) => None,
        Some(tile) => Some(tile),
        None => (to_width.max(to_height) > TILE_ABOVE).then_some(TILE),
    };
    settings.check(model.factor())?;
    Ok((settings, notes))
}
