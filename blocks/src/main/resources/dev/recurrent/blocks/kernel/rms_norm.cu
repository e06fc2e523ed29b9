// y = w v / sqrt(mean(v^2) + epsilon), in fp32, over each of equal parts of the last dimension, and
// its backward. v is x, or the sum of x and an update, rounded to x's type and returned too, or
// x silu(gate); or y is multiplied by silu(gate).
//
// Each part of a row is read once: WARPS warps keep it in registers, ITEMS packs of VECTOR elements
// a thread, while sums go through them, always in the same order. Parts of one warp share blocks.
// The backward reads v again, not what the forward made of it. Its blocks walk over rows, so that
// the weight's gradient is summed in registers; each leaves one partial sum, for column_sums.cu.
//
// Constants: X_TYPE, U_TYPE (update), G_TYPE (gate), W_TYPE, Y_TYPE (float or bfloat16), VECTOR
// (divides the size; the packs of every tensor are aligned), ITEMS, WARPS, PARTS (of a block; 1
// unless WARPS is 1), BLOCKS (of a multiprocessor, in the backward), CENTRED (1 if weights are
// stored minus 1), UPDATE (1 if one is added), GATE (0 none, 1 applied to y, 2 applied to x).
//
// `rows` rows of gridDim.y parts of `size` elements. The gate's rows begin `gateStride` elements
// apart. Weights of a part begin `weightStep` elements after those of the part before.
// Block: THREADS, PARTS; ITEMS * THREADS * VECTOR >= size.

constexpr int THREADS = LANES * WARPS;  // of a part

// The sums of two values over the threads of a part, `turn` the number of the call.
__device__ __forceinline__ float2 sumsOfPart(float first, float second, int turn) {
    float2 sums = {sumOfWarp(first), sumOfWarp(second)};
    if (WARPS == 1) {
        return sums;
    }
    // Two buffers, since a warp may be one call ahead of the others.
    __shared__ float2 ofWarps[2][WARPS];
    const int lane = threadIdx.x % LANES;
    if (lane == 0) {
        ofWarps[turn % 2][threadIdx.x / LANES] = sums;
    }
    __syncthreads();
    if (lane < WARPS) {
        sums = ofWarps[turn % 2][lane];
    } else {
        sums = {0, 0};
    }
    return {sumOfWarp(sums.x), sumOfWarp(sums.y)};
}

__device__ __forceinline__ int columnOf(int item) {
    return (item * THREADS + threadIdx.x) * VECTOR;
}

// Grid: enough blocks for all rows, parts of a row.
extern "C" __global__ void __launch_bounds__(THREADS * PARTS) rms_norm(
        const X_TYPE* x,
        const U_TYPE* update,
        const G_TYPE* gate,
        const W_TYPE* __restrict__ weight,
        X_TYPE* sum,
        Y_TYPE* y,
        long long rows,
        int size,
        long long gateStride,
        int weightStep,
        float epsilon) {
    letNextBegin();
    const long long row = (long long)blockIdx.x * PARTS + threadIdx.y;
    if (row >= rows) {
        return;
    }
    const long long begin = (row * gridDim.y + blockIdx.y) * size;
    const long long gated = row * gateStride + (long long)blockIdx.y * size;
    float values[ITEMS][VECTOR];
    float updates[ITEMS][VECTOR];
    float factors[ITEMS][VECTOR];  // what the gate makes of y
    awaitPrevious();
#pragma unroll
    for (int i = 0; i < ITEMS; ++i) {
        const int at = columnOf(i);
        if (at < size) {
            widen(load<VECTOR>(x + begin + at), values[i]);
            if (UPDATE) {
                widen(load<VECTOR>(update + begin + at), updates[i]);
            }
            if (GATE) {
                widen(load<VECTOR>(gate + gated + at), factors[i]);
            }
        }
    }
    float squares = 0;
#pragma unroll
    for (int i = 0; i < ITEMS; ++i) {
        const int at = columnOf(i);
        if (at < size) {
#pragma unroll
            for (int j = 0; j < VECTOR; ++j) {
                if (UPDATE) {
                    values[i][j] = widen(narrow<X_TYPE>(values[i][j] + updates[i][j]));
                }
                if (GATE) {
                    factors[i][j] *= sigmoid(factors[i][j]);
                    values[i][j] *= GATE == 2 ? factors[i][j] : 1;
                }
                squares = fmaf(values[i][j], values[i][j], squares);
            }
            if (UPDATE) {
                store(sum + begin + at, values[i]);
            }
        }
    }
    const float scale = rsqrtf(sumsOfPart(squares, 0, 0).x / size + epsilon);
#pragma unroll
    for (int i = 0; i < ITEMS; ++i) {
        const int at = columnOf(i);
        if (at < size) {
            float weights[VECTOR];
            widen(load<VECTOR>(weight + blockIdx.y * weightStep + at), weights);
#pragma unroll
            for (int j = 0; j < VECTOR; ++j) {
                const float normal = values[i][j] * scale * (weights[j] + CENTRED);
                values[i][j] = GATE == 1 ? normal * factors[i][j] : normal;
            }
            store(y + begin + at, values[i]);
        }
    }
}

