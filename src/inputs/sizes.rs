//! Sizes of frames.

use crate::error::Result;
use crate::model::StableDiffusion;
use crate::render::settings::RenderSettings;

/// Side in pixels above which the VAE works in tiles by itself.
const TILE_ABOVE: usize = 1024;
/// Side in pixels of its tiles then.
const TILE: usize = 512;

/// `settings` with width, height and the side of the VAE's tiles, of which 0 means none. Width and height are those
/// `wanted`, rounded to what the VAE allows, or those of `shape` at the model's native number of pixels. A note tells
/// of rounding.
///
/// # Errors
/// Those of [`RenderSettings::check`].
pub fn sized(
    mut settings: RenderSettings,
    model: &StableDiffusion,
    wanted: Option<(u32, u32)>,
    vae_tile: Option<usize>,
    shape: (u32, u32),
) -> Result<(RenderSettings, Option<String>)> {
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
    let note = wanted.filter(|(width, height)| (*width as usize, *height as usize) != (to_width, to_height));
    let note = note.map(|(width, height)| {
        format!(
            "--size {width}x{height} rounded to {to_width}x{to_height}: this model's sizes are multiples of {step}"
        )
    });
    settings.vae_tile = match vae_tile {
        Some(0) => None,
        Some(tile) => Some(tile),
        None => (to_width.max(to_height) > TILE_ABOVE).then_some(TILE),
    };
    settings.check(model.factor())?;
    Ok((settings, note))
}
