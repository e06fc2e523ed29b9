// Products of matrices whose tiles lie in shared memory or registers, by one warp at a time.
// After tensor_core.cuh.
//
// A product is c[i][j] += sum over d of a[i][d] b[j][d]: what operands are summed over is their
// depth. A warp's unit is 16 rows of a, 16 rows of b and a depth of 16: an Operand and a
// RightOperand, and two accumulators of 16x8. Either comes from shared memory as it lies there or
// transposed, so AB, ABt, AtB and AtBt are all at hand; an Operand also from the sums of an earlier
// product. The two kinds hold the same in the order of the instruction's registers: where an
// Operand is given as b, registers are moved.
//
// bf16 operands are multiplied as they are. fp32 operands are split into a tf32 and what is left of
// them, another tf32; three products of those leave an error of about 1e-6.

__device__ __forceinline__ int laneIndex() { return (threadIdx.x + threadIdx.y * blockDim.x) % 32; }

// 16 rows times N blocks of 8 columns of sums, spread over a warp. Element e of block n stands at
// row(e), column(n, e); elements 0, 1 and 2, 3 are neighbours in a row.
template <int N>
struct Accumulator {
    float at[N][4];

    __device__ __forceinline__ static int row(int e) { return laneIndex() / 4 + e / 2 * 8; }

    __device__ __forceinline__ static int column(int n, int e) {
        return n * 8 + laneIndex() % 4 * 2 + e % 2;
    }

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int n = 0; n < N; ++n) {
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                at[n][e] = 0;
            }
        }
    }
};

// 16 rows by a depth of 16, spread over a warp.
template <typename T>
struct Operand;

template <>
struct Operand<bfloat16> {
    unsigned part[4];  // [depth / 8][row / 8]

    // From element [row][depth] of rows that are `stride` elements apart.
    __device__ __forceinline__ void load(const bfloat16* tile, int stride, int row, int depth) {
        const int lane = laneIndex();
        ldmatrix_x4(part, tile + (row + lane % 16) * stride + depth + lane / 16 * 8);
    }

    // From element [depth][row].
    __device__ __forceinline__ void loadTransposed(
            const bfloat16* tile, int stride, int row, int depth) {
        const int lane = laneIndex();
        ldmatrix_x4_trans(
                part,
                tile + (depth + lane / 16 * 8 + lane % 8) * stride + row + lane / 8 % 2 * 8);
    }

    // From 16x16 sums: a depth of 8 each.
    __device__ __forceinline__ void take(const float (&first)[4], const float (&second)[4]) {
        part[0] = pack_bf16(first[0], first[1]);
        part[1] = pack_bf16(first[2], first[3]);
        part[2] = pack_bf16(second[0], second[1]);
        part[3] = pack_bf16(second[2], second[3]);
    }

    // The way back.
    __device__ __forceinline__ void give(float (&first)[4], float (&second)[4]) const {
#pragma unroll
        for (int p = 0; p < 4; ++p) {
            float(&sums)[4] = p < 2 ? first : second;
            sums[p % 2 * 2] = __uint_as_float(part[p] << 16);
            sums[p % 2 * 2 + 1] = __uint_as_float(part[p] & 0xffff0000u);
        }
    }
};

template <>
struct Operand<float> {
    float part[4][2];  // [depth / 8][row / 8], neighbours in depth

    __device__ __forceinline__ void load(const float* tile, int stride, int row, int depth) {
        const int lane = laneIndex();
#pragma unroll
        for (int p = 0; p < 4; ++p) {
            const float* from = tile + (row + p % 2 * 8 + lane / 4) * stride + depth + p / 2 * 8
                    + lane % 4 * 2;
            part[p][0] = from[0];
            part[p][1] = from[1];
        }
    }

