// One refinement step as one kernel: four 3x3 convolutions, FiLM, SiLU, and the sampler's one line.
//
// The mathematics is Denoiser.forward and step_down of training/model/refine.py, which stays the
// reference (as plain ONNX nodes, the twin). A block of 256 threads makes a TILE x TILE piece of the
// map and works out the halo it needs by itself, so that between the convolutions nothing leaves
// the chip: 26 -> 24 -> 22 -> 18 -> 16 pixels a side for a tile of 16, since the third convolution
// is dilated. The state, the first and the last convolution are fp32; the two in the middle are
// implicit GEMMs on tensor cores, fp16 in, fp32 sums.
//
// A convolution pads with zeros what it is given. So what lies outside the map is zero after every
// layer, not only before the first.
//
// Activations lie pixel after pixel, two channels a word. Eight neighbouring pixels are read at
// once, and would meet in the same banks: the chunks of four words are turned by the pixel's number.
//
// Inputs (B pictures, S pixels a side, C channels), in the order of a plugin's arguments:
//   x, coarse    (B, 1, S, S) fp32      state in [-1, 1]; coarse logit
//   condition    (B, S, S, C) fp16      what the first convolution sees of the picture
//   film         (B, 6 C)     fp32      scale and shift of three layers
//   keep         (1)          fp32      h_s / h_t
//   w_first, w_last (9, C)    fp32      tap by tap
//   w_second, w_third         fp16      in the order that lanes take them (engine/plugins/pack.py)
//   b_second, b_third (C), b_last (1) fp32
// Outputs: x_next, logits (B, 1, S, S) fp32. Grid: tiles across, tiles down, pictures.

#ifdef __CUDACC__
#include <cuda_fp16.h>

namespace {

__device__ unsigned pack(float low, float high) {
    const __half2 both = __floats2half2_rn(low, high);
    return *reinterpret_cast<const unsigned*>(&both);
}

__device__ float2 unpack(unsigned word) {
    return __half22float2(*reinterpret_cast<const __half2*>(&word));
}

// d += a b: 16 pixels x 16 channels in, times 16 channels in x 8 channels out.
__device__ void multiply_add(float (&d)[4], const unsigned (&a)[4], uint2 b) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b.x), "r"(b.y));
}

}  // namespace
#endif  // elsewhere the emulation has brought them

namespace {

constexpr int THREADS = 256, WARPS = THREADS / 32, TAPS = 9;

struct Piece {  // of the map, that a block makes
    int top, left, side, picture;

    __device__ bool inside(int row, int column) const {
        return unsigned(row) < unsigned(side) && unsigned(column) < unsigned(side);
    }
    __device__ int at(int row, int column) const { return (picture * side + row) * side + column; }
};

// Where the channels 2k and 2k+1 of a pixel lie.
template <int C>
__device__ int word(int pixel, int k) {
    constexpr int CHUNKS = C / 8, SHIFT = C == 16 ? 2 : 1;
    return pixel * (C / 2) + (((k >> 2) ^ (pixel >> SHIFT & (CHUNKS - 1))) << 2 | (k & 3));
}

struct Film {  // of one layer, two channels
    float2 scale, shift;

    template <int C>
    __device__ static Film of(const float* table, int layer, int k) {
        const auto rows = reinterpret_cast<const float2*>(table + 2 * layer * C);
        return {rows[k], rows[C / 2 + k]};
    }
    __device__ float2 operator()(float2 v) const {
        return {silu(v.x * (1 + scale.x) + shift.x), silu(v.y * (1 + scale.y) + shift.y)};
    }
    __device__ static float silu(float v) { return v / (1 + expf(-v)); }
};

// A 3x3 convolution, C to C, of a square of SIDE + 2 D pixels to one of SIDE, by all warps.
// `finish(row, column, k, sums)` is called once for each pixel and pair of channels.
template <int C, int SIDE, int D, typename Finish>
__device__ void convolve(const unsigned* from, const uint2* weights, Finish finish) {
    constexpr int WIDE = SIDE + 2 * D, PIXELS = SIDE * SIDE, IN = C / 16, OUT = C / 8;
    constexpr int EACH = ((PIXELS + 15) / 16 + WARPS - 1) / WARPS;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, group = lane / 4, t = lane % 4;
    float sums[EACH][OUT][4] = {};
    int corner[EACH][2];
#pragma unroll
    for (int m = 0; m < EACH; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int pixel = (warp + m * WARPS) * 16 + group + 8 * half;
            const int safe = pixel < PIXELS ? pixel : PIXELS - 1;
            corner[m][half] = safe / SIDE * WIDE + safe % SIDE;
        }
#pragma unroll 1
    for (int tap = 0; tap < TAPS; ++tap) {
        const int offset = (tap / 3 * WIDE + tap % 3) * D;
#pragma unroll
        for (int in = 0; in < IN; ++in) {
            uint2 b[OUT];
#pragma unroll
            for (int out = 0; out < OUT; ++out)
                b[out] = weights[((tap * IN + in) * OUT + out) * 32 + lane];
#pragma unroll
            for (int m = 0; m < EACH; ++m) {
                const int upper = corner[m][0] + offset, lower = corner[m][1] + offset;
                const int k = in * 8 + t;
                const unsigned a[4] = {from[word<C>(upper, k)], from[word<C>(lower, k)],
                                       from[word<C>(upper, k + 4)], from[word<C>(lower, k + 4)]};
#pragma unroll
                for (int out = 0; out < OUT; ++out) multiply_add(sums[m][out], a, b[out]);
            }
        }
    }
#pragma unroll
    for (int m = 0; m < EACH; ++m)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const int pixel = (warp + m * WARPS) * 16 + group + 8 * half;
            if (pixel >= PIXELS) continue;
#pragma unroll
            for (int out = 0; out < OUT; ++out) {
                const float2 sum{sums[m][out][2 * half], sums[m][out][2 * half + 1]};
                finish(pixel / SIDE, pixel % SIDE, out * 4 + t, sum);
            }
        }
}

