//! Every command that writes, each as small as it can be.

use std::path::Path;
use std::process::Command;

use super::support::{dance, program, repository, run};

/// A command; `{o}` in its arguments stands for the folder that it writes into.
pub struct Case {
    pub name: &'static str,
    arguments: Vec<String>,
    /// Whether one run takes seconds: of such, few calls are tried unless all are asked for.
    pub is_slow: bool,
}

impl Case {
    /// The command, writing into `folder`.
    pub fn command(&self, folder: &Path) -> Command {
        let folder = folder.to_str().unwrap();
        let mut command = program();
        command.args(self.arguments.iter().map(|argument| argument.replace("{o}", folder)));
        command
    }
}

/// A case by its name; what it reads is made in `inputs`.
pub fn case(name: &'static str, inputs: &Path) -> Case {
    let hero = repository("examples/hero.png");
    let poses = dance(inputs, 3);
    let model = repository("tests/fixtures/sd1");
    let tiny = format!("--model {model} --steps 1 --size 16x16 --reference {hero} --reference-pose none");
    let animate = format!("animate {tiny} --pose {poses}");
    let tune = format!(
        "tune --reference {hero} --reference-pose none --class puppet --word <h> --size 32 --steps 3 --save-at 2 --regular 1 --rank 2"
    );
    let train = "train subject-encoder --size 32 --batch 2 --held-out 1 --res-blocks 1 --caption-column scene_caption \
                 --steps 2 --save-every 1 --check-every 1 --sample-every 2";
    let (line, is_slow) = match name {
        "mp4" => (format!("{animate} -o {{o}}/o.mp4 --compare --sheet"), false),
        "webm" => (format!("{animate} -o {{o}}/o.webm"), false),
        "mkv" => (format!("{animate} -o {{o}}/o.mkv --keep-frames --save-config {{o}}/c.toml"), false),
        "gif" => (format!("{animate} -o {{o}}/o.gif"), false),
        "mov" => (format!("{animate} -o {{o}}/o.mov"), false),
        "png-folder" => (format!("{animate} -o {{o}}/frames/"), false),
        "png-pattern" => (format!("{animate} -o {{o}}/f%02d.png"), false),
        "image" => (format!("image {tiny} -n 2 -o {{o}}/i.png"), false),
        "image-grid" => (format!("image {tiny} --grid reference-weight=0,1 -o {{o}}/i.png"), false),
        "attention" => (
            format!(
                "attention {tiny} --layer decoder4 --at 4,4 --over steps -o {{o}}/a.mp4 --shares {{o}}/s.csv --plot {{o}}/s.png"
            ),
            false,
        ),
        "pose-draw" => (format!("pose draw {poses} --size 64x64 -o {{o}}/d.mp4"), false),
        "pose-convert" => (format!("pose convert {poses} -o {{o}}/d.json"), false),
        "pose-folder" => (format!("pose convert {poses} -o {{o}}/d/"), false),
        "pose-smooth" => (format!("pose smooth {poses} -o {{o}}/d.json"), false),
        "pose-retarget" => (
            format!("pose retarget {poses} --to {} -o {{o}}/d.json", repository("examples/hero.pose.json")),
            false,
        ),
        "pose-extract" => {
            let film = inputs.join("film.mp4");
            let look = format!("puppet clip --size 64 --frames 3 --fps 8 -o {}", film.display());
            run(program().args(look.split(' '))).succeeded();
            let film = film.display();
            (
                format!(
                    "pose extract {film} --pose-model lightning -o {{o}}/d.json --overlay {{o}}/over.mp4"
                ),
                true,
            )
        }
        "puppet-image" => (
            "puppet image --size 32 -o {o}/p.png --mask {o}/m.png --control {o}/c.png --poses {o}/p.json"
                .into(),
            false,
        ),
        "puppet-clip" => (
            "puppet clip --size 32 --frames 3 --fps 4 -o {o}/c.mp4 --mask {o}/masks/ --poses {o}/c.json"
                .into(),
            false,
        ),
        "puppet-dataset" => {
            ("puppet dataset --identities 2 --variants 2 --size 32 -o {o}/data --threads 1".into(), false)
        }
        "tune" => (format!("{tune} -o {{o}}/h.subject --export {{o}}/lora"), true),
        "train" => {
            let data = inputs.join("data");
            let write = format!("puppet dataset --identities 3 --variants 2 --size 32 -o {}", data.display());
            run(program().args(write.split(' '))).succeeded();
            (format!("{train} --data {} -o {{o}}/encoder", data.display()), true)
        }
        "eval-puppets" => (
            format!(
                "eval puppets --model {model} --steps 1 --size 32 --identities 1 --frames 2 -o {{o}}/results"
            ),
            true,
        ),
        "eval-dreambooth" => {
            let data = inputs.join("subjects");
            std::fs::create_dir_all(data.join("red")).unwrap();
            image::RgbImage::from_pixel(32, 32, image::Rgb([200, 30, 30]))
                .save(data.join("red/0.png"))
                .unwrap();
            let index =
                "subject_name,class\nred,square\nPrompts\n'a {0} {1}'.format(unique_token, class_token)\n";
            std::fs::write(data.join("prompts_and_classes.txt"), index).unwrap();
            let data = data.display();
            (
                format!(
                    "eval dreambooth {data} --model {model} --steps 1 --size 16x16 -n 1 --mask none -o {{o}}/results"
                ),
                true,
            )
        }
        other => panic!("there is no case {other}"),
    };
    let arguments = line.split_whitespace().map(str::to_owned).collect();
    Case { name, arguments, is_slow }
}
