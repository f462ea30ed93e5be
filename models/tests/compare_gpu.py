"""PyTorch's time on a GPU for the networks that examples/time.rs times: the same layers and sizes, any weights.

python3 models/tests/compare_gpu.py [WIDTH HEIGHT]
"""
import sys

import torch
from torch import nn
from torch.nn import functional as F


class Upscaler(nn.Module):
    """SRVGGNetCompact of realesr-animevideov3."""

    def __init__(self):
        super().__init__()
        layers = [nn.Conv2d(3, 64, 3, padding=1), nn.PReLU(64)]
        for _ in range(16):
            layers += [nn.Conv2d(64, 64, 3, padding=1), nn.PReLU(64)]
        self.body = nn.Sequential(*layers, nn.Conv2d(64, 48, 3, padding=1), nn.PixelShuffle(4))

    def forward(self, x):
        return self.body(x) + F.interpolate(x, scale_factor=4, mode="nearest")


class Denoiser(nn.Module):
    """The base network of Open Image Denoise, for colour, albedo and normals."""

    def __init__(self):
        super().__init__()
        sizes = dict(e0=(9, 32), e1=(32, 32), e2=(32, 48), e3=(48, 64), e4=(64, 80), e5a=(80, 96), e5b=(96, 96),
                     d4a=(160, 112), d4b=(112, 112), d3a=(160, 96), d3b=(96, 96), d2a=(128, 64), d2b=(64, 64),
                     d1a=(73, 64), d1b=(64, 32), d0=(32, 3))
        self.layers = nn.ModuleDict({name: nn.Conv2d(*size, 3, padding=1) for name, size in sizes.items()})

    def forward(self, x):
        conv = lambda name, x: F.relu(self.layers[name](x))
        up = lambda x, skip: torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skip], 1)
        pool = lambda x: F.max_pool2d(x, 2)
        p1 = pool(conv("e1", conv("e0", x)))
        p2 = pool(conv("e2", p1))
        p3 = pool(conv("e3", p2))
        p4 = pool(conv("e4", p3))
        y = conv("e5b", conv("e5a", p4))
        y = conv("d4b", conv("d4a", up(y, p3)))
        y = conv("d3b", conv("d3a", up(y, p2)))
        y = conv("d2b", conv("d2a", up(y, p1)))
        return self.layers["d0"](conv("d1b", conv("d1a", up(y, x))))


def milliseconds(run):
    for _ in range(5):
        run()
    torch.cuda.synchronize()
    best = float("inf")
    for _ in range(20):
        start, end = torch.cuda.Event(True), torch.cuda.Event(True)
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        best = min(best, start.elapsed_time(end))
    return best


def main():
    width, height = map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (1920, 1080)
    torch.backends.cudnn.benchmark = True
    aligned = lambda size: (size + 15) // 16 * 16
    networks = [("upscale by 4", Upscaler(), (1, 3, height, width)),
                ("denoise, colour, albedo and normals", Denoiser(), (1, 9, aligned(height), aligned(width)))]
    with torch.no_grad():
        for name, network, shape in networks:
            network, x = network.cuda(), torch.rand(shape, device="cuda")
            times = {}
            for tf32 in (False, True):
                torch.backends.cudnn.allow_tf32 = tf32
                times["TF32" if tf32 else "strict"] = milliseconds(lambda: network(x))
            half, x = network.half().to(memory_format=torch.channels_last), x.half().to(memory_format=torch.channels_last)
            times["f16"] = milliseconds(lambda: half(x))
            print(f"{name}, {width} x {height}: " + ", ".join(f"{key} {time:.2f} ms" for key, time in times.items()))


if __name__ == "__main__":
    main()
