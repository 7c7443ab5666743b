// As much of CUDA as diffusion_step.cu uses, on a CPU: the 256 threads of a block are fibers that
// run in turn from one barrier to the next. It proves indexing and mathematics; it knows nothing of
// speed, nor of races between two barriers.

#pragma once

#include <math.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#define __device__
#define __global__
#define __shared__ static
#define __launch_bounds__(...)

struct float2 { float x, y; };
struct uint2 { unsigned x, y; };
struct Index { unsigned x, y, z; };

static Index threadIdx, blockIdx;

namespace emulation {

enum Stop { RUNNING, BARRIER, MULTIPLY, ENDED };

struct Fiber {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(1 << 16);
    Stop stop = RUNNING;
};

static ucontext_t scheduler;
static Fiber* current;
static void (*body)();

inline void wait(Stop why) {
    current->stop = why;
    Fiber* self = current;
    swapcontext(&self->context, &scheduler);
}

inline void enter() {
    body();
    current->stop = ENDED;
}

// All threads of one block, to its end. They have to meet at the same barriers.
inline void run_block(int threads, void (*kernel)()) {
    static std::vector<Fiber> fibers(threads);
    body = kernel;
    for (Fiber& fiber : fibers) {
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = fiber.stack.size();
        fiber.context.uc_link = &scheduler;
        makecontext(&fiber.context, enter, 0);
    }
    Stop stop = RUNNING;
    while (stop != ENDED) {
        for (int i = 0; i < threads; ++i) {
            current = &fibers[i];
            threadIdx.x = i;
            swapcontext(&scheduler, &current->context);
            if (i && current->stop != stop) {
                std::fprintf(stderr, "thread %d parts from the others\n", i);
                std::abort();
            }
            stop = current->stop;
        }
    }
}

inline float from_half(unsigned short bits) {
    _Float16 value;
    std::memcpy(&value, &bits, 2);
    return float(value);
}

inline unsigned short to_half(float value) {
    const _Float16 half = _Float16(value);
    unsigned short bits;
    std::memcpy(&bits, &half, 2);
    return bits;
}

struct Fragment { unsigned a[4]; uint2 b; };
static Fragment shown[2][256];  // by turns, so that nobody writes what another still reads
static int turn[256];

}  // namespace emulation

inline void __syncthreads() { emulation::wait(emulation::BARRIER); }

inline unsigned pack(float low, float high) {
    return emulation::to_half(low) | unsigned(emulation::to_half(high)) << 16;
}

inline float2 unpack(unsigned word) {
    return {emulation::from_half(word & 0xffff), emulation::from_half(word >> 16)};
}

// mma.m16n8k16 by the layout of the PTX ISA: each lane shows its share, then sums its own results.
inline void multiply_add(float (&d)[4], const unsigned (&a)[4], uint2 b) {
    const int thread = threadIdx.x, warp = thread / 32 * 32, lane = thread % 32;
    auto& all = emulation::shown[emulation::turn[thread]++ % 2];
    std::copy(a, a + 4, all[thread].a);
    all[thread].b = b;
    emulation::wait(emulation::MULTIPLY);
    for (int i = 0; i < 4; ++i) {
        const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        for (int k = 0; k < 16; ++k) {
            const auto& left = all[warp + row % 8 * 4 + k % 8 / 2];
            const auto& right = all[warp + column * 4 + k % 8 / 2];
            const float2 x = unpack(left.a[row / 8 + k / 8 * 2]);
            const float2 y = unpack(k / 8 ? right.b.y : right.b.x);
            d[i] += (k % 2 ? x.y : x.x) * (k % 2 ? y.y : y.x);
        }
    }
}
