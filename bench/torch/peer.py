"""PyTorch's side of the benchmark, driven over standard input: one JSON command a line, one JSON answer a line.

{"do": "load", "network", "folder", "threads", "export"}
                                                 weights.json + weights.bin (float32, by state-dict name), input.bin
                                                 -> output.bin and, if wanted, network.onnx (torch.onnx.export)
{"do": "run", "count", "channels_last"}          -> {"ms": [...]}
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from networks import NETWORKS, read_state

warnings.filterwarnings("ignore")


def load(command):
    torch.set_num_threads(command["threads"])
    folder = Path(command["folder"])
    manifest = json.loads((folder / "weights.json").read_text())
    network = NETWORKS[command["network"]]()
    read_state(network, folder)
    network.eval()
    x = torch.from_numpy(np.fromfile(folder / "input.bin", dtype=np.float32).reshape(manifest["input"]))
    network(x).numpy().tofile(folder / "output.bin")
    if command["export"]:
        torch.onnx.export(
            network,
            x,
            str(folder / "network.onnx"),
            input_names=["input"],
            output_names=["heatmaps"],
            opset_version=13,
        )
    last = NETWORKS[command["network"]]().to(memory_format=torch.channels_last).eval()
    last.load_state_dict(network.state_dict())
    return (network, x), (last, x.contiguous(memory_format=torch.channels_last))


def timed(network, x, count):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        network(x)
        times.append((time.perf_counter() - start) * 1000)
    return times


def main():
    answers = sys.stdout
    sys.stdout = sys.stderr
    contiguous = last = None
    with torch.no_grad():
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "load":
                contiguous, last = load(command)
                answer = {"version": torch.__version__}
            else:
                answer = {"ms": timed(*(last if command["channels_last"] else contiguous), command["count"])}
            print(json.dumps(answer), file=answers, flush=True)


main()
