"""Runs models by onnxruntime, one thread a model: worker processes are the unit of parallelism."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
