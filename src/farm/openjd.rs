//! Open Job Description: a job template with a task for each shot, and a step that merges them. It is what `openjd` runs on one machine,
//! and AWS Deadline Cloud on many (<https://github.com/OpenJobDescription/openjd-specifications>, 2023-09).

use std::path::Path;

use serde_json::{Value, json};

/// What a clip's job is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenJob<'a> {
    /// The job's name.
    pub name: &'a str,
    /// The program.
    pub program: &'a Path,
    /// The folder of the clip that was split, with its full name.
    pub folder: &'a Path,
    /// How many shots there are.
    pub shots: usize,
    /// Where the clip goes, with its full name; the clips of a batch have names of their own.
    pub clip: Option<&'a Path>,
    /// Whether a host needs a GPU to render.
    pub needs_gpu: bool,
}

/// Longest name of a job.
const LONGEST_NAME: usize = 128;
/// Seconds that a render has to stop after its step.
const NOTICE: u32 = 60;

impl OpenJob<'_> {
    /// The values of the template's paths, as a bundle for Deadline Cloud has them.
    pub fn parameter_values(&self) -> Value {
        let value = |name: &str, path: &Path| json!({"name": name, "value": path.to_string_lossy()});
        let clip = self.clip.map(|clip| value("Clip", clip));
        let values: Vec<Value> = std::iter::once(value("Split", self.folder)).chain(clip).collect();
        json!({ "parameterValues": values })
    }

    /// The job template. Its parameters are the program, the folder and the clip: other hosts may have them elsewhere.
    pub fn template(&self) -> Value {
        let Self { program, shots, .. } = self;
        let path = |name: &str, kind: &str, flow: &str, description: &str| {
            json!({
                "name": name, "type": "PATH", "objectType": kind, "dataFlow": flow, "description": description,
            })
        };
        let name: String = self.name.chars().take(LONGEST_NAME).collect();
        let mut render = json!({
            "name": "Render",
            "parameterSpace": {
                "taskParameterDefinitions": [
                    {"name": "Shot", "type": "INT", "range": format!("0-{}", shots.saturating_sub(1))},
                ],
            },
            "script": script(&["animate", "--split", "{{Param.Split}}", "--shot", "{{Task.Param.Shot}}"]),
        });
        if self.needs_gpu {
            render["hostRequirements"] = json!({"amounts": [{"name": "amount.worker.gpu", "min": 1}]});
        }
        let mut parameters = vec![
            json!({
                "name": "Program", "type": "STRING", "default": program.to_string_lossy(),
                "description": "The command dreamtuner",
            }),
            path("Split", "DIRECTORY", "INOUT", "The folder that dreamtuner split or batch has made"),
        ];
        let mut merge = vec!["merge", "{{Param.Split}}", "--overwrite"];
        if self.clip.is_some() {
            parameters.push(path("Clip", "FILE", "OUT", "The clip"));
            merge.extend(["-o", "{{Param.Clip}}"]);
        }
        json!({
            "specificationVersion": "jobtemplate-2023-09",
            "name": name,
            "parameterDefinitions": parameters,
            "steps": [
                render,
                {
                    "name": "Merge",
                    "dependencies": [{"dependsOn": "Render"}],
                    "script": script(&merge),
                },
            ],
        })
    }
}

/// A run of the program that is told to stop before it is ended.
fn script(arguments: &[&str]) -> Value {
    json!({
        "actions": {
            "onRun": {
                "command": "{{Param.Program}}",
                "args": arguments,
                "cancelation": {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": NOTICE},
            },
        },
    })
}
