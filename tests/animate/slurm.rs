//! The shots of a clip on a real Slurm of two nodes, which is started here, and where everything dies once.
#![cfg(target_os = "linux")]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::split::{self, CLIP};
use super::support::{Stage, model, run, text};

/// Longest time that the cluster may take for anything.
const LONGEST: Duration = Duration::from_secs(240);

/// A cluster of two nodes on this machine.
struct Cluster {
    folder: PathBuf,
    control: Child,
    nodes: [Child; 2],
}

/// Nodes are found dead after 5 seconds, and requeued tasks wait as long.
fn configuration(folder: &Path, host: &str, ports: [u16; 3]) -> String {
    let run = folder.display();
    let [control, one, other] = ports;
    format!(
        "ClusterName=test\nSlurmctldHost={host}(127.0.0.1)\nSlurmUser=root\nSlurmdUser=root\n\
         AuthType=auth/none\nCredType=cred/none\nAuthInfo=cred_expire=5\n\
         SlurmctldPort={control}\nSlurmctldPidFile={run}/control.pid\nSlurmdPidFile={run}/%n.pid\n\
         SlurmdSpoolDir={run}/spool-%n\nStateSaveLocation={run}/state\n\
         SlurmctldLogFile={run}/control.log\nSlurmdLogFile={run}/%n.log\n\
         ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nMpiDefault=none\nSwitchType=switch/none\n\
         JobAcctGatherType=jobacct_gather/none\nAccountingStorageType=accounting_storage/none\n\
         SchedulerType=sched/backfill\nSelectType=select/cons_tres\nSelectTypeParameters=CR_Core\n\
         ReturnToService=2\nSlurmdTimeout=5\nSlurmctldTimeout=10\nJobRequeue=1\nKillWait=5\n\
         NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={one} CPUs=1 RealMemory=500\n\
         NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={other} CPUs=1 RealMemory=500\n\
         PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP\n"
    )
}

impl Cluster {
    /// Starts one; `None`, and a word why, where Slurm cannot be started.
    fn start(folder: PathBuf) -> Option<Self> {
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|told| told.stdout == b"0\n");
        let has_slurm = ["slurmctld", "slurmd"].iter().all(|name| {
            Command::new(name).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
        });
        if !is_root || !has_slurm {
            eprintln!("skipped: Slurm is not installed (apt-get install slurm-wlm), or this is not root");
            return None;
        }
        for name in ["state", "spool-n1", "spool-n2"] {
            fs::create_dir_all(folder.join(name)).unwrap();
        }
        let host = String::from_utf8(Command::new("hostname").arg("-s").output().unwrap().stdout).unwrap();
        // All are held until all are known.
        let free = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = free.each_ref().map(|port| port.local_addr().unwrap().port());
        drop(free);
        fs::write(folder.join("slurm.conf"), configuration(&folder, host.trim(), ports)).unwrap();
        let file = folder.join("slurm.conf");
        let control = daemon(Command::new("slurmctld").arg("-D").arg("-c").arg("-f").arg(&file), &file);
        let nodes = ["n1", "n2"].map(|name| node(name, &file));
        let cluster = Self { folder, control, nodes };
        cluster.wait("two idle nodes", || cluster.tell("sinfo", "-h -t idle -o %D").trim() == "2");
        Some(cluster)
    }

    fn file(&self) -> PathBuf {
        self.folder.join("slurm.conf")
    }

    fn tell(&self, program: &str, arguments: &str) -> String {
        let mut command = Command::new(program);
        command.env("SLURM_CONF", self.file()).args(arguments.split_whitespace());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    }

    #[track_caller]
    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_so() {
            let state = || {
                let logs = fs::read_dir(self.folder.with_file_name("job.split").join("logs"));
                let logs = logs.into_iter().flatten().flatten().map(|entry| entry.path());
                let logs =
                    logs.map(|path| format!("{}\n{}", path.display(), fs::read_to_string(&path).unwrap()));
                let control = fs::read_to_string(self.folder.join("control.log")).unwrap_or_default();
                [self.tell("sinfo", "-h"), self.tell("squeue", "-h"), logs.collect(), control].concat()
            };
            assert!(start.elapsed() < LONGEST, "no {what}:\n{}", state());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for child in self.nodes.iter_mut().chain([&mut self.control]) {
            let _ = child.kill();
            let _ = child.wait();
        }
        kill(&processes("SLURM_CONF=", &text(&self.folder)));
    }
}

