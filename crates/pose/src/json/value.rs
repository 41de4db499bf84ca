//! Checked access to JSON values, with the place of what is wrong.

use std::fmt::Display;

use serde_json::Value;

use crate::MAX_CANVAS;

/// What is wrong with the text of a pose file: the place, the value, and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);

impl From<Problem> for ParseError {
    fn from(problem: Problem) -> Self {
        Self(problem.message())
    }
}

/// What is wrong, and where in the file: `[12].people[0].pose_keypoints_2d[7]`.
#[derive(Debug)]
pub(super) struct Problem {
    place: String,
    text: String,
}

pub(super) type Parsed<T> = std::result::Result<T, Problem>;

impl Problem {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { place: String::new(), text: text.into() }
    }

    /// The same problem, seen from one level further out.
    pub(super) fn within(mut self, outer: impl Display) -> Self {
        self.place.insert_str(0, &outer.to_string());
        self
    }

    pub(super) fn message(&self) -> String {
        match self.place.trim_start_matches('.') {
            "" => self.text.clone(),
            place => format!("{place}: {}", self.text),
        }
    }
}

/// A value in an error message, cut to a readable length.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
        other => {
            let text = other.to_string();
            match text.char_indices().nth(40) {
                Some((end, _)) => format!("{}…", &text[..end]),
                None => text,
            }
        }
    }
}

pub(super) fn list(value: &Value) -> Parsed<&[Value]> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| Problem::new(format!("{} is not a list", shown(value))))
}

pub(super) fn number(value: &Value) -> Parsed<f64> {
    let found = value.as_f64().filter(|number| number.is_finite());
    found.ok_or_else(|| Problem::new(format!("{} is not a finite number", shown(value))))
}

/// All numbers of a flat list.
pub(super) fn numbers(items: &[Value]) -> Parsed<Vec<f64>> {
    let numbered = items.iter().enumerate();
    numbered.map(|(index, item)| number(item).map_err(|p| p.within(format!("[{index}]")))).collect()
}

/// Applies `parse` to every item, with its index as the place.
pub(super) fn each<T>(items: &[Value], parse: impl Fn(&Value) -> Parsed<T>) -> Parsed<Vec<T>> {
    let numbered = items.iter().enumerate();
    numbered.map(|(index, item)| parse(item).map_err(|p| p.within(format!("[{index}]")))).collect()
}

/// The canvas of an object with the keys `width` and `height`; `None` where neither is given.
pub(super) fn canvas(object: &Value, width: &str, height: &str) -> Parsed<Option<(u32, u32)>> {
    let side = |key: &str| match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let length = number(value).map_err(|p| p.within(format!(".{key}")))?;
            if !(1.0..=f64::from(MAX_CANVAS)).contains(&length) {
                let text = format!("{length} is not in 1..={MAX_CANVAS}");
                return Err(Problem::new(text).within(format!(".{key}")));
            }
            Ok(Some(length.round() as u32))
        }
    };
    match (side(width)?, side(height)?) {
        (Some(width), Some(height)) => Ok(Some((width, height))),
        (None, None) => Ok(None),
        _ => Err(Problem::new(format!("only one of {width} and {height} is given"))),
    }
}

/// The frames per second that the key `fps` states.
pub(super) fn frame_rate(fps: &Value) -> Parsed<Option<f64>> {
    match fps {
        Value::Null => Ok(None),
        value => {
            let rate = number(value).map_err(|p| p.within(".fps"))?;
            if rate > 0.0 && rate <= 1000.0 {
                Ok(Some(rate))
            } else {
                Err(Problem::new(format!("{rate} is not above 0 and at most 1000")).within(".fps"))
            }
        }
    }
}
