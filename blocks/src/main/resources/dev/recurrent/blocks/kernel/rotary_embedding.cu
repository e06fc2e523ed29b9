// Rotates planes (i, i + R/2) of each head's first R dimensions by position * theta^(-2i/R), or back
// (arXiv 2104.09864). Other dimensions are copied.
//
// Each element is read and written once. A thread owns PACK neighbouring planes, whose frequencies
// it computes once, and takes them through heads of successive tokens; an angle is computed once a
// token.
//
// Constants: TYPE (float or bfloat16), HEAD_DIM (K), ROTARY_DIM (R), PACK (divides R/2 and K - R).

constexpr int HALF = ROTARY_DIM / 2;
constexpr int ROTATED = HALF / PACK;                               // packs of planes
constexpr int PACKS = ROTATED + (HEAD_DIM - ROTARY_DIM) / PACK;  // and of what is copied

struct __align__(sizeof(TYPE) * PACK) Pack {
    TYPE values[PACK];
};

__device__ __forceinline__ Pack& pack(TYPE* at) { return *reinterpret_cast<Pack*>(at); }

__device__ __forceinline__ const Pack& pack(const TYPE* at) {
    return *reinterpret_cast<const Pack*>(at);
}

// x [B, T, H, K], each head dense, strides in elements; y dense; positions [B, T]. exponent is
// -2 log2(theta) / R; direction 1, or -1 to turn back. `items` heads in all, `each` of them a thread.
// Grid: enough blocks for all items. Block: any number of packs, then items.
extern "C" __global__ void rotate(
        const TYPE* __restrict__ x,
        const long long* __restrict__ positions,
        TYPE* __restrict__ y,
        long long rowStride,
        long long tokenStride,
        long long headStride,
        int length,
        int heads,
        int items,
        int each,
        double exponent,
        float direction) {
    const long long first = (long long)blockIdx.x * blockDim.y * each + threadIdx.y;
    for (int p = threadIdx.x; p < PACKS; p += blockDim.x) {
        float frequencies[PACK];
        float cosines[PACK];
        float sines[PACK];
#pragma unroll
        for (int i = 0; i < PACK; ++i) {
            frequencies[i] = p < ROTATED ? frequency(exponent, p * PACK + i) : 0;
        }
        int known = -1;
        for (int j = 0; j < each; ++j) {
            const long long item = first + (long long)j * blockDim.y;
            if (item >= items) {
                break;
            }
            const int token = (int)item / heads;
            const int head = (int)item - token * heads;
            const int row = token / length;
            const TYPE* from = x + row * rowStride + (token - row * length) * tokenStride
                    + head * headStride;
            TYPE* to = y + item * HEAD_DIM;
            if (p >= ROTATED) {
                const int at = ROTARY_DIM + (p - ROTATED) * PACK;
                pack(to + at) = pack(from + at);
                continue;
            }
            if (token != known) {
                known = token;
                const float position = (float)positions[token];
#pragma unroll
                for (int i = 0; i < PACK; ++i) {
                    sincosf(position * frequencies[i], &sines[i], &cosines[i]);
                    sines[i] *= direction;
                }
            }
            const Pack left = pack(from + p * PACK);
            const Pack right = pack(from + p * PACK + HALF);
            Pack turnedLeft;
            Pack turnedRight;
#pragma unroll
            for (int i = 0; i < PACK; ++i) {
                const Plane plane = {widen(left.values[i]), widen(right.values[i])};
                const Plane turned = plane.turned(cosines[i], sines[i]);
                turnedLeft.values[i] = narrow<TYPE>(turned.left);
                turnedRight.values[i] = narrow<TYPE>(turned.right);
            }
            pack(to + p * PACK) = turnedLeft;
            pack(to + p * PACK + HALF) = turnedRight;
        }
    }
}
