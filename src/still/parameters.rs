//! Settings in the text chunks of PNG files, so that a picture can be made again.
//!
//! The chunk `parameters` is what AUTOMATIC1111's web UI writes (`modules/infotext_utils.py`): the prompt, a line
//! `Negative prompt: …`, and a line of `Name: value` pairs that begins with `Steps`. The chunk `dreamtuner` holds all options.

use crate::diffusion::{Guidance, Sampler};
use crate::render::settings::RenderSettings;

/// The chunk that other programs read.
pub const PARAMETERS: &str = "parameters";
/// The chunk with all options.
pub const OPTIONS: &str = "dreamtuner";

const NEGATIVE: &str = "Negative prompt: ";

/// What `parameters` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    /// What the picture shows.
    pub prompt: String,
    /// What it must not show.
    pub negative_prompt: String,
    /// Everything else, in its order: names as in `Steps`, `CFG scale`, `Seed`.
    pub values: Vec<(String, String)>,
}

/// The names of samplers in that program.
const SAMPLERS: [(&str, Sampler); 7] = [
    ("DDIM", Sampler::Ddim),
    ("Euler", Sampler::Euler),
    ("Euler a", Sampler::EulerAncestral),
    ("DPM++ 2M", Sampler::DpmPlusPlus2M),
    ("DPM++ 2M Karras", Sampler::DpmPlusPlus2MKarras),
    ("UniPC", Sampler::UniPc),
    ("LCM", Sampler::Lcm),
];

/// What the names of samplers with Karras' noise levels end with.
const KARRAS: &str = " Karras";

fn sampler_called(name: &str) -> Option<Sampler> {
    SAMPLERS.iter().find(|(known, _)| *known == name).map(|(_, sampler)| *sampler)
}

impl Parameters {
    /// Those of a picture made by `model`; `strength` is that of the picture it began from, if there was one.
    pub fn new(settings: &RenderSettings, model: &str, strength: Option<f64>) -> Self {
        let sampler = SAMPLERS.iter().find(|(_, sampler)| *sampler == settings.sampler);
        let mut values = vec![
            ("Steps", settings.steps.to_string()),
            ("Sampler", sampler.map_or_else(|| settings.sampler.to_string(), |(name, _)| (*name).to_owned())),
            ("CFG scale", scale(settings.guidance).to_string()),
            ("Seed", settings.seed.to_string()),
            ("Size", format!("{}x{}", settings.width, settings.height)),
            ("Model", model.to_owned()),
        ];
        values.extend(strength.map(|strength| ("Denoising strength", strength.to_string())));
        if settings.clip_skip > 1 {
            values.push(("Clip skip", settings.clip_skip.to_string()));
        }
        values.push(("Reference weight", settings.reference_weight.to_string()));
        values.push(("Beta", settings.beta.to_string()));
        values.push(("Version", concat!("dreamtuner ", env!("CARGO_PKG_VERSION")).to_owned()));
        Self {
            prompt: settings.prompt.clone(),
            negative_prompt: settings.negative_prompt.clone(),
            values: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }

    /// Reads the text of a chunk. Text without a last line of values is all prompt.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let (before, last) = text.rsplit_once('\n').unwrap_or(("", text));
        let (before, values) = match pairs(last) {
            Some(values) if values.iter().any(|(name, _)| name == "Steps") => (before, values),
            _ => (text, Vec::new()),
        };
        let (prompt, negative_prompt) = match before.split_once(NEGATIVE) {
            Some((prompt, negative)) if prompt.is_empty() || prompt.ends_with('\n') => (prompt, negative),
            _ => (before, ""),
        };
        let [prompt, negative_prompt] = [prompt, negative_prompt].map(|text| text.trim().to_owned());
        Self { prompt, negative_prompt, values }
    }

    /// The value called `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The sampler, if it is one of ours, be it with other noise levels.
    pub fn sampler(&self) -> Option<Sampler> {
        let name = self.sampler_name()?;
        sampler_called(&name).or_else(|| sampler_called(name.strip_suffix(KARRAS)?))
    }

    /// The name of the sampler, if none of ours is just that one.
    pub fn unknown_sampler(&self) -> Option<String> {
        self.sampler_name().filter(|name| sampler_called(name).is_none())
    }

    /// The sampler's name with that of its noise levels, which newer versions name apart.
    fn sampler_name(&self) -> Option<String> {
        let name = self.get("Sampler")?;
        let karras = self.get("Schedule type").is_some_and(|kind| kind.eq_ignore_ascii_case("karras"));
        Some(if karras { format!("{name}{KARRAS}") } else { name.to_owned() })
    }
}

impl std::fmt::Display for Parameters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        writeln!(formatter, "{}", self.prompt)?;
        if !self.negative_prompt.is_empty() {
            writeln!(formatter, "{NEGATIVE}{}", self.negative_prompt)?;
        }
        let pairs: Vec<String> =
            self.values.iter().map(|(name, value)| format!("{name}: {}", quoted(value))).collect();
        formatter.write_str(&pairs.join(", "))
    }
}

fn scale(guidance: Guidance) -> f64 {
    match guidance {
        Guidance::ClassifierFree { scale } => scale,
        Guidance::Interleaved { text_scale, .. } => text_scale,
    }
}

/// A value as it stands in a line of pairs.
fn quoted(value: &str) -> String {
    if value.contains([',', ':', '\n', '"']) {
        return serde_json::Value::from(value).to_string();
    }
    value.to_owned()
}

/// The pairs of a line, if it holds nothing else.
fn pairs(line: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once(':')?;
        if name.is_empty() || name.contains([',', '"']) {
            return None;
        }
        let after = after.trim_start();
        let (value, left) = if after.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(after).into_iter::<String>();
            let value = values.next()?.ok()?;
            let end = values.byte_offset();
            (value, after[end..].trim_start().strip_prefix(',').unwrap_or(&after[end..]))
        } else {
            let (value, left) = after.split_once(',').unwrap_or((after, ""));
            (value.trim().to_owned(), left)
        };
        pairs.push((name.trim().to_owned(), value));
        rest = left.trim_start();
    }
    Some(pairs)
}
