"""Runs models: by OpenVINO where it is installed, else by onnxruntime; one thread a model.

Worker processes are the unit of parallelism. Both compute in 32-bit floats, and their answers differ by
less than decisions do. OpenVINO keeps one set of buffers a model, where onnxruntime asks for them anew
with each picture's size.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deid.pixels.ports import Model


class OnnxRuntimeModel:
    """A model of one input and one output, run by onnxruntime."""

    def __init__(self, model: bytes, *, threads: int = 1) -> None:
        import onnxruntime  # noqa: PLC0415 - large; one of the two runtimes is used

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # pictures differ in size; an arena keeps the largest
        options.log_severity_level = 4
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(model, options, providers=providers)
        self._input = self._session.get_inputs()[0].name

    def __call__(self, given: NDArray[Any], /) -> NDArray[Any]:
        """Return the output for one input."""
        (output,) = self._session.run(None, {self._input: given})
        return np.asarray(output)


class OpenVinoModel:
    """A model of one input and one output, run by OpenVINO."""

    def __init__(self, model: bytes, *, threads: int = 1) -> None:
        # The package would load a sender of usage statistics; without it, it uses a stub of its own.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        import openvino  # noqa: PLC0415 - large; one of the two runtimes is used

        core = openvino.Core()
        options = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",  # narrower where the processor could: other decisions
        }
        compiled = core.compile_model(core.read_model(model=model), "CPU", options)
        self._request = compiled.create_infer_request()

    def __call__(self, given: NDArray[Any], /) -> NDArray[Any]:
        """Return the output for one input, copied out of the runtime's buffer."""
        return np.array(self._request.infer({0: given})[0])


def has_openvino() -> bool:
    """Whether OpenVINO is installed; its wheels are for x86-64 and aarch64."""
    return importlib.util.find_spec("openvino") is not None


def make_model(model: bytes, *, threads: int = 1) -> Model:
    """Return a model run by the fastest runtime that is installed."""
    if has_openvino():
        return OpenVinoModel(model, threads=threads)
    return OnnxRuntimeModel(model, threads=threads)
