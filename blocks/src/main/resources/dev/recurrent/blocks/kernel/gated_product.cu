// y = f(a) b with f(x) = x sigmoid(x (SLOPE + CUBIC x^2)), in fp32: SiLU, and GELU's tanh form. The
// backward reads a and b again.
//
// Constants: A_TYPE (of a and y), B_TYPE (float or bfloat16), VECTOR (divides the width; the packs
// of every tensor are aligned), THREADS, SLOPE, CUBIC.
//
// Rows of `width` elements; those of a and b begin `aStride` and `bStride` elements apart, those of
// their gradients `gradientStride`, those of y follow each other. `pieces` blocks share a row.
// Grid: rows * pieces. Block: THREADS; pieces * THREADS * VECTOR >= width.

struct Place {
    long long row;
    long long column;
};

__device__ __forceinline__ Place place(int pieces) {
    const long long row = blockIdx.x / pieces;
    const long long piece = blockIdx.x - row * pieces;
    return {row, (piece * THREADS + threadIdx.x) * VECTOR};
}

extern "C" __global__ void __launch_bounds__(THREADS) gated_product(
        const A_TYPE* __restrict__ a,
        const B_TYPE* __restrict__ b,
        A_TYPE* __restrict__ y,
        long long aStride,
        long long bStride,
        long long width,
        int pieces) {
    const Place at = place(pieces);
    if (at.column >= width) {
        return;
    }
    float values[VECTOR];
    float factors[VECTOR];
    widen(load<VECTOR>(a + at.row * aStride + at.column), values);
    widen(load<VECTOR>(b + at.row * bStride + at.column), factors);
#pragma unroll
    for (int i = 0; i < VECTOR; ++i) {
        const float x = values[i];
        values[i] = x * sigmoid(x * (SLOPE + CUBIC * x * x)) * factors[i];
    }
    store(y + at.row * width + at.column, values);
}

extern "C" __global__ void __launch_bounds__(THREADS) gated_product_backward(
        const A_TYPE* __restrict__ a,
        const B_TYPE* __restrict__ b,
        const A_TYPE* __restrict__ dy,
        A_TYPE* __restrict__ da,
        B_TYPE* __restrict__ db,
        long long aStride,
        long long bStride,
        long long gradientStride,
        long long width,
        int pieces) {
    const Place at = place(pieces);
    if (at.column >= width) {
        return;
    }
    float values[VECTOR];
    float factors[VECTOR];
    float gradients[VECTOR];
    widen(load<VECTOR>(a + at.row * aStride + at.column), values);
    widen(load<VECTOR>(b + at.row * bStride + at.column), factors);
    widen(load<VECTOR>(dy + at.row * width + at.column), gradients);
#pragma unroll
    for (int i = 0; i < VECTOR; ++i) {
        const float x = values[i];
        const float square = CUBIC * x * x;
        const float s = sigmoid(x * (SLOPE + square));
        const float slope = s * (1 + x * (1 - s) * (SLOPE + 3 * square));
        values[i] = gradients[i] * factors[i] * slope;
        factors[i] = gradients[i] * x * s;
    }
    store(da + at.row * gradientStride + at.column, values);
    store(db + at.row * gradientStride + at.column, factors);
}