// Writes the sum over the parts of a block of what each thread has of the weight's gradient.
__device__ __forceinline__ void storeSums(
        const float (&sums)[ITEMS][VECTOR], float* __restrict__ to, int size) {
    if constexpr (PARTS == 1) {
#pragma unroll
        for (int i = 0; i < ITEMS; ++i) {
            if (columnOf(i) < size) {
                store(to + columnOf(i), sums[i]);
            }
        }
    } else {
        __shared__ float ofParts[PARTS][ITEMS * THREADS * VECTOR];
#pragma unroll
        for (int i = 0; i < ITEMS; ++i) {
#pragma unroll
            for (int j = 0; j < VECTOR; ++j) {
                ofParts[threadIdx.y][columnOf(i) + j] = sums[i][j];
            }
        }
        __syncthreads();
        for (int at = threadIdx.y * THREADS + threadIdx.x; at < size; at += PARTS * THREADS) {
            float total = 0;
            for (int part = 0; part < PARTS; ++part) {
                total += ofParts[part][at];
            }
            to[at] = total;
        }
    }
}

// With s the gradient of v, dx = ds + s, or s silu(gate) where x was gated; du the same. `x` is v
// where an update was added. `ds` may be null. `sums`: float [gridDim.x, gridDim.y, size].
// Grid: as many blocks as are to share the rows, parts of a row.
extern "C" __global__ void __launch_bounds__(THREADS * PARTS, BLOCKS) rms_norm_backward(
        const X_TYPE* __restrict__ x,
        const G_TYPE* __restrict__ gate,
        const W_TYPE* __restrict__ weight,
        const Y_TYPE* __restrict__ dy,
        const X_TYPE* __restrict__ ds,
        X_TYPE* __restrict__ dx,
        U_TYPE* __restrict__ du,
        G_TYPE* __restrict__ dgate,
        float* __restrict__ sums,
        long long rows,
        int size,
        long long gateStride,
        int weightStep,
        float epsilon) {
    const long long step = (long long)gridDim.x * PARTS;
    float weights[ITEMS][VECTOR] = {};
    float dweights[ITEMS][VECTOR] = {};
#pragma unroll
    for (int i = 0; i < ITEMS; ++i) {
        if (columnOf(i) < size) {
            widen(load<VECTOR>(weight + blockIdx.y * weightStep + columnOf(i)), weights[i]);
        }
    }
    int turn = 0;
    for (long long row = (long long)blockIdx.x * PARTS + threadIdx.y; row < rows; row += step) {
        const long long begin = (row * gridDim.y + blockIdx.y) * size;
        const long long gated = row * gateStride + (long long)blockIdx.y * size;
        float values[ITEMS][VECTOR] = {};
        float gradients[ITEMS][VECTOR] = {};
        float gates[ITEMS][VECTOR] = {};
        float squares = 0;
        float products = 0;
#pragma unroll
        for (int i = 0; i < ITEMS; ++i) {
            const int at = columnOf(i);
            if (at < size) {
                widen(load<VECTOR>(x + begin + at), values[i]);
                widen(load<VECTOR>(dy + begin + at), gradients[i]);
                if (GATE) {
                    widen(load<VECTOR>(gate + gated + at), gates[i]);
                }
            }
        }
#pragma unroll
        for (int i = 0; i < ITEMS; ++i) {
#pragma unroll
            for (int j = 0; j < VECTOR; ++j) {
                const float factor = GATE ? gates[i][j] * sigmoid(gates[i][j]) : 1;
                const float value = values[i][j] * (GATE == 2 ? factor : 1);
                const float gradient = gradients[i][j] * (GATE == 1 ? factor : 1);
                squares = fmaf(value, value, squares);
                products = fmaf(gradient * (weights[i][j] + CENTRED), value, products);
            }
        }
        const float2 both = sumsOfPart(squares, products, turn++);
        const float scale = rsqrtf(both.x / size + epsilon);
        const float pull = both.y * scale * scale / size;
#pragma unroll
        for (int i = 0; i < ITEMS; ++i) {
            const int at = columnOf(i);
            if (at < size) {
                float residual[VECTOR] = {};
                if (UPDATE && ds) {
                    widen(load<VECTOR>(ds + begin + at), residual);
                }
#pragma unroll
                for (int j = 0; j < VECTOR; ++j) {
                    const float z = GATE ? gates[i][j] : 0;
                    const float s = GATE ? sigmoid(z) : 1;
                    const float slope = s * (1 + z * (1 - s));  // of silu
                    const float w = weights[i][j] + CENTRED;
                    const float value = values[i][j] * (GATE == 2 ? z * s : 1);
                    const float gradient = gradients[i][j] * (GATE == 1 ? z * s : 1);
                    const float dvalue = scale * (gradient * w - value * pull);
                    dweights[i][j] = fmaf(gradient, value * scale, dweights[i][j]);
                    if (GATE == 1) {
                        gates[i][j] = gradients[i][j] * value * scale * w * slope;
                    } else if (GATE == 2) {
                        gates[i][j] = dvalue * values[i][j] * slope;
                    }
                    values[i][j] = dvalue * (GATE == 2 ? z * s : 1) + residual[j];
                }
                store(dx + begin + at, values[i]);
                if (UPDATE && du) {
                    store(du + begin + at, values[i]);
                }
                if (GATE) {
                    store(dgate + begin + at, gates[i]);
                }
            }
        }
    }
    storeSums(dweights, sums + ((long long)blockIdx.x * gridDim.y + blockIdx.y) * size, size);
}
