"""Runs models: by OpenVINO where a site installed it, by onnxruntime elsewhere; the answers agree.

One thread a model: worker processes are the unit of parallelism. OpenVINO computes in 32-bit floats, whatever
else the processor offers: what is found must not depend on the machine.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from deid.pixels.ports import Model

#: What all models share for their layers and keep between looks: as much as a look at the largest square
#: needs, but for a few layers. Further blocks, which are given back after each look, are of such a size.
_KEPT_BYTES = 96 << 20
_FURTHER_BYTES = 8 << 20


def ready_model(model: bytes, *, threads: int = 1) -> Model:
    """Return a model ready to run, by OpenVINO where a site installed it (decision 0037)."""
    runtime = OnnxRuntimeModel if find_spec("openvino") is None else OpenVinoModel
    return runtime(model, threads=threads)


class OnnxRuntimeModel:
    """A model of one input and one output, run by onnxruntime.

    A look at a picture makes some hundred layers of several megabytes. Where each is mapped by itself and
    given back, half of the processor time is the kernel's, which clears every page anew, and a quarter where
    they share blocks that are given back after each look. So they share one block that stays, whichever
    the model. No pattern of blocks is planned for each size of picture: it would not fit into that one.
    """

    def __init__(self, model: bytes, *, threads: int = 1) -> None:
        onnxruntime = _onnxruntime()
        _share_one_block()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.use_env_allocators", "1")
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self._given_back = onnxruntime.RunOptions()
        self._given_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def __call__(self, given: NDArray[Any], /) -> NDArray[Any]:
        """Return the output for one input."""
        (output,) = self._session.run(None, {self._input: given}, self._given_back)
        return np.asarray(output)


def _onnxruntime() -> Any:
    """Return the library, told before it is loaded to report to nobody.

    Its wheels (1.31) note each session in `~/.cache/Microsoft` and send that to its maker.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime  # noqa: PLC0415 - large, and loaded by workers that look only

    return onnxruntime


@cache
def _share_one_block() -> None:
    """Have the models of this process take their layers from one block; once, as it is the process's."""
    runtime = _onnxruntime()
    runtime.create_and_register_allocator(
        runtime.OrtMemoryInfo(
            "Cpu", runtime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, runtime.OrtMemType.DEFAULT
        ),
        runtime.OrtArenaCfg(
            {
                "arena_extend_strategy": 0,  # powers of two, of which the first block is never given back
                "initial_chunk_size_bytes": _KEPT_BYTES,
                "initial_growth_chunk_size_bytes": _FURTHER_BYTES,
                "max_power_of_two_extend_bytes": _FURTHER_BYTES,
            }
        ),
    )


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