    __device__ __forceinline__ void loadTransposed(
            const float* tile, int stride, int row, int depth) {
        const int lane = laneIndex();
#pragma unroll
        for (int p = 0; p < 4; ++p) {
            const float* from = tile + (depth + p / 2 * 8 + lane % 4 * 2) * stride + row
                    + p % 2 * 8 + lane / 4;
            part[p][0] = from[0];
            part[p][1] = from[stride];
        }
    }

    __device__ __forceinline__ void take(const float (&first)[4], const float (&second)[4]) {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            part[0][i] = first[i];
            part[1][i] = first[2 + i];
            part[2][i] = second[i];
            part[3][i] = second[2 + i];
        }
    }

    __device__ __forceinline__ void give(float (&first)[4], float (&second)[4]) const {
#pragma unroll
        for (int i = 0; i < 2; ++i) {
            first[i] = part[0][i];
            first[2 + i] = part[1][i];
            second[i] = part[2][i];
            second[2 + i] = part[3][i];
        }
    }
};

// The same, for the right of a product.
template <typename T>
struct RightOperand;

template <>
struct RightOperand<bfloat16> {
    unsigned part[2][2];  // [row / 8][depth / 8]

    __device__ __forceinline__ void load(const bfloat16* tile, int stride, int row, int depth) {
        const int lane = laneIndex();
        unsigned four[4];
        ldmatrix_x4(
                four,
                tile + (row + lane / 16 * 8 + lane % 8) * stride + depth + lane / 8 % 2 * 8);
        set(four);
    }

    __device__ __forceinline__ void loadTransposed(
            const bfloat16* tile, int stride, int row, int depth) {
        const int lane = laneIndex();
        unsigned four[4];
        ldmatrix_x4_trans(four, tile + (depth + lane % 16) * stride + row + lane / 16 * 8);
        set(four);
    }

    __device__ __forceinline__ void set(const unsigned (&four)[4]) {
#pragma unroll
        for (int p = 0; p < 4; ++p) {
            part[p / 2][p % 2] = four[p];
        }
    }
};

template <>
struct RightOperand<float> : Operand<float> {};

// c += a bt: 16 rows of a, of b eight rows for each of the two accumulators.
__device__ __forceinline__ void multiply(
        float (&first)[4],
        float (&second)[4],
        const Operand<bfloat16>& a,
        const RightOperand<bfloat16>& b) {
    mma_bf16(first, a.part, b.part[0]);
    mma_bf16(second, a.part, b.part[1]);
}

__device__ __forceinline__ void multiply(
        float (&first)[4],
        float (&second)[4],
        const Operand<bfloat16>& a,
        const Operand<bfloat16>& b) {
    const unsigned low[2] = {b.part[0], b.part[2]};
    const unsigned high[2] = {b.part[1], b.part[3]};
    mma_bf16(first, a.part, low);
    mma_bf16(second, a.part, high);
}

// A value rounded to what a product in tf32 sees.
__device__ __forceinline__ unsigned leading(float value) {
    return (__float_as_uint(value) + 0x1000u) & 0xffffe000u;
}

__device__ __forceinline__ unsigned remaining(float value) {
    return __float_as_uint(value - __uint_as_float(leading(value)));
}

__device__ __forceinline__ void multiply(
        float (&first)[4], float (&second)[4], const Operand<float>& a, const Operand<float>& b) {
    // Neighbours in depth stand where the instruction wants depths d and d + 4: the order of a sum.
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const auto& x = a.part[2 * half];
        const auto& y = a.part[2 * half + 1];
        const unsigned big[4] = {leading(x[0]), leading(y[0]), leading(x[1]), leading(y[1])};
        const unsigned small[4] = {
                remaining(x[0]), remaining(y[0]), remaining(x[1]), remaining(y[1])};
#pragma unroll
        for (int n = 0; n < 2; ++n) {
            const auto& z = b.part[2 * half + n];
            const unsigned otherBig[2] = {leading(z[0]), leading(z[1])};
            const unsigned otherSmall[2] = {remaining(z[0]), remaining(z[1])};
            float(&sums)[4] = n == 0 ? first : second;
            mma_tf32(sums, small, otherBig);
            mma_tf32(sums, big, otherSmall);
            mma_tf32(sums, big, otherBig);
        }
    }
}

