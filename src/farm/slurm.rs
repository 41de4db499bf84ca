//! Slurm: an array with a task for each shot, and a job that merges them.

use std::path::PathBuf;

/// Tasks of an array where the cluster does not say how many it allows: what Slurm's `MaxArraySize` of 1001 allows.
pub const MOST_TASKS: usize = 1000;

/// What a clip's jobs are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlurmJob {
    /// The program, with its full name.
    pub program: PathBuf,
    /// The folder of the clip that was split, with its full name.
    pub folder: PathBuf,
    /// How many shots there are.
    pub shots: usize,
    /// The most tasks that an array may have; where there are more shots, each task renders several.
    pub most_tasks: usize,
    /// How many tasks run at the same time, at most; as many as the cluster has room for where absent.
    pub at_once: Option<usize>,
    /// How often a task is put into the queue again that was interrupted, killed, or met another one at work on its shot.
    pub requeues: usize,
    /// What the shots are merged into; nothing is merged where absent.
    pub merge: Option<Merge>,
    /// Options of `sbatch`: partition, time, memory, GPUs.
    pub options: Vec<String>,
}

/// What shots are merged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merge {
    /// One clip, with its full name.
    Into(PathBuf),
    /// The clips of a batch.
    All,
}

/// Options of `sbatch` that say who pays and where jobs wait; the merge, which needs no GPU and little time, gets these alone.
const OF_MERGE: [&str; 8] = ["-p", "--partition", "-A", "--account", "-q", "--qos", "-M", "--clusters"];

impl SlurmJob {
    /// A shell script that submits all jobs. Seconds before the time that `--time` gives ends, a task stops after its step, and is put into
    /// the queue again; so is one whose node dies, or that makes room for others.
    pub fn script(&self) -> String {
        let shots = self.shots_job();
        let logs = quoted(&self.folder.join("logs").to_string_lossy());
        let merge = self.merge.as_ref().map_or(String::new(), |merge| self.merge_job(merge));
        format!(
            "#!/bin/sh\n# Made by dreamtuner {}.\nset -eu\nmkdir -p {logs}\n{shots}{merge}",
            env!("CARGO_PKG_VERSION")
        )
    }

    fn shots_job(&self) -> String {
        let Self { shots, requeues, .. } = self;
        let each = shots.div_ceil(self.most_tasks.max(1)).max(1);
        let last = shots.div_ceil(each).saturating_sub(1);
        let at_once = self.at_once.map_or(String::new(), |most| format!("%{most}"));
        let log = self.folder.join("logs").join("shots-%a.log");
        let own = ["--requeue", "--open-mode=append", "--signal=B:USR1@60"].map(String::from);
        let own = own.into_iter().chain([
            format!("--job-name={}", self.name("shots")),
            format!("--array=0-{last}{at_once}"),
            format!("--output={}", log.display()),
        ]);
        let options = arguments(own.chain(self.options.iter().cloned()));
        let (program, folder) =
            (quoted(&self.program.to_string_lossy()), quoted(&self.folder.to_string_lossy()));
        format!(
            r#"shots=$(sbatch --parsable {options} <<'SHOTS'
#!/bin/sh
# Slurm's signal and the end of the task reach this shell: the render stops after its step, and what is finished is kept.
trap '[ -z "${{render:-}}" ] || kill -INT "$render"' USR1 TERM
shot=$((SLURM_ARRAY_TASK_ID * {each}))
end=$((shot + {each}))
[ "$end" -le {shots} ] || end={shots}
code=0
while [ "$shot" -lt "$end" ] && [ "$code" -eq 0 ]; do
    {program} animate --split {folder} --shot "$shot" &
    render=$!
    wait "$render" && code=0 || code=$?
    # A signal ends the waiting, not the render.
    while kill -0 "$render" 2>/dev/null; do wait "$render" && code=0 || code=$?; done
    shot=$((shot + 1))
done
case $code in
    75|130|137|143)
        if [ "${{SLURM_RESTART_COUNT:-0}}" -lt {requeues} ]; then
            scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
        fi ;;
esac
exit "$code"
SHOTS
)
echo "shots: job $shots"
"#
        )
    }

    fn merge_job(&self, merge: &Merge) -> String {
        let log = self.folder.join("logs").join("merge.log");
        let own = ["--requeue", "--open-mode=append", "--kill-on-invalid-dep=yes"].map(String::from);
        let own = own
            .into_iter()
            .chain([format!("--job-name={}", self.name("merge")), format!("--output={}", log.display())]);
        let options = arguments(own.chain(options_of_merge(&self.options)));
        let [program, folder] = [&self.program, &self.folder].map(|path| quoted(&path.to_string_lossy()));
        let into = match merge {
            Merge::Into(clip) => format!(" -o {}", quoted(&clip.to_string_lossy())),
            Merge::All => String::new(),
        };
        format!(
            r#"merge=$(sbatch --parsable --dependency="afterok:${{shots%%;*}}" {options} <<'MERGE'
#!/bin/sh
exec {program} merge {folder}{into}
MERGE
)
echo "merge: job $merge"
"#
        )
    }

    /// A job's name, after the folder's.
    fn name(&self, what: &str) -> String {
        let folder = self.folder.file_stem().unwrap_or_default().to_string_lossy();
        format!("{folder}-{what}")
    }
}

/// Those of some options of `sbatch` that are the merge's, too.
fn options_of_merge(options: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut is_value = false;
    for option in options {
        let name = option.split('=').next().unwrap_or(option);
        let is_kept = OF_MERGE.contains(&name);
        if is_kept || is_value && !option.starts_with('-') {
            kept.push(option.clone());
        }
        is_value = is_kept && !option.contains('=');
    }
    kept
}

fn arguments(options: impl Iterator<Item = String>) -> String {
    options.map(|option| quoted(&option)).collect::<Vec<_>>().join(" ")
}

/// A word of a shell script.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=:,%@+".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
