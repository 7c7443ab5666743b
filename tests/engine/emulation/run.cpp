// The kernel on the CPU: what a launch would do, block after block.

#include "cuda.h"

#include "diffusion_step.cu"

static struct {
    const float *x, *coarse;
    const unsigned* condition;
    const float *film, *keep, *w_first;
    const uint2* w_second;
    const float* b_second;
    const uint2* w_third;
    const float *b_third, *w_last, *b_last;
    int side;
    float *x_next, *logits;
} in;

template <decltype(diffusion_step_16)* KERNEL>
static void launch() {
    KERNEL(in.x, in.coarse, in.condition, in.film, in.keep, in.w_first, in.w_second, in.b_second,
           in.w_third, in.b_third, in.w_last, in.b_last, in.side, in.x_next, in.logits);
}

extern "C" void run(int channels, const unsigned* grid, const void* const* inputs, int side,
                    float* x_next, float* logits) {
    std::memcpy(&in, inputs, 12 * sizeof(void*));
    in.side = side;
    in.x_next = x_next;
    in.logits = logits;
    for (blockIdx.z = 0; blockIdx.z < grid[2]; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < grid[1]; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < grid[0]; ++blockIdx.x)
                emulation::run_block(
                    THREADS, channels == 16 ? launch<diffusion_step_16> : launch<diffusion_step_32>);
}