// Rows of Columns elements in shared memory, 16 bytes apart from each other, so that what a warp
// reads of eight rows lies in different banks. Columns is a multiple of 16.
template <typename T, int Columns>
struct Tile {
    static constexpr int VECTOR = 16 / sizeof(T);
    static constexpr int STRIDE = Columns + VECTOR;

    T* at;

    __host__ __device__ static constexpr int bytes(int rows) { return rows * STRIDE * sizeof(T); }

    __device__ __forceinline__ T* row(int i) const { return at + i * STRIDE; }

    // Rows row .. row + 15 and depth .. depth + 15 of what lies here.
    __device__ __forceinline__ Operand<T> operand(int row, int depth) const {
        Operand<T> operand;
        operand.load(at, STRIDE, row, depth);
        return operand;
    }

    // The same of its transpose: the depth runs over the rows that lie here.
    __device__ __forceinline__ Operand<T> transposed(int row, int depth) const {
        Operand<T> operand;
        operand.loadTransposed(at, STRIDE, row, depth);
        return operand;
    }

    // Both for the right of a product.
    __device__ __forceinline__ RightOperand<T> right(int row, int depth) const {
        RightOperand<T> operand;
        operand.load(at, STRIDE, row, depth);
        return operand;
    }

    __device__ __forceinline__ RightOperand<T> rightTransposed(int row, int depth) const {
        RightOperand<T> operand;
        operand.loadTransposed(at, STRIDE, row, depth);
        return operand;
    }

    // Starts to fill Rows rows with those at `global`, `stride` elements apart; what is beyond
    // `rows` and `columns` of them becomes zero. Vectors says that rows begin at multiples of 16
    // bytes and that `columns` is a multiple of VECTOR: else elements are copied one by one, at
    // once. `thread` counts the Threads that share the work.
    template <int Rows, int Threads, bool Vectors>
    __device__ __forceinline__ void fetch(
            const T* global, long long stride, int rows, int columns, int thread) const {
        if constexpr (Vectors && Threads % (Columns / VECTOR) == 0) {
            constexpr int STEP = Threads / (Columns / VECTOR);  // rows at a time
            const int row = thread / (Columns / VECTOR);
            const int column = thread % (Columns / VECTOR) * VECTOR;
            const T* from = global + row * stride + column;
            T* to = at + row * STRIDE + column;
            if (rows >= Rows && columns >= Columns && Rows % STEP == 0) {
#pragma unroll 8
                for (int i = 0; i < Rows; i += STEP) {
                    cp_async16(to + i * STRIDE, from, true);
                    from += STEP * stride;
                }
            } else {
#pragma unroll 1
                for (int i = 0; i + row < Rows; i += STEP) {
                    const bool inside = i + row < rows && column < columns;
                    cp_async16(to + i * STRIDE, inside ? from : global, inside);
                    from += STEP * stride;
                }
            }
        } else if constexpr (Vectors) {
            constexpr int VECTORS = Columns / VECTOR;
#pragma unroll 2
            for (int index = thread; index < Rows * VECTORS; index += Threads) {
                const int row = index / VECTORS;
                const int column = index % VECTORS * VECTOR;
                const bool inside = row < rows && column < columns;
                cp_async16(
                        at + row * STRIDE + column,
                        inside ? global + row * stride + column : global,
                        inside);
            }
        } else {
            for (int index = thread; index < Rows * Columns; index += Threads) {
                const int row = index / Columns;
                const int column = index % Columns;
                const bool inside = row < rows && column < columns;
                at[row * STRIDE + column] =
                        inside ? global[row * stride + column] : narrow<T>(0);
            }
        }
    }

    // Copies one element, or 16 bytes of them.
    template <int Count>
    __device__ __forceinline__ static void copy(T* to, const T* from) {
        if (Count == VECTOR) {
            *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(from);
        } else {
            *to = *from;
        }
    }