fn daemon(command: &mut Command, configuration: &Path) -> Child {
    let command = command.env("SLURM_CONF", configuration).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn node(name: &str, configuration: &Path) -> Child {
    daemon(Command::new("slurmd").args(["-D", "-N", name, "-f"]).arg(configuration), configuration)
}

/// The processes whose environment or command line holds both texts.
fn processes(one: &str, other: &str) -> Vec<u32> {
    let holds = |process: &u32| {
        let read = |name: &str| fs::read(format!("/proc/{process}/{name}")).unwrap_or_default();
        let all = [read("environ"), read("cmdline")].concat();
        let all = String::from_utf8_lossy(&all);
        all.contains(one) && all.contains(other)
    };
    let names = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
    let numbers = names.filter_map(|name| name.to_str()?.parse().ok());
    numbers.filter(|process| *process != std::process::id()).filter(holds).collect()
}

/// The parent of a process, if it has this name.
fn parent(process: u32, name: &str) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let parent: u32 = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()?;
    let of_parent = fs::read_to_string(format!("/proc/{parent}/comm")).ok()?;
    of_parent.starts_with(name).then_some(parent)
}

fn kill(processes: &[u32]) {
    for process in processes {
        let _ = Command::new("kill").args(["-9", &process.to_string()]).status();
    }
}

fn finished(stage: &Stage, shot: usize) -> usize {
    let folder = stage.path(&format!("job.split/shots/{shot:05}.json.frames"));
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "png")).count()
}

#[test]
fn a_cluster_renders_the_same_clip_whatever_dies() {
    let stage = split::stage();
    let Some(mut cluster) = Cluster::start(stage.path("cluster")) else { return };
    let options = format!("{CLIP} --model {} --steps 120 --threads 1", model());
    let program = |arguments: &str| {
        let mut command = stage.program();
        command.env("SLURM_CONF", cluster.folder.join("slurm.conf"));
        command.args(arguments.split_whitespace());
        command
    };
    run(program(&format!("animate {options} -o straight.mp4"))).succeeded();
    run(program(&format!("split {options} -o job.split"))).succeeded();
    // One shot is rendered by somebody whom Slurm does not know.
    let mut survivor = program("animate --split job.split --shot 1");
    let mut survivor = survivor.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    cluster.wait("frame of shot 1", || finished(&stage, 1) > 0);
    let told = run(program("farm slurm job.split -o merged.mp4 --submit")).succeeded().stdout;
    let job = told.lines().find_map(|line| line.strip_prefix("shots: job ")).expect(&told).to_owned();
    // A render is killed, a task has to make room, a node dies with all that runs on it.
    cluster.wait("frame of shot 0", || finished(&stage, 0) > 0);
    kill(&processes("--shot\x000\0", "job.split"));
    cluster.wait("frame of shot 2", || finished(&stage, 2) > 0);
    cluster.tell("scontrol", &format!("requeue {job}_2"));
    cluster.wait("task on the second node", || !processes("SLURMD_NODENAME=n2", "--shot").is_empty());
    cluster.nodes[1].kill().unwrap();
    cluster.nodes[1].wait().unwrap();
    let tasks = processes("SLURMD_NODENAME=n2", "SLURM_JOB_ID=");
    // What would tell of their end goes first.
    kill(&tasks.iter().filter_map(|task| parent(*task, "slurmstepd")).collect::<Vec<_>>());
    kill(&tasks);
    cluster.wait("dead node", || cluster.tell("sinfo", "-h -n n2 -o %t").starts_with("down"));
    cluster.nodes[1] = node("n2", &cluster.file());
    survivor.wait().unwrap();
    let clip = stage.path("merged.mp4");
    cluster.wait("merged clip", || clip.exists() && cluster.tell("squeue", "-h").is_empty());
    assert!(fs::read(stage.path("straight.mp4")).unwrap() == fs::read(clip).unwrap(), "the bytes differ");
    for (shot, words) in [(0, "of them finished before"), (1, "another run of this program is writing it")] {
        let log = fs::read_to_string(stage.path(&format!("job.split/logs/shots-{shot}.log"))).unwrap();
        assert!(log.contains(words), "{log}");
    }
}