template <int C, int TILE>
__device__ void step(const float* x, const float* coarse, const unsigned* condition,
                     const float* film, float keep, const float* w_first, const uint2* w_second,
                     const float* b_second, const uint2* w_third, const float* b_third,
                     const float* w_last, float b_last, int side, float* x_next, float* logits) {
    constexpr int PAIRS = C / 2, THIRD = TILE + 2, SECOND = TILE + 6, FIRST = TILE + 8;
    constexpr int STATE = TILE + 10;
    __shared__ float state[STATE * STATE];
    alignas(16) __shared__ unsigned first[FIRST * FIRST * PAIRS];  // later the third layer
    alignas(16) __shared__ unsigned second[SECOND * SECOND * PAIRS];
    const Piece piece{int(blockIdx.y) * TILE, int(blockIdx.x) * TILE, side, int(blockIdx.z)};
    const int thread = threadIdx.x;
    film += piece.picture * 6 * C;

    for (int i = thread; i < STATE * STATE; i += THREADS) {
        const int row = piece.top - 5 + i / STATE, column = piece.left - 5 + i % STATE;
        state[i] = piece.inside(row, column) ? x[piece.at(row, column)] : 0.0f;
    }
    __syncthreads();

    const int k = thread % PAIRS;  // a thread keeps to its two channels
    const Film film_first = Film::of<C>(film, 0, k);
    float2 taps[TAPS];
#pragma unroll
    for (int tap = 0; tap < TAPS; ++tap)
        taps[tap] = reinterpret_cast<const float2*>(w_first)[tap * PAIRS + k];
    for (int pixel = thread / PAIRS; pixel < FIRST * FIRST; pixel += THREADS / PAIRS) {
        const int r = pixel / FIRST, c = pixel % FIRST;
        const int row = piece.top - 4 + r, column = piece.left - 4 + c;
        unsigned value = 0;
        if (piece.inside(row, column)) {
            float2 sum = unpack(condition[piece.at(row, column) * PAIRS + k]);
#pragma unroll
            for (int tap = 0; tap < TAPS; ++tap) {
                const float seen = state[(r + tap / 3) * STATE + c + tap % 3];
                sum.x += taps[tap].x * seen;
                sum.y += taps[tap].y * seen;
            }
            sum = film_first(sum);
            value = pack(sum.x, sum.y);
        }
        first[word<C>(pixel, k)] = value;
    }
    __syncthreads();

    convolve<C, SECOND, 1>(first, w_second, [&](int r, int c, int k, float2 sum) {
        const float2 bias = reinterpret_cast<const float2*>(b_second)[k];
        sum = Film::of<C>(film, 1, k)({sum.x + bias.x, sum.y + bias.y});
        const bool inside = piece.inside(piece.top - 3 + r, piece.left - 3 + c);
        second[word<C>(r * SECOND + c, k)] = inside ? pack(sum.x, sum.y) : 0u;
    });
    __syncthreads();

    convolve<C, THIRD, 2>(second, w_third, [&](int r, int c, int k, float2 sum) {
        const float2 bias = reinterpret_cast<const float2*>(b_third)[k];
        sum = Film::of<C>(film, 2, k)({sum.x + bias.x, sum.y + bias.y});
        unsigned& here = first[word<C>((r + 3) * FIRST + c + 3, k)];  // nobody else reads it now
        const float2 before = unpack(here);
        const bool inside = piece.inside(piece.top - 1 + r, piece.left - 1 + c);
        here = inside ? pack(sum.x + before.x, sum.y + before.y) : 0u;
    });
    __syncthreads();

    for (int i = thread; i < TILE * TILE; i += THREADS) {
        const int r = i / TILE, c = i % TILE, row = piece.top + r, column = piece.left + c;
        if (!piece.inside(row, column)) continue;
        float logit = coarse[piece.at(row, column)] + b_last;
        for (int tap = 0; tap < TAPS; ++tap) {
            const int pixel = (r + tap / 3 + 3) * FIRST + c + tap % 3 + 3;
            const auto weights = reinterpret_cast<const float2*>(w_last) + tap * PAIRS;
            for (int k = 0; k < PAIRS; ++k) {
                const float2 value = unpack(first[word<C>(pixel, k)]);
                logit += weights[k].x * value.x + weights[k].y * value.y;
            }
        }
        const float clean = tanhf(0.5f * logit);  // 2 sigmoid(logit) - 1
        const float now = state[(r + 5) * STATE + c + 5];
        x_next[piece.at(row, column)] = clean + keep * (now - clean);
        logits[piece.at(row, column)] = logit;
    }
}

}  // namespace

#define DIFFUSION_STEP(C, TILE)                                                                   \
    extern "C" __global__ void __launch_bounds__(THREADS, 2) diffusion_step_##C(                     \
        const float* x, const float* coarse, const unsigned* condition, const float* film,        \
        const float* keep, const float* w_first, const uint2* w_second, const float* b_second,    \
        const uint2* w_third, const float* b_third, const float* w_last, const float* b_last,     \
        int side, float* x_next, float* logits) {                                                 \
        step<C, TILE>(x, coarse, condition, film, *keep, w_first, w_second, b_second, w_third,    \
                      b_third, w_last, *b_last, side, x_next, logits);                            \
    }

DIFFUSION_STEP(16, 16)
DIFFUSION_STEP(32, 12)
