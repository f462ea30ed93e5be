"""Intel Open Image Denoise (PyPI pyoidn) and ncnn (PyPI ncnn), called alike."""

import ctypes
import pathlib

import numpy as np
import pyoidn
from pyoidn.capi import oidn_ffi

OIDN = pathlib.Path(__file__).resolve().parent.parent / "weights/oidn"
LIBRARY = ctypes.CDLL(str(pathlib.Path(pyoidn.__file__).parent / "oidn/lib/libOpenImageDenoise.so"))
LIBRARY.oidnSetSharedFilterData.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t]


class Denoiser:
    """A filter with weights of ours on pictures of one frame; calling it gives the clean picture."""

    def __init__(self, weights, colour, albedo=None, normal=None, hdr=False, srgb=False, scale=None, threads=2):
        self.device = pyoidn.Device(1)
        self.device.set_int("numThreads", threads)
        self.device.set_bool("setAffinity", False)
        self.device.commit()
        self.filter = pyoidn.Filter(self.device, "RT")
        self.blob = (OIDN / f"{weights}.tza").read_bytes()
        pointer = int(oidn_ffi.cast("uintptr_t", self.filter._filter))
        LIBRARY.oidnSetSharedFilterData(pointer, b"weights", ctypes.cast(self.blob, ctypes.c_void_p), len(self.blob))
        self.result = np.zeros_like(colour)
        self.images = [("color", colour), ("albedo", albedo), ("normal", normal), ("output", self.result)]
        for name, image in self.images:
            if image is not None:
                self.filter.set_image(name, image, 3)
        self.filter.set_bool("hdr", hdr)
        self.filter.set_bool("srgb", srgb)
        if scale is not None:
            self.filter.set_float("inputScale", scale)
        self.filter.commit()
        assert self.device.get_error() is None, self.device.get_error()

    def __call__(self):
        self.filter.execute()
        assert self.device.get_error() is None, self.device.get_error()
        return self.result


class Upscaler:
    """ncnn on the CPU with a model's files; calling it with height x width x 3 gives the large picture."""

    def __init__(self, model, threads=2):
        import ncnn

        self.ncnn, self.net = ncnn, ncnn.Net()
        self.net.opt.num_threads = threads
        self.net.opt.use_vulkan_compute = False
        assert self.net.load_param(f"{model}.param") == 0 and self.net.load_model(f"{model}.bin") == 0

    def __call__(self, picture):
        extractor = self.net.create_extractor()
        planes = np.ascontiguousarray(picture.transpose(2, 0, 1))
        assert extractor.input("data", self.ncnn.Mat(planes)) == 0
        code, result = extractor.extract("output")
        assert code == 0
        return np.array(result).transpose(1, 2, 0)
