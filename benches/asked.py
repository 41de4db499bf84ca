"""One of this program's benchmarks, asked for one run at a time."""

import json
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class Benchmark:
    """Builds and starts `benches/NAME.rs`."""

    def __init__(self, name: str, **environment: str) -> None:
        command = ["cargo", "bench", "--bench", name, "--no-run", "--message-format", "json"]
        lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
        artifacts = (json.loads(line) for line in lines)
        program = next(a["executable"] for a in artifacts if a.get("target", {}).get("name") == name and a.get("executable"))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([program, "--ask"], env=os.environ | environment, **pipes)

    def seconds(self, run: object) -> float:
        """The seconds that a run took, by the benchmark's own clock."""
        self.process.stdin.write(f"{run}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())
