//! What can be found wrong with a picture's settings before any file is read.

use crate::error::{Error, Result};
use crate::frame::MAX_SIDE;
use crate::model::prompt;
use crate::render::settings::RenderSettings;

/// Refuses a size, settings and texts that no picture can be made with.
///
/// # Errors
/// [`Error::Setting`] for the first of them.
pub(crate) fn check_picture(size: Option<(u32, u32)>, settings: &RenderSettings) -> Result<()> {
    if let Some((width, height)) = size {
        let allowed = 1..=MAX_SIDE;
        if !allowed.contains(&width) || !allowed.contains(&height) {
            let problem = format!("{width}x{height}; 1 to {MAX_SIDE} a side is allowed");
            return Err(Error::setting("size", problem));
        }
    }
    settings.check_values()?;
    let texts = [
        ("prompt", Some(&settings.prompt)),
        ("negative-prompt", Some(&settings.negative_prompt)),
        ("reference-prompt", settings.reference_prompt.as_ref()),
    ];
    for (name, text) in texts {
        let Some(text) = text else { continue };
        prompt::parse(text).map_err(|error| match error {
            Error::Setting { problem, .. } => Error::setting(name, problem),
            other => other,
        })?;
    }
    Ok(())
}