    // Writes Width columns of Rows rows back, but not what is beyond `rows` and `columns`.
    template <int Rows, int Threads, bool Vectors, int Width = Columns>
    __device__ __forceinline__ void store(
            T* global, long long stride, int rows, int columns, int thread) const {
        constexpr int PART = Vectors ? VECTOR : 1;
        constexpr int PARTS = Width / PART;
        if constexpr (Threads % PARTS == 0) {
            constexpr int STEP = Threads / PARTS;  // rows at a time
            const int column = thread % PARTS * PART;
            const int row = thread / PARTS;
            const T* from = at + row * STRIDE + column;
            T* to = global + row * stride + column;
            const int last = column < columns ? min(rows, Rows) : 0;
#pragma unroll 4
            for (int i = row; i < last; i += STEP) {
                copy<PART>(to, from);
                from += STEP * STRIDE;
                to += STEP * stride;
            }
        } else {
            for (int index = thread; index < Rows * PARTS; index += Threads) {
                const int row = index / PARTS;
                const int column = index % PARTS * PART;
                if (row < rows && column < columns) {
                    copy<PART>(global + row * stride + column, at + row * STRIDE + column);
                }
            }
        }
    }
};

// Two neighbours as they lie in memory; the address is a multiple of their size.
__device__ __forceinline__ void storePair(float* to, float first, float second) {
    *reinterpret_cast<float2*>(to) = make_float2(first, second);
}

__device__ __forceinline__ void storePair(bfloat16* to, float first, float second) {
    *reinterpret_cast<unsigned*>(to) = pack_bf16(first, second);
}

__device__ __forceinline__ void storeFour(float* to, const float4& values) {
    *reinterpret_cast<float4*>(to) = values;
}

__device__ __forceinline__ void storeFour(bfloat16* to, const float4& values) {
    *reinterpret_cast<uint2*>(to) =
            make_uint2(pack_bf16(values.x, values.y), pack_bf16(values.z, values.w));
}

__device__ __forceinline__ float2 loadPair(const float* from) {
    return *reinterpret_cast<const float2*>(from);
}

__device__ __forceinline__ float2 loadPair(const bfloat16* from) {
    const unsigned pair = *reinterpret_cast<const unsigned*>(from);
    return make_float2(__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u));
}

// Writes sums at rows `row` .. and columns `column` .. of rows that are `stride` elements apart.
template <typename T, int N>
__device__ __forceinline__ void store(
        const Accumulator<N>& sums, T* to, long long stride, int row, int column) {
#pragma unroll
    for (int n = 0; n < N; ++n) {
#pragma unroll
        for (int e = 0; e < 4; e += 2) {
            storePair(
                    to + (row + sums.row(e)) * stride + column + sums.column(n, e),
                    sums.at[n][e],
                    sums.at[n][e + 1]);
        }
    }
}

// Writes the transpose: sums at row i and column j go to row column + j and column row + i.
template <int N>
__device__ __forceinline__ void storeTransposed(
        const Accumulator<N>& sums, bfloat16* to, long long stride, int row, int column) {
    const int lane = laneIndex();
#pragma unroll
    for (int n = 0; n < N; ++n) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const unsigned pair = pack_bf16(sums.at[n][2 * half], sums.at[n][2 * half + 1]);
            bfloat16* place = to + (column + 8 * n + lane / 4) * stride + row + 8 * half
                    + lane % 4 * 2;
            *reinterpret_cast<unsigned*>(place) = movmatrix_trans(pair);
        }
    }
}

template <int N>
__device__ __forceinline__ void storeTransposed(
        const Accumulator<N>& sums, float* to, long long stride, int row, int column) {
#pragma unroll
    for (int n = 0; n < N; ++n) {
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            to[(column + sums.column(n, e)) * stride + row + sums.row(e)] = sums.at[n][e];
        }
    }
}
