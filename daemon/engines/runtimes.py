"""Runs models: by OpenVINO where a site installed it, by onnxruntime elsewhere; the answers agree.

One thread a model: worker processes are the unit of parallelism. OpenVINO computes in 32-bit floats, whatever
else the processor offers: what is found must not depend on the machine.
"""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deid.pixels.ports import Model

#: Values of an input, from which on its layers are mapped each by itself: three for every pixel.
_LARGE = 3 * 600_000


def ready_model(model: bytes, *, threads: int = 1) -> Model:
    """Return a model ready to run, by the quicker runtime of those that are installed."""
    runtime = OnnxRuntimeModel if find_spec("openvino") is None else OpenVinoModel
    return runtime(model, threads=threads)


class OnnxRuntimeModel:
    """A model of one input and one output, run by onnxruntime.

    A look at a picture makes some hundred layers of several megabytes. Where each is mapped by itself and
    given back, half of the processor time is the kernel's, which clears every page anew. So they share
    blocks that are given back when the look is over. Of what is larger than `_LARGE` each is mapped by
    itself all the same: blocks fit worse the larger they are, and are what a radiograph's peak is made of.
    """

    def __init__(self, model: bytes, *, threads: int = 1) -> None:
        self._model, self._threads = model, threads
        self._sharing = self._session(shares_blocks=True)
        self._input = self._sharing.get_inputs()[0].name

    def __call__(self, given: NDArray[Any], /) -> NDArray[Any]:
        """Return the output for one input."""
        from onnxruntime import RunOptions  # noqa: PLC0415 - loaded already

        if given.size > _LARGE:
            (output,) = self._apart.run(None, {self._input: given})
        else:
            options = RunOptions()
            options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
            (output,) = self._sharing.run(None, {self._input: given}, options)
        return np.asarray(output)

    @cached_property
    def _apart(self) -> Any:
        """The same model for large inputs, made when there is one."""
        return self._session(shares_blocks=False)

    def _session(self, *, shares_blocks: bool) -> Any:
        import onnxruntime  # noqa: PLC0415 - large, and loaded by workers that look only

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = shares_blocks
        options.log_severity_level = 4
        # As much as is asked for, and no power of two.
        provider = "CPUExecutionProvider", {"arena_extend_strategy": "kSameAsRequested"}
        return onnxruntime.InferenceSession(self._model, options, providers=[provider])


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
