"""Runs models: by OpenVINO where a site installed it, by onnxruntime elsewhere; the answers agree.

One thread a model: worker processes are the unit of parallelism. OpenVINO computes in 32-bit floats, whatever
else the processor offers: what is found must not depend on the machine.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deid.pixels.ports import Model


def ready_model(model: bytes, *, threads: int = 1) -> Model:
    """Return a model ready to run, by the quicker runtime of those that are installed."""
    runtime = OnnxRuntimeModel if find_spec("openvino") is None else OpenVinoModel
    return runtime(model, threads=threads)


class OnnxRuntimeModel:
    """A model of one input and one output, run by onnxruntime."""

    def __init__(self, model: bytes, *, threads: int = 1) -> None:
        import onnxruntime  # noqa: PLC0415 - large, and loaded by workers that look only

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
    """A model of one input and one output, run by OpenVINO on the processor."""

    def __init__(self, model: bytes, *, threads: int = 1) -> None:
        import openvino  # noqa: PLC0415 - large, and loaded by workers that look only

        options = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,  # workers are more than one
        }
        core = openvino.Core()
        self._request = core.compile_model(
            core.read_model(model), "CPU", options
        ).create_infer_request()

    def __call__(self, given: NDArray[Any], /) -> NDArray[Any]:
        """Return the output for one input."""
        return np.array(self._request.infer({0: given}, share_inputs=True)[0])
