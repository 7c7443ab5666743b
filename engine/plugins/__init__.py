"""The fused diffusion step for NVIDIA GPUs: its source, and how its weights lie."""
