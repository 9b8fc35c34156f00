"""The machine by name, and the fastest matrix products that it does: what every share of a peak refers to."""

import os
import platform
import time
from pathlib import Path

import torch

#: Rows x inner x columns: products of the embedded base, and square ones where a machine shows its best.
SHAPES = {
    "cpu": [(512, 576, 1536), (1024, 1024, 1024), (2048, 2048, 2048)],
    "cuda": [(4096, 5120, 27648), (8192, 8192, 8192)],
}


def device() -> str:
    """cuda where there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def described() -> dict:
    """CPU, cores, memory, GPU and torch, as they call themselves."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    told = {"cpu": names[0] if names else platform.processor(), "cores": os.cpu_count(), "memory_gb": round(memory)}
    told |= {"torch": torch.__version__, "load_before": round(os.getloadavg()[0], 1)}
    return told | ({"gpu": torch.cuda.get_device_name()} if device() == "cuda" else {})


def peaks(seconds: float = 2.0) -> dict[str, float]:
    """GFLOP/s of the best product in fp32 and in bf16."""
    return {name: round(peak(getattr(torch, name), seconds) / 1e9, 1) for name in ("float32", "bfloat16")}


@torch.inference_mode()
def peak(dtype: torch.dtype, seconds: float) -> float:
    """FLOP/s: the best over shapes, each repeated for its share of the time."""
    where, best = device(), 0.0
    for rows, inner, columns in SHAPES[where]:
        left, right = (torch.randn(shape, device=where, dtype=dtype) for shape in ((rows, inner), (inner, columns)))
        until = time.perf_counter() + seconds / len(SHAPES[where])
        while time.perf_counter() < until:
            began = time.perf_counter()
            for _ in range(8):
                left @ right
            if where == "cuda":
                torch.cuda.synchronize()
            best = max(best, 8 * 2 * rows * inner * columns / (time.perf_counter() - began))
    return best
