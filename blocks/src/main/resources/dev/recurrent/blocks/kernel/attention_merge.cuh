// The end of a step of attention: what warps, and then blocks, made of their pieces of the keys
// becomes one softmax, always in the same order.
//
// Constants: X_TYPE (of the result), VALUE_DIM (V), HEADS (of a block), WARPS.

constexpr int WARP = 32;
constexpr unsigned int ALL = 0xffffffffu;
constexpr float NONE = -1e30f;  // below all scores, and still a number
constexpr float LOG2_E = 1.44269504f;

// What each warp has of each head: values weighted by powers of two relative to the greatest score.
struct Sums {
    float values[WARPS][HEADS][VALUE_DIM];
    float mosts[WARPS][HEADS];
    float weights[WARPS][HEADS];
};

// Merges the warps of a block: with one piece into o [heads, V]; else into partial sums
// [heads, pieces, V] and, for each, the greatest score and the weight [heads, pieces, 2].
__device__ __forceinline__ void merge(
        const Sums& sums, long long firstHead, X_TYPE* o, float* partial, float* weights) {
    const int thread = threadIdx.y * WARP + threadIdx.x;
    for (int at = thread; at < HEADS * VALUE_DIM; at += WARP * WARPS) {
        const int h = at / VALUE_DIM;
        const int i = at % VALUE_DIM;
        float most = NONE;
#pragma unroll
        for (int w = 0; w < WARPS; ++w) {
            most = fmaxf(most, sums.mosts[w][h]);
        }
        float weight = 0;
        float sum = 0;
#pragma unroll
        for (int w = 0; w < WARPS; ++w) {
            const float factor = exp2f(sums.mosts[w][h] - most);
            weight = fmaf(factor, sums.weights[w][h], weight);
            sum = fmaf(factor, sums.values[w][h][i], sum);
        }
        const long long head = firstHead + h;
        if (gridDim.x == 1) {
            o[head * VALUE_DIM + i] = narrow<X_TYPE>(weight > 0 ? sum / weight : 0);
            continue;
        }
        const long long piece = head * gridDim.x + blockIdx.x;
        partial[piece * VALUE_DIM + i] = sum;
        if (i == 0) {
            weights[2 * piece] = most;
            weights[2 * piece + 1] = weight;
        }
    }
}

// Merges what blocks left of `pieces`, at most 128. A head that sees nothing gets zeros. Grid:
// B * KV * G. Block: any.
extern "C" __global__ void combine(
        const float* __restrict__ partial,
        const float* __restrict__ weights,
        X_TYPE* __restrict__ o,
        int pieces) {
    __shared__ float factors[128];
    const long long first = (long long)blockIdx.x * pieces;
    float most = NONE;
    for (int p = 0; p < pieces; ++p) {
        most = fmaxf(most, weights[2 * (first + p)]);
    }
    for (int p = threadIdx.x; p < pieces; p += blockDim.x) {
        factors[p] = exp2f(weights[2 * (first + p)] - most);
    }
    __syncthreads();
    float weight = 0;
    for (int p = 0; p < pieces; ++p) {
        weight = fmaf(factors[p], weights[2 * (first + p) + 1], weight);
    }
    const float scale = weight > 0 ? 1 / weight : 0;
    for (int i = threadIdx.x; i < VALUE_DIM; i += blockDim.x) {
        float sum = 0;
#pragma unroll 8
        for (int p = 0; p < pieces; ++p) {
            sum = fmaf(factors[p], partial[(first + p) * VALUE_DIM + i], sum);
        }
        o[(long long)blockIdx.x * VALUE_DIM + i] = narrow<X_TYPE>(sum * scale);
    }
}
