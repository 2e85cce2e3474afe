"""PyTorch's side of the training benchmark, driven over standard input: one JSON command a line, one JSON answer a line.

{"do": "open", "network", "folder", "threads", "batch", "channels_last", "replicas"}
        weights.json + weights.bin (float32, by state-dict name), image.bin (uint8), target.bin and weight.bin (float32)
        -> {"parameters", "loss", "gradientNorm"} of the first step, which is done, in so many equal parts of the batch; all
        further steps are on whole batches
{"do": "run", "count"}  -> {"ms": [...]} of so many steps
{"do": "usage"}         -> {"bytes", "cpuMs"}: the most memory this process had, and its time on all CPUs
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from networks import NETWORKS, read_state


class JointsMSELoss(torch.nn.Module):
    """Half the mean of the squares, of heatmaps times keypoint weights, as one expression for all keypoints."""

    def forward(self, heatmaps, target, weight):
        weight = weight[:, :, None, None]
        return 0.5 * torch.nn.functional.mse_loss(heatmaps * weight, target * weight)


class Training:
    def __init__(self, command):
        torch.set_num_threads(command["threads"])
        folder, n = Path(command["folder"]), command["batch"]
        layout = torch.channels_last if command.get("channels_last") else torch.contiguous_format
        network = NETWORKS[command["network"]]()
        read_state(network, folder)
        self.network = network.to(memory_format=layout).train()
        self.loss = JointsMSELoss()
        self.optimizer = torch.optim.Adam(network.parameters(), lr=command["learning_rate"])
        read = lambda name, dtype: torch.from_numpy(np.fromfile(folder / f"{name}.bin", dtype=dtype))
        self.image = read("image", np.uint8).reshape(n, 3, 256, 192).contiguous(memory_format=layout)
        self.target = read("target", np.float32).reshape(n, 17, 64, 48)
        self.weight = read("weight", np.float32).reshape(n, 17)
        mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
        column = lambda values: torch.from_numpy(values.astype(np.float32)).reshape(1, 3, 1, 1)
        self.factor, self.term = column(1 / (255 * std)), column(-mean / std)

    def step(self, parts=1):
        self.optimizer.zero_grad(set_to_none=True)
        total = 0
        chunks = [tensor.chunk(parts) for tensor in (self.image, self.target, self.weight)]
        for image, target, weight in zip(*chunks):
            heatmaps = self.network(image.float().mul_(self.factor).add_(self.term))
            loss = self.loss(heatmaps, target, weight) / parts
            loss.backward()
            total += loss.item()
        self.optimizer.step()
        return total

    def first(self, parts):
        loss = self.step(parts)
        parameters = list(self.network.parameters())
        # The optimizer leaves the gradients as they are.
        norm = sum(float(p.grad.double().square().sum()) for p in parameters) ** 0.5
        return {"parameters": sum(p.numel() for p in parameters), "loss": loss, "gradientNorm": norm}

    def timed(self, count):
        times = []
        for _ in range(count):
            start = time.perf_counter()
            self.step()
            times.append((time.perf_counter() - start) * 1000)
        return {"ms": times}


def usage():
    # Kilobytes, but bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF)
    return {"bytes": own.ru_maxrss * unit, "cpuMs": (own.ru_utime + own.ru_stime) * 1000}


def main():
    answers = sys.stdout
    sys.stdout = sys.stderr
    training = None
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "open":
            training = Training(command)
            answer = training.first(command.get("replicas", 1))
        else:
            answer = training.timed(command["count"]) if command["do"] == "run" else usage()
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
