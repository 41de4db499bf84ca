//! What is measured: named settings.

use serde::Serialize;

use crate::diffusion::Guidance;
use crate::render::settings::{PreviousFeatures, RenderSettings};

/// How much the prompt says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Caption {
    /// Nothing.
    None,
    /// Expression and scene: only the reference knows who it is.
    #[default]
    Scene,
    /// Everything: hair, garments, expression, scene.
    Full,
}

/// Settings with a name.
#[derive(Debug, Clone)]
pub struct Row {
    /// Short name, which is also the name of its folder.
    pub name: String,
    /// What it is, for the table.
    pub title: String,
    /// Where its pictures come from.
    pub source: Source,
}

/// Where the pictures of a row come from.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum Source {
    /// The animator.
    Render {
        /// How; prompts and size are filled in for each clip.
        settings: Box<RenderSettings>,
        /// What the prompts say.
        caption: Caption,
        /// Whether the reference's background is masked out.
        mask: bool,
        /// Where the reference's joints are, where frames use drafts.
        joints: KnownJoints,
    },
    /// The reference itself, bent to the true poses, without diffusion.
    Draft {
        /// Where the reference's joints are.
        joints: KnownJoints,
    },
    /// The true frames through the VAE's encoder and decoder: the best that any setting can reach.
    RoundTrip,
}

/// How the joints of a reference are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum KnownJoints {
    /// They are the true ones.
    True,
    /// They are found in it, and moved as the true ones move.
    #[default]
    Found,
    /// They are found in it, and moved as those that are found in the true frames, as in a video.
    Video,
}

impl Row {
    /// A row that renders with `settings` and the reference's mask.
    pub fn new(
        name: impl Into<String>,
        title: impl Into<String>,
        settings: RenderSettings,
        caption: Caption,
    ) -> Self {
        let source =
            Source::Render { settings: Box::new(settings), caption, mask: true, joints: KnownJoints::Found };
        Self { name: name.into(), title: title.into(), source }
    }
}

/// The row that shows what the VAE alone costs.
pub fn round_trip() -> Row {
    Row { name: "vae".into(), title: "truth through the VAE".into(), source: Source::RoundTrip }
}

/// Drafts, with true joints, with those that are found, and with a dance that is found too. They are no renders of DreamTuner's.
pub fn drafts() -> Vec<Row> {
    let row = |name: &str, title: &str, joints| Row {
        name: name.into(),
        title: title.into(),
        source: Source::Draft { joints },
    };
    vec![
        row("draft", "draft, true joints", KnownJoints::True),
        row("draft-found", "draft, joints found in the reference", KnownJoints::Found),
        row(
            "draft-video",
            "draft, joints found in the reference and in a video of the dance",
            KnownJoints::Video,
        ),
    ]
}

/// The rows that take DreamTuner apart. Each differs from `base` in what its title says; those with references have the
/// previous frame too where their title says so.
pub fn ablations(base: &RenderSettings, caption: Caption) -> Vec<Row> {
    let with = |name: &str, title: &str, change: &dyn Fn(&mut RenderSettings)| {
        let mut settings = base.clone();
        (settings.reference_weight, settings.previous_weight, settings.first_weight) = (10.0, 1.0, 0.0);
        settings.previous_features = PreviousFeatures::Trajectory;
        change(&mut settings);
        Row::new(name, title, settings, caption)
    };
    let mut rows = without_references(base);
    for weight in [1.0, 2.5, 10.0, 30.0] {
        let name = format!("reference-{weight}");
        rows.push(with(&name, &format!("reference {weight}"), &|settings| {
            (settings.reference_weight, settings.previous_weight) = (weight, 0.0);
        }));
    }
    for weight in [1.0, 3.0] {
        let title = format!("reference 10, previous {weight}");
        rows.push(with(&format!("previous-{weight}"), &title, &|settings| settings.previous_weight = weight));
        rows.push(with(&format!("renoised-{weight}"), &format!("{title}, noised anew"), &|settings| {
            settings.previous_weight = weight;
            settings.previous_features = PreviousFeatures::Renoise;
        }));
    }
    let mut unmasked = with("no-mask", "10 and 1, no mask", &|_| {});
    if let Source::Render { mask, .. } = &mut unmasked.source {
        *mask = false;
    }
    rows.push(unmasked);
    for (name, title, caption) in [
        ("caption-none", "10 and 1, no text", Caption::None),
        ("caption-full", "10 and 1, full text", Caption::Full),
    ] {
        let mut row = with(name, title, &|_| {});
        if let Source::Render { caption: own, .. } = &mut row.source {
            *own = caption;
        }
        rows.push(row);
    }
    rows.extend(guidance_rows(base, &with));
    rows
}

fn without_references(base: &RenderSettings) -> Vec<Row> {
    let alone = |scale: f64| RenderSettings {
        reference_weight: 0.0,
        previous_weight: 0.0,
        first_weight: 0.0,
        beta: 0.0,
        guidance: Guidance::ClassifierFree { scale },
        ..base.clone()
    };
    vec![
        Row::new("nothing", "no text, no reference", alone(1.0), Caption::None),
        Row::new("text", "text only", alone(text_scale(base.guidance)), Caption::Full),
    ]
}

/// ω_c.
fn text_scale(guidance: Guidance) -> f64 {
    match guidance {
        Guidance::ClassifierFree { scale } => scale,
        Guidance::Interleaved { text_scale, .. } => text_scale,
    }
}

type Make<'a> = &'a dyn Fn(&str, &str, &dyn Fn(&mut RenderSettings)) -> Row;

/// Guidance plain and interleaved, p_r and Δt, all with weights 10 and 1.
fn guidance_rows(base: &RenderSettings, with: Make) -> Vec<Row> {
    let scale = text_scale(base.guidance);
    let plain = |name: &str, title: &str, scale: f64| {
        with(name, title, &|settings| settings.guidance = Guidance::ClassifierFree { scale })
    };
    let mut rows = vec![
        plain("guidance-none", "10 and 1, no guidance", 1.0),
        plain("guidance-plain", &format!("10 and 1, plain guidance {scale}"), scale),
    ];
    let interleaved = match base.guidance {
        interleaved @ Guidance::Interleaved { .. } => interleaved,
        Guidance::ClassifierFree { scale } => Guidance::Interleaved {
            reference_probability: 0.9,
            reference_scale: 2.0,
            text_scale: scale,
            less_noise: 10.0,
            more_noise: 10.0,
        },
    };
    for probability in [0.0, 0.5, 0.9, 1.0] {
        rows.push(with(
            &format!("p-r-{probability}"),
            &format!("10 and 1, p_r {probability}"),
            &|settings| {
                let mut guidance = interleaved;
                if let Guidance::Interleaved { reference_probability, .. } = &mut guidance {
                    *reference_probability = probability;
                }
                settings.guidance = guidance;
            },
        ));
    }
    for shift in [0.0, 50.0, 100.0, 200.0] {
        rows.push(with(&format!("less-noise-{shift}"), &format!("10 and 1, Δt {shift}"), &|settings| {
            let mut guidance = interleaved;
            if let Guidance::Interleaved { less_noise, .. } = &mut guidance {
                *less_noise = shift;
            }
            settings.guidance = guidance;
        }));
    }
    rows
}
