"""Trains the mini model from nothing:
`python models/mini/train.py --configuration models/mini/configurations/train-128.json --data DIR --work DIR`.
May be stopped or killed at any time; the same command goes on from the last checkpoint."""

import argparse
import importlib
import json
import os
from pathlib import Path

import torch
from training import adopt, checkpoint, data, run, workers

STAGES = ("vae", "clip", "words", "diffusion", "export")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Trains the mini model on puppets.")
    parser.add_argument("--configuration", type=Path, required=True, help="JSON file with all sizes and rates")
    parser.add_argument("--data", type=Path, required=True, help="folder of pictures; drawn where missing")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints, losses and sheets")
    parser.add_argument("--stage", choices=STAGES, help="only this stage; without it, all of them in order")
    parser.add_argument("--minutes", type=float, help="ends a stage with a checkpoint after so many minutes")
    parser.add_argument("--cooldown-minutes", type=float, default=0.0, help="lowers the rate to 0 over the last")
    parser.add_argument("--init", type=Path, help="starts from an exported model: its weights, its tokenizer")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder of the exported model")
    parser.add_argument("--dreamtuner", default="dreamtuner", help="the program that draws the pictures")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="processor threads, of all processes")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    settings = json.loads(options.configuration.read_text())
    workers.start()
    torch.set_num_threads(max(1, options.threads // workers.count()))
    with workers.first_alone():
        puppets = prepare(options, settings)
    limits = run.Limits(options.minutes, options.cooldown_minutes)
    for stage in [options.stage] if options.stage else STAGES:
        checkpoint.seed(settings["seed"])
        module = importlib.import_module(f"training.{stage}")
        if stage != "export":
            module.train(settings[stage], puppets, options.work / stage, limits, options.init)
        elif workers.place() == 0:
            module.export(settings, options.work, options.output)
        workers.wait()


def prepare(options: argparse.Namespace, settings: dict) -> data.Puppets:
    """The pictures, drawn and decoded where they are not; takes over what an exported model brings."""
    if options.init:
        adopt.adopt(options.init, options.work)
    data.make(options.data, settings["data"], settings["size"], options.dreamtuner)
    return data.load(options.data, options.work / "data", settings["size"], settings["data"]["held_out"])


if __name__ == "__main__":
    main()
